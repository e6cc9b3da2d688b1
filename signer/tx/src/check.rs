//! The whole check of a proposal against what this signer itself knows: the payments it verified, the coins its own
//! node shows, its own limits. Nothing is taken from the proposer's word.

use std::collections::BTreeMap;

use igra_group::{Group, Sompi};

use crate::{
    ChainView, Coin, EventKey, FeeLimits, LEAST_CONSOLIDATED, MAX_INPUTS, MAX_PAYMENTS, Masses, Outpoint,
    Output, Payment, Proposal, ProposalKind, Script, payload,
};

/// Why a signer does not approve a proposal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error("the proposal is of another group")]
    Group,
    #[error("the group has no successor to move its coins to")]
    NoSuccessor,
    #[error("{0} events are too few or too many for a proposal of this kind")]
    EventCount(usize),
    #[error("the events are not distinct and in ascending order")]
    EventOrder,
    #[error("the events of the proposal are not those that were verified here")]
    Events,
    #[error("the payload is not what the profile says")]
    Payload,
    #[error("{0} coins are too few to be worth a consolidation, which takes at least {LEAST_CONSOLIDATED}")]
    TooFewCoins(usize),
    #[error("a proposal spends from 1 to {MAX_INPUTS} coins, not {0}")]
    InputCount(usize),
    #[error("{0} is spent twice")]
    DuplicateInput(Outpoint),
    #[error("{0} does not stand in ascending order")]
    InputOrder(Outpoint),
    #[error("{0} is not a coin of the group")]
    ForeignCoin(Outpoint),
    #[error("{outpoint} holds {amount}, which is dust")]
    DustCoin { outpoint: Outpoint, amount: Sompi },
    #[error("the own node shows no coin {0}")]
    UnknownCoin(Outpoint),
    #[error("the own node shows {0} with another amount, script or score")]
    CoinDiffers(Outpoint),
    #[error("{outpoint} lies {depth} deep, it may be spent from {needed}")]
    TooYoung { outpoint: Outpoint, depth: u64, needed: u64 },
    #[error("{payments} payments need as many outputs and at most one more, not {found}")]
    OutputCount { payments: usize, found: usize },
    #[error("nodes do not relay payments to the recipient of event {0}")]
    NotStandard(EventKey),
    #[error("the output for event {0} pays somebody else")]
    Recipient(EventKey),
    #[error("event {event} is to be paid {due}, not {found}")]
    Amount { event: EventKey, due: Sompi, found: Sompi },
    #[error("the last output goes neither to a recipient nor where this kind of proposal may pay")]
    StrangeChange,
    #[error("the change of {0} is dust")]
    DustChange(Sompi),
    #[error("the amounts are not such that a transaction can have them")]
    Amounts,
    #[error("the outputs hold more than the inputs")]
    Overspent,
    #[error("the fee of {fee} is below {least}, the least that nodes relay")]
    FeeTooLow { fee: Sompi, least: Sompi },
    #[error("the fee of {fee} is above {most}, the most that is allowed")]
    FeeTooHigh { fee: Sompi, most: Sompi },
    #[error("the {which} mass is {found}, the limit is {limit}")]
    Mass { which: &'static str, found: u64, limit: u64 },
}

impl CheckError {
    /// A stable code for logs, metrics and refusals.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::NoSuccessor => "no-successor",
            Self::EventCount(_) => "event-count",
            Self::EventOrder => "event-order",
            Self::Events => "events",
            Self::Payload => "payload",
            Self::TooFewCoins(_) => "too-few-coins",
            Self::InputCount(_) => "input-count",
            Self::DuplicateInput(_) => "duplicate-input",
            Self::InputOrder(_) => "input-order",
            Self::ForeignCoin(_) => "foreign-coin",
            Self::DustCoin { .. } => "dust-coin",
            Self::UnknownCoin(_) => "unknown-coin",
            Self::CoinDiffers(_) => "coin-differs",
            Self::TooYoung { .. } => "too-young",
            Self::OutputCount { .. } => "output-count",
            Self::NotStandard(_) => "not-standard",
            Self::Recipient(_) => "recipient",
            Self::Amount { .. } => "amount",
            Self::StrangeChange => "strange-change",
            Self::DustChange(_) => "dust-change",
            Self::Amounts => "amounts",
            Self::Overspent => "overspent",
            Self::FeeTooLow { .. } => "fee-too-low",
            Self::FeeTooHigh { .. } => "fee-too-high",
            Self::Mass { .. } => "mass",
        }
    }

    /// The outpoints that this is about: a proposer avoids one that many refuse.
    pub fn outpoints(&self) -> Vec<Outpoint> {
        match self {
            Self::DuplicateInput(outpoint)
            | Self::InputOrder(outpoint)
            | Self::ForeignCoin(outpoint)
            | Self::DustCoin { outpoint, .. }
            | Self::UnknownCoin(outpoint)
            | Self::CoinDiffers(outpoint)
            | Self::TooYoung { outpoint, .. } => vec![*outpoint],
            Self::Group
            | Self::NoSuccessor
            | Self::EventCount(_)
            | Self::EventOrder
            | Self::Events
            | Self::Payload
            | Self::TooFewCoins(_)
            | Self::InputCount(_)
            | Self::OutputCount { .. }
            | Self::NotStandard(_)
            | Self::Recipient(_)
            | Self::Amount { .. }
            | Self::StrangeChange
            | Self::DustChange(_)
            | Self::Amounts
            | Self::Overspent
            | Self::FeeTooLow { .. }
            | Self::FeeTooHigh { .. }
            | Self::Mass { .. } => Vec::new(),
        }
    }
}

/// What a signer itself holds against a proposal.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// For a proposal that pays: the payments that this signer verified for its events, in any order.
    pub payments: &'a [Payment],
    /// The script of the group that the policy names as successor.
    pub successor: Option<&'a Script>,
    pub limits: &'a FeeLimits,
}

/// Checks all that a proposal itself can be checked for: group, form, inputs, outputs, fee, mass. Who proposed, policy,
/// the reasons of a void, the tags of a sweep and anchors are for the caller.
pub fn check(
    group: &Group,
    view: &ChainView,
    proposal: &Proposal,
    terms: &Terms<'_>,
) -> Result<(), CheckError> {
    let payments = check_form(group, proposal, terms)?;
    check_inputs(group, view, proposal)?;
    check_outputs(group, proposal, &payments, terms.successor)?;
    check_fee_and_mass(group, proposal, terms.limits)
}

/// The same but for the coins: what is asked once more of a proposal that was approved, before a signature leaves.
pub fn check_again(group: &Group, proposal: &Proposal, terms: &Terms<'_>) -> Result<(), CheckError> {
    let payments = check_form(group, proposal, terms)?;
    check_outputs(group, proposal, &payments, terms.successor)?;
    check_fee_and_mass(group, proposal, terms.limits)
}

/// Group, events and payload; the payment for each event of a proposal that pays.
fn check_form<'a>(
    group: &Group,
    proposal: &Proposal,
    terms: &Terms<'a>,
) -> Result<Vec<&'a Payment>, CheckError> {
    if proposal.group != group.id() {
        return Err(CheckError::Group);
    }
    check_event_list(proposal)?;
    let payments = check_events(proposal, terms.payments)?;
    check_payload(group, proposal)?;
    Ok(payments)
}

fn check_event_list(proposal: &Proposal) -> Result<(), CheckError> {
    let fits = if proposal.kind.names_events() { 1..=MAX_PAYMENTS } else { 0..=0 };
    if !fits.contains(&proposal.events.len()) {
        return Err(CheckError::EventCount(proposal.events.len()));
    }
    if !proposal.events.is_sorted_by(|a, b| a < b) {
        return Err(CheckError::EventOrder);
    }
    Ok(())
}

/// The payment for each event of a proposal that pays, in its order.
fn check_events<'a>(proposal: &Proposal, expected: &'a [Payment]) -> Result<Vec<&'a Payment>, CheckError> {
    match proposal.kind {
        ProposalKind::Pay => {}
        ProposalKind::Void | ProposalKind::Consolidate | ProposalKind::Sweep | ProposalKind::Migrate => {
            return Ok(Vec::new());
        }
    }
    let by_event: BTreeMap<EventKey, &Payment> =
        expected.iter().map(|payment| (payment.event, payment)).collect();
    if by_event.len() != expected.len() || !by_event.keys().eq(&proposal.events) {
        return Err(CheckError::Events);
    }
    Ok(by_event.into_values().collect())
}

/// The payload follows from kind and events, but for its tags: any, at most one for each member.
fn check_payload(group: &Group, proposal: &Proposal) -> Result<(), CheckError> {
    let tags = proposal.tags();
    let too_many = tags.len() > usize::from(group.threshold().members());
    if too_many || proposal.payload != payload::encode(proposal.kind, &proposal.events, &tags) {
        return Err(CheckError::Payload);
    }
    Ok(())
}

fn check_inputs(group: &Group, view: &ChainView, proposal: &Proposal) -> Result<(), CheckError> {
    let inputs = &proposal.inputs;
    if !(1..=MAX_INPUTS).contains(&inputs.len()) {
        return Err(CheckError::InputCount(inputs.len()));
    }
    if proposal.kind == ProposalKind::Consolidate && inputs.len() < LEAST_CONSOLIDATED {
        return Err(CheckError::TooFewCoins(inputs.len()));
    }
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = inputs.iter().find(|coin| !seen.insert(coin.outpoint)) {
        return Err(CheckError::DuplicateInput(twice.outpoint));
    }
    if let Some(pair) = inputs.windows(2).find(|pair| pair[0].outpoint > pair[1].outpoint) {
        return Err(CheckError::InputOrder(pair[1].outpoint));
    }
    inputs.iter().try_for_each(|coin| check_coin(group, view, coin))
}

fn check_coin(group: &Group, view: &ChainView, coin: &Coin) -> Result<(), CheckError> {
    let outpoint = coin.outpoint;
    if coin.script != Script::of_wallet(group.wallet()) {
        return Err(CheckError::ForeignCoin(outpoint));
    }
    if coin.amount < group.dust() {
        return Err(CheckError::DustCoin { outpoint, amount: coin.amount });
    }
    let Some(own) = view.coins.get(&outpoint) else {
        return Err(CheckError::UnknownCoin(outpoint));
    };
    if own != coin {
        return Err(CheckError::CoinDiffers(outpoint));
    }
    let (depth, needed) = (view.depth(coin), view.needed_depth(group, coin));
    if depth < needed {
        return Err(CheckError::TooYoung { outpoint, depth, needed });
    }
    Ok(())
}

fn check_outputs(
    group: &Group,
    proposal: &Proposal,
    payments: &[&Payment],
    successor: Option<&Script>,
) -> Result<(), CheckError> {
    let (found, due) = (proposal.outputs.len(), payments.len());
    let least = if proposal.kind == ProposalKind::Pay { due } else { 1 };
    if found < least || found > due + 1 {
        return Err(CheckError::OutputCount { payments: due, found });
    }
    proposal.outputs.iter().zip(payments).try_for_each(|(output, payment)| check_payment(output, payment))?;
    let home = Script::of_wallet(group.wallet());
    let script = match proposal.kind {
        ProposalKind::Pay | ProposalKind::Void | ProposalKind::Consolidate | ProposalKind::Sweep => &home,
        ProposalKind::Migrate => successor.ok_or(CheckError::NoSuccessor)?,
    };
    check_change(group, proposal.outputs.get(due), script)
}

fn check_payment(output: &Output, payment: &Payment) -> Result<(), CheckError> {
    let event = payment.event;
    if output.script != payment.recipient {
        return Err(CheckError::Recipient(event));
    }
    if output.amount != payment.amount {
        return Err(CheckError::Amount { event, due: payment.amount, found: output.amount });
    }
    if !output.script.is_standard() {
        return Err(CheckError::NotStandard(event));
    }
    Ok(())
}

/// What is left goes to this script alone.
fn check_change(group: &Group, change: Option<&Output>, script: &Script) -> Result<(), CheckError> {
    let Some(change) = change else {
        return Ok(());
    };
    if change.script != *script {
        return Err(CheckError::StrangeChange);
    }
    if change.amount < group.dust() {
        return Err(CheckError::DustChange(change.amount));
    }
    Ok(())
}

fn check_fee_and_mass(group: &Group, proposal: &Proposal, limits: &FeeLimits) -> Result<(), CheckError> {
    let masses = Masses::of(group, proposal).ok_or(CheckError::Amounts)?;
    let fee = proposal.fee().ok_or(CheckError::Overspent)?;
    let (least, most) = (masses.minimum_fee(), limits.most(masses.fee_mass()));
    if fee < least {
        return Err(CheckError::FeeTooLow { fee, least });
    }
    if fee > most {
        return Err(CheckError::FeeTooHigh { fee, most });
    }
    let over = |over: crate::mass::OverLimit| CheckError::Mass {
        which: over.which,
        found: over.found,
        limit: over.limit,
    };
    masses.refuse_over_limit(group.network()).map_err(over)
}
