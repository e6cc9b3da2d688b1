//! A signer alone, with real edges and a Kaspa node that is not there.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::Path,
};

use igra_config::{AmountRule, ApiSource, Auth, DestinationRule, GroupConfig, PolicyFile, SourceRule};
use igra_core::{Halt, HaltCause};
use igra_group::{Network, Sompi};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use super::*;
use crate::keys::tests::{ed25519_key, group, schnorr_key};

const PATIENCE: Duration = Duration::from_secs(30);

fn free_port() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

fn write_keys(folder: &Path, signing: u8, transport: u8) {
    fs::write(folder.join("signing.key"), hex::encode([signing; 32])).unwrap();
    fs::write(folder.join("transport.key"), hex::encode([transport; 32])).unwrap();
}

fn policy(max_sompi: u64) -> PolicyFile {
    let api = ApiSource { trust_ingress: true, ..ApiSource::default() };
    PolicyFile {
        amount: AmountRule { max_sompi: Some(Sompi(max_sompi)), ..AmountRule::default() },
        destinations: DestinationRule { allow: vec![recipient()] },
        sources: vec![SourceRule { name: "desk".to_owned(), deadline_seconds: 3_600, api }],
        ..PolicyFile::default()
    }
}

fn recipient() -> String {
    group().wallet().address().to_string()
}

/// One member with the secrets of bytes 5 and 6, a node that does not answer, and a policy that takes from `desk`.
fn config(folder: &Path) -> Config {
    write_keys(folder, 5, 6);
    let policy_file = folder.join("policy.yaml");
    fs::write(&policy_file, policy(1_000_000_000).to_yaml()).unwrap();
    let group = GroupConfig::builder(Network::Simnet, 1)
        .member("alone", schnorr_key(5).public_key().to_string(), ed25519_key(6).id(), [])
        .build()
        .unwrap();
    let mut config = group.config("alone", folder.join("data"), folder, format!("grpc://{}", free_port()));
    config.policy_file = policy_file;
    config.gossip.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    (config.api.listen, config.admin.listen) = (free_port(), free_port());
    config
}

/// A running signer.
struct Alone {
    config: Config,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), RunError>>,
}

impl Alone {
    async fn start(config: Config) -> Self {
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(run(config.clone(), async move { drop(stopped.await) }));
        let alone = Self { config, stop, ended };
        let answers =
            async { while alone.get("/health/live").await.is_none_or(|(status, _)| status != 200) {} };
        timeout(PATIENCE, answers).await.expect("it comes to life");
        alone
    }

    /// Status and body; `None` while the port is closed.
    async fn get(&self, path: &str) -> Option<(u16, Value)> {
        let port = if path.starts_with("/v1") { self.config.api.listen } else { self.config.admin.listen };
        ask(port, &format!("GET {path}"), "").await.ok()
    }

    async fn submit(&self, id: &str, amount: u64) -> (u16, Value) {
        let body = json!({"source": "desk", "id": id, "recipient": recipient(), "amountSompi": amount});
        ask(self.config.api.listen, "POST /v1/events", &body.to_string()).await.unwrap()
    }

    /// One check of `/health`.
    async fn check(&self, name: &str) -> Value {
        let (_, body) = self.get("/health").await.unwrap();
        body["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.ended).await.expect("it stops").unwrap().unwrap();
    }
}

/// One request on a connection of its own.
async fn ask(port: SocketAddr, what: &str, body: &str) -> io::Result<(u16, Value)> {
    ask_as("none", port, what, body).await
}

async fn ask_as(token: &str, port: SocketAddr, what: &str, body: &str) -> io::Result<(u16, Value)> {
    let mut connection = TcpStream::connect(port).await?;
    let head = format!("Host: signer\r\nConnection: close\r\nAuthorization: Bearer {token}");
    let request = format!("{what} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok((status, serde_json::from_str(body).unwrap_or_default()))
}

#[tokio::test]
async fn without_its_node_a_signer_lives_and_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let alone = Alone::start(config(folder.path())).await;

    let (status, body) = alone.get("/health/ready").await.unwrap();

    assert_eq!(status, 503);
    let failing: Vec<_> =
        body["failing"].as_array().unwrap().iter().map(|check| check["name"].clone()).collect();
    assert_eq!(failing, ["kaspa-node"]);
    alone.stop().await;
}

#[tokio::test]
async fn an_event_that_was_taken_is_known_after_another_start() {
    let folder = tempfile::tempdir().unwrap();
    let alone = Alone::start(config(folder.path())).await;
    let (status, first) = alone.submit("invoice-1", 500_000_000).await;
    assert_eq!(status, 202, "{first}");
    let (_, group) = alone.get("/v1/group").await.unwrap();
    let config = alone.config.clone();
    alone.stop().await;

    let again = Alone::start(config).await;

    let (status, second) = again.submit("invoice-1", 500_000_000).await;
    assert_eq!((status, &second["event"]), (200, &first["event"]));
    assert_eq!(again.submit("invoice-1", 400_000_000).await.0, 409);
    let (_, group_again) = again.get("/v1/group").await.unwrap();
    assert_eq!(group_again["epoch"].as_u64().unwrap(), group["epoch"].as_u64().unwrap() + 1);
    again.stop().await;
}

#[tokio::test]
async fn a_policy_that_changes_is_taken_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let alone = Alone::start(config(folder.path())).await;
    let denied_at = async |amount| {
        let mut number = 0;
        while alone.submit(&format!("probe-{amount}-{number}"), amount).await.0 != 422 {
            number += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };

    fs::write(&alone.config.policy_file, policy(300_000_000).to_yaml()).unwrap();
    timeout(PATIENCE, denied_at(400_000_000)).await.expect("the new limit holds");
    fs::write(&alone.config.policy_file, "amount: nonsense").unwrap();
    timeout(PATIENCE, denied_at(400_000_000)).await.expect("the last good limit holds");

    assert_eq!(alone.submit("small", 200_000_000).await.0, 202);
    let refused = async { while alone.check("policy").await["status"] != "warn" {} };
    timeout(PATIENCE, refused).await.expect("the refusal is told");
    alone.stop().await;
}

#[tokio::test]
async fn a_signer_that_an_alarm_stopped_is_not_ready_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let admin = config.admin.listen;
    let mut started = start::start(config).await.unwrap();
    let failing = async || {
        let (_, body) = ask(admin, "GET /health/ready", "").await.unwrap();
        let names = body["failing"].as_array().unwrap().iter().map(|check| check["name"].clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(failing().await, ["kaspa-node"]);

    let halt =
        Halt { cause: HaltCause::SecondCopy, text: "two of us".to_owned(), since: igra_core::UnixSeconds(0) };
    let view = GroupView { halt: Some(halt), ..started.signer.coordinator.view() };
    started.signer.show_standing(&view);

    assert_eq!(failing().await, ["kaspa-node", "alarm"]);
    let (_, body) = ask(admin, "GET /health/ready", "").await.unwrap();
    assert_eq!(body["failing"][1]["message"], "halted (second_copy): two of us");
    assert!(started.signer.metrics.text().contains("igra_stopped 1"));
    started.shutdown().await;
}

#[tokio::test]
async fn a_server_that_breaks_ends_the_signer() {
    let folder = tempfile::tempdir().unwrap();
    let mut started = start::start(config(folder.path())).await.unwrap();
    started.tasks.spawn("what broke", async { panic!("on purpose") });

    let ended = timeout(PATIENCE, started.run_until(std::future::pending())).await;

    let error = ended.expect("it ends").unwrap_err();
    assert_eq!(
        (error.exit_code(), error.to_string().as_str()),
        (EXIT_SOFTWARE, "what broke ended by itself")
    );
    started.shutdown().await;
}

fn tokens(token: &str) -> String {
    format!("tokens: [{{name: desk, token: {token}, roles: [read]}}]")
}

fn with_tokens(folder: &Path, content: &str) -> Config {
    let mut config = config(folder);
    let file = folder.join("tokens.yaml");
    fs::write(&file, content).unwrap();
    (config.api.auth, config.api.tokens_file) = (Auth::Tokens, Some(file));
    config
}

#[tokio::test]
async fn new_tokens_hold_without_a_restart_and_a_bad_file_changes_none() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_tokens(folder.path(), &tokens("the-first-token-of-all"));
    let (port, file) = (config.api.listen, config.api.tokens_file.clone().unwrap());
    let alone = Alone::start(config).await;
    let status = async |token| ask_as(token, port, "GET /v1/identity", "").await.unwrap().0;
    assert_eq!(status("the-first-token-of-all").await, 200);

    fs::write(&file, tokens("the-second-token-of-all")).unwrap();
    let taken = async {
        while status("the-second-token-of-all").await != 200 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, taken).await.expect("the new token is taken");
    assert_eq!(status("the-first-token-of-all").await, 401);

    fs::write(&file, "tokens: [the-second-token-of-all]").unwrap();
    let refused = async { while alone.check("tokens").await["status"] != "warn" {} };
    timeout(PATIENCE, refused).await.expect("the refusal is told");
    assert_eq!(status("the-second-token-of-all").await, 200);
    alone.stop().await;
}

#[tokio::test]
async fn tokens_that_cannot_be_read_end_the_start_before_a_store_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_tokens(folder.path(), "tokens: [a-token-that-nobody-may-see]");

    let error = run(config.clone(), std::future::pending()).await.unwrap_err();

    assert_eq!(error.exit_code(), EXIT_CONFIG);
    assert!(!in_one_line(&error).contains("nobody-may-see"), "{error}");
    assert!(!config.data_dir.exists());
}

#[tokio::test]
async fn a_key_of_somebody_else_ends_the_start_with_its_own_code() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    write_keys(folder.path(), 7, 6);

    let error = run(config, std::future::pending()).await.unwrap_err();

    assert_eq!(error.exit_code(), EXIT_CONFIG);
    let text = in_one_line(&error);
    assert!(text.contains("member alone") && text.contains("public key"), "{text}");
    assert!(!text.contains(&hex::encode([7; 32])), "{text}");
}

#[tokio::test]
async fn a_store_on_another_volume_is_quarantined_until_an_administrator_releases_it_and_then_at_home() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    Alone::start(config.clone()).await.stop().await;
    let other = Config { volume_id: Some("another".to_owned()), ..config };
    for _ in 0..2 {
        let alone = Alone::start(other.clone()).await;
        let (_, group) = alone.get("/v1/group").await.unwrap();
        assert_eq!(group["quarantine"]["causes"], json!(["other_volume"]));
        let check = alone.check("quarantine").await;
        assert_eq!(check["status"], "fail");
        assert!(
            check["message"].as_str().unwrap().starts_with("quarantined (other_volume): waits for"),
            "{check}"
        );
        alone.stop().await;
    }
    let alone = Alone::start(other.clone()).await;
    let order = json!({"reason": "its name alone was changed"}).to_string();

    let (status, group) = ask(other.api.listen, "POST /v1/quarantine/release", &order).await.unwrap();

    assert_eq!((status, &group["quarantine"]), (200, &json!(null)), "{group}");
    assert_eq!(group["interventions"][0]["reason"], "its name alone was changed");
    assert_eq!(alone.check("quarantine").await["status"], "pass");
    alone.stop().await;
    let again = Alone::start(other).await;
    assert_eq!(again.check("quarantine").await["status"], "pass");
    again.stop().await;
}

#[tokio::test]
async fn a_second_signer_on_one_store_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let first = Alone::start(config(folder.path())).await;

    let error = run(config(folder.path()), std::future::pending()).await.unwrap_err();

    assert_eq!(error.exit_code(), EXIT_STORAGE);
    assert!(error.to_string().contains("in use by another process"), "{error}");
    first.stop().await;
}
