//! Groups and configurations made by programs: the operator, the devnet, tests.

use std::path::PathBuf;

use igra_group::{
    Depths, Group, GroupError, Member, MemberKey, Network, Predecessor, SignatureScheme, Sompi, TransportId,
    Wallet, WalletError,
};

use crate::{
    AdminConfig, ApiConfig, Auth, Config, GossipConfig, HostPort, KaspaNodeConfig, KeysConfig, LogConfig,
    MemberConfig, PredecessorConfig, TimingConfig, defaults,
};

/// What all members of a group share: the upper half of every member's `config.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    pub network: Network,
    pub signature_scheme: SignatureScheme,
    pub threshold: u8,
    pub quorum: Option<u8>,
    pub depths: Depths,
    pub dust_sompi: Sompi,
    /// The group whose coins move to this one.
    pub predecessor: Option<PredecessorConfig>,
    pub members: Vec<MemberConfig>,
}

/// Gathers a [`GroupConfig`]; see [`GroupConfig::builder`].
#[derive(Clone, Debug)]
pub struct GroupConfigBuilder(GroupConfig);

impl GroupConfig {
    /// A Schnorr group with this threshold, the default quorum and depths, and no members yet.
    ///
    /// ```
    /// # use igra_config::GroupConfig;
    /// # use igra_group::Network;
    /// let key = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    /// let group = GroupConfig::builder(Network::Simnet, 1)
    ///     .member("alpha", key, "11".repeat(32).parse().unwrap(), ["127.0.0.1:31120".parse().unwrap()])
    ///     .build()
    ///     .unwrap();
    /// let config = group.config("alpha", "/var/lib/igra", "/etc/igra/keys", "grpc://127.0.0.1:16510");
    /// assert!(config.check().is_ok());
    /// ```
    pub fn builder(network: Network, threshold: u8) -> GroupConfigBuilder {
        GroupConfigBuilder(Self {
            network,
            signature_scheme: SignatureScheme::Schnorr,
            threshold,
            quorum: None,
            depths: Depths::default(),
            dust_sompi: Group::DEFAULT_DUST,
            predecessor: None,
            members: Vec::new(),
        })
    }

    /// The group, checked.
    pub fn group(&self) -> Result<Group, GroupError> {
        let members = self.members.iter().map(|member| {
            let key =
                MemberKey::from_hex(self.signature_scheme, &member.public_key).map_err(WalletError::Key)?;
            Ok(Member { name: member.name.clone(), key, transport: member.transport_id })
        });
        let members = members.collect::<Result<_, GroupError>>()?;
        let (network, scheme) = (self.network, self.signature_scheme);
        let group =
            Group::new(network, scheme, self.threshold, self.quorum, members, self.depths, self.dust_sompi)?;
        match &self.predecessor {
            Some(predecessor) => group.after(predecessor.checked(network)?),
            None => Ok(group),
        }
    }

    /// A member's configuration with defaults everywhere else: keys in `key_dir` as `signing.key` and `transport.key`,
    /// `policy.yaml` beside the file, an API without tokens. Not checked: callers change what they need and then call
    /// [`Config::check`], or write it for [`Config::load`].
    pub fn config(
        &self,
        member: impl Into<String>,
        data_dir: impl Into<PathBuf>,
        key_dir: impl Into<PathBuf>,
        kaspa_node: impl Into<String>,
    ) -> Config {
        let Self { network, signature_scheme, threshold, quorum, depths, dust_sompi, predecessor, members } =
            self.clone();
        let key_dir = key_dir.into();
        Config {
            network,
            signature_scheme,
            threshold,
            quorum,
            depths,
            dust_sompi,
            predecessor,
            members,
            member: member.into(),
            data_dir: data_dir.into(),
            volume_id: None,
            keys: KeysConfig {
                signing_key_file: key_dir.join(KeysConfig::SIGNING_KEY),
                transport_key_file: key_dir.join(KeysConfig::TRANSPORT_KEY),
            },
            kaspa_node: KaspaNodeConfig { endpoints: vec![kaspa_node.into()] },
            gossip: GossipConfig::default(),
            api: ApiConfig {
                listen: defaults::api_listen(),
                auth: Auth::None,
                tokens_file: None,
                rate_limit_per_second: defaults::RATE_LIMIT_PER_SECOND,
                rate_limit_burst: defaults::RATE_LIMIT_BURST,
            },
            admin: AdminConfig::default(),
            policy_file: defaults::policy_file(),
            timing: TimingConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl PredecessorConfig {
    /// What the members of another group write whose coins come from this one.
    pub fn of(group: &Group) -> Self {
        Self::from(&Predecessor { wallet: group.wallet().clone(), dust: group.dust() })
    }

    /// Checked: a wallet on this network.
    pub fn checked(&self, network: Network) -> Result<Predecessor, GroupError> {
        let keys = self.public_keys.iter().map(|key| MemberKey::from_hex(self.signature_scheme, key));
        let keys = keys.collect::<Result<_, _>>().map_err(WalletError::Key)?;
        let wallet = Wallet::new(network, self.signature_scheme, self.threshold, keys)?;
        Ok(Predecessor { wallet, dust: self.dust_sompi })
    }
}

impl From<&Predecessor> for PredecessorConfig {
    fn from(predecessor: &Predecessor) -> Self {
        let wallet = &predecessor.wallet;
        Self {
            signature_scheme: wallet.scheme(),
            threshold: wallet.threshold().needed(),
            public_keys: wallet.keys().iter().map(ToString::to_string).collect(),
            dust_sompi: predecessor.dust,
        }
    }
}

impl KeysConfig {
    /// Name of the file, and of the key in a Kubernetes Secret, that holds the signing key.
    pub const SIGNING_KEY: &str = "signing.key";
    /// The same for the transport key.
    pub const TRANSPORT_KEY: &str = "transport.key";
}

impl GroupConfigBuilder {
    /// Adds a member; their order does not matter.
    pub fn member(
        mut self,
        name: impl Into<String>,
        public_key: impl Into<String>,
        transport_id: TransportId,
        addresses: impl IntoIterator<Item = HostPort>,
    ) -> Self {
        self.0.members.push(MemberConfig {
            name: name.into(),
            public_key: public_key.into(),
            transport_id,
            addresses: addresses.into_iter().collect(),
        });
        self
    }

    pub fn quorum(mut self, quorum: u8) -> Self {
        self.0.quorum = Some(quorum);
        self
    }

    pub fn depths(mut self, depths: Depths) -> Self {
        self.0.depths = depths;
        self
    }

    pub fn dust(mut self, dust: Sompi) -> Self {
        self.0.dust_sompi = dust;
        self
    }

    /// The group's coins come from another one.
    pub fn after(mut self, predecessor: PredecessorConfig) -> Self {
        self.0.predecessor = Some(predecessor);
        self
    }

    /// The shared part, checked to be a group.
    pub fn build(self) -> Result<GroupConfig, GroupError> {
        self.0.group()?;
        Ok(self.0)
    }
}
