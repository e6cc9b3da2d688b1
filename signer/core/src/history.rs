//! What ended while the own node's history has a gap, from members whose own following covers it.
//!
//! A signer in quarantine must know every event that is final before it promises anything again. What its node cannot
//! show it asks of the others: each tells, page by page, what ended in the interval, and only one that has followed all
//! of it tells anything. The answers of f + 1 are united, for one of them is honest and leaves nothing out. What f + 1
//! say alike has ended; what fewer say is refused from then on, and never shown as paid.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use igra_group::MemberIndex;
use igra_tx::{EventKey, TransactionId};

use crate::{
    Coordinator, Denial, DenialCode, Ignored, Note, Row, Step, To,
    gaps::Gap,
    messages::{AskHistory, EndedEvent, History, MAX_HISTORY_EVENTS, Message},
    rules::Rules,
};

// Most tombstones looked at for one page, and as how much work as one message so many of them count.
const MOST_LOOKED_AT: usize = 20_000;
const LOOKED_AT_A_MESSAGE: usize = 4_000;
// Most events that one member may name; one that names more is not believed.
const MOST_NAMED: usize = 1 << 17;
// Rounds of asking in which whoever has not answered is waited for, though enough have.
const PATIENCE: u32 = 3;
// Rounds after which answers that differ are asked for anew.
const NEW_AFTER: u32 = 12;

/// What each member told of the first open gap so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histories {
    of: BTreeMap<MemberIndex, Told>,
    /// How often all were asked.
    rounds: u32,
}

/// One member's answers.
#[derive(Clone, Debug, Default)]
struct Told {
    ended: BTreeSet<EndedEvent>,
    after: Option<EventKey>,
    complete: bool,
    moved: bool,
}

impl Histories {
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<R: Rules> Coordinator<R> {
    /// The gap about which others are asked: out of quarantine the anchor rule needs nothing of it.
    pub(crate) fn wanted_history(&self) -> Option<Gap> {
        self.quarantine.as_ref().and_then(|_| self.gaps.open())
    }

    /// Asks everybody who is there and has not told all; whoever has not followed the interval does not answer.
    pub(crate) fn ask_histories(&mut self, step: &mut Step) {
        let Some(gap) = self.wanted_history() else { return };
        self.histories.rounds = self.histories.rounds.saturating_add(1);
        for member in self.silent_members() {
            self.ask_history(member, &gap, step);
        }
        self.unite_histories(&gap, step);
    }

    fn silent_members(&self) -> Vec<MemberIndex> {
        let complete = |member: &MemberIndex| self.histories.of.get(member).is_some_and(|told| told.complete);
        let there = self.peers.iter().filter(|(_, peer)| peer.up).map(|(member, _)| *member);
        there.filter(|member| !complete(member) && !self.may_have_forgotten(*member)).collect()
    }

    fn ask_history(&mut self, member: MemberIndex, gap: &Gap, step: &mut Step) {
        let after = self.histories.of.get(&member).and_then(|told| told.after);
        let ask = AskHistory { from: gap.from, to: gap.to, after };
        self.send(To::Member(member), &Message::AskHistory(ask), step);
    }

    /// Answers with the next page, if this signer's own following covers the interval.
    pub(crate) fn on_ask_history(
        &mut self,
        from: MemberIndex,
        asked: AskHistory,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        if self.quarantine.is_some() || asked.from > asked.to || !self.has_followed(asked.from, asked.to) {
            return Err(Ignored::NotFollowed);
        }
        self.may_answer(from)?;
        let mut page = History { asked, upto: None, moved: self.past.moved, ended: Vec::new() };
        let start = asked.after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut tombstones = self.tombstones.range((start, Bound::Unbounded)).enumerate().peekable();
        let mut most = 0;
        while let Some((looked, (event, stone))) = tombstones.next() {
            most = looked;
            let (transaction, kind, daa_score) = (stone.transaction, stone.kind, stone.daa_score);
            if (asked.from..=asked.to).contains(&daa_score) {
                page.ended.push(EndedEvent { event: *event, transaction, kind, daa_score });
            }
            let full = page.ended.len() == MAX_HISTORY_EVENTS || looked + 1 == MOST_LOOKED_AT;
            if full && tombstones.peek().is_some() {
                page.upto = Some(*event);
                break;
            }
        }
        self.charge(from, most / LOOKED_AT_A_MESSAGE);
        self.send(To::Member(from), &Message::History(page), step);
        Ok(())
    }

    pub(crate) fn on_history(
        &mut self,
        from: MemberIndex,
        page: History,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let gap = self.wanted_history().ok_or(Ignored::NotAsked)?;
        let told = self.histories.of.entry(from).or_default();
        let asked = AskHistory { from: gap.from, to: gap.to, after: told.after };
        if told.complete || page.asked != asked || !page.is_sound() {
            return Err(Ignored::NotAsked);
        }
        if told.ended.len() + page.ended.len() > MOST_NAMED {
            return Err(Ignored::TooMany);
        }
        told.ended.extend(&page.ended);
        (told.after, told.complete, told.moved) = (page.upto, page.upto.is_none(), page.moved);
        if told.complete {
            self.unite_histories(&gap, step);
        } else {
            self.ask_history(from, &gap, step);
        }
        Ok(())
    }

    /// Closes the gap with what enough members told, once nobody else is waited for.
    fn unite_histories(&mut self, gap: &Gap, step: &mut Step) {
        let all = &self.histories.of;
        let complete = all.iter().filter(|(from, told)| told.complete && !self.may_have_forgotten(**from));
        let complete: Vec<&Told> = complete.map(|(_, told)| told).collect();
        let needed = self.believed_from();
        let waits = !self.silent_members().is_empty() && self.histories.rounds <= PATIENCE;
        let moved = complete.iter().filter(|told| told.moved).count();
        if complete.len() < needed || waits {
            return;
        }
        if (1..needed).contains(&moved) {
            return self.ask_for_new_histories();
        }
        let mut said: BTreeMap<EndedEvent, usize> = BTreeMap::new();
        complete.iter().flat_map(|told| &told.ended).for_each(|ended| *said.entry(*ended).or_default() += 1);
        if moved > 0 {
            self.end_payments(step);
        }
        self.take_history(gap, said, needed, step);
    }

    /// Who says that the group moves may be ahead of the others, or lie: after a while they are asked once more.
    fn ask_for_new_histories(&mut self) {
        if self.histories.rounds > NEW_AFTER {
            self.histories.clear();
        }
    }

    fn take_history(&mut self, gap: &Gap, said: BTreeMap<EndedEvent, usize>, needed: usize, step: &mut Step) {
        let (sure, unsure): (Vec<_>, Vec<_>) = said.into_iter().partition(|(_, times)| *times >= needed);
        for (ended, _) in &sure {
            self.end(ended.event, ended.kind, ended.transaction, ended.daa_score, step);
            let (events, transaction) = (vec![ended.event], ended.transaction);
            step.note(Note::Final { events, transaction });
        }
        let doubted = unsure.iter().filter(|(ended, _)| self.doubt_end(ended, step)).count();
        self.gaps.close(gap);
        self.histories.clear();
        step.writes.push(Row::gaps(&self.gaps));
        step.note(Note::GapClosed { from: gap.from, to: gap.to, ended: sure.len(), doubted });
        self.leave_due(step);
        self.stir_all();
    }

    /// Remembers for ever that an event may have ended, unless it is known that it did.
    fn doubt_end(&mut self, ended: &EndedEvent, step: &mut Step) -> bool {
        if self.tombstones.contains_key(&ended.event) {
            return false;
        }
        step.writes.push(Row::doubted(&ended.event, &ended.transaction));
        self.doubted.insert(ended.event, ended.transaction);
        true
    }

    pub(crate) fn forget_doubt(&mut self, event: &EventKey, step: &mut Step) {
        if self.doubted.remove(event).is_some() {
            step.writes.push(Row::forget_doubt(event));
        }
    }

    /// Why an event that may have ended in a gap is refused.
    pub(crate) fn doubt(&self, event: &EventKey) -> Option<Denial> {
        let by: &TransactionId = self.doubted.get(event)?;
        Some(Denial::new(DenialCode::Doubted, "history", by, "an event that nobody says has ended"))
    }
}

impl History {
    /// Its events are in order, and within what it says that it covers.
    fn is_sound(&self) -> bool {
        let events = self.ended.iter().map(|ended| ended.event);
        let ordered = self.ended.windows(2).all(|two| two[0].event < two[1].event);
        let within = |event: EventKey| {
            self.asked.after.is_none_or(|after| event > after) && self.upto.is_none_or(|upto| event <= upto)
        };
        let in_time = |ended: &EndedEvent| (self.asked.from..=self.asked.to).contains(&ended.daa_score);
        let goes_on = self.upto.is_none() || self.upto > self.asked.after;
        ordered && goes_on && events.into_iter().all(within) && self.ended.iter().all(in_time)
    }
}
