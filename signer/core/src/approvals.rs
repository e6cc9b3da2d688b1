//! The anchor rule: what a signer may approve after what it approved before.

use igra_tx::{Proposal, ProposalId};

/// A proposal that this signer approved for the same event, or is about to.
#[derive(Clone, Copy, Debug)]
pub struct Earlier<'a> {
    pub id: ProposalId,
    pub proposal: &'a Proposal,
    /// Its transaction can never become final: see the crate's `dead`.
    pub dead: bool,
}

/// The earlier approval that forbids a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("proposal {with} was approved before, is not dead and shares no input")]
pub struct AnchorConflict {
    pub with: ProposalId,
}

/// A signer may approve a proposal for an event only if each one that it approved for that event before equals it,
/// shares an input with it, or is dead.
///
/// Of two that share an input the chain takes only one; a dead one it takes never. So whatever partials are out there,
/// at most one of the proposals that one signer approved for an event can become final.
pub fn anchor_rule<'a>(
    proposal: &Proposal,
    earlier: impl IntoIterator<Item = Earlier<'a>>,
) -> Result<(), AnchorConflict> {
    let bound = |earlier: &Earlier| {
        !earlier.dead && earlier.proposal != proposal && !proposal.shares_input_with(earlier.proposal)
    };
    match earlier.into_iter().find(bound) {
        Some(conflict) => Err(AnchorConflict { with: conflict.id }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::test_kit::{coin, event, group};
    use igra_tx::{Proposal, ProposalKind};
    use proptest::prelude::*;

    /// A proposal that spends these coins; nothing else of it matters to the rule.
    fn spending(coins: &[u8]) -> Proposal {
        let group = group(3, 2, None);
        Proposal {
            group: group.id(),
            kind: ProposalKind::Pay,
            events: vec![event(1).payment.event],
            inputs: coins.iter().map(|number| coin(&group, *number, 10)).collect(),
            outputs: Vec::new(),
            payload: Vec::new(),
        }
    }

    fn earlier(proposal: &Proposal, dead: bool) -> Earlier<'_> {
        Earlier { id: proposal.id(), proposal, dead }
    }

    #[test]
    fn the_first_proposal_is_free() {
        assert_eq!(anchor_rule(&spending(&[1]), []), Ok(()));
    }

    #[test]
    fn the_same_proposal_again_is_free() {
        let proposal = spending(&[1]);
        assert_eq!(anchor_rule(&proposal, [earlier(&proposal, false)]), Ok(()));
    }

    #[test]
    fn one_shared_input_is_enough_and_none_is_not() {
        let first = spending(&[1, 2]);
        assert_eq!(anchor_rule(&spending(&[2, 3]), [earlier(&first, false)]), Ok(()));
        assert_eq!(
            anchor_rule(&spending(&[3]), [earlier(&first, false)]),
            Err(AnchorConflict { with: first.id() })
        );
    }

    #[test]
    fn every_earlier_one_counts_and_not_the_last_alone() {
        let (first, second) = (spending(&[1]), spending(&[1, 2]));
        let earlier = [earlier(&first, false), earlier(&second, false)];
        assert_eq!(anchor_rule(&spending(&[2]), earlier), Err(AnchorConflict { with: first.id() }));
    }

    #[test]
    fn a_dead_one_binds_no_more() {
        assert_eq!(anchor_rule(&spending(&[2]), [earlier(&spending(&[1]), true)]), Ok(()));
    }

    proptest! {
        #[test]
        fn invariant_3_whatever_is_approved_in_a_row_shares_inputs_pairwise(
            sets in prop::collection::vec(prop::collection::btree_set(0u8..6, 1..3), 1..8),
        ) {
            let mut approved: Vec<Proposal> = Vec::new();
            for coins in sets {
                let coins: Vec<u8> = BTreeSet::into_iter(coins).collect();
                let next = spending(&coins);
                if anchor_rule(&next, approved.iter().map(|proposal| earlier(proposal, false))).is_ok() {
                    approved.push(next);
                }
            }
            for one in &approved {
                prop_assert!(approved.iter().all(|other| one == other || one.shares_input_with(other)));
            }
        }
    }
}
