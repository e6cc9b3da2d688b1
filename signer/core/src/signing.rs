//! From a proposal that passes to a partial that leaves: each promise is durable before anybody can see it.
//!
//! Where quorum and threshold are equal the partial is made first and kept in memory, and approval, proposal,
//! reservation and partial are one batch; the approval carries the partial. Else the approval comes first, and the
//! partial once a certificate of q approvals is durable.

use std::collections::BTreeSet;

use igra_group::MemberIndex;
use igra_tx::{EventKey, Partial, Proposal, ProposalId, ProposalKind, combine, verify_partial};

use crate::{
    Alarm, Coordinator, Earlier, Effect, Ignored, Note, Row, Step, To, anchor_rule,
    messages::{Approve, Certificate, Message, PartialMessage},
    offer::Offer,
    records::{ApprovalRecord, CertificateRecord, OutboxRecord},
    rules::Rules,
    submit::Submission,
    volume::{VolumeEntry, VolumeState},
};

/// What a signature was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// The approval waits for it: q = m.
    Approval { view: u64 },
    /// A certificate is durable: q > m.
    Partial,
}

impl<R: Rules> Coordinator<R> {
    /// The proposals of an event that this signer approved.
    pub(crate) fn own_approvals(&self, event: &EventKey) -> impl Iterator<Item = (ProposalId, &Offer)> {
        self.offers.naming(event).filter(|(_, offer)| offer.own.is_some())
    }

    /// What binds this signer for an event: its approvals, and those that wait for their signature.
    fn earlier(&self, event: &EventKey) -> impl Iterator<Item = Earlier<'_>> {
        let offers = self.offers.naming(event);
        let bound = offers.filter(|(id, offer)| offer.own.is_some() || self.signing.contains_key(id));
        bound.filter_map(|(id, offer)| {
            let proposal = offer.body.as_ref()?;
            Some(Earlier { id, proposal, dead: !offer.is_live() })
        })
    }

    /// The anchor rule for each event of a proposal.
    pub(crate) fn is_anchored(&self, proposal: &Proposal) -> Result<(), crate::AnchorConflict> {
        if !R::ANCHOR {
            return Ok(());
        }
        proposal.events.iter().try_for_each(|event| anchor_rule(proposal, self.earlier(event)))
    }

    /// Begins to approve a proposal that passed every check.
    pub(crate) fn begin_approval(&mut self, id: ProposalId, view: u64, step: &mut Step) {
        let offer = self.offers.get(&id).expect("what passed the check is an offer");
        let proposal = offer.body.clone().expect("what passed the check has a body");
        // Counted from now on: two events that wait for their signatures must not both take the last of a volume.
        if proposal.kind == ProposalKind::Pay {
            self.reserve(&proposal.events);
        }
        if !self.signs_at_once() {
            return self.record_approval(id, view, None, step);
        }
        self.signing.insert(id, Signing::Approval { view });
        step.effects.push(Effect::Sign { proposal });
    }

    /// q = m: the approval carries the partial.
    pub(crate) fn signs_at_once(&self) -> bool {
        self.group.quorum().get() == self.group.threshold().needed()
    }

    pub(crate) fn on_signed(&mut self, partial: Partial, step: &mut Step) -> Result<(), Ignored> {
        let id = partial.proposal;
        let purpose = self.signing.remove(&id).ok_or(Ignored::NothingToSign)?;
        let proposal =
            self.offers.get(&id).and_then(|offer| offer.body.clone()).ok_or(Ignored::FinalEvent)?;
        let good = self.own_partial_is_good(&proposal, &partial, step);
        let good = good.and_then(|()| self.may_still_sign(&proposal));
        let good = good.and_then(|()| self.may_still_approve(&proposal, purpose));
        if let Err(reason) = good {
            for event in proposal.events {
                self.free(event, step);
            }
            return Err(reason);
        }
        match purpose {
            Signing::Approval { view } => self.record_approval(id, view, Some(partial), step),
            Signing::Partial => self.record_partial(partial, step),
        }
        Ok(())
    }

    /// What passed every check can be signed by the member's key, so the fault is here: nothing more is promised.
    pub(crate) fn on_sign_failed(
        &mut self,
        id: ProposalId,
        reason: String,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        self.signing.remove(&id).ok_or(Ignored::NothingToSign)?;
        self.raise(Alarm::SignFailed { proposal: id, reason }, step);
        let events = self.offers.get(&id).map(|offer| offer.events.clone()).unwrap_or_default();
        for event in events {
            self.free(event, step);
        }
        Ok(())
    }

    /// A key that is not the member's must not promise anything more.
    fn own_partial_is_good(
        &mut self,
        proposal: &Proposal,
        partial: &Partial,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let verified = verify_partial(&self.group, proposal, partial).map_err(|error| error.to_string());
        let mine =
            if partial.member == self.me { verified } else { Err("it is another member's".to_owned()) };
        mine.map_err(|reason| {
            self.raise(Alarm::OwnPartialBad { proposal: partial.proposal, reason }, step);
            Ignored::BadPartial
        })
    }

    /// What may have changed since the check: an event that ended, another approval, an alarm.
    fn may_still_sign(&self, proposal: &Proposal) -> Result<(), Ignored> {
        self.may_promise(proposal.kind).map_err(|_| Ignored::Stopped)?;
        let ended = |event: &EventKey| !self.sessions.contains_key(event) || self.doubted.contains_key(event);
        if proposal.events.iter().any(ended) {
            return Err(Ignored::FinalEvent);
        }
        self.is_anchored(proposal).map_err(|_| Ignored::NothingToSign)
    }

    /// A deadline that passed, or a policy that came, since the check. An approval is a promise, so before its partial
    /// only a part of that is asked again.
    fn may_still_approve(&self, proposal: &Proposal, purpose: Signing) -> Result<(), Ignored> {
        let stands = match purpose {
            Signing::Approval { .. } => self.judge_purpose(proposal),
            Signing::Partial => Ok(()),
        };
        stands.and_then(|()| self.judge_again(proposal)).map_err(|_| Ignored::Denied)
    }

    /// One batch, then the message.
    fn record_approval(&mut self, id: ProposalId, view: u64, partial: Option<Partial>, step: &mut Step) {
        let offer = self.offers.get(&id).expect("what is approved is an offer");
        let proposal = offer.body.clone().expect("what is approved has a body");
        self.promise += 1;
        let record = ApprovalRecord {
            proposal: id,
            events: proposal.events.clone(),
            config: self.config,
            promise: self.promise,
            view,
            utc: self.now.utc,
        };
        self.promises.insert(self.promise, id);
        self.signed.extend(partial.iter().map(|_| proposal.transaction_id()));
        step.writes.push(Row::approval(&record));
        step.writes.push(Row::proposal(&id, &proposal));
        self.keep_parents(&proposal, step);
        self.count_internal(&proposal, step);
        if proposal.kind == ProposalKind::Pay {
            let reserved = proposal.events.iter().filter_map(|event| Some((event, self.volumes.get(event)?)));
            step.writes.extend(reserved.map(|(event, entry)| Row::reservation(event, entry)));
        }
        step.writes.extend(partial.iter().map(Row::partial));
        let (kind, events, promise) = (proposal.kind, record.events.clone(), self.promise);
        step.note(Note::Approved { kind, events, proposal: id, promise });
        let offer = self.offers.entry(id);
        offer.own = Some(record);
        offer.partials.extend(partial.map(|partial| (self.me, partial)));
        if proposal.kind.names_events() {
            self.views.progress();
        }
        self.send_approval(To::All, id, step);
        self.progress(id, step);
    }

    pub(crate) fn reserve(&mut self, events: &[EventKey]) {
        if !R::RESERVE {
            return;
        }
        for event in events {
            let Some(session) = self.sessions.get(event) else { continue };
            let entry = VolumeEntry::of(&session.event, VolumeState::Reserved);
            if self.volumes.get(event).is_none() {
                self.volumes.insert(*event, entry);
            }
        }
    }

    /// In quarantine promises made before stay here too, but for sweeps.
    fn withholds(&self, offer: &Offer) -> bool {
        let sweep = offer.body.as_ref().is_some_and(|body| body.kind == ProposalKind::Sweep);
        R::SWEEPS_ONLY && self.quarantine.is_some() && !sweep
    }

    /// Sends a recorded approval, with its partial where that belongs to it.
    pub(crate) fn send_approval(&mut self, to: To, id: ProposalId, step: &mut Step) {
        let Some(offer) = self.offers.get(&id) else { return };
        let Some(own) = offer.own_under(self.config) else { return };
        if self.withholds(offer) {
            return;
        }
        let partial = offer.partials.get(&self.me).filter(|_| self.signs_at_once());
        let approve = Approve {
            proposal: id,
            events: own.events.clone(),
            config: own.config,
            promise: own.promise,
            view: self.views.view,
            signatures: partial.map(|partial| partial.signatures.clone()),
        };
        self.send(to, &Message::Approve(approve), step);
    }

    /// Sends a recorded partial, where it does not travel with the approval.
    pub(crate) fn send_partial(&mut self, to: To, id: ProposalId, step: &mut Step) {
        if self.signs_at_once() {
            return;
        }
        let offer = self.offers.get(&id).filter(|offer| !self.withholds(offer));
        let own = offer.and_then(|offer| offer.partials.get(&self.me));
        let Some(signatures) = own.map(|partial| partial.signatures.clone()) else { return };
        self.send(to, &Message::Partial(PartialMessage { proposal: id, signatures }), step);
    }

    /// Takes the next step that a proposal is ripe for.
    pub(crate) fn progress(&mut self, id: ProposalId, step: &mut Step) {
        self.certify(id, step);
        self.assemble(id, step);
    }

    /// With q approvals, the own one among them, a certificate is written and the signature asked for.
    fn certify(&mut self, id: ProposalId, step: &mut Step) {
        let Some(offer) = self.offers.get(&id) else { return };
        let Some(proposal) = offer.body.clone() else { return };
        let quorum = usize::from(self.group.quorum().get()) - usize::from(!R::QUORUM);
        let own = offer.own_under(self.config).is_some();
        let ripe = own && offer.approvals.len() + 1 >= quorum;
        let signed = offer.partials.contains_key(&self.me) || self.signing.contains_key(&id);
        if self.signs_at_once() || !ripe || signed || !offer.is_live() {
            return;
        }
        let stands = self.may_still_sign(&proposal);
        if stands.and_then(|()| self.may_still_approve(&proposal, Signing::Partial)).is_err() {
            return;
        }
        if offer.certified {
            // Something stood against the signature when it was asked for first.
            return self.ask_for_partial(id, proposal, step);
        }
        let sealed =
            offer.approvals.values().take(quorum - 1).map(|promise| promise.sealed.clone()).collect();
        let record = CertificateRecord { approvals: sealed };
        step.writes.push(Row::certificate(&id, &record));
        step.note(Note::Certified { proposal: id });
        self.offers.entry(id).certified = true;
        let certificate = Certificate { proposal: id, approvals: record.approvals };
        self.send(To::All, &Message::Certificate(certificate), step);
        self.ask_for_partial(id, proposal, step);
    }

    pub(crate) fn ask_for_partial(&mut self, id: ProposalId, proposal: Proposal, step: &mut Step) {
        self.signing.insert(id, Signing::Partial);
        step.effects.push(Effect::Sign { proposal });
    }

    fn record_partial(&mut self, partial: Partial, step: &mut Step) {
        let id = partial.proposal;
        let body = self.offers.get(&id).and_then(|offer| offer.body.as_ref());
        self.signed.extend(body.map(|body| body.transaction_id()));
        step.writes.push(Row::partial(&partial));
        step.note(Note::PartialMade { proposal: id });
        self.offers.entry(id).partials.insert(self.me, partial);
        self.send_partial(To::All, id, step);
        self.progress(id, step);
    }

    /// With m partials the transaction is complete: outbox first, then the node.
    fn assemble(&mut self, id: ProposalId, step: &mut Step) {
        let Some(offer) = self.offers.get(&id) else { return };
        let ready = offer.partials.len() >= usize::from(self.group.threshold().needed());
        let Some(proposal) =
            offer.body.as_ref().filter(|_| ready && offer.is_live() && offer.assembled.is_none())
        else {
            return;
        };
        let view = offer.view;
        let transaction = match combine(&self.group, proposal, &offer.partials) {
            Ok(transaction) => transaction,
            Err(error) => {
                self.raise(Alarm::CombineFailed { proposal: id, reason: error.to_string() }, step);
                return;
            }
        };
        let (events, name, pays) = (proposal.events.clone(), transaction.id(), proposal.kind.names_events());
        let record = OutboxRecord { proposal: id, transaction };
        step.writes.push(Row::outbox(&name, &record));
        step.note(Note::Assembled { events: events.clone(), proposal: id, transaction: name });
        self.offers.entry(id).assembled = Some(name);
        let first = self.first_submission(view);
        self.chain.on_its_way = None;
        self.outbox.insert(name, Submission::new(&self.group, record, first));
        self.schedule(&name);
        match pays {
            true => self.views.progress(),
            false => self.stir_all(),
        }
        events.into_iter().for_each(|event| self.stir(event));
    }

    /// Gives an offer its body and judges what was waiting for it.
    pub(crate) fn adopt(&mut self, id: ProposalId, proposal: Proposal, step: &mut Step) {
        for event in &proposal.events {
            if let Some(session) = self.sessions.get_mut(event) {
                session.offers.insert(id);
            }
        }
        match proposal.kind.names_events() {
            true => self.internal.offers.remove(&id),
            false => self.internal.offers.insert(id),
        };
        self.offers.adopt(id, proposal);
        self.note_if_dead(id, step);
        let waiting: BTreeSet<MemberIndex> = self.offers.entry(id).approvals.keys().copied().collect();
        for member in waiting {
            if self.settle_promise(id, member).is_err() {
                self.drop_promise(id, member);
            }
        }
        self.progress(id, step);
    }

    /// An approval that is none of this proposal leaves no trace at the events that it named.
    pub(crate) fn drop_promise(&mut self, id: ProposalId, member: MemberIndex) {
        let Some(offer) = self.offers.get_mut(&id) else { return };
        let Some(promise) = offer.approvals.remove(&member) else { return };
        for event in promise.events.iter().filter(|event| !offer.events.contains(event)) {
            if let Some(session) = self.sessions.get_mut(event) {
                session.offers.remove(&id);
            }
        }
        if offer.is_only_told() && offer.approvals.is_empty() && offer.partials.is_empty() {
            self.drop_offer(id);
        }
    }

    /// Forgets an offer that binds nobody here.
    pub(crate) fn drop_offer(&mut self, id: ProposalId) {
        for event in self.offers.get(&id).map(|offer| offer.events.clone()).unwrap_or_default() {
            if let Some(session) = self.sessions.get_mut(&event) {
                session.offers.remove(&id);
            }
        }
        self.offers.forget(&id);
        self.internal.offers.remove(&id);
    }

    /// Judges somebody's approval against the body: same events, and a good partial exactly where one is due.
    pub(crate) fn settle_promise(&mut self, id: ProposalId, member: MemberIndex) -> Result<(), Ignored> {
        let at_once = self.signs_at_once();
        let offer = self.offers.get_mut(&id).ok_or(Ignored::UnknownProposal)?;
        let Some(body) = &offer.body else { return Ok(()) };
        let promise = offer.approvals.get_mut(&member).ok_or(Ignored::UnknownProposal)?;
        if promise.events != body.events {
            return Err(Ignored::Mismatch);
        }
        match (at_once, promise.signatures.take()) {
            (true, Some(signatures)) => {
                let partial = Partial { proposal: id, member, signatures };
                verify_partial(&self.group, body, &partial).map_err(|_| Ignored::BadPartial)?;
                offer.partials.insert(member, partial);
                Ok(())
            }
            // It was judged before.
            (true, None) if offer.partials.contains_key(&member) => Ok(()),
            (true, None) | (false, Some(_)) => Err(Ignored::Mismatch),
            (false, None) => Ok(()),
        }
    }
}
