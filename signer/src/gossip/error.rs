//! Why gossip does not start.

use std::net::SocketAddr;

use igra_group::MemberIndex;
use iroh::endpoint::{BindError, InvalidSocketAddr};

/// What went wrong. All of it shows at start; later trouble is a peer's, and counted.
#[derive(Debug, thiserror::Error)]
pub enum GossipError {
    #[error("the transport id of member {} is no ed25519 key", .0.0)]
    NotAKey(MemberIndex),
    #[error("{listen} is not an address to listen on")]
    Address { listen: SocketAddr, source: InvalidSocketAddr },
    #[error("could not listen for peers on {listen} (UDP)")]
    Bind { listen: SocketAddr, source: BindError },
}
