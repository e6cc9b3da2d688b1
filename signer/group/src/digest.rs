//! Hashes with a domain tag each. Two ideas never share a tag, so a hash of one is never a hash of the other.

use std::{fmt, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// 32 bytes of blake3 in its key-derivation mode, which takes the domain tag as its context.
pub fn tagged_hash(tag: &'static str, bytes: &[u8]) -> [u8; 32] {
    blake3::derive_key(tag, bytes)
}

/// A 32-byte hash: its text form is lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", &hex::encode(self.0)[..12])
    }
}

impl FromStr for Digest {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((index, c)) = text.char_indices().find(|(_, c)| c.is_ascii_uppercase()) {
            return Err(hex::FromHexError::InvalidHexCharacter { c, index });
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom(format!("\"{text}\" is not 64 digits of lower-case hex")))
    }
}

/// Makes a type of its own around [`Digest`], so that no hash can be taken for another.
#[macro_export]
macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            ::borsh::BorshSerialize, ::borsh::BorshDeserialize, ::serde::Serialize, ::serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $crate::Digest);

        impl $name {
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self($crate::Digest(bytes))
            }
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0.0
            }
        }
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }
        impl ::std::str::FromStr for $name {
            type Err = <$crate::Digest as ::std::str::FromStr>::Err;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

digest_type!(
    /// The wallet itself: network, signature scheme, m and the ordered member keys, and nothing that may change.
    GroupId
);
digest_type!(
    /// What else the members of a group must agree on before their approvals count together: quorum, depths, dust and
    /// the ordered transport ids.
    ConfigDigest
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_from_its_one_text_form() {
        let text = "00ff".repeat(16);
        let digest: Digest = text.parse().unwrap();
        assert_eq!(digest.to_string(), text);
        for other in ["", &text[2..], &text.to_uppercase(), &format!("{text}00"), &format!(" {}", &text[1..])]
        {
            assert!(other.parse::<Digest>().is_err(), "{other}");
        }
    }

    #[test]
    fn the_same_bytes_under_two_tags_are_two_hashes() {
        assert_ne!(tagged_hash("igra.dev test a", b"x"), tagged_hash("igra.dev test b", b"x"));
    }
}
