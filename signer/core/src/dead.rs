//! Dead proposals: what can never become final, as the own node's final chain data shows.
//!
//! Said once, written down at once, never taken back: nodes forget history.

use std::collections::BTreeMap;

use igra_tx::{Outpoint, Proposal, TransactionId};

/// The transaction at final depth that spends a coin of the proposal and is not the proposal's own.
pub(crate) fn killer(
    proposal: &Proposal,
    transaction: TransactionId,
    final_spends: &BTreeMap<Outpoint, TransactionId>,
) -> Option<TransactionId> {
    let spenders = proposal.inputs.iter().filter_map(|coin| final_spends.get(&coin.outpoint));
    spenders.copied().find(|spender| *spender != transaction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_kit::{coin, event, group};
    use igra_tx::ProposalKind;

    fn proposal() -> Proposal {
        let group = group(3, 2, None);
        let inputs = vec![coin(&group, 1, 10), coin(&group, 2, 10)];
        let (events, kind) = (vec![event(1).payment.event], ProposalKind::Pay);
        Proposal { group: group.id(), kind, events, inputs, outputs: Vec::new(), payload: Vec::new() }
    }

    fn spent_by(place: usize, transaction: TransactionId) -> BTreeMap<Outpoint, TransactionId> {
        [(proposal().inputs[place].outpoint, transaction)].into()
    }

    #[test]
    fn a_proposal_is_dead_when_something_else_took_one_of_its_coins_for_good() {
        let thief = TransactionId::from_bytes([9; 32]);
        let proposal = proposal();
        for place in [0, 1] {
            assert_eq!(killer(&proposal, proposal.transaction_id(), &spent_by(place, thief)), Some(thief));
        }
    }

    #[test]
    fn its_own_transaction_does_not_kill_it_and_neither_does_what_spends_other_coins() {
        let proposal = proposal();
        let own = proposal.transaction_id();
        assert_eq!(killer(&proposal, own, &spent_by(0, own)), None);
        let elsewhere = Outpoint { transaction: TransactionId::from_bytes([5; 32]), index: 0 };
        assert_eq!(killer(&proposal, own, &[(elsewhere, TransactionId::from_bytes([9; 32]))].into()), None);
    }
}
