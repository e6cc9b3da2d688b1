//! What a peer lacks is pushed to it, and what is lacking here is asked for: the answer to each page of a digest.
//!
//! Everything pushed proves itself — events by their evidence, bodies by their hash, approvals and partials by their
//! seals — so it does not matter who carries it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use igra_group::MemberIndex;
use igra_tx::{EventKey, Proposal, ProposalId};

use crate::{
    Coordinator, Effect, Ignored, Step, To,
    catch_up::{MOST_PROPOSALS, MOST_PUSHED},
    internal::INTERNAL,
    messages::{Announce, Body, Digest, Entry, KnownProposal, MAX_DIGEST_ENTRIES, Message, Propose, bit},
    offer::Offer,
    rules::Rules,
};

impl<R: Rules> Coordinator<R> {
    /// Pushes what the sender lacks, and says what is lacking here.
    pub(crate) fn on_digest(
        &mut self,
        from: MemberIndex,
        digest: Digest,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        if digest.entries.len() > MAX_DIGEST_ENTRIES || digest.from > digest.to {
            return Err(Ignored::TooMany);
        }
        self.views.report(from, digest.view);
        self.may_answer(from)?;
        let theirs: BTreeMap<EventKey, &Entry> =
            digest.entries.iter().map(|entry| (entry.event, entry)).collect();
        let range = (Bound::Included(digest.from), Bound::Included(digest.to));
        let internal = (digest.from == INTERNAL && !self.internal.offers.is_empty()).then_some(INTERNAL);
        let ours: Vec<EventKey> = internal.into_iter().chain(self.ours_first(range)).collect();
        let before = step.effects.len();
        for event in ours {
            if step.effects.len() - before >= MOST_PUSHED {
                break;
            }
            self.push(from, event, theirs.get(&event).copied(), step);
        }
        let mut lacking = BTreeSet::new();
        for entry in &digest.entries {
            if self.tombstones.contains_key(&entry.event) {
                self.state_end(from, entry.event, step);
                continue;
            }
            for known in entry.proposals.iter().take(MOST_PROPOSALS) {
                self.state_death(from, entry.event, &known.proposal, step);
            }
            if self.lacks(entry) {
                self.closed.reopen(entry.event);
                lacking.insert(entry.event);
            }
        }
        if !digest.answer {
            self.ask(from, &lacking, step);
        }
        Ok(())
    }

    /// The own events of a range that one digest may concern, the waiting ones first.
    fn ours_first(&self, range: (Bound<EventKey>, Bound<EventKey>)) -> Vec<EventKey> {
        let most = MAX_DIGEST_ENTRIES + MOST_PUSHED;
        let waiting: Vec<EventKey> = self.pending.range(range).take(most).copied().collect();
        let rest = most - waiting.len();
        let others = self.sessions.range(range).map(|(event, _)| *event).take(most);
        let others = others.filter(|event| !self.pending.contains(event)).take(rest);
        waiting.iter().copied().chain(others).collect()
    }

    fn push(&mut self, to: MemberIndex, event: EventKey, theirs: Option<&Entry>, step: &mut Step) {
        let nothing = Entry { event, proposals: Vec::new() };
        let Some(entry) = theirs.or((event == INTERNAL).then_some(&nothing)) else {
            return self.announce(To::Member(to), &event, step);
        };
        let has: BTreeMap<ProposalId, &KnownProposal> =
            entry.proposals.iter().map(|known| (known.proposal, known)).collect();
        let ids: Vec<ProposalId> = self.tellable(&event).into_iter().map(|(id, _)| id).collect();
        for id in ids {
            self.push_offer(to, event, id, has.get(&id).copied(), step);
        }
    }

    fn push_offer(
        &mut self,
        to: MemberIndex,
        event: EventKey,
        id: ProposalId,
        theirs: Option<&KnownProposal>,
        step: &mut Step,
    ) {
        let Some(offer) = self.offers.get(&id) else { return };
        let Some(body) = offer.body.clone() else { return };
        let none = KnownProposal { proposal: id, body: false, approvals: 0, partials: 0 };
        let theirs = *theirs.unwrap_or(&none);
        let lacking = |has: u16, member: &MemberIndex| *member != to && has & bit(*member) == 0;
        // Where quorum and threshold are equal the approval carries the partial.
        let approvals = offer.approvals.iter().filter(|(member, _)| lacking(theirs.approvals, member));
        let partials = offer.sealed_partials.iter().filter(|(member, _)| lacking(theirs.partials, member));
        let sealed: Vec<Vec<u8>> = approvals
            .map(|(_, promise)| promise.sealed.clone())
            .chain(partials.map(|(_, sealed)| sealed.clone()))
            .collect();
        step.effects.extend(sealed.into_iter().map(|sealed| Effect::Relay { to: To::Member(to), sealed }));
        if lacking(theirs.approvals, &self.me) {
            self.send_approval(To::Member(to), id, step);
        }
        if lacking(theirs.partials, &self.me) {
            self.send_partial(To::Member(to), id, step);
        }
        if !theirs.body {
            self.send_body(to, event, id, &body, step);
        }
    }

    /// The proposer offers it once more. To whoever is in another view, and by anybody else, it is only shown, if there
    /// is an approval of it: a body that nothing names would not be taken.
    fn send_body(
        &mut self,
        to: MemberIndex,
        event: EventKey,
        id: ProposalId,
        body: &Proposal,
        step: &mut Step,
    ) {
        let engaged = self.offers.get(&id).is_some_and(Offer::is_engaged);
        let view = self.views.view;
        let offered = match event {
            INTERNAL => self.internal.offered_in(view),
            _event => self.sessions.get(&event).and_then(|session| session.offered_in(view)),
        };
        let offered = offered == Some(id);
        let proposal = borsh::to_vec(body).expect("a vector takes all bytes");
        let offers = offered && self.views.proposer(&self.group) == self.me;
        if offers {
            let propose = Propose { view, proposal: proposal.clone() };
            self.send(To::Member(to), &Message::Propose(propose), step);
        }
        if engaged && !(offers && self.views.reported(to) == view) {
            self.send(To::Member(to), &Message::Body(Body { proposal }), step);
        }
    }

    pub(crate) fn announce(&mut self, to: To, event: &EventKey, step: &mut Step) {
        let Some(session) = self.sessions.get(event) else { return };
        let announce = Announce { event: *event, evidence: session.event.evidence.clone() };
        self.send(to, &Message::Announce(announce), step);
    }

    /// Whether somebody's entry shows something that is not here.
    fn lacks(&self, entry: &Entry) -> bool {
        if entry.event != INTERNAL && !self.sessions.contains_key(&entry.event) {
            let approved = entry.proposals.iter().any(|theirs| theirs.approvals != 0);
            return approved || !self.stays_closed(&entry.event);
        }
        entry.proposals.iter().any(|theirs| {
            let Some(offer) = self.offers.get(&theirs.proposal) else {
                return theirs.body || theirs.approvals != 0;
            };
            let known = self.known(theirs.proposal, offer);
            let others = !bit(self.me);
            let new = |theirs: u16, ours: u16| theirs & !ours & others != 0;
            offer.is_live()
                && (theirs.body && !known.body
                    || new(theirs.approvals, known.approvals)
                    || new(theirs.partials, known.partials))
        })
    }
}
