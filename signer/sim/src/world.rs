//! The world of a run: virtual time and a queue of happenings. Everything that may differ between two runs comes from
//! the seed.

use std::collections::BTreeMap;

use igra_core::{
    Input, Millis, Timing,
    rules::{Rules, Strict},
};
use igra_group::{Group, MemberIndex, Sompi};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    chain::Chain, checks::Checks, fault::Fault, feed::Fact, heirs::Heirs, keys::group, liar::Liars,
    life::Signer, matrix::Matrix, miners::BLOCK_MS, model::Model, network::Network, phases::Phases,
    recorder::Recorder, scenario::Scenario, story, twin::Twins,
};

/// What wall clocks show at the start of a run.
pub(crate) const START_UTC: u64 = 1_800_000_000;
// Groups that wait for a clock go on talking.
const MOST_HAPPENINGS: u64 = 100_000;
const MOST_PER_SECOND: u64 = 1_000;

pub(crate) const TIMING: Timing = Timing {
    view_timeout: Millis(1_000),
    view_timeout_cap: Millis(8_000),
    rank_delay: Millis(200),
    catch_up: Millis(2_000),
};

/// In which order a signer's loop keeps the two halves of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    WritesFirst,
    /// Wrong on purpose.
    EffectsFirst,
}

/// Something that is going to happen.
pub(crate) enum Happening {
    Deliver {
        to: MemberIndex,
        sealed: Vec<u8>,
    },
    Tick {
        signer: MemberIndex,
        life: u64,
    },
    TurnEnds {
        signer: MemberIndex,
        life: u64,
    },
    Answer {
        signer: MemberIndex,
        life: u64,
        input: Box<Input>,
    },
    NodeMoves {
        signer: MemberIndex,
    },
    /// A signer notices that a peer is not there.
    Missed {
        signer: MemberIndex,
        life: u64,
        peer: MemberIndex,
    },
    Mine,
    Event(Fact),
    Repriced(MemberIndex, Fact),
    Withdrawn(Fact),
    Cancelled(Fact),
    Restart(MemberIndex),
    NodeUp(MemberIndex),
    ClockRuns(MemberIndex),
    /// The administrators' configuration is the usual one again.
    Usual(MemberIndex),
    /// A disk becomes what it was before.
    GoesBack(MemberIndex, Fault),
    /// A second process of this member starts.
    Copied(MemberIndex),
    Lie(MemberIndex),
    /// It is away for a long time.
    Leaves(MemberIndex),
    /// The group gets a successor.
    Moves,
    /// Something comes to a member of the successor, or to nobody if it has died since.
    ToHeir {
        heir: MemberIndex,
        life: Option<u64>,
        input: Box<Input>,
    },
    Heal,
    Calm,
}

pub(crate) struct World<R: Rules> {
    pub scenario: Scenario,
    pub order: Order,
    pub group: Group,
    pub rng: StdRng,
    pub time: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    happened: u64,
    scheduled: u64,
    pub signers: BTreeMap<MemberIndex, Signer<R>>,
    pub liars: Liars,
    pub twins: Twins<R>,
    pub network: Network,
    pub chain: Chain,
    /// Until when nodes ask a thousand times the fee.
    pub fees_high_until: u64,
    pub model: Model,
    pub checks: Checks,
    pub phases: Phases,
    pub matrix: Matrix,
    pub chaos: bool,
    /// The group has a successor.
    pub moving: bool,
    pub heirs: Option<Heirs<R>>,
    pub trace: Option<Vec<String>>,
    pub recorder: Option<Recorder>,
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub seed: u64,
    pub violation: Option<String>,
    pub happenings: u64,
    pub virtual_ms: u64,
    pub paid: usize,
    pub voided: usize,
    pub crashes: u64,
    pub reorganisations: u64,
    /// Members that lied.
    pub liars: usize,
    pub matrix: Matrix,
    pub trace: Vec<String>,
}

/// Runs one seed under a set of rules, in its own scenario or in another one.
pub fn run<R: Rules>(seed: u64, scenario: Option<Scenario>, order: Order, trace: bool) -> Report {
    let mut rng = StdRng::seed_from_u64(seed);
    let drawn = Scenario::draw(&mut rng);
    let mut world = World::<R>::new(scenario.unwrap_or(drawn), rng, order, trace);
    world.run_out();
    world.report(seed)
}

/// Runs one seed with all rules, and keeps what is said and written in it.
pub fn record(seed: u64) -> Recorder {
    let mut rng = StdRng::seed_from_u64(seed);
    let scenario = Scenario::draw(&mut rng);
    let mut world = World::<Strict>::new(scenario, rng, Order::WritesFirst, false);
    world.recorder = Some(Recorder::default());
    world.run_out();
    world.recorder.unwrap_or_default()
}

impl<R: Rules> World<R> {
    fn new(scenario: Scenario, rng: StdRng, order: Order, trace: bool) -> Self {
        let (group, keys) = group(scenario.shape);
        let heirs = (scenario.moves_ms > 0).then(|| Heirs::of(scenario.shape));
        let successor = heirs.as_ref().map(|heirs| heirs.group.clone());
        let chain = Chain::new([group.clone()].into_iter().chain(successor).collect());
        let signers = keys.into_iter().map(|(member, keys)| (member, Signer::new(keys, chain.tip)));
        Self {
            signers: signers.collect(),
            liars: Liars::of(&scenario),
            twins: Twins::default(),
            checks: Checks::of(&scenario),
            scenario,
            order,
            group,
            rng,
            time: 0,
            queue: BTreeMap::new(),
            happened: 0,
            scheduled: 0,
            network: Network::default(),
            chain,
            fees_high_until: 0,
            model: Model::default(),
            phases: Phases::default(),
            matrix: Matrix::default(),
            chaos: true,
            moving: false,
            heirs,
            trace: trace.then(Vec::new),
            recorder: None,
        }
    }

    fn run_out(&mut self) {
        self.start();
        while self.checks.violation.is_none() && !self.is_done() {
            let Some((at, happening)) = self.queue.pop_first() else { break };
            self.time = at.0;
            self.happened += 1;
            self.happen(happening);
        }
    }

    fn start(&mut self) {
        self.tell("world", |world| world.scenario.to_string());
        // The group is new: its signers have seen its wallet before the first coin and the first fault.
        self.chaos = false;
        for member in self.members() {
            self.set_usual_policy(member);
            self.start_signer(member);
        }
        self.chaos = true;
        for place in 0..self.scenario.deposits {
            let amount = Sompi(self.rng.gen_range(10..60) * 100_000_000);
            self.deposit(place, amount);
        }
        // Coins are deep enough before the first event.
        for _ in 0..6 {
            self.chain.mine(self.chain.mempool.values().cloned().collect());
        }
        for member in self.members() {
            self.soon(BLOCK_MS, Happening::NodeMoves { signer: member });
        }
        for id in 0..self.scenario.events {
            let at = self.rng.gen_range(0..self.scenario.chaos_ms * 2 / 3);
            let fact = self.fact(id);
            self.at(at, Happening::Event(fact));
        }
        self.plan_faulty();
        if let Some(member) = self.scenario.away {
            let at = self.rng.gen_range(0..self.scenario.chaos_ms / 2);
            self.at(at, Happening::Leaves(member));
        }
        if self.scenario.moves_ms > 0 {
            self.at(self.scenario.moves_ms, Happening::Moves);
        }
        self.at(BLOCK_MS, Happening::Mine);
        self.at(self.scenario.chaos_ms, Happening::Calm);
    }

    /// When the faulty members show what they are.
    fn plan_faulty(&mut self) {
        for (member, fault) in self.scenario.restored.clone() {
            let at = self.rng.gen_range(0..self.scenario.chaos_ms);
            self.at(at, Happening::GoesBack(member, fault));
        }
        for (member, faults) in self.scenario.faulty.clone() {
            for fault in faults {
                let at = self.rng.gen_range(0..self.scenario.chaos_ms);
                match fault {
                    Fault::RestoredRecent | Fault::RestoredOld | Fault::Emptied => {
                        self.at(at, Happening::GoesBack(member, fault));
                    }
                    Fault::TwoCopies => self.at(at, Happening::Copied(member)),
                    _habit => self.at(0, Happening::Lie(member)),
                }
            }
        }
    }

    pub(crate) fn at(&mut self, time: u64, happening: Happening) {
        self.scheduled += 1;
        self.queue.insert((time, self.scheduled), happening);
    }

    pub(crate) fn soon(&mut self, most_ms: u64, happening: Happening) {
        let delay = self.rng.gen_range(0..=most_ms);
        self.at(self.time + delay, happening);
    }

    /// Whether a fault strikes this member now; nothing goes wrong once it is calm. What it meets is counted.
    pub(crate) fn strikes(&mut self, fault: Fault, member: MemberIndex) -> bool {
        let strikes = self.may_strike(fault);
        if strikes {
            self.hit(fault, member);
        }
        strikes
    }

    /// The same for a fault that meets everybody.
    pub(crate) fn strikes_all(&mut self, fault: Fault) -> bool {
        let strikes = self.may_strike(fault);
        if strikes {
            self.members().into_iter().for_each(|member| self.hit(fault, member));
        }
        strikes
    }

    /// Whether a fault strikes, without a word about what it meets.
    pub(crate) fn may_strike(&mut self, fault: Fault) -> bool {
        let chance = if self.chaos { self.scenario.chance(fault) } else { 0 };
        chance > 0 && self.rng.gen_range(0..1_000) < chance
    }

    /// Counts what a fault met.
    pub(crate) fn hit(&mut self, fault: Fault, member: MemberIndex) {
        for phase in self.phases.at(member) {
            self.matrix.count(fault, phase);
        }
    }

    /// A line of the story.
    pub(crate) fn tell(&mut self, who: &str, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>7} ms  {who:<8} {}", self.time, line(self));
            self.trace.iter_mut().for_each(|lines| lines.push(line.clone()));
        }
    }

    fn happen(&mut self, happening: Happening) {
        let seconds = self.time / 1_000;
        if self.happened > MOST_HAPPENINGS + MOST_PER_SECOND * seconds {
            let happened = self.happened;
            self.checks.fail(format!("{happened} happenings in {seconds} s: the group talks without end"));
        }
        match happening {
            Happening::Deliver { to, sealed } => self.deliver(to, sealed),
            Happening::Tick { signer, life } => self.tick(signer, life),
            Happening::TurnEnds { signer, life } => {
                if self.signers[&signer].life == life {
                    self.end_turn(signer);
                }
            }
            Happening::Answer { signer, life, input } => {
                if self.signers[&signer].life == life {
                    self.input(signer, *input);
                }
            }
            Happening::Missed { signer, life, peer } => self.missed(signer, life, peer),
            Happening::NodeMoves { signer } => self.node_moves(signer),
            Happening::Mine => self.mine(),
            Happening::Event(fact) => self.event(fact),
            Happening::Repriced(signer, fact) => self.repriced(signer, fact),
            Happening::Withdrawn(fact) => self.withdrawn(&fact),
            Happening::Cancelled(fact) => self.cancelled(&fact),
            Happening::Restart(signer) => self.start_signer(signer),
            Happening::NodeUp(signer) => self.node_up(signer),
            Happening::ClockRuns(signer) => self.signer(signer).clock.run(),
            Happening::Usual(signer) => self.usual(signer),
            Happening::GoesBack(signer, fault) => self.goes_back(signer, fault),
            Happening::Copied(signer) => self.copy(signer),
            Happening::Lie(signer) => self.lie_again(signer),
            Happening::Leaves(signer) => self.leaves(signer),
            Happening::Moves => self.begin_move(),
            Happening::ToHeir { heir, life, input } => self.reach_heir(heir, life, *input),
            Happening::Heal => self.heal(),
            Happening::Calm => self.calm_down(),
        }
    }

    pub(crate) fn members(&self) -> Vec<MemberIndex> {
        self.signers.keys().copied().collect()
    }

    pub(crate) fn others(&self, member: MemberIndex) -> Vec<MemberIndex> {
        self.signers.keys().copied().filter(|other| *other != member).collect()
    }

    /// Members that keep to the protocol and have the records they wrote.
    pub(crate) fn honest(&self) -> Vec<MemberIndex> {
        self.signers.keys().copied().filter(|member| !self.scenario.faulty.contains_key(member)).collect()
    }

    pub(crate) fn signer(&mut self, member: MemberIndex) -> &mut Signer<R> {
        self.signers.get_mut(&member).expect("the world has every member")
    }

    fn report(self, seed: u64) -> Report {
        Report {
            seed,
            violation: self.checks.violation.as_deref().map(story::shortened),
            happenings: self.happened,
            virtual_ms: self.time,
            paid: self.model.paid(),
            voided: self.model.voided(),
            crashes: self.checks.crashes,
            reorganisations: self.checks.reorganisations,
            liars: self.liars.count(),
            matrix: self.matrix,
            trace: self.trace.unwrap_or_default(),
        }
    }
}
