//! A coordinator from its records: whatever was promised is known again, and whatever was wanted is asked for again.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::{Group, MemberIndex};
use igra_tx::{EventKey, Proposal, ProposalId, TransactionId};

use crate::{
    Coordinator, Millis, Now, Policy, Records, Row, Signs, Step, Timing, To, chain::Chain, closed::Notes,
    gaps::Gaps, internal::Cost, parents::Kept, quarantine::Birth, records::ApprovalRecord, rules::Rules,
    session::Session, submit::Submission,
};

impl<R: Rules> Coordinator<R> {
    #[doc(hidden)]
    pub fn restore_under(
        group: Group,
        me: MemberIndex,
        policy: Policy,
        timing: Timing,
        records: Records,
        signs: Signs,
        now: Now,
    ) -> (Self, Step) {
        let mut coordinator = Self::empty(group, me, policy, timing, now);
        let mut step = Step::default();
        // A store that was never started holds nothing of its own: whether that is all there was, the node tells.
        if records.epoch == 0 {
            coordinator.birth = Birth::Undecided;
            step.writes.push(Row::birth(coordinator.birth));
        } else {
            coordinator.birth = records.birth.unwrap_or_default();
        }
        coordinator.epoch = records.epoch.saturating_add(1);
        step.writes.push(Row::epoch(coordinator.epoch));
        let (inherited, is_new) = (records.inheritance, records.epoch == 0);
        coordinator.load(records, &mut step);
        coordinator.inherit(inherited, is_new, &mut step);
        coordinator.suspect_at_start(signs, &mut step);
        coordinator.count_hellos(&mut step);
        coordinator.ask_again(&mut step);
        coordinator.advance(&mut step);
        (coordinator, step)
    }

    fn load(&mut self, records: Records, step: &mut Step) {
        self.chain = Chain::restore(records.chain);
        self.chain.followed =
            records.cursor.and_then(|cursor| cursor.daa_score).unwrap_or(self.chain.followed);
        self.parents = Kept::restore(records.parents);
        (self.gaps, self.doubted) = (records.gaps, records.doubted);
        self.statements = records.statements;
        if self.gaps != Gaps::default() {
            // In the present form: an earlier one kept a part of it with what is written anew.
            step.writes.push(Row::gaps(&self.gaps));
        }
        self.tombstones = records.tombstones;
        self.closed = Notes::restore(records.closed);
        (self.halt, self.interventions) = (records.halt, records.interventions);
        (self.volumes, self.equivocations) = (records.volumes, records.equivocations);
        (self.past, self.quarantine) = (records.past.unwrap_or_default(), records.quarantine);
        self.promises =
            records.approvals.iter().map(|(number, approval)| (*number, approval.proposal)).collect();
        let bodies = records.partials.keys().filter_map(|id| records.proposals.get(id));
        self.signed = bodies.map(|body| body.transaction_id()).collect();
        self.promise = self.promises.keys().next_back().copied().unwrap_or(0).max(self.past.promise);
        for (event, record) in records.events {
            if !self.tombstones.contains_key(&event) {
                self.sessions.insert(event, Session::new(record, self.now.monotonic));
            }
        }
        self.pending =
            self.sessions.keys().copied().filter(|event| self.chain.link(event).is_none()).collect();
        for (event, objection) in records.objections {
            if let Some(session) = self.sessions.get_mut(&event) {
                session.objection = objection;
            }
        }
        let internal = self.live_internals(&records.approvals, &records.proposals, &records.dead);
        for (_, approval) in records.approvals {
            if self.any_open(&approval.events) || internal.contains(&approval.proposal) {
                self.load_approval(approval);
            }
        }
        for (id, proposal) in records.proposals {
            if self.any_open(&proposal.events) || internal.contains(&id) {
                self.load_body(id, proposal);
            }
        }
        for (id, by) in records.dead {
            if let Some(offer) = self.offers.get_mut(&id) {
                offer.dead = Some(by);
            }
        }
        for (id, partial) in records.partials {
            if let Some(offer) = self.offers.get_mut(&id) {
                offer.partials.insert(self.me, partial);
            }
        }
        for (transaction, record) in records.outbox {
            // What the others' partials made is wanted though this signer did not approve it.
            let proposal = &record.transaction.proposal;
            if self.offers.get(&record.proposal).is_none() && self.any_open(&proposal.events) {
                self.load_body(record.proposal, proposal.clone());
            }
            if let Some(offer) = self.offers.get_mut(&record.proposal) {
                offer.assembled = Some(transaction);
                self.outbox.insert(transaction, Submission::new(&self.group, record, self.now.monotonic));
                self.schedule(&transaction);
            }
        }
        self.miss_parents();
        for (id, certificate) in records.certificates {
            if let Some(offer) = self.offers.get_mut(&id) {
                offer.certified = true;
                self.load_certificate(certificate.approvals, step);
            }
        }
    }

    /// The group's own transactions that this signer approved and that can still become final; what all of them cost is
    /// counted too.
    fn live_internals(
        &mut self,
        approvals: &BTreeMap<u64, ApprovalRecord>,
        proposals: &BTreeMap<ProposalId, Proposal>,
        dead: &BTreeMap<ProposalId, TransactionId>,
    ) -> BTreeSet<ProposalId> {
        let own = approvals.values().filter(|approval| approval.events.is_empty());
        for approval in own {
            let Some(body) = proposals.get(&approval.proposal) else { continue };
            if !dead.contains_key(&approval.proposal) {
                let cost = |fee| Cost { proposal: approval.proposal, approved: approval.utc, fee };
                self.internal.fees.extend(body.fee().map(cost));
            }
            let record = self.chain.accepted.get(&body.transaction_id());
            let over = dead.contains_key(&approval.proposal) || record.is_some_and(|record| record.is_final);
            if !over {
                self.internal.offers.insert(approval.proposal);
            }
        }
        self.internal.offers.clone()
    }

    /// Parents that the chain does not hold, unless it soon tells of them.
    fn miss_parents(&mut self) {
        let soon = Millis(self.now.monotonic.0.saturating_add(self.retry_after(0).0));
        let missing = self.parents.ids().filter(|id| !self.chain.accepted.contains_key(id));
        for id in missing.collect::<Vec<_>>() {
            self.parents.is_dropped(id, soon);
        }
    }

    /// Something promised for these events still binds: one of them has not ended, whether it is known here or not.
    fn any_open(&self, events: &[EventKey]) -> bool {
        events.iter().any(|event| !self.tombstones.contains_key(event))
    }

    fn load_approval(&mut self, approval: ApprovalRecord) {
        for event in &approval.events {
            if let Some(session) = self.sessions.get_mut(event) {
                session.offers.insert(approval.proposal);
            }
        }
        let offer = self.offers.entry(approval.proposal);
        offer.events = approval.events.clone();
        offer.view = Some(approval.view);
        offer.own = Some(approval);
    }

    fn load_body(&mut self, id: ProposalId, proposal: igra_tx::Proposal) {
        for event in &proposal.events {
            if let Some(session) = self.sessions.get_mut(event) {
                session.offers.insert(id);
            }
        }
        self.offers.adopt(id, proposal);
    }

    /// The others' approvals of a certificate: their seals still hold.
    fn load_certificate(&mut self, approvals: Vec<Vec<u8>>, step: &mut Step) {
        for sealed in approvals {
            // One that was counted before, or that no longer counts, changes nothing.
            let _ = self.take_sealed_approval(sealed, step);
        }
    }

    /// Approvals and partials once more; the outbox is due anyway.
    fn ask_again(&mut self, step: &mut Step) {
        for id in self.own_live_offers() {
            self.send_approval(To::All, id, step);
            self.send_partial(To::All, id, step);
        }
        self.ask_for_waiting_signatures(step);
    }

    /// Signatures that a certificate waits for, as soon as this signer may promise.
    pub(crate) fn ask_for_waiting_signatures(&mut self, step: &mut Step) {
        for id in self.own_live_offers() {
            let Some(offer) = self.offers.get(&id) else { continue };
            let waits = offer.certified && !offer.partials.contains_key(&self.me);
            let body = offer.body.clone().filter(|_| waits && !self.signing.contains_key(&id));
            if let Some(proposal) = body.filter(|body| self.may_promise(body.kind).is_ok()) {
                self.ask_for_partial(id, proposal, step);
            }
        }
    }

    fn own_live_offers(&self) -> Vec<ProposalId> {
        let mine = self.offers.iter().filter(|(_, offer)| offer.own.is_some() && offer.is_live());
        mine.map(|(id, _)| *id).collect()
    }
}
