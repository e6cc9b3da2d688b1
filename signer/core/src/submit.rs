//! Hands signed transactions to the own node, again and again until they are accepted or dead.

use igra_group::{Group, MemberIndex};
use igra_tx::{SignedTransaction, TransactionId, fee_rate};

use crate::{
    Coordinator, Effect, Ignored, Millis, Note, Step, SubmitOutcome, To,
    messages::{Hint, Message},
    records::OutboxRecord,
    replace::Answer,
    rules::Rules,
};

// Attempts stop doubling their distance here.
const MOST_DOUBLINGS: u32 = 16;

/// A signed transaction on its way.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    pub record: OutboxRecord,
    pub next: Millis,
    pub attempts: u32,
    /// The own node took it once.
    pub taken: bool,
    /// What the own node said last.
    pub answer: Option<Answer>,
    /// The last attempt asked to replace one that pays less.
    pub replacing: bool,
    /// Since when the node asks for more than it pays.
    pub underpriced: Option<Millis>,
    /// What it pays for each gram of its mass, in sompi.
    pub rate: u64,
}

impl Submission {
    pub(crate) fn new(group: &Group, record: OutboxRecord, next: Millis) -> Self {
        let rate = fee_rate(group, &record.transaction.proposal).unwrap_or(u64::MAX);
        let (answer, underpriced) = (None, None);
        Self { record, next, attempts: 0, taken: false, answer, replacing: false, underpriced, rate }
    }

    /// Starts anew after a reorganisation.
    pub(crate) fn again(&mut self, now: Millis) {
        (self.next, self.attempts) = (now, 0);
    }
}

impl<R: Rules> Coordinator<R> {
    /// When the next submission is due.
    pub(crate) fn submission_deadline(&self) -> Option<Millis> {
        self.outbox.iter().filter(|(id, _)| self.is_wanted(id)).map(|(_, submission)| submission.next).min()
    }

    pub(crate) fn submit_due(&mut self, step: &mut Step) {
        let now = self.now.monotonic;
        let due =
            |id: &TransactionId| self.outbox.get(id).is_some_and(|s| s.next <= now) && self.is_wanted(id);
        let due: Vec<TransactionId> = self.outbox.keys().copied().filter(due).collect();
        for id in due {
            let replaces = self.replaces(&id);
            let transaction = self.attempt(&id, replaces);
            step.effects.push(Effect::Submit { transaction, replaces });
        }
    }

    fn attempt(&mut self, id: &TransactionId, replaces: bool) -> SignedTransaction {
        let retry = self.retry_after(self.outbox.get(id).map_or(0, |submission| submission.attempts));
        let submission = self.outbox.get_mut(id).expect("what is due is in the outbox");
        submission.attempts += 1;
        submission.replacing = replaces;
        submission.next = Millis(self.now.monotonic.0.saturating_add(retry.0));
        submission.record.transaction.clone()
    }

    pub(crate) fn retry_after(&self, attempts: u32) -> Millis {
        let first = self.timing.view_timeout.0.saturating_mul(2);
        let doubled = first.saturating_mul(1 << attempts.min(MOST_DOUBLINGS));
        Millis(doubled.min(self.timing.view_timeout_cap.0.max(first)))
    }

    /// Nothing of its events is accepted, it is not accepted itself, and none that pays more goes instead.
    fn is_wanted(&self, id: &TransactionId) -> bool {
        let Some(submission) = self.outbox.get(id) else { return false };
        let events = &submission.record.transaction.proposal.events;
        let open = events.iter().all(|event| self.chain.link(event).is_none());
        open && !self.chain.accepted.contains_key(id) && !self.is_replaced(id)
    }

    /// The first submission: the proposer's at once, that of others by their rank after it.
    pub(crate) fn first_submission(&self, view: Option<u64>) -> Millis {
        let members = u64::from(self.group.threshold().members());
        let me = u64::from(self.me.0);
        let rank = view.map_or(members, |view| (me + members - view % members) % members);
        Millis(self.now.monotonic.0.saturating_add(self.timing.rank_delay.0.saturating_mul(rank)))
    }

    pub(crate) fn on_submitted(
        &mut self,
        transaction: TransactionId,
        outcome: SubmitOutcome,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        if self.parents.contains(&transaction) && !self.outbox.contains_key(&transaction) {
            // Handed in again until the chain holds it, whatever the node says.
            step.note(Note::Submitted { transaction, outcome });
            return Ok(());
        }
        let submission = self.outbox.get_mut(&transaction).ok_or(Ignored::UnknownTransaction)?;
        step.note(Note::Submitted { transaction, outcome: outcome.clone() });
        submission.answer = Answer::of(&outcome).or(submission.answer);
        match outcome {
            SubmitOutcome::InMempool | SubmitOutcome::Known => {
                let first = !std::mem::replace(&mut submission.taken, true);
                if first {
                    self.send(To::All, &Message::Hint(Hint { transaction }), step);
                }
            }
            // All of these may pass: the outbox tries again until the chain decides.
            SubmitOutcome::Conflict(_)
            | SubmitOutcome::Orphan(_)
            | SubmitOutcome::Refused(_)
            | SubmitOutcome::Unavailable(_) => {}
        }
        Ok(())
    }

    /// Another node took it: no hurry here, but no trust either.
    pub(crate) fn on_hint(&mut self, _from: MemberIndex, hint: Hint) -> Result<(), Ignored> {
        let retry = self.retry_after(0);
        let submission = self.outbox.get_mut(&hint.transaction).ok_or(Ignored::UnknownTransaction)?;
        if submission.attempts == 0 {
            submission.next = submission.next.max(Millis(self.now.monotonic.0.saturating_add(retry.0)));
        }
        Ok(())
    }
}
