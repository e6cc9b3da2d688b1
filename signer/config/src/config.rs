//! `config.yaml`: who this signer is, its group, and where its node, peers, keys and files are.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use igra_group::{Depths, Group, GroupError, Network, SignatureScheme, Sompi, TransportId};
use serde::{Deserialize, Serialize};

use crate::{ConfigError, GroupConfig, HostPort, defaults, load};

/// A signer's configuration. [`Config::load`] checks it; a program that fills it in by hand calls [`Config::check`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    pub network: Network,
    #[serde(default)]
    pub signature_scheme: SignatureScheme,
    /// m, the signatures that the script needs.
    pub threshold: u8,
    /// q; absent means max(m, ⌊n/2⌋+1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u8>,
    /// All in DAA score.
    #[serde(default)]
    pub depths: Depths,
    /// Coins below this are never an input.
    #[serde(default = "defaults::dust_sompi")]
    pub dust_sompi: Sompi,
    /// The group whose coins move to this one. Nothing is promised before they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<PredecessorConfig>,
    /// All members of the group, this one included.
    pub members: Vec<MemberConfig>,
    /// The name of the member that this signer is.
    pub member: String,
    pub data_dir: PathBuf,
    /// Identity of the volume under `data_dir`, by which a restored one is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_id: Option<String>,
    pub keys: KeysConfig,
    pub kaspa_node: KaspaNodeConfig,
    #[serde(default)]
    pub gossip: GossipConfig,
    pub api: ApiConfig,
    #[serde(default)]
    pub admin: AdminConfig,
    #[serde(default = "defaults::policy_file")]
    pub policy_file: PathBuf,
    #[serde(default)]
    pub timing: TimingConfig,
    #[serde(default)]
    pub log: LogConfig,
}

/// One member as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemberConfig {
    pub name: String,
    /// Lower-case hex: 64 digits for Schnorr, 66 for ECDSA.
    pub public_key: String,
    pub transport_id: TransportId,
    /// Where its gossip port is; a signer needs none of its own.
    #[serde(default)]
    pub addresses: Vec<HostPort>,
}

/// The wallet of another group: what its address is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PredecessorConfig {
    #[serde(default)]
    pub signature_scheme: SignatureScheme,
    pub threshold: u8,
    /// Of all its members, in any order; lower-case hex as in `members`.
    pub public_keys: Vec<String>,
    /// What it never takes for an input, as its own configuration says.
    #[serde(default = "defaults::dust_sompi")]
    pub dust_sompi: Sompi,
}

/// Files with 64 hex digits each, the 32 bytes of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeysConfig {
    pub signing_key_file: PathBuf,
    pub transport_key_file: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KaspaNodeConfig {
    /// `grpc://host:port`, at least one.
    pub endpoints: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GossipConfig {
    /// UDP.
    pub listen: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiConfig {
    #[serde(default = "defaults::api_listen")]
    pub listen: SocketAddr,
    /// Has no default: who leaves the API open writes it out.
    pub auth: Auth,
    /// See [`crate::TokensFile`]; exactly with `auth: tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_file: Option<PathBuf>,
    /// Requests a second that each client address may make in the long run.
    #[serde(default = "defaults::rate_limit_per_second")]
    pub rate_limit_per_second: NonZeroU32,
    /// Requests that it may make at once.
    #[serde(default = "defaults::rate_limit_burst")]
    pub rate_limit_burst: NonZeroU32,
}

/// Who may call the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Auth {
    /// Whoever shows a token of the tokens file.
    Tokens,
    /// Everyone who reaches the port.
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Health and metrics.
    pub listen: SocketAddr,
}

/// All in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TimingConfig {
    pub view_timeout_ms: u64,
    pub view_timeout_cap_ms: u64,
    pub rank_delay_ms: u64,
    pub catch_up_interval_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LogConfig {
    pub format: LogFormat,
    /// A level, or a filter such as `info,igra_signer=debug`.
    pub level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Config {
    /// Reads the file, lays the `IGRA_` variables of the environment over it, and checks the whole.
    ///
    /// `IGRA_KASPA_NODE__ENDPOINTS='["grpc://host:16510"]'` stands for `kaspaNode.endpoints`: two underscores between
    /// the levels, one between the words. Relative paths are taken from the file's folder.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::load_with(path, std::env::vars())
    }

    /// As [`Config::load`], with these variables for the environment.
    pub fn load_with(
        path: impl AsRef<Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        load::config(path.as_ref(), environment)
    }

    /// The file's text.
    pub fn to_yaml(&self) -> String {
        serde_yaml::to_string(self).expect("a configuration has only keys that YAML can write")
    }

    /// The part that every member of the group shares.
    pub fn group_config(&self) -> GroupConfig {
        GroupConfig {
            network: self.network,
            signature_scheme: self.signature_scheme,
            threshold: self.threshold,
            quorum: self.quorum,
            depths: self.depths,
            dust_sompi: self.dust_sompi,
            predecessor: self.predecessor.clone(),
            members: self.members.clone(),
        }
    }

    /// The group, checked.
    pub fn group(&self) -> Result<Group, GroupError> {
        self.group_config().group()
    }

    /// This signer's own entry, where there is one; a checked configuration has it.
    pub fn own_member(&self) -> Option<&MemberConfig> {
        self.members.iter().find(|member| member.name == self.member)
    }

    /// The other members.
    pub fn peers(&self) -> impl Iterator<Item = &MemberConfig> {
        self.members.iter().filter(|member| member.name != self.member)
    }
}

impl Default for GossipConfig {
    fn default() -> Self {
        Self { listen: defaults::gossip_listen() }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: defaults::admin_listen() }
    }
}

impl Default for TimingConfig {
    fn default() -> Self {
        Self {
            view_timeout_ms: defaults::VIEW_TIMEOUT_MS,
            view_timeout_cap_ms: defaults::VIEW_TIMEOUT_CAP_MS,
            rank_delay_ms: defaults::RANK_DELAY_MS,
            catch_up_interval_ms: defaults::CATCH_UP_INTERVAL_MS,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: defaults::log_level() }
    }
}
