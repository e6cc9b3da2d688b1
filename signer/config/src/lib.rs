//! The files that the operator (or a person) writes and a signer reads: `config.yaml`, `policy.yaml`, `tokens.yaml`.
//!
//! Reading is strict: an unknown key, a wrong type or a value that cannot be is an error that names the file, the line
//! where it can be had, and the key. Defaults stand in [`defaults`] and nowhere else.

mod builder;
mod config;
pub mod defaults;
mod error;
mod host_port;
mod load;
mod policy;
mod tokens;

pub use builder::{GroupConfig, GroupConfigBuilder};
pub use config::{
    AdminConfig, ApiConfig, Auth, Config, GossipConfig, KaspaNodeConfig, KeysConfig, LogConfig, LogFormat,
    MemberConfig, PredecessorConfig, TimingConfig,
};
pub use error::{ConfigError, Problem};
pub use host_port::{HostPort, HostPortError};
pub use policy::{
    AmountRule, ApiSource, Approver, ApproverScheme, BatchRule, ConsolidateRule, DestinationRule, FeeRule,
    InternalFees, PolicyFile, Scope, SourceRule, VolumeRule, Window,
};
pub use tokens::{Role, Token, TokenEntry, TokensFile};
