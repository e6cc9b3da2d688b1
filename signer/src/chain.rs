//! The Kaspa node edge: it follows the own node's virtual chain, reads the group's coins, and submits.
//!
//! ```ignore
//! let metrics = ChainMetrics::register(&registry)?;
//! let chain = Chain::spawn(&config.kaspa_node.endpoints, &group, beginning, inputs, metrics);
//! let outcome = chain.submitter().submit(&transaction).await;
//! ```
//! Everything it learns arrives at the loop as [`Input::Chain`], [`Input::Wallet`] and [`Input::NodeDown`]. A round that
//! fails is tried again after 100 ms to 5 s; the loop hears of it once.

mod accepted;
mod breaker;
mod concern;
mod error;
mod metrics;
mod rpc;
mod submit;
mod wallet;
mod watch;
mod watched;

use igra_core::{BlockId, Input};
use igra_group::Group;
use tokio::{
    sync::{mpsc, watch as latest},
    task::JoinSet,
};

pub use breaker::{Breaker, BreakerSettings, BreakerState, Permit};
pub use error::{NodeError, Refusal};
pub use metrics::{ChainMetrics, HealthReader, NodeHealth};
pub use rpc::Node;
pub use submit::{Submission, Submitter};
pub use watched::WatchedCoins;

use metrics::HealthWriter;
use watch::Watch;

/// Where the edge begins, and what it looks for.
pub struct Beginning {
    /// The last block of the virtual chain that the store knows; none for a signer that never ran.
    pub cursor: Option<BlockId>,
    /// Strangers' coins of whose spending the core is to be told.
    pub watched: latest::Receiver<WatchedCoins>,
}

impl Beginning {
    /// With no coins but the group's to look for.
    pub fn at(cursor: Option<BlockId>) -> Self {
        Self { cursor, watched: latest::channel(WatchedCoins::default()).1 }
    }
}

/// A running chain edge. Dropping it ends its task; [`Chain::shutdown`] also closes its connections.
pub struct Chain {
    node: Node,
    health: HealthReader,
    /// One task.
    watch: JoinSet<()>,
}

impl Chain {
    /// Starts to watch the nodes at `endpoints` (`grpc://host:port`) for a group. Inputs wait where the loop is busy.
    pub fn spawn(
        endpoints: &[String],
        group: &Group,
        beginning: Beginning,
        inputs: mpsc::Sender<Input>,
        metrics: ChainMetrics,
    ) -> Self {
        Self::spawn_with(BreakerSettings::default(), endpoints, group, beginning, inputs, metrics)
    }

    /// As [`Chain::spawn`], with other breakers.
    pub fn spawn_with(
        breaker: BreakerSettings,
        endpoints: &[String],
        group: &Group,
        beginning: Beginning,
        inputs: mpsc::Sender<Input>,
        metrics: ChainMetrics,
    ) -> Self {
        let node = Node::new(endpoints, breaker, metrics.clone());
        let (writer, health) = HealthWriter::new(metrics);
        let mut watch = JoinSet::new();
        watch.spawn(Watch::new(node.clone(), group, beginning, inputs, writer).run());
        Self { node, health, watch }
    }

    /// For effects: submits without holding up the loop.
    pub fn submitter(&self) -> Submitter {
        Submitter::new(self.node.clone())
    }

    /// How the node was when last asked, which is several times a second while it answers.
    pub fn health(&self) -> HealthReader {
        self.health.clone()
    }

    /// Waits until the watch ends, which it does by itself only by a fault or when nobody takes its inputs.
    pub async fn ended(&mut self) {
        // A panic has been printed where it happened; that the watch is gone is all there is to know here.
        let _ = self.watch.join_next().await;
    }

    /// Stops watching and closes the connections.
    pub async fn shutdown(mut self) {
        self.watch.shutdown().await;
        self.node.close().await;
    }
}
