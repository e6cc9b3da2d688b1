//! The key of somebody who approves requests, on the approver's own machine.

use std::path::Path;

use igra_config::ApproverScheme;

use crate::keys::{KeyError, SigningKey, TransportKey};

/// An approver's key in one of the two schemes that a policy may name.
pub enum ApproverKey {
    Schnorr(SigningKey),
    Ed25519(TransportKey),
}

impl ApproverKey {
    /// Reads a key file of 64 digits of hex.
    pub fn read(scheme: ApproverScheme, file: &Path) -> Result<Self, KeyError> {
        match scheme {
            ApproverScheme::Schnorr => SigningKey::read(file).map(Self::Schnorr),
            ApproverScheme::Ed25519 => TransportKey::read(file).map(Self::Ed25519),
        }
    }

    /// As the policy's `publicKey` has it: hex.
    pub fn public_key(&self) -> String {
        match self {
            Self::Schnorr(key) => key.public_key().to_string(),
            Self::Ed25519(key) => key.id().to_string(),
        }
    }

    /// Signs [`crate::events::Request::hash`].
    pub fn sign(&self, hash: &[u8; 32]) -> [u8; 64] {
        match self {
            Self::Schnorr(key) => key.approve(hash),
            Self::Ed25519(key) => key.sign(hash),
        }
    }
}
