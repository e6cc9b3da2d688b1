//! Sweeps move the group's coins under the tags of members in quarantine, and a member leaves quarantine once nothing
//! signed before its tag can spend a coin any more.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::Sompi;
use igra_tx::{EventKey, Outpoint, Proposal, Tag, TransactionId};
use serde::Serialize;

use crate::{
    Coordinator, Note, RefusalCode, Step,
    judge::Refusal,
    records::ChainRecord,
    rules::Rules,
    wash::{FinalCoin, Move, Moves, Scan, Stays, may_leave, may_sweep, unwashed},
};

/// What a signer in quarantine still waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "missing")]
pub enum Missing {
    /// Hello from enough others since the start.
    Hello,
    /// A synced node that shows the wallet and its chain up to the same moment.
    Node,
    /// A tag of its own.
    Tag,
    /// Coins that promises of before could spend.
    Coins {
        unwashed: usize,
        of: usize,
    },
    /// The chain data since the store's last final point has a gap.
    History,
    Tombstone {
        event: EventKey,
    },
}

static NO_TAGS: BTreeSet<Tag> = BTreeSet::new();

impl<R: Rules> Coordinator<R> {
    /// What of the chain washing asks for: transactions of the group that were accepted since the first one with one of
    /// these tags.
    fn moves(&self, tags: &BTreeSet<Tag>, counts: impl Fn(&ChainRecord) -> bool) -> Moves<'_, Tag> {
        let own = || self.chain.accepted.iter().filter(|(_, record)| record.by_group && counts(record));
        let carries = |record: &ChainRecord| !tags_of(record).is_disjoint(tags);
        let first = own().filter(|(_, record)| carries(record)).map(|(_, record)| record.daa_score).min();
        let since = own().filter(|(_, record)| first.is_some_and(|first| record.daa_score >= first));
        since.map(|(id, record)| (*id, as_move(record))).collect()
    }

    /// Coins that can be spent now and that a tag served here still has to reach, for each such tag: the own one first,
    /// the others in turn, another one ahead each `turn`. Not those of all tags at once: who tells each member another
    /// tag would have each sweep carry coins that the others' tags have reached, and so have each refused.
    pub(crate) fn coins_to_sweep(&self, turn: u64) -> Vec<BTreeSet<Outpoint>> {
        let tags = self.served_tags();
        if tags.is_empty() {
            return Vec::new();
        }
        let moves = self.moves(&tags, |_| true);
        let coins = self.chain.view.spendable(&self.group);
        let unspent = coins.filter(|coin| !self.chain.spent.contains_key(&coin.outpoint));
        let coins: BTreeMap<Outpoint, FinalCoin> = unspent
            .map(|coin| (coin.outpoint, FinalCoin { amount: coin.amount, daa_score: coin.daa_score }))
            .collect();
        let dust = self.group.dust();
        let open = |tag: &Tag| Some(unwashed(&coins, &moves, tag, dust)).filter(|open| !open.is_empty());
        let own = self.own_tag();
        let mut others: Vec<_> = tags.iter().filter(|tag| Some(**tag) != own).filter_map(open).collect();
        let turns = u64::try_from(others.len().max(1)).unwrap_or(u64::MAX);
        others.rotate_left(usize::try_from(turn % turns).unwrap_or(0));
        own.as_ref().and_then(open).into_iter().chain(others).collect()
    }

    /// Each input but one lacks a tag that the sweep brings and that is served here; others that it carries do no harm.
    /// So nobody can make the group sweep for ever.
    pub(crate) fn judge_sweep(&self, proposal: &Proposal) -> Result<(), Refusal> {
        let tags: BTreeSet<Tag> = proposal.tags().intersection(&self.served_tags()).copied().collect();
        let moves = self.moves(&tags, |_| true);
        if R::SWEEP_TAGS && !may_sweep(&proposal.outpoints(), &tags, &moves) {
            return Err(Refusal::new(RefusalCode::Tags, "it moves coins under no tag that they lack"));
        }
        Ok(())
    }

    /// Leaves quarantine if nothing stands against it.
    pub(crate) fn leave_due(&mut self, step: &mut Step) {
        if self.quarantine.is_some() && self.missing().is_empty() {
            step.note(Note::QuarantineLeft);
            self.end_quarantine(step);
        }
    }

    /// What a signer in quarantine still waits for.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        if !self.settled {
            missing.push(Missing::Hello);
        }
        if !self.shows_all() {
            missing.push(Missing::Node);
        }
        match self.own_tag() {
            Some(tag) => missing.extend(self.stays(&tag)),
            None => missing.push(Missing::Tag),
        }
        missing
    }

    /// Whether the own node has shown the wallet and the chain as of the same moment.
    pub(crate) fn shows_all(&self) -> bool {
        let fits = self.chain.fits_wallet(self.group.depths().final_);
        self.chain.synced && self.sink.is_some() && fits
    }

    /// What the chain at final depth still says against leaving.
    fn stays(&self, tag: &Tag) -> Option<Missing> {
        let is_final = |record: &ChainRecord| record.is_final || !R::WASH_AT_FINAL;
        let (coins, moves) = (self.final_coins(), self.moves(&BTreeSet::from([*tag]), is_final));
        let named =
            self.chain.linked.iter().filter(|(_, by)| R::TOMBSTONES && by.iter().any(|id| self.is_final(id)));
        let links = named.map(|(event, _)| *event).collect();
        let gapless = !R::TOMBSTONES || self.gaps.open().is_none();
        let scan = Scan { coins: &coins, moves: &moves, links: &links, gapless };
        let has_tombstone = |event: &EventKey| self.tombstones.contains_key(event);
        match may_leave(&scan, tag, self.group.dust(), has_tombstone) {
            Ok(()) => None,
            Err(Stays::Unwashed(open)) => Some(Missing::Coins { unwashed: open.len(), of: coins.len() }),
            Err(Stays::NotBegun) => {
                let young = self.chain.view.coins.len();
                Some(Missing::Coins { unwashed: young, of: young })
            }
            Err(Stays::Gap) => Some(Missing::History),
            Err(Stays::NoTombstone(event)) => Some(Missing::Tombstone { event }),
        }
    }

    fn is_final(&self, transaction: &TransactionId) -> bool {
        self.chain.accepted.get(transaction).is_some_and(|record| record.is_final)
    }

    /// The group's coins as they stand at final depth: those that no final transaction spends.
    fn final_coins(&self) -> BTreeMap<Outpoint, FinalCoin> {
        let depth = if R::WASH_AT_FINAL { self.group.depths().final_ } else { 0 };
        let is_deep = |daa: u64| daa.saturating_add(depth) <= self.chain.tip_daa;
        let there = self.chain.view.coins.values().filter(|coin| is_deep(coin.daa_score));
        let mut coins: BTreeMap<Outpoint, FinalCoin> = there
            .map(|coin| (coin.outpoint, FinalCoin { amount: coin.amount, daa_score: coin.daa_score }))
            .collect();
        let open = self.chain.open.iter().filter_map(|(_, id)| self.chain.accepted.get(id));
        let open = open.filter(|record| record.by_group && R::WASH_AT_FINAL);
        for outpoint in open.flat_map(|record| &record.spends) {
            coins.extend(self.coin_before(outpoint).map(|coin| (*outpoint, coin)));
        }
        coins
    }

    /// A coin that something accepted spends, as it stood before; none if it was not there at final depth.
    fn coin_before(&self, outpoint: &Outpoint) -> Option<FinalCoin> {
        let Some(creator) = self.chain.accepted.get(&outpoint.transaction) else {
            // From before all that this store has followed.
            return Some(FinalCoin { amount: Sompi(u64::MAX), daa_score: 0 });
        };
        let paid = creator.pays.iter().find(|(index, _)| *index == outpoint.index);
        let coin = |(_, amount): &(u32, Sompi)| FinalCoin { amount: *amount, daa_score: creator.daa_score };
        paid.filter(|_| creator.is_final).map(coin)
    }
}

fn as_move(record: &ChainRecord) -> Move<'_, Tag> {
    Move { daa_score: record.daa_score, spends: &record.spends, tags: tags_of(record) }
}

/// The tags that a transaction of the group carries.
fn tags_of(record: &ChainRecord) -> &BTreeSet<Tag> {
    record.link.as_ref().map_or(&NO_TAGS, |link| &link.tags)
}
