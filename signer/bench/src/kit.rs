//! Groups with keys, coins and payments of any size, the same ones in every run.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::{Evidence, SourceName, VerifiedEvent};
use igra_group::{
    Depths, Digest, Group, Member, MemberIndex, MemberKey, Network, SignatureScheme, Sompi, TransportId,
};
use igra_tx::{
    ChainView, Coin, Draft, EventKey, FeeLimits, FeeRate, Outpoint, Partial, PayloadHash, Payment, Proposal,
    Purpose, Script, SigHash, Signature, TransactionId,
};
use secp256k1::{Keypair, Message, SECP256K1, SecretKey};

/// Fees as high as anybody likes: the benches measure other things.
pub const LIMITS: FeeLimits = FeeLimits { max_sompi_per_gram: u64::MAX, max: Sompi(u64::MAX) };
const KAS: u64 = igra_group::SOMPI_PER_KAS;

/// A group of m of n with all its keys, in script order.
pub struct Keyed {
    pub group: Group,
    keys: Vec<Keypair>,
}

impl Keyed {
    pub fn new(needed: u8, members: u8) -> Self {
        let pairs: Vec<Keypair> = (1..=members).map(keypair).collect();
        let list = pairs.iter().enumerate().map(|(place, pair)| member(place as u8, pair)).collect();
        let group = Group::new(
            Network::Simnet,
            SignatureScheme::Schnorr,
            needed,
            None,
            list,
            Depths::default(),
            Group::DEFAULT_DUST,
        )
        .expect("m of n within bounds is a group");
        let of = |member: &Member| *pairs.iter().find(|pair| key_of(pair) == member.key).expect("it is one");
        let keys = group.members().iter().map(of).collect();
        Self { group, keys }
    }

    pub fn sign(&self, proposal: &Proposal, member: u8) -> Partial {
        let key = &self.keys[usize::from(member)];
        let sign = |hash: &SigHash| {
            Signature(SECP256K1.sign_schnorr_no_aux_rand(&Message::from_digest(hash.0), key).serialize())
        };
        igra_tx::sign(&self.group, proposal, MemberIndex(member), sign).expect("the key is the member's")
    }

    /// Partials of the first m members.
    pub fn enough_partials(&self, proposal: &Proposal) -> BTreeMap<MemberIndex, Partial> {
        let members = 0..self.group.threshold().needed();
        members.map(|member| (MemberIndex(member), self.sign(proposal, member))).collect()
    }

    /// A view with so many coins of one KAS.
    pub fn view(&self, coins: usize) -> ChainView {
        let coin = |number: usize| Coin {
            outpoint: Outpoint { transaction: id(number), index: 0 },
            amount: Sompi(KAS),
            script: Script::of_wallet(self.group.wallet()),
            daa_score: 1,
            coinbase: false,
        };
        ChainView {
            virtual_daa: 10_000_000,
            coins: (0..coins).map(coin).map(|coin| (coin.outpoint, coin)).collect(),
            own: BTreeSet::new(),
            fee_rate: FeeRate::new(100),
        }
    }

    /// The payment that needs all coins of such a view, and its proposal.
    pub fn proposal(&self, view: &ChainView) -> (Payment, Proposal) {
        let payment = payment(1, view.coins.len() as u64 * KAS - KAS / 2);
        let (tags, avoid) = (BTreeSet::new(), BTreeSet::new());
        let purpose = Purpose::Pay(std::slice::from_ref(&payment));
        let draft = Draft { purpose, tags: &tags, limits: &LIMITS, avoid: &avoid, must_share: &[] };
        let proposal = igra_tx::draft(&self.group, view, &draft).expect("the coins are enough");
        (payment, proposal)
    }
}

pub fn payment(number: u64, sompi: u64) -> Payment {
    let (recipient, amount) = (recipient(), Sompi(sompi));
    let payload = PayloadHash::derive(&recipient, amount, &[]);
    let event = EventKey::derive(Network::Simnet, "bench", "", &number.to_le_bytes());
    Payment { event, payload, recipient, amount }
}

pub fn event(number: u64) -> VerifiedEvent {
    let source = SourceName("bench".to_owned());
    VerifiedEvent {
        payment: payment(number, KAS),
        source: source.clone(),
        deadline: None,
        memo: String::new(),
        evidence: Evidence { source, bytes: number.to_le_bytes().to_vec() },
    }
}

/// Somebody to pay.
pub fn recipient() -> Script {
    let key = keypair(99).x_only_public_key().0.serialize();
    Script { version: 0, bytes: [&[0x20], key.as_slice(), &[0xac]].concat() }
}

fn id(number: usize) -> TransactionId {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    TransactionId::from_bytes(bytes)
}

fn keypair(seed: u8) -> Keypair {
    let secret = SecretKey::from_slice(&[seed; 32]).expect("a small number is a secret key");
    Keypair::from_secret_key(SECP256K1, &secret)
}

fn key_of(pair: &Keypair) -> MemberKey {
    let bytes = pair.x_only_public_key().0.serialize().to_vec();
    MemberKey::from_bytes(SignatureScheme::Schnorr, bytes).expect("a public key is on the curve")
}

fn member(seed: u8, pair: &Keypair) -> Member {
    Member { name: format!("member-{seed}"), key: key_of(pair), transport: TransportId(Digest([seed; 32])) }
}
