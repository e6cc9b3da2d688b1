//! Drafting one transaction for payments. The same coins, payments and fee rate give the same proposal on every
//! machine.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use igra_group::{Group, Sompi};

use crate::{
    ChainView, Coin, EventKey, FeeLimits, MAX_INPUTS, MAX_PAYMENTS, MINIMUM_SOMPI_PER_GRAM, Masses, Outpoint,
    Output, Payment, Proposal, ProposalId, ProposalKind, Script, payload,
};

/// Why no transaction could be drafted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    #[error("a proposal pays from 1 to {MAX_PAYMENTS} events, not {0}")]
    Payments(usize),
    #[error("event {0} is there twice")]
    SameEvent(EventKey),
    #[error("event {0} asks for nothing")]
    ZeroAmount(EventKey),
    #[error("nodes do not relay payments to the recipient of event {0}")]
    Recipient(EventKey),
    #[error("the amounts of the payments add up to more money than there is")]
    Overflow,
    #[error("proposal {0} has no coin left that could be spent as an anchor")]
    AnchorGone(ProposalId),
    #[error("more than {MAX_INPUTS} coins would be needed to share one with each earlier proposal")]
    TooManyAnchors,
    #[error("payments and fee need {needed}, the group can spend {available}")]
    NotEnoughFunds { needed: Sompi, available: Sompi },
    #[error("payments and fee need {needed}, the {MAX_INPUTS} largest coins hold {available}")]
    TooManyCoins { needed: Sompi, available: Sompi },
    #[error("the fee would be {fee}, the limits allow {most}")]
    FeeOverLimit { fee: Sompi, most: Sompi },
    #[error("the transaction's {which} mass would be {found}, the limit is {limit}")]
    MassOverLimit { which: &'static str, found: u64, limit: u64 },
}

/// Drafts one transaction for 1 to 64 payments of distinct events.
///
/// At least one coin of each proposal in `must_share` is spent, so that at most one of them and the draft can ever be
/// in the chain. Then the largest coins follow, by outpoint where they are equal, until payments and fee are covered.
/// Outpoints in `avoid` are taken only as the last way to share. What is left goes back to the group, or into the fee
/// where it would be dust and the limits allow it.
pub fn draft(
    group: &Group,
    view: &ChainView,
    payments: &[Payment],
    limits: &FeeLimits,
    avoid: &BTreeSet<Outpoint>,
    must_share: &[&Proposal],
) -> Result<Proposal, DraftError> {
    let order = Order { group, view, limits, payments: in_order(payments)? };
    let mut inputs = anchors(group, view, avoid, must_share)?;
    let mut more = largest_first(group, view, avoid, &inputs).into_iter();
    loop {
        let refused = match order.pay_from(&inputs) {
            Ok(proposal) => return Ok(proposal),
            Err(refused) => refused,
        };
        match more.next() {
            Some(coin) if inputs.len() < MAX_INPUTS => inputs.insert(coin.outpoint, coin),
            Some(_) => return Err(refused.with_coins_left()),
            None => return Err(refused),
        };
    }
}

impl DraftError {
    /// The same where the group holds more coins than one transaction can spend.
    fn with_coins_left(self) -> Self {
        match self {
            Self::NotEnoughFunds { needed, available } => Self::TooManyCoins { needed, available },
            other => other,
        }
    }
}

/// The payments by event, if one transaction can pay them.
fn in_order(payments: &[Payment]) -> Result<Vec<&Payment>, DraftError> {
    if !(1..=MAX_PAYMENTS).contains(&payments.len()) {
        return Err(DraftError::Payments(payments.len()));
    }
    let mut ordered: Vec<&Payment> = payments.iter().collect();
    ordered.sort_by_key(|payment| payment.event);
    if let Some(pair) = ordered.windows(2).find(|pair| pair[0].event == pair[1].event) {
        return Err(DraftError::SameEvent(pair[0].event));
    }
    if let Some(payment) = ordered.iter().find(|payment| payment.amount == Sompi::ZERO) {
        return Err(DraftError::ZeroAmount(payment.event));
    }
    match ordered.iter().find(|payment| !payment.recipient.is_standard()) {
        Some(payment) => Err(DraftError::Recipient(payment.event)),
        None => Ok(ordered),
    }
}

/// Coins that share an input with each of the proposals: again and again the one that the most of those still without
/// one spend; then the one that nothing speaks against, the largest, the first.
fn anchors<'a>(
    group: &'a Group,
    view: &'a ChainView,
    avoid: &BTreeSet<Outpoint>,
    must_share: &[&Proposal],
) -> Result<BTreeMap<Outpoint, &'a Coin>, DraftError> {
    let mut unshared: Vec<(&Proposal, BTreeSet<Outpoint>)> =
        must_share.iter().map(|p| (*p, p.outpoints())).collect();
    let mut chosen = BTreeMap::new();
    while let Some((first, _)) = unshared.first() {
        if chosen.len() == MAX_INPUTS {
            return Err(DraftError::TooManyAnchors);
        }
        let hits =
            |coin: &Coin| unshared.iter().filter(|(_, outpoints)| outpoints.contains(&coin.outpoint)).count();
        let rank = |coin: &&Coin| {
            (Reverse(hits(coin)), avoid.contains(&coin.outpoint), Reverse(coin.amount), coin.outpoint)
        };
        let best = view.spendable(group).filter(|coin| hits(coin) > 0).min_by_key(rank);
        let coin = best.ok_or_else(|| DraftError::AnchorGone(first.id()))?;
        chosen.insert(coin.outpoint, coin);
        unshared.retain(|(_, outpoints)| !outpoints.contains(&coin.outpoint));
    }
    Ok(chosen)
}

/// The other spendable coins, in the order in which they are taken.
fn largest_first<'a>(
    group: &'a Group,
    view: &'a ChainView,
    avoid: &BTreeSet<Outpoint>,
    taken: &BTreeMap<Outpoint, &Coin>,
) -> Vec<&'a Coin> {
    let free = |coin: &&Coin| !avoid.contains(&coin.outpoint) && !taken.contains_key(&coin.outpoint);
    let mut coins: Vec<&Coin> = view.spendable(group).filter(free).collect();
    coins.sort_by_key(|coin| (Reverse(coin.amount), coin.outpoint));
    coins
}

/// What is to be paid, and under which terms.
struct Order<'a> {
    group: &'a Group,
    view: &'a ChainView,
    limits: &'a FeeLimits,
    payments: Vec<&'a Payment>,
}

impl Order<'_> {
    /// The transaction that pays from exactly these coins, if they are enough and all limits hold.
    fn pay_from(&self, inputs: &BTreeMap<Outpoint, &Coin>) -> Result<Proposal, DraftError> {
        let available =
            Sompi::checked_sum(inputs.values().map(|coin| coin.amount)).ok_or(DraftError::Overflow)?;
        let total = Sompi::checked_sum(self.payments.iter().map(|p| p.amount)).ok_or(DraftError::Overflow)?;
        if available <= total {
            return Err(DraftError::NotEnoughFunds { needed: total, available });
        }
        let whole = || self.without_change(inputs, available, total);
        match self.with_change(inputs, available, total) {
            Some(proposal) => self.within_limits(proposal).or_else(|refused| whole().map_err(|_| refused)),
            None => whole(),
        }
    }

    /// The transaction with a change output, unless that would be dust.
    fn with_change(
        &self,
        inputs: &BTreeMap<Outpoint, &Coin>,
        available: Sompi,
        total: Sompi,
    ) -> Option<Proposal> {
        let script = Script::of_wallet(self.group.wallet());
        let least = self.group.dust().max(Sompi(1));
        // Mass does not depend on the amount of the change, but for storage, which no fee is paid for.
        let mut proposal = self.proposal(inputs, Some(Output { script, amount: least }));
        let fee = self.fee(&Masses::of(self.group, &proposal)?);
        let change = available.checked_sub(total)?.checked_sub(fee).filter(|change| *change >= least)?;
        proposal.outputs.last_mut()?.amount = change;
        Some(proposal)
    }

    fn without_change(
        &self,
        inputs: &BTreeMap<Outpoint, &Coin>,
        available: Sompi,
        total: Sompi,
    ) -> Result<Proposal, DraftError> {
        let proposal = self.proposal(inputs, None);
        let masses = Masses::of(self.group, &proposal).ok_or(DraftError::Overflow)?;
        let needed = total.checked_add(masses.minimum_fee()).ok_or(DraftError::Overflow)?;
        if available < needed {
            return Err(DraftError::NotEnoughFunds { needed, available });
        }
        self.within_limits(proposal)
    }

    fn proposal(&self, inputs: &BTreeMap<Outpoint, &Coin>, change: Option<Output>) -> Proposal {
        let events: Vec<EventKey> = self.payments.iter().map(|payment| payment.event).collect();
        let paid = self.payments.iter().map(|p| Output { script: p.recipient.clone(), amount: p.amount });
        Proposal {
            group: self.group.id(),
            kind: ProposalKind::Pay,
            inputs: inputs.values().map(|coin| (*coin).clone()).collect(),
            outputs: paid.chain(change).collect(),
            payload: payload::encode(ProposalKind::Pay, &events),
            events,
        }
    }

    /// What the node asks for now, kept between what it relays at all and what the limits allow.
    fn fee(&self, masses: &Masses) -> Sompi {
        let rate = self.view.fee_rate.get().max(MINIMUM_SOMPI_PER_GRAM);
        let wanted = Sompi(masses.fee_mass().saturating_mul(rate));
        wanted.min(self.limits.most(masses.fee_mass())).max(masses.minimum_fee())
    }

    fn within_limits(&self, proposal: Proposal) -> Result<Proposal, DraftError> {
        let (Some(masses), Some(fee)) = (Masses::of(self.group, &proposal), proposal.fee()) else {
            return Err(DraftError::Overflow);
        };
        let over = |over: crate::mass::OverLimit| DraftError::MassOverLimit {
            which: over.which,
            found: over.found,
            limit: over.limit,
        };
        masses.refuse_over_limit(self.group.network()).map_err(over)?;
        let most = self.limits.most(masses.fee_mass());
        if fee > most {
            return Err(DraftError::FeeOverLimit { fee, most });
        }
        Ok(proposal)
    }
}
