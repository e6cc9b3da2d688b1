//! What approved proposals build on: transactions of which the own node had not shown the end when they were approved.
//!
//! A reorganisation may drop such a parent. Then the approvals above it cannot become final unless it comes back, so
//! it is handed in again; or something else takes a coin of it for good, and they are dead. Both need the parent after
//! the chain forgot it, so it is kept: on disk with the approval, without end until it is final or nothing live builds
//! on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use igra_tx::{Outpoint, Proposal, ProposalId, TransactionId};

use crate::{
    Coordinator, Effect, Millis, Row, Step,
    dead::Parents,
    records::{ChainRecord, ParentRecord},
    rules::Rules,
};

/// A transaction that something known builds on.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub record: ParentRecord,
    /// It is on disk, for an own approval builds on it.
    pub recorded: bool,
    /// When it is handed in next, if no block holds it now.
    next: Option<Millis>,
    attempts: u32,
}

/// All parents that are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    by_id: BTreeMap<TransactionId, Parent>,
    by_outpoint: BTreeMap<Outpoint, BTreeSet<TransactionId>>,
    /// Those that no block holds now, by when they are handed in again.
    dropped: BTreeSet<(Millis, TransactionId)>,
    /// How often what is kept changed.
    changes: u64,
}

impl Kept {
    /// Parents as they were recorded.
    pub(crate) fn restore(records: BTreeMap<TransactionId, ParentRecord>) -> Self {
        let mut kept = Self::default();
        for (id, record) in records {
            kept.insert(id, record, true);
        }
        kept
    }

    pub(crate) fn contains(&self, id: &TransactionId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(crate) fn spends(&self, id: &TransactionId) -> Option<&[Outpoint]> {
        self.by_id.get(id).map(|parent| parent.record.spends.as_slice())
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = TransactionId> + '_ {
        self.by_id.keys().copied()
    }

    fn insert(&mut self, id: TransactionId, record: ParentRecord, recorded: bool) {
        self.changes += 1;
        for outpoint in &record.spends {
            self.by_outpoint.entry(*outpoint).or_default().insert(id);
        }
        self.by_id.insert(id, Parent { record, recorded, next: None, attempts: 0 });
    }

    fn remove(&mut self, id: &TransactionId) -> Option<Parent> {
        self.is_back(id);
        let parent = self.by_id.remove(id)?;
        self.changes += 1;
        for outpoint in &parent.record.spends {
            if let Some(spenders) = self.by_outpoint.get_mut(outpoint) {
                spenders.remove(id);
                if spenders.is_empty() {
                    self.by_outpoint.remove(outpoint);
                }
            }
        }
        Some(parent)
    }

    /// A block accepted it.
    pub(crate) fn is_back(&mut self, id: &TransactionId) {
        let next = self.by_id.get_mut(id).and_then(|parent| parent.next.take());
        if let Some(next) = next {
            self.dropped.remove(&(next, *id));
        }
    }

    /// No block holds it any more.
    pub(crate) fn is_dropped(&mut self, id: TransactionId, next: Millis) {
        self.is_back(&id);
        if let Some(parent) = self.by_id.get_mut(&id) {
            (parent.attempts, parent.next) = (0, Some(next));
            self.dropped.insert((next, id));
        }
    }

    pub(crate) fn deadline(&self) -> Option<Millis> {
        self.dropped.first().map(|(next, _)| *next)
    }

    /// What a proposal builds on, however far up.
    pub(crate) fn above(&self, proposal: &Proposal) -> Parents {
        let mut found = Parents::new();
        let mut open: Vec<TransactionId> = creators(proposal.outpoints().iter());
        while let Some(id) = open.pop() {
            let Some(parent) = self.by_id.get(&id).filter(|_| !found.contains_key(&id)) else { continue };
            open.extend(creators(parent.record.spends.iter()));
            found.insert(id, parent.record.spends.clone());
        }
        found
    }

    fn spending(&self, outpoint: &Outpoint) -> impl Iterator<Item = TransactionId> + '_ {
        self.by_outpoint.get(outpoint).into_iter().flatten().copied()
    }

    fn children(&self, id: &TransactionId) -> impl Iterator<Item = TransactionId> + '_ {
        self.by_outpoint.range(outputs_of(id)).flat_map(|(_, spenders)| spenders.iter().copied())
    }

    /// These and all kept ones that build on them.
    fn with_descendants(&self, ids: impl IntoIterator<Item = TransactionId>) -> BTreeSet<TransactionId> {
        let mut open: Vec<TransactionId> = ids.into_iter().collect();
        let mut found = BTreeSet::new();
        while let Some(id) = open.pop() {
            if found.insert(id) {
                open.extend(self.children(&id));
            }
        }
        found
    }
}

impl<R: Rules> Coordinator<R> {
    /// Keeps what a proposal builds on and what is not final yet, on disk with the approval.
    pub(crate) fn keep_parents(&mut self, proposal: &Proposal, step: &mut Step) {
        self.keep_creators(creators(proposal.outpoints().iter()), step);
    }

    fn keep_creators(&mut self, mut open: Vec<TransactionId>, step: &mut Step) {
        while let Some(id) = open.pop() {
            // What is on disk has its own parents there too.
            if self.parents.by_id.get(&id).is_some_and(|parent| parent.recorded) {
                continue;
            }
            let Some(record) = self.parent_record(&id) else { continue };
            open.extend(creators(record.spends.iter()));
            step.writes.push(Row::parent(&id, &record));
            self.parents.remove(&id);
            self.parents.insert(id, record, true);
            if !self.chain.accepted.contains_key(&id) {
                self.parents.is_dropped(id, self.now.monotonic);
            }
        }
    }

    /// What is known of a transaction that is not final: from the chain, from the outbox, or from being kept already.
    fn parent_record(&self, id: &TransactionId) -> Option<ParentRecord> {
        if let Some(record) = self.chain.accepted.get(id) {
            return (!record.is_final).then(|| ParentRecord::of(record));
        }
        if let Some(parent) = self.parents.by_id.get(id) {
            return Some(parent.record.clone());
        }
        let own = &self.outbox.get(id)?.record.transaction.proposal;
        let spends = own.outpoints().into_iter().collect();
        Some(ParentRecord { daa_score: self.chain.tip_daa, spends, body: Vec::new() })
    }

    /// A reorganisation took a transaction back: if anything live builds on it, it is wanted again.
    pub(crate) fn keep_dropped(&mut self, id: TransactionId, record: &ChainRecord, step: &mut Step) {
        let approved = self.is_needed(&id);
        let known = self.parents.by_id.get(&id).is_some_and(|parent| parent.recorded || !approved);
        if !known && (approved || self.offers_on([id]).next().is_some()) {
            let record = ParentRecord::of(record);
            if approved {
                step.writes.push(Row::parent(&id, &record));
            }
            self.parents.remove(&id);
            self.parents.insert(id, record, approved);
        }
        self.parents.is_dropped(id, self.now.monotonic);
    }

    /// Proposals that spend an output of one of these or of what builds on them, dead ones too.
    fn offers_on(
        &self,
        ids: impl IntoIterator<Item = TransactionId>,
    ) -> impl Iterator<Item = (ProposalId, &crate::offer::Offer)> {
        let below = self.parents.with_descendants(ids);
        below.into_iter().flat_map(|id| self.offers.spending_any(outputs_of(&id)))
    }

    /// How often [`Coordinator::watched`] changed since the start.
    pub fn watched_changes(&self) -> u64 {
        self.parents.changes
    }

    /// Coins that need not be the group's, and of which the edge tells who spends them: inputs of what is kept.
    pub fn watched(&self) -> impl Iterator<Item = Outpoint> + '_ {
        self.parents.by_outpoint.keys().copied()
    }

    /// A live approval of this signer builds on it.
    fn is_needed(&self, id: &TransactionId) -> bool {
        self.offers_on([*id]).any(|(offer, known)| {
            known.is_live() && (known.own.is_some() || self.signing.contains_key(&offer))
        })
    }

    /// Proposals that a transaction at final depth may have made dead: those that spend a coin of it, or build on
    /// something that does.
    pub(crate) fn rivals_of(&self, transaction: &TransactionId, spends: &[Outpoint]) -> BTreeSet<ProposalId> {
        let direct = spends.iter().flat_map(|outpoint| self.offers.spending(outpoint)).map(|(id, _)| *id);
        let lost = spends.iter().flat_map(|outpoint| self.parents.spending(outpoint));
        let lost: BTreeSet<TransactionId> = lost.filter(|parent| parent != transaction).collect();
        direct.chain(self.offers_on(lost).map(|(id, _)| id)).collect()
    }

    /// A transaction is final: nothing undoes it any more, and what it excludes never comes back.
    pub(crate) fn forget_parents(
        &mut self,
        transaction: &TransactionId,
        spends: &[Outpoint],
        step: &mut Step,
    ) {
        let lost: Vec<TransactionId> =
            spends.iter().flat_map(|outpoint| self.parents.spending(outpoint)).collect();
        for id in self.parents.with_descendants(lost.into_iter().filter(|id| id != transaction)) {
            self.forget_parent(&id, step);
        }
        self.forget_parent(transaction, step);
    }

    fn forget_parent(&mut self, id: &TransactionId, step: &mut Step) {
        if self.parents.remove(id).is_some_and(|parent| parent.recorded) {
            step.writes.push(Row::forget_parent(id));
        }
    }

    /// Hands in again what was dropped, the deepest first, as long as a live approval builds on it.
    pub(crate) fn submit_parents(&mut self, step: &mut Step) {
        let now = self.now.monotonic;
        let due: Vec<TransactionId> =
            self.parents.dropped.iter().take_while(|(next, _)| *next <= now).map(|(_, id)| *id).collect();
        let mut wanted: Vec<(u64, TransactionId)> = Vec::new();
        for id in due {
            if self.is_needed(&id) {
                wanted.push((self.parents.by_id.get(&id).map_or(0, |parent| parent.record.daa_score), id));
            } else if self.offers_on([id]).any(|(_, offer)| offer.is_live()) {
                self.parents.is_back(&id);
            } else {
                self.forget_parent(&id, step);
            }
        }
        wanted.sort_unstable();
        for (_, id) in wanted {
            self.submit_parent(id, step);
        }
    }

    fn submit_parent(&mut self, id: TransactionId, step: &mut Step) {
        let Some(attempts) = self.parents.by_id.get(&id).map(|parent| parent.attempts) else { return };
        let retry = self.retry_after(attempts);
        self.parents.is_dropped(id, Millis(self.now.monotonic.0.saturating_add(retry.0)));
        let Some(parent) = self.parents.by_id.get_mut(&id) else { return };
        parent.attempts = attempts.saturating_add(1);
        // What this signer assembled itself the outbox hands in.
        if !self.outbox.contains_key(&id) && !parent.record.body.is_empty() {
            let body = parent.record.body.clone();
            step.effects.push(Effect::SubmitRaw { transaction: id, body });
        }
    }
}

impl ParentRecord {
    fn of(record: &ChainRecord) -> Self {
        let ChainRecord { daa_score, spends, body, .. } = record;
        Self { daa_score: *daa_score, spends: spends.clone(), body: body.clone() }
    }
}

fn creators<'a>(outpoints: impl Iterator<Item = &'a Outpoint>) -> Vec<TransactionId> {
    outpoints.map(|outpoint| outpoint.transaction).collect()
}

fn outputs_of(id: &TransactionId) -> RangeInclusive<Outpoint> {
    Outpoint { transaction: *id, index: 0 }..=Outpoint { transaction: *id, index: u32::MAX }
}
