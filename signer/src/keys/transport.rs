//! The key that seals this member's messages and names its endpoint in gossip.

use std::path::Path;

use ed25519_dalek::Signer;
use igra_group::{Digest, Group, MemberIndex, TransportId};
use zeroize::Zeroizing;

use crate::keys::{KeyError, Secret, WrongMember};

/// A member's Ed25519 transport key.
pub struct TransportKey {
    // Boxed, so that moving the key moves no secret bytes over the stack; it wipes itself when dropped.
    key: Box<ed25519_dalek::SigningKey>,
    origin: String,
}

impl TransportKey {
    /// Reads a key file of 64 digits of hex.
    pub fn read(file: &Path) -> Result<Self, KeyError> {
        Ok(Self::from_secret(&Secret::read(file)?, &file.display().to_string()))
    }

    /// Takes a secret; `origin` says in error texts where it came from.
    pub fn from_secret(secret: &Secret, origin: &str) -> Self {
        Self {
            key: Box::new(ed25519_dalek::SigningKey::from_bytes(secret.bytes())),
            origin: origin.to_owned(),
        }
    }

    /// The public part, by which peers know the endpoint.
    pub fn id(&self) -> TransportId {
        TransportId(Digest(self.key.verifying_key().to_bytes()))
    }

    /// Signs a message; the same bytes give the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// The secret, for the gossip endpoint, which holds its own copy. For nothing else.
    pub fn for_endpoint(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// Whether this is the key that the group knows for a member.
    pub fn check_member(&self, group: &Group, member: MemberIndex) -> Result<(), KeyError> {
        let entry = group.member(member).ok_or(KeyError::NoMember(member.0))?;
        let actual = self.id();
        if entry.transport == actual {
            return Ok(());
        }
        let owner = group.index_by_transport(actual).and_then(|index| group.member(index));
        Err(WrongMember {
            member: entry.name.clone(),
            kind: "transport id",
            expected: entry.transport.to_string(),
            actual: actual.to_string(),
            file: self.origin.clone(),
            belongs_to: owner.map(|other| other.name.clone()),
        }
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::signing::tests::group;

    #[test]
    fn a_member_is_taken_with_its_own_transport_key_only() {
        let group = group();
        let beta = group.index_by_name("beta").unwrap();
        let key = |byte| TransportKey::from_secret(&Secret::of(byte), "/keys/transport.key");
        key(2).check_member(&group, beta).unwrap();

        let error = key(3).check_member(&group, beta).unwrap_err().to_string();

        assert!(error.starts_with(&format!("member beta has the transport id {}", key(2).id())), "{error}");
        assert!(error.ends_with(&format!("{}, which is member gamma's", key(3).id())), "{error}");
    }

    #[test]
    fn what_it_signs_verifies_under_its_id() {
        let key = TransportKey::from_secret(&Secret::of(5), "");
        let signature = ed25519_dalek::Signature::from_bytes(&key.sign(b"message"));
        let public = ed25519_dalek::VerifyingKey::from_bytes(&key.id().0.0).unwrap();
        public.verify_strict(b"message", &signature).unwrap();
    }
}
