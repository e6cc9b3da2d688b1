//! Members that lie: they have their keys, know what everybody else of them heard, and do what they like.
//!
//! A liar runs a coordinator too, and so looks honest most of the time. Beside that each of its habits shows now and
//! then, in the second phase as well.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::{
    MessageKind, To,
    messages::{self, AskHistory, Message},
    rules::Rules,
};
use igra_group::MemberIndex;
use igra_tx::{Proposal, ProposalId, Tag};
use rand::{Rng, seq::SliceRandom};

use crate::{
    fault::Fault,
    keys::name,
    previous::has_grown,
    scenario::Scenario,
    world::{Happening, World},
};

const SEALS_KEPT: usize = 300;
const SILENT_MS: u64 = 3_000;
/// How long a liar rests between two lies, at most.
const REST_MS: u64 = 600;

/// All liars of a run: they share what they know.
#[derive(Debug, Default)]
pub(crate) struct Liars {
    of: BTreeMap<MemberIndex, Liar>,
    /// Proposals that any of them saw or made.
    pub bodies: BTreeMap<ProposalId, Proposal>,
    /// What somebody wants to know of the chain.
    pub asked: Option<(MemberIndex, AskHistory)>,
    /// Sealed messages of anybody, for another day.
    pub seals: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
pub(crate) struct Liar {
    habits: Vec<Fault>,
    epoch: u64,
    sequence: u64,
    /// The last promise number that it gave beside its coordinator's.
    pub promise: u64,
    /// The last tag that it asked for.
    pub tag: Option<Tag>,
    silent_until: u64,
}

impl Liars {
    pub fn of(scenario: &Scenario) -> Self {
        let habits: BTreeSet<Fault> = Fault::habits().collect();
        let liar = |member: MemberIndex| {
            let habits = scenario.faulty[&member].intersection(&habits).copied().collect();
            (member, Liar { habits, promise: 1_000, ..Liar::default() })
        };
        Self { of: scenario.liars().map(liar).collect(), ..Self::default() }
    }

    pub fn has(&self, member: MemberIndex) -> bool {
        self.of.contains_key(&member)
    }

    pub fn count(&self) -> usize {
        self.of.len()
    }

    pub fn get_mut(&mut self, member: MemberIndex) -> &mut Liar {
        self.of.get_mut(&member).expect("only liars lie")
    }
}

impl<R: Rules> World<R> {
    /// What a liar hears, all of them know; and it signs whatever anybody proposes. False where its own coordinator
    /// must not hear it.
    pub(crate) fn overhear(&mut self, to: MemberIndex, sealed: &[u8]) -> bool {
        if !self.liars.has(to) {
            return true;
        }
        let Ok(opened) = messages::open(&self.group, sealed) else { return true };
        // What members of two versions read differently would be shown to its author inside of something else.
        if self.scenario.previous.is_empty() || !has_grown(opened.header.kind) {
            self.liars.seals.push(sealed.to_vec());
        }
        if self.liars.seals.len() > SEALS_KEPT {
            let oldest = self.rng.gen_range(0..SEALS_KEPT);
            self.liars.seals.swap_remove(oldest);
        }
        let proposal = match Message::decode(opened.header.kind, &opened.body) {
            Some(Message::AskHistory(asked)) => {
                self.liars.asked = Some((opened.header.member, asked));
                None
            }
            Some(Message::Propose(propose)) => Proposal::decode(&propose.proposal).ok(),
            Some(Message::Body(body)) => Proposal::decode(&body.proposal).ok(),
            _no_body => None,
        };
        let foreign = opened.header.member != to;
        let Some(proposal) = proposal else { return foreign };
        let new = self.liars.bodies.insert(proposal.id(), proposal.clone()).is_none();
        if new && self.rng.gen_bool(0.5) {
            self.promise_anything(to, &proposal, To::All);
        }
        foreign
    }

    /// What its coordinator sends goes out under its numbers, or not at all.
    pub(crate) fn send_as_liar(&mut self, member: MemberIndex, to: To, kind: MessageKind, body: &[u8]) {
        let (time, half) = (self.time, self.rng.gen_bool(0.5));
        let liar = self.liars.get_mut(member);
        let mute = liar.habits.contains(&Fault::Silence);
        if mute && kind == MessageKind::Propose && half {
            liar.silent_until = time + SILENT_MS;
            self.hit_others(member, Fault::Silence);
        } else if mute && self.liars.get_mut(member).silent_until > time {
            return;
        }
        self.seal_lie(member, to, kind, body);
    }

    pub(crate) fn lie(&mut self, member: MemberIndex, to: To, message: &Message) {
        self.seal_lie(member, to, message.kind(), &message.encode());
    }

    fn seal_lie(&mut self, member: MemberIndex, to: To, kind: MessageKind, body: &[u8]) {
        let epoch = self.signers[&member].mind.as_ref().map_or(0, |mind| mind.epoch());
        let liar = self.liars.get_mut(member);
        liar.epoch = liar.epoch.max(epoch);
        liar.sequence += 1;
        let numbers = (liar.epoch, liar.sequence);
        if body.len() <= messages::MAX_BODY_BYTES {
            self.seal_and_carry(member, to, kind, numbers, body);
        }
    }

    /// One lie, and the next one after a rest.
    pub(crate) fn lie_again(&mut self, member: MemberIndex) {
        let habits = self.liars.get_mut(member).habits.clone();
        if let Some(habit) = habits.choose(&mut self.rng).copied() {
            self.tell(name(member), |_| format!("lies: {}", habit.name()));
            self.hit_others(member, habit);
            self.play(member, habit);
        }
        self.soon(REST_MS, Happening::Lie(member));
    }

    fn hit_others(&mut self, member: MemberIndex, fault: Fault) {
        for other in self.others(member) {
            self.hit(fault, other);
        }
    }
}
