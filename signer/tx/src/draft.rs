//! Drafting one transaction: for payments, to void events, or for the group itself. The same coins, purpose and fee rate
//! give the same proposal on every machine.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use igra_group::{Group, Sompi};

use crate::{
    ChainView, Coin, EventKey, FeeLimits, FeeRate, LEAST_CONSOLIDATED, MAX_INPUTS, MAX_PAYMENTS,
    MINIMUM_SOMPI_PER_GRAM, Masses, Outpoint, Output, Payment, Proposal, ProposalId, ProposalKind, Script,
    Tag, payload,
};

/// What a transaction is drafted for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// 1 to 64 payments of distinct events.
    Pay(&'a [Payment]),
    /// 1 to 64 events that are never to be paid.
    Void(&'a [EventKey]),
    /// One coin out of the smallest ones, as many as fit.
    Consolidate,
    /// Only these coins, as many as fit, the largest first; where they are too small to pay for their own move, with the
    /// largest of the others.
    Sweep(&'a BTreeSet<Outpoint>),
    /// All coins, as many as fit, to the script of the successor.
    Migrate(&'a Script),
}

/// What is to be drafted, and within which bounds.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    pub purpose: Purpose<'a>,
    /// What the payload carries for signers in quarantine.
    pub tags: &'a BTreeSet<Tag>,
    pub limits: &'a FeeLimits,
    /// Outpoints that are taken only as the last way to share.
    pub avoid: &'a BTreeSet<Outpoint>,
    /// Proposals that the draft shares an input with.
    pub must_share: &'a [&'a Proposal],
}

/// Why no transaction could be drafted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    #[error("a proposal names from 1 to {MAX_PAYMENTS} events, not {0}")]
    Payments(usize),
    #[error("event {0} is there twice")]
    SameEvent(EventKey),
    #[error("no change is left to pay a higher fee from")]
    NoChange,
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
    #[error("{0} coins are too few to consolidate, which takes at least {LEAST_CONSOLIDATED}")]
    TooFewCoins(usize),
    #[error("payments and fee need {needed}, the group can spend {available}")]
    NotEnoughFunds { needed: Sompi, available: Sompi },
    #[error("payments and fee need {needed}, the {MAX_INPUTS} largest coins hold {available}")]
    TooManyCoins { needed: Sompi, available: Sompi },
    #[error("the fee would be {fee}, the limits allow {most}")]
    FeeOverLimit { fee: Sompi, most: Sompi },
    #[error("the transaction's {which} mass would be {found}, the limit is {limit}")]
    MassOverLimit { which: &'static str, found: u64, limit: u64 },
}

/// Drafts one transaction.
///
/// For payments and voids at least one coin of each proposal in `must_share` is spent, so that at most one of them and
/// the draft can ever be in the chain. Where there is none to share with, a coin that is worth twice the payments is
/// (and leaves enough to raise the fee from) is taken alone, of several the one nearest to the first event: proposers that do not know of one another's drafts take
/// the same coin for the same events and, mostly, different ones for different events. Else the largest coins follow,
/// by outpoint where they are equal, until payments and fee are covered. What is left goes back to the group, or into the fee where it would be dust and the limits
/// allow it. A draft for the group itself spends as many coins as fit one transaction.
pub fn draft(group: &Group, view: &ChainView, draft: &Draft<'_>) -> Result<Proposal, DraftError> {
    let order = Order::of(group, view, draft)?;
    let smallest = |coin: &&Coin| (coin.amount, coin.outpoint);
    let all = || largest_first(group, view, draft.avoid, &BTreeMap::new());
    match draft.purpose {
        Purpose::Pay(_) | Purpose::Void(_) => order.cover(draft),
        Purpose::Consolidate => {
            let mut coins = all();
            coins.sort_by_key(smallest);
            order.gather(&coins, LEAST_CONSOLIDATED)
        }
        Purpose::Sweep(chosen) => {
            let (mut coins, others): (Vec<&Coin>, Vec<&Coin>) =
                all().into_iter().partition(|coin| chosen.contains(&coin.outpoint));
            match (order.gather(&coins, 1), others.first()) {
                (Err(DraftError::NotEnoughFunds { .. }), Some(helper)) if !coins.is_empty() => {
                    coins.insert(0, helper);
                    order.gather(&coins, 2)
                }
                (alone, _) => alone,
            }
        }
        Purpose::Migrate(_) => order.gather(&all(), 1),
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

/// The events in ascending order, if one transaction can name them.
fn events_in_order(events: &[EventKey]) -> Result<Vec<EventKey>, DraftError> {
    if !(1..=MAX_PAYMENTS).contains(&events.len()) {
        return Err(DraftError::Payments(events.len()));
    }
    let mut ordered = events.to_vec();
    ordered.sort();
    match ordered.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(DraftError::SameEvent(pair[0])),
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
    let named: BTreeSet<Outpoint> = unshared.iter().flat_map(|(_, outpoints)| outpoints).copied().collect();
    let there = named.iter().filter_map(|outpoint| view.coins.get(outpoint));
    let candidates: Vec<&Coin> = view.spendable_among(group, there).collect();
    let is_left =
        |outpoints: &BTreeSet<Outpoint>| candidates.iter().any(|coin| outpoints.contains(&coin.outpoint));
    if let Some((gone, _)) = unshared.iter().find(|(_, outpoints)| !is_left(outpoints)) {
        return Err(DraftError::AnchorGone(gone.id()));
    }
    let mut chosen = BTreeMap::new();
    while !unshared.is_empty() {
        if chosen.len() == MAX_INPUTS {
            return Err(DraftError::TooManyAnchors);
        }
        let hits =
            |coin: &Coin| unshared.iter().filter(|(_, outpoints)| outpoints.contains(&coin.outpoint)).count();
        let rank = |coin: &&Coin| {
            (Reverse(hits(coin)), avoid.contains(&coin.outpoint), Reverse(coin.amount), coin.outpoint)
        };
        let best = candidates.iter().copied().filter(|coin| hits(coin) > 0).min_by_key(rank);
        let coin = best.expect("some coin of each proposal is left");
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

/// How far a coin is from an event: both begin with bits of a hash, so each event has another order of coins. The
/// outputs of one transaction are spread as well.
fn distance(event: &EventKey, outpoint: &Outpoint) -> u64 {
    // An odd number with bits all over: 2^64 over the golden ratio.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let head = |bytes: &[u8; 32]| bytes.iter().take(8).fold(0, |head, byte| head << 8 | u64::from(*byte));
    let spread = u64::from(outpoint.index).wrapping_mul(SPREAD);
    head(event.as_bytes()) ^ head(outpoint.transaction.as_bytes()) ^ spread
}

/// What is to be paid, and under which terms.
struct Order<'a> {
    group: &'a Group,
    view: &'a ChainView,
    limits: &'a FeeLimits,
    kind: ProposalKind,
    payments: Vec<&'a Payment>,
    events: Vec<EventKey>,
    /// Where goes what no payment takes.
    rest: Script,
    tags: &'a BTreeSet<Tag>,
}

impl<'a> Order<'a> {
    fn of(group: &'a Group, view: &'a ChainView, draft: &Draft<'a>) -> Result<Self, DraftError> {
        let home = Script::of_wallet(group.wallet());
        let none = Vec::new;
        let (kind, payments, events, rest) = match draft.purpose {
            Purpose::Pay(payments) => {
                let payments = in_order(payments)?;
                let events = payments.iter().map(|payment| payment.event).collect();
                (ProposalKind::Pay, payments, events, home)
            }
            Purpose::Void(events) => (ProposalKind::Void, none(), events_in_order(events)?, home),
            Purpose::Consolidate => (ProposalKind::Consolidate, none(), Vec::new(), home),
            Purpose::Sweep(_) => (ProposalKind::Sweep, none(), Vec::new(), home),
            Purpose::Migrate(successor) => (ProposalKind::Migrate, none(), Vec::new(), successor.clone()),
        };
        Ok(Self { group, view, limits: draft.limits, kind, payments, events, rest, tags: draft.tags })
    }

    /// Coins to share or the one nearest to the first event, then the largest, until they are enough.
    fn cover(&self, draft: &Draft<'_>) -> Result<Proposal, DraftError> {
        let mut inputs = anchors(self.group, self.view, draft.avoid, draft.must_share)?;
        let more = largest_first(self.group, self.view, draft.avoid, &inputs);
        if let Some(near) = self.nearest(&more).filter(|_| inputs.is_empty())
            && let Ok(proposal) = self.pay_from(&[(near.outpoint, near)].into())
        {
            return Ok(proposal);
        }
        let mut more = more.into_iter();
        loop {
            // A node takes no transaction without inputs, however little it pays.
            let refused = match self.pay_from(&inputs) {
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

    /// Of the coins that are worth twice the payments, and leave change whatever fee the limits allow, the one nearest to
    /// the first event.
    fn nearest(&self, coins: &[&'a Coin]) -> Option<&'a Coin> {
        let event = self.events.first()?;
        let total = Sompi::checked_sum(self.payments.iter().map(|p| p.amount))?;
        let least = total.max(self.limits.max.saturating_add(self.group.dust()));
        let ample = |coin: &&&Coin| coin.amount.checked_sub(total).is_some_and(|rest| rest >= least);
        coins
            .iter()
            .filter(ample)
            .min_by_key(|coin| (distance(event, &coin.outpoint), coin.outpoint))
            .copied()
    }

    /// As many of the coins, in their order, as one transaction can spend.
    fn gather(&self, coins: &[&Coin], least: usize) -> Result<Proposal, DraftError> {
        let mut refused = DraftError::TooFewCoins(coins.len());
        for count in (least..=coins.len().min(MAX_INPUTS)).rev() {
            let inputs = coins[..count].iter().map(|coin| (coin.outpoint, *coin)).collect();
            match self.pay_from(&inputs) {
                Ok(proposal) => return Ok(proposal),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// The transaction that pays from exactly these coins, if they are enough and all limits hold.
    fn pay_from(&self, inputs: &BTreeMap<Outpoint, &Coin>) -> Result<Proposal, DraftError> {
        let available =
            Sompi::checked_sum(inputs.values().map(|coin| coin.amount)).ok_or(DraftError::Overflow)?;
        let total = Sompi::checked_sum(self.payments.iter().map(|p| p.amount)).ok_or(DraftError::Overflow)?;
        if available <= total {
            return Err(DraftError::NotEnoughFunds { needed: total, available });
        }
        let whole = || match self.kind {
            ProposalKind::Pay => self.without_change(inputs, available, total),
            // Without payments the rest is the only output.
            ProposalKind::Void | ProposalKind::Consolidate | ProposalKind::Sweep | ProposalKind::Migrate => {
                Err(DraftError::NotEnoughFunds { needed: self.group.dust(), available })
            }
        };
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
        let script = self.rest.clone();
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
        let paid = self.payments.iter().map(|p| Output { script: p.recipient.clone(), amount: p.amount });
        Proposal {
            group: self.group.id(),
            kind: self.kind,
            inputs: inputs.values().map(|coin| (*coin).clone()).collect(),
            outputs: paid.chain(change).collect(),
            payload: payload::encode(self.kind, &self.events, self.tags),
            events: self.events.clone(),
        }
    }

    /// What the node asks for now, kept between what it relays at all and what the limits allow.
    fn fee(&self, masses: &Masses) -> Sompi {
        wanted_fee(self.view.fee_rate, self.limits, masses)
    }

    fn within_limits(&self, proposal: Proposal) -> Result<Proposal, DraftError> {
        within_limits(self.group, self.limits, proposal)
    }
}

/// The fee at a rate, kept between what nodes relay at all and what the limits allow.
pub(crate) fn wanted_fee(rate: FeeRate, limits: &FeeLimits, masses: &Masses) -> Sompi {
    let rate = rate.get().max(MINIMUM_SOMPI_PER_GRAM);
    let wanted = Sompi(masses.fee_mass().saturating_mul(rate));
    wanted.min(limits.most(masses.fee_mass())).max(masses.minimum_fee())
}

pub(crate) fn within_limits(
    group: &Group,
    limits: &FeeLimits,
    proposal: Proposal,
) -> Result<Proposal, DraftError> {
    let (Some(masses), Some(fee)) = (Masses::of(group, &proposal), proposal.fee()) else {
        return Err(DraftError::Overflow);
    };
    let over = |over: crate::mass::OverLimit| DraftError::MassOverLimit {
        which: over.which,
        found: over.found,
        limit: over.limit,
    };
    masses.refuse_over_limit(group.network()).map_err(over)?;
    let most = limits.most(masses.fee_mass());
    if fee > most {
        return Err(DraftError::FeeOverLimit { fee, most });
    }
    Ok(proposal)
}
