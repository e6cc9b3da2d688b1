//! What can happen next: the adversary's freedom and the members' rules.
//!
//! Every message ever sent can be delivered to anybody at any time, so nothing is kept but what was sent. Liars have
//! approved and signed everything: with f of them, n/m/q is searched as (n−f)/(m−f)/(q−f). Internal transactions can
//! come to be as soon as their tags are drawn, for any member approves them in any state.

use crate::{
    mask::Mask,
    rules::{Bend, Rules},
    state::{MEMBERS, Member, State},
    universe::Universe,
};

/// A group as the search plays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub n: usize,
    pub m: usize,
    pub q: usize,
    pub liars: usize,
}

/// What the world of a case allows.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Transactions are accepted, taken back and made final one by one. Otherwise they become final at once, which is
    /// the same to rules that look at final ones only.
    pub stepwise: bool,
    /// A member approves only what spends coins that stand in the present chain.
    pub sees_coins: bool,
    /// How many rollbacks there may be, of any members, in quarantine or out of it.
    pub rollbacks: u8,
    /// A deposit can be taken back after somebody approved a transaction that builds on it.
    pub deep_deposits_move: bool,
    /// Members who may come to have a reason against paying: a policy that denies for good, an administrator's cancel.
    pub may_turn: Mask,
    /// Each event has a deadline.
    pub deadline: bool,
    /// Somebody may sign a cancel that all see.
    pub cancel: bool,
    /// Members with odd numbers verified a second payload of the event, the others the first.
    pub two_payloads: bool,
}

impl Phase {
    pub(crate) fn has(self, i: usize) -> bool {
        match self {
            Phase::Anything => true,
            Phase::Calm { live } => live.has(i),
        }
    }
}

impl World {
    /// Transactions become final at once, and nothing goes wrong.
    pub const CALM: Self = Self {
        stepwise: false,
        sees_coins: false,
        rollbacks: 0,
        deep_deposits_move: false,
        may_turn: Mask::NONE,
        deadline: false,
        cancel: false,
        two_payloads: false,
    };

    /// Whether a void needs a reason: where no reasons are told apart, the adversary has one at hand.
    pub(crate) fn asks_reasons(&self) -> bool {
        self.deadline || self.cancel || self.two_payloads || !self.may_turn.is_empty()
    }
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Everybody, and everything that can go wrong.
    Anything,
    /// Only these members, a stable chain, silent liars.
    Calm { live: Mask },
}

/// One thing that happens: members and transactions by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Approve(usize, usize),
    Sign(usize, usize),
    /// The successor group sees that it may pay.
    Begin,
    /// It approves and signs.
    Succeed(usize),
    Accept(usize),
    TakeBack(usize),
    Finalise(usize),
    RollBack(usize),
    Heal(usize),
    Leave(usize),
    TurnAgainst(usize),
    Cancel,
    Deadline,
}

/// A search's rules of motion.
pub struct Model<'a> {
    pub universe: &'a Universe,
    pub shape: Shape,
    pub world: World,
    pub(crate) rules: Rules<'a>,
    /// Members that nothing tells apart, by class.
    classes: Vec<Mask>,
    /// The transactions whose place before or after a deposit makes a difference.
    pub(crate) ordered: Mask,
}

impl<'a> Model<'a> {
    /// `live`: the members that a question about liveness tells apart from the others.
    pub fn new(
        universe: &'a Universe,
        shape: Shape,
        world: World,
        bend: Option<Bend>,
        live: Option<Mask>,
    ) -> Self {
        let honest = shape.n - shape.liars;
        assert!(honest <= MEMBERS, "a search follows {MEMBERS} members");
        let class = |i: &usize| {
            let odd = world.two_payloads && i % 2 == 1;
            (live.is_some_and(|live| live.has(*i)), world.may_turn.has(*i), odd)
        };
        let mut classes: Vec<((bool, bool, bool), Mask)> = Vec::new();
        for i in 0..honest {
            match classes.iter_mut().find(|(key, _)| *key == class(&i)) {
                Some((_, members)) => *members = *members | Mask::one(i),
                None => classes.push((class(&i), Mask::one(i))),
            }
        }
        let classes = classes.into_iter().map(|(_, members)| members).filter(|all| all.count() > 1).collect();
        let tagged = (0..universe.len()).filter(|x| !universe.transactions[*x].tags.is_empty());
        let ordered = Mask::of(tagged) | universe.deposits | universe.migrations;
        let ordered = if world.stepwise { !Mask::NONE } else { ordered };
        Self { universe, shape, world, rules: Rules::new(universe, bend), classes, ordered }
    }

    /// How many members are followed one by one.
    pub fn honest(&self) -> usize {
        self.shape.n - self.shape.liars
    }

    /// The event that two final transactions name, if there is one.
    pub fn ended_twice(&self, state: &State) -> Option<usize> {
        let mut seen = Mask::NONE;
        for x in state.final_.each() {
            let events = self.universe.transactions[x].events;
            if let Some(event) = (seen & events).each().next() {
                return Some(event);
            }
            seen = seen | events;
        }
        None
    }

    /// The one of all states that differ only in which member of a class is which.
    pub fn canonical(&self, mut state: State) -> State {
        for class in &self.classes {
            let mut members = [Member::default(); MEMBERS];
            let count = class.count() as usize;
            for (place, i) in members.iter_mut().zip(class.each()) {
                *place = state.members[i];
            }
            members[..count].sort_unstable();
            for (member, i) in members.iter().zip(class.each()) {
                state.members[i] = *member;
            }
        }
        state
    }

    /// All that can happen next, each with the state after it.
    pub fn next(&mut self, state: &State, phase: Phase, out: &mut Vec<(Action, State)>) {
        out.clear();
        self.promises(state, phase, out);
        self.successor(state, out);
        for x in 0..self.universe.len() {
            self.chain(state, x, phase, out);
        }
        self.returns(state, phase, out);
        if phase == Phase::Anything {
            self.losses(state, out);
        }
        self.times(state, out);
        for (_, next) in out.iter_mut() {
            self.settle(next);
        }
    }

    /// Leaves out what can make no difference any more: promises that the rules pass over, and signatures on what the
    /// chain has taken or can never take.
    fn settle(&mut self, state: &mut State) {
        let dead = self.rules.dead(state);
        let over = state.final_.each().fold(state.final_, |sum, x| sum | self.universe.excludes[x]);
        for i in 0..self.honest() {
            let member = &mut state.members[i];
            member.promised = self.rules.forget_dead(member.promised, dead);
            member.approved = member.approved & !over;
            member.signed = member.signed & !over;
        }
        let successor = &mut state.successor;
        successor.promised = self.rules.forget_dead(successor.promised, dead);
        successor.signed = successor.signed & !over;
    }
}
