//! Coins that are strangers' and of whose spending the core is told all the same: inputs of deposits.
//!
//! A deposit can be undone by a reorganisation and never come back, because its sender spent the same coins on something
//! else. Payments that build on it are dead then, and only that other transaction shows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use igra_core::AcceptedBlock;
use igra_tx::{Outpoint, kaspa};
use kaspa_consensus_core::tx::Transaction;
use tokio::sync::watch;

/// What the core's approved proposals build on, however far up.
pub type WatchedCoins = Arc<BTreeSet<Outpoint>>;

/// All coins that are watched now.
pub(super) struct Watched {
    by_core: watch::Receiver<WatchedCoins>,
    /// Inputs of what this edge told of lately, by the DAA score of the block that accepted it: before an approval builds
    /// on a deposit the core cannot name its inputs, and once it does the other spend may have been read already.
    told: BTreeMap<Outpoint, u64>,
    /// For so long, in DAA score.
    kept: u64,
}

impl Watched {
    pub(super) fn new(by_core: watch::Receiver<WatchedCoins>, kept: u64) -> Self {
        Self { by_core, told: BTreeMap::new(), kept }
    }

    pub(super) fn contains(&self, outpoint: &Outpoint) -> bool {
        self.told.contains_key(outpoint) || self.by_core.borrow().contains(outpoint)
    }

    pub(super) fn is_spent_by(&self, transaction: &Transaction) -> bool {
        let mut spends = transaction.inputs.iter().map(|input| kaspa::from_outpoint(input.previous_outpoint));
        spends.any(|outpoint| self.contains(&outpoint))
    }

    /// Remembers the inputs of what the core is told of now, and forgets those of what has become final since.
    pub(super) fn remember(&mut self, blocks: &[AcceptedBlock], daa_score: u64) {
        for block in blocks {
            let strangers = block.transactions.iter().filter(|transaction| !transaction.by_group);
            let spends = strangers.flat_map(|transaction| &transaction.spends);
            self.told.extend(spends.map(|outpoint| (*outpoint, block.daa_score)));
        }
        let kept = self.kept;
        self.told.retain(|_, told| told.saturating_add(kept) > daa_score);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use igra_core::{AcceptedTransaction, BlockId};
    use igra_tx::TransactionId;

    fn outpoint(number: u8) -> Outpoint {
        Outpoint { transaction: TransactionId::from_bytes([number; 32]), index: 1 }
    }

    fn block(daa_score: u64, spends: u8, by_group: bool) -> AcceptedBlock {
        let transaction = AcceptedTransaction {
            id: TransactionId::from_bytes([99; 32]),
            spends: vec![outpoint(spends)],
            pays: vec![],
            payload: vec![],
            by_group,
            by_predecessor: false,
            signers: vec![],
            body: vec![],
        };
        AcceptedBlock { block: BlockId::from_bytes([1; 32]), daa_score, transactions: vec![transaction] }
    }

    #[test]
    fn inputs_of_a_deposit_are_watched_until_it_is_final_and_as_long_as_the_core_names_them() {
        let (core, by_core) = watch::channel(WatchedCoins::default());
        let mut watched = Watched::new(by_core, 30);
        watched.remember(&[block(100, 1, false), block(100, 2, true)], 105);
        assert_eq!([1, 2].map(|number| watched.contains(&outpoint(number))), [true, false]);
        core.send_replace(Arc::new([outpoint(3)].into()));
        watched.remember(&[], 130);
        assert_eq!([1, 3].map(|number| watched.contains(&outpoint(number))), [false, true]);
        core.send_replace(WatchedCoins::default());
        assert!(!watched.contains(&outpoint(3)));
    }
}
