//! The wallet of a group: network, scheme, threshold and keys in script order, and the script, address and id that
//! follow from them.

use kaspa_addresses::{Address, Version};

use crate::{GroupId, KeyError, MemberKey, Network, SignatureScheme, Threshold, ThresholdError, tagged_hash};

const GROUP_ID_TAG: &str = "igra.dev 2026 group id v1";

/// An m-of-n multisig wallet. Keys stand in ascending order of their bytes: the order of the redeem script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    network: Network,
    scheme: SignatureScheme,
    threshold: Threshold,
    keys: Vec<MemberKey>,
}

/// Why keys and threshold make no wallet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("two members have the same key, {0}")]
    SameKey(MemberKey),
}

impl Wallet {
    /// A wallet of these keys, in any order.
    pub fn new(
        network: Network,
        scheme: SignatureScheme,
        needed: u8,
        mut keys: Vec<MemberKey>,
    ) -> Result<Self, WalletError> {
        let threshold = Threshold::new(network, needed, keys.len())?;
        keys.sort();
        for (at, key) in keys.iter().enumerate() {
            // 02X and 03X are one secret, so keys are compared by their x coordinate.
            if keys[..at].iter().any(|other| other.x_only() == key.x_only()) {
                return Err(WalletError::SameKey(key.clone()));
            }
        }
        Ok(Self { network, scheme, threshold, keys })
    }

    pub fn network(&self) -> Network {
        self.network
    }

    pub fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The members' keys in script order.
    pub fn keys(&self) -> &[MemberKey] {
        &self.keys
    }

    /// `OP_m <key>… OP_n OP_CHECKMULTISIG`, as Kaspa's script engine reads it.
    pub fn redeem_script(&self) -> Vec<u8> {
        const OP_1: u8 = 0x51;
        const OP_CHECKMULTISIG_ECDSA: u8 = 0xa9;
        const OP_CHECKMULTISIG: u8 = 0xae;
        let mut script = vec![OP_1 - 1 + self.threshold.needed()];
        for key in &self.keys {
            script.push(key.as_bytes().len() as u8);
            script.extend_from_slice(key.as_bytes());
        }
        script.push(OP_1 - 1 + self.threshold.members());
        script.push(match self.scheme {
            SignatureScheme::Schnorr => OP_CHECKMULTISIG,
            SignatureScheme::Ecdsa => OP_CHECKMULTISIG_ECDSA,
        });
        script
    }

    /// blake2b-256 of the redeem script: what the P2SH output commits to.
    pub fn script_hash(&self) -> [u8; 32] {
        let hash = blake2b_simd::Params::new().hash_length(32).hash(&self.redeem_script());
        hash.as_bytes().try_into().expect("blake2b was asked for 32 bytes")
    }

    /// The script of the wallet's own outputs, `OP_BLAKE2B <script hash> OP_EQUAL`; version 0.
    pub fn output_script(&self) -> Vec<u8> {
        const OP_BLAKE2B: u8 = 0xaa;
        const OP_EQUAL: u8 = 0x87;
        let mut script = vec![OP_BLAKE2B, 32];
        script.extend_from_slice(&self.script_hash());
        script.push(OP_EQUAL);
        script
    }

    /// Where to pay the group.
    pub fn address(&self) -> Address {
        Address::try_new(self.network.address_prefix(), Version::ScriptHash, &self.script_hash())
            .expect("a script hash has the length that its address version asks for")
    }

    /// The wallet's identity: see [`GroupId`].
    pub fn group_id(&self) -> GroupId {
        let mut bytes = borsh::to_vec(&(self.network, self.scheme, self.threshold.needed()))
            .expect("a vector takes all bytes");
        bytes.extend(borsh::to_vec(&self.keys).expect("a vector takes all bytes"));
        GroupId::from_bytes(tagged_hash(GROUP_ID_TAG, &bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaspa_txscript::{
        extract_script_pub_key_address, multisig_redeem_script, multisig_redeem_script_ecdsa,
        pay_to_script_hash_script,
    };
    use proptest::prelude::*;
    use secp256k1::{Keypair, SECP256K1, SecretKey};

    fn keypairs(seed: u8, count: u8) -> Vec<Keypair> {
        let secret = |i| SecretKey::from_slice(&[seed.max(1), i + 1].repeat(16)).unwrap();
        (0..count).map(|i| Keypair::from_secret_key(SECP256K1, &secret(i))).collect()
    }

    fn schnorr_keys(seed: u8, count: u8) -> Vec<MemberKey> {
        let bytes = |pair: &Keypair| pair.x_only_public_key().0.serialize().to_vec();
        keypairs(seed, count)
            .iter()
            .map(|p| MemberKey::from_bytes(SignatureScheme::Schnorr, bytes(p)).unwrap())
            .collect()
    }

    fn ecdsa_keys(seed: u8, count: u8) -> Vec<MemberKey> {
        let bytes = |pair: &Keypair| pair.public_key().serialize().to_vec();
        keypairs(seed, count)
            .iter()
            .map(|p| MemberKey::from_bytes(SignatureScheme::Ecdsa, bytes(p)).unwrap())
            .collect()
    }

    proptest! {
        #[test]
        fn script_and_address_are_those_of_kaspas_own_code(seed: u8, n in 1u8..=15, m in 1u8..=15) {
            prop_assume!(m <= n);
            for network in Network::ALL.into_iter().filter(|network| *network != Network::Mainnet || m > 1) {
                let wallet = Wallet::new(network, SignatureScheme::Schnorr, m, schnorr_keys(seed, n)).unwrap();
                let keys = wallet.keys().iter().map(MemberKey::x_only);
                let script = multisig_redeem_script(keys, m.into()).unwrap();
                let output = pay_to_script_hash_script(&script);
                prop_assert_eq!(&wallet.redeem_script(), &script);
                let output_script = wallet.output_script();
                prop_assert_eq!(output_script.as_slice(), output.script());
                let address = extract_script_pub_key_address(&output, network.address_prefix()).unwrap();
                prop_assert_eq!(wallet.address(), address);
            }
        }

        #[test]
        fn an_ecdsa_script_is_that_of_kaspas_own_code(seed: u8, n in 1u8..=15) {
            let wallet = Wallet::new(Network::Simnet, SignatureScheme::Ecdsa, n, ecdsa_keys(seed, n)).unwrap();
            let keys = wallet.keys().iter().map(|key| <[u8; 33]>::try_from(key.as_bytes()).unwrap());
            prop_assert_eq!(wallet.redeem_script(), multisig_redeem_script_ecdsa(keys, n.into()).unwrap());
        }

        #[test]
        fn the_order_in_which_members_are_listed_changes_nothing(seed: u8, n in 2u8..=15) {
            let (forward, mut backward) = (schnorr_keys(seed, n), schnorr_keys(seed, n));
            backward.reverse();
            let of = |keys| Wallet::new(Network::Simnet, SignatureScheme::Schnorr, 2, keys).unwrap();
            prop_assert_eq!(of(forward).group_id(), of(backward).group_id());
        }
    }

    #[test]
    fn any_part_of_the_wallet_changes_its_id() {
        let of = |network, m, seed| {
            Wallet::new(network, SignatureScheme::Schnorr, m, schnorr_keys(seed, 3)).unwrap().group_id()
        };
        let ids = [
            of(Network::Simnet, 2, 1),
            of(Network::Devnet, 2, 1),
            of(Network::Simnet, 3, 1),
            of(Network::Simnet, 2, 2),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id));
        }
    }

    #[test]
    fn the_same_secret_twice_is_refused() {
        let mut keys = schnorr_keys(1, 2);
        keys.push(keys[0].clone());
        assert!(matches!(
            Wallet::new(Network::Simnet, SignatureScheme::Schnorr, 2, keys),
            Err(WalletError::SameKey(_))
        ));
    }
}
