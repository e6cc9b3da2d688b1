//! Brings peers level: each says what it has, page by page, and the other pushes what is lacking (`pushing.rs`).
//!
//! Waiting events come first, then accepted ones, then settled ones; each exchange is bounded, however many there are. A
//! member that lacks a lot goes on with the next page as soon as it has taken what a page brought. Final events are not in
//! it: the own chain tells those.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use igra_group::MemberIndex;
use igra_tx::{EventKey, ProposalId, Tag, TransactionId};

use crate::{
    Coordinator, Effect, Ignored, Millis, Step, To,
    chain::events_of,
    internal::INTERNAL,
    messages::{Digest, Entry, Hello, KnownProposal, MAX_DIGEST_ENTRIES, Message, bit},
    offer::Offer,
    rules::Rules,
};

// Most messages pushed in answer to one digest; the next one brings the rest.
pub(crate) const MOST_PUSHED: usize = 200;
// Most proposals told of one event.
pub(crate) const MOST_PROPOSALS: usize = 8;
// Most messages of one kind that one exchange takes for events that lie apart.
const MOST_PAGES: usize = 16;
const FIRST: EventKey = EventKey::from_bytes([0; 32]);
const LAST: EventKey = EventKey::from_bytes([0xff; 32]);

/// Where the regular exchange stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct CatchUp {
    pub next: Millis,
    /// The last event of the page before, of all and of those that wait.
    page: Option<EventKey>,
    waiting: Option<EventKey>,
    /// The last one of the accepted transactions told of that are not settled.
    unsettled: Option<(u64, TransactionId)>,
    /// How many events each peer brought since it was last asked for more, and the last of them.
    pulled: BTreeMap<MemberIndex, (usize, Option<EventKey>)>,
}

impl<R: Rules> Coordinator<R> {
    /// First words to a peer, then the first page.
    pub(crate) fn greet(&mut self, peer: MemberIndex, answer: bool, step: &mut Step) {
        let hello = self.hello(answer);
        self.send(To::Member(peer), &Message::Hello(hello), step);
        self.send_page(peer, step);
    }

    /// The same to every peer, after something in it changed.
    pub(crate) fn greet_all(&mut self, step: &mut Step) {
        for peer in self.peers_up() {
            self.greet(peer, false, step);
        }
    }

    fn peers_up(&self) -> Vec<MemberIndex> {
        self.peers.iter().filter(|(_, peer)| peer.up).map(|(member, _)| *member).collect()
    }

    /// The first page, and that of the first waiting events where they are not on it.
    fn send_page(&mut self, peer: MemberIndex, step: &mut Step) {
        let (digest, more) = self.page(FIRST, false);
        let waiting = if more.is_some() { self.waiting_after(None) } else { BTreeSet::new() };
        for digest in self.runs(&waiting, false).into_iter().chain([digest]) {
            self.send(To::Member(peer), &Message::Digest(digest), step);
        }
    }

    /// A peer brought an event. When all that one digest can bring is here, the next page follows at once.
    pub(crate) fn pulled(&mut self, from: MemberIndex, event: EventKey, step: &mut Step) {
        let (count, last) = self.catch_up.pulled.entry(from).or_default();
        (*count, *last) = (*count + 1, Some(event).max(*last));
        if *count < MOST_PUSHED {
            return;
        }
        let after = std::mem::take(last).unwrap_or(FIRST);
        *count = 0;
        let (digest, _) = self.page(after, false);
        self.send(To::Member(from), &Message::Digest(digest), step);
    }

    pub(crate) fn on_hello(
        &mut self,
        from: MemberIndex,
        hello: Hello,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let peer = self.peers.entry(from).or_default();
        let (promise, seen, last) = (hello.promise, peer.promise, peer.last_approval.clone());
        self.views.report(from, hello.view);
        // It promised more than it knows of: show it.
        if let Some(sealed) = last.filter(|_| promise < seen) {
            step.effects.push(Effect::Relay { to: To::Member(from), sealed });
        }
        let answer = hello.standing.answer;
        self.served.ask(from, hello.tag.map(Tag::from_bytes));
        peer.hello = Some(hello);
        self.weigh_statements_of(from, step);
        self.refresh_tags();
        self.count_hellos(step);
        if !answer && self.may_answer(from).is_ok() {
            self.greet(from, true, step);
        }
        self.jump(step);
        Ok(())
    }

    /// Whether there is anything that peers may have to be asked for.
    pub(crate) fn has_to_catch_up(&self) -> bool {
        let live = !self.sessions.is_empty() || !self.internal.offers.is_empty();
        live || !self.settled || self.quarantine.is_some() || self.wanted_history().is_some()
    }

    /// The regular exchange with every peer, while anything is live.
    pub(crate) fn catch_up_due(&mut self, step: &mut Step) {
        let now = self.now.monotonic;
        if !self.has_to_catch_up() {
            self.catch_up.next = Millis(now.0.saturating_add(self.timing.catch_up.0));
            return;
        }
        if now < self.catch_up.next {
            return;
        }
        self.catch_up.next = Millis(now.0.saturating_add(self.timing.catch_up.0));
        // What was shown or asked before may have been lost.
        self.peers.values_mut().for_each(|peer| (peer.reminded, peer.asked) = (false, false));
        if !self.settled {
            return self.greet_all(step);
        }
        self.ask_histories(step);
        self.repeat_tag(step);
        // Holds end and deadlines pass with time alone.
        self.stir_all();
        let digests = self.next_pages();
        for member in self.peers_up() {
            for digest in &digests {
                self.send(To::Member(member), &Message::Digest(digest.clone()), step);
            }
        }
    }

    /// The tag that a signer in quarantine asks for stands in its hello alone, which may have been lost.
    fn repeat_tag(&mut self, step: &mut Step) {
        if self.quarantine.is_none() {
            return;
        }
        for peer in self.peers_up() {
            let hello = self.hello(true);
            self.send(To::Member(peer), &Message::Hello(hello), step);
        }
    }

    /// The next waiting events; when all were told of, the next accepted ones; and after those the next page of all.
    fn next_pages(&mut self) -> Vec<Digest> {
        if self.sessions.len() <= MAX_DIGEST_ENTRIES {
            return vec![self.page(FIRST, false).0];
        }
        let waiting = self.waiting_after(self.catch_up.waiting);
        let mut digests = self.runs(&waiting, false);
        let told = digests.last().map(|digest| digest.to);
        self.catch_up.waiting =
            told.filter(|told| self.pending.range((after(*told), Bound::Unbounded)).next().is_some());
        if self.catch_up.waiting.is_some() {
            return digests;
        }
        let unsettled = self.unsettled_next();
        digests.extend(self.runs(&unsettled, false));
        if self.catch_up.unsettled.is_none() {
            let from = self.catch_up.page.and_then(|page| self.session_after(page)).unwrap_or(FIRST);
            let (digest, last) = self.page(from, false);
            self.catch_up.page = last;
            digests.push(digest);
        }
        digests
    }

    fn waiting_after(&self, told: Option<EventKey>) -> BTreeSet<EventKey> {
        let from = told.map_or(Bound::Unbounded, after);
        self.pending.range((from, Bound::Unbounded)).take(MAX_DIGEST_ENTRIES).copied().collect()
    }

    /// Events of the accepted transactions that are not settled, from where the last exchange ended.
    fn unsettled_next(&mut self) -> BTreeSet<EventKey> {
        let from = self.catch_up.unsettled.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.chain.unsettled.range((from, Bound::Unbounded));
        let (mut events, mut last) = (BTreeSet::new(), None);
        for (daa_score, id) in rest.by_ref() {
            let named = self.chain.accepted.get(id).map(events_of).unwrap_or_default();
            events.extend(named.into_iter().filter(|event| self.sessions.contains_key(event)));
            if events.len() >= MAX_DIGEST_ENTRIES / 2 {
                last = Some((*daa_score, *id));
                break;
            }
        }
        self.catch_up.unsettled = last.filter(|_| rest.next().is_some());
        events
    }

    /// Digests of just these events: one for each run of neighbours, for a digest tells of all in its range.
    fn runs(&self, events: &BTreeSet<EventKey>, answer: bool) -> Vec<Digest> {
        let mut runs: Vec<Vec<EventKey>> = Vec::new();
        for event in events.iter().take(MAX_DIGEST_ENTRIES) {
            let is_next = |last: &EventKey| {
                self.sessions.range((after(*last), Bound::Excluded(*event))).next().is_none()
            };
            let full = runs.len() == MOST_PAGES;
            match runs.last_mut() {
                Some(run) if run.last().is_some_and(is_next) => run.push(*event),
                Some(_) | None if full => break,
                Some(_) | None => runs.push(vec![*event]),
            }
        }
        let digest = |run: Vec<EventKey>| {
            let here = |event: &&EventKey| **event == INTERNAL || self.sessions.contains_key(event);
            let known = run.iter().filter(here);
            let entries = known.map(|event| self.entry(*event)).collect();
            let (from, to) = (run[0], run[run.len() - 1]);
            Digest { view: self.views.view, from, to, entries, answer }
        };
        runs.into_iter().map(digest).collect()
    }

    /// Asks a peer for what it has of some events, by saying what is here of them.
    pub(crate) fn ask(&mut self, peer: MemberIndex, events: &BTreeSet<EventKey>, step: &mut Step) {
        for digest in self.runs(events, true) {
            self.send(To::Member(peer), &Message::Digest(digest), step);
        }
    }

    fn session_after(&self, event: EventKey) -> Option<EventKey> {
        self.sessions.range((Bound::Excluded(event), Bound::Unbounded)).next().map(|(key, _)| *key)
    }

    /// The keys under which there is something here, in a range with both its ends.
    fn keys_in(&self, from: EventKey, to: EventKey) -> impl Iterator<Item = EventKey> + '_ {
        let internal = (from == INTERNAL && !self.internal.offers.is_empty()).then_some(INTERNAL);
        internal.into_iter().chain(self.sessions.range(from..=to).map(|(key, _)| *key))
    }

    /// A page from a key on, and its last event if more follow.
    fn page(&self, from: EventKey, answer: bool) -> (Digest, Option<EventKey>) {
        let mut keys = self.keys_in(from, LAST);
        let page: Vec<EventKey> = keys.by_ref().take(MAX_DIGEST_ENTRIES).collect();
        let more = keys.next().is_some();
        let last = page.last().copied().filter(|_| more);
        let entries = page.iter().map(|event| self.entry(*event)).collect();
        (Digest { view: self.views.view, from, to: last.unwrap_or(LAST), entries, answer }, last)
    }

    fn entry(&self, event: EventKey) -> Entry {
        let proposals = self.tellable(&event).into_iter();
        Entry { event, proposals: proposals.map(|(id, offer)| self.known(id, offer)).collect() }
    }

    /// The live proposals of an event that matter most.
    pub(crate) fn tellable(&self, event: &EventKey) -> Vec<(ProposalId, &Offer)> {
        let ids = match *event {
            INTERNAL => Some(&self.internal.offers),
            _event => self.sessions.get(event).map(|session| &session.offers),
        };
        let offers = ids.into_iter().flatten().filter_map(|id| self.offers.get(id).map(|offer| (*id, offer)));
        let mut live: Vec<_> = offers.filter(|(_, offer)| offer.is_live()).collect();
        live.sort_by_key(|(id, offer)| {
            std::cmp::Reverse((offer.own.is_some(), offer.approvals.len(), offer.view, *id))
        });
        live.truncate(MOST_PROPOSALS);
        live
    }

    pub(crate) fn known(&self, proposal: ProposalId, offer: &Offer) -> KnownProposal {
        let own = offer.own_under(self.config).map(|_| self.me);
        KnownProposal {
            proposal,
            body: offer.body.is_some(),
            approvals: bits(offer.approvals.keys().copied().chain(own)),
            partials: bits(offer.partials.keys().copied()),
        }
    }
}

fn after(event: EventKey) -> Bound<EventKey> {
    Bound::Excluded(event)
}

fn bits(members: impl Iterator<Item = MemberIndex>) -> u16 {
    members.fold(0, |bits, member| bits | bit(member))
}
