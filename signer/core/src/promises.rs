//! What others promise: approvals, certificates and partials, each judged by itself, whoever carries it.

use igra_group::MemberIndex;
use igra_tx::{EventKey, MAX_INPUTS, ProposalId};

use crate::{
    Coordinator, Ignored, MessageKind, Note, Step,
    internal::INTERNAL,
    messages::{Approve, Certificate, Message, Opened, PartialMessage, open},
    offer::{Offer, Promise},
    rules::Rules,
    session::Session,
};

// Proposals of one event that are known by approvals alone, for each member that approved them.
const MOST_TOLD: usize = 16;
const MOST_EVENTS: usize = igra_tx::MAX_PAYMENTS;

impl<R: Rules> Coordinator<R> {
    /// An approval that came inside something else.
    pub(crate) fn take_sealed_approval(&mut self, sealed: Vec<u8>, step: &mut Step) -> Result<(), Ignored> {
        let Opened { header, body } = open(&self.group, &sealed).map_err(Ignored::Unopened)?;
        if header.member == self.me {
            return self.on_own_seal(&header, &body, step);
        }
        match Message::decode(header.kind, &body) {
            Some(Message::Approve(approve)) => self.on_approve(header.member, approve, sealed, step),
            _ => Err(Ignored::Malformed(header.kind)),
        }
    }

    pub(crate) fn on_approve(
        &mut self,
        from: MemberIndex,
        approve: Approve,
        sealed: Vec<u8>,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        // Its number is used up whatever group it was made for.
        self.remember_promise(from, &approve, &sealed, step);
        if approve.config != self.config {
            return Err(Ignored::OtherConfig);
        }
        self.views.report_at_least(from, approve.view);
        let at_once = self.group.quorum().get() == self.group.threshold().needed();
        let most_signatures = if at_once { MAX_INPUTS } else { 0 };
        let signatures = approve.signatures.as_ref().map_or(0, Vec::len);
        if approve.events.len() > MOST_EVENTS || signatures > most_signatures {
            return Err(Ignored::Malformed(MessageKind::Approve));
        }
        let internal = approve.events.is_empty();
        if !internal && approve.events.iter().all(|event| self.tombstones.contains_key(event)) {
            return Err(Ignored::FinalEvent);
        }
        self.place_for(from, &approve)?;
        let id = approve.proposal;
        let offer = self.offers.entry(id);
        if offer.approvals.contains_key(&from) {
            return Err(Ignored::Duplicate);
        }
        let promise = Promise { sealed, events: approve.events.clone(), signatures: approve.signatures };
        offer.approvals.insert(from, promise);
        if internal {
            self.internal.offers.insert(id);
        }
        for event in &approve.events {
            if let Some(session) = self.sessions.get_mut(event) {
                session.offers.insert(id);
            }
        }
        if let Err(reason) = self.settle_promise(id, from) {
            self.drop_promise(id, from);
            return Err(reason);
        }
        step.note(Note::PeerApproved { from, proposal: id });
        let offer = self.offers.entry(id);
        if offer.body.is_none() && !std::mem::replace(&mut offer.asked, true) {
            self.ask_for_body(from, &approve.events, step);
        }
        self.progress(id, step);
        Ok(())
    }

    /// What names no event is forgotten once it is dead. A peer whose node lags shows all of it again with each answer:
    /// it is asked once for each regular exchange, for else each answer would make more than one question.
    fn ask_for_body(&mut self, from: MemberIndex, events: &[EventKey], step: &mut Step) {
        let events = match events.is_empty() {
            true if std::mem::replace(&mut self.peers.entry(from).or_default().asked, true) => return,
            true => [INTERNAL].into(),
            false => events.iter().copied().collect(),
        };
        self.ask(from, &events, step);
    }

    /// An approval needs an event that is known here, and no member alone makes this one keep many proposals.
    fn place_for(&mut self, from: MemberIndex, approve: &Approve) -> Result<(), Ignored> {
        if self.offers.get(&approve.proposal).is_some() {
            return Ok(());
        }
        if approve.events.is_empty() {
            return self.place_for_internal(from, approve.proposal);
        }
        let mut sessions = approve.events.iter().filter_map(|event| self.sessions.get(event)).peekable();
        if sessions.peek().is_none() {
            return Err(Ignored::UnknownEvent);
        }
        let told = |offer: &&Offer| offer.is_only_told() && offer.approvals.contains_key(&from);
        let told = |session: &Session| {
            session.offers.iter().filter_map(|id| self.offers.get(id)).filter(told).count()
        };
        if sessions.any(|session| told(session) >= MOST_TOLD) {
            return Err(Ignored::TooMany);
        }
        let room = approve.events.iter().all(|event| self.make_room(event));
        room.then_some(()).ok_or(Ignored::TooMany)
    }

    fn place_for_internal(&mut self, from: MemberIndex, id: ProposalId) -> Result<(), Ignored> {
        let offers = self.internal.offers.iter().filter_map(|id| self.offers.get(id));
        let told = offers.filter(|offer| offer.is_only_told() && offer.approvals.contains_key(&from));
        if told.count() >= MOST_TOLD {
            return Err(Ignored::TooMany);
        }
        self.room_for_internal(id)
    }

    pub(crate) fn on_certificate(
        &mut self,
        certificate: Certificate,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        if certificate.approvals.len() > usize::from(self.group.threshold().members()) {
            return Err(Ignored::TooMany);
        }
        let mut heard = Err(Ignored::Duplicate);
        for sealed in certificate.approvals {
            heard = self.take_sealed_approval(sealed, step).or(heard);
        }
        heard
    }

    pub(crate) fn on_partial(
        &mut self,
        from: MemberIndex,
        partial: PartialMessage,
        sealed: Vec<u8>,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let id = partial.proposal;
        if self.signs_at_once() {
            return Err(Ignored::Mismatch);
        }
        let offer = self.offers.get_mut(&id).ok_or(Ignored::UnknownProposal)?;
        let body = offer.body.as_ref().ok_or(Ignored::UnknownProposal)?;
        if offer.partials.contains_key(&from) {
            return Err(Ignored::Duplicate);
        }
        let partial = igra_tx::Partial { proposal: id, member: from, signatures: partial.signatures };
        igra_tx::verify_partial(&self.group, body, &partial).map_err(|_| Ignored::BadPartial)?;
        offer.partials.insert(from, partial);
        offer.sealed_partials.insert(from, sealed);
        self.progress(id, step);
        Ok(())
    }
}
