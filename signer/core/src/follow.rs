//! Follows the group's transactions on the own node's chain: accepted, settled, final, and back after a reorganisation.
//! What peers say plays no part here.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::Sompi;
use igra_tx::{
    EventKey, Outpoint, Output, PayloadHash, Payment, ProposalId, ProposalKind, TransactionId, payload,
};

use crate::{
    Alarm, ChainUpdate, Coordinator, Effect, Note, Row, Step, VerifiedEvent,
    chain::events_of,
    dead,
    input::AcceptedBlock,
    records::{ChainRecord, Cursor, Tombstone},
    rules::Rules,
    void::Objection,
    volume::{VolumeEntry, VolumeState},
};

impl<R: Rules> Coordinator<R> {
    pub(crate) fn on_chain(&mut self, update: ChainUpdate, step: &mut Step) {
        self.note_gap(&update, step);
        // The coins shown before are those of a chain that is taken back: none is approved before they are shown anew.
        self.chain.synced &= !update.restarted;
        if update.restarted || !update.removed.is_empty() {
            self.chain.note_removed();
        }
        // What builds on another one goes first: it tells whether the other one is missed.
        let removed = self.removed_by(&update);
        for transaction in removed.into_iter().rev() {
            self.take_back(transaction, step);
        }
        for block in update.added {
            self.accept_block(block, step);
        }
        (self.chain.tip_daa, self.chain.followed) = (update.virtual_daa, update.cursor_daa);
        step.writes.push(Row::cursor(&Cursor { block: update.cursor, daa_score: Some(update.cursor_daa) }));
        self.sink = Some(update.cursor);
        self.settle(step);
        self.finalise(step);
        self.forget_ended_internals(step);
        self.decide_birth(step);
        self.refresh_tags();
        self.leave_due(step);
        self.begin_due(step);
        self.stir_all();
    }

    fn removed_by(&self, update: &ChainUpdate) -> Vec<TransactionId> {
        if update.restarted {
            return self.chain.open.iter().map(|(_, id)| *id).collect();
        }
        self.chain.open_in(&update.removed)
    }

    fn take_back(&mut self, transaction: TransactionId, step: &mut Step) {
        let Some(record) = self.chain.remove(&transaction) else { return };
        step.writes.push(Row::reorganised(&transaction));
        self.keep_dropped(transaction, &record, step);
        let events = events_of(&record);
        self.pending.extend(events.iter().filter(|event| self.sessions.contains_key(event)));
        // The same transaction again: it is signed already, and nothing else may be but what excludes it.
        if let Some(submission) = self.outbox.get_mut(&transaction) {
            submission.again(self.now.monotonic);
        }
        let signed = |(_, offer): (_, &crate::offer::Offer)| offer.assembled;
        let signed = events.iter().flat_map(|event| self.offers.naming(event)).filter_map(signed);
        let signed: BTreeSet<TransactionId> = signed.chain([transaction]).collect();
        signed.iter().for_each(|id| self.schedule(id));
        for event in &events {
            self.free(*event, step);
        }
        step.note(Note::Reorganised { events, transaction });
    }

    fn accept_block(&mut self, block: AcceptedBlock, step: &mut Step) {
        for transaction in block.transactions {
            if self.chain.accepted.get(&transaction.id).is_some_and(|known| known.is_final) {
                continue;
            }
            self.look_for_own_signature(&transaction, step);
            let counts = transaction.by_group || transaction.by_predecessor;
            let link = payload::read(&transaction.payload).filter(|_| counts);
            let record = ChainRecord {
                block: block.block,
                daa_score: block.daa_score,
                spends: transaction.spends,
                pays: transaction.pays,
                link,
                by_group: transaction.by_group,
                is_final: false,
                body: transaction.body,
                by_predecessor: transaction.by_predecessor,
            };
            self.accept(transaction.id, record, step);
        }
    }

    fn accept(&mut self, transaction: TransactionId, record: ChainRecord, step: &mut Step) {
        let (events, kind) = (events_of(&record), record.link.as_ref().map(|link| link.kind));
        step.writes.push(Row::accepted(&transaction, &record));
        step.effects.extend(accepted_note(transaction, &record).map(Effect::Note));
        let is_strange = !record.by_group && record.pays.is_empty();
        let by_group = record.by_group;
        // A block that came again, without having been taken back, replaces what was said before.
        self.chain.remove(&transaction);
        self.chain.insert(transaction, record);
        self.parents.is_back(&transaction);
        for event in &events {
            self.waits_no_more(*event);
        }
        if kind == Some(ProposalKind::Pay) {
            self.count_payment(&events, step);
        }
        // A move of the predecessor ends nothing here.
        match kind.filter(|_| by_group) {
            Some(ProposalKind::Migrate) => self.end_payments(step),
            Some(ProposalKind::Sweep | ProposalKind::Consolidate) => {}
            // Who spends a coin that only a parent needs moves nothing of the group's on.
            None if is_strange => {}
            Some(ProposalKind::Pay | ProposalKind::Void) | None => self.views.progress(),
        }
    }

    /// What others paid without this signer's approval counts in its windows as well.
    pub(crate) fn count_payment(&mut self, events: &[EventKey], step: &mut Step) {
        let uncounted: Vec<EventKey> =
            events.iter().copied().filter(|event| self.volumes.get(event).is_none()).collect();
        self.reserve(&uncounted);
        let entries = uncounted.iter().filter_map(|event| Some((event, self.volumes.get(event)?)));
        step.writes.extend(entries.map(|(event, entry)| Row::reservation(event, entry)));
    }

    fn settle(&mut self, step: &mut Step) {
        let settled = self.group.depths().settled;
        while let Some((_, id)) =
            self.chain.unsettled.first().copied().filter(|(daa, _)| self.is_deep(*daa, settled))
        {
            self.chain.unsettled.pop_first();
            let record = self.chain.accepted.get(&id).filter(|record| is_worth_telling(record));
            if let Some(events) = record.map(events_of) {
                step.note(Note::Settled { events, transaction: id });
            }
        }
    }

    fn finalise(&mut self, step: &mut Step) {
        let depth = if R::FINAL_DEPTH { self.group.depths().final_ } else { 0 };
        while let Some((_, id)) =
            self.chain.open.first().copied().filter(|(daa, _)| self.is_deep(*daa, depth))
        {
            let record = self.chain.finalise(&id).expect("what is open is accepted");
            step.writes.push(Row::accepted(&id, &record));
            self.bury(id, &record, step);
        }
    }

    fn is_deep(&self, daa: u64, depth: u64) -> bool {
        daa.saturating_add(depth) <= self.chain.tip_daa
    }

    /// A transaction became final: its events end, and what stood against it is dead.
    fn bury(&mut self, transaction: TransactionId, record: &ChainRecord, step: &mut Step) {
        for rival in self.rivals_of(&transaction, &record.spends) {
            self.note_if_dead(rival, step);
        }
        self.forget_parents(&transaction, &record.spends, step);
        let events = events_of(record);
        let kind = record.link.as_ref().map_or(ProposalKind::Pay, |link| link.kind);
        for event in &events {
            self.end(*event, kind, transaction, record.daa_score, step);
        }
        if self.outbox.remove(&transaction).is_some() {
            step.writes.push(Row::forget_outbox(&transaction));
        }
        let (tombstones, tip) = (&self.tombstones, self.chain.tip_daa);
        let age = |event: &EventKey| tombstones.get(event).map(|stone| tip.saturating_sub(stone.daa_score));
        let old = self.volumes.forget_old(&self.policy.volumes, self.now.utc, age);
        step.writes.extend(old.iter().map(Row::release));
        if record.by_group || !events.is_empty() {
            step.note(Note::Final { events, transaction });
        }
    }

    pub(crate) fn end(
        &mut self,
        event: EventKey,
        kind: ProposalKind,
        transaction: TransactionId,
        daa_score: u64,
        step: &mut Step,
    ) {
        if let Some(first) = self.tombstones.get(&event) {
            if first.transaction != transaction {
                let (first, second) = (first.transaction, transaction);
                self.raise(Alarm::PaidTwice { event, first, second }, step);
            }
            return;
        }
        let session = self.sessions.remove(&event);
        if session.as_ref().is_some_and(|session| session.objection != Objection::default()) {
            step.writes.push(Row::forget_objection(&event));
        }
        let verified = session.as_ref().map(|session| &session.event.payment);
        let payment = verified.map(|verified| self.paid_by(transaction, verified));
        if payment.as_ref() != verified {
            step.alarms.push(Alarm::Replayed { event, from: None });
        }
        let tombstone =
            Tombstone { transaction, kind, daa_score, utc: self.now.utc, payment: payment.clone() };
        step.writes.push(Row::tombstone(&event, &tombstone));
        step.writes.push(Row::forget_event(&event));
        self.forget_statements(&event, step);
        self.forget_doubt(&event, step);
        self.take_note(&event, step);
        self.tombstones.insert(event, tombstone);
        self.waits_no_more(event);
        // Of one that is not known here promises may be.
        let named: BTreeSet<ProposalId> = self.offers.naming(&event).map(|(id, _)| id).collect();
        let (Some(session), Some(payment)) = (session, payment) else {
            return named.iter().for_each(|id| self.forget_offer(id, step));
        };
        let event_paid = VerifiedEvent { payment, ..session.event };
        match kind {
            ProposalKind::Pay => {
                let entry = VolumeEntry::of(&event_paid, VolumeState::Spent { at: self.now.utc });
                step.writes.push(Row::reservation(&event, &entry));
                self.volumes.insert(event, entry);
            }
            ProposalKind::Void | ProposalKind::Consolidate | ProposalKind::Sweep | ProposalKind::Migrate => {
                self.release(&event, step)
            }
        }
        for id in &session.offers {
            self.forget_offer(id, step);
        }
    }

    /// What a transaction paid for an event: what its body says, if that is here, else what was verified. What else the
    /// source bound to another payment is not known, so its payload hash is that of recipient and amount alone.
    fn paid_by(&self, transaction: TransactionId, verified: &Payment) -> Payment {
        let mut bodies = self.offers.naming(&verified.event).filter_map(|(_, offer)| offer.body.as_ref());
        let body = bodies.find(|body| body.transaction_id() == transaction && body.kind == ProposalKind::Pay);
        let output = body.and_then(|body| {
            let place = body.events.iter().position(|event| *event == verified.event)?;
            body.outputs.get(place)
        });
        match output {
            Some(Output { script, amount })
                if (script, *amount) != (&verified.recipient, verified.amount) =>
            {
                let payload = PayloadHash::derive(script, *amount, &[]);
                Payment { event: verified.event, payload, recipient: script.clone(), amount: *amount }
            }
            Some(_) | None => verified.clone(),
        }
    }

    /// An offer goes when all its events have ended.
    pub(crate) fn forget_offer(&mut self, id: &ProposalId, step: &mut Step) {
        let Some(offer) = self.offers.get(id) else { return };
        let binds = |event: &EventKey| offer.own.is_some() && !self.tombstones.contains_key(event);
        if offer.events.iter().any(|event| self.sessions.contains_key(event) || binds(event)) {
            return;
        }
        if let Some(transaction) = offer.assembled
            && self.outbox.remove(&transaction).is_some()
        {
            self.chain.on_its_way = None;
            step.writes.push(Row::forget_outbox(&transaction));
        }
        if offer.certified {
            step.writes.push(Row::forget_certificate(id));
        }
        self.offers.forget(id);
        self.internal.offers.remove(id);
    }

    /// Writes down that a proposal is dead, if it is.
    pub(crate) fn note_if_dead(&mut self, id: ProposalId, step: &mut Step) {
        if let Some(by) = self.killed_by(&id, &self.chain.final_spends) {
            self.note_dead(id, by, step);
        }
    }

    /// The same, if these coins were taken for good.
    pub(crate) fn note_if_taken(
        &mut self,
        id: ProposalId,
        taken: &BTreeMap<Outpoint, TransactionId>,
        step: &mut Step,
    ) {
        if let Some(by) = self.killed_by(&id, taken) {
            self.note_dead(id, by, step);
        }
    }

    fn killed_by(&self, id: &ProposalId, taken: &BTreeMap<Outpoint, TransactionId>) -> Option<TransactionId> {
        let offer = self.offers.get(id).filter(|offer| offer.dead.is_none())?;
        let body = offer.body.as_ref()?;
        let parents = if R::PARENTS { self.parents.above(body) } else { dead::Parents::new() };
        dead::killer(body, body.transaction_id(), &parents, taken)
    }

    fn note_dead(&mut self, id: ProposalId, by: TransactionId, step: &mut Step) {
        let Some(offer) = self.offers.get_mut(&id) else { return };
        self.chain.on_its_way = None;
        offer.dead = Some(by);
        // Of what nobody promised anything for there is nothing to remember.
        if offer.own.is_some() || !offer.approvals.is_empty() || self.signing.contains_key(&id) {
            step.writes.push(Row::dead(&id, &by));
        }
        step.note(Note::Dead { proposal: id, by });
        let (events, assembled) = (offer.events.clone(), offer.assembled);
        if let Some(transaction) = assembled
            && self.outbox.remove(&transaction).is_some()
        {
            step.writes.push(Row::forget_outbox(&transaction));
        }
        for event in events {
            self.free(event, step);
        }
    }

    /// With its last approval dead an event is as free as before the first, unless the chain has taken another payment
    /// or a void of it: that counts until it is final or taken back.
    pub(crate) fn free(&mut self, event: EventKey, step: &mut Step) {
        let awaited = self.offers.naming(&event).any(|(id, _)| self.signing.contains_key(&id));
        let promised = awaited || self.own_approvals(&event).any(|(_, offer)| offer.is_live());
        if promised || !self.sessions.contains_key(&event) || self.chain.link(&event).is_some() {
            return;
        }
        self.release(&event, step);
        self.pending.insert(event);
    }

    fn release(&mut self, event: &EventKey, step: &mut Step) {
        if self.volumes.remove(event).is_some() {
            step.writes.push(Row::release(event));
        }
    }
}

/// The group's own, and what the predecessor paid or voided.
fn is_worth_telling(record: &ChainRecord) -> bool {
    record.by_group || !events_of(record).is_empty()
}

/// Nothing of a transaction that is neither of these nor pays the group: it is watched for what it spends.
fn accepted_note(transaction: TransactionId, record: &ChainRecord) -> Option<Note> {
    if is_worth_telling(record) {
        let events = events_of(record);
        return Some(Note::Accepted { events, transaction, daa_score: record.daa_score });
    }
    let amounts = record.pays.iter().map(|(_, amount)| *amount);
    let amount = amounts.fold(Sompi::ZERO, Sompi::saturating_add);
    (!record.pays.is_empty()).then_some(Note::Deposited { transaction, amount })
}
