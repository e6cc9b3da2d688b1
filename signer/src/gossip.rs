//! How sealed messages reach the other members: a stream to each of them, and iroh-gossip beside it.
//!
//! Streams are the reliable path: one connection to each peer, opened again when it breaks. Gossip is
//! there for peers that this signer cannot reach itself; nothing hangs on it. What comes in, by either, has passed a
//! filter and arrives as [`Input::Received`]: bytes of the right size. Who sealed them and what they say is for the
//! core. [`Input::PeerUp`] and [`Input::PeerDown`] say who can be reached.

mod addresses;
mod endpoint;
mod error;
mod filter;
mod foreign;
mod link;
mod metrics;
mod presence;
#[cfg(test)]
mod tests;
mod topic;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use igra_config::{Config, HostPort};
use igra_core::{Input, To};
use igra_group::{Group, MemberIndex, TransportId};
use iroh::{Endpoint, EndpointId, address_lookup::memory::MemoryLookup, protocol::Router};
use iroh_gossip::ALPN as GOSSIP_ALPN;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};

pub use addresses::{Resolver, dns};
pub use error::GossipError;
pub use metrics::GossipMetrics;
use {
    addresses::Addresses, endpoint::Admission, filter::Filter, link::Link, metrics::Dropped, presence::Peers,
    topic::Topic,
};

/// Largest message, in bytes. A larger one would block iroh-gossip for good, so it is refused before it gets there.
pub const MAX_MESSAGE_BYTES: usize = igra_core::messages::MAX_SEALED_BYTES;

/// Messages that wait for one peer, or for gossip. More are dropped: catching up brings what they said.
const QUEUE: usize = 256;

/// How long telling the peers may take at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Who is in the group, and where.
#[derive(Clone)]
pub struct Settings {
    /// UDP; port 0 takes any.
    pub listen: SocketAddr,
    pub me: MemberIndex,
    /// The other members.
    pub peers: BTreeMap<MemberIndex, Peer>,
    pub topic: [u8; 32],
    pub resolver: Resolver,
    /// A switch for tests: iroh-gossip runs, but no message goes into it or comes out of it.
    pub drop_gossip: bool,
}

/// Another member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub transport: TransportId,
    pub addresses: Vec<HostPort>,
}

/// The running edge. Dropped, it falls silent at once; [`Gossip::shutdown`] says goodbye first.
pub struct Gossip {
    handle: GossipHandle,
    router: Router,
    tasks: JoinSet<()>,
}

/// The way out. Clones share it.
#[derive(Clone)]
pub struct GossipHandle {
    links: Arc<BTreeMap<MemberIndex, mpsc::Sender<Arc<[u8]>>>>,
    topic: mpsc::Sender<Arc<[u8]>>,
    peers: watch::Receiver<Peers>,
    metrics: GossipMetrics,
}

impl Settings {
    /// As the configuration says, with addresses from DNS.
    pub fn of(config: &Config, group: &Group, me: MemberIndex) -> Self {
        let peer = |index: MemberIndex| {
            let member = group.member(index).filter(|_| index != me)?;
            let entry = config.members.iter().find(|entry| entry.name == member.name)?;
            Some((index, Peer { transport: member.transport, addresses: entry.addresses.clone() }))
        };
        Self {
            listen: config.gossip.listen,
            me,
            peers: group.indices().filter_map(peer).collect(),
            topic: topic::id(group),
            resolver: dns(),
            drop_gossip: false,
        }
    }
}

impl Gossip {
    /// Binds the port and starts to look for the peers. `secret` is the member's transport key.
    pub async fn spawn(
        settings: Settings,
        secret: &[u8; 32],
        inputs: mpsc::Sender<Input>,
        metrics: GossipMetrics,
    ) -> Result<Self, GossipError> {
        let ids = endpoint::ids(&settings.peers)?;
        let lookup = MemoryLookup::new();
        let members: BTreeMap<EndpointId, MemberIndex> =
            ids.iter().map(|(member, id)| (*id, *member)).collect();
        let (admitted, connections) = mpsc::unbounded_channel();
        let admission =
            Admission { members: members.keys().copied().collect(), admitted, metrics: metrics.clone() };
        let endpoint = endpoint::bind(settings.listen, secret, admission, &lookup).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(foreign::count(endpoint.metrics().socket.clone(), connections, metrics.clone()));
        let (presence, peers) = presence::spawn(inputs.clone(), &mut tasks);
        let filter = Arc::new(Filter::new(inputs, metrics.clone()));

        let common = link::Common {
            me: settings.me,
            endpoint: endpoint.clone(),
            filter: filter.clone(),
            presence: presence.clone(),
        };
        let (mut links, mut accepting) = (BTreeMap::new(), BTreeMap::new());
        for (member, peer) in settings.peers {
            let id = ids[&member];
            let addresses = Addresses::new(id, peer.addresses, settings.resolver.clone(), lookup.clone());
            let (link, outgoing, accepted) = Link::new(member, addresses, common.clone());
            links.insert(member, outgoing);
            accepting.insert(id, accepted);
            tasks.spawn(link.run());
        }

        let gossip = topic::start(&endpoint);
        let router = Router::builder(endpoint)
            .accept(link::ALPN, link::Accepting::new(accepting))
            .accept(GOSSIP_ALPN, gossip.clone())
            .spawn();
        let (topic, outgoing) = mpsc::channel(QUEUE);
        let follow = Topic { gossip, id: settings.topic, members, filter, presence, peers: peers.clone() };
        tasks.spawn(follow.run(outgoing, settings.drop_gossip));
        let handle = GossipHandle { links: Arc::new(links), topic, peers, metrics };
        Ok(Self { handle, router, tasks })
    }

    /// The way out.
    pub fn handle(&self) -> GossipHandle {
        self.handle.clone()
    }

    /// Where it listens.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.endpoint().bound_sockets()
    }

    fn endpoint(&self) -> &Endpoint {
        self.router.endpoint()
    }

    /// Leaves the topic and closes the connections, so that peers know at once. Takes a few seconds at most.
    pub async fn shutdown(mut self) {
        if timeout(FAREWELL, self.router.shutdown()).await.is_err() {
            tracing::debug!("not every peer heard the goodbye");
        }
        self.tasks.shutdown().await;
    }
}

impl GossipHandle {
    /// Queues a sealed message. Never waits: with a full queue, or without a way, it is dropped and counted.
    pub fn send(&self, to: To, sealed: Vec<u8>) {
        if sealed.len() > MAX_MESSAGE_BYTES {
            tracing::error!(size_bytes = sealed.len(), "a message of our own is too large to send");
            return self.metrics.dropped(Dropped::Oversized);
        }
        let sealed: Arc<[u8]> = sealed.into();
        match to {
            To::Member(member) => {
                self.links.get(&member).into_iter().for_each(|link| self.queue(link, &sealed))
            }
            To::All => {
                self.links.values().for_each(|link| self.queue(link, &sealed));
                self.queue(&self.topic, &sealed);
            }
        }
    }

    fn queue(&self, way: &mpsc::Sender<Arc<[u8]>>, sealed: &Arc<[u8]>) {
        if way.try_send(sealed.clone()).is_err() {
            self.metrics.dropped(Dropped::QueueFull);
        }
    }

    /// The members that can be reached now, this one not among them.
    pub fn peers(&self) -> BTreeSet<MemberIndex> {
        self.peers.borrow().up()
    }
}
