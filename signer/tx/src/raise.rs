//! Paying more for a transaction that waits: the same inputs and payments, a higher fee, less change.

use igra_group::{Group, Sompi};

use crate::{
    DraftError, FeeLimits, FeeRate, Masses, Proposal,
    draft::{wanted_fee, within_limits},
};

/// The proposal with the fee that a rate asks for, taken from its last output, which must be the group's own change or
/// the one output of a proposal without payments. Both spend the same coins, so at most one of them is ever in the
/// chain.
pub fn raise_fee(
    group: &Group,
    proposal: &Proposal,
    rate: FeeRate,
    limits: &FeeLimits,
) -> Result<Proposal, DraftError> {
    let masses = Masses::of(group, proposal).ok_or(DraftError::Overflow)?;
    let paid = proposal.fee().ok_or(DraftError::Overflow)?;
    let wanted = wanted_fee(rate, limits, &masses);
    let more = wanted.checked_sub(paid).filter(|more| *more > Sompi::ZERO);
    let Some(more) = more else {
        return Err(DraftError::FeeOverLimit { fee: paid, most: wanted });
    };
    let mut raised = proposal.clone();
    let payments = raised.payment_count();
    let rest = raised.outputs.get_mut(payments).ok_or(DraftError::NoChange)?;
    let left = rest.amount.checked_sub(more).filter(|left| *left >= group.dust().max(Sompi(1)));
    rest.amount = left.ok_or(DraftError::NotEnoughFunds { needed: more, available: rest.amount })?;
    within_limits(group, limits, raised)
}

/// What a proposal pays for each gram of its mass, rounded down; `None` for one that no transaction can be.
pub fn fee_rate(group: &Group, proposal: &Proposal) -> Option<u64> {
    let masses = Masses::of(group, proposal)?;
    proposal.fee()?.0.checked_div(masses.fee_mass())
}
