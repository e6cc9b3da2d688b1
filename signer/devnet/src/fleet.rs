//! A group of signer processes on this machine: keys, configurations and ports for each, started and stopped singly.

use std::{
    collections::BTreeMap,
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    num::NonZero,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use igra_config::{
    ApiSource, Config, DestinationRule, GroupConfig, LogConfig, LogFormat, MemberConfig, PolicyFile,
    PredecessorConfig, SourceRule, TimingConfig,
};
use igra_group::{Depths, Group, Network};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{ApiClient, ports::free_port};

/// The names of members, in the order they are made.
const NAMES: [&str; 15] = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "omicron",
];

/// Requests per second that a signer of a fleet takes from one client: more than a test sends.
const RATE: NonZero<u32> = NonZero::new(10_000).expect("10 000 is not 0");

/// How long a signer may take to end after SIGTERM.
const ENDS_WITHIN: Duration = Duration::from_secs(25);

/// What a fleet is made of.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    pub threshold: u8,
    pub members: u8,
    /// None: the default of the group.
    pub quorum: Option<u8>,
    /// `grpc://host:port`.
    pub kaspa_node: String,
    /// Members that look at another node: name and URL.
    pub own_nodes: BTreeMap<String, String>,
    /// Addresses that may be paid.
    pub allow: Vec<String>,
    /// What the policy says besides destinations and sources.
    pub policy: PolicyFile,
    /// None: a folder that is removed with the fleet.
    pub folder: Option<PathBuf>,
    pub signer_bin: PathBuf,
    /// Variables of the environment for every signer.
    pub environment: Vec<(String, String)>,
    pub timing: TimingConfig,
    /// As in `log.level` of the configuration.
    pub log_level: String,
    /// The group whose coins move to this one.
    pub predecessor: Option<PredecessorConfig>,
}

/// A group and its running signers.
pub struct Fleet {
    pub group: Group,
    pub signers: Vec<Signer>,
    folder: Folder,
}

/// One signer: its files, its ports, and its process while it runs.
pub struct Signer {
    pub name: String,
    pub api: ApiClient,
    pub config_file: PathBuf,
    /// What it remembers; nobody else's while it runs.
    pub data_dir: PathBuf,
    /// What it writes to standard output and standard error.
    pub log_file: PathBuf,
    signer_bin: PathBuf,
    environment: Vec<(String, String)>,
    process: Option<Child>,
}

enum Folder {
    Kept(PathBuf),
    Passing(TempDir),
}

impl Fleet {
    /// The source of every fleet's policy; whoever reaches a signer's API may ask for payments.
    pub const SOURCE: &str = "devnet";

    /// Makes keys and configurations and starts all signers. They may still be looking for each other.
    pub async fn start(options: FleetOptions) -> anyhow::Result<Self> {
        let folder = match &options.folder {
            Some(folder) => Folder::Kept(folder.clone()),
            None => Folder::Passing(tempfile::tempdir()?),
        };
        let mut members = Vec::new();
        for name in NAMES.iter().take(usize::from(options.members)) {
            members.push(keygen(&options.signer_bin, name, &folder.path().join(name)).await?);
        }
        let shared = group_config(&options, members)?;
        let group = shared.group()?;
        let mut signers = Vec::new();
        for member in &shared.members {
            let config = config_for(&shared, member, &options, &folder.path().join(&member.name))?;
            signers.push(Signer::prepare(config, &options, &folder.path().join(&member.name))?);
        }
        for signer in &mut signers {
            signer.start()?;
        }
        Ok(Self { group, signers, folder })
    }

    /// Where to pay the group.
    pub fn address(&self) -> String {
        self.group.wallet().address().to_string()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until every running signer says that it is ready.
    pub async fn await_ready(&self, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        for signer in self.signers.iter().filter(|signer| signer.process.is_some()) {
            while !signer.api.is_ready().await {
                if Instant::now() > deadline {
                    let health = signer.api.health().await.map(|answer| answer.body.to_string());
                    bail!(
                        "{} is not ready: {}",
                        signer.name,
                        health.unwrap_or_else(|error| format!("{error:#}"))
                    );
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Waits until every running signer sees so many coins of the group.
    ///
    /// A group is given its first coins only once its members are ready: a signer that begins with an empty store while
    /// its node shows coins of the group must think that it has forgotten what it promised.
    pub async fn await_coins(&self, coins: usize, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        for signer in self.signers.iter().filter(|signer| signer.process.is_some()) {
            loop {
                let seen = signer.api.group().await.ok().and_then(|group| group.body["coins"].as_u64());
                if seen.is_some_and(|seen| seen >= coins as u64) {
                    break;
                }
                if Instant::now() > deadline {
                    bail!("{} sees {} of {coins} coins of the group", signer.name, seen.unwrap_or(0));
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Gives all signers another policy, which they take within seconds. The addresses that may be paid and the source
    /// stay.
    pub fn change_policy(&self, change: impl Fn(&mut PolicyFile)) -> anyhow::Result<()> {
        for signer in &self.signers {
            let file = signer.config_file.with_file_name("policy.yaml");
            let mut policy = PolicyFile::load(&file)?;
            change(&mut policy);
            std::fs::write(&file, policy.to_yaml())
                .with_context(|| format!("could not write {}", file.display()))?;
        }
        Ok(())
    }

    /// Stops all signers in order.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        for signer in &self.signers {
            signer.signal(Signal::SIGTERM)?;
        }
        for signer in &mut self.signers {
            signer.ended(ENDS_WITHIN).await?;
        }
        Ok(())
    }
}

impl Signer {
    fn prepare(config: Config, options: &FleetOptions, folder: &Path) -> anyhow::Result<Self> {
        let config_file = folder.join("config.yaml");
        std::fs::write(&config_file, config.to_yaml())
            .with_context(|| format!("could not write {}", config_file.display()))?;
        std::fs::write(folder.join("policy.yaml"), policy(options).to_yaml())?;
        Ok(Self {
            name: config.member.clone(),
            api: ApiClient::new(config.api.listen, config.admin.listen),
            config_file,
            data_dir: config.data_dir.clone(),
            log_file: folder.join("signer.log"),
            signer_bin: options.signer_bin.clone(),
            environment: options.environment.clone(),
            process: None,
        })
    }

    /// Starts the process; it adds to its log file.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log_file)?;
        let process = Command::new(&self.signer_bin)
            .arg("run")
            .arg("--config")
            .arg(&self.config_file)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C on a terminal is for us, who then stop the signers in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {}", self.signer_bin.display()))?;
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL: no goodbye, no flush.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.ended(ENDS_WITHIN).await?;
        Ok(())
    }

    /// SIGTERM, and its end.
    pub async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.ended(ENDS_WITHIN).await?.with_context(|| format!("{} was not running", self.name))
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// Resident memory in KiB, where the kernel tells.
    pub fn memory_kib(&self) -> Option<u64> {
        let id = self.process.as_ref()?.id()?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let Some(id) = self.process.as_ref().and_then(Child::id) else {
            return Ok(());
        };
        kill(Pid::from_raw(i32::try_from(id)?), signal)
            .with_context(|| format!("could not signal {}", self.name))
    }

    async fn ended(&mut self, within: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let Some(mut process) = self.process.take() else {
            return Ok(None);
        };
        match timeout(within, process.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => {
                process.kill().await?;
                bail!("{} did not end within {} s and was killed", self.name, within.as_secs());
            }
        }
    }
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing(folder) => folder.path(),
        }
    }
}

/// The igra-signer to run: the given one, or the one beside the running program (tests run one folder deeper).
pub fn signer_binary(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given);
    }
    let own = std::env::current_exe().context("could not find this program's folder")?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("igra-signer"));
    beside
        .into_iter()
        .find(|file| file.is_file())
        .context("no igra-signer beside this program; name one with --signer-bin")
}

/// Makes a member's keys with the signer's own command, which prints the member's entry for the group.
async fn keygen(signer_bin: &Path, name: &str, folder: &Path) -> anyhow::Result<MemberConfig> {
    let mut command = Command::new(signer_bin);
    command.args(["keygen", "--member", name, "--output", "json", "--out"]).arg(folder.join("keys"));
    let output = command.output().await.with_context(|| format!("could not run {}", signer_bin.display()))?;
    if !output.status.success() {
        bail!("igra-signer keygen failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("could not read what igra-signer keygen printed")
}

fn group_config(options: &FleetOptions, members: Vec<MemberConfig>) -> anyhow::Result<GroupConfig> {
    let depths = Depths { coin: 1, deposit: 1, settled: 10, final_: 30 };
    let mut builder = GroupConfig::builder(Network::Simnet, options.threshold).depths(depths);
    if let Some(quorum) = options.quorum {
        builder = builder.quorum(quorum);
    }
    if let Some(predecessor) = &options.predecessor {
        builder = builder.after(predecessor.clone());
    }
    for member in members {
        let gossip = format!("127.0.0.1:{}", free_port()?.port()).parse()?;
        builder = builder.member(member.name, member.public_key, member.transport_id, [gossip]);
    }
    Ok(builder.build()?)
}

fn config_for(
    shared: &GroupConfig,
    member: &MemberConfig,
    options: &FleetOptions,
    folder: &Path,
) -> anyhow::Result<Config> {
    let node = options.own_nodes.get(&member.name).unwrap_or(&options.kaspa_node);
    let mut config = shared.config(&member.name, folder.join("data"), folder.join("keys"), node);
    let gossip = member.addresses.first().context("every member of a fleet has an address")?;
    config.gossip.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, gossip.port()));
    config.api.listen = free_port()?;
    config.api.rate_limit_per_second = RATE;
    config.api.rate_limit_burst = RATE;
    config.admin.listen = free_port()?;
    config.policy_file = folder.join("policy.yaml");
    config.timing = options.timing.clone();
    config.log = LogConfig { format: LogFormat::Text, level: options.log_level.clone() };
    Ok(config)
}

fn policy(options: &FleetOptions) -> PolicyFile {
    let api = ApiSource { trust_ingress: true, ..ApiSource::default() };
    let deadline_seconds = igra_config::defaults::DEADLINE_SECONDS;
    PolicyFile {
        destinations: DestinationRule { allow: options.allow.clone() },
        sources: vec![SourceRule { name: Fleet::SOURCE.to_owned(), deadline_seconds, api }],
        ..options.policy.clone()
    }
}
