//! Why a signer does not start or does not go on, and the exit code that says so.

use std::path::PathBuf;

use igra_config::ConfigError;
use igra_core::RecordError;
use igra_group::GroupError;

use crate::{events::VerifierError, gossip::GossipError, keys::KeyError, store::StoreError};

/// What ended a signer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the configured group is none")]
    Group(#[source] GroupError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the group has no member named {0}")]
    NoSuchMember(String),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the policy cannot be taken")]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the store's records cannot be read")]
    Records(#[source] RecordError),
    #[error(transparent)]
    Gossip(#[from] GossipError),
    #[error("could not listen on {listen}")]
    Listen { listen: std::net::SocketAddr, source: std::io::Error },
    /// A panic, or an end that nobody asked for.
    #[error("{0} ended by itself")]
    Ended(&'static str),
    #[error("a name of a metric is taken twice")]
    Metrics(#[from] prometheus::Error),
}

/// Why a policy file is no policy of this group.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error(transparent)]
    File(#[from] ConfigError),
    #[error("{}, key destinations.allow or successor", file.display())]
    Address { file: PathBuf, source: igra_tx::AddressError },
    #[error("{}, key successor: it is this group's own address", file.display())]
    OwnSuccessor { file: PathBuf },
    #[error("{}, key sources", file.display())]
    Source { file: PathBuf, source: VerifierError },
    #[error(
        "{}, key sources: {name} has trustIngress, and api.auth is none, so everybody who reaches the port could pay: give \
         tokens, or name approvers",
        file.display()
    )]
    OpenDoor { file: PathBuf, name: String },
}

/// The configuration must change first; another start alone does not help.
pub const EXIT_CONFIG: u8 = 78;
/// The disk failed; another start comes back from what is on it.
pub const EXIT_STORAGE: u8 = 74;
/// A part of the signer broke: a fault of the program.
pub const EXIT_SOFTWARE: u8 = 70;
/// A port or the like was not to be had.
pub const EXIT_UNAVAILABLE: u8 = 69;

impl RunError {
    /// The process's exit code, after sysexits.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Group(_) | Self::NoSuchMember(_) | Self::Key(_) | Self::Policy(_) => {
                EXIT_CONFIG
            }
            Self::Store(error) if error.is_configuration() => EXIT_CONFIG,
            Self::Store(_) | Self::Records(_) => EXIT_STORAGE,
            Self::Ended(_) => EXIT_SOFTWARE,
            Self::Gossip(GossipError::NotAKey(_)) => EXIT_CONFIG,
            Self::Gossip(_) | Self::Listen { .. } | Self::Metrics(_) => EXIT_UNAVAILABLE,
        }
    }
}

/// The error and its causes in one line.
pub fn in_one_line(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |so_far, cause| format!("{so_far}: {cause}"))
}
