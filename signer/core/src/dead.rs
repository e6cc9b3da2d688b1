//! Dead proposals: what can never become final, as the own node's final chain data shows.
//!
//! Said once, written down at once, never taken back: nodes forget history.

use std::collections::BTreeMap;

use igra_tx::{Outpoint, Proposal, TransactionId};

/// What a proposal builds on and that was not final when it was approved, however far up: each transaction with the
/// outpoints that it spends.
pub type Parents = BTreeMap<TransactionId, Vec<Outpoint>>;

/// The transaction at final depth that makes a proposal dead, if there is one.
///
/// It spends a coin that the proposal, or one of its parents, needs, and is neither that proposal nor that parent. A
/// parent that became final therefore kills nothing that builds on it. `transaction` is the proposal's own id.
#[doc(hidden)]
pub fn killer(
    proposal: &Proposal,
    transaction: TransactionId,
    parents: &Parents,
    final_spends: &BTreeMap<Outpoint, TransactionId>,
) -> Option<TransactionId> {
    let own = proposal.inputs.iter().map(|coin| (transaction, &coin.outpoint));
    let above = parents.iter().flat_map(|(id, spends)| spends.iter().map(|outpoint| (*id, outpoint)));
    own.chain(above)
        .find_map(|(spender, outpoint)| final_spends.get(outpoint).copied().filter(|found| *found != spender))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Earlier, anchor_rule,
        test_kit::{coin, event, group},
    };
    use igra_tx::ProposalKind;
    use proptest::prelude::*;

    fn proposal() -> Proposal {
        spending(vec![coin(&group(3, 2, None), 1, 10), coin(&group(3, 2, None), 2, 10)])
    }

    fn spending(inputs: Vec<igra_tx::Coin>) -> Proposal {
        let (events, kind) = (vec![event(1).payment.event], ProposalKind::Pay);
        let group = group(3, 2, None).id();
        Proposal { group, kind, events, inputs, outputs: Vec::new(), payload: Vec::new() }
    }

    fn spent_by(place: usize, transaction: TransactionId) -> BTreeMap<Outpoint, TransactionId> {
        [(proposal().inputs[place].outpoint, transaction)].into()
    }

    fn thief() -> TransactionId {
        TransactionId::from_bytes([9; 32])
    }

    fn outpoint(number: u8) -> Outpoint {
        Outpoint { transaction: TransactionId::from_bytes([number; 32]), index: 0 }
    }

    #[test]
    fn a_proposal_is_dead_when_something_else_took_one_of_its_coins_for_good() {
        let proposal = proposal();
        for place in [0, 1] {
            let found =
                killer(&proposal, proposal.transaction_id(), &Parents::new(), &spent_by(place, thief()));
            assert_eq!(found, Some(thief()));
        }
    }

    #[test]
    fn its_own_transaction_does_not_kill_it_and_neither_does_what_spends_other_coins() {
        let proposal = proposal();
        let own = proposal.transaction_id();
        assert_eq!(killer(&proposal, own, &Parents::new(), &spent_by(0, own)), None);
        assert_eq!(killer(&proposal, own, &Parents::new(), &[(outpoint(5), thief())].into()), None);
    }

    #[test]
    fn invariant_7_dead_looks_through_unconfirmed_parents() {
        let proposal = proposal();
        let (parent, grandparent) = (proposal.inputs[0].outpoint.transaction, outpoint(7).transaction);
        let parents: Parents = [(parent, vec![outpoint(7)]), (grandparent, vec![outpoint(8)])].into();
        for taken in [outpoint(7), outpoint(8)] {
            let found = killer(&proposal, proposal.transaction_id(), &parents, &[(taken, thief())].into());
            assert_eq!(found, Some(thief()));
        }
    }

    #[test]
    fn invariant_7_no_transaction_makes_its_own_child_dead() {
        let proposal = proposal();
        let parent = proposal.inputs[0].outpoint.transaction;
        let parents: Parents = [(parent, vec![outpoint(7)])].into();
        let final_parent = [(outpoint(7), parent)].into();
        assert_eq!(killer(&proposal, proposal.transaction_id(), &parents, &final_parent), None);
    }

    /// Transactions over a few old coins and each other's change; each one spends what its bits choose.
    fn universe(choices: &[(u8, u8)]) -> Vec<Proposal> {
        let group = group(3, 2, None);
        let mut all: Vec<Proposal> = Vec::new();
        for (old, change) in choices {
            let mut inputs: Vec<_> =
                (0..4).filter(|bit| old >> bit & 1 == 1).map(|bit| coin(&group, bit + 1, 10)).collect();
            for (place, parent) in all.iter().enumerate().filter(|(place, _)| change >> place & 1 == 1) {
                let outpoint = Outpoint { transaction: parent.transaction_id(), index: 0 };
                inputs.push(igra_tx::Coin { outpoint, ..coin(&group, place as u8 + 10, 10) });
            }
            if !inputs.is_empty() {
                all.push(spending(inputs));
            }
        }
        all
    }

    /// All that a proposal of the universe builds on.
    fn parents_of(proposal: &Proposal, all: &[Proposal]) -> Parents {
        let mut found = Parents::new();
        let mut wanted: Vec<TransactionId> =
            proposal.inputs.iter().map(|coin| coin.outpoint.transaction).collect();
        while let Some(id) = wanted.pop() {
            if let Some(parent) = all.iter().find(|other| other.transaction_id() == id) {
                wanted.extend(parent.inputs.iter().map(|coin| coin.outpoint.transaction));
                found.insert(id, parent.outpoints().into_iter().collect());
            }
        }
        found
    }

    /// Whether the chain can take a transaction now: each input exists and is not spent.
    fn fits(proposal: &Proposal, all: &[Proposal], spends: &BTreeMap<Outpoint, TransactionId>) -> bool {
        let made = |outpoint: &Outpoint| {
            all.iter().all(|other| other.transaction_id() != outpoint.transaction)
                || spends.values().any(|id| *id == outpoint.transaction)
        };
        proposal.inputs.iter().all(|coin| made(&coin.outpoint) && !spends.contains_key(&coin.outpoint))
    }

    fn take(proposal: &Proposal, spends: &mut BTreeMap<Outpoint, TransactionId>) {
        spends.extend(proposal.outpoints().into_iter().map(|outpoint| (outpoint, proposal.transaction_id())));
    }

    proptest! {
        #[test]
        fn invariant_7_dead_never_turns_back_and_what_is_dead_never_fits_the_chain(
            choices in prop::collection::vec((0u8..16, 0u8..32), 1..7),
            order in prop::collection::vec(0usize..7, 0..20),
        ) {
            let all = universe(&choices);
            let mut spends = BTreeMap::new();
            let mut dead = vec![false; all.len()];
            for place in order {
                let Some(next) = all.get(place).filter(|next| fits(next, &all, &spends)) else { continue };
                prop_assert!(!dead[place], "a dead one fits the chain");
                take(next, &mut spends);
                for (was, proposal) in dead.iter_mut().zip(&all) {
                    let parents = parents_of(proposal, &all);
                    let is = killer(proposal, proposal.transaction_id(), &parents, &spends).is_some();
                    prop_assert!(is || !*was, "what was dead is not any more");
                    *was = is;
                }
            }
        }

        #[test]
        fn invariant_3_of_all_that_one_signer_approves_for_an_event_the_chain_takes_one(
            choices in prop::collection::vec((0u8..16, 0u8..32), 1..7),
            order in prop::collection::vec((any::<bool>(), 0usize..7), 0..40),
        ) {
            let all = universe(&choices);
            let mut spends = BTreeMap::new();
            let mut approved: Vec<&Proposal> = Vec::new();
            for (approve, place) in order {
                let Some(next) = all.get(place) else { continue };
                if approve {
                    let earlier = approved.iter().map(|proposal| {
                        let (id, parents) = (proposal.transaction_id(), parents_of(proposal, &all));
                        let dead = killer(proposal, id, &parents, &spends).is_some();
                        Earlier { id: proposal.id(), proposal, dead }
                    });
                    if anchor_rule(next, earlier.collect::<Vec<_>>()).is_ok() {
                        approved.push(next);
                    }
                } else if fits(next, &all, &spends) {
                    take(next, &mut spends);
                }
            }
            let mut ended: Vec<TransactionId> = approved.iter().map(|proposal| proposal.transaction_id()).collect();
            ended.retain(|id| spends.values().any(|spender| spender == id));
            ended.sort();
            ended.dedup();
            prop_assert!(ended.len() <= 1, "{ended:?}");
        }
    }
}
