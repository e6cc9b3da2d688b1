//! A real etcd, API server and controller-manager on loopback, for as long as the value lives.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tempfile::TempDir;

/// How long anything may take to become so.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The users that the API server knows, each by the token of the same name.
const USERS: &str = "admin,admin,1,system:masters\noperator,operator,2\nnobody,nobody,3\n";

pub struct Server {
    url: String,
    folder: TempDir,
    // Ended in this order, so that nobody talks to one that is gone.
    programs: Vec<Program>,
}

/// A running program, ended by its id.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        while let Some(program) = self.programs.pop() {
            drop(program);
        }
    }
}

/// Where the Kubernetes programs are: `KUBEBUILDER_ASSETS`, or what `cargo xtask setup` left in the cache.
pub fn programs() -> Result<PathBuf> {
    let cache = env::var_os("IGRA_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache/igra")));
    let given = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let folders = given.into_iter().chain(cache.map(|cache| cache.join("current/kube")));
    let complete = |folder: &PathBuf| {
        ["etcd", "kube-apiserver", "kube-controller-manager"].iter().all(|name| folder.join(name).exists())
    };
    folders.into_iter().find(complete).context(
        "there are no etcd, kube-apiserver and kube-controller-manager in KUBEBUILDER_ASSETS or in the tool cache: \
         run `cargo xtask setup`, or set IGRA_WITHOUT_CLUSTER=1 to leave these tests out",
    )
}

impl Server {
    /// Starts all three and waits until the API server is ready.
    pub async fn start(programs: &Path) -> Result<Self> {
        let [etcd, peer, api] = free_ports()?;
        let folder = tempfile::tempdir()?;
        let mut server = Self { url: format!("https://127.0.0.1:{api}"), folder, programs: Vec::new() };
        server.write("tokens.csv", USERS)?;
        server.write("admin.yaml", &server.kubeconfig("admin"))?;
        server.make_key()?;
        server.run(
            programs,
            "etcd",
            &[
                ("data-dir", server.path("etcd")),
                ("unsafe-no-fsync", "true".to_owned()),
                ("listen-client-urls", format!("http://127.0.0.1:{etcd}")),
                ("advertise-client-urls", format!("http://127.0.0.1:{etcd}")),
                ("listen-peer-urls", format!("http://127.0.0.1:{peer}")),
            ],
        )?;
        server.run(
            programs,
            "kube-apiserver",
            &[
                ("etcd-servers", format!("http://127.0.0.1:{etcd}")),
                ("secure-port", api.to_string()),
                ("bind-address", "127.0.0.1".to_owned()),
                ("cert-dir", server.path("certificates")),
                ("token-auth-file", server.path("tokens.csv")),
                ("authorization-mode", "RBAC".to_owned()),
                ("service-account-issuer", "https://kubernetes.default.svc".to_owned()),
                ("service-account-key-file", server.path("account.key")),
                ("service-account-signing-key-file", server.path("account.key")),
                ("service-cluster-ip-range", "10.96.0.0/16".to_owned()),
            ],
        )?;
        server.wait_until_ready().await?;
        server.run(
            programs,
            "kube-controller-manager",
            &[
                ("kubeconfig", server.path("admin.yaml")),
                ("service-account-private-key-file", server.path("account.key")),
                ("leader-elect", "false".to_owned()),
                ("secure-port", "0".to_owned()),
            ],
        )?;
        Ok(server)
    }

    /// A client with the rights of one of the users.
    pub async fn client(&self, user: &str) -> Result<Client> {
        let kubeconfig = Kubeconfig::from_yaml(&self.kubeconfig(user))?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        Ok(Client::try_from(config)?)
    }

    fn kubeconfig(&self, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\n\
             clusters: [{{name: it, cluster: {{server: \"{}\", insecure-skip-tls-verify: true}}}}]\n\
             users: [{{name: it, user: {{token: {user}}}}}]\n\
             contexts: [{{name: it, context: {{cluster: it, user: it}}}}]\n",
            self.url
        )
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let client = self.client("admin").await?;
        let start = Instant::now();
        loop {
            let answer = client.request_text(http_get("/readyz")).await;
            if answer.as_ref().is_ok_and(|text| text == "ok") {
                return Ok(());
            }
            let mut ended = false;
            for program in &mut self.programs {
                ended |= program.0.try_wait()?.is_some();
            }
            if ended || start.elapsed() > PATIENCE {
                bail!(
                    "the API server did not get ready: {answer:?}\n{}\n{}",
                    self.log("etcd"),
                    self.log("kube-apiserver")
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn run(&mut self, programs: &Path, name: &str, flags: &[(&str, String)]) -> Result<()> {
        let log = fs::File::create(self.folder.path().join(format!("{name}.log")))?;
        let child = Command::new(programs.join(name))
            .args(flags.iter().map(|(flag, value)| format!("--{flag}={value}")))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        self.programs.push(Program(child));
        Ok(())
    }

    /// The key that the API server signs the tokens of service accounts with.
    fn make_key(&self) -> Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]);
        let done = openssl.arg(self.path("account.key")).output().context("could not run openssl")?;
        if !done.status.success() {
            bail!("openssl made no key: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.folder.path().join(name), text).with_context(|| format!("could not write {name}"))
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn log(&self, name: &str) -> String {
        let text = fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// A plain request for what no client has a type for.
pub fn http_get(path: &str) -> axum::http::Request<Vec<u8>> {
    axum::http::Request::get(path).body(Vec::new()).expect("a path makes a request")
}

/// Ports that nobody listened on a moment ago.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::new();
    for _ in 0..N {
        listeners.push(TcpListener::bind(("127.0.0.1", 0))?);
    }
    let ports: Vec<u16> =
        listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<Result<_>>()?;
    Ok(ports.try_into().expect("as many ports as listeners"))
}
