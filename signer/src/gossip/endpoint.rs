//! The iroh endpoint: no relay, no discovery, and nobody let in but members.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    time::Duration,
};

use igra_group::MemberIndex;
use iroh::{
    Endpoint, EndpointId, SecretKey,
    address_lookup::memory::MemoryLookup,
    endpoint::{
        AfterHandshakeOutcome, Connection, EndpointHooks, IdleTimeout, QuicTransportConfig, VarInt,
        presets::Minimal,
    },
};

use tokio::sync::mpsc;

use super::{GossipError, GossipMetrics, Peer, foreign::Admitted, metrics::Dropped};

/// A peer that crashed is noticed after this long without a packet.
const IDLE: Duration = Duration::from_secs(10);

/// Sent with the refusal of a stranger.
const NOT_A_MEMBER: u32 = 403;

/// The endpoint ids of the peers.
pub(super) fn ids(
    peers: &BTreeMap<MemberIndex, Peer>,
) -> Result<BTreeMap<MemberIndex, EndpointId>, GossipError> {
    let id = |(member, peer): (&MemberIndex, &Peer)| match EndpointId::from_bytes(&peer.transport.0.0) {
        Ok(id) => Ok((*member, id)),
        Err(_) => Err(GossipError::NotAKey(*member)),
    };
    peers.iter().map(id).collect()
}

/// Binds the UDP socket.
pub(super) async fn bind(
    listen: SocketAddr,
    secret: &[u8; 32],
    admission: Admission,
    lookup: &MemoryLookup,
) -> Result<Endpoint, GossipError> {
    Endpoint::builder(Minimal)
        .secret_key(SecretKey::from_bytes(secret))
        .clear_ip_transports()
        .bind_addr(listen)
        .map_err(|source| GossipError::Address { listen, source })?
        .address_lookup(lookup.clone())
        .hooks(admission)
        .transport_config(transport())
        .bind()
        .await
        .map_err(|source| GossipError::Bind { listen, source })
}

fn transport() -> QuicTransportConfig {
    let idle = IdleTimeout::try_from(IDLE).expect("ten seconds are a time that QUIC can count");
    QuicTransportConfig::builder()
        .max_idle_timeout(Some(idle))
        .max_concurrent_uni_streams(VarInt::from_u32(64))
        .stream_receive_window(VarInt::from_u32(128 << 10))
        .receive_window(VarInt::from_u32(1 << 20))
        .build()
}

/// Lets members in; TLS has shown by then who the other one is.
pub(super) struct Admission {
    pub(super) members: BTreeSet<EndpointId>,
    /// Is told of each connection that is let in.
    pub(super) admitted: mpsc::UnboundedSender<Admitted>,
    pub(super) metrics: GossipMetrics,
}

impl EndpointHooks for Admission {
    async fn after_handshake<'a>(&'a self, connection: &'a Connection) -> AfterHandshakeOutcome {
        if self.members.contains(&connection.remote_id()) {
            // Nobody counts any more once the edge has stopped.
            let _ = self.admitted.send(Admitted::of(connection));
            return AfterHandshakeOutcome::Accept;
        }
        tracing::debug!(id = %connection.remote_id(), "refused a connection of a stranger");
        self.metrics.dropped(Dropped::Stranger);
        AfterHandshakeOutcome::Reject {
            error_code: VarInt::from_u32(NOT_A_MEMBER),
            reason: b"not a member".to_vec(),
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("members", &self.members).finish_non_exhaustive()
    }
}
