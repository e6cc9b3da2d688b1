//! Why a key is refused. No text here ever holds a secret.

use std::{io, path::PathBuf};

/// What is wrong with a key or its file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("could not read the key file {}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("could not write the key file {}", file.display())]
    Write { file: PathBuf, source: io::Error },
    #[error("the key file {} exists already and is never overwritten", .0.display())]
    Exists(PathBuf),
    #[error("the key file {} does not hold 64 digits of hex and nothing else", .0.display())]
    Shape(PathBuf),
    #[error("the secret in {0} is no key of secp256k1: it is zero or not below the order of the curve")]
    NotAKey(String),
    #[error("the group has no member with index {0}")]
    NoMember(u8),
    #[error("groups with signature scheme ecdsa cannot be signed for yet, and member {0} is of one")]
    Scheme(String),
    #[error(transparent)]
    WrongMember(Box<WrongMember>),
}

/// The file holds a valid key, but not this member's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "member {member} has the {kind} {expected} in the group, but its key file {file} holds the key of {actual}, which is {}",
    owner(.belongs_to)
)]
pub struct WrongMember {
    pub member: String,
    /// "public key" or "transport id".
    pub kind: &'static str,
    pub expected: String,
    pub actual: String,
    pub file: String,
    /// The member whose key it is, if it is one of the group.
    pub belongs_to: Option<String>,
}

impl From<WrongMember> for KeyError {
    fn from(wrong: WrongMember) -> Self {
        Self::WrongMember(Box::new(wrong))
    }
}

fn owner(belongs_to: &Option<String>) -> String {
    match belongs_to {
        Some(name) => format!("member {name}'s"),
        None => "nobody's in the group".to_owned(),
    }
}
