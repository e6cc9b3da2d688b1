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
    /// What the own node said last, and whether that was to a replacement.
    pub answer: Option<(Answer, bool)>,
    /// The last attempt asked to replace one that pays less.
    pub replacing: bool,
    /// Since when the node asks for more than it pays.
    pub underpriced: Option<Millis>,
    /// What it pays for each gram of its mass, in sompi.
    pub rate: u64,
    /// Somebody said that another node took it.
    pub hinted: bool,
}

impl Submission {
    pub(crate) fn new(group: &Group, record: OutboxRecord, next: Millis) -> Self {
        let rate = fee_rate(group, &record.transaction.proposal).unwrap_or(u64::MAX);
        let (answer, underpriced) = (None, None);
        Self {
            record,
            next,
            attempts: 0,
            taken: false,
            answer,
            replacing: false,
            underpriced,
            rate,
            hinted: false,
        }
    }

    /// Starts anew after a reorganisation.
    pub(crate) fn again(&mut self, now: Millis) {
        (self.next, self.attempts, self.underpriced) = (now, 0, None);
    }
}

impl<R: Rules> Coordinator<R> {
    /// When the outbox is looked at next.
    pub(crate) fn submission_deadline(&self) -> Option<Millis> {
        self.submissions.first().map(|(at, _)| *at)
    }

    /// Something in the outbox may be wanted from now on, or sooner than before.
    pub(crate) fn schedule(&mut self, id: &TransactionId) {
        if let Some(submission) = self.outbox.get(id) {
            self.submissions.insert((submission.next, *id));
        }
    }

    pub(crate) fn submit_due(&mut self, step: &mut Step) {
        let now = self.now.monotonic;
        while let Some((at, id)) = self.submissions.first().copied().filter(|(at, _)| *at <= now) {
            self.submissions.remove(&(at, id));
            // What is accepted comes back here if a reorganisation takes it back.
            if !self.is_open(&id) {
                self.chain.on_its_way = None;
                continue;
            }
            if self.outbox.get(&id).is_some_and(|submission| submission.next > now) {
                self.schedule(&id);
                continue;
            }
            if self.is_replaced(&id) {
                let later = now.0.saturating_add(self.timing.view_timeout_cap.0.max(1));
                self.submissions.insert((Millis(later), id));
                continue;
            }
            let replaces = self.replaces(&id);
            let transaction = self.attempt(&id, replaces);
            self.schedule(&id);
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

    /// It is here, it is not accepted, and nothing of its events is.
    fn is_open(&self, id: &TransactionId) -> bool {
        let Some(submission) = self.outbox.get(id) else { return false };
        let events = &submission.record.transaction.proposal.events;
        !self.chain.accepted.contains_key(id) && events.iter().all(|event| self.chain.link(event).is_none())
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
        let replacing = submission.replacing;
        submission.answer = Answer::of(&outcome).map(|answer| (answer, replacing)).or(submission.answer);
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
        // Once: a member that hints again and again would keep everybody from submitting.
        if submission.attempts == 0 && !std::mem::replace(&mut submission.hinted, true) {
            submission.next = submission.next.max(Millis(self.now.monotonic.0.saturating_add(retry.0)));
        }
        Ok(())
    }
}
