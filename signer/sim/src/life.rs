//! The life of a signer: starts from its disk, takes inputs, wakes at its deadlines, dies.

use igra_core::{Coordinator, Input, Millis, Now, Records, Signs, Step, UnixSeconds, rules::Rules};
use igra_group::MemberIndex;
use rand::Rng;

use crate::{
    disk::Disk,
    feed::policy_within,
    keys::Keys,
    world::{Happening, START_UTC, TIMING, World},
};
use igra_core::BlockId;

/// One member with all that is its own.
pub(crate) struct Signer<R: Rules> {
    pub mind: Option<Coordinator<R>>,
    pub disk: Disk,
    pub keys: Keys,
    /// Counts the starts.
    pub life: u64,
    pub started: u64,
    pub skew: i64,
    pub node_tip: BlockId,
    pub node_up: bool,
    tick: Option<u64>,
    /// What waits for the next commit.
    pub turn: Option<Step>,
    pub gone: bool,
}

impl<R: Rules> Signer<R> {
    pub(crate) fn new(keys: Keys, genesis: BlockId, skew: i64) -> Self {
        Self {
            mind: None,
            disk: Disk::default(),
            keys,
            life: 0,
            started: 0,
            skew,
            node_tip: genesis,
            node_up: true,
            tick: None,
            turn: None,
            gone: false,
        }
    }
}

impl<R: Rules> World<R> {
    pub(crate) fn signer(&mut self, member: MemberIndex) -> &mut Signer<R> {
        self.signers.get_mut(&member).expect("the world has every member")
    }

    pub(crate) fn now(&self, member: MemberIndex) -> Now {
        let signer = &self.signers[&member];
        let utc = (START_UTC + self.time / 1_000).saturating_add_signed(signer.skew);
        Now { monotonic: Millis(self.time - signer.started), utc: UnixSeconds(utc) }
    }

    /// One input into a signer that is up.
    pub(crate) fn input(&mut self, member: MemberIndex, input: Input) {
        let now = self.now(member);
        let Some(mind) = self.signer(member).mind.as_mut() else { return };
        let step = mind.handle(now, input);
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
        if self.signers[&member].mind.is_some() || self.signers[&member].gone {
            return;
        }
        let records = match Records::read(self.signers[&member].disk.rows()) {
            Ok(records) => records,
            Err(error) => return self.checks.fail(format!("{member:?} cannot read its records: {error}")),
        };
        let time = self.time;
        let cursor = records.cursor().unwrap_or(self.chain.below_tip(u64::MAX));
        let signer = self.signer(member);
        (signer.started, signer.node_tip, signer.tick) = (time, cursor, None);
        signer.life += 1;
        self.tell(|world| format!("{member:?} starts for the {}. time", world.signers[&member].life));
        let (now, policy) = (self.now(member), policy_within(self.scenario.volume));
        let (mind, step) = Coordinator::restore_under(
            self.group.clone(),
            member,
            policy,
            TIMING,
            records,
            Signs::default(),
            now,
        );
        self.signer(member).mind = Some(mind);
        self.take_step(member, step);
        self.end_turn(member);
        self.plan_tick(member);
        self.meet_everybody(member);
        self.node_moves(member);
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

    pub(crate) fn others(&self, member: MemberIndex) -> Vec<MemberIndex> {
        self.signers.keys().copied().filter(|other| *other != member).collect()
    }

    /// The process dies; what was not synced may be lost.
    pub(crate) fn crash(&mut self, member: MemberIndex) {
        self.checks.crashes += 1;
        let unsynced = self.signers[&member].disk.unsynced();
        let kept = self.rng.gen_range(0..=unsynced);
        self.tell(|_| {
            format!("{member:?} crashes, {} of {unsynced} unsynced batches are lost", unsynced - kept)
        });
        let signer = self.signer(member);
        (signer.mind, signer.turn) = (None, None);
        signer.life += 1;
        signer.disk.crash(kept);
        let wait = self.scenario.restart_ms;
        self.soon(wait, Happening::Restart(member));
        for other in self.others(member) {
            let life = self.signers[&other].life;
            self.soon(
                1_000,
                Happening::Answer { signer: other, life, input: Box::new(Input::PeerDown(member)) },
            );
        }
    }
}
