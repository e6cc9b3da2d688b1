//! How much was paid and promised, for the policy's volume rules.
//!
//! A payment is reserved from its first approval on and counts in every window while it is; once final it is spent and
//! counts in the windows that reach back to that moment. It is released when every approval for its event is dead.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::Sompi;
use igra_tx::{EventKey, Script};

use crate::{SourceName, UnixSeconds, VerifiedEvent, Volume, VolumeScope, VolumeWindow};

const SECONDS_PER_DAY: u64 = 86_400;
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

/// The parts of all events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volumes(pub BTreeMap<EventKey, VolumeEntry>);

impl VolumeEntry {
    pub(crate) fn of(event: &VerifiedEvent, state: VolumeState) -> Self {
        let (amount, recipient) = (event.payment.amount, event.payment.recipient.clone());
        Self { amount, source: event.source.clone(), recipient, state }
    }
}

impl Volumes {
    /// What the other events use of a rule now, and would use if those beside it were paid with it.
    pub(crate) fn used(
        &self,
        rule: &Volume,
        event: &VerifiedEvent,
        beside: &[(EventKey, VolumeEntry)],
        now: UnixSeconds,
    ) -> Sompi {
        let more =
            beside.iter().filter(|(key, _)| !self.0.contains_key(key)).map(|(key, entry)| (key, entry));
        let others = self.0.iter().chain(more).filter(|(key, _)| **key != event.payment.event);
        let counted =
            others.filter(|(_, entry)| rule.adds(entry, event) && rule.window.reaches(entry.state, now));
        counted.fold(Sompi::ZERO, |sum, (_, entry)| sum.saturating_add(entry.amount))
    }
}

impl Volumes {
    /// Takes out what no window of these rules reaches any more; what is reserved stays. Returns the events.
    pub(crate) fn forget_old(&mut self, rules: &[Volume], now: UnixSeconds) -> Vec<EventKey> {
        let widest = rules.iter().map(|rule| rule.window.seconds()).fold(KEPT_AT_LEAST, u64::max);
        let window = VolumeWindow::Rolling { seconds: widest };
        let old = self.0.iter().filter(|(_, entry)| !window.reaches(entry.state, now));
        let old: Vec<EventKey> = old.map(|(event, _)| *event).collect();
        for event in &old {
            self.0.remove(event);
        }
        old
    }
}

impl Volume {
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

    /// A clock that was set back must not free anything, so what was spent "later than now" counts.
    fn reaches(self, state: VolumeState, now: UnixSeconds) -> bool {
        match (state, self) {
            (VolumeState::Reserved, Self::Rolling { .. } | Self::UtcDay) => true,
            (VolumeState::Spent { at }, Self::Rolling { seconds }) => at.0.saturating_add(seconds) > now.0,
            (VolumeState::Spent { at }, Self::UtcDay) => at.0 / SECONDS_PER_DAY >= now.0 / SECONDS_PER_DAY,
        }
    }
}
