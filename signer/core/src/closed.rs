//! Events that came to nothing: expired, cancelled or denied, and nobody approved anything for them.
//!
//! Their sessions would cost something for ever, so a note takes their place: what would be lost if the evidence came
//! again, which is then judged again. Notes are many and not endless; the oldest go first. A note is no tombstone: others
//! may have approved the event without this signer's knowing, and once one of them shows that, it is opened again.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use borsh::{BorshDeserialize, BorshSerialize};
use igra_tx::{EventKey, PayloadHash};

use crate::{
    Coordinator, Denial, DenialCode, Ignored, Millis, Note, Row, SessionState, Step, UnixSeconds, Verdict,
    rules::Rules,
    void::{Cancelled, Objection},
};

/// Notes kept.
const MOST_NOTES: usize = 10_000;
// Events that peers show approvals of, to be opened again.
const MOST_REOPENED: usize = 1_000;
// After the deadline, for what is still on its way.
const LINGER: UnixSeconds = UnixSeconds(60);
// As long in this process, so that a clock that jumps for a moment closes nothing.
const AT_LEAST_OPEN: Millis = Millis(60_000);
// What is denied and has no deadline.
const DENIED_KEPT: UnixSeconds = UnixSeconds(24 * 3_600);

/// What is kept of a closed event.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Closed {
    pub payload: PayloadHash,
    /// When it was first seen: its deadline may count from then.
    pub seen: UnixSeconds,
    /// It stays closed from then on.
    pub since: UnixSeconds,
    pub denial: Denial,
    pub objection: Objection,
}

/// All notes, and those that are to be opened again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    by_event: BTreeMap<EventKey, Closed>,
    by_age: BTreeSet<(UnixSeconds, EventKey)>,
    reopened: BTreeSet<EventKey>,
}

impl Notes {
    pub(crate) fn restore(by_event: BTreeMap<EventKey, Closed>) -> Self {
        let by_age = by_event.iter().map(|(event, note)| (note.since, *event)).collect();
        Self { by_event, by_age, reopened: BTreeSet::new() }
    }

    pub(crate) fn get(&self, event: &EventKey) -> Option<&Closed> {
        self.by_event.get(event)
    }

    /// Their events in order, after the given one.
    pub(crate) fn after(&self, event: Option<EventKey>) -> impl Iterator<Item = EventKey> + '_ {
        let start = event.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_event.range((start, Bound::Unbounded)).map(|(event, _)| *event)
    }

    /// Adds one; the event whose note makes room for it, if any.
    fn add(&mut self, event: EventKey, note: Closed) -> Option<EventKey> {
        self.by_age.insert((note.since, event));
        self.by_event.insert(event, note);
        if self.by_event.len() <= MOST_NOTES {
            return None;
        }
        let (_, oldest) = self.by_age.pop_first()?;
        self.by_event.remove(&oldest);
        Some(oldest)
    }

    fn remove(&mut self, event: &EventKey) -> Option<Closed> {
        self.reopened.remove(event);
        let note = self.by_event.remove(event)?;
        self.by_age.remove(&(note.since, *event));
        Some(note)
    }

    /// Somebody shows an approval of it.
    pub(crate) fn reopen(&mut self, event: EventKey) {
        if self.by_event.contains_key(&event) && self.reopened.len() < MOST_REOPENED {
            self.reopened.insert(event);
        }
    }
}

impl<R: Rules> Coordinator<R> {
    /// Closes an event that came to nothing; whether it did.
    pub(crate) fn close_due(&mut self, event: &EventKey, step: &mut Step) -> bool {
        let Some(note) = self.to_close(event) else { return false };
        let session = self.sessions.remove(event).expect("what is to be closed has a session");
        for id in &session.offers {
            self.drop_offer(*id);
        }
        self.waits_no_more(*event);
        step.writes.push(Row::forget_event(event));
        if note.objection != Objection::default() {
            step.writes.push(Row::forget_objection(event));
        }
        step.writes.push(Row::closed(event, &note));
        step.note(Note::Closed { event: *event, denial: note.denial.clone() });
        if let Some(oldest) = self.closed.add(*event, note) {
            step.writes.push(Row::forget_closed(&oldest));
        }
        true
    }

    /// The note of an event that can be closed now.
    fn to_close(&self, event: &EventKey) -> Option<Closed> {
        let session = self.sessions.get(event)?;
        let Some(Verdict::Deny { denial }) = &session.verdict else { return None };
        let deadline = self.policy.deadline(&session.event, session.seen);
        let since = match deadline {
            Some(deadline) => deadline.0.saturating_add(LINGER.0),
            None => session.seen.0.saturating_add(DENIED_KEPT.0),
        };
        let open_since = session.since.0.saturating_add(AT_LEAST_OPEN.0);
        let due = self.now.utc.0 >= since && self.now.monotonic.0 >= open_since;
        // Evidence that no longer verifies could not bring it back for a void.
        if !due || session.objection.unproven.is_some() || self.is_engaged(event) {
            return None;
        }
        let (payload, seen) = (session.event.payment.payload, session.seen);
        let (denial, objection) = (denial.clone(), session.objection.clone());
        Some(Closed { payload, seen, since: UnixSeconds(since), denial, objection })
    }

    /// Somebody promised something for it, or the chain names it.
    fn is_engaged(&self, event: &EventKey) -> bool {
        let listed = self.sessions.get(event).into_iter().flat_map(|session| session.offers.iter().copied());
        let named = self.offers.naming(event).map(|(id, _)| id);
        let promised = |id: igra_tx::ProposalId| {
            let offer = self.offers.get(&id);
            self.signing.contains_key(&id)
                || offer.is_some_and(|offer| {
                    offer.own.is_some()
                        || !offer.approvals.is_empty()
                        || !offer.partials.is_empty()
                        || offer.assembled.is_some()
                })
        };
        listed.chain(named).any(promised) || self.chain.link(event).is_some()
    }

    /// Whether evidence of an event needs no look now: it is closed, and nobody is known to have approved anything.
    pub(crate) fn stays_closed(&self, event: &EventKey) -> bool {
        let note = self.closed.get(event);
        note.is_some_and(|note| self.now.utc >= note.since) && !self.closed.reopened.contains(event)
    }

    /// Takes the note away, for the event is opened again or has ended.
    pub(crate) fn take_note(&mut self, event: &EventKey, step: &mut Step) -> Option<Closed> {
        let note = self.closed.remove(event)?;
        step.writes.push(Row::forget_closed(event));
        Some(note)
    }

    /// An administrator cancels what is closed: should it be opened again, it is cancelled.
    pub(crate) fn cancel_closed(
        &mut self,
        event: EventKey,
        by: String,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let utc = self.now.utc;
        let note = self.closed.by_event.get_mut(&event).ok_or(Ignored::UnknownEvent)?;
        if note.objection.cancelled.is_some() {
            return Err(Ignored::Duplicate);
        }
        note.objection.cancelled = Some(Cancelled { by: by.clone(), utc });
        step.writes.push(Row::closed(&event, note));
        step.note(Note::Cancelled { event, by });
        Ok(())
    }
}

impl Closed {
    pub(crate) fn state(&self) -> SessionState {
        match self.denial.code {
            DenialCode::DeadlinePassed => SessionState::Expired,
            DenialCode::SourceUnknown
            | DenialCode::AmountZero
            | DenialCode::AmountBelowMin
            | DenialCode::AmountAboveMax
            | DenialCode::DestinationNotAllowed
            | DenialCode::VolumeExceeded
            | DenialCode::Cancelled
            | DenialCode::Unproven
            | DenialCode::Doubted => SessionState::Denied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_kit::event;

    #[test]
    fn notes_are_bounded_and_the_oldest_go_first() {
        let key = |id| event(id).payment.event;
        let (mut notes, mut gone) = (Notes::default(), Vec::new());
        for id in 0..MOST_NOTES as u64 + 5 {
            let denial = Denial::new(DenialCode::DeadlinePassed, "deadline", 1, 2);
            let (payload, since) = (event(id).payment.payload, UnixSeconds(id));
            let objection = Objection::default();
            gone.extend(notes.add(key(id), Closed { payload, seen: since, since, denial, objection }));
        }
        assert_eq!(gone, [0, 1, 2, 3, 4].map(key));
        assert!(notes.get(&key(4)).is_none() && notes.get(&key(5)).is_some());
        assert_eq!(Notes::restore(notes.by_event.clone()).by_age, notes.by_age);
    }
}
