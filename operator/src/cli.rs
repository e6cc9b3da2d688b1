//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use kube::{Client, Config};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Options, crd_files, plan, run};

/// Looks after SignerGroups: Kaspa threshold-signing fleets on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "igra-operator", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs in a cluster, or against the one of the current kubeconfig.
    Run {
        /// Image of the signers of groups that name none.
        #[arg(long)]
        signer_image: String,
        /// Where to serve /livez, /readyz and /metrics.
        #[arg(long, default_value = "0.0.0.0:8081")]
        admin: SocketAddr,
        #[arg(long, value_enum, default_value = "json")]
        log_format: LogFormat,
        /// A level, or a filter such as info,igra_operator=debug.
        #[arg(long, default_value = "info")]
        log_level: String,
    },
    /// Prints the custom resource definitions, or writes them.
    Crds {
        /// Folder for a file each.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Folder of the chart igra-operator, whose templates/crds gets a file each.
        #[arg(long)]
        chart: Option<PathBuf>,
    },
    /// Says what would be made of a file with a SignerGroup and its GroupPolicy, without a cluster.
    Plan {
        file: PathBuf,
        /// Image of the signers of groups that name none.
        #[arg(long, default_value = "igra-signer")]
        signer_image: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Json,
    Text,
}

impl Cli {
    /// Does what the command line says.
    pub fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run { signer_image, admin, log_format, log_level } => {
                start_log(log_format, &log_level)?;
                // Few threads: the work is waiting for the API server.
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                runtime.block_on(run_until_signal(Options { signer_image, admin: Some(admin) }))
            }
            Command::Crds { out, chart } => crd_files::write(out.as_deref(), chart.as_deref()),
            Command::Plan { file, signer_image } => {
                let text = std::fs::read_to_string(&file)
                    .with_context(|| format!("could not read {}", file.display()))?;
                print!("{}", plan::plan(&text, &signer_image)?);
                Ok(())
            }
        }
    }
}

fn start_log(format: LogFormat, level: &str) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(level).context("could not read --log-level")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    match format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.init(),
    }
    Ok(())
}

async fn run_until_signal(options: Options) -> anyhow::Result<()> {
    let mut config = Config::infer().await.context("could not find a cluster to work with")?;
    // Our own back-off by class of error is the only one.
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(10));
    let client = Client::try_from(config).context("could not make a client")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    };
    run(client, options, stop).await
}
