//! How much was paid and promised, for the policy's volume rules.
//!
//! A payment is reserved from its first approval on and counts in every window while it is; once final it is spent and
//! counts in the windows that reach back to that moment. It is released when every approval for its event is dead.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::Sompi;
use igra_tx::{EventKey, Script};

use crate::{SourceName, UnixSeconds, VerifiedEvent, Volume, VolumeScope, VolumeWindow};

const SECONDS_PER_DAY: u64 = 86_400;
const QUARTER: u64 = 900;
/// A Kaspa chain makes about so many blocks a second; see docs/protocol.md, Parameters.
const DAA_PER_SECOND: u64 = 10;
// What was spent counts at least this long, so that a policy with wider windows finds it.
const KEPT_AT_LEAST: u64 = 7 * SECONDS_PER_DAY;

/// One event's part in the volumes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct VolumeEntry {
    pub amount: Sompi,
    pub source: SourceName,
    pub recipient: Script,
    pub state: VolumeState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) enum VolumeState {
    Reserved,
    Spent { at: UnixSeconds },
}

/// The parts of all events, with sums at hand: a verdict asks for one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volumes {
    entries: BTreeMap<EventKey, VolumeEntry>,
    sums: BTreeMap<Scope, Sums>,
    spent: BTreeSet<(UnixSeconds, EventKey)>,
}

/// What a rule may sum up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Group,
    Source(SourceName),
    Destination(Script),
}

/// Sums of one scope. A window covers some seconds one by one and the rest by the quarter of an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sums {
    reserved: u128,
    by_second: BTreeMap<u64, u128>,
    by_quarter: BTreeMap<u64, u128>,
}

impl VolumeEntry {
    pub(crate) fn of(event: &VerifiedEvent, state: VolumeState) -> Self {
        let (amount, recipient) = (event.payment.amount, event.payment.recipient.clone());
        Self { amount, source: event.source.clone(), recipient, state }
    }

    fn scopes(&self) -> [Scope; 3] {
        [Scope::Group, Scope::Source(self.source.clone()), Scope::Destination(self.recipient.clone())]
    }
}

impl Volumes {
    pub(crate) fn get(&self, event: &EventKey) -> Option<&VolumeEntry> {
        self.entries.get(event)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&EventKey, &VolumeEntry)> {
        self.entries.iter()
    }

    pub(crate) fn insert(&mut self, event: EventKey, entry: VolumeEntry) {
        self.remove(&event);
        for scope in entry.scopes() {
            self.sums.entry(scope).or_default().add(&entry);
        }
        if let VolumeState::Spent { at } = entry.state {
            self.spent.insert((at, event));
        }
        self.entries.insert(event, entry);
    }

    pub(crate) fn remove(&mut self, event: &EventKey) -> Option<VolumeEntry> {
        let entry = self.entries.remove(event)?;
        for scope in entry.scopes() {
            if let Some(sums) = self.sums.get_mut(&scope) {
                sums.take(&entry);
                if *sums == Sums::default() {
                    self.sums.remove(&scope);
                }
            }
        }
        if let VolumeState::Spent { at } = entry.state {
            self.spent.remove(&(at, *event));
        }
        Some(entry)
    }

    /// What the other events use of a rule now, and would use if those beside it were paid with it.
    pub(crate) fn used(
        &self,
        rule: &Volume,
        event: &VerifiedEvent,
        beside: &[(EventKey, VolumeEntry)],
        now: UnixSeconds,
    ) -> Sompi {
        let key = &event.payment.event;
        let counts = |entry: &&VolumeEntry| rule.adds(entry, event) && rule.window.reaches(entry.state, now);
        let all = self.sums.get(&rule.scope_for(event)).map_or(0, |sums| sums.since(rule.window.start(now)));
        let own = self.entries.get(key).filter(counts).map_or(0, |entry| u128::from(entry.amount.0));
        let more = beside.iter().filter(|(other, _)| other != key && !self.entries.contains_key(other));
        let more: u128 =
            more.map(|(_, entry)| entry).filter(counts).map(|entry| u128::from(entry.amount.0)).sum();
        Sompi(u64::try_from(all - own + more).unwrap_or(u64::MAX))
    }

    /// Takes out what no window of these rules reaches any more; what is reserved stays. Returns the events.
    ///
    /// A clock that steps ahead must not make this signer forget what it spent, so the chain has to agree: `age` is how
    /// deep an event's payment lies, in DAA score.
    pub(crate) fn forget_old(
        &mut self,
        rules: &[Volume],
        now: UnixSeconds,
        age: impl Fn(&EventKey) -> Option<u64>,
    ) -> Vec<EventKey> {
        let widest = rules.iter().map(|rule| rule.window.seconds()).fold(KEPT_AT_LEAST, u64::max);
        let start = VolumeWindow::Rolling { seconds: widest }.start(now);
        let old = self.spent.iter().take_while(|(at, _)| at.0 < start).map(|(_, event)| event);
        let deep = widest.saturating_mul(DAA_PER_SECOND);
        let old: Vec<EventKey> =
            old.copied().filter(|event| age(event).is_none_or(|age| age >= deep)).collect();
        for event in &old {
            self.remove(event);
        }
        old
    }
}

impl FromIterator<(EventKey, VolumeEntry)> for Volumes {
    fn from_iter<I: IntoIterator<Item = (EventKey, VolumeEntry)>>(entries: I) -> Self {
        let mut volumes = Self::default();
        entries.into_iter().for_each(|(event, entry)| volumes.insert(event, entry));
        volumes
    }
}

impl Sums {
    fn add(&mut self, entry: &VolumeEntry) {
        let amount = u128::from(entry.amount.0);
        match entry.state {
            VolumeState::Reserved => self.reserved += amount,
            VolumeState::Spent { at } => {
                *self.by_second.entry(at.0).or_default() += amount;
                *self.by_quarter.entry(at.0 / QUARTER).or_default() += amount;
            }
        }
    }

    /// Of what was added before.
    fn take(&mut self, entry: &VolumeEntry) {
        let amount = u128::from(entry.amount.0);
        match entry.state {
            VolumeState::Reserved => self.reserved -= amount,
            VolumeState::Spent { at } => {
                take_from(&mut self.by_second, at.0, amount);
                take_from(&mut self.by_quarter, at.0 / QUARTER, amount);
            }
        }
    }

    /// What is reserved, and what was spent from this second on.
    fn since(&self, start: u64) -> u128 {
        let whole = start.div_ceil(QUARTER);
        let seconds: u128 =
            self.by_second.range(start..whole.saturating_mul(QUARTER)).map(|(_, sum)| sum).sum();
        let quarters: u128 = self.by_quarter.range(whole..).map(|(_, sum)| sum).sum();
        self.reserved + seconds + quarters
    }
}

fn take_from(sums: &mut BTreeMap<u64, u128>, at: u64, amount: u128) {
    if let Some(sum) = sums.get_mut(&at) {
        *sum -= amount;
        if *sum == 0 {
            sums.remove(&at);
        }
    }
}

impl Volume {
    fn scope_for(&self, event: &VerifiedEvent) -> Scope {
        match &self.scope {
            VolumeScope::Group => Scope::Group,
            VolumeScope::Source(name) => Scope::Source(name.clone()),
            VolumeScope::Destination => Scope::Destination(event.payment.recipient.clone()),
        }
    }

    fn adds(&self, entry: &VolumeEntry, event: &VerifiedEvent) -> bool {
        match &self.scope {
            VolumeScope::Group => true,
            VolumeScope::Source(name) => entry.source == *name,
            VolumeScope::Destination => entry.recipient == event.payment.recipient,
        }
    }
}

impl VolumeWindow {
    /// The longest time that it looks back.
    fn seconds(self) -> u64 {
        match self {
            Self::Rolling { seconds } => seconds,
            Self::UtcDay => SECONDS_PER_DAY,
        }
    }

    /// The first second that it reaches back to.
    fn start(self, now: UnixSeconds) -> u64 {
        match self {
            Self::Rolling { seconds } => now.0.saturating_add(1).saturating_sub(seconds),
            Self::UtcDay => now.0 / SECONDS_PER_DAY * SECONDS_PER_DAY,
        }
    }

    /// A clock that was set back must not free anything, so what was spent "later than now" counts.
    fn reaches(self, state: VolumeState, now: UnixSeconds) -> bool {
        match (state, self) {
            (VolumeState::Reserved, Self::Rolling { .. } | Self::UtcDay) => true,
            (VolumeState::Spent { at }, Self::Rolling { seconds }) => at.0.saturating_add(seconds) > now.0,
            (VolumeState::Spent { at }, Self::UtcDay) => at.0 / SECONDS_PER_DAY >= now.0 / SECONDS_PER_DAY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_kit::{event_of, recipient};
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Vec<(u64, u64, u8, Option<u64>)>> {
        let at = prop::option::of(0u64..10_000);
        prop::collection::vec((0u64..8, 0u64..1_000, 0u8..3, at), 0..30)
    }

    /// The sum as it is defined, one entry after another.
    fn one_by_one(volumes: &Volumes, rule: &Volume, event: &VerifiedEvent, now: UnixSeconds) -> u64 {
        let others = volumes.iter().filter(|(key, _)| **key != event.payment.event);
        let counted =
            others.filter(|(_, entry)| rule.adds(entry, event) && rule.window.reaches(entry.state, now));
        counted.map(|(_, entry)| entry.amount.0).sum()
    }

    proptest! {
        #[test]
        fn the_sums_at_hand_are_those_of_the_entries(
            changes in entries(), removed in prop::collection::vec(0u64..8, 0..4), now in 0u64..12_000, seconds in 1u64..9_000,
        ) {
            let mut volumes = Volumes::default();
            for (id, amount, to, at) in changes {
                let state = at.map_or(VolumeState::Reserved, |at| VolumeState::Spent { at: UnixSeconds(at) });
                let mut paid = event_of(id, amount);
                paid.payment.recipient = recipient(to);
                volumes.insert(paid.payment.event, VolumeEntry::of(&paid, state));
            }
            removed.iter().for_each(|id| drop(volumes.remove(&event_of(*id, 1).payment.event)));
            let (event, now) = (event_of(3, 1), UnixSeconds(now));
            for window in [VolumeWindow::Rolling { seconds }, VolumeWindow::UtcDay] {
                for scope in [VolumeScope::Group, VolumeScope::Source(event.source.clone()), VolumeScope::Destination] {
                    let rule = Volume { window, limit: Sompi(1), scope };
                    let used = volumes.used(&rule, &event, &[], now);
                    prop_assert_eq!(used.0, one_by_one(&volumes, &rule, &event, now));
                }
            }
            let all: Vec<EventKey> = volumes.iter().map(|(event, _)| *event).collect();
            all.iter().for_each(|event| drop(volumes.remove(event)));
            prop_assert_eq!(volumes, Volumes::default());
        }
    }
}
