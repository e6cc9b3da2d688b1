//! Public keys of members.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// How the members of a group sign; one for the whole group.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum SignatureScheme {
    #[default]
    Schnorr,
    Ecdsa,
}

/// A member's public key as it stands in the redeem script: 32 bytes x-only (Schnorr) or 33 bytes compressed (ECDSA).
/// Always a point of the curve: there is no way to one but the checked ones below.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct MemberKey(Vec<u8>);

/// Why a text is not a member's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a schnorr key is 64 digits of lower-case hex (x-only), an ecdsa key 66 starting with 02 or 03")]
    Shape,
    #[error("{0} is not a point of the curve")]
    NotOnCurve(String),
}

impl MemberKey {
    /// Reads lower-case hex and checks that it is a key of the scheme.
    pub fn from_hex(scheme: SignatureScheme, text: &str) -> Result<Self, KeyError> {
        let bytes = hex::decode(text).map_err(|_| KeyError::Shape)?;
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(KeyError::Shape);
        }
        Self::from_bytes(scheme, bytes)
    }

    /// Takes the serialised key and checks that it is a key of the scheme.
    pub fn from_bytes(scheme: SignatureScheme, bytes: Vec<u8>) -> Result<Self, KeyError> {
        let on_curve = match scheme {
            SignatureScheme::Schnorr if bytes.len() == 32 => {
                secp256k1::XOnlyPublicKey::from_slice(&bytes).is_ok()
            }
            SignatureScheme::Ecdsa if bytes.len() == 33 => secp256k1::PublicKey::from_slice(&bytes).is_ok(),
            SignatureScheme::Schnorr | SignatureScheme::Ecdsa => return Err(KeyError::Shape),
        };
        if on_curve { Ok(Self(bytes)) } else { Err(KeyError::NotOnCurve(hex::encode(bytes))) }
    }

    /// The bytes that the redeem script pushes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The x coordinate: two keys that share it have the same secret, up to its sign.
    pub fn x_only(&self) -> [u8; 32] {
        let start = self.0.len() - 32;
        self.0[start..].try_into().expect("a member's key has 32 or 33 bytes")
    }
}

impl fmt::Display for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberKey({self})")
    }
}

impl Serialize for MemberKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The x coordinate of the curve's generator.
    const X: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    #[test]
    fn a_key_is_read_in_the_form_of_its_scheme_only() {
        let compressed = format!("02{X}");
        let schnorr = MemberKey::from_hex(SignatureScheme::Schnorr, X).unwrap();
        let ecdsa = MemberKey::from_hex(SignatureScheme::Ecdsa, &compressed).unwrap();
        assert_eq!((schnorr.to_string(), schnorr.x_only()), (X.to_owned(), ecdsa.x_only()));
        assert_eq!(MemberKey::from_hex(SignatureScheme::Schnorr, &compressed), Err(KeyError::Shape));
        assert_eq!(MemberKey::from_hex(SignatureScheme::Ecdsa, X), Err(KeyError::Shape));
    }

    #[test]
    fn other_forms_of_a_key_are_refused() {
        for text in ["", &X[1..], &X.to_uppercase(), &format!("0x{X}"), &format!("{X} ")] {
            assert_eq!(MemberKey::from_hex(SignatureScheme::Schnorr, text), Err(KeyError::Shape), "{text}");
        }
    }

    #[test]
    fn a_key_that_is_no_point_of_the_curve_is_refused_by_name() {
        let beyond = "ff".repeat(32);
        let refused = MemberKey::from_hex(SignatureScheme::Schnorr, &beyond);
        assert_eq!(refused, Err(KeyError::NotOnCurve(beyond)));
    }
}
