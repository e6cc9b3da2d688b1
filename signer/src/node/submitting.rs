//! Hands transactions to the Kaspa node beside the loop, a few at a time, and brings back what it said.

use futures::StreamExt;
use igra_core::{Input, SubmitOutcome};
use tokio::sync::mpsc;

use crate::chain::{Submission, Submitter};

/// Transactions that wait. The core asks again for one that finds no place.
const QUEUE: usize = 256;
const AT_ONCE: usize = 8;

/// The queue's end in the loop.
#[derive(Clone)]
pub(super) struct Submitting {
    queue: mpsc::Sender<Submission>,
}

/// The queue, and the task that works it off.
pub(super) fn submitting(
    submitter: Submitter,
    outcomes: mpsc::Sender<Input>,
) -> (Submitting, impl Future<Output = ()> + Send) {
    let (queue, mut waiting) = mpsc::channel(QUEUE);
    let transactions = futures::stream::poll_fn(move |context| waiting.poll_recv(context));
    let task = transactions.for_each_concurrent(AT_ONCE, move |submission: Submission| {
        let (submitter, outcomes) = (submitter.clone(), outcomes.clone());
        async move {
            let outcome = submitter.submit(&submission).await;
            // Nobody listens once the signer stops.
            let _ = outcomes.send(Input::Submitted { transaction: submission.id(), outcome }).await;
        }
    });
    (Submitting { queue }, task)
}

impl Submitting {
    /// Queues a transaction, or answers at once that there is no place for it.
    pub(super) fn submit(&self, submission: Submission) -> Option<Input> {
        let refused = self.queue.try_send(submission).err()?.into_inner();
        let outcome = SubmitOutcome::Unavailable("too many transactions wait".to_owned());
        Some(Input::Submitted { transaction: refused.id(), outcome })
    }
}
