//! Which waiting events are to be looked at: those that something happened to, and from time to time all of them.
//!
//! However many wait, one input looks at a bounded number; the rest follows with the next inputs, and a tick is asked
//! for until nothing is left. A sweep that is called for again while it runs begins anew when it ends, so every event
//! is looked at after the last change that may concern it.

use std::collections::{BTreeMap, BTreeSet};

use igra_tx::EventKey;

use crate::{Coordinator, Millis, rules::Rules};

/// Most events that one look covers: as many as one transaction can pay.
pub(crate) const SLICE: usize = igra_tx::MAX_PAYMENTS;
/// Most events of a sweep that one input looks at where many wait.
const SWEPT: usize = 16;
const FIRST: EventKey = EventKey::from_bytes([0; 32]);

/// What is still to be looked at.
#[derive(Clone, Debug)]
pub(crate) struct Stirred {
    events: BTreeSet<EventKey>,
    /// Where a sweep over all waiting events goes on.
    sweep: Option<EventKey>,
    again: bool,
}

/// Since when, or until when, events wait: the earliest is at hand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    of: BTreeMap<EventKey, Millis>,
    order: BTreeSet<(Millis, EventKey)>,
}

impl Default for Stirred {
    /// At first everything is new.
    fn default() -> Self {
        Self { events: BTreeSet::new(), sweep: Some(FIRST), again: false }
    }
}

impl Stirred {
    pub(crate) fn is_idle(&self) -> bool {
        self.events.is_empty() && self.sweep.is_none()
    }

    fn all(&mut self) {
        if self.sweep.is_some() {
            self.again = true;
        } else {
            self.sweep = Some(FIRST);
        }
    }

    /// The next events to look at.
    fn take(&mut self, waiting: &BTreeSet<EventKey>) -> BTreeSet<EventKey> {
        let mut slice = BTreeSet::new();
        while slice.len() < SLICE
            && let Some(event) = self.events.pop_first()
        {
            slice.insert(event);
        }
        let Some(from) = self.sweep else { return slice };
        let most = if waiting.len() > SLICE { slice.len() + SWEPT } else { SLICE };
        let mut rest = waiting.range(from..);
        while slice.len() < most
            && let Some(event) = rest.next()
        {
            slice.insert(*event);
        }
        self.sweep = rest.next().copied();
        if self.sweep.is_none() && std::mem::take(&mut self.again) {
            self.sweep = Some(FIRST);
        }
        slice
    }
}

impl Times {
    pub(crate) fn set(&mut self, event: EventKey, at: Option<Millis>) {
        if let Some(before) = self.of.remove(&event) {
            self.order.remove(&(before, event));
        }
        if let Some(at) = at {
            self.of.insert(event, at);
            self.order.insert((at, event));
        }
    }

    pub(crate) fn first(&self) -> Option<Millis> {
        self.order.first().map(|(at, _)| *at)
    }

    /// The first moment later than this.
    pub(crate) fn after(&self, now: Millis) -> Option<Millis> {
        let next = Millis(now.0.saturating_add(1));
        self.order.range((next, FIRST)..).next().map(|(at, _)| *at)
    }

    /// The earliest ones first.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = EventKey> + '_ {
        self.order.iter().map(|(_, event)| *event)
    }
}

impl<R: Rules> Coordinator<R> {
    /// Something changed that may let any waiting event move.
    pub(crate) fn stir_all(&mut self) {
        self.stirred.all();
    }

    /// Something changed for one event. Where few wait, its neighbours are looked at too: they may share its coins.
    pub(crate) fn stir(&mut self, event: EventKey) {
        if self.pending.len() > SLICE {
            self.stirred.events.insert(event);
        } else {
            self.stir_all();
        }
    }

    /// The events to look at now, and none that waits no more.
    pub(crate) fn next_slice(&mut self) -> Vec<EventKey> {
        let slice = self.stirred.take(&self.pending);
        let (here, gone): (Vec<EventKey>, Vec<EventKey>) =
            slice.into_iter().partition(|event| self.pending.contains(event));
        gone.into_iter().for_each(|event| self.waits_no_more(event));
        here
    }

    /// An event was accepted, or ended.
    pub(crate) fn waits_no_more(&mut self, event: EventKey) {
        self.pending.remove(&event);
        self.held.remove(&event);
        self.wanted.set(event, None);
        self.unoffered.set(event, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(numbers: std::ops::Range<u32>) -> BTreeSet<EventKey> {
        let key = |number: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            EventKey::from_bytes(bytes)
        };
        numbers.map(key).collect()
    }

    #[test]
    fn a_sweep_covers_every_event_once_in_slices() {
        let (waiting, mut stirred) = (keys(0..1_000), Stirred::default());
        let mut seen = Vec::new();
        while !stirred.is_idle() {
            let slice = stirred.take(&waiting);
            assert!(slice.len() <= SLICE);
            seen.extend(slice);
        }
        assert_eq!((seen.len(), seen.into_iter().collect::<BTreeSet<_>>()), (1_000, waiting));
    }

    #[test]
    fn whatever_was_looked_at_before_the_last_stir_is_looked_at_again() {
        let (waiting, mut stirred) = (keys(0..1_000), Stirred::default());
        for _ in 0..5 {
            stirred.take(&waiting);
        }
        stirred.all();
        let mut seen = BTreeSet::new();
        while !stirred.is_idle() {
            seen.extend(stirred.take(&waiting));
        }
        assert_eq!(seen, waiting);
    }

    #[test]
    fn an_event_of_its_own_does_not_wait_for_the_sweep() {
        let (waiting, mut stirred) = (keys(0..1_000), Stirred::default());
        let last = *waiting.last().unwrap();
        stirred.events.insert(last);
        assert!(stirred.take(&waiting).contains(&last));
    }

    #[test]
    fn the_earliest_time_is_that_of_an_event_that_still_waits() {
        let (mut times, waiting) = (Times::default(), keys(0..3));
        for (event, at) in waiting.iter().zip([30, 10, 20]) {
            times.set(*event, Some(Millis(at)));
        }
        let order: Vec<EventKey> = times.in_order().collect();
        times.set(order[0], None);
        times.set(order[1], Some(Millis(40)));
        assert_eq!(times.first(), Some(Millis(30)));
    }
}
