//! iroh-gossip: a topic for the group, joined again whenever a neighbour is lost. It loses messages, forgets equal bytes
//! and may stop for good, so every wait on it has an end and nothing depends on it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use igra_group::{Group, MemberIndex, tagged_hash};
use iroh::{Endpoint, EndpointId};
use iroh_gossip::{
    TopicId,
    api::{ApiError, Event, GossipSender},
    net::Gossip,
};
use tokio::{
    sync::{mpsc, watch},
    time::{interval, sleep, timeout},
};

use super::{
    filter::Filter,
    metrics::Dropped,
    presence::{Change, Peers},
};

const TOPIC_TAG: &str = "igra.dev 2026 gossip topic v1";

/// One value for the whole fleet. What we send stays well below it, as a larger message would stop the sender.
const MAX_GOSSIP_BYTES: usize = 64 << 10;

const PATIENCE: Duration = Duration::from_secs(1);
const REJOIN: Duration = Duration::from_secs(10);
const START_AGAIN: Duration = Duration::from_secs(5);

/// The task that follows the topic.
pub(super) struct Topic {
    pub(super) gossip: Gossip,
    pub(super) id: [u8; 32],
    pub(super) members: BTreeMap<EndpointId, MemberIndex>,
    pub(super) filter: Arc<Filter>,
    pub(super) presence: mpsc::Sender<Change>,
    pub(super) peers: watch::Receiver<Peers>,
}

/// The topic of a group.
pub(super) fn id(group: &Group) -> [u8; 32] {
    let mut bytes = group.network().as_str().as_bytes().to_vec();
    bytes.push(0);
    bytes.extend(group.id().as_bytes());
    tagged_hash(TOPIC_TAG, &bytes)
}

/// Starts iroh-gossip on the endpoint.
pub(super) fn start(endpoint: &Endpoint) -> Gossip {
    Gossip::builder().max_message_size(MAX_GOSSIP_BYTES).spawn(endpoint.clone())
}

impl Topic {
    /// Runs until the task is aborted. With `silent`, no message goes in or out.
    pub(super) async fn run(mut self, mut outgoing: mpsc::Receiver<Arc<[u8]>>, silent: bool) {
        loop {
            if let Err(error) = self.follow(&mut outgoing, silent).await {
                tracing::warn!(%error, "gossip stopped; streams go on, and it is started again");
            }
            for member in self.members.values() {
                self.tell(Change::Neighbour(*member, false)).await;
            }
            sleep(START_AGAIN).await;
        }
    }

    async fn follow(
        &mut self,
        outgoing: &mut mpsc::Receiver<Arc<[u8]>>,
        silent: bool,
    ) -> Result<(), ApiError> {
        let (sender, mut events) =
            self.gossip.subscribe(TopicId::from_bytes(self.id), Vec::new()).await?.split();
        let mut rejoin = interval(REJOIN);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.take(event?, silent).await,
                    None => return Ok(()),
                },
                Some(message) = outgoing.recv() => {
                    if !silent {
                        self.broadcast(&sender, &message).await;
                    }
                }
                _ = rejoin.tick() => self.join_missing(&sender).await,
                Ok(()) = self.peers.changed() => self.join_missing(&sender).await,
            }
        }
    }

    async fn take(&self, event: Event, silent: bool) {
        match event {
            Event::Received(message) => {
                let from = self.members.get(&message.delivered_from);
                if let Some(from) = from.filter(|_| !silent) {
                    self.filter.gossip(*from, message.content.to_vec());
                }
            }
            Event::NeighborUp(id) => self.neighbour(id, true).await,
            Event::NeighborDown(id) => self.neighbour(id, false).await,
            Event::Lagged => self.filter.metrics.dropped(Dropped::Lagged),
        }
    }

    async fn neighbour(&self, id: EndpointId, now: bool) {
        if let Some(member) = self.members.get(&id) {
            self.tell(Change::Neighbour(*member, now)).await;
        }
    }

    async fn tell(&self, change: Change) {
        // Nobody listens once the signer stops.
        let _ = self.presence.send(change).await;
    }

    async fn broadcast(&self, sender: &GossipSender, message: &[u8]) {
        let sent = timeout(PATIENCE, sender.broadcast(message.to_vec().into())).await;
        if !matches!(sent, Ok(Ok(()))) {
            self.filter.metrics.dropped(Dropped::Unsent);
        }
    }

    /// Asks those whom the links reach and who are no neighbours: their addresses are known to be good.
    async fn join_missing(&mut self, sender: &GossipSender) {
        let peers = self.peers.borrow_and_update().clone();
        let missing =
            |member: &MemberIndex| peers.connected.contains(member) && !peers.neighbours.contains(member);
        let ids: Vec<_> =
            self.members.iter().filter(|(_, member)| missing(member)).map(|(id, _)| *id).collect();
        if !ids.is_empty() && timeout(PATIENCE, sender.join_peers(ids)).await.is_err() {
            tracing::debug!("gossip does not take the request to join");
        }
    }
}
