//! Transactions that pay too little to be accepted: noticed when the node has asked for more for a while, and replaced
//! by one with the same inputs and payments and a higher fee.

use igra_tx::{DraftError, EventKey, Proposal, ProposalKind, TransactionId, raise_fee};

use crate::{Coordinator, Millis, offer::Offer, rules::Rules};

impl<R: Rules> Coordinator<R> {
    /// After each look at the node's fee rate: since when each waiting transaction pays less.
    pub(crate) fn note_fee_rates(&mut self) {
        let (asked, now) = (self.chain.view.fee_rate.get(), self.now.monotonic);
        for (_, id) in &self.submissions {
            let Some(submission) = self.outbox.get_mut(id) else { continue };
            // A tenth more is worth another round; less would raise for ever in small steps.
            let low = asked > submission.rate.saturating_add(submission.rate / 10);
            submission.underpriced = low.then(|| submission.underpriced.unwrap_or(now));
        }
    }

    /// The node took it, asks for more since longer than the policy waits, and the policy allows more.
    pub(crate) fn is_underpriced(&self, transaction: &TransactionId) -> bool {
        let Some(submission) = self.outbox.get(transaction) else { return false };
        let patience = self.policy.replace_after.0;
        let stale =
            |since: Millis| submission.taken && since.0.saturating_add(patience) <= self.now.monotonic.0;
        submission.underpriced.is_some_and(stale)
            && self.raised(&submission.record.transaction.proposal).is_ok()
    }

    /// The signed payment or void of an event that is to be replaced, with the fee that the node asks for. One that has
    /// lost a coin to the chain is not: no fee brings it back.
    pub(crate) fn raise_for(&self, event: &EventKey, kind: ProposalKind) -> Option<Proposal> {
        let assembled = |offer: &Offer| offer.is_live().then_some(offer.assembled).flatten();
        let low = self.offers.naming(event).filter(|(_, offer)| {
            assembled(offer).is_some_and(|transaction| self.is_underpriced(&transaction))
                && !self.is_overtaken(offer)
        });
        let mut bodies = low.filter_map(|(_, offer)| offer.body.as_ref()).filter(|body| body.kind == kind);
        self.raised(bodies.next()?).ok()
    }

    fn raised(&self, proposal: &Proposal) -> Result<Proposal, DraftError> {
        raise_fee(&self.group, proposal, self.chain.view.fee_rate, &self.policy.fee)
    }
}
