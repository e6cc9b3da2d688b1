//! One event's life inside this signer.

use serde::Serialize;

/// Where an event stands, derived from what is recorded and what the own node shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Verified here, no proposal approved yet.
    Verified,
    /// A rule says not now.
    Held,
    /// A rule says no.
    Denied,
    /// The deadline passed before this signer approved anything.
    Expired,
    Approved,
    /// This signer's partial is out.
    Signed,
    /// m partials made a valid transaction.
    Assembled,
    Submitted,
    Accepted,
    Settled,
    /// Paid for good.
    Paid,
    /// Never to be paid.
    Void,
}
