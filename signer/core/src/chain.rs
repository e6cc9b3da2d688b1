//! What the own node shows: the group's coins, and the accepted transactions that spend them.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::{Group, Sompi};
use igra_tx::{ChainView, Coin, EventKey, FeeRate, Outpoint, TransactionId};

use crate::{BlockId, WalletUpdate, records::ChainRecord};

/// The chain as this signer follows it.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub view: ChainView,
    /// The node is there and follows its network.
    pub synced: bool,
    /// DAA score of the virtual block at the last chain update.
    pub tip_daa: u64,
    /// DAA score of the last block that was told of.
    pub followed: u64,
    pub accepted: BTreeMap<TransactionId, ChainRecord>,
    /// Accepted but not final, by the DAA score of the accepting block.
    pub open: BTreeSet<(u64, TransactionId)>,
    /// Those of `open` that are not settled either.
    pub unsettled: BTreeSet<(u64, TransactionId)>,
    /// Accepted transactions that name an event.
    pub linked: BTreeMap<EventKey, BTreeSet<TransactionId>>,
    /// By accepted transactions, final or not.
    pub spent: BTreeMap<Outpoint, TransactionId>,
    pub final_spends: BTreeMap<Outpoint, TransactionId>,
    /// Of `open`, by the block that accepted it.
    by_block: BTreeMap<BlockId, BTreeSet<TransactionId>>,
    /// What can be spent now, and what of it signed transactions spend, once it was asked for.
    available: Option<Sompi>,
    pub on_its_way: Option<Sompi>,
    /// The predecessor's coins.
    pub predecessor: BTreeMap<Outpoint, Coin>,
    /// The chain moved back since the wallet was shown.
    moved_back: bool,
}

impl Chain {
    /// A chain as recorded; coins are not known before the node shows them.
    pub(crate) fn restore(records: BTreeMap<TransactionId, ChainRecord>) -> Self {
        let view = ChainView {
            virtual_daa: 0,
            coins: BTreeMap::new(),
            own: BTreeSet::new(),
            fee_rate: FeeRate::new(1),
        };
        let mut chain = Self {
            view,
            synced: false,
            tip_daa: 0,
            followed: 0,
            accepted: BTreeMap::new(),
            open: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            linked: BTreeMap::new(),
            spent: BTreeMap::new(),
            final_spends: BTreeMap::new(),
            by_block: BTreeMap::new(),
            available: None,
            on_its_way: None,
            predecessor: BTreeMap::new(),
            moved_back: false,
        };
        for (id, record) in records {
            chain.followed = chain.followed.max(record.daa_score);
            chain.insert(id, record);
        }
        chain
    }

    pub(crate) fn take_wallet(&mut self, update: WalletUpdate) {
        self.view.virtual_daa = update.virtual_daa;
        self.view.coins = update.coins.into_iter().map(|coin| (coin.outpoint, coin)).collect();
        self.view.fee_rate = update.fee_rate;
        self.predecessor = update.predecessor.into_iter().map(|coin| (coin.outpoint, coin)).collect();
        (self.synced, self.moved_back) = (update.synced, false);
        self.count_again();
    }

    /// Whether chain and wallet together tell of every coin. A wallet lacks coins as soon as a block spends them, which
    /// the chain tells with the block after that: only a chain that was read further than the wallet tells of all that
    /// is not there any more. Read further by more than final depth, it holds things final that made coins which the
    /// wallet lacks. Where it moved back, coins may be there again.
    pub(crate) fn fits_wallet(&self, final_depth: u64) -> bool {
        let ahead = self.tip_daa.saturating_sub(self.view.virtual_daa);
        !self.moved_back && (1..=final_depth.max(1)).contains(&ahead)
    }

    pub(crate) fn note_removed(&mut self) {
        self.moved_back = true;
    }

    pub(crate) fn insert(&mut self, id: TransactionId, record: ChainRecord) {
        if record.by_group {
            self.view.own.insert(id);
        }
        for event in events_of(&record) {
            self.linked.entry(event).or_default().insert(id);
        }
        self.spent.extend(record.spends.iter().map(|outpoint| (*outpoint, id)));
        if record.is_final {
            self.final_spends.extend(record.spends.iter().map(|outpoint| (*outpoint, id)));
        } else {
            self.open.insert((record.daa_score, id));
            self.by_block.entry(record.block).or_default().insert(id);
            self.unsettled.insert((record.daa_score, id));
        }
        self.accepted.insert(id, record);
        self.count_again();
    }

    fn count_again(&mut self) {
        (self.available, self.on_its_way) = (None, None);
    }

    /// Takes back what a reorganisation undid.
    pub(crate) fn remove(&mut self, id: &TransactionId) -> Option<ChainRecord> {
        let record = self.accepted.remove(id)?;
        self.view.own.remove(id);
        self.count_again();
        self.open.remove(&(record.daa_score, *id));
        if let Some(ids) = self.by_block.get_mut(&record.block) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_block.remove(&record.block);
            }
        }
        self.unsettled.remove(&(record.daa_score, *id));
        for event in events_of(&record) {
            self.unlink(event, id);
        }
        for outpoint in &record.spends {
            if self.spent.get(outpoint) == Some(id) {
                self.spent.remove(outpoint);
            }
        }
        Some(record)
    }

    /// Marks an accepted transaction as final and returns its record.
    pub(crate) fn finalise(&mut self, id: &TransactionId) -> Option<ChainRecord> {
        let mut record = self.remove(id)?;
        (record.is_final, record.body) = (true, Vec::new());
        self.insert(*id, record.clone());
        Some(record)
    }

    /// Transactions that blocks accepted and that are not final yet, the deepest first.
    pub(crate) fn open_in(&self, blocks: &[BlockId]) -> Vec<TransactionId> {
        let ids = blocks.iter().filter_map(|block| self.by_block.get(block)).flatten();
        let score = |id: &TransactionId| self.accepted.get(id).map_or(0, |record| record.daa_score);
        let mut found: Vec<(u64, TransactionId)> = ids.map(|id| (score(id), *id)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// The accepted transaction that names an event.
    pub(crate) fn link(&self, event: &EventKey) -> Option<(TransactionId, &ChainRecord)> {
        let id = self.linked.get(event)?.first()?;
        self.accepted.get(id).map(|record| (*id, record))
    }

    /// How deep an accepted transaction lies.
    pub(crate) fn depth(&self, record: &ChainRecord) -> u64 {
        self.tip_daa.saturating_sub(record.daa_score)
    }

    /// The same as [`Chain::spendable_sum`], counted once for each change.
    pub(crate) fn available(&mut self, group: &Group) -> Sompi {
        let sum = self.available.unwrap_or_else(|| self.spendable_sum(group));
        *self.available.insert(sum)
    }

    pub(crate) fn spendable_sum(&self, group: &Group) -> Sompi {
        let unspent = self.view.spendable(group).filter(|coin| !self.spent.contains_key(&coin.outpoint));
        unspent.fold(Sompi::ZERO, |sum, coin| sum.saturating_add(coin.amount))
    }

    fn unlink(&mut self, event: EventKey, id: &TransactionId) {
        if let Some(ids) = self.linked.get_mut(&event) {
            ids.remove(id);
            if ids.is_empty() {
                self.linked.remove(&event);
            }
        }
    }
}

/// The events that a transaction of the group names.
pub(crate) fn events_of(record: &ChainRecord) -> Vec<EventKey> {
    record.link.iter().flat_map(|link| link.events.iter().copied()).collect()
}
