//! Washing: when a signer whose store may have gone back in time can be trusted again.
//!
//! Promises that a store forgot may still be out there as signatures, so every coin that they could spend is moved: to
//! one whose creator carries a tag drawn after the loss. No older transaction can spend such a coin, since its inputs
//! name the creator by hash. All here is pure, over the own node's chain data.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::Sompi;
use igra_tx::{EventKey, Outpoint, TransactionId};

/// A transaction of the chain that spent a coin of the group, as far as washing asks.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a, T> {
    /// Of the chain block that accepted it. Along the chain it grows with each block.
    pub daa_score: u64,
    pub spends: &'a [Outpoint],
    /// What its payload carries.
    pub tags: &'a BTreeSet<T>,
}

/// The group's transactions by id. For a tag those that were accepted since the first that carries it are enough.
pub type Moves<'a, T> = BTreeMap<TransactionId, Move<'a, T>>;

/// A coin of the group that stands at final depth, spent at a lesser depth or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalCoin {
    pub amount: Sompi,
    /// Of the chain block that accepted it.
    pub daa_score: u64,
}

/// What a quarantined signer sees at final depth when it asks whether it may leave.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a, T> {
    /// The group's coins.
    pub coins: &'a BTreeMap<Outpoint, FinalCoin>,
    /// The transactions at final depth that spent them.
    pub moves: &'a Moves<'a, T>,
    /// Each event that such a transaction named since the store's last final point.
    pub links: &'a BTreeSet<EventKey>,
    /// Whether the chain data reaches from that point to here without a gap.
    pub gapless: bool,
}

/// Why a quarantined signer stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    #[error("{} coins do not descend from the tag", .0.len())]
    Unwashed(BTreeSet<Outpoint>),
    #[error("no final transaction carries the tag")]
    NotBegun,
    #[error("the chain data since the store's last final point has a gap")]
    Gap,
    #[error("event {0} is final and has no tombstone")]
    NoTombstone(EventKey),
}

/// Whether a quarantined signer may promise again, as far as the chain decides it.
///
/// # Errors
/// What still stands against it.
#[doc(hidden)]
pub fn may_leave<T: Ord>(
    scan: &Scan<'_, T>,
    tag: &T,
    dust: Sompi,
    has_tombstone: impl Fn(&EventKey) -> bool,
) -> Result<(), Stays> {
    let unwashed = unwashed(scan.coins, scan.moves, tag, dust);
    if !unwashed.is_empty() {
        return Err(Stays::Unwashed(unwashed));
    }
    // Coins that are younger than final depth may be older than the tag. Only behind a transaction that carries it does
    // what stands at final depth speak for all of them: where nothing stands there yet, it says nothing.
    if !scan.moves.values().any(|moved| moved.tags.contains(tag)) {
        return Err(Stays::NotBegun);
    }
    if !scan.gapless {
        return Err(Stays::Gap);
    }
    match scan.links.iter().find(|event| !has_tombstone(event)) {
        Some(event) => Err(Stays::NoTombstone(*event)),
        None => Ok(()),
    }
}

/// Whether nothing signed before the tag was drawn can spend a coin of the group any more.
#[doc(hidden)]
pub fn is_washed<T: Ord>(
    coins: &BTreeMap<Outpoint, FinalCoin>,
    moves: &Moves<'_, T>,
    tag: &T,
    dust: Sompi,
) -> bool {
    unwashed(coins, moves, tag, dust).is_empty()
}

/// The coins that something signed before the tag was drawn may still spend: dust aside, those that neither descend
/// from a transaction with the tag nor are deposits that the chain took after one.
///
/// "After" is the order of the chain's blocks and not of the node's memory: a node that was restored too takes every
/// deposit for a new one.
#[doc(hidden)]
pub fn unwashed<T: Ord>(
    coins: &BTreeMap<Outpoint, FinalCoin>,
    moves: &Moves<'_, T>,
    tag: &T,
    dust: Sompi,
) -> BTreeSet<Outpoint> {
    let carriers = carriers(moves, tag);
    let first = moves.values().filter(|moved| moved.tags.contains(tag)).map(|moved| moved.daa_score).min();
    let is_late = |coin: &FinalCoin| first.is_some_and(|first| coin.daa_score > first);
    let is_deposit = |outpoint: &Outpoint| !moves.contains_key(&outpoint.transaction);
    let open = coins.iter().filter(|(outpoint, coin)| {
        coin.amount >= dust
            && !carriers.contains(&outpoint.transaction)
            && !(is_deposit(outpoint) && is_late(coin))
    });
    open.map(|(outpoint, _)| *outpoint).collect()
}

/// Whether a sweep moves its coins under a tag that they do not have yet, so that sweeping comes to an end. One coin
/// that has them all may help to pay for others that are too small to pay for themselves. `moves` are all accepted
/// transactions of the group, final or not.
#[doc(hidden)]
pub fn may_sweep<'a, T: Ord>(
    inputs: impl IntoIterator<Item = &'a Outpoint>,
    tags: &BTreeSet<T>,
    moves: &Moves<'_, T>,
) -> bool {
    let carriers: Vec<_> = tags.iter().map(|tag| carriers(moves, tag)).collect();
    let lacks_one =
        |outpoint: &&Outpoint| carriers.iter().any(|under| !under.contains(&outpoint.transaction));
    let (lacking, helping): (Vec<&Outpoint>, Vec<&Outpoint>) = inputs.into_iter().partition(lacks_one);
    !lacking.is_empty() && helping.len() <= 1
}

/// The transactions that carry a tag or descend from one that does, through the group's own transactions.
#[doc(hidden)]
pub fn carriers<T: Ord>(moves: &Moves<'_, T>, tag: &T) -> BTreeSet<TransactionId> {
    let mut found: BTreeSet<TransactionId> =
        moves.iter().filter(|(_, moved)| moved.tags.contains(tag)).map(|(id, _)| *id).collect();
    let mut children: BTreeMap<TransactionId, Vec<TransactionId>> = BTreeMap::new();
    // Without a transaction that carries it there is nothing to descend from.
    for (id, moved) in moves.iter().filter(|_| !found.is_empty()) {
        for outpoint in moved.spends {
            children.entry(outpoint.transaction).or_default().push(*id);
        }
    }
    let mut open: Vec<TransactionId> = found.iter().copied().collect();
    while let Some(id) = open.pop() {
        let below = children.get(&id).into_iter().flatten();
        open.extend(below.filter(|child| found.insert(**child)));
    }
    found
}

#[cfg(test)]
mod tests;
