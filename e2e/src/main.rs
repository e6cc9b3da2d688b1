//! `igra-e2e demo` and `igra-e2e test`, started by `cargo xtask`.

use anyhow::Result;
use clap::Parser;
use igra_e2e::{demo, environment::Environment, scenarios};

/// Stories on a real cluster and a real Kaspa node. Started by `cargo xtask demo` and `cargo xtask test`.
#[derive(Parser)]
#[command(name = "igra-e2e", version)]
enum Command {
    /// A group comes up and pays an event; each step is shown.
    Demo {
        /// Leave everything running until Ctrl-C.
        #[arg(long)]
        keep: bool,
        /// Take everything away from the cluster at the end, for one that stays.
        #[arg(long, conflicts_with = "keep")]
        clean_up: bool,
    },
    /// All end-to-end scenarios, one after the other.
    Test {
        /// Only the scenarios whose name holds this text.
        #[arg(long)]
        only: Option<String>,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let command = Command::parse();
    let environment = Environment::read()?;
    // Every TLS client in this program, kube's and reqwest's, takes this one. An error says that it is set already.
    let _set_already = rustls::crypto::ring::default_provider().install_default();
    match command {
        Command::Demo { keep, clean_up } => demo::play(environment, keep, clean_up).await,
        Command::Test { only } => scenarios::test(environment, only.as_deref()).await,
    }
}
