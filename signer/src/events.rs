//! Event sources: each turns outside bytes into a verified event, and nothing else can make one.
//!
//! What a source claims (recipient, amount, deadline) comes out of its proof. Each member verifies for itself, from the
//! evidence that gossip carries. One file per source; so far there is one, the signed request.

mod approvals;
mod error;
mod json;
mod request;
mod verifier;

pub use approvals::Approval;
pub use error::{VerifyCode, VerifyError};
pub use json::{ApprovalJson, RequestJson};
pub use request::{Request, SignedRequest, limits};
pub use verifier::{Verifier, VerifierError};

/// Requests for tests of other modules.
#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::request::tests::address;
}
