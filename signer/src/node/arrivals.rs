//! What waits for the loop: one bounded queue for each edge, so that none can crowd out another.

use std::collections::VecDeque;

use igra_core::Input;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{policy::Rules, request::Request};

/// Most things that are taken from one queue for one commit.
const SHARE: usize = 64;

/// One thing to handle.
pub(super) enum Arrival {
    Input(Input),
    Request(Request),
    Rules(Rules),
}

/// Where the edges put things.
pub(super) struct Doors {
    pub(super) gossip: mpsc::Sender<Input>,
    pub(super) chain: mpsc::Sender<Input>,
    pub(super) outcomes: mpsc::Sender<Input>,
    pub(super) rules: mpsc::Sender<Rules>,
}

/// The loop's ends of all queues.
pub(super) struct Arrivals {
    gossip: mpsc::Receiver<Input>,
    chain: mpsc::Receiver<Input>,
    outcomes: mpsc::Receiver<Input>,
    requests: mpsc::Receiver<Request>,
    rules: mpsc::Receiver<Rules>,
}

impl Arrivals {
    pub(super) fn new(requests: mpsc::Receiver<Request>) -> (Doors, Self) {
        let (gossip_door, gossip) = mpsc::channel(1_024);
        let (chain_door, chain) = mpsc::channel(64);
        let (outcomes_door, outcomes) = mpsc::channel(64);
        let (rules_door, rules) = mpsc::channel(1);
        let doors =
            Doors { gossip: gossip_door, chain: chain_door, outcomes: outcomes_door, rules: rules_door };
        (doors, Self { gossip, chain, outcomes, requests, rules })
    }

    /// Waits until something is there or the deadline has come, and takes what is there by then: first the answers to
    /// the last effects, which are `own`, then a share of each queue.
    pub(super) async fn next(&mut self, own: &mut VecDeque<Input>, deadline: Instant) -> Vec<Arrival> {
        let mut taken: Vec<Arrival> = own.drain(..).map(Arrival::Input).collect();
        if taken.is_empty() {
            taken.extend(self.one(deadline).await);
        }
        taken.extend(share(&mut self.outcomes).map(Arrival::Input));
        taken.extend(share(&mut self.chain).map(Arrival::Input));
        taken.extend(share(&mut self.rules).map(Arrival::Rules));
        taken.extend(share(&mut self.requests).map(Arrival::Request));
        taken.extend(share(&mut self.gossip).map(Arrival::Input));
        taken
    }

    /// Questions that nobody has looked at yet.
    pub(super) fn waiting_requests(&self) -> usize {
        self.requests.len()
    }

    async fn one(&mut self, deadline: Instant) -> Option<Arrival> {
        tokio::select! {
            Some(input) = self.outcomes.recv() => Some(Arrival::Input(input)),
            Some(input) = self.chain.recv() => Some(Arrival::Input(input)),
            Some(rules) = self.rules.recv() => Some(Arrival::Rules(rules)),
            Some(request) = self.requests.recv() => Some(Arrival::Request(request)),
            Some(input) = self.gossip.recv() => Some(Arrival::Input(input)),
            () = sleep_until(deadline) => None,
        }
    }
}

fn share<T>(queue: &mut mpsc::Receiver<T>) -> impl Iterator<Item = T> {
    std::iter::from_fn(|| queue.try_recv().ok()).take(SHARE)
}
