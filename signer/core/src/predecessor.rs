//! The new group's half of a move: a group whose coins come from another one promises nothing before nothing that the
//! other one signed can pay any more.
//!
//! Whoever approved the move of a coin pays nothing more from the old group. So what the old group may still pay spends
//! a coin that was there before the first move, or what comes of one. Once all of these are spent at final depth, every
//! such payment is final itself, and has its tombstone here, or is dead. A later deposit holds nothing up: else a
//! stranger could.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{GroupId, Predecessor, Sompi};
use igra_tx::{Outpoint, ProposalKind};
use serde::Serialize;

use crate::{
    Coordinator, Ignored, InterventionKind, Note, Row, Step, UnixSeconds, records::ChainRecord, rules::Rules,
};

/// A coin of the predecessor that no final transaction spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldCoin {
    pub amount: Sompi,
    /// DAA score of the chain block that accepted the deposit that it is; none for what the predecessor's own
    /// transactions made, and for what is not known.
    pub deposited: Option<u64>,
}

/// What a signer of the new group sees of the move.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// The migrations of the predecessor at final depth: DAA score of the accepting block, and whether it pays this
    /// group.
    pub migrations: &'a [(u64, bool)],
    /// The predecessor's coins that no final transaction spends.
    pub coins: &'a BTreeMap<Outpoint, OldCoin>,
    /// Whether the predecessor's chain data is here without a gap.
    pub gapless: bool,
}

/// Why the new group waits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Waits {
    #[error("no migration is final")]
    NotBegun,
    #[error("a migration moved coins to another group")]
    Elsewhere,
    #[error("{} coins of before the first migration have not moved", .0.len())]
    Unmoved(BTreeSet<Outpoint>),
    #[error("the chain data of the predecessor has a gap")]
    Gap,
}

/// What a signer waits for that promises nothing yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "awaited")]
pub enum Awaited {
    /// A synced node that shows the wallets and the chain up to the same moment.
    Node,
    /// A migration at final depth.
    Migration,
    /// An administrator: coins went to another group, which may pay too.
    Elsewhere,
    /// Coins that what the predecessor signed could still spend.
    Coins { unmoved: usize },
    /// An administrator: the own node does not show all that the predecessor paid.
    History,
}

/// What is recorded of the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Inheritance {
    pub from: GroupId,
    /// Not all transactions of the predecessor were seen.
    pub gap: bool,
    /// Since when this signer may promise; it does not end.
    pub begun: Option<UnixSeconds>,
}

/// The predecessor as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PredecessorView {
    pub group: GroupId,
    pub address: String,
    /// Since when this signer may promise.
    pub begun: Option<UnixSeconds>,
    /// What it still waits for; nothing: it begins with the next word of its node.
    pub awaited: Vec<Awaited>,
}

/// Whether a signer of the new group may promise, as far as the chain decides it.
///
/// # Errors
/// What still stands against it.
#[doc(hidden)]
pub fn may_begin(handover: &Handover<'_>, dust: Sompi) -> Result<(), Waits> {
    let Some(first) = handover.migrations.iter().map(|(daa_score, _)| *daa_score).min() else {
        return Err(Waits::NotBegun);
    };
    if handover.migrations.iter().any(|(_, here)| !here) {
        return Err(Waits::Elsewhere);
    }
    let is_late = |coin: &OldCoin| coin.deposited.is_some_and(|daa_score| daa_score > first);
    let unmoved = handover.coins.iter().filter(|(_, coin)| coin.amount >= dust && !is_late(coin));
    let unmoved: BTreeSet<Outpoint> = unmoved.map(|(outpoint, _)| *outpoint).collect();
    if !unmoved.is_empty() {
        return Err(Waits::Unmoved(unmoved));
    }
    if handover.gapless { Ok(()) } else { Err(Waits::Gap) }
}

impl<R: Rules> Coordinator<R> {
    /// What is known of the move at a start. A store that ran before without following this predecessor has not seen
    /// what it paid.
    pub(crate) fn inherit(&mut self, recorded: Option<Inheritance>, is_new: bool, step: &mut Step) {
        let Some(from) = self.group.predecessor().map(Predecessor::id) else { return };
        let recorded = recorded.filter(|inheritance| inheritance.from == from);
        let inheritance = recorded.unwrap_or(Inheritance { from, gap: !is_new, begun: None });
        self.write_inheritance(inheritance, step);
    }

    fn write_inheritance(&mut self, inheritance: Inheritance, step: &mut Step) {
        step.writes.push(Row::inheritance(&inheritance));
        self.inheritance = Some(inheritance);
    }

    /// Nothing is promised before the move is over.
    pub(crate) fn awaits_predecessor(&self) -> bool {
        R::AWAITS_PREDECESSOR && self.inheritance.is_some_and(|inheritance| inheritance.begun.is_none())
    }

    /// The own node's answers do not follow on one another.
    pub(crate) fn note_lost_history(&mut self, step: &mut Step) {
        if let Some(inheritance) = self.inheritance.filter(|inheritance| !inheritance.gap) {
            self.write_inheritance(Inheritance { gap: true, ..inheritance }, step);
        }
    }

    /// Begins if nothing stands against it.
    pub(crate) fn begin_due(&mut self, step: &mut Step) {
        // What the node does not show as of one moment is not looked at, for there may be much to look at.
        if self.awaits_predecessor() && self.shows_all() && self.awaited().is_empty() {
            step.note(Note::PredecessorMoved);
            self.begin(step);
        }
    }

    fn begin(&mut self, step: &mut Step) {
        let Some(inheritance) = self.inheritance else { return };
        self.write_inheritance(Inheritance { begun: Some(self.now.utc), ..inheritance }, step);
        self.ask_for_waiting_signatures(step);
        self.stir_all();
    }

    pub(crate) fn on_release_predecessor(&mut self, reason: String, step: &mut Step) -> Result<(), Ignored> {
        if !self.awaits_predecessor() {
            return Err(Ignored::NothingToClear);
        }
        let about = self.awaited().iter().map(Awaited::as_str).collect::<Vec<_>>().join(", ");
        self.begin(step);
        self.intervene(InterventionKind::PredecessorReleased, about, reason, step);
        Ok(())
    }

    /// What this signer still waits for.
    fn awaited(&self) -> Vec<Awaited> {
        let Some(predecessor) = self.group.predecessor() else { return Vec::new() };
        let mut awaited = Vec::new();
        if !self.shows_all() {
            awaited.push(Awaited::Node);
        }
        let (migrations, coins) = (self.final_migrations(), self.old_coins());
        let gapless = self.inheritance.is_some_and(|inheritance| !inheritance.gap);
        let handover = Handover { migrations: &migrations, coins: &coins, gapless };
        awaited.extend(match may_begin(&handover, predecessor.dust) {
            Ok(()) => None,
            Err(Waits::NotBegun) => Some(Awaited::Migration),
            Err(Waits::Elsewhere) => Some(Awaited::Elsewhere),
            Err(Waits::Unmoved(coins)) => Some(Awaited::Coins { unmoved: coins.len() }),
            Err(Waits::Gap) => Some(Awaited::History),
        });
        awaited
    }

    fn final_migrations(&self) -> Vec<(u64, bool)> {
        let migrates = |record: &&ChainRecord| {
            let kind = record.link.as_ref().map(|link| link.kind);
            record.by_predecessor && record.is_final && kind == Some(ProposalKind::Migrate)
        };
        let migrations = self.chain.accepted.values().filter(migrates);
        migrations.map(|record| (record.daa_score, !record.pays.is_empty())).collect()
    }

    /// Those that the wallet shows, and those that something spends which is not final.
    fn old_coins(&self) -> BTreeMap<Outpoint, OldCoin> {
        let open = self.chain.open.iter().filter_map(|(_, id)| self.chain.accepted.get(id));
        let spending = open.filter(|record| record.by_predecessor).flat_map(|record| &record.spends);
        let mut coins: BTreeMap<Outpoint, OldCoin> =
            spending.map(|outpoint| (*outpoint, self.spent_old_coin(outpoint))).collect();
        let shown = self.chain.predecessor.values();
        coins.extend(shown.map(|coin| {
            let creator = self.chain.accepted.get(&coin.outpoint.transaction);
            let own = creator.is_some_and(|record| record.by_predecessor);
            let deposited = (!own).then_some(coin.daa_score);
            (coin.outpoint, OldCoin { amount: coin.amount, deposited })
        }));
        coins
    }

    /// Its amount is not known, so it counts whatever it was.
    fn spent_old_coin(&self, outpoint: &Outpoint) -> OldCoin {
        let creator = self.chain.accepted.get(&outpoint.transaction);
        let deposit = creator.filter(|record| !record.by_predecessor);
        OldCoin { amount: Sompi(u64::MAX), deposited: deposit.map(|record| record.daa_score) }
    }

    pub(crate) fn predecessor_view(&self) -> Option<PredecessorView> {
        let (predecessor, inheritance) = (self.group.predecessor()?, self.inheritance?);
        let awaited = if inheritance.begun.is_some() { Vec::new() } else { self.awaited() };
        Some(PredecessorView {
            group: inheritance.from,
            address: predecessor.wallet.address().to_string(),
            begun: inheritance.begun,
            awaited,
        })
    }
}

impl Awaited {
    /// The stable name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Migration => "migration",
            Self::Elsewhere => "elsewhere",
            Self::Coins { .. } => "coins",
            Self::History => "history",
        }
    }
}

#[cfg(test)]
mod tests;
