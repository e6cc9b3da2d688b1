//! Events as the outside world makes them, in the form that travels, and the policy that judges them.

use crate::scenario::Scenario;
use igra_core::{
    BatchRules, Consolidate, Evidence, InternalRules, Millis, Policy, SourceName, SourceRules, UnixSeconds,
    VerifiedEvent, Volume, VolumeScope, VolumeWindow,
};
use igra_group::{Network, Sompi};
use igra_tx::{EventKey, FeeLimits, PayloadHash, Payment, Script};

const MAX_AMOUNT: Sompi = Sompi(2_000_000_000);

/// How long the volume rule looks back.
pub const VOLUME_SECONDS: u64 = 20;

/// The policy of every signer of a scenario, with a volume rule unless its limit is 0.
pub fn policy_of(scenario: &Scenario) -> Policy {
    let limit = scenario.volume;
    let window = VolumeWindow::Rolling { seconds: VOLUME_SECONDS };
    let rule = Volume { window, limit: Sompi(limit), scope: VolumeScope::Group };
    let rules = SourceRules { deadline_seconds: scenario.deadline_seconds };
    Policy {
        volumes: (limit > 0).then_some(rule).into_iter().collect(),
        sources: [(SourceName("feed".to_owned()), rules)].into(),
        batch: BatchRules { most: scenario.batch, wait: Millis(scenario.batch_wait_ms) },
        internal: InternalRules {
            consolidate: scenario.consolidates.then_some(Consolidate { coins: 8, max_sompi_per_gram: 130 }),
            ..InternalRules::default()
        },
        ..policy()
    }
}

/// What all of them have in common.
pub fn policy() -> Policy {
    Policy {
        amount_min: Sompi(50_000_000),
        amount_max: Some(MAX_AMOUNT),
        volumes: Vec::new(),
        allow: (0..4).map(recipient).collect(),
        sources: [(SourceName("feed".to_owned()), SourceRules { deadline_seconds: 1_000_000 })].into(),
        internal: Default::default(),
        fee: FeeLimits { max_sompi_per_gram: 2_000, max: Sompi(500_000_000) },
        batch: BatchRules::default(),
        replace_after: Millis(3_000),
    }
}

/// One outside fact in the form that travels as evidence.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    pub id: u64,
    pub recipient: u8,
    pub amount: u64,
    /// 0: none.
    pub deadline: u64,
}

impl Fact {
    /// The policy of every signer denies it.
    pub fn is_forbidden(&self) -> bool {
        self.amount > MAX_AMOUNT.0 || self.recipient >= 4
    }

    fn evidence(&self) -> Evidence {
        let mut bytes = vec![self.recipient];
        bytes.extend([self.id, self.amount, self.deadline].iter().flat_map(|number| number.to_le_bytes()));
        Evidence { source: SourceName("feed".to_owned()), bytes }
    }

    /// The event that the fact proves.
    pub fn event(&self) -> VerifiedEvent {
        read(&self.evidence()).expect("a fact's own evidence reads")
    }
}

/// What evidence says; whether it proves that is the model's to tell.
pub fn read(evidence: &Evidence) -> Option<VerifiedEvent> {
    let (recipient_index, numbers) = evidence.bytes.split_first()?;
    let number = |at: usize| Some(u64::from_le_bytes(numbers.get(at * 8..at * 8 + 8)?.try_into().ok()?));
    let (id, amount, deadline) = (number(0)?, Sompi(number(1)?), number(2)?);
    let recipient = recipient(*recipient_index);
    let event = EventKey::derive(Network::Simnet, "feed", "simulator", &id.to_le_bytes());
    let payload = PayloadHash::derive(&recipient, amount, &deadline.to_le_bytes());
    Some(VerifiedEvent {
        payment: Payment { event, payload, recipient, amount },
        source: evidence.source.clone(),
        deadline: (deadline > 0).then_some(UnixSeconds(deadline)),
        memo: String::new(),
        evidence: evidence.clone(),
    })
}

/// A pay-to-public-key script; nobody in a simulation spends from it.
fn recipient(index: u8) -> Script {
    let mut bytes = vec![0x20];
    bytes.extend([index.wrapping_add(1); 32]);
    bytes.push(0xac);
    Script { version: 0, bytes }
}
