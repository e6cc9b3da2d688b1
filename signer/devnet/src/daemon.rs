//! A kaspad in this process: started on a folder, spoken to by method calls, stopped in order.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use kaspa_consensus_core::config::params::{BlockrateParams, SIMNET_PARAMS};
use kaspa_core::{core::Core, signals::Shutdown};
use kaspa_rpc_core::api::rpc::RpcApi;
use kaspad_lib::{args::Args, daemon::create_core_with_runtime};
use serde_json::json;

/// Files that one node may hold open. Several nodes share one process's limit.
const OPEN_FILES: i32 = 256;

/// A folder just left by another node of this process may stay locked for a moment.
const LOCKED_FOR: Duration = Duration::from_secs(10);

/// Sompi that each block brings: 10 000 KAS, so that one block funds a whole demonstration.
const SUBSIDY: u64 = 10_000 * igra_group::SOMPI_PER_KAS;

/// How a daemon is set up.
#[derive(Clone, Debug)]
pub(crate) struct DaemonOptions {
    pub data: PathBuf,
    /// None for a node that is spoken to by method calls alone.
    pub rpc: Option<SocketAddr>,
    pub p2p: SocketAddr,
    /// In DAA score.
    pub coinbase_maturity: u64,
}

/// A running kaspad. It must be stopped with [`Daemon::stop`]; dropped, its threads go on.
pub(crate) struct Daemon {
    core: Arc<Core>,
    rpc: Arc<dyn RpcApi>,
    workers: Vec<JoinHandle<()>>,
}

impl Daemon {
    /// Starts a node on simnet. Blocks may be made at once, and no other node is looked for.
    pub(crate) async fn start(options: &DaemonOptions) -> anyhow::Result<Self> {
        let args = arguments(options)?;
        let deadline = Instant::now() + LOCKED_FOR;
        loop {
            let args = args.clone();
            // kaspad panics where it cannot open its folder; as a task of its own that is an error to look at.
            match tokio::task::spawn_blocking(move || open(&args)).await {
                Ok(daemon) => return Ok(daemon),
                Err(error) if Instant::now() > deadline => {
                    return Err(anyhow!(error)).with_context(|| {
                        format!("could not start a kaspa node in {}", options.data.display())
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// The node's interface, without a network between.
    pub(crate) fn rpc(&self) -> &Arc<dyn RpcApi> {
        &self.rpc
    }

    /// Stops the node and closes its folder.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let Self { core, rpc, workers } = self;
        drop(rpc);
        let stopping = tokio::task::spawn_blocking(move || {
            core.shutdown();
            core.join(workers);
        });
        stopping.await.context("could not stop the kaspa node")
    }
}

fn open(args: &Args) -> Daemon {
    let (core, rpc) = create_core_with_runtime(&Default::default(), args, OPEN_FILES);
    let workers = core.start();
    Daemon { core, rpc, workers }
}

fn arguments(options: &DaemonOptions) -> anyhow::Result<Args> {
    std::fs::create_dir_all(&options.data)
        .with_context(|| format!("could not make {}", options.data.display()))?;
    Ok(Args {
        simnet: true,
        appdir: Some(text(&options.data)?.to_owned()),
        no_log_files: true,
        rpclisten: options.rpc.map(|address| address.to_string().parse()).transpose()?,
        disable_grpc: options.rpc.is_none(),
        listen: Some(options.p2p.to_string().parse()?),
        unsafe_rpc: true,
        utxoindex: true,
        enable_unsynced_mining: true,
        // A template must hold what was submitted a moment before.
        block_template_cache_lifetime: Some(1),
        outbound_target: 0,
        disable_upnp: true,
        disable_dns_seeding: true,
        yes: true,
        ram_scale: 0.1,
        async_threads: 2,
        override_params_file: Some(text(&write_parameters(options)?)?.to_owned()),
        ..Args::default()
    })
}

/// Simnet but for two things: coins of the miner can be spent soon, and there are plenty of them.
fn write_parameters(options: &DaemonOptions) -> anyhow::Result<PathBuf> {
    let blockrate =
        BlockrateParams { coinbase_maturity: options.coinbase_maturity, ..SIMNET_PARAMS.blockrate.clone() };
    let parameters = json!({ "blockrate": blockrate, "pre_deflationary_phase_base_subsidy": SUBSIDY });
    let file = options.data.join("parameters.json");
    std::fs::write(&file, parameters.to_string())
        .with_context(|| format!("could not write {}", file.display()))?;
    Ok(file)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    let Some(text) = path.to_str().filter(|text| !text.contains('~')) else {
        bail!("kaspad takes no folder such as {}", path.display());
    };
    Ok(text)
}
