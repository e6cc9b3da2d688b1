//! A coordinator from its records: whatever was promised is known again, and whatever was wanted is asked for again.

use igra_group::{Group, MemberIndex};
use igra_tx::{EventKey, ProposalId};

use crate::{
    Coordinator, Millis, Now, Policy, Records, Row, Signs, Step, Timing, To, chain::Chain, parents::Kept,
    records::ApprovalRecord, rules::Rules, session::Session, submit::Submission,
};

impl<R: Rules> Coordinator<R> {
    #[doc(hidden)]
    pub fn restore_under(
        group: Group,
        me: MemberIndex,
        policy: Policy,
        timing: Timing,
        records: Records,
        _signs: Signs,
        now: Now,
    ) -> (Self, Step) {
        let mut coordinator = Self::empty(group, me, policy, timing, now);
        let mut step = Step::default();
        coordinator.epoch = records.epoch.saturating_add(1);
        step.writes.push(Row::epoch(coordinator.epoch));
        coordinator.load(records, &mut step);
        coordinator.ask_again(&mut step);
        coordinator.advance(&mut step);
        (coordinator, step)
    }

    fn load(&mut self, records: Records, step: &mut Step) {
        self.chain = Chain::restore(records.chain);
        self.parents = Kept::restore(records.parents);
        (self.gap, self.statements) = (records.gap, records.statements);
        self.tombstones = records.tombstones;
        (self.halt, self.interventions) = (records.halt, records.interventions);
        self.volumes = records.volumes;
        self.promise = records.approvals.keys().next_back().copied().unwrap_or(0);
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
        for (_, approval) in records.approvals {
            if self.any_live(&approval.events) {
                self.load_approval(approval);
            }
        }
        for (id, proposal) in records.proposals {
            if self.any_live(&proposal.events) {
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
            if self.offers.get(&record.proposal).is_none() && self.any_live(&proposal.events) {
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

    /// Parents that the chain does not hold, unless it soon tells of them.
    fn miss_parents(&mut self) {
        let soon = Millis(self.now.monotonic.0.saturating_add(self.retry_after(0).0));
        let missing = self.parents.ids().filter(|id| !self.chain.accepted.contains_key(id));
        for id in missing.collect::<Vec<_>>() {
            self.parents.is_dropped(id, soon);
        }
    }

    fn any_live(&self, events: &[EventKey]) -> bool {
        events.iter().any(|event| self.sessions.contains_key(event))
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

    /// Approvals and partials once more, signatures that a certificate waits for; the outbox is due anyway.
    fn ask_again(&mut self, step: &mut Step) {
        let mine = |(id, offer): (&ProposalId, &crate::offer::Offer)| {
            (offer.own.is_some() && offer.is_live()).then_some(*id)
        };
        let ids: Vec<ProposalId> = self.offers.iter().filter_map(mine).collect();
        for id in ids {
            self.send_approval(To::All, id, step);
            self.send_partial(To::All, id, step);
            let Some(offer) = self.offers.get(&id) else { continue };
            let unsigned = offer.certified && !offer.partials.contains_key(&self.me);
            if let Some(proposal) = offer.body.clone().filter(|_| unsigned) {
                self.ask_for_partial(id, proposal, step);
            }
        }
    }
}
