//! The key that signs transactions, from a file that only this member's signer has.

use std::path::Path;

use igra_group::{Group, MemberIndex, MemberKey, SignatureScheme};
use igra_tx::{SigHash, Signature};
use secp256k1::{Keypair, Message, SECP256K1};

use crate::keys::{KeyError, Secret, WrongMember};

/// A member's signing key: BIP-340 over secp256k1.
/// It cannot be printed, copied or serialised; a test holds that.
pub struct SigningKey {
    // Boxed, so that moving the key moves no secret bytes over the stack.
    pair: Box<Keypair>,
    /// Where it came from, for error texts.
    origin: String,
}

impl SigningKey {
    /// Reads a key file of 64 digits of hex.
    pub fn read(file: &Path) -> Result<Self, KeyError> {
        Self::from_secret(&Secret::read(file)?, &file.display().to_string())
    }

    /// Takes a secret; `origin` says in error texts where it came from.
    pub fn from_secret(secret: &Secret, origin: &str) -> Result<Self, KeyError> {
        let pair = Keypair::from_seckey_slice(SECP256K1, secret.bytes())
            .map(Box::new)
            .map_err(|_| KeyError::NotAKey(origin.to_owned()))?;
        Ok(Self { pair, origin: origin.to_owned() })
    }

    /// The x-only public key. BIP-340 means the point with even y by it, and signing takes care of that.
    pub fn public_key(&self) -> MemberKey {
        let x_only = self.pair.x_only_public_key().0.serialize().to_vec();
        MemberKey::from_bytes(SignatureScheme::Schnorr, x_only)
            .expect("the public key of a secret is on the curve")
    }

    /// Signs without auxiliary randomness, so that a step repeated after a crash gives the same bytes.
    pub fn sign(&self, hash: &SigHash) -> Signature {
        let message = Message::from_digest(hash.0);
        Signature(SECP256K1.sign_schnorr_no_aux_rand(&message, &self.pair).serialize())
    }

    pub(super) fn approve(&self, hash: &[u8; 32]) -> [u8; 64] {
        SECP256K1.sign_schnorr_no_aux_rand(&Message::from_digest(*hash), &self.pair).serialize()
    }

    /// Whether this is the key that the group knows for a member.
    pub fn check_member(&self, group: &Group, member: MemberIndex) -> Result<(), KeyError> {
        let entry = group.member(member).ok_or(KeyError::NoMember(member.0))?;
        if group.wallet().scheme() != SignatureScheme::Schnorr {
            return Err(KeyError::Scheme(entry.name.clone()));
        }
        let actual = self.public_key();
        if entry.key == actual {
            return Ok(());
        }
        Err(WrongMember {
            member: entry.name.clone(),
            kind: "public key",
            expected: entry.key.to_string(),
            actual: actual.to_string(),
            file: self.origin.clone(),
            belongs_to: group
                .members()
                .iter()
                .find(|other| other.key == actual)
                .map(|other| other.name.clone()),
        }
        .into())
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.pair.non_secure_erase();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::keys::TransportKey;
    use igra_group::{Depths, Member, Network};
    use secp256k1::XOnlyPublicKey;

    pub(crate) fn key(byte: u8) -> SigningKey {
        SigningKey::from_secret(&Secret::of(byte), &format!("/keys/{byte}/signing.key")).ok().unwrap()
    }

    /// 2 of 3: alpha has the secrets of bytes 1, beta of 2, gamma of 3.
    pub(crate) fn group() -> Group {
        let member = |(byte, name): (u8, &str)| Member {
            name: name.to_owned(),
            key: key(byte).public_key(),
            transport: TransportKey::from_secret(&Secret::of(byte), "").id(),
        };
        let members = [(1, "alpha"), (2, "beta"), (3, "gamma")].map(member).to_vec();
        Group::new(
            Network::Simnet,
            SignatureScheme::Schnorr,
            2,
            None,
            members,
            Depths::default(),
            Group::DEFAULT_DUST,
        )
        .unwrap()
    }

    #[test]
    fn a_signature_verifies_under_the_printed_key_and_is_the_same_each_time() {
        let key = key(7);
        let hash = SigHash([9; 32]);

        let signature = key.sign(&hash);

        assert_eq!(signature, key.sign(&hash));
        let signature = secp256k1::schnorr::Signature::from_slice(&signature.0).unwrap();
        let public = XOnlyPublicKey::from_slice(key.public_key().as_bytes()).unwrap();
        SECP256K1.verify_schnorr(&signature, &Message::from_digest([9; 32]), &public).unwrap();
    }

    #[test]
    fn a_member_is_taken_with_its_own_key_only() {
        let group = group();
        let alpha = group.index_by_name("alpha").unwrap();
        key(1).check_member(&group, alpha).unwrap();

        let error = key(2).check_member(&group, alpha).unwrap_err().to_string();

        let expected = format!(
            "member alpha has the public key {} in the group, but its key file /keys/2/signing.key holds the key of {}, \
             which is member beta's",
            key(1).public_key(),
            key(2).public_key()
        );
        assert_eq!(error, expected);
    }

    #[test]
    fn a_strangers_key_is_told_as_nobodys() {
        let group = group();
        let error =
            key(9).check_member(&group, group.index_by_name("gamma").unwrap()).unwrap_err().to_string();
        assert!(error.ends_with("which is nobody's in the group"), "{error}");
    }

    /// Compiles only as long as none of these types has any of these traits: with one of them, `is_absent` would be
    /// there twice.
    #[test]
    fn secrets_cannot_be_printed_copied_or_serialised() {
        trait Absent<Marker> {
            fn is_absent() {}
        }
        impl<T> Absent<()> for T {}
        struct Printed;
        impl<T: std::fmt::Debug> Absent<Printed> for T {}
        struct Shown;
        impl<T: std::fmt::Display> Absent<Shown> for T {}
        struct Copied;
        impl<T: Clone> Absent<Copied> for T {}
        struct Serialised;
        impl<T: serde::Serialize> Absent<Serialised> for T {}

        <SigningKey as Absent<_>>::is_absent();
        <TransportKey as Absent<_>>::is_absent();
        <Secret as Absent<_>>::is_absent();
    }

    #[test]
    fn zero_and_numbers_past_the_order_are_no_keys() {
        for byte in [0, 0xff] {
            let error = SigningKey::from_secret(&Secret::of(byte), "signing.key").err().unwrap();
            assert!(matches!(error, KeyError::NotAKey(_)));
        }
    }
}
