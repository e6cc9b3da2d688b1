//! The whole check of a proposal, but for its sender: what this signer says to it now.

use igra_tx::{EventKey, Outpoint, Payment, Proposal, ProposalKind, Terms, check, check_again};

use crate::{
    Coordinator, DenialCode, RefusalCode, Verdict, VerifiedEvent,
    offer::Offer,
    rules::Rules,
    volume::{VolumeEntry, VolumeState},
};

/// Why a proposal is not approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: RefusalCode,
    pub detail: String,
    pub outpoints: Vec<Outpoint>,
    /// The events that it is about; none where it is about the transaction.
    pub events: Vec<EventKey>,
}

impl Refusal {
    pub(crate) fn new(code: RefusalCode, detail: impl ToString) -> Self {
        Self { code, detail: detail.to_string(), outpoints: Vec::new(), events: Vec::new() }
    }

    fn about(self, event: &EventKey) -> Self {
        Self { events: vec![*event], ..self }
    }
}

impl<R: Rules> Coordinator<R> {
    /// The whole check of a proposal, but for its sender.
    pub(crate) fn judge(&self, proposal: &Proposal) -> Result<(), Refusal> {
        self.may_promise(proposal.kind)?;
        if !self.chain.synced {
            return Err(Refusal::new(RefusalCode::NodeNotSynced, "the own node is not synced"));
        }
        self.judge_purpose(proposal)?;
        self.judge_transaction(proposal)?;
        self.refuse_reserved(proposal)?;
        self.is_anchored(proposal).map_err(|conflict| Refusal::new(RefusalCode::Anchor, conflict))
    }

    /// What the proposal is for: each of its events, together.
    pub(crate) fn judge_purpose(&self, proposal: &Proposal) -> Result<(), Refusal> {
        match proposal.kind {
            ProposalKind::Pay => self.judge_payments(&proposal.events),
            ProposalKind::Void => self.judge_voids(&proposal.events),
            ProposalKind::Consolidate | ProposalKind::Sweep | ProposalKind::Migrate => {
                self.judge_internal(proposal)
            }
        }
    }

    /// Each event is allowed beside those before it; all that are not are named.
    fn judge_payments(&self, events: &[EventKey]) -> Result<(), Refusal> {
        if events.len() > usize::from(self.policy.batch.most) {
            return Err(Refusal::new(RefusalCode::Policy, "batch"));
        }
        let mut beside = Vec::new();
        let mut refused: Option<Refusal> = None;
        for event in events {
            match self.judge_payment(event, &beside) {
                Ok(entry) => beside.push(entry),
                Err(refusal) => match &mut refused {
                    Some(first) => first.events.push(*event),
                    None => refused = Some(refusal.about(event)),
                },
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Whether an event may be paid beside others, and its part in the volumes then.
    pub(crate) fn judge_payment(
        &self,
        event: &EventKey,
        beside: &[(EventKey, VolumeEntry)],
    ) -> Result<(EventKey, VolumeEntry), Refusal> {
        self.refuse_ended(event)?;
        if self.chain.link(event).is_some() {
            return Err(Refusal::new(RefusalCode::Accepted, "an accepted transaction names the event"));
        }
        let unknown = || Refusal::new(RefusalCode::UnknownEvent, "the event is not verified here");
        let session = self.sessions.get(event).ok_or_else(unknown)?;
        match self.verdict_beside(event, beside).ok_or_else(unknown)? {
            Verdict::Allow => {}
            Verdict::Hold { denial, .. } => {
                return Err(Refusal::new(RefusalCode::Held, denial.code.as_str()));
            }
            Verdict::Deny { denial } if denial.code == DenialCode::DeadlinePassed => {
                return Err(Refusal::new(RefusalCode::Expired, denial.code.as_str()));
            }
            Verdict::Deny { denial } => {
                return Err(Refusal::new(RefusalCode::Policy, denial.code.as_str()));
            }
        }
        Ok((*event, VolumeEntry::of(&session.event, VolumeState::Reserved)))
    }

    fn judge_voids(&self, events: &[EventKey]) -> Result<(), Refusal> {
        for event in events {
            self.refuse_ended(event)?;
            if R::VOID_REASON && self.void_reason(event).is_none() {
                return Err(Refusal::new(RefusalCode::NoVoidReason, "no reason is seen here").about(event));
            }
        }
        Ok(())
    }

    fn refuse_ended(&self, event: &EventKey) -> Result<(), Refusal> {
        if self.tombstones.contains_key(event) {
            return Err(Refusal::new(RefusalCode::Final, "a final transaction names the event"));
        }
        // It may have ended where the own node showed nothing: neither payment nor void, then.
        if self.doubted.contains_key(event) {
            return Err(Refusal::new(RefusalCode::Policy, DenialCode::Doubted.as_str()).about(event));
        }
        Ok(())
    }

    /// What may have changed between an approval and its partial: the events, and what is allowed of the transaction
    /// itself. Neither the policy's word on an event, which the approval took, nor the coins, which an accepted rival
    /// may have spent for a while.
    pub(crate) fn judge_again(&self, proposal: &Proposal) -> Result<(), Refusal> {
        match proposal.kind {
            ProposalKind::Pay => {
                let objected = |event: &EventKey| self.sessions.get(event)?.objection.denial();
                if let Some(denial) = proposal.events.iter().find_map(objected) {
                    return Err(Refusal::new(RefusalCode::Policy, denial.code.as_str()));
                }
            }
            ProposalKind::Void => self.judge_voids(&proposal.events)?,
            ProposalKind::Consolidate | ProposalKind::Sweep | ProposalKind::Migrate => {}
        }
        let payments = self.payments_of(proposal);
        let terms = Terms { payments: &payments, successor: self.successor(), limits: &self.policy.fee };
        check_again(&self.group, proposal, &terms)
            .map_err(|error| Refusal::new(RefusalCode::Check, error.code()))
    }

    /// What was verified here of the events of a proposal.
    fn payments_of(&self, proposal: &Proposal) -> Vec<Payment> {
        let sessions = proposal.events.iter().filter_map(|event| self.sessions.get(event));
        sessions.map(|session| session.event.payment.clone()).collect()
    }

    /// The transaction itself: form, coins, outputs, fee, mass, and what its signatures could serve besides.
    pub(crate) fn judge_transaction(&self, proposal: &Proposal) -> Result<(), Refusal> {
        let payments = self.payments_of(proposal);
        let terms = Terms { payments: &payments, successor: self.successor(), limits: &self.policy.fee };
        check(&self.group, &self.chain.view, proposal, &terms).map_err(|error| Refusal {
            outpoints: error.outpoints(),
            ..Refusal::new(RefusalCode::Check, error.code())
        })?;
        let outpoints = proposal.inputs.iter().map(|coin| coin.outpoint);
        let spent: Vec<Outpoint> =
            outpoints.filter(|outpoint| self.chain.spent.contains_key(outpoint)).collect();
        if !spent.is_empty() {
            let refusal = Refusal::new(RefusalCode::Spent, "an accepted transaction spends a coin of it");
            return Err(Refusal { outpoints: spent, ..refusal });
        }
        self.refuse_double_use(proposal)
    }

    /// One set of signatures must not serve two purposes: the same transaction under another kind or for other events.
    fn refuse_double_use(&self, proposal: &Proposal) -> Result<(), Refusal> {
        let transaction = proposal.transaction_id();
        let shared = proposal.inputs.iter().flat_map(|coin| self.offers.spending(&coin.outpoint));
        let approved = shared.filter(|(id, offer)| offer.own.is_some() || self.signing.contains_key(id));
        let mut bodies = approved.filter_map(|(_, offer)| offer.body.as_ref());
        let other = bodies.any(|body| {
            let same_purpose = body.kind == proposal.kind && body.events == proposal.events;
            !same_purpose && body.transaction_id() == transaction
        });
        if other {
            return Err(Refusal::new(RefusalCode::SameTransaction, "approved before under another proposal"));
        }
        Ok(())
    }

    /// A coin that this signer promised to a transaction for other events is left to that for a round of views: of two
    /// signed transactions the chain takes one, and what the other pays then waits until it is dead. Longer would let a
    /// promise that comes to nothing hold up everything else.
    fn refuse_reserved(&self, proposal: &Proposal) -> Result<(), Refusal> {
        let round = u64::from(self.group.threshold().members());
        let is_fresh = |offer: &Offer| {
            offer.own.as_ref().is_some_and(|own| self.views.view <= own.view.saturating_add(round))
        };
        let apart = |offer: &Offer| !offer.events.iter().any(|event| proposal.events.contains(event));
        // No event waits for a transaction of the group itself, and of two nobody misses one: those that came to nothing
        // would else hold each other's coins for ever.
        let matters = |offer: &Offer| {
            !offer.events.is_empty() || (offer.assembled.is_some() && proposal.kind.names_events())
        };
        let reserved = |outpoint: &Outpoint| {
            let mut spending = self.offers.spending(outpoint).filter(|(id, _)| **id != proposal.id());
            spending.any(|(id, offer)| {
                let promised = is_fresh(offer) || self.signing.contains_key(id);
                promised && matters(offer) && apart(offer) && offer.is_live() && !self.is_overtaken(offer)
            })
        };
        let reserved: Vec<Outpoint> = proposal.outpoints().into_iter().filter(reserved).collect();
        if reserved.is_empty() {
            return Ok(());
        }
        let refusal = Refusal::new(RefusalCode::Reserved, "a coin of it is promised to another transaction");
        Err(Refusal { outpoints: reserved, ..refusal })
    }

    /// The policy's word on an event now.
    pub(crate) fn verdict_on(&self, event: &EventKey) -> Option<Verdict> {
        self.verdict_beside(event, &[])
    }

    /// The same, if others were paid in the same transaction. The deadline counts while no approval of a
    /// payment is live; what this signer itself holds against the event counts always.
    pub(crate) fn verdict_beside(
        &self,
        event: &EventKey,
        beside: &[(EventKey, VolumeEntry)],
    ) -> Option<Verdict> {
        let session = self.sessions.get(event)?;
        if let Some(denial) = self.doubt(event) {
            return Some(Verdict::Deny { denial });
        }
        if let Some(denial) = session.objection.denial() {
            return Some(Verdict::Deny { denial });
        }
        // What is dead can be completed by nobody any more.
        let pays = |offer: &Offer| {
            offer.is_live() && offer.body.as_ref().is_some_and(|body| body.kind == ProposalKind::Pay)
        };
        let approved = self.own_approvals(event).any(|(_, offer)| pays(offer));
        let told: &VerifiedEvent = &session.event;
        Some(self.policy.verdict(told, session.seen, approved, &self.volumes, beside, self.now.utc))
    }
}
