//! `igra-devnet`: see `igra-devnet --help`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, Parser, Subcommand};
use igra_devnet::{
    Node, NodeOptions,
    bench::{self, BenchOptions},
    control::Control,
    up::{self, UpOptions},
};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// A Kaspa network for development on one machine: simnet, worthless coins, no cluster.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A Kaspa node on simnet alone, with a miner, a faucet and reorganisations on request.
    Node(NodeCommand),
    /// Three signers and a node; pays one event and shows how.
    Up(UpCommand),
    /// Measures the way from an event to its submitted transaction.
    Bench(BenchCommand),
}

#[derive(Args)]
struct NodeCommand {
    /// gRPC, for signers.
    #[arg(long, default_value = "127.0.0.1:16510")]
    rpc_listen: SocketAddr,
    /// Other nodes; a free port if not given.
    #[arg(long)]
    p2p_listen: Option<SocketAddr>,
    /// HTTP: POST /mine /fund /reorg, GET /utxos /transaction /state.
    #[arg(long)]
    control: Option<SocketAddr>,
    /// Kept when the program ends; without it the chain is forgotten.
    #[arg(long)]
    data: Option<PathBuf>,
    /// A block each so many milliseconds; 0 for blocks on request only.
    #[arg(long, default_value_t = 500)]
    block_interval_ms: u64,
}

#[derive(Args)]
struct UpCommand {
    /// Stays up after the payment and prints how to send an event.
    #[arg(long)]
    keep: bool,
    /// The igra-signer to run; else the one beside this program.
    #[arg(long)]
    signer_bin: Option<PathBuf>,
    /// Where keys, configurations, logs and data go; else a folder that is removed at the end.
    #[arg(long)]
    folder: Option<PathBuf>,
}

#[derive(Args)]
struct BenchCommand {
    /// One after another.
    #[arg(long, default_value_t = 50)]
    events: usize,
    /// Then events at these rates a second, whether or not the group keeps up; such as 1,10,100.
    #[arg(long, value_delimiter = ',')]
    load: Vec<u32>,
    /// How long each rate lasts.
    #[arg(long, default_value_t = 5)]
    load_seconds: u32,
    /// How long an event waits for others to share its transaction, in milliseconds; the policy's `batch.waitMs`.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    batch_wait: u64,
    /// The igra-signer to run; else the one beside this program.
    #[arg(long)]
    signer_bin: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("IGRA_DEVNET_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,kaspa_utils=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let outcome = match Cli::parse().command {
        Command::Node(command) => node(command).await,
        Command::Up(command) => {
            let UpCommand { keep, signer_bin, folder } = command;
            up::run(UpOptions { keep, signer_bin, folder }, stop_signal()).await
        }
        Command::Bench(command) => {
            let BenchCommand { events, load, load_seconds, batch_wait, signer_bin } = command;
            let options = BenchOptions { events, load, load_seconds, batch_wait, signer_bin };
            bench::run(options, stop_signal()).await
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn node(command: NodeCommand) -> anyhow::Result<()> {
    let stop = stop_signal();
    let block_interval =
        Some(Duration::from_millis(command.block_interval_ms)).filter(|interval| !interval.is_zero());
    let options = NodeOptions {
        rpc: Some(command.rpc_listen),
        p2p: command.p2p_listen,
        data: command.data,
        block_interval,
        ..NodeOptions::default()
    };
    let node = Arc::new(Node::start(options).await?);
    let control = match command.control {
        Some(listen) => Some(Control::serve(node.clone(), listen).await?),
        None => None,
    };
    let ready = json!({
        "ready": true,
        "rpc": node.rpc_url(),
        "control": control.as_ref().map(|control| format!("http://{}", control.address())),
        "faucet": node.state().await?.faucet,
    });
    println!("{ready}");
    stop.await;
    if let Some(control) = control {
        control.stop().await?;
    }
    let node = Arc::into_inner(node).ok_or_else(|| anyhow::anyhow!("a request still holds the node"))?;
    node.stop().await?;
    Ok(())
}

/// Resolves on SIGTERM or Ctrl-C. From the call on, not from the first wait, neither ends the program by itself: what
/// was started is always stopped.
fn stop_signal() -> impl Future<Output = ()> {
    let listen = |kind| signal(kind).expect("the runtime takes signal handlers");
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
