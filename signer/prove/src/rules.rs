//! Asks the core's own functions about masks, remembers the answers, and bends the question where a case wants a rule
//! left out. No rule is written down here a second time.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::{
    Earlier, FinalCoin, Move, Moves, Parents, Scan, anchor_rule, killer, may_leave, may_sweep, unwashed,
};
use igra_tx::{EventKey, Outpoint, Proposal, Tag};

use crate::{
    mask::Mask,
    memo::Memo,
    state::{DEPOSITS, Member, State},
    universe::{AMOUNT, DUST, Purpose, Universe, event_key, tag, tags},
};

/// A rule left out, or asked wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bend {
    /// The anchor rule is not asked.
    NoAnchor,
    /// What is accepted counts as final when a proposal is taken for dead.
    AcceptedKills,
    /// A void is not recorded under the event that it voids.
    VoidUnrecorded,
    /// Dead: the coins of the parents are taken for the proposal's own, so a parent kills its child.
    ParentKills,
    /// Shared input: the coins of the parents are taken for the proposal's own, so parent and child share one.
    ParentShares,
    /// Dead is looked for without parents.
    NoParents,
    /// A coin that another event's proposal holds is a reason to refuse.
    ReservationVeto,
    /// A certificate holds one approval fewer than q.
    ShortCertificate,
    /// A rollback is not noticed.
    Unnoticed,
    /// After a rollback the member promises again what all its peers say they promised, and goes on.
    HealByAnswers,
    /// Any internal transaction counts as a sweep, with the tag or without.
    SweepWithoutTag,
    /// One coin may stay unwashed.
    OneCoinUnwashed,
    /// Leaving is judged by what is accepted.
    LeaveAtAccepted,
    /// No tombstones are asked for or made when leaving.
    NoTombstones,
    /// The scan for tombstones is made when quarantine begins.
    ScanFirst,
    /// The second rollback of a member draws no new tag.
    TagKept,
    /// A quarantined member approves payments that carry its tag.
    QuarantinedPays,
    /// A deposit is new if the node thinks so, whose memory begins after the rollback.
    DepositByMemory,
    /// A second valid proof of an event with another payload is no reason to void.
    SecondPayloadNoReason,
    /// Who approved a move to the successor group goes on paying.
    MovedPays,
    /// The successor group pays from the beginning.
    BeginsAtOnce,
    /// It begins with the first move, whatever coins are left behind.
    BeginsEarly,
    /// It begins by what is accepted.
    BeginsAtAccepted,
    /// It does not know what the old group paid.
    BeginsUntold,
    /// To it a deposit is later than the first move if its node thinks so, whose memory begins after both.
    LateByMemory,
}

/// The rules over one universe.
pub struct Rules<'a> {
    pub(crate) universe: &'a Universe,
    bend: Option<Bend>,
    dead: Memo<Mask, Mask>,
    bound: Memo<(usize, Mask, Mask), bool>,
    forgotten: Memo<(Mask, Mask), Mask>,
    sweeps: Memo<(usize, Mask), bool>,
    leaves: Memo<(u8, Mask, [Mask; DEPOSITS], Mask), bool>,
}

impl<'a> Rules<'a> {
    pub fn new(universe: &'a Universe, bend: Option<Bend>) -> Self {
        Self {
            universe,
            bend,
            dead: Memo::default(),
            bound: Memo::default(),
            forgotten: Memo::default(),
            sweeps: Memo::default(),
            leaves: Memo::default(),
        }
    }

    pub fn bends(&self, bend: Bend) -> bool {
        self.bend == Some(bend)
    }

    /// The proposals that the members write down as dead in this state.
    pub fn dead(&mut self, state: &State) -> Mask {
        let chain = if self.bends(Bend::AcceptedKills) { state.chain() } else { state.final_ };
        if let Some(known) = self.dead.get(&chain) {
            return *known;
        }
        let spends = self.universe.final_spends(chain);
        let named = (0..self.universe.len()).filter(|x| !self.universe.transactions[*x].events.is_empty());
        let dead = Mask::of(named.filter(|x| {
            let (proposal, parents) = self.as_dead_sees(*x);
            killer(&proposal, self.universe.transactions[*x].id, &parents, &spends).is_some()
        }));
        self.dead.insert(chain, dead);
        dead
    }

    fn as_dead_sees(&self, x: usize) -> (Proposal, Parents) {
        let proposal = self.universe.transactions[x].proposal.clone();
        match self.bend {
            Some(Bend::ParentKills) => (self.with_parents_coins(x), Parents::new()),
            Some(Bend::NoParents) => (proposal, Parents::new()),
            Some(_) | None => (proposal, self.universe.parents(x)),
        }
    }

    fn with_parents_coins(&self, x: usize) -> Proposal {
        let mut merged = self.universe.transactions[x].proposal.clone();
        for y in self.universe.above[x].each().filter(|y| *y != x) {
            merged.inputs.extend(self.universe.transactions[y].proposal.inputs.iter().cloned());
        }
        merged
    }

    /// A member's promises without those that are dead, if the anchor rule answers alike without them: states that
    /// differ in nothing else are one.
    pub fn forget_dead(&mut self, promised: Mask, dead: Mask) -> Mask {
        let dead = promised & dead;
        if dead.is_empty() {
            return promised;
        }
        if let Some(known) = self.forgotten.get(&(promised, dead)) {
            return *known;
        }
        let left = promised & !dead;
        let alike = (0..self.universe.len())
            .all(|x| promised.has(x) || self.is_free(x, promised, dead) == self.is_free(x, left, dead));
        let kept = if alike { left } else { promised };
        self.forgotten.insert((promised, dead), kept);
        kept
    }

    /// Whether the anchor rule lets a member approve `x` after all that it promised.
    pub fn is_free(&mut self, x: usize, promised: Mask, dead: Mask) -> bool {
        if self.bends(Bend::NoAnchor) {
            return true;
        }
        let events = self.recorded_under(x);
        let asked = Mask::of(promised.each().filter(|y| !(self.recorded_under(*y) & events).is_empty()));
        let key = (x, asked, dead & asked);
        if let Some(known) = self.bound.get(&key) {
            return *known;
        }
        let free = events.each().all(|event| self.ask_anchor(x, event, asked, dead));
        self.bound.insert(key, free);
        free
    }

    fn ask_anchor(&self, x: usize, event: usize, promised: Mask, dead: Mask) -> bool {
        let named: Vec<usize> = promised.each().filter(|y| self.recorded_under(*y).has(event)).collect();
        let bodies: Vec<Proposal> = named.iter().map(|y| self.as_anchor_sees(*y)).collect();
        let earlier = named.iter().zip(&bodies).map(|(y, proposal)| {
            let id = self.universe.transactions[*y].proposal_id;
            Earlier { id, proposal, dead: dead.has(*y) }
        });
        anchor_rule(&self.as_anchor_sees(x), earlier.collect::<Vec<_>>()).is_ok()
    }

    fn as_anchor_sees(&self, x: usize) -> Proposal {
        if self.bends(Bend::ParentShares) {
            return self.with_parents_coins(x);
        }
        self.universe.transactions[x].proposal.clone()
    }

    /// The events under which a member keeps its approval of `x`.
    pub fn recorded_under(&self, x: usize) -> Mask {
        let transaction = &self.universe.transactions[x];
        if self.bends(Bend::VoidUnrecorded) && transaction.purpose == Purpose::Void {
            return Mask::NONE;
        }
        transaction.events
    }

    /// Whether members approve a sweep on this chain.
    pub fn may_sweep(&mut self, x: usize, chain: Mask) -> bool {
        if let Some(known) = self.sweeps.get(&(x, chain)) {
            return *known;
        }
        let transaction = &self.universe.transactions[x];
        let spends = Spends::of(self.universe, chain);
        let moves = spends.moves(self.universe, |_| 0);
        let may = may_sweep(&transaction.proposal.outpoints(), &tags(transaction.tags), &moves);
        self.sweeps.insert((x, chain), may);
        may
    }

    /// The tombstones with which a quarantined member may leave, if it may.
    pub fn leaves_with(&mut self, member: &Member, state: &State) -> Option<Mask> {
        let chain = if self.bends(Bend::LeaveAtAccepted) { state.chain() } else { state.final_ };
        let tombstones = match self.bend {
            Some(Bend::ScanFirst) => member.tombstones,
            Some(Bend::NoTombstones) => Mask::NONE,
            Some(_) | None => self.universe.events_of(chain),
        };
        let key = (member.tag, chain, state.before, tombstones);
        let may = match self.leaves.get(&key) {
            Some(known) => *known,
            None => self.ask_leave(tag(usize::from(member.tag) - 1), chain, state, tombstones),
        };
        self.leaves.insert(key, may);
        may.then_some(tombstones)
    }

    fn ask_leave(&self, tag: Tag, chain: Mask, state: &State, tombstones: Mask) -> bool {
        let daa_score = |x| daa_score(self.universe, chain, state, x);
        let mut spends = Spends::of(self.universe, chain);
        if self.bends(Bend::SweepWithoutTag) {
            spends.tag_every_sweep(self.universe, tag);
        }
        let moves = spends.moves(self.universe, daa_score);
        let mut coins = self.final_coins(chain, daa_score);
        if self.bends(Bend::OneCoinUnwashed)
            && let Some(first) = unwashed(&coins, &moves, &tag, DUST).first()
        {
            coins.remove(first);
        }
        let bent = self.bends(Bend::ScanFirst) || self.bends(Bend::NoTombstones);
        let links = if bent { tombstones } else { self.universe.events_of(chain) };
        let links: BTreeSet<EventKey> = links.each().map(event_key).collect();
        let has: BTreeSet<EventKey> = tombstones.each().map(event_key).collect();
        let scan = Scan { coins: &coins, moves: &moves, links: &links, gapless: true };
        may_leave(&scan, &tag, DUST, |event| has.contains(event)).is_ok()
    }

    fn final_coins(&self, chain: Mask, daa_score: impl Fn(usize) -> u64) -> BTreeMap<Outpoint, FinalCoin> {
        let standing = self.universe.coins(chain) & !self.universe.new_coins;
        let coins = (0..self.universe.outpoints.len()).filter(|coin| standing >> coin & 1 == 1);
        let entry = |coin: usize| {
            let daa_score = match self.universe.maker[coin] {
                None => 0,
                Some(d) if self.bends(Bend::DepositByMemory) && self.universe.deposits.has(d) => u64::MAX,
                Some(maker) => daa_score(maker),
            };
            (self.universe.outpoints[coin], FinalCoin { amount: AMOUNT, daa_score })
        };
        coins.map(entry).collect()
    }
}

/// Where a transaction stands in the chain. The order against deposits is the state's; of the group's transactions
/// those without tags come last, the order that a rule would trip over which took late coins of the group for new.
pub(crate) fn daa_score(universe: &Universe, chain: Mask, state: &State, x: usize) -> u64 {
    let deposits: Vec<(usize, Mask)> =
        universe.deposits.each().enumerate().map(|(place, d)| (d, state.before[place])).collect();
    let rank = |before: Mask| deposits.iter().filter(|(d, _)| chain.has(*d) && before.has(*d)).count() as u64;
    if let Some((_, before)) = deposits.iter().find(|(d, _)| *d == x) {
        return 4 * rank(*before) + 3;
    }
    let after_it = deposits.iter().filter(|(d, before)| chain.has(*d) && before.has(x));
    let end = deposits.iter().filter(|(d, _)| chain.has(*d)).count() as u64;
    let late = u64::from(universe.transactions[x].tags.is_empty());
    4 * after_it.map(|(_, before)| rank(*before)).min().unwrap_or(end) + 1 + late
}

/// What the group's transactions of a chain spend, and their tags, to lend to [`Moves`].
struct Spends(Vec<(usize, Vec<Outpoint>, BTreeSet<Tag>)>);

impl Spends {
    fn of(universe: &Universe, chain: Mask) -> Self {
        let foreign = |x: &usize| {
            let transaction = &universe.transactions[*x];
            transaction.by_new || transaction.purpose == Purpose::Deposit
        };
        let own = chain.each().filter(|x| !foreign(x));
        Self(own.map(|x| (x, universe.spends(x), tags(universe.transactions[x].tags))).collect())
    }

    fn tag_every_sweep(&mut self, universe: &Universe, tag: Tag) {
        for (x, _, tags) in &mut self.0 {
            if universe.transactions[*x].purpose == Purpose::Internal {
                tags.insert(tag);
            }
        }
    }

    fn moves(&self, universe: &Universe, daa_score: impl Fn(usize) -> u64) -> Moves<'_, Tag> {
        let moved = self.0.iter().map(|(x, spends, tags)| {
            (universe.transactions[*x].id, Move { daa_score: daa_score(*x), spends, tags })
        });
        moved.collect()
    }
}
