//! The Kaspa networks a group can live on.

use std::{fmt, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize};
use kaspa_addresses::Prefix;
use serde::{Deserialize, Serialize};

/// A Kaspa network, by the name its nodes use.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    Mainnet,
    #[serde(rename = "testnet-10")]
    Testnet10,
    Devnet,
    Simnet,
}

/// A text that names no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no network; there are mainnet, testnet-10, devnet and simnet")]
pub struct UnknownNetwork(String);

impl Network {
    pub const ALL: [Self; 4] = [Self::Mainnet, Self::Testnet10, Self::Devnet, Self::Simnet];

    /// The network id as a Kaspa node reports it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Testnet10 => "testnet-10",
            Self::Devnet => "devnet",
            Self::Simnet => "simnet",
        }
    }

    /// What addresses of the network begin with.
    pub fn address_prefix(self) -> Prefix {
        match self {
            Self::Mainnet => Prefix::Mainnet,
            Self::Testnet10 => Prefix::Testnet,
            Self::Devnet => Prefix::Devnet,
            Self::Simnet => Prefix::Simnet,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Network {
    type Err = UnknownNetwork;
    fn from_str(text: &str) -> Result<Self, UnknownNetwork> {
        Self::ALL
            .into_iter()
            .find(|network| network.as_str() == text)
            .ok_or_else(|| UnknownNetwork(text.to_owned()))
    }
}
