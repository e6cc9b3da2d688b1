//! What peers say: each message is opened, judged as new or not, and handed to whoever it concerns.

use std::collections::BTreeSet;

use igra_group::MemberIndex;
use igra_tx::{EventKey, Proposal, ProposalId};

use crate::{
    Coordinator, Effect, Ignored, MessageKind, Note, Step, To,
    answers::Answered,
    equivocation::Promised,
    messages::{Announce, Body, Heard, Hello, Message, Opened, Propose, Refuse, Seen, Status, Unread, open},
    offer::Offer,
    rules::Rules,
    session::Session,
    views::proposer,
};

// Proposals that wait for the verifier to know their event.
const MOST_UNVERIFIED: usize = 256;
// Longer messages of a member are not kept to be shown to it.
const MOST_SHOWN_BYTES: usize = 4_096;
// Proposals kept for one event.
const MOST_OFFERS: usize = 256;

/// What is known of another member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub up: bool,
    pub hello: Option<Hello>,
    /// Its highest promise number seen under its seal, and that seal.
    pub promise: u64,
    pub last_approval: Option<Vec<u8>>,
    pub promised: Promised,
    /// Its last short message, to show it where it had been.
    pub newest: Option<(Heard, Vec<u8>)>,
    /// It was shown its newest seals since the last exchange.
    pub reminded: bool,
    /// It was asked for what names no event since the last exchange.
    pub asked: bool,
    pub answered: Answered,
}

impl<R: Rules> Coordinator<R> {
    pub(crate) fn on_peer(&mut self, member: MemberIndex, up: bool, step: &mut Step) -> Result<(), Ignored> {
        if self.group.member(member).is_none() || member == self.me {
            return Err(Ignored::UnknownMember);
        }
        let peer = self.peers.entry(member).or_default();
        (peer.up, peer.reminded, peer.asked) = (up, false, false);
        if up {
            self.greet(member, false, step);
        }
        Ok(())
    }

    pub(crate) fn promise_seen(&self, member: MemberIndex) -> u64 {
        if member == self.me { self.promise } else { self.peers.get(&member).map_or(0, |peer| peer.promise) }
    }

    pub(crate) fn on_received(&mut self, sealed: Vec<u8>, step: &mut Step) -> Result<(), Ignored> {
        let Opened { header, body } = open(&self.group, &sealed).map_err(Ignored::Unopened)?;
        if header.member == self.me {
            return self.on_own_seal(&header, &body, step);
        }
        let last = self.windows.heard(header.member);
        let seen = self.windows.take(header.member, header.epoch, header.sequence);
        // A promise holds whenever it was sealed and whoever carries it, so another look at one does no harm.
        let carries_promise = matches!(header.kind, MessageKind::Approve | MessageKind::Partial);
        let heard = Heard { epoch: header.epoch, sequence: header.sequence };
        if heard < last && header.kind == MessageKind::Hello || seen == Seen::OldEpoch && !carries_promise {
            self.remind(header.member, step);
        }
        match seen {
            Seen::New => self.keep_newest(header.member, heard, &sealed),
            Seen::Duplicate | Seen::OldEpoch if carries_promise => {}
            Seen::Duplicate => return Err(Ignored::Duplicate),
            Seen::OldEpoch => return Err(Ignored::OldEpoch),
        }
        let message = Message::read(header.kind, &body).map_err(|unread| match unread {
            Unread::Malformed => Ignored::Malformed(header.kind),
            Unread::Newer => Ignored::NewerVersion(header.kind),
        })?;
        let before = step.effects.len();
        let heard = self.hear(header.member, message, sealed, step);
        self.count_answers(header.member, &step.effects[before..]);
        heard
    }

    fn keep_newest(&mut self, member: MemberIndex, heard: Heard, sealed: &[u8]) {
        let peer = self.peers.entry(member).or_default();
        if sealed.len() <= MOST_SHOWN_BYTES && peer.newest.as_ref().is_none_or(|(last, _)| *last < heard) {
            peer.newest = Some((heard, sealed.to_vec()));
        }
    }

    /// A member that greets from behind where it had been lost its store, or part of it: it is shown its own seals, by
    /// which it notices.
    fn remind(&mut self, member: MemberIndex, step: &mut Step) {
        let peer = self.peers.entry(member).or_default();
        if std::mem::replace(&mut peer.reminded, true) {
            return;
        }
        let newest = peer.newest.as_ref().map(|(_, sealed)| sealed.clone());
        let shown: BTreeSet<Vec<u8>> = newest.into_iter().chain(peer.last_approval.clone()).collect();
        let relays = shown.into_iter().map(|sealed| Effect::Relay { to: To::Member(member), sealed });
        step.effects.extend(relays);
    }

    fn hear(
        &mut self,
        from: MemberIndex,
        message: Message,
        sealed: Vec<u8>,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        match message {
            Message::Hello(hello) => self.on_hello(from, hello, step),
            Message::Status(status) => self.on_status(from, status, step),
            Message::Announce(announce) => self.on_announce(from, announce, step),
            Message::Propose(propose) => self.on_propose(from, propose, step),
            Message::Approve(approve) => self.on_approve(from, approve, sealed, step),
            Message::Refuse(refuse) => self.on_refuse(from, refuse, step),
            Message::Certificate(certificate) => self.on_certificate(certificate, step),
            Message::Partial(partial) => self.on_partial(from, partial, sealed, step),
            Message::Final(claim) => self.on_final_claim(from, claim, sealed, step),
            Message::Hint(hint) => self.on_hint(from, hint),
            Message::Digest(digest) => {
                let heard = self.on_digest(from, digest, step);
                self.jump(step);
                heard
            }
            Message::Body(body) => self.on_body(body, step),
            Message::AskHistory(asked) => self.on_ask_history(from, asked, step),
            Message::History(page) => self.on_history(from, page, step),
        }
    }

    /// Follows the others if enough of them are ahead.
    pub(crate) fn jump(&mut self, step: &mut Step) {
        if self.views.jump(&self.group, self.now.monotonic) {
            self.view_moved(step);
        }
    }

    fn on_status(&mut self, from: MemberIndex, status: Status, step: &mut Step) -> Result<(), Ignored> {
        self.views.report(from, status.view);
        self.jump(step);
        Ok(())
    }

    fn on_announce(&mut self, from: MemberIndex, announce: Announce, step: &mut Step) -> Result<(), Ignored> {
        if self.tombstones.contains_key(&announce.event) {
            return Err(Ignored::FinalEvent);
        }
        if self.stays_closed(&announce.event) {
            return Err(Ignored::ClosedEvent);
        }
        // Other evidence for a known event may prove another payload: somebody has to notice.
        let known = self.sessions.get(&announce.event);
        if known.is_some_and(|session| session.event.evidence == announce.evidence) {
            return Err(Ignored::KnownEvent);
        }
        self.verify(from, announce.evidence, step)
    }

    pub(crate) fn on_propose(
        &mut self,
        from: MemberIndex,
        propose: Propose,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let view = propose.view;
        if proposer(&self.group, view) != from {
            return Err(Ignored::NotTheProposer);
        }
        self.views.report(from, view);
        self.jump(step);
        let proposal =
            Proposal::decode(&propose.proposal).map_err(|_| Ignored::Malformed(MessageKind::Propose))?;
        if view < self.views.view {
            let status = Status { view: self.views.view };
            self.send(To::Member(from), &Message::Status(status), step);
            return Err(Ignored::StaleView);
        }
        if proposal.events.is_empty() {
            return self.on_internal_proposal(from, view, proposal, step);
        }
        if proposal.events.iter().any(|event| self.tombstones.contains_key(event)) {
            return Err(Ignored::FinalEvent);
        }
        self.wait_for_verifier(from, &propose, &proposal, step)?;
        let id = proposal.id();
        for event in &proposal.events {
            let known = self.sessions.get(event).is_some_and(|session| session.offers.contains(&id));
            if !known && !self.make_room(event) {
                return Err(Ignored::TooMany);
            }
        }
        if view > self.views.view {
            return self.keep_for_later(id, proposal, view, step);
        }
        // One proposal for an event and view: the first one heard.
        let offered = |event| self.sessions.get(event).and_then(|session| session.offered_in(view));
        if proposal.events.iter().filter_map(offered).any(|known| known != id) {
            return Err(Ignored::TooMany);
        }
        for event in &proposal.events {
            if let Some(session) = self.sessions.get_mut(event) {
                session.offered = Some((view, id));
            }
        }
        self.know(id, proposal, view, step);
        if self.offers.entry(id).own.is_some() && self.may_answer(from).is_ok() {
            // It is offered again, so somebody lacks what this signer promised.
            self.send_approval(To::All, id, step);
            self.send_partial(To::All, id, step);
        }
        self.consider(id, view, step);
        Ok(())
    }

    /// Evidence of an unknown event may still be with the verifier; if not, the proposer has what it takes.
    fn wait_for_verifier(
        &mut self,
        from: MemberIndex,
        propose: &Propose,
        proposal: &Proposal,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let unknown = |event: &&EventKey| !self.sessions.contains_key(event);
        let unknown: BTreeSet<EventKey> = proposal.events.iter().filter(unknown).copied().collect();
        let Some(first) = unknown.first().copied() else { return Ok(()) };
        if self.may_answer(from).is_ok() {
            self.ask(from, &unknown, step);
        }
        if self.unverified.len() < MOST_UNVERIFIED {
            self.unverified.insert(first, (from, propose.clone()));
        }
        Err(Ignored::UnknownEvent)
    }

    /// A proposal for a view that too few members report.
    fn keep_for_later(
        &mut self,
        id: ProposalId,
        proposal: Proposal,
        view: u64,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        // Whoever names a far view must not take the place of the next ones.
        let here = self.views.view;
        let round = u64::from(self.group.threshold().members());
        let early = |event| self.sessions.get(event).and_then(|session: &Session| session.early);
        let nearer = |known: u64| known > here && known < view;
        if view > here.saturating_add(round)
            || proposal.events.iter().filter_map(early).any(|(known, _)| nearer(known))
        {
            return Err(Ignored::TooMany);
        }
        for event in &proposal.events {
            if let Some(session) = self.sessions.get_mut(event) {
                session.early = Some((view, id));
            }
        }
        self.know(id, proposal, view, step);
        Err(Ignored::EarlyView)
    }

    /// Whether an event has room for one more proposal, once those are forgotten that bind nobody here and that the
    /// fewest approved.
    pub(crate) fn make_room(&mut self, event: &EventKey) -> bool {
        let Some(session) = self.sessions.get(event) else { return true };
        let excess = (session.offers.len() + 1).saturating_sub(MOST_OFFERS);
        if excess == 0 {
            return true;
        }
        let kept = [session.offered, session.early].map(|offered| offered.map(|(_, id)| id));
        let loose = |(id, offer): &(ProposalId, &Offer)| {
            let bound = offer.own.is_some() || offer.assembled.is_some() || self.signing.contains_key(id);
            !bound && !kept.contains(&Some(*id))
        };
        let offers = session.offers.iter().filter_map(|id| self.offers.get(id).map(|offer| (*id, offer)));
        let mut loose: Vec<_> = offers.filter(loose).collect();
        loose.sort_by_key(|(id, offer)| (offer.approvals.len(), offer.view, *id));
        let dropped: Vec<ProposalId> = loose.into_iter().take(excess).map(|(id, _)| id).collect();
        let enough = dropped.len() == excess;
        for id in dropped {
            self.drop_offer(id);
        }
        enough
    }

    pub(crate) fn know(&mut self, id: ProposalId, proposal: Proposal, view: u64, step: &mut Step) {
        let offer = self.offers.entry(id);
        offer.view = offer.view.max(Some(view));
        if offer.body.is_none() {
            self.adopt(id, proposal, step);
        }
    }

    fn on_refuse(&mut self, from: MemberIndex, refuse: Refuse, step: &mut Step) -> Result<(), Ignored> {
        self.views.report(from, refuse.view);
        self.jump(step);
        self.offers.get(&refuse.proposal).ok_or(Ignored::UnknownProposal)?;
        self.take_refusal(from, &refuse);
        let Refuse { proposal, code, mut detail, .. } = refuse;
        detail.truncate(detail.char_indices().nth(100).map_or(detail.len(), |(at, _)| at));
        step.note(Note::PeerRefused { from, proposal, code, detail });
        Ok(())
    }

    /// A body that was asked for: taken only where approvals name it.
    fn on_body(&mut self, body: Body, step: &mut Step) -> Result<(), Ignored> {
        let proposal = Proposal::decode(&body.proposal).map_err(|_| Ignored::Malformed(MessageKind::Body))?;
        let id = proposal.id();
        let offer = self.offers.get(&id).ok_or(Ignored::UnknownProposal)?;
        if offer.body.is_some() {
            return Err(Ignored::Duplicate);
        }
        let events = proposal.events.clone();
        self.adopt(id, proposal, step);
        events.into_iter().for_each(|event| self.stir(event));
        Ok(())
    }
}
