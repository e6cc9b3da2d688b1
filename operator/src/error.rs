//! What can go wrong while a group is brought into shape, by class: each class waits in its own way.

use std::time::Duration;

use crate::build::Kind;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what}: {}", answer(source))]
    Request { what: String, source: Box<kube::Error> },
    #[error("{what}: no answer within {} s", Error::REQUEST_TIMEOUT.as_secs())]
    Timeout { what: String },
    #[error("{} {name} is there already and is not this group's", kind.as_str())]
    ForeignOwner { kind: Kind, name: String },
}

/// What an error asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Somebody else wrote at the same time.
    Conflict,
    /// The API server or the way to it is in trouble.
    Transient,
    /// A right is missing.
    Forbidden,
    /// A quota is used up.
    Quota,
    /// The API server takes the object for wrong.
    Invalid,
    /// An object with the name that we need belongs to somebody else.
    Foreign,
}

impl Error {
    /// A request that takes longer has failed.
    pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

    pub fn class(&self) -> Class {
        match self {
            Self::Timeout { .. } => Class::Transient,
            Self::ForeignOwner { .. } => Class::Foreign,
            Self::Request { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if status.is_conflict() => Class::Conflict,
                kube::Error::Api(status) if status.message.contains("exceeded quota") => Class::Quota,
                kube::Error::Api(status) if status.is_forbidden() => Class::Forbidden,
                kube::Error::Api(status) if status.is_invalid() || status.code == 400 => Class::Invalid,
                // Every other answer, and every way of not getting one, may be different next time.
                _ => Class::Transient,
            },
        }
    }
}

impl Class {
    pub const ALL: [Self; 6] =
        [Self::Conflict, Self::Transient, Self::Forbidden, Self::Quota, Self::Invalid, Self::Foreign];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Transient => "transient",
            Self::Forbidden => "forbidden",
            Self::Quota => "quota",
            Self::Invalid => "invalid",
            Self::Foreign => "foreign",
        }
    }

    /// How long to wait after so many failures in a row: doubling from the first wait to the longest.
    pub fn wait(self, failures: u32) -> Duration {
        let (first, longest) = match self {
            Self::Conflict => (1, 30),
            Self::Transient => (2, 120),
            Self::Forbidden => (30, 600),
            Self::Quota => (30, 300),
            Self::Invalid => (60, 900),
            Self::Foreign => (30, 300),
        };
        let doubled = 1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX).saturating_mul(first);
        Duration::from_secs(doubled.min(longest))
    }
}

/// The API server's own words, without kube's debug print around them.
fn answer(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stop_growing() {
        for class in Class::ALL {
            let waits: Vec<Duration> = (1..80).map(|failures| class.wait(failures)).collect();
            assert!(waits.is_sorted());
            assert_eq!(waits[70], waits[78], "{class:?}");
        }
        assert_eq!(Class::Conflict.wait(1), Duration::from_secs(1));
    }
}
