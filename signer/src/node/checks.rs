//! The three checks of `/health`.

use std::time::Duration;

use futures::join;
use igra_group::Group;
use tokio::time::timeout;

use super::{Check, CheckStatus, error::in_one_line};
use crate::{chain::HealthReader, gossip::GossipHandle, store::Store};

/// A check that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(2);

/// A node that was last heard of so long ago counts as silent.
const NODE_SILENT_AFTER: Duration = Duration::from_secs(15);

/// What the checks look at.
#[derive(Clone)]
pub(super) struct Checks {
    pub(super) group: Group,
    pub(super) store: Store,
    pub(super) chain: HealthReader,
    pub(super) gossip: GossipHandle,
}

impl Checks {
    pub(super) async fn run(self) -> Vec<Check> {
        let storage = Check::timed("storage", self.storage());
        let node = Check::timed("kaspa-node", async { self.kaspa_node() });
        let gossip = Check::timed("gossip", async { self.gossip() });
        let (storage, node, gossip) = join!(storage, node, gossip);
        vec![storage, node, gossip]
    }

    async fn storage(&self) -> (CheckStatus, String) {
        match timeout(PATIENCE, self.store.check()).await {
            Ok(Ok(())) => (CheckStatus::Pass, format!("{} bytes", self.store.size_bytes())),
            Ok(Err(error)) => (CheckStatus::Fail, in_one_line(&error)),
            Err(_) => (CheckStatus::Fail, format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    fn kaspa_node(&self) -> (CheckStatus, String) {
        let health = self.chain.get();
        let status = match health.is_ready() && health.seen.elapsed() < NODE_SILENT_AFTER {
            true => CheckStatus::Pass,
            false => CheckStatus::Fail,
        };
        (status, health.message())
    }

    /// Enough peers for the quorum pass; not all of them is a warning.
    fn gossip(&self) -> (CheckStatus, String) {
        let (up, others) = (self.gossip.peers().len(), self.group.members().len() - 1);
        let needed = usize::from(self.group.quorum().get()) - 1;
        let status = match (up >= others, up >= needed) {
            (true, _) => CheckStatus::Pass,
            (false, true) => CheckStatus::Warn,
            (false, false) => CheckStatus::Fail,
        };
        (status, format!("{up} of {others} peers can be reached, {needed} are needed"))
    }
}
