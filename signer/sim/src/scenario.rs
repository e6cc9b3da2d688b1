//! What a seed makes of a run: group, load, and which faults strike how often.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use igra_group::MemberIndex;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::{
    fault::Fault,
    keys::{SHAPES, Shape, name},
};

/// One in twenty-four.
const RARELY: [u64; 24] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// Longer than any run.
pub const NO_DEADLINE: u64 = 1_000_000;

/// The load and the faults of the first phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub shape: Shape,
    pub events: u64,
    pub deposits: u64,
    /// How long faults last, in virtual milliseconds.
    pub chaos_ms: u64,
    pub latency_ms: u64,
    /// That gossip does not carry a message, per mille; streams are under [`Fault::Loss`].
    pub gossip_loss: u32,
    pub restart_ms: u64,
    /// Most blocks that a node is behind.
    pub lag: u64,
    pub fee_rate: u64,
    /// How long a signer gathers inputs before it commits them together; 0: each by itself.
    pub turn_ms: u64,
    /// The most that a signer may approve within the policy's window, in sompi; 0: any sum.
    pub volume: u64,
    /// Most payments of one transaction.
    pub batch: u8,
    /// How long a payment may wait for company.
    pub batch_wait_ms: u64,
    /// How long after first sight the policy lets an event be approved for the first time.
    pub deadline_seconds: u64,
    /// Members that stay up in the second phase.
    pub survivors: u8,
    /// Chances per mille of faults that may strike anybody.
    pub chances: BTreeMap<Fault, u32>,
    /// Members that lie, run twice or lose their records, and how; at most f.
    pub faulty: BTreeMap<MemberIndex, BTreeSet<Fault>>,
    /// The group makes one coin of many.
    pub consolidates: bool,
    /// When the group gets a successor, in virtual milliseconds; 0: never.
    pub moves_ms: u64,
    /// A member that is away for longer than its node remembers.
    pub away: Option<MemberIndex>,
    /// Members that speak the version before this one until it is calm.
    pub previous: BTreeSet<MemberIndex>,
    /// How long after the first time disks go back in time once more; 0: they do not.
    pub again_ms: u64,
    /// Members, as many as it pleases, whose disks go back in time in a way that they are sure to notice.
    pub restored: BTreeMap<MemberIndex, Fault>,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn of(seed: u64) -> Self {
        Self::draw(&mut StdRng::seed_from_u64(seed))
    }

    /// The same, from numbers that go on to make the run.
    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        let shape = SHAPES[rng.gen_range(0..SHAPES.len())];
        let chances = draw_chances(rng);
        let faulty = draw_faulty(rng, shape);
        let restored = draw_restored(rng, shape, &faulty);
        let mut of = |choices: &[u64]| choices[rng.gen_range(0..choices.len())];
        let survivors = if of(&[0, 1]) == 0 { shape.members } else { shape.quorum };
        let (moves_ms, consolidates) = (of(&RARELY) * 12_000, of(&[0, 0, 1]) == 1);
        let again_ms = of(&[0, 0, 12_000]);
        let mut scenario = Self {
            shape,
            events: of(&[1, 2, 3, 4]),
            deposits: of(&[2, 4, 8]),
            chaos_ms: of(&[10_000, 20_000, 30_000]),
            latency_ms: of(&[5, 50, 300]),
            gossip_loss: of(&[0, 50, 300, 600, 1_000]) as u32,
            restart_ms: of(&[200, 2_000, 8_000]),
            lag: of(&[0, 2, 6]),
            fee_rate: of(&[100, 130]),
            turn_ms: of(&[0, 0, 10, 100]),
            volume: of(&[0, 0, 2_500_000_000]),
            batch: of(&[1, 2, 64]) as u8,
            batch_wait_ms: of(&[0, 500]),
            deadline_seconds: of(&[NO_DEADLINE, NO_DEADLINE, 100]),
            survivors,
            chances,
            faulty,
            consolidates,
            moves_ms,
            away: None,
            previous: BTreeSet::new(),
            again_ms,
            restored,
        };
        scenario.draw_ways_of_life(rng);
        scenario
    }

    /// One that nothing disturbs.
    pub fn quiet(shape: Shape) -> Self {
        Self {
            shape,
            events: 2,
            deposits: 4,
            chaos_ms: 20_000,
            latency_ms: 50,
            gossip_loss: 0,
            restart_ms: 200,
            lag: 0,
            fee_rate: 100,
            turn_ms: 0,
            volume: 0,
            batch: 64,
            batch_wait_ms: 0,
            deadline_seconds: NO_DEADLINE,
            survivors: shape.members,
            chances: BTreeMap::new(),
            faulty: BTreeMap::new(),
            consolidates: false,
            moves_ms: 0,
            away: None,
            previous: BTreeSet::new(),
            again_ms: 0,
            restored: BTreeMap::new(),
        }
    }

    /// Members that sound people have: some are away for long, some wait for their upgrade.
    fn draw_ways_of_life(&mut self, rng: &mut StdRng) {
        let mut members: Vec<MemberIndex> = (0..self.shape.members).map(MemberIndex).collect();
        members.retain(|member| !self.faulty.contains_key(member) && !self.restored.contains_key(member));
        let (leaves, waits) = (rng.gen_range(0..10) == 0, rng.gen_range(0..8) == 0);
        // What it missed it takes from f + 1 others that have all their records.
        let others_know = self.restored.is_empty() && self.faulty.values().all(is_lying);
        if leaves && others_know && self.shape.members > 1 {
            self.away = members.choose(rng).copied();
        } else if waits && !members.is_empty() {
            let count = rng.gen_range(1..=members.len());
            self.previous = members.choose_multiple(rng, count).copied().collect();
        }
    }

    /// How often a fault strikes where it can, per mille.
    pub fn chance(&self, fault: Fault) -> u32 {
        self.chances.get(&fault).copied().unwrap_or(0)
    }

    /// Members that lie.
    pub fn liars(&self) -> impl Iterator<Item = MemberIndex> + '_ {
        self.faulty.iter().filter(|(_, faults)| is_lying(faults)).map(|(member, _)| *member)
    }

    /// Every kind of fault in it.
    pub fn faults(&self) -> BTreeSet<Fault> {
        let faulty = self.faulty.values().flatten();
        let away = self.away.map(|_| Fault::HistoryGap);
        let previous = self.previous.first().map(|_| Fault::PreviousVersion);
        let drawn = self.chances.keys().chain(faulty).chain(self.restored.values()).copied();
        drawn.chain(away).chain(previous).collect()
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { members, threshold, quorum } = self.shape;
        write!(f, "{members} members, {threshold} must sign, {quorum} approve; {} events", self.events)?;
        write!(f, ", {} deposits, faults for {} s", self.deposits, self.chaos_ms / 1_000)?;
        write!(f, ", latency {} ms, gossip loses {} ‰", self.latency_ms, self.gossip_loss)?;
        write!(f, ", nodes lag {}, restarts {} ms, turns {} ms", self.lag, self.restart_ms, self.turn_ms)?;
        write!(f, ", volume {}, {} stay, batches of {}", self.volume, self.survivors, self.batch)?;
        if self.deadline_seconds < NO_DEADLINE {
            write!(f, ", deadlines after {} s", self.deadline_seconds)?;
        }
        if self.consolidates {
            write!(f, ", coins are made one")?;
        }
        if self.moves_ms > 0 {
            write!(f, ", moves after {} s", self.moves_ms / 1_000)?;
        }
        for (fault, chance) in &self.chances {
            write!(f, "; {} {} {chance} ‰", fault.group(), fault.name())?;
        }
        for (member, faults) in &self.faulty {
            let names: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
            write!(f, "; {} is faulty: {}", name(*member), names.join(", "))?;
        }
        for (member, fault) in &self.restored {
            write!(f, "; {} is {}", name(*member), fault.name())?;
        }
        if self.again_ms > 0 && !self.restored.is_empty() {
            write!(f, ", and again after {} s", self.again_ms / 1_000)?;
        }
        if let Some(member) = self.away {
            write!(f, "; {} {}", name(member), Fault::HistoryGap.name())?;
        }
        for member in &self.previous {
            write!(f, "; {} speaks the {}", name(*member), Fault::PreviousVersion.name())?;
        }
        Ok(())
    }
}

fn is_lying(ways: &BTreeSet<Fault>) -> bool {
    Fault::habits().any(|habit| ways.contains(&habit))
}

/// Each kind is missing from many seeds, so that no fault hides behind the others.
fn draw_chances(rng: &mut StdRng) -> BTreeMap<Fault, u32> {
    let quiet = rng.gen_range(0..4) == 0;
    let drawn = Fault::all().filter(|fault| !fault.chances().is_empty()).map(|fault| {
        let chances = fault.chances();
        (fault, chances[rng.gen_range(0..chances.len())])
    });
    let drawn: Vec<(Fault, u32)> = drawn.collect();
    drawn.into_iter().filter(|(_, chance)| *chance > 0 && (!quiet || rng.gen_range(0..3) == 0)).collect()
}

fn draw_faulty(rng: &mut StdRng, shape: Shape) -> BTreeMap<MemberIndex, BTreeSet<Fault>> {
    let mut members: Vec<MemberIndex> = (0..shape.members).map(MemberIndex).collect();
    members.shuffle(rng);
    let most = shape.tolerates_lying();
    let count = if rng.gen_range(0..4) == 0 { 0 } else { rng.gen_range(most.min(1)..=most) };
    members.truncate(count.into());
    members.into_iter().map(|member| (member, draw_ways(rng))).collect()
}

/// In one seed of five.
fn draw_restored(
    rng: &mut StdRng,
    shape: Shape,
    faulty: &BTreeMap<MemberIndex, BTreeSet<Fault>>,
) -> BTreeMap<MemberIndex, Fault> {
    if rng.gen_range(0..5) > 0 {
        return BTreeMap::new();
    }
    let mut members: Vec<MemberIndex> = (0..shape.members).map(MemberIndex).collect();
    members.retain(|member| !faulty.contains_key(member));
    let count = rng.gen_range(1..=members.len());
    let ways = [Fault::RestoredRecent, Fault::RestoredOld, Fault::Emptied];
    let members: Vec<MemberIndex> = members.choose_multiple(rng, count).copied().collect();
    members.into_iter().map(|member| (member, ways[rng.gen_range(0..ways.len())])).collect()
}

/// Most faulty members lie; the others' disks or processes are not what they seem.
fn draw_ways(rng: &mut StdRng) -> BTreeSet<Fault> {
    let ways = [Fault::RestoredRecent, Fault::RestoredOld, Fault::Emptied, Fault::TwoCopies];
    if rng.gen_range(0..3) == 0 {
        return ways.choose(rng).copied().into_iter().collect();
    }
    let habits: Vec<Fault> = Fault::habits().collect();
    let count = rng.gen_range(1..=habits.len() / 2);
    habits.choose_multiple(rng, count).copied().collect()
}
