//! The world of a run: virtual time, a queue of happenings, signers with real coordinators, their disks, nodes and
//! links. Everything that may differ between two runs comes from the seed.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::{
    AcceptedBlock, BlockId, ChainUpdate, Coordinator, Input, Intake, Millis, Now, Records, SessionState,
    SessionView, Step, SubmitOutcome, Timing, UnixSeconds, VerifiedEvent, WalletUpdate, rules::Rules,
};
use igra_group::{Group, MemberIndex, Sompi, tagged_hash};
use igra_tx::{EventKey, FeeRate, SignedTransaction, TransactionId};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::{
    chain::{Chain, Transaction},
    checks::Checks,
    disk::Disk,
    feed::{Fact, Fate, Feed, policy_within},
    keys::{DEPTHS, Keys, group},
    scenario::Scenario,
};

const BLOCK_MS: u64 = 500;
// What wall clocks show at the start of a run.
const START_UTC: u64 = 1_800_000_000;
const CALM_LIMIT_MS: u64 = 400_000;
// Long enough for all events of a run to have their turn in the volume's window.
const VOLUME_LIMIT_MS: u64 = 200_000;
const MOST_HAPPENINGS: u64 = 60_000;

const TIMING: Timing = Timing {
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

/// One member with all that is its own.
pub(crate) struct Signer<R: Rules> {
    pub mind: Option<Coordinator<R>>,
    pub disk: Disk,
    pub keys: Keys,
    /// Counts the starts.
    pub life: u64,
    started: u64,
    skew: i64,
    node_tip: BlockId,
    node_up: bool,
    tick: Option<u64>,
    /// What waits for the next commit.
    pub turn: Option<Step>,
    gone: bool,
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
    cut: BTreeSet<MemberIndex>,
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

    fn fact(&mut self, id: u64) -> Fact {
        let odd = self.rng.gen_range(0..10);
        let deadline = START_UTC + self.rng.gen_range(0..60);
        let amount = self.rng.gen_range(1..=15) * 100_000_000;
        Fact {
            id,
            recipient: if odd == 0 { 9 } else { self.rng.gen_range(0..4) },
            amount: if odd == 1 { 50_000_000_000 } else { amount },
            deadline: if odd == 2 { deadline } else { 0 },
        }
    }

    fn deposit(&mut self, place: u64, amount: Sompi) {
        let name = (place, self.time).0.to_le_bytes();
        let salt = self.time.to_le_bytes();
        let id =
            TransactionId::from_bytes(tagged_hash("igra.dev 2026 simulated deposit", &[name, salt].concat()));
        self.chain.mempool.insert(id, Transaction::Deposit { id, amount });
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

    fn tick(&mut self, member: MemberIndex, life: u64) {
        if self.signers[&member].life != life || self.signers[&member].tick != Some(self.time) {
            return;
        }
        self.signer(member).tick = None;
        self.input(member, Input::Tick);
    }

    /// A process starts from its disk.
    fn start_signer(&mut self, member: MemberIndex) {
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
        let (mind, step) =
            Coordinator::restore_under(self.group.clone(), member, policy, TIMING, records, now);
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

    /// Sends sealed bytes; gossip and streams lose, delay, repeat and reorder while there is chaos.
    pub(crate) fn transmit(&mut self, from: MemberIndex, to: MemberIndex, sealed: &[u8], loss: u32) {
        let apart = self.cut.contains(&from) != self.cut.contains(&to);
        if apart || self.goes_wrong(loss) {
            return;
        }
        let copies = if self.goes_wrong(self.scenario.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let slow = self.goes_wrong(50);
            let most = if slow { self.scenario.straggle_ms } else { self.scenario.latency_ms };
            self.soon(most, Happening::Deliver { to, sealed: sealed.to_vec() });
        }
    }

    fn event(&mut self, fact: Fact) {
        let event = fact.event();
        self.feed.fates.insert(event.payment.event, (fact.fate(), event.payment.clone()));
        self.feed.deadlines.extend(event.deadline.map(|deadline| (event.payment.event, deadline)));
        let up: Vec<MemberIndex> = self
            .signers
            .iter()
            .filter(|(_, signer)| signer.mind.is_some())
            .map(|(member, _)| *member)
            .collect();
        let Some(member) = up.choose(&mut self.rng).copied() else {
            return self.soon(2_000, Happening::Event(fact));
        };
        self.tell(|_| format!("{member:?} hears of event {:?}: {fact:?}", event.payment.event));
        self.knock(member, event, fact.fate());
        // The same fact again, at another door, and with another amount at this one.
        if self.goes_wrong(200) {
            self.soon(3_000, Happening::Event(fact));
        }
        if self.goes_wrong(200) {
            let other = Fact { amount: fact.amount + 1, ..fact };
            self.input(member, Input::Event(other.event()));
        }
    }

    /// An event at the door of a signer, as its API asks first and hands in then.
    fn knock(&mut self, member: MemberIndex, event: VerifiedEvent, fate: Fate) {
        let now = self.now(member);
        let Some(mind) = self.signers[&member].mind.as_ref() else { return };
        match (mind.intake(&event, now), fate) {
            (Intake::Denied(_), Fate::MustNot | Fate::May) => {}
            (Intake::Denied(denial), Fate::Must) => {
                self.checks.fail(format!("an allowed event is denied: {denial:?}"));
            }
            (Intake::New, Fate::MustNot) => self.checks.fail("a forbidden event is let in".to_owned()),
            (Intake::New | Intake::Same(_) | Intake::Replayed { .. } | Intake::Final(_), _) => {
                self.input(member, Input::Event(event));
            }
        }
    }

    /// The signer's node shows it the chain up to some recent block.
    fn node_moves(&mut self, member: MemberIndex) {
        let lag = if self.chaos { self.rng.gen_range(0..=self.scenario.lag) } else { 0 };
        let to = self.chain.below_tip(lag);
        let signer = &self.signers[&member];
        let from = signer.node_tip;
        if signer.mind.is_none() || !signer.node_up {
            return;
        }
        let behind = self.chain.is_in_chain(&from) && self.chain.block(&from).daa > self.chain.block(&to).daa;
        if behind {
            return;
        }
        // A node that was reset does not know the cursor and tells everything from the beginning.
        let update = if self.goes_wrong(10) {
            ChainUpdate {
                restarted: true,
                removed: Vec::new(),
                ..self.chain_update(self.chain.below_tip(u64::MAX), to)
            }
        } else {
            self.chain_update(from, to)
        };
        self.signer(member).node_tip = to;
        self.input(member, Input::Chain(update));
        let wallet = self.wallet_update(to);
        self.input(member, Input::Wallet(wallet));
    }

    fn chain_update(&self, from: BlockId, to: BlockId) -> ChainUpdate {
        let (removed, added) = self.chain.path(from, to);
        let told = |id: BlockId| {
            let block = self.chain.block(&id);
            let transactions: Vec<_> = block.transactions.iter().filter_map(Transaction::told).collect();
            (!transactions.is_empty()).then_some(AcceptedBlock {
                block: id,
                daa_score: block.daa,
                transactions,
            })
        };
        ChainUpdate {
            removed,
            added: added.into_iter().filter_map(told).collect(),
            cursor: to,
            virtual_daa: self.chain.block(&to).daa,
            restarted: false,
        }
    }

    fn wallet_update(&self, at: BlockId) -> WalletUpdate {
        let block = self.chain.block(&at);
        WalletUpdate {
            virtual_daa: block.daa,
            coins: block.coins.values().cloned().collect(),
            fee_rate: FeeRate::new(self.scenario.fee_rate),
            synced: true,
        }
    }

    fn mine(&mut self) {
        if self.goes_wrong(self.scenario.reorganise) {
            self.reorganise();
        } else {
            self.mine_one();
        }
        let members: Vec<MemberIndex> = self.signers.keys().copied().collect();
        for member in members {
            let most = if self.chaos { BLOCK_MS * (1 + self.scenario.lag) } else { BLOCK_MS / 4 };
            self.soon(most, Happening::NodeMoves { signer: member });
            if self.goes_wrong(self.scenario.node_down) {
                self.signer(member).node_up = false;
                self.input(member, Input::NodeDown);
                self.soon(6_000, Happening::NodeUp(member));
            }
        }
        if self.goes_wrong(self.scenario.partition) {
            let side = self.rng.gen_range(1..self.scenario.shape.members.max(2));
            self.cut = self.signers.keys().copied().take(side.into()).collect();
            self.soon(8_000, Happening::Heal);
        }
        self.at(self.time + BLOCK_MS, Happening::Mine);
        let highest = self.chain.highest();
        self.checks.chain(&self.chain, &self.feed, &self.group, highest, DEPTHS.final_);
    }

    fn mine_one(&mut self) {
        let mut wanted: Vec<Transaction> = self.chain.mempool.values().cloned().collect();
        wanted.shuffle(&mut self.rng);
        let late = self.scenario.delay_inclusion;
        wanted.retain(|_| !self.goes_wrong(late));
        self.chain.mine(wanted);
    }

    fn reorganise(&mut self) {
        let depth = self.rng.gen_range(1..DEPTHS.final_);
        let undone = self.chain.rewind(depth, DEPTHS.final_);
        self.checks.reorganisations += 1;
        self.tell(|world| format!("reorganisation of {depth} blocks, to {}", world.chain.tip_daa()));
        for transaction in undone {
            let kept = transaction.proposal().is_none() || self.rng.gen_bool(0.6);
            if kept {
                self.chain.mempool.insert(transaction.id(), transaction);
            }
        }
        let highest = self.chain.highest();
        while self.chain.tip_daa() <= highest {
            self.mine_one();
        }
    }

    /// The own node's answer to a submission.
    pub(crate) fn submit(&mut self, member: MemberIndex, transaction: SignedTransaction) -> SubmitOutcome {
        let node = self.signers[&member].node_tip;
        let id = transaction.id();
        if !self.signers[&member].node_up || self.goes_wrong(100) {
            return SubmitOutcome::Unavailable("no answer".to_owned());
        }
        if self.chain.mempool.contains_key(&id) || self.chain.accepted_at(node, &id).is_some() {
            return SubmitOutcome::Known;
        }
        let coins = &self.chain.block(&node).coins;
        if transaction.proposal.inputs.iter().any(|input| !coins.contains_key(&input.outpoint)) {
            return SubmitOutcome::Orphan("a coin is missing".to_owned());
        }
        if !self.chain.is_valid(&transaction) {
            return SubmitOutcome::Refused("no node takes it".to_owned());
        }
        // Another node may have taken a rival without this one having heard of it.
        let unheard = self.chaos && self.rng.gen_bool(0.5);
        if !unheard && !self.chain.rivals(&transaction.proposal).is_empty() {
            return SubmitOutcome::Conflict("a coin is spent in the mempool".to_owned());
        }
        if !self.goes_wrong(100) {
            self.chain.mempool.insert(id, Transaction::Payment(transaction));
        }
        SubmitOutcome::InMempool
    }

    /// Faults stop. Some members may be gone for good, as many as the quorum allows.
    fn calm_down(&mut self) {
        self.tell(|_| "calm".to_owned());
        self.chaos = false;
        self.cut.clear();
        let mut members: Vec<MemberIndex> = self.signers.keys().copied().collect();
        members.shuffle(&mut self.rng);
        for member in members.split_off(self.scenario.survivors.into()) {
            let signer = self.signer(member);
            (signer.mind, signer.turn, signer.gone) = (None, None, true);
            signer.life += 1;
            self.tell(|_| format!("{member:?} is gone for good"));
        }
        for (place, member) in members.into_iter().enumerate() {
            let signer = self.signer(member);
            (signer.node_up, signer.skew) = (true, 0);
            self.start_signer(member);
            self.deposit(100 + place as u64, Sompi(20_000_000_000));
        }
        let fact = self.fact(1_000);
        self.at(self.time + 1_000, Happening::Event(fact));
    }

    /// Calm, and everything that must be paid is paid as every survivor sees it.
    fn is_done(&mut self) -> bool {
        if self.chaos || !self.time.is_multiple_of(BLOCK_MS) {
            return false;
        }
        let open = self.checks.unpaid(&self.signers, &self.feed);
        if self.time > self.scenario.chaos_ms + VOLUME_LIMIT_MS && self.waits_for_volume(&open) {
            return true;
        }
        if self.time > self.scenario.chaos_ms + CALM_LIMIT_MS
            && let Some((member, view)) = open.first()
        {
            self.checks.fail(format!("{member:?} sees no end of an allowed event: {view:?}"));
        }
        open.is_empty() && self.time > self.scenario.chaos_ms + 2_000
    }

    /// Two events that different signers approved first may leave no volume for one another, until there are voids.
    fn waits_for_volume(&self, open: &[(MemberIndex, Box<SessionView>)]) -> bool {
        let held = open.iter().filter(|(_, view)| view.state == SessionState::Held);
        let held: BTreeSet<EventKey> = held.map(|(_, view)| view.event).collect();
        self.scenario.volume > 0 && open.iter().all(|(_, view)| held.contains(&view.event))
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

impl<R: Rules> Signer<R> {
    fn new(keys: Keys, genesis: BlockId, skew: i64) -> Self {
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
