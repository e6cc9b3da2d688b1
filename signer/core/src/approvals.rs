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
