//! How long events take from being taken to each later phase.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use igra_core::Note;
use igra_tx::{EventKey, TransactionId};
use prometheus::{Histogram, HistogramVec, Registry};

use crate::metrics::build::{histogram, histograms};

/// Events whose time is taken at once; with more, the next ones are not timed.
const MOST_EVENTS: usize = 10_000;

/// The clock of each event that is under way since this start.
pub struct Phases {
    durations: HistogramVec,
    finalization: Histogram,
    taken: BTreeMap<EventKey, Instant>,
    transactions: BTreeMap<TransactionId, Vec<EventKey>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Proposed,
    Approved,
    Assembled,
    Submitted,
    Accepted,
    Settled,
    Final,
}

impl Phases {
    pub fn new(registry: &Registry) -> Self {
        let help = "From an event being taken here to a phase.";
        Self {
            durations: histograms(registry, "event_phase_duration_seconds", help, &["phase"]),
            finalization: histogram(
                registry,
                "finalization_duration_seconds",
                "From an event being taken here to final.",
            ),
            taken: BTreeMap::new(),
            transactions: BTreeMap::new(),
        }
    }

    pub fn note(&mut self, note: &Note, now: Instant) {
        match note {
            Note::EventTaken { event, .. } => self.start(*event, now),
            Note::Proposed { events, .. } => self.reached(Phase::Proposed, events, now),
            Note::Approved { events, .. } => self.reached(Phase::Approved, events, now),
            Note::Assembled { events, transaction, .. } => {
                self.reached(Phase::Assembled, events, now);
                self.transactions.insert(*transaction, events.clone());
            }
            Note::Submitted { transaction, .. } => {
                let events = self.transactions.remove(transaction).unwrap_or_default();
                self.reached(Phase::Submitted, &events, now);
            }
            Note::Accepted { events, .. } => self.reached(Phase::Accepted, events, now),
            Note::Settled { events, .. } => self.reached(Phase::Settled, events, now),
            Note::Final { events, transaction } => {
                self.reached(Phase::Final, events, now);
                self.transactions.remove(transaction);
                self.finish(events, now);
            }
            Note::Expired { event } | Note::Closed { event, .. } => self.forget(event),
            Note::EventDenied { event, .. } => self.forget(event),
            Note::EventHeld { .. }
            | Note::EvidenceRejected { .. }
            | Note::DraftFailed { .. }
            | Note::Refused { .. }
            | Note::PeerRefused { .. }
            | Note::PeerApproved { .. }
            | Note::Certified { .. }
            | Note::PartialMade { .. }
            | Note::Reorganised { .. }
            | Note::Deposited { .. }
            | Note::Dead { .. }
            | Note::ViewMoved { .. }
            | Note::PolicyChanged { .. }
            | Note::Quarantined { .. }
            | Note::TagDrawn { .. }
            | Note::GapClosed { .. }
            | Note::QuarantineLeft
            | Note::PaymentsEnded
            | Note::PredecessorMoved
            | Note::Halted { .. }
            | Note::Intervened(_)
            | Note::Cancelled { .. } => {}
        }
    }

    fn start(&mut self, event: EventKey, now: Instant) {
        if self.taken.len() < MOST_EVENTS {
            self.taken.entry(event).or_insert(now);
        }
    }

    fn reached(&self, phase: Phase, events: &[EventKey], now: Instant) {
        for took in self.times(events, now) {
            self.durations.with_label_values(&[phase.as_str()]).observe(took.as_secs_f64());
        }
    }

    fn finish(&mut self, events: &[EventKey], now: Instant) {
        for took in self.times(events, now) {
            self.finalization.observe(took.as_secs_f64());
        }
        events.iter().for_each(|event| self.forget(event));
    }

    fn times(&self, events: &[EventKey], now: Instant) -> impl Iterator<Item = Duration> {
        events
            .iter()
            .filter_map(|event| self.taken.get(event))
            .map(move |taken| now.saturating_duration_since(*taken))
    }

    fn forget(&mut self, event: &EventKey) {
        self.taken.remove(event);
    }
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Assembled => "assembled",
            Self::Submitted => "submitted",
            Self::Accepted => "accepted",
            Self::Settled => "settled",
            Self::Final => "final",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use igra_core::{SourceName, SubmitOutcome};
    use igra_group::Sompi;
    use igra_tx::ProposalId;

    const EVENT: EventKey = EventKey::from_bytes([1; 32]);
    const TRANSACTION: TransactionId = TransactionId::from_bytes([2; 32]);

    fn taken() -> Note {
        Note::EventTaken { event: EVENT, source: SourceName("desk".to_owned()), amount: Sompi(1), from: None }
    }

    #[test]
    fn an_events_time_counts_from_when_it_was_taken() {
        let mut phases = Phases::new(&Registry::new());
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);

        phases.note(&taken(), start);
        let proposal = ProposalId::from_bytes([3; 32]);
        phases.note(&Note::Assembled { events: vec![EVENT], proposal, transaction: TRANSACTION }, after(2));
        phases
            .note(&Note::Submitted { transaction: TRANSACTION, outcome: SubmitOutcome::InMempool }, after(3));
        phases.note(&Note::Submitted { transaction: TRANSACTION, outcome: SubmitOutcome::Known }, after(4));
        phases.note(&Note::Final { events: vec![EVENT], transaction: TRANSACTION }, after(60));

        let sum = |phase: &str| phases.durations.with_label_values(&[phase]).get_sample_sum();
        assert_eq!((sum("assembled"), sum("submitted"), sum("final")), (2.0, 3.0, 60.0));
        assert_eq!(phases.finalization.get_sample_sum(), 60.0);
        assert!(phases.taken.is_empty() && phases.transactions.is_empty());
    }

    #[test]
    fn what_was_taken_before_this_start_is_not_timed() {
        let mut phases = Phases::new(&Registry::new());
        phases.note(&Note::Final { events: vec![EVENT], transaction: TRANSACTION }, Instant::now());
        assert_eq!(phases.finalization.get_sample_count(), 0);
    }
}
