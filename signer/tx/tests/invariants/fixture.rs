//! Groups with keys, coins and payments that differ in a number.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::{
    Depths, Digest, Group, Member, MemberIndex, MemberKey, Network, SignatureScheme, Sompi, TransportId,
};
use igra_tx::{
    ChainView, CheckError, Coin, Draft, DraftError, EventKey, FeeLimits, FeeRate, Outpoint, Partial,
    PayloadHash, Payment, Proposal, Purpose, Script, SigHash, Signature, Terms, TransactionId, sign,
};
use secp256k1::{Keypair, Message, SECP256K1, SecretKey};

pub const KAS: u64 = 100_000_000;
pub const NOW: u64 = 1_000_000;
pub const LIMITS: FeeLimits = FeeLimits { max_sompi_per_gram: 1_000, max: Sompi(KAS) };

/// A group with its members' keys, in script order.
pub struct Keyed {
    pub group: Group,
    keys: Vec<Keypair>,
}

pub fn keyed(needed: u8, members: u8) -> Keyed {
    keyed_with(SignatureScheme::Schnorr, needed, members)
}

pub fn keyed_with(scheme: SignatureScheme, needed: u8, members: u8) -> Keyed {
    let pairs: Vec<Keypair> = (1..=members).map(keypair).collect();
    let list = pairs.iter().enumerate().map(|(i, pair)| member(scheme, i as u8, pair)).collect();
    let group =
        Group::new(Network::Simnet, scheme, needed, None, list, Depths::default(), Group::DEFAULT_DUST)
            .unwrap();
    let of = |member: &Member| *pairs.iter().find(|pair| member_key(scheme, pair) == member.key).unwrap();
    let keys = group.members().iter().map(of).collect();
    Keyed { group, keys }
}

fn keypair(seed: u8) -> Keypair {
    Keypair::from_secret_key(SECP256K1, &SecretKey::from_slice(&[seed; 32]).unwrap())
}

fn member(scheme: SignatureScheme, seed: u8, pair: &Keypair) -> Member {
    let transport = TransportId(Digest([seed; 32]));
    Member { name: format!("member-{seed}"), key: member_key(scheme, pair), transport }
}

fn member_key(scheme: SignatureScheme, pair: &Keypair) -> MemberKey {
    let bytes = match scheme {
        SignatureScheme::Schnorr => pair.x_only_public_key().0.serialize().to_vec(),
        SignatureScheme::Ecdsa => pair.public_key().serialize().to_vec(),
    };
    MemberKey::from_bytes(scheme, bytes).unwrap()
}

impl Keyed {
    /// What the member's key answers.
    pub fn signature(&self, member: u8, hash: &SigHash) -> Signature {
        let (pair, message) = (&self.keys[usize::from(member)], Message::from_digest(hash.0));
        match self.group.wallet().scheme() {
            SignatureScheme::Schnorr => {
                Signature(SECP256K1.sign_schnorr_no_aux_rand(&message, pair).serialize())
            }
            SignatureScheme::Ecdsa => {
                Signature(SECP256K1.sign_ecdsa(&message, &pair.secret_key()).serialize_compact())
            }
        }
    }

    pub fn partial(&self, proposal: &Proposal, member: u8) -> Partial {
        sign(&self.group, proposal, MemberIndex(member), |hash| self.signature(member, hash)).unwrap()
    }

    pub fn partials(&self, proposal: &Proposal, members: &[u8]) -> BTreeMap<MemberIndex, Partial> {
        members.iter().map(|member| (MemberIndex(*member), self.partial(proposal, *member))).collect()
    }

    /// A coin of the group, deep enough.
    pub fn coin(&self, number: u8, amount: u64) -> Coin {
        Coin {
            outpoint: outpoint(number),
            amount: Sompi(amount),
            script: Script::of_wallet(self.group.wallet()),
            daa_score: 7,
            coinbase: false,
        }
    }

    pub fn view(&self, amounts: &[u64]) -> ChainView {
        let coins = amounts.iter().enumerate().map(|(i, amount)| self.coin(i as u8 + 1, *amount));
        view_of(coins)
    }

    /// A good proposal: two payments from two coins, with change.
    pub fn good(&self) -> Good {
        let view = self.view(&[9 * KAS, 7 * KAS, 2 * KAS]);
        let payments = [payment(1, 5 * KAS), payment(2, 6 * KAS)];
        let proposal = draft(&self.group, &view, &payments, &LIMITS, &BTreeSet::new(), &[]).unwrap();
        Good { view, payments, proposal }
    }
}

pub struct Good {
    pub view: ChainView,
    pub payments: [Payment; 2],
    pub proposal: Proposal,
}

pub fn view_of(coins: impl IntoIterator<Item = Coin>) -> ChainView {
    ChainView {
        virtual_daa: NOW,
        coins: coins.into_iter().map(|coin| (coin.outpoint, coin)).collect(),
        own: BTreeSet::new(),
        fee_rate: FeeRate::new(100),
    }
}

pub fn outpoint(number: u8) -> Outpoint {
    Outpoint { transaction: TransactionId::from_bytes([number; 32]), index: u32::from(number) }
}

pub fn payment(number: u8, amount: u64) -> Payment {
    let (recipient, amount) = (recipient(number), Sompi(amount));
    let event = EventKey::derive(Network::Simnet, "request", "test", &[number]);
    Payment { event, payload: PayloadHash::derive(&recipient, amount, b""), recipient, amount }
}

/// A key that is nobody's here.
pub fn recipient(number: u8) -> Script {
    let key = keypair(100 + number).x_only_public_key().0.serialize();
    Script { version: 0, bytes: [&[0x20], key.as_slice(), &[0xac]].concat() }
}

/// A draft for payments.
pub fn draft(
    group: &Group,
    view: &ChainView,
    payments: &[Payment],
    limits: &FeeLimits,
    avoid: &BTreeSet<Outpoint>,
    must_share: &[&Proposal],
) -> Result<Proposal, DraftError> {
    let (purpose, tags) = (Purpose::Pay(payments), &BTreeSet::new());
    igra_tx::draft(group, view, &Draft { purpose, tags, limits, avoid, must_share })
}

/// The check of a proposal that pays.
pub fn check(
    group: &Group,
    view: &ChainView,
    proposal: &Proposal,
    payments: &[Payment],
    limits: &FeeLimits,
) -> Result<(), CheckError> {
    igra_tx::check(group, view, proposal, &Terms { payments, successor: None, limits })
}
