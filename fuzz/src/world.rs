//! The small world of a conversation: events, coins, a policy, and the times and depths of a simulated network.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::{
    BatchRules, Evidence, Millis, Policy, SourceName, SourceRules, Timing, UnixSeconds, VerifiedEvent,
    Volume, VolumeScope, VolumeWindow,
};
use igra_group::{Group, Network, Sompi};
use igra_tx::{
    ChainView, Coin, Draft, EventKey, FeeLimits, FeeRate, Outpoint, PayloadHash, Payment, Proposal, Purpose,
    Script, TransactionId,
};

pub const KAS: u64 = 100_000_000;
/// DAA score at the start.
pub const TIP: u64 = 100;
/// The coins of the group: enough for a consolidation.
pub const COINS: u8 = 12;
pub const TIMING: Timing = Timing {
    view_timeout: Millis(1_000),
    view_timeout_cap: Millis(8_000),
    rank_delay: Millis(200),
    catch_up: Millis(2_000),
};

pub fn policy() -> Policy {
    let window = VolumeWindow::Rolling { seconds: 60 };
    Policy {
        internal: Default::default(),
        amount_min: Sompi(KAS),
        amount_max: Some(Sompi(7 * KAS)),
        volumes: vec![Volume { window, limit: Sompi(60 * KAS), scope: VolumeScope::Group }],
        allow: (0..3).map(recipient).collect(),
        sources: [(source(), SourceRules { deadline_seconds: 1_000 })].into(),
        fee: FeeLimits { max_sompi_per_gram: 2_000, max: Sompi(5 * KAS) },
        batch: BatchRules { most: 4, wait: Millis(500) },
        replace_after: Millis(3_000),
    }
}

fn source() -> SourceName {
    SourceName("talk".to_owned())
}

fn recipient(index: u8) -> Script {
    Script { version: 0, bytes: [&[0x20][..], &[index; 32], &[0xac]].concat() }
}

/// An event by its number; numbers of one remainder have the same payee, and some are beyond the policy.
pub fn event(id: u8) -> VerifiedEvent {
    let (recipient, amount) = (recipient(id % 4), Sompi(u64::from(1 + id % 8) * KAS));
    VerifiedEvent {
        payment: Payment {
            event: EventKey::derive(Network::Simnet, "talk", "", &[id]),
            payload: PayloadHash::derive(&recipient, amount, &[]),
            recipient,
            amount,
        },
        source: source(),
        deadline: (id % 16 == 15).then_some(UnixSeconds(1_000_030)),
        memo: String::new(),
        evidence: Evidence { source: source(), bytes: vec![id] },
    }
}

/// What the verifier makes of evidence.
pub fn verified(evidence: &Evidence) -> Option<VerifiedEvent> {
    let [id] = evidence.bytes.as_slice() else { return None };
    (evidence.source == source()).then(|| event(*id))
}

/// The coins whose bits are set.
pub fn coins(group: &Group, bits: u16) -> Vec<Coin> {
    (0..COINS).filter(|number| bits & (1 << number) != 0).map(|number| coin(group, number)).collect()
}

fn coin(group: &Group, number: u8) -> Coin {
    Coin {
        outpoint: Outpoint { transaction: TransactionId::from_bytes([number; 32]), index: 0 },
        amount: Sompi(u64::from(number + 2) * KAS),
        script: Script::of_wallet(group.wallet()),
        daa_score: 1,
        coinbase: false,
    }
}

/// A proposal as a member that sees these coins drafts it.
pub fn draft(group: &Group, coins: Vec<Coin>, what: u8, events: &[VerifiedEvent]) -> Option<Proposal> {
    let view = ChainView {
        virtual_daa: TIP,
        coins: coins.into_iter().map(|coin| (coin.outpoint, coin)).collect::<BTreeMap<_, _>>(),
        own: BTreeSet::new(),
        fee_rate: FeeRate::new(100),
    };
    let payments: Vec<Payment> = events.iter().map(|event| event.payment.clone()).collect();
    let keys: Vec<EventKey> = payments.iter().map(|payment| payment.event).collect();
    let outpoints: BTreeSet<Outpoint> = view.coins.keys().copied().collect();
    let home = Script::of_wallet(group.wallet());
    let purpose = match what % 5 {
        0 => Purpose::Pay(&payments),
        1 => Purpose::Void(&keys),
        2 => Purpose::Consolidate,
        3 => Purpose::Sweep(&outpoints),
        _ => Purpose::Migrate(&home),
    };
    let (tags, avoid) = (BTreeSet::new(), BTreeSet::new());
    let limits = policy().fee;
    let order = Draft { purpose, tags: &tags, limits: &limits, avoid: &avoid, must_share: &[] };
    igra_tx::draft(group, &view, &order).ok()
}
