//! The world of a run: virtual time and a queue of happenings. Everything that may differ between two runs comes from
//! the seed.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::{Input, Millis, Timing, rules::Rules};
use igra_group::{Group, MemberIndex, Sompi};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    chain::Chain,
    checks::Checks,
    feed::{Fact, Feed},
    keys::group,
    life::Signer,
    miners::BLOCK_MS,
    scenario::Scenario,
};

/// What wall clocks show at the start of a run.
pub(crate) const START_UTC: u64 = 1_800_000_000;
const MOST_HAPPENINGS: u64 = 60_000;

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
    Deliver { to: MemberIndex, sealed: Vec<u8> },
    Tick { signer: MemberIndex, life: u64 },
    TurnEnds { signer: MemberIndex, life: u64 },
    Answer { signer: MemberIndex, life: u64, input: Box<Input> },
    NodeMoves { signer: MemberIndex },
    Mine,
    Event(Fact),
    Restart(MemberIndex),
    NodeUp(MemberIndex),
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
    pub chain: Chain,
    pub feed: Feed,
    pub checks: Checks,
    pub chaos: bool,
    pub cut: BTreeSet<MemberIndex>,
    pub trace: Option<Vec<String>>,
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub seed: u64,
    pub violation: Option<String>,
    pub happenings: u64,
    pub virtual_ms: u64,
    pub paid: usize,
    pub crashes: u64,
    pub reorganisations: u64,
    pub trace: Vec<String>,
}

/// Runs one seed under a set of rules.
pub fn run<R: Rules>(seed: u64, order: Order, trace: bool) -> Report {
    let mut world = World::<R>::new(seed, order, trace);
    world.start();
    while world.checks.violation.is_none() && !world.is_done() {
        let Some((at, happening)) = world.queue.pop_first() else { break };
        world.time = at.0;
        world.happened += 1;
        world.happen(happening);
    }
    world.report(seed)
}

impl<R: Rules> World<R> {
    fn new(seed: u64, order: Order, trace: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let scenario = Scenario::draw(&mut rng);
        let (group, keys) = group(scenario.shape);
        let chain = Chain::new(&group);
        let skew = scenario.skew_seconds as i64;
        let signers = keys
            .into_iter()
            .map(|(member, keys)| (member, Signer::new(keys, chain.tip, rng.gen_range(-skew..=skew))));
        let signers = signers.collect();
        Self {
            scenario,
            order,
            group,
            rng,
            time: 0,
            queue: BTreeMap::new(),
            happened: 0,
            scheduled: 0,
            signers,
            chain,
            feed: Feed::default(),
            checks: Checks::default(),
            chaos: true,
            cut: BTreeSet::new(),
            trace: trace.then(Vec::new),
        }
    }

    fn start(&mut self) {
        self.tell(|world| format!("{:?}", world.scenario));
        for place in 0..self.scenario.deposits {
            let amount = Sompi(self.rng.gen_range(10..60) * 100_000_000);
            self.deposit(place, amount);
        }
        // Coins are deep enough before the first event.
        for _ in 0..6 {
            self.chain.mine(self.chain.mempool.values().cloned().collect());
        }
        let members: Vec<MemberIndex> = self.signers.keys().copied().collect();
        for member in members {
            self.start_signer(member);
        }
        for id in 0..self.scenario.events {
            let at = self.rng.gen_range(0..self.scenario.chaos_ms * 2 / 3);
            let fact = self.fact(id);
            self.at(at, Happening::Event(fact));
        }
        self.at(BLOCK_MS, Happening::Mine);
        self.at(self.scenario.chaos_ms, Happening::Calm);
    }

    pub(crate) fn at(&mut self, time: u64, happening: Happening) {
        self.scheduled += 1;
        self.queue.insert((time, self.scheduled), happening);
    }

    pub(crate) fn soon(&mut self, most_ms: u64, happening: Happening) {
        let delay = self.rng.gen_range(0..=most_ms);
        self.at(self.time + delay, happening);
    }

    /// Chances are per mille, and nothing goes wrong once it is calm.
    pub(crate) fn goes_wrong(&mut self, per_mille: u32) -> bool {
        self.chaos && self.rng.gen_range(0..1_000) < per_mille
    }

    pub(crate) fn tell(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>7} ms  {}", self.time, line(self));
            self.trace.iter_mut().for_each(|lines| lines.push(line.clone()));
        }
    }

    fn happen(&mut self, happening: Happening) {
        if self.happened > MOST_HAPPENINGS {
            self.checks.fail(format!("more than {MOST_HAPPENINGS} happenings: the group talks without end"));
        }
        match happening {
            Happening::Deliver { to, sealed } => self.input(to, Input::Received(sealed)),
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
            Happening::NodeMoves { signer } => self.node_moves(signer),
            Happening::Mine => self.mine(),
            Happening::Event(fact) => self.event(fact),
            Happening::Restart(signer) => self.start_signer(signer),
            Happening::NodeUp(signer) => {
                self.signer(signer).node_up = true;
                self.node_moves(signer);
            }
            Happening::Heal => self.cut.clear(),
            Happening::Calm => self.calm_down(),
        }
    }

    fn report(self, seed: u64) -> Report {
        Report {
            seed,
            violation: self.checks.violation,
            happenings: self.happened,
            virtual_ms: self.time,
            paid: self.checks.paid.len(),
            crashes: self.checks.crashes,
            reorganisations: self.checks.reorganisations,
            trace: self.trace.unwrap_or_default(),
        }
    }
}
