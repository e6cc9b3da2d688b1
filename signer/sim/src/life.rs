//! The life of a signer: starts from its disk, takes inputs, wakes at its deadlines, dies.

use igra_core::{BlockId, Coordinator, Input, Millis, Now, Policy, Records, Signs, Step, rules::Rules};
use igra_group::MemberIndex;
use rand::Rng;

use crate::{
    clock::Clock,
    disk::Disk,
    fault::Fault,
    feed::policy,
    keys::{Keys, name, with_other_digest},
    story,
    world::{Happening, TIMING, World},
};

/// One member with all that is its own.
pub(crate) struct Signer<R: Rules> {
    pub mind: Option<Coordinator<R>>,
    pub disk: Disk,
    pub keys: Keys,
    pub policy: Policy,
    /// Its configuration has another digest than the others'.
    pub odd: bool,
    /// Counts the starts.
    pub life: u64,
    started: u64,
    pub clock: Clock,
    pub node_tip: BlockId,
    pub node_up: bool,
    /// Until when its node stands still.
    pub stale_until: u64,
    /// Until when its node shows coins that are none.
    pub false_until: u64,
    tick: Option<u64>,
    /// What waits for the next commit.
    pub turn: Option<Step>,
    pub gone: bool,
    /// It is settled that its disk goes back once more.
    again: bool,
    /// Until when nobody starts it.
    pub away_until: u64,
    /// What speaks against its store until a start has written that down.
    signs: Signs,
}

impl<R: Rules> Signer<R> {
    pub(crate) fn new(keys: Keys, genesis: BlockId) -> Self {
        Self {
            mind: None,
            disk: Disk::default(),
            keys,
            policy: policy(),
            odd: false,
            life: 0,
            started: 0,
            clock: Clock::default(),
            node_tip: genesis,
            node_up: true,
            stale_until: 0,
            false_until: 0,
            tick: None,
            turn: None,
            gone: false,
            again: false,
            away_until: 0,
            signs: Signs::default(),
        }
    }
}

impl<R: Rules> World<R> {
    pub(crate) fn now(&self, member: MemberIndex) -> Now {
        let signer = &self.signers[&member];
        Now { monotonic: Millis(self.time - signer.started), utc: signer.clock.utc(self.time) }
    }

    /// One input into a signer that is up.
    pub(crate) fn input(&mut self, member: MemberIndex, input: Input) {
        let now = self.now(member);
        let told = self.trace.is_some().then(|| story::input(&self.group, &input));
        let Some(mind) = self.signer(member).mind.as_mut() else { return };
        let step = mind.handle(now, input);
        if let Some(line) = told.and_then(|told| story::step(&told, &step)) {
            self.tell(name(member), |_| line);
        }
        self.take_step(member, step);
        self.plan_tick(member);
    }

    fn plan_tick(&mut self, member: MemberIndex) {
        let signer = &self.signers[&member];
        let Some(due) = signer.mind.as_ref().and_then(Coordinator::next_deadline) else { return };
        let at = (signer.started + due.0).max(self.time + 1);
        if signer.tick.is_some_and(|tick| tick <= at) {
            return;
        }
        let life = signer.life;
        self.signer(member).tick = Some(at);
        self.at(at, Happening::Tick { signer: member, life });
    }

    pub(crate) fn tick(&mut self, member: MemberIndex, life: u64) {
        if self.signers[&member].life != life || self.signers[&member].tick != Some(self.time) {
            return;
        }
        self.signer(member).tick = None;
        self.input(member, Input::Tick);
    }

    /// A process starts from its disk.
    pub(crate) fn start_signer(&mut self, member: MemberIndex) {
        let signer = &self.signers[&member];
        if signer.mind.is_some() || signer.gone || signer.away_until > self.time {
            return;
        }
        let records = match Records::read(self.signers[&member].disk.rows()) {
            Ok(records) => records,
            Err(error) => {
                return self.checks.fail(format!("{} cannot read its records: {error}", name(member)));
            }
        };
        let time = self.time;
        let cursor = records.cursor().unwrap_or(self.chain.below_tip(u64::MAX));
        let signer = self.signer(member);
        (signer.started, signer.node_tip, signer.tick) = (time, cursor, None);
        signer.life += 1;
        self.tell(name(member), |world| format!("starts, life {}", world.signers[&member].life));
        self.wake(member, records);
        if self.signers[&member].mind.is_none() {
            return;
        }
        self.plan_tick(member);
        self.meet_everybody(member);
        self.node_moves(member);
    }

    /// The coordinator as its records left it; its first step may be its last.
    fn wake(&mut self, member: MemberIndex, records: Records) {
        let now = self.now(member);
        let signer = &self.signers[&member];
        let (policy, signs) = (signer.policy.clone(), signer.signs);
        let group = if signer.odd { with_other_digest(&self.group) } else { self.group.clone() };
        let (mind, step) = Coordinator::restore_under(group, member, policy, TIMING, records, signs, now);
        self.phases.look(member, &mind);
        self.signer(member).mind = Some(mind);
        self.signer(member).turn = Some(step);
        let dies = self.strikes(Fault::KillInRecovery, member);
        let turn = self.signers[&member].turn.as_ref();
        let places = turn.map_or(0, |turn| turn.effects.len() + 1);
        let at = dies.then(|| self.rng.gen_range(0..=places));
        if at != Some(0) {
            self.signer(member).signs = Signs::default();
        }
        self.finish_turn(member, at);
    }

    fn meet_everybody(&mut self, member: MemberIndex) {
        for other in self.others(member) {
            if self.signers[&other].mind.is_some() {
                let life = self.signers[&other].life;
                self.soon(
                    100,
                    Happening::Answer { signer: other, life, input: Box::new(Input::PeerUp(member)) },
                );
            }
            let life = self.signers[&member].life;
            self.soon(100, Happening::Answer { signer: member, life, input: Box::new(Input::PeerUp(other)) });
        }
    }

    /// The process dies; what was not synced may be lost.
    pub(crate) fn crash(&mut self, member: MemberIndex) {
        self.checks.crashes += 1;
        let unsynced = self.signers[&member].disk.unsynced();
        let loses = unsynced > 0 && self.strikes(Fault::LostWrite, member);
        let kept = if loses { self.rng.gen_range(0..unsynced) } else { unsynced };
        let lost = unsynced - kept;
        self.tell(name(member), |_| format!("dies, {lost} of {unsynced} unsynced batches are lost"));
        self.signer(member).disk.crash(kept);
        self.stop(member);
        let wait = self.scenario.restart_ms;
        self.soon(wait, Happening::Restart(member));
    }

    /// Its peers notice in time that it is not there.
    pub(crate) fn stop(&mut self, member: MemberIndex) {
        self.checks.promised.died(member);
        let signer = self.signer(member);
        // What a crash did not take is there for the next process.
        signer.disk.crash(signer.disk.unsynced());
        (signer.mind, signer.turn) = (None, None);
        signer.life += 1;
        for other in self.others(member) {
            let life = self.signers[&other].life;
            self.soon(1_000, Happening::Missed { signer: other, life, peer: member });
        }
    }

    /// A peer that is up again by then was never missed.
    pub(crate) fn missed(&mut self, signer: MemberIndex, life: u64, peer: MemberIndex) {
        if self.signers[&signer].life == life && self.signers[&peer].mind.is_none() {
            self.input(signer, Input::PeerDown(peer));
        }
    }

    /// A disk becomes an older copy of itself, or empty, and the process starts from that.
    pub(crate) fn goes_back(&mut self, member: MemberIndex, fault: Fault) {
        self.hit(fault, member);
        self.stop(member);
        let copies = self.signers[&member].disk.copies();
        let age = match fault {
            Fault::Emptied => copies,
            Fault::RestoredRecent => self.rng.gen_range(0..=copies.min(5)),
            _any_age => self.rng.gen_range(0..=copies),
        };
        self.tell(name(member), |_| format!("{}: {age} of {copies} commits are gone", fault.name()));
        self.signer(member).disk.go_back(age);
        self.checks.promised.went_back(member, &self.signers[&member].disk);
        // Whoever restores a backup says so; an empty store speaks for itself.
        let backup = self.scenario.restored.contains_key(&member) && fault != Fault::Emptied;
        self.signer(member).signs = Signs { backup, other_volume: false };
        self.checks.went_back.insert(member);
        let wait = self.scenario.restart_ms;
        self.soon(wait, Happening::Restart(member));
        let again = self.scenario.again_ms;
        if again > 0 && self.chaos && !self.signers[&member].again {
            self.signer(member).again = true;
            self.at(self.time + again, Happening::GoesBack(member, Fault::RestoredOld));
        }
    }
}
