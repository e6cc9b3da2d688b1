//! Coins that are gone for good although nothing spent them, on an administrator's word.
//!
//! A deposit may vanish from the chain because something above it was undone or spent twice, and no node tells that.
//! What spends it is then neither dead nor payable, and a void, which must spend the same coin, is not either. Whoever
//! learned by other means that it never comes back says so, and what needs it counts as dead here.

use std::collections::BTreeSet;

use igra_tx::{EventKey, Outpoint, Proposal, TransactionId};

use crate::{Coordinator, Ignored, InterventionKind, Step, offer::Offer, rules::Rules};

/// Stands where else the transaction stands that took a coin.
const NOBODY: TransactionId = TransactionId::from_bytes([0; 32]);

impl<R: Rules> Coordinator<R> {
    pub(crate) fn on_coins_lost(
        &mut self,
        event: EventKey,
        reason: String,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let missing = self.missing_coins(&event);
        if missing.is_empty() {
            return Err(Ignored::NothingLost);
        }
        let spends: Vec<Outpoint> = missing.iter().copied().collect();
        let taken = spends.iter().map(|outpoint| (*outpoint, NOBODY)).collect();
        for id in self.rivals_of(&NOBODY, &spends) {
            self.note_if_taken(id, &taken, step);
        }
        let about = missing.iter().map(Outpoint::to_string).collect::<Vec<_>>().join(", ");
        self.intervene(InterventionKind::CoinsLost, about, reason, step);
        self.stir_all();
        Ok(())
    }

    /// Coins that live approvals of an event need, that the own node does not show, and that nothing accepted made or
    /// spent. Empty while the node is not there or behind: it may show them yet.
    pub(crate) fn missing_coins(&self, event: &EventKey) -> BTreeSet<Outpoint> {
        let engaged = self.offers.naming(event).filter(|(_, offer)| offer.is_engaged() && self.chain.synced);
        let bodies = engaged.filter_map(|(_, offer)| offer.body.as_ref());
        let mut open: Vec<Outpoint> = bodies.flat_map(Proposal::outpoints).collect();
        let (mut seen, mut missing) = (BTreeSet::new(), BTreeSet::new());
        while let Some(outpoint) = open.pop() {
            if !seen.insert(outpoint) || self.is_there(&outpoint) {
                continue;
            }
            // The group's own change comes back with its transaction, unless that lacks a coin itself.
            match self.spent_by_the_group(&outpoint.transaction) {
                Some(spends) => open.extend(spends),
                None => drop(missing.insert(outpoint)),
            }
        }
        missing
    }

    fn is_there(&self, outpoint: &Outpoint) -> bool {
        let made = self.chain.accepted.contains_key(&outpoint.transaction);
        made || self.chain.view.coins.contains_key(outpoint) || self.chain.spent.contains_key(outpoint)
    }

    /// What a transaction of the group spends, if it is known as one.
    fn spent_by_the_group(&self, id: &TransactionId) -> Option<Vec<Outpoint>> {
        if let Some(submission) = self.outbox.get(id) {
            return Some(submission.record.transaction.proposal.outpoints().into_iter().collect());
        }
        let spends = self.parents.spends(id)?;
        let is_it = |offer: &Offer| offer.body.as_ref().is_some_and(|body| body.transaction_id() == *id);
        let by_offer = spends.first().is_some_and(|first| self.offers.spending(first).any(|(_, o)| is_it(o)));
        by_offer.then(|| spends.to_vec())
    }
}
