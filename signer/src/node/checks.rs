//! The checks of `/health`.

use std::{sync::Arc, time::Duration};

use futures::join;
use igra_group::Group;
use tokio::{
    sync::Mutex,
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::{Check, CheckStatus, error::in_one_line, reread::Flag, standing::Standing};
use crate::{
    chain::HealthReader,
    gossip::GossipHandle,
    store::{Store, StoreError},
};

/// A check that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(2);

/// A node that was last heard of so long ago counts as silent.
const NODE_SILENT_AFTER: Duration = Duration::from_secs(15);

/// For so long one look at the disk answers everybody who asks.
const SHARED_FOR: Duration = Duration::from_secs(1);

type Verdict = (CheckStatus, String);

/// What the checks look at.
#[derive(Clone)]
pub(super) struct Checks {
    group: Group,
    storage: Arc<Mutex<Storage>>,
    chain: HealthReader,
    gossip: GossipHandle,
    pub(super) standing: Standing,
    /// A new policy is refused, and an old one is in force.
    pub(super) policy: Flag,
    /// The same for tokens.
    pub(super) tokens: Flag,
}

impl Checks {
    pub(super) fn new(group: &Group, store: &Store, chain: HealthReader, gossip: GossipHandle) -> Self {
        let storage = Arc::new(Mutex::new(Storage { store: store.clone(), last: None, running: None }));
        let (standing, policy, tokens) = Default::default();
        Self { group: group.clone(), storage, chain, gossip, standing, policy, tokens }
    }

    pub(super) async fn run(self) -> Vec<Check> {
        let storage = Check::timed("storage", async { self.storage.lock().await.check().await });
        let node = Check::timed("kaspa-node", async { self.kaspa_node() });
        let gossip = Check::timed("gossip", async { self.gossip() });
        let alarm = Check::timed("alarm", async { self.alarm() });
        let quarantine = Check::timed("quarantine", async { self.quarantine() });
        let predecessor = Check::timed("predecessor", async { self.predecessor() });
        let policy = Check::timed("policy", async { in_force(&self.policy) });
        let tokens = Check::timed("tokens", async { in_force(&self.tokens) });
        let (storage, node, gossip, alarm, quarantine, predecessor, policy, tokens) =
            join!(storage, node, gossip, alarm, quarantine, predecessor, policy, tokens);
        vec![storage, node, gossip, alarm, quarantine, predecessor, policy, tokens]
    }

    fn alarm(&self) -> Verdict {
        match self.standing.halt() {
            Some(halt) => (CheckStatus::Fail, halt),
            None => (CheckStatus::Pass, "no alarm has halted the signer".to_owned()),
        }
    }

    fn quarantine(&self) -> Verdict {
        match self.standing.quarantine() {
            Some(quarantine) => (CheckStatus::Fail, quarantine),
            None => (CheckStatus::Pass, "nothing says that the store has forgotten a promise".to_owned()),
        }
    }

    /// To wait for the old group's coins is no fault; no restart and no other node would end it.
    fn predecessor(&self) -> Verdict {
        match self.standing.predecessor() {
            Some(predecessor) => (CheckStatus::Warn, predecessor),
            None => (CheckStatus::Pass, "waits for no other group's coins".to_owned()),
        }
    }

    fn kaspa_node(&self) -> Verdict {
        let health = self.chain.get();
        let status = match health.is_ready() && health.seen.elapsed() < NODE_SILENT_AFTER {
            true => CheckStatus::Pass,
            false => CheckStatus::Fail,
        };
        (status, health.message())
    }

    /// Enough peers for the quorum pass; not all of them is a warning.
    fn gossip(&self) -> Verdict {
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

fn in_force(refused: &Flag) -> Verdict {
    match refused.get() {
        true => (CheckStatus::Warn, "the new file is refused, and the last good one is in force".to_owned()),
        false => (CheckStatus::Pass, "as in the file".to_owned()),
    }
}

/// Looks at the disk, once at a time: probes must not pile up writes on a disk that hangs.
struct Storage {
    store: Store,
    last: Option<(Instant, Verdict)>,
    running: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Storage {
    async fn check(&mut self) -> Verdict {
        if let Some((at, verdict)) = &self.last
            && at.elapsed() < SHARED_FOR
        {
            return verdict.clone();
        }
        let verdict = self.look().await;
        self.last = Some((Instant::now(), verdict.clone()));
        verdict
    }

    /// Waits for the look that is under way, or for a new one.
    async fn look(&mut self) -> Verdict {
        let store = self.store.clone();
        let running = self.running.get_or_insert_with(|| tokio::spawn(async move { store.check().await }));
        let Ok(ended) = timeout(PATIENCE, running).await else {
            return (CheckStatus::Fail, format!("no answer within {} s", PATIENCE.as_secs()));
        };
        self.running = None;
        match ended.unwrap_or(Err(StoreError::Interrupted)) {
            Ok(()) => (CheckStatus::Pass, format!("{} bytes", self.store.size_bytes())),
            Err(error) => (CheckStatus::Fail, in_one_line(&error)),
        }
    }
}
