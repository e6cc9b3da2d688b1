//! Of several signed transactions for an event out of the same coins only the one with the highest fee rate is handed
//! in. The others stay known: any of them may still be the one that the chain takes.

use igra_tx::TransactionId;

use crate::{Coordinator, SubmitOutcome, rules::Rules, submit::Submission};

/// What the own node said to the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Taken,
    /// Something else in its mempool spends one of the coins.
    Conflict,
    TurnedAway,
}

impl Answer {
    /// No answer at all says nothing.
    pub(crate) fn of(outcome: &SubmitOutcome) -> Option<Self> {
        match outcome {
            SubmitOutcome::InMempool | SubmitOutcome::Known => Some(Self::Taken),
            SubmitOutcome::Conflict(_) => Some(Self::Conflict),
            SubmitOutcome::Orphan(_) | SubmitOutcome::Refused(_) => Some(Self::TurnedAway),
            SubmitOutcome::Unavailable(_) => None,
        }
    }
}

impl<R: Rules> Coordinator<R> {
    /// Signed transactions for an event of this one that spend a coin of it.
    fn rivals_in_outbox(&self, id: &TransactionId) -> impl Iterator<Item = &Submission> {
        let own = self.outbox.get(id).map(|submission| &submission.record.transaction.proposal);
        let offers = own.into_iter().flat_map(|own| {
            own.events.iter().flat_map(|event| self.offers.naming(event)).filter(move |(_, other)| {
                other.is_live() && other.body.as_ref().is_some_and(|body| body.shares_input_with(own))
            })
        });
        let others = offers.filter_map(|(_, offer)| offer.assembled).filter(move |other| other != id);
        others.filter_map(|other| self.outbox.get(&other))
    }

    /// One that pays more is handed in instead, unless the node does not want that one.
    pub(crate) fn is_replaced(&self, id: &TransactionId) -> bool {
        let Some(own) = self.outbox.get(id) else { return false };
        let more = |other: &Submission| other.rate > own.rate;
        let unwanted = |other: &Submission| {
            matches!(other.answer, Some((Answer::TurnedAway, _) | (Answer::Conflict, true)))
        };
        self.rivals_in_outbox(id).any(|other| more(other) && !unwanted(other))
    }

    /// The next attempt asks the node to drop one that pays less. The node refuses that where there is none, so it is
    /// asked only where one of ours was taken, or where the plain attempt met one.
    pub(crate) fn replaces(&self, id: &TransactionId) -> bool {
        let Some(own) = self.outbox.get(id) else { return false };
        let mut less = self.rivals_in_outbox(id).filter(|other| other.rate < own.rate).peekable();
        match own.answer {
            Some((Answer::Conflict, false)) => less.peek().is_some(),
            Some((Answer::Taken, _) | (Answer::Conflict | Answer::TurnedAway, true)) => false,
            Some((Answer::TurnedAway, false)) | None => less.any(|other| other.taken),
        }
    }
}
