//! What the group may pay: the verdict on an event is a pure function of event, policy, counters and time.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{Sompi, digest_type, tagged_hash};
use igra_tx::{EventKey, FeeLimits, Script};
use serde::Serialize;

use crate::{
    Millis, SourceName, UnixSeconds, VerifiedEvent,
    volume::{VolumeEntry, Volumes},
};

const POLICY_DIGEST_TAG: &str = "igra.dev 2026 policy digest v1";

digest_type!(
    /// One policy: members with equal digests enforce the same rules.
    PolicyDigest
);

/// The rules of one signer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Policy {
    pub amount_min: Sompi,
    pub amount_max: Option<Sompi>,
    pub volumes: Vec<Volume>,
    /// Whom the group may pay; empty: nobody.
    pub allow: BTreeSet<Script>,
    /// Sources whose events may be paid; any other is denied.
    pub sources: BTreeMap<SourceName, SourceRules>,
    pub fee: FeeLimits,
    pub batch: BatchRules,
    /// How long the node may ask for a higher fee rate than a submitted transaction pays before that is raised.
    pub replace_after: Millis,
    pub internal: InternalRules,
}

/// The group's own transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InternalRules {
    /// When coins are made one; never, if none.
    pub consolidate: Option<Consolidate>,
    /// Where all coins go once the group has another one after it.
    pub successor: Option<Script>,
    pub fees: FeeWindow,
}

/// When many coins are made one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Consolidate {
    /// At least so many can be spent.
    pub coins: u32,
    /// The node asks for no more than this.
    pub max_sompi_per_gram: u64,
}

/// What the group's own transactions may cost together.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FeeWindow {
    pub max: Sompi,
    pub seconds: u64,
}

impl Default for FeeWindow {
    /// 10 KAS a day.
    fn default() -> Self {
        Self { max: Sompi(1_000_000_000), seconds: 86_400 }
    }
}

/// How many payments one transaction makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BatchRules {
    /// From 1 to 64.
    pub most: u8,
    /// How long a payment may wait for company.
    pub wait: Millis,
}

impl Default for BatchRules {
    /// As many as one transaction can make, and none waits: payments share one only where they come together anyway.
    fn default() -> Self {
        Self { most: 64, wait: Millis(0) }
    }
}

/// What holds for the events of one source.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SourceRules {
    /// How long after first sight an event may be approved for the first time, in seconds.
    pub deadline_seconds: u64,
}

/// How much may be paid within a window.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Volume {
    pub window: VolumeWindow,
    pub limit: Sompi,
    pub scope: VolumeScope,
}

/// The time that a [`Volume`] looks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum VolumeWindow {
    Rolling { seconds: u64 },
    UtcDay,
}

/// Which payments a [`Volume`] adds up.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum VolumeScope {
    Group,
    /// Of one source.
    Source(SourceName),
    /// To each destination for itself.
    Destination,
}

/// What the policy says to paying an event now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    Allow,
    /// Not now; `until` where the time is known.
    Hold {
        denial: Denial,
        until: Option<UnixSeconds>,
    },
    Deny {
        denial: Denial,
    },
}

impl Verdict {
    /// What stands against the payment, whatever the numbers are.
    pub(crate) fn code(&self) -> Option<DenialCode> {
        match self {
            Self::Allow => None,
            Self::Hold { denial, .. } | Self::Deny { denial } => Some(denial.code),
        }
    }
}

/// Which rule stands against a payment, with what is and what may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
pub struct Denial {
    pub code: DenialCode,
    pub rule: String,
    pub actual: String,
    pub allowed: String,
}

/// Stable codes; `docs/reference/refusals.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialCode {
    SourceUnknown,
    AmountZero,
    AmountBelowMin,
    AmountAboveMax,
    DestinationNotAllowed,
    VolumeExceeded,
    DeadlinePassed,
    /// Somebody who may do so asked that the event is never paid.
    Cancelled,
    /// The verifier refuses the proof now.
    Unproven,
    /// Some members, and too few to be believed, say that it ended where the own node's history has a gap.
    Doubted,
}

impl Policy {
    /// See [`PolicyDigest`].
    pub fn digest(&self) -> PolicyDigest {
        let bytes = borsh::to_vec(self).expect("a vector takes all bytes");
        PolicyDigest::from_bytes(tagged_hash(POLICY_DIGEST_TAG, &bytes))
    }

    /// Until when an event that was first seen at `seen` may be approved for the first time.
    pub fn deadline(&self, event: &VerifiedEvent, seen: UnixSeconds) -> Option<UnixSeconds> {
        let from_policy = |rules: &SourceRules| UnixSeconds(seen.0.saturating_add(rules.deadline_seconds));
        event.deadline.or_else(|| self.sources.get(&event.source).map(from_policy))
    }

    /// The verdict on an event that was first seen at `seen`: deny if any rule denies, else hold if any holds.
    ///
    /// The deadline counts only until the first approval. An event never stands in its own way in `volumes`; `beside` are
    /// those that would be paid with it.
    pub(crate) fn verdict(
        &self,
        event: &VerifiedEvent,
        seen: UnixSeconds,
        approved: bool,
        volumes: &Volumes,
        beside: &[(EventKey, VolumeEntry)],
        now: UnixSeconds,
    ) -> Verdict {
        let standing = [
            self.source(event),
            self.amount(event),
            self.destination(event),
            self.in_time(event, seen, now).filter(|_| !approved),
        ];
        if let Some(denial) = standing.into_iter().flatten().next() {
            return Verdict::Deny { denial };
        }
        self.volume(event, volumes, beside, now)
    }

    fn source(&self, event: &VerifiedEvent) -> Option<Denial> {
        let listed = self.sources.contains_key(&event.source);
        let names: Vec<&str> = self.sources.keys().map(|name| name.0.as_str()).collect();
        (!listed)
            .then(|| Denial::new(DenialCode::SourceUnknown, "sources", &event.source.0, names.join(", ")))
    }

    fn amount(&self, event: &VerifiedEvent) -> Option<Denial> {
        let amount = event.payment.amount;
        if amount == Sompi::ZERO {
            return Some(Denial::new(DenialCode::AmountZero, "amount", amount, "more than nothing"));
        }
        if amount < self.amount_min {
            return Some(Denial::new(DenialCode::AmountBelowMin, "amount.min", amount, self.amount_min));
        }
        let max = self.amount_max.filter(|max| amount > *max)?;
        Some(Denial::new(DenialCode::AmountAboveMax, "amount.max", amount, max))
    }

    fn destination(&self, event: &VerifiedEvent) -> Option<Denial> {
        let recipient = &event.payment.recipient;
        let allowed = self.allow.contains(recipient);
        let shown = || hex::encode(&recipient.bytes);
        let list = || format!("{} listed", self.allow.len());
        (!allowed)
            .then(|| Denial::new(DenialCode::DestinationNotAllowed, "destinations.allow", shown(), list()))
    }

    fn in_time(&self, event: &VerifiedEvent, seen: UnixSeconds, now: UnixSeconds) -> Option<Denial> {
        let deadline = self.deadline(event, seen)?;
        let passed = now > deadline;
        passed.then(|| Denial::new(DenialCode::DeadlinePassed, "deadline", now.0, deadline.0))
    }

    fn volume(
        &self,
        event: &VerifiedEvent,
        volumes: &Volumes,
        beside: &[(EventKey, VolumeEntry)],
        now: UnixSeconds,
    ) -> Verdict {
        let mut hold = None;
        for rule in self.volumes.iter().filter(|rule| rule.concerns(event)) {
            let used = volumes.used(rule, event, beside, now);
            let total = used.checked_add(event.payment.amount);
            if total.is_some_and(|total| total <= rule.limit) {
                continue;
            }
            let denial = Denial::new(
                DenialCode::VolumeExceeded,
                "volume",
                total.unwrap_or(Sompi(u64::MAX)),
                rule.limit,
            );
            // Alone above the limit: no waiting will help.
            if event.payment.amount > rule.limit {
                return Verdict::Deny { denial };
            }
            hold.get_or_insert(Verdict::Hold { denial, until: None });
        }
        hold.unwrap_or(Verdict::Allow)
    }
}

impl Volume {
    fn concerns(&self, event: &VerifiedEvent) -> bool {
        match &self.scope {
            VolumeScope::Group | VolumeScope::Destination => true,
            VolumeScope::Source(name) => *name == event.source,
        }
    }
}

impl Denial {
    pub(crate) fn new(code: DenialCode, rule: &str, actual: impl ToString, allowed: impl ToString) -> Self {
        Self { code, rule: rule.to_owned(), actual: actual.to_string(), allowed: allowed.to_string() }
    }
}

impl DenialCode {
    pub const ALL: [Self; 10] = [
        Self::SourceUnknown,
        Self::AmountZero,
        Self::AmountBelowMin,
        Self::AmountAboveMax,
        Self::DestinationNotAllowed,
        Self::VolumeExceeded,
        Self::DeadlinePassed,
        Self::Cancelled,
        Self::Unproven,
        Self::Doubted,
    ];

    /// The stable name: in answers, metrics and the reference.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SourceUnknown => "source_unknown",
            Self::AmountZero => "amount_zero",
            Self::AmountBelowMin => "amount_below_min",
            Self::AmountAboveMax => "amount_above_max",
            Self::DestinationNotAllowed => "destination_not_allowed",
            Self::VolumeExceeded => "volume_exceeded",
            Self::DeadlinePassed => "deadline_passed",
            Self::Cancelled => "cancelled",
            Self::Unproven => "unproven",
            Self::Doubted => "doubted",
        }
    }
}

#[cfg(test)]
mod tests;
