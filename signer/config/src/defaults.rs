//! What holds where the file says nothing.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf};

use igra_group::{Group, Sompi};

/// UDP port of gossip.
pub const GOSSIP_PORT: u16 = 31120;
/// TCP port of the API.
pub const API_PORT: u16 = 8080;
/// TCP port of health and metrics.
pub const ADMIN_PORT: u16 = 9090;

/// First wait for a proposer before the next one's turn, in milliseconds.
pub const VIEW_TIMEOUT_MS: u64 = 1_000;
/// Longest such wait, in milliseconds.
pub const VIEW_TIMEOUT_CAP_MS: u64 = 30_000;
/// How long each member waits for the one before it to submit, in milliseconds.
pub const RANK_DELAY_MS: u64 = 500;
/// Between two comparisons with each peer, in milliseconds.
pub const CATCH_UP_INTERVAL_MS: u64 = 5_000;
/// Requests a second that each client address of the API may make in the long run.
pub const RATE_LIMIT_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("10 is not 0");
/// Requests that it may make at once.
pub const RATE_LIMIT_BURST: NonZeroU32 = NonZeroU32::new(20).expect("20 is not 0");
/// How long after it was first seen an event may still be approved first, in seconds: one day.
pub const DEADLINE_SECONDS: u64 = 86_400;

pub(crate) fn dust_sompi() -> Sompi {
    Group::DEFAULT_DUST
}

pub(crate) fn policy_file() -> PathBuf {
    PathBuf::from("policy.yaml")
}

pub(crate) fn gossip_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], GOSSIP_PORT))
}

pub(crate) fn api_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], API_PORT))
}

pub(crate) fn rate_limit_per_second() -> NonZeroU32 {
    RATE_LIMIT_PER_SECOND
}

pub(crate) fn rate_limit_burst() -> NonZeroU32 {
    RATE_LIMIT_BURST
}

pub(crate) fn admin_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], ADMIN_PORT))
}

pub(crate) fn log_level() -> String {
    "info".to_owned()
}

pub(crate) fn deadline_seconds() -> u64 {
    DEADLINE_SECONDS
}
