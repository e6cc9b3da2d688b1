//! Scripts of outputs, and the addresses that stand for them.

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{Network, Wallet};
use kaspa_addresses::Address;
use kaspa_txscript::{extract_script_pub_key_address, pay_to_address_script, script_class::ScriptClass};

use crate::kaspa;

/// The script of an output: who may spend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Script {
    pub version: u16,
    pub bytes: Vec<u8>,
}

/// Why a text is not an address that a group on this network may pay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("\"{text}\" is not a kaspa address; one on {network} begins with \"{}:\"", network.address_prefix())]
    NotAnAddress { network: Network, text: String },
    #[error("\"{text}\" is an address of another network; one on {network} begins with \"{}:\"", network.address_prefix())]
    OtherNetwork { network: Network, text: String },
}

impl Script {
    /// Bytes of the longest script that a node relays in an output.
    pub const MAX_BYTES: usize = 35;

    /// The script that an address stands for. The address must be of the given network and in its one written form.
    pub fn of_address(network: Network, text: &str) -> Result<Self, AddressError> {
        let not_an_address = || AddressError::NotAnAddress { network, text: shortened(text) };
        let address = Address::try_from(text).map_err(|_| not_an_address())?;
        if address.payload.len() != address.version.public_key_len() || address.to_string() != text {
            return Err(not_an_address());
        }
        if address.prefix != network.address_prefix() {
            return Err(AddressError::OtherNetwork { network, text: text.to_owned() });
        }
        Ok(kaspa::from_script_public_key(&pay_to_address_script(&address)))
    }

    /// The script of the wallet's own outputs.
    pub fn of_wallet(wallet: &Wallet) -> Self {
        Self { version: 0, bytes: wallet.output_script() }
    }

    /// The address that stands for this script on a network, if there is one.
    pub fn to_address(&self, network: Network) -> Option<String> {
        let script = kaspa::script_public_key(self);
        extract_script_pub_key_address(&script, network.address_prefix())
            .ok()
            .map(|address| address.to_string())
    }

    /// Whether nodes relay outputs with this script: a key, an ECDSA key, or a script hash.
    pub fn is_standard(&self) -> bool {
        !matches!(ScriptClass::from_script(&kaspa::script_public_key(self)), ScriptClass::NonStandard)
    }
}

/// As much of a text from outside as an error needs to show.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 100;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
