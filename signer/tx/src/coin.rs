//! Coins of the group and what a signer sees of the chain when it drafts or checks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{Group, Sompi};
use serde::{Deserialize, Serialize};

use crate::{Script, TransactionId};

/// Where a coin was made. Ordered by the bytes of the transaction id, then by index: the canonical order of inputs.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
pub struct Outpoint {
    pub transaction: TransactionId,
    pub index: u32,
}

/// An unspent output as the own node reports it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Coin {
    pub outpoint: Outpoint,
    pub amount: Sompi,
    pub script: Script,
    /// DAA score of the block that accepted it.
    pub daa_score: u64,
    pub coinbase: bool,
}

/// A fee rate in sompi per gram of mass, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct FeeRate(u64);

/// What one signer's own node shows it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ChainView {
    /// DAA score of the virtual block.
    pub virtual_daa: u64,
    /// Unspent outputs of the group.
    pub coins: BTreeMap<Outpoint, Coin>,
    /// Transactions of the group itself: their change is trusted earlier than a coin from outside.
    pub own: BTreeSet<TransactionId>,
    /// What the node would pay now.
    pub fee_rate: FeeRate,
}

impl FeeRate {
    /// A rate in sompi per gram; 0 is taken for 1.
    pub fn new(sompi_per_gram: u64) -> Self {
        Self(sompi_per_gram.max(1))
    }

    /// Sompi per gram.
    pub fn get(self) -> u64 {
        self.0.max(1)
    }
}

impl ChainView {
    /// The coins that a proposal may spend, in canonical order: the group's, not dust, deep enough.
    pub fn spendable<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Coin> {
        self.spendable_among(group, self.coins.values())
    }

    /// Those of some coins that a proposal may spend, in their order.
    pub(crate) fn spendable_among<'a>(
        &'a self,
        group: &'a Group,
        coins: impl Iterator<Item = &'a Coin>,
    ) -> impl Iterator<Item = &'a Coin> {
        let script = Script::of_wallet(group.wallet());
        coins.filter(move |coin| {
            coin.script == script
                && coin.amount >= group.dust()
                && self.depth(coin) >= self.needed_depth(group, coin)
        })
    }

    /// How deep a coin lies, in DAA score.
    pub fn depth(&self, coin: &Coin) -> u64 {
        self.virtual_daa.saturating_sub(coin.daa_score)
    }

    /// How deep a coin must lie before it may be spent: own change, a coin from outside, or a coinbase.
    pub fn needed_depth(&self, group: &Group, coin: &Coin) -> u64 {
        let depths = group.depths();
        if coin.coinbase {
            depths.final_
        } else if self.own.contains(&coin.outpoint.transaction) {
            depths.coin
        } else {
            depths.deposit
        }
    }
}

impl fmt::Display for Outpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transaction, self.index)
    }
}
