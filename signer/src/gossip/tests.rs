//! Real endpoints on loopback.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use igra_group::Digest;

use super::{metrics::Path, *};

const PATIENCE: Duration = Duration::from_secs(30);

/// Where the test's members are, by the host name that the resolver is asked for.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<BTreeMap<String, SocketAddr>>>);

impl Places {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resolver(&self) -> Resolver {
        let places = self.clone();
        Arc::new(move |name| {
            let found = places.lock().get(name.host()).copied().into_iter().collect();
            Box::pin(async move { Ok(found) })
        })
    }
}

/// A resolver that knows nobody: who has it can only be found, and finds nobody.
fn knows_nobody() -> Resolver {
    Arc::new(|_| Box::pin(async { Err(io::Error::other("no such name")) }))
}

struct Node {
    gossip: Gossip,
    inputs: mpsc::Receiver<Input>,
    metrics: GossipMetrics,
}

fn secret(member: u8) -> [u8; 32] {
    [member + 1; 32]
}

fn transport(member: u8) -> TransportId {
    TransportId(Digest(*iroh::SecretKey::from_bytes(&secret(member)).public().as_bytes()))
}

/// What member `me` of a group of `count` knows of the others.
fn settings(me: u8, count: u8, resolver: Resolver) -> Settings {
    let peer = |member: u8| Peer {
        transport: transport(member),
        addresses: vec![format!("member-{member}:1").parse().unwrap()],
    };
    Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        me: MemberIndex(me),
        peers: (0..count)
            .filter(|member| *member != me)
            .map(|member| (MemberIndex(member), peer(member)))
            .collect(),
        topic: [9; 32],
        resolver,
        drop_gossip: false,
    }
}

async fn start(me: u8, settings: Settings, places: &Places) -> Node {
    let (sender, inputs) = mpsc::channel(1_024);
    let metrics = GossipMetrics::default();
    let gossip = Gossip::spawn(settings, &secret(me), sender, metrics.clone()).await.unwrap();
    places.lock().insert(format!("member-{me}"), gossip.local_addresses()[0]);
    Node { gossip, inputs, metrics }
}

async fn group(count: u8, drop_gossip: bool) -> (Vec<Node>, Places) {
    let places = Places::default();
    let mut nodes = Vec::new();
    for me in 0..count {
        let settings = Settings { drop_gossip, ..settings(me, count, places.resolver()) };
        nodes.push(start(me, settings, &places).await);
    }
    (nodes, places)
}

impl Node {
    /// What came in before it.
    async fn wait_for(&mut self, wanted: Input) -> Vec<Input> {
        let mut before = Vec::new();
        let arrived = async {
            loop {
                match self.inputs.recv().await.expect("the edge runs") {
                    input if input == wanted => break,
                    input => before.push(input),
                }
            }
        };
        timeout(PATIENCE, arrived).await.unwrap_or_else(|_| panic!("no {wanted:?}"));
        before
    }

    async fn hears(&mut self, message: &[u8]) -> Vec<Input> {
        self.wait_for(Input::Received(message.to_vec())).await
    }

    fn send(&self, to: To, message: &[u8]) {
        self.gossip.handle().send(to, message.to_vec());
    }
}

async fn stop(nodes: Vec<Node>) {
    for node in nodes {
        node.gossip.shutdown().await;
    }
}

#[tokio::test]
async fn each_of_three_hears_each_other() {
    let (mut nodes, _places) = group(3, false).await;
    for from in 0..3 {
        let message = format!("from {from}").into_bytes();
        nodes[from].send(To::All, &message);
        for to in (0..3).filter(|to| *to != from) {
            nodes[to].hears(&message).await;
        }
    }
    stop(nodes).await;
}

#[tokio::test]
async fn a_message_to_one_is_heard_by_that_one_alone() {
    let (mut nodes, _places) = group(3, false).await;
    nodes[0].send(To::Member(MemberIndex(1)), b"for one");
    nodes[1].hears(b"for one").await;
    nodes[0].send(To::All, b"for all");
    let heard = nodes[2].hears(b"for all").await;
    assert!(!heard.contains(&Input::Received(b"for one".to_vec())), "{heard:?}");
    stop(nodes).await;
}

#[tokio::test]
async fn messages_travel_by_gossip_too() {
    let (mut nodes, _places) = group(3, false).await;
    let travelled = async {
        for number in 0u32.. {
            nodes[0].send(To::All, &number.to_be_bytes());
            nodes[1].hears(&number.to_be_bytes()).await;
            if nodes[1].metrics.count(Path::Gossip) > 0 {
                break;
            }
        }
    };
    timeout(PATIENCE, travelled).await.unwrap();
    stop(nodes).await;
}

#[tokio::test]
async fn without_gossip_streams_deliver() {
    let (mut nodes, _places) = group(3, true).await;
    for round in 0u32..20 {
        nodes[0].send(To::All, &round.to_be_bytes());
        for node in &mut nodes[1..] {
            node.hears(&round.to_be_bytes()).await;
        }
    }
    assert!(nodes[1..].iter().all(|node| node.metrics.count(Path::Gossip) == 0));
    stop(nodes).await;
}

#[tokio::test]
async fn a_stranger_is_refused() {
    let (mut nodes, places) = group(2, false).await;
    // It believes to be of the group; the others do not know it.
    let stranger = start(7, settings(7, 2, places.resolver()), &places).await;
    stranger.send(To::All, b"let me in");

    let refused = async {
        while nodes.iter().all(|node| node.metrics.drops(Dropped::Stranger) == 0) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("a refusal is counted");

    nodes[0].send(To::All, b"among us");
    nodes[1].hears(b"among us").await;
    assert_eq!(nodes[1].metrics.count(Path::Stream), 1);
    nodes.push(stranger);
    stop(nodes).await;
}

#[tokio::test]
async fn bytes_that_are_no_quic_are_counted_and_move_nothing() {
    let (mut nodes, _places) = group(2, false).await;
    nodes[0].send(To::All, b"before");
    nodes[1].hears(b"before").await;
    let socket = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let port = nodes[1].gossip.local_addresses()[0];
    // The first bits of the first byte say what a datagram is: long header, short header, nothing at all.
    for first in (0..=u8::MAX).step_by(4) {
        let garbage = vec![first; 1_200 - usize::from(first) * 4];
        socket.send_to(&garbage, port).await.unwrap();
        // The kernel's buffer holds some hundred, and what it drops nobody counts.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    let counted = async {
        while nodes[1].metrics.drops(Dropped::ForeignDatagram) < 64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, counted).await.expect("garbage is counted");

    nodes[0].send(To::All, b"after");
    let before = nodes[1].hears(b"after").await;
    assert!(
        !before.iter().any(|input| matches!(input, Input::Received(_) | Input::PeerDown(_))),
        "{before:?}"
    );
    stop(nodes).await;
}

#[tokio::test]
async fn what_members_say_is_not_foreign() {
    let (mut nodes, _places) = group(2, true).await;
    for round in 0..1_000u32 {
        nodes[0].send(To::All, &round.to_be_bytes());
        nodes[1].hears(&round.to_be_bytes()).await;
    }
    tokio::time::sleep(2 * foreign::PERIOD + Duration::from_secs(1)).await;
    let foreign = nodes[1].metrics.drops(Dropped::ForeignDatagram);
    assert!(foreign < 20, "{foreign}: handshakes leave a few behind");
    stop(nodes).await;
}

#[tokio::test]
async fn a_peer_that_comes_back_at_another_address_is_found() {
    let (mut nodes, places) = group(3, false).await;
    nodes[0].wait_for(Input::PeerUp(MemberIndex(2))).await;
    let old = nodes.pop().unwrap();
    let before = places.lock()["member-2"];
    old.gossip.shutdown().await;
    nodes[0].wait_for(Input::PeerDown(MemberIndex(2))).await;

    // It cannot find anybody itself, so the others must ask for its address again.
    let back = start(2, settings(2, 3, knows_nobody()), &places).await;
    nodes.push(back);

    assert_ne!(places.lock()["member-2"], before);
    nodes[0].wait_for(Input::PeerUp(MemberIndex(2))).await;
    nodes[0].send(To::Member(MemberIndex(2)), b"welcome");
    nodes[2].hears(b"welcome").await;
    nodes[2].send(To::Member(MemberIndex(0)), b"thanks");
    nodes[0].hears(b"thanks").await;
    stop(nodes).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_not_sent_and_hurts_nobody() {
    let (mut nodes, _places) = group(2, false).await;
    nodes[0].send(To::All, &vec![0; MAX_MESSAGE_BYTES + 1]);
    nodes[0].send(To::All, &vec![1; MAX_MESSAGE_BYTES]);
    nodes[1].hears(&vec![1; MAX_MESSAGE_BYTES]).await;
    assert_eq!(nodes[0].metrics.drops(Dropped::Oversized), 1);
    stop(nodes).await;
}

/// A member that does not keep to the rules: its key, and an endpoint without any of our limits.
async fn bare_member(me: u8, lookup: &MemoryLookup) -> Endpoint {
    Endpoint::builder(iroh::endpoint::presets::Minimal)
        .secret_key(iroh::SecretKey::from_bytes(&secret(me)))
        .clear_ip_transports()
        .bind_addr(SocketAddr::from(([127, 0, 0, 1], 0)))
        .unwrap()
        .address_lookup(lookup.clone())
        .bind()
        .await
        .unwrap()
}

#[tokio::test]
async fn an_oversized_stream_is_counted_and_the_next_one_is_read() {
    let places = Places::default();
    let mut node = start(0, settings(0, 2, knows_nobody()), &places).await;
    let (lookup, id) = (MemoryLookup::new(), node.gossip.endpoint().id());
    let address = iroh::EndpointAddr::new(id).with_ip_addr(node.gossip.local_addresses()[0]);
    let member = bare_member(1, &lookup).await;
    let connection = member.connect(address, link::ALPN).await.unwrap();

    for message in [vec![0; MAX_MESSAGE_BYTES + 1], b"small".to_vec()] {
        let mut stream = connection.open_uni().await.unwrap();
        // The reader may refuse the rest of the large one before it is written.
        let _ = stream.write_all(&message).await;
        let _ = stream.finish();
    }

    node.hears(b"small").await;
    assert_eq!(node.metrics.drops(Dropped::Oversized), 1);
    member.close().await;
    stop(vec![node]).await;
}

#[tokio::test]
async fn garbage_on_the_port_moves_nothing() {
    let (mut nodes, places) = group(2, false).await;
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = places.lock()["member-1"];
    for length in 1..=1_200u16 {
        let garbage: Vec<u8> = (0..length).map(|at| (at.wrapping_mul(length) >> 3) as u8).collect();
        socket.send_to(&garbage, target).await.unwrap();
    }

    nodes[0].send(To::All, b"still here");
    let before = nodes[1].hears(b"still here").await;

    assert!(before.iter().all(|input| !matches!(input, Input::Received(_))), "{before:?}");
    stop(nodes).await;
}
