//! A group as its members see it: the wallet, who holds which key, and the terms all of them must share.

use std::{fmt, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    ConfigDigest, Digest, GroupId, MemberKey, Network, Predecessor, Quorum, SignatureScheme, Sompi,
    Threshold, ThresholdError, Wallet, WalletError, tagged_hash,
};

const CONFIG_DIGEST_TAG: &str = "igra.dev 2026 config digest v1";

/// A member's place in the order of the redeem script.
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
#[serde(transparent)]
pub struct MemberIndex(pub u8);

/// A member's address in gossip: its Ed25519 transport key, 32 bytes; hex as text.
#[derive(
    Clone,
    Copy,
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
#[serde(transparent)]
pub struct TransportId(pub Digest);

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub key: MemberKey,
    pub transport: TransportId,
}

/// Depths, all in DAA score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Depths {
    /// From which own change may be spent.
    pub coin: u64,
    /// From which a coin that came from outside may be spent.
    pub deposit: u64,
    /// From which an accepted payment is reported.
    pub settled: u64,
    /// From which nothing is expected to be undone.
    #[serde(rename = "final")]
    pub final_: u64,
}

/// An m-of-n group: members stand in script order, so that [`MemberIndex`] means the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    wallet: Wallet,
    members: Vec<Member>,
    quorum: Quorum,
    depths: Depths,
    dust: Sompi,
    predecessor: Option<Predecessor>,
}

/// Why members and terms make no group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    #[error(transparent)]
    Wallet(#[from] WalletError),
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    #[error("two members have the same name, {0}")]
    SameName(String),
    #[error("members {0} and {1} have the same transport id")]
    SameTransport(String, String),
    #[error("depths must satisfy coin <= settled <= final and deposit <= final, with settled at least 1")]
    Depths,
    #[error("on mainnet the final depth is at least {}", Depths::MAINNET_FINAL)]
    MainnetFinal,
    #[error("the predecessor is the group itself")]
    OwnPredecessor,
    #[error("the predecessor is on another network")]
    ForeignPredecessor,
}

impl Depths {
    /// Kaspa's merge depth: 36 000 blocks, one hour at ten a second.
    pub const MAINNET_FINAL: u64 = 36_000;
}

impl Default for Depths {
    fn default() -> Self {
        Self { coin: 100, deposit: 1_000, settled: 1_000, final_: Self::MAINNET_FINAL }
    }
}

impl Group {
    /// Below this an output costs more storage mass than a transaction may have: 0.02 KAS.
    pub const DEFAULT_DUST: Sompi = Sompi(2_000_000);

    /// A group of these members, in any order; without a quorum the default one.
    pub fn new(
        network: Network,
        scheme: SignatureScheme,
        needed: u8,
        quorum: Option<u8>,
        mut members: Vec<Member>,
        depths: Depths,
        dust: Sompi,
    ) -> Result<Self, GroupError> {
        let wallet = Wallet::new(network, scheme, needed, members.iter().map(|m| m.key.clone()).collect())?;
        let quorum = Quorum::new(wallet.threshold(), quorum)?;
        members.sort_by(|a, b| a.key.cmp(&b.key));
        refuse_doubles(&members)?;
        let rising = depths.coin <= depths.settled
            && depths.settled <= depths.final_
            && depths.deposit <= depths.final_;
        if !rising || depths.settled == 0 {
            return Err(GroupError::Depths);
        }
        if network == Network::Mainnet && depths.final_ < Depths::MAINNET_FINAL {
            return Err(GroupError::MainnetFinal);
        }
        Ok(Self { wallet, members, quorum, depths, dust, predecessor: None })
    }

    /// The same group, whose coins come from another one.
    pub fn after(self, predecessor: Predecessor) -> Result<Self, GroupError> {
        if predecessor.wallet.network() != self.network() {
            return Err(GroupError::ForeignPredecessor);
        }
        if predecessor.id() == self.id() {
            return Err(GroupError::OwnPredecessor);
        }
        Ok(Self { predecessor: Some(predecessor), ..self })
    }

    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    pub fn id(&self) -> GroupId {
        self.wallet.group_id()
    }

    pub fn network(&self) -> Network {
        self.wallet.network()
    }

    pub fn threshold(&self) -> Threshold {
        self.wallet.threshold()
    }

    pub fn quorum(&self) -> Quorum {
        self.quorum
    }

    pub fn depths(&self) -> Depths {
        self.depths
    }

    /// Coins below this are never an input.
    pub fn dust(&self) -> Sompi {
        self.dust
    }

    /// The group whose coins move here; none for one that begins with coins of its own.
    pub fn predecessor(&self) -> Option<&Predecessor> {
        self.predecessor.as_ref()
    }

    /// Members in script order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    pub fn member(&self, index: MemberIndex) -> Option<&Member> {
        self.members.get(usize::from(index.0))
    }

    /// All indices in script order.
    pub fn indices(&self) -> impl Iterator<Item = MemberIndex> + use<> {
        (0..self.wallet.threshold().members()).map(MemberIndex)
    }

    pub fn index_by_name(&self, name: &str) -> Option<MemberIndex> {
        self.indices().find(|i| self.members[usize::from(i.0)].name == name)
    }

    pub fn index_by_transport(&self, transport: TransportId) -> Option<MemberIndex> {
        self.indices().find(|i| self.members[usize::from(i.0)].transport == transport)
    }

    /// See [`ConfigDigest`].
    pub fn config_digest(&self) -> ConfigDigest {
        let transports: Vec<TransportId> = self.members.iter().map(|m| m.transport).collect();
        let mut bytes = borsh::to_vec(&(self.quorum, self.depths, self.dust, transports))
            .expect("a vector takes all bytes");
        // Members that wait for other coins must not promise anything together. A group without a predecessor keeps
        // the digest that it always had.
        if let Some(predecessor) = &self.predecessor {
            bytes.extend(
                borsh::to_vec(&(predecessor.id(), predecessor.dust)).expect("a vector takes all bytes"),
            );
        }
        ConfigDigest::from_bytes(tagged_hash(CONFIG_DIGEST_TAG, &bytes))
    }
}

fn refuse_doubles(members: &[Member]) -> Result<(), GroupError> {
    for (at, member) in members.iter().enumerate() {
        for other in &members[..at] {
            if other.name == member.name {
                return Err(GroupError::SameName(member.name.clone()));
            }
            if other.transport == member.transport {
                return Err(GroupError::SameTransport(other.name.clone(), member.name.clone()));
            }
        }
    }
    Ok(())
}

impl fmt::Display for TransportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TransportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportId({:?})", self.0)
    }
}

impl FromStr for TransportId {
    type Err = <Digest as FromStr>::Err;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secp256k1::{Keypair, SECP256K1, SecretKey};

    fn member(seed: u8) -> Member {
        let pair = Keypair::from_secret_key(SECP256K1, &SecretKey::from_slice(&[seed; 32]).unwrap());
        let bytes = pair.x_only_public_key().0.serialize().to_vec();
        let key = MemberKey::from_bytes(SignatureScheme::Schnorr, bytes).unwrap();
        Member { name: format!("member-{seed}"), key, transport: TransportId(Digest([seed; 32])) }
    }

    fn group_of(members: Vec<Member>, quorum: u8, depths: Depths, dust: u64) -> Result<Group, GroupError> {
        Group::new(Network::Simnet, SignatureScheme::Schnorr, 2, Some(quorum), members, depths, Sompi(dust))
    }

    fn three() -> Vec<Member> {
        (1..=3).map(member).collect()
    }

    fn plain(members: Vec<Member>) -> Result<Group, GroupError> {
        group_of(members, 2, Depths::default(), 2_000_000)
    }

    #[test]
    fn members_stand_in_script_order_however_they_are_listed() {
        let (group, mut backward) = (plain(three()).unwrap(), three());
        backward.reverse();
        assert_eq!(plain(backward), Ok(group.clone()));
        let keys: Vec<MemberKey> = group.members().iter().map(|member| member.key.clone()).collect();
        assert_eq!(keys, group.wallet().keys());
        for index in group.indices() {
            let member = group.member(index).unwrap();
            assert_eq!(group.index_by_name(&member.name), Some(index));
            assert_eq!(group.index_by_transport(member.transport), Some(index));
        }
        assert_eq!(group.member(MemberIndex(3)), None);
    }

    #[test]
    fn terms_change_the_config_digest_and_not_the_group_id() {
        let depths = |coin, deposit, settled, final_| Depths { coin, deposit, settled, final_ };
        let mut moved = three();
        moved[0].transport = TransportId(Digest([9; 32]));
        let mut renamed = three();
        renamed[0].name = "another".to_owned();
        let group = plain(three()).unwrap();
        let mut digests = vec![group.config_digest()];
        for other in [
            group_of(three(), 3, Depths::default(), 2_000_000),
            group_of(three(), 2, Depths::default(), 2_000_001),
            group_of(three(), 2, depths(101, 1_000, 1_000, 36_000), 2_000_000),
            group_of(three(), 2, depths(100, 1_001, 1_000, 36_000), 2_000_000),
            group_of(three(), 2, depths(100, 1_000, 1_001, 36_000), 2_000_000),
            group_of(three(), 2, depths(100, 1_000, 1_000, 36_001), 2_000_000),
            plain(moved),
        ] {
            let other = other.unwrap();
            assert_eq!(other.id(), group.id());
            assert!(!digests.contains(&other.config_digest()));
            digests.push(other.config_digest());
        }
        assert_eq!(plain(renamed).unwrap().config_digest(), group.config_digest());
    }

    #[test]
    fn a_predecessor_changes_the_config_digest_and_is_another_group_of_the_same_network() {
        let wallet = |network, seeds: std::ops::RangeInclusive<u8>| {
            let keys = seeds.map(|seed| member(seed).key).collect();
            Wallet::new(network, SignatureScheme::Schnorr, 2, keys).unwrap()
        };
        let of = |wallet, dust| Predecessor { wallet, dust: Sompi(dust) };
        let group = plain(three()).unwrap();
        let after = |predecessor| group.clone().after(predecessor);
        let old = || wallet(Network::Simnet, 4..=6);
        let (one, other) = (after(of(old(), 1)).unwrap(), after(of(old(), 2)).unwrap());
        assert_eq!(one.id(), group.id());
        assert_eq!(one.predecessor().map(Predecessor::id), Some(old().group_id()));
        assert_ne!(one.config_digest(), group.config_digest());
        assert_ne!(one.config_digest(), other.config_digest());
        assert_eq!(after(of(group.wallet().clone(), 1)), Err(GroupError::OwnPredecessor));
        let foreign = of(wallet(Network::Devnet, 4..=6), 1);
        assert_eq!(after(foreign), Err(GroupError::ForeignPredecessor));
    }

    #[test]
    fn ids_and_address_are_these_on_every_machine() {
        let group = plain(three()).unwrap();
        let found =
            [group.id().to_string(), group.config_digest().to_string(), group.wallet().address().to_string()];
        assert_eq!(
            found,
            [
                "f5be7c724cea81bbc3c2fcb884c228628be86ff06c8abf42d24f064f3b843c16",
                "5abea97c5424b31ac7a55c1acba564bd9d59eb7b2b7a2a063456aca25a7b940e",
                "kaspasim:pqvhf8yc9fnttg7qtnh2w0wnqqy48qknytqezq2d6ptheh2qhffqx6r62uc9g",
            ]
        );
    }

    #[test]
    fn members_that_share_a_name_a_transport_or_a_key_make_no_group() {
        let with = |change: fn(&mut Member, &Member)| {
            let mut members = three();
            let first = members[0].clone();
            change(&mut members[2], &first);
            plain(members).unwrap_err()
        };
        assert!(matches!(with(|m, first| m.name = first.name.clone()), GroupError::SameName(_)));
        assert!(matches!(with(|m, first| m.transport = first.transport), GroupError::SameTransport(_, _)));
        let same_key = with(|m, first| m.key = first.key.clone());
        assert!(matches!(same_key, GroupError::Wallet(WalletError::SameKey(_))));
    }

    #[test]
    fn depths_rise_and_mainnet_waits_an_hour() {
        let refused = |coin, deposit, settled, final_| {
            group_of(three(), 2, Depths { coin, deposit, settled, final_ }, 0).err()
        };
        assert_eq!(refused(0, 0, 1, 1), None);
        for (coin, deposit, settled, final_) in [(2, 0, 1, 9), (0, 9, 1, 8), (0, 0, 9, 8), (0, 0, 0, 9)] {
            assert_eq!(refused(coin, deposit, settled, final_), Some(GroupError::Depths));
        }
        let short = Depths { final_: 35_999, ..Depths::default() };
        let mainnet = Group::new(
            Network::Mainnet,
            SignatureScheme::Schnorr,
            2,
            None,
            three(),
            short,
            Group::DEFAULT_DUST,
        );
        assert_eq!(mainnet, Err(GroupError::MainnetFinal));
    }
}
