//! The two secrets of a member: the signing key, and the transport key that seals its messages.
//!
//! A signing key lives here and nowhere else. It is asked for signatures, never for itself; it has no `Clone`, `Debug`
//! or `Serialize`, and is wiped when it goes.

mod approver;
mod error;
mod protect;
mod secret;
mod signing;
mod transport;

pub use approver::ApproverKey;
pub use error::{KeyError, WrongMember};
pub use protect::forbid_core_dumps;
pub use secret::Secret;
pub use signing::SigningKey;
pub use transport::TransportKey;

/// Keys and a group for tests of other modules.
#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::signing::tests::group;
    use super::{Secret, SigningKey, TransportKey};

    pub(crate) fn schnorr_key(byte: u8) -> SigningKey {
        super::signing::tests::key(byte)
    }

    pub(crate) fn ed25519_key(byte: u8) -> TransportKey {
        TransportKey::from_secret(&Secret::of(byte), "")
    }
}
