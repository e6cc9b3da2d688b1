//! Signatures of approvers under a request, and the keys they are checked against.

use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_dalek::VerifyingKey;
use igra_config::{Approver, ApproverScheme};
use secp256k1::{Message, SECP256K1, XOnlyPublicKey, schnorr};

/// One approver's signature of [`crate::events::Request::hash`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Approval {
    /// The approver's name in the policy.
    pub approver: String,
    pub signature: [u8; 64],
}

/// The public key of somebody whose signature counts.
#[derive(Clone, Debug)]
pub(super) enum KnownKey {
    Schnorr(XOnlyPublicKey),
    Ed25519(VerifyingKey),
}

impl KnownKey {
    /// `None` where the policy's text is no key of its scheme.
    pub fn of(approver: &Approver) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&approver.public_key, &mut bytes).ok()?;
        match approver.scheme {
            ApproverScheme::Schnorr => XOnlyPublicKey::from_slice(&bytes).ok().map(Self::Schnorr),
            // Under a key of small order one signature would fit many requests.
            ApproverScheme::Ed25519 => {
                VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak()).map(Self::Ed25519)
            }
        }
    }

    pub fn verifies(&self, hash: &[u8; 32], signature: &[u8; 64]) -> bool {
        match self {
            Self::Schnorr(key) => schnorr::Signature::from_slice(signature).is_ok_and(|signature| {
                SECP256K1.verify_schnorr(&signature, &Message::from_digest(*hash), key).is_ok()
            }),
            Self::Ed25519(key) => {
                key.verify_strict(hash, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
            }
        }
    }
}
