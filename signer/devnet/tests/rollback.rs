//! A store that went back in time, on real disks and a real node: its signer is quarantined, the others pay on, and when
//! the group has washed its coins it signs again.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use igra_config::TimingConfig;
use igra_devnet::{ApiClient, Fleet, FleetOptions, Node, NodeOptions, signer_binary, up::fresh_address};
use igra_group::{Network, Sompi};
use igra_tx::EventKey;
use serde_json::{Value, json};
use tokio::time::sleep;

const FUNDS: Sompi = Sompi(1_000 * igra_group::SOMPI_PER_KAS);
const AMOUNT: Sompi = Sompi(25 * igra_group::SOMPI_PER_KAS);
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_of_a_store_is_noticed_and_washed_while_the_others_pay() {
    let mut world = World::start().await;
    let (store, old) = (world.store(2), world.fleet.folder().join("old"));
    world.fleet.signers[2].stop().await.unwrap();
    copy(&store, &old);
    world.fleet.signers[2].start().unwrap();
    world.fleet.await_ready(PATIENCE).await.unwrap();
    world.pay("one", 2).await;

    world.fleet.signers[2].stop().await.unwrap();
    std::fs::remove_dir_all(&store).unwrap();
    copy(&old, &store);
    world.fleet.signers[2].start().unwrap();

    let quarantine = world.quarantine(2, |quarantine| !quarantine.is_null()).await;
    assert!(!quarantine["causes"].as_array().unwrap().is_empty(), "{quarantine}");
    assert!(!world.fleet.signers[2].api.is_ready().await);
    world.pay("two", 0).await;
    world.washed_and_signing(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marked_backup_is_quarantined_until_the_group_has_washed_its_coins() {
    let mut world = World::start().await;
    world.pay("one", 2).await;
    world.fleet.signers[2].stop().await.unwrap();
    let marker = world.store(2).join("BACKUP");
    std::fs::write(&marker, "").unwrap();
    world.fleet.signers[2].start().unwrap();

    let quarantine = world.quarantine(2, |quarantine| !quarantine.is_null()).await;

    assert_eq!(quarantine["causes"], json!(["backup"]));
    world.washed_and_signing(2).await;
    assert!(!marker.exists());
}

struct World {
    node: Node,
    fleet: Fleet,
    recipient: String,
}

impl World {
    async fn start() -> Self {
        let block_interval = Some(Duration::from_millis(100));
        let node = Node::start(NodeOptions { block_interval, ..NodeOptions::default() }).await.unwrap();
        let recipient = fresh_address();
        let options = FleetOptions {
            threshold: 2,
            members: 3,
            quorum: None,
            kaspa_node: node.rpc_url(),
            allow: vec![recipient.clone()],
            folder: None,
            signer_bin: signer_binary(None).unwrap(),
            environment: vec![],
            timing: TimingConfig::default(),
            log_level: "info,igra_signer=debug".to_owned(),
        };
        let fleet = Fleet::start(options).await.unwrap();
        fleet.await_ready(PATIENCE).await.unwrap();
        node.fund(&fleet.address(), FUNDS).await.unwrap();
        fleet.await_coins(1, PATIENCE).await.unwrap();
        Self { node, fleet, recipient }
    }

    fn store(&self, signer: usize) -> PathBuf {
        self.fleet.folder().join(&self.fleet.signers[signer].name).join("data").join("store")
    }

    /// Sends an event to one signer and waits until it says that it is paid for good.
    async fn pay(&self, id: &str, signer: usize) {
        let api = &self.fleet.signers[signer].api;
        let body = ApiClient::request(Fleet::SOURCE, id, &self.recipient, AMOUNT);
        let receipt = api.post_event(&body).await.unwrap();
        assert!(receipt.status.is_success(), "{} {}", receipt.status, receipt.body);
        let key = EventKey::derive(Network::Simnet, "request", Fleet::SOURCE, id.as_bytes()).to_string();
        let view = || async { api.event(&key).await.map(|answer| answer.body).unwrap_or_default() };
        self.until(id, view, |view| view["state"] == "paid").await;
    }

    /// Waits until what a signer says of its quarantine fits.
    async fn quarantine(&self, signer: usize, fits: impl Fn(&Value) -> bool) -> Value {
        let api = &self.fleet.signers[signer].api;
        let group = || async { api.group().await.map(|answer| answer.body).unwrap_or_default() };
        let group =
            self.until("quarantine", group, |group| group["epoch"].is_u64() && fits(&group["quarantine"]));
        group.await["quarantine"].clone()
    }

    /// Waits until a signer is out of quarantine, and has it sign with one other alone.
    async fn washed_and_signing(mut self, signer: usize) {
        self.quarantine(signer, Value::is_null).await;
        self.fleet.await_ready(PATIENCE).await.unwrap();
        self.fleet.signers[0].stop().await.unwrap();
        self.pay("last", signer).await;
        self.fleet.stop().await.unwrap();
        self.node.stop().await.unwrap();
    }

    async fn until<F: Future<Output = Value>>(
        &self,
        what: &str,
        ask: impl Fn() -> F,
        fits: impl Fn(&Value) -> bool,
    ) -> Value {
        let start = Instant::now();
        loop {
            let answer = ask().await;
            if fits(&answer) {
                return answer;
            }
            assert!(start.elapsed() < PATIENCE, "{what}, not in time: {answer}\n{}", self.logs());
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn logs(&self) -> String {
        let log = |signer: &igra_devnet::Signer| {
            let text = std::fs::read_to_string(&signer.log_file).unwrap_or_default();
            let last: Vec<&str> = text.lines().rev().take(60).collect();
            format!("{}:\n{}", signer.name, last.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        self.fleet.signers.iter().map(log).collect::<Vec<_>>().join("\n\n")
    }
}

/// A flat folder, as RocksDB's is.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
