//! The search itself: breadth first over every state that can be reached, and for liveness backwards again.

use std::{collections::hash_map::Entry, time::Instant};

use crate::{
    mask::Mask,
    memo::Memo,
    model::{Action, Model, Phase},
    state::State,
};

/// How much a search looked at, and what it found.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub states: usize,
    pub edges: u64,
    /// Steps of the longest of the shortest ways to a state.
    pub depth: usize,
    pub seconds: f64,
    pub finding: Finding,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Everything was looked at, and nothing is wrong.
    Nothing,
    /// Two final transactions name this event; one of the shortest ways there.
    EndedTwice { event: usize, way: Vec<Action> },
    /// In so many states this event can never end; one of the shortest ways to one of them.
    Stuck { event: usize, states: usize, way: Vec<Action> },
    /// The bound on states was reached, with nothing found so far.
    Unfinished,
}

/// Looks for a state in which one event ended twice.
pub fn safety(model: &mut Model<'_>, most_states: usize) -> Outcome {
    let started = Instant::now();
    let mut seen = Seen::new(most_states);
    let (mut layer, mut edges, mut depth) = (vec![(seen.first(), State::default())], 0, 0);
    let mut out = Vec::new();
    let mut finding = Finding::Nothing;
    'search: while !layer.is_empty() {
        let mut next_layer = Vec::new();
        for (from, state) in layer.drain(..) {
            model.next(&state, Phase::Anything, &mut out);
            for (_, next) in &out {
                edges += 1;
                let next = model.canonical(*next);
                let Some(found) = seen.add(next.fingerprint(), from) else { continue };
                if let Some(event) = model.ended_twice(&next) {
                    finding = Finding::EndedTwice { event, way: seen.way(model, found) };
                    break 'search;
                }
                next_layer.push((found, next));
            }
            if seen.is_full() {
                finding = Finding::Unfinished;
                break 'search;
            }
        }
        depth += usize::from(!next_layer.is_empty());
        layer = next_layer;
    }
    Outcome { states: seen.len(), edges, depth, seconds: started.elapsed().as_secs_f64(), finding }
}

/// Looks for a state from which an event can never end, although these members go on and nothing else goes wrong.
pub fn liveness(model: &mut Model<'_>, live: Mask, events: Mask, most_states: usize) -> Outcome {
    let started = Instant::now();
    let (mut seen, mut states, mut edges, depth) = reach(model, most_states);
    let finding = if seen.is_full() {
        Finding::Unfinished
    } else {
        let back = Backwards::of(model, &mut states, &mut seen, live);
        edges += back.edges();
        let stuck = events.each().find_map(|event| {
            let ends = |state: &State| model.universe.events_of(state.final_).has(event);
            let open = back.never_reaching(&states, ends);
            open.first().map(|first| (event, open.len(), *first))
        });
        stuck.map_or(Finding::Nothing, |(event, states, first)| Finding::Stuck {
            event,
            states,
            way: seen.way(model, first),
        })
    };
    Outcome { states: states.len(), edges, depth, seconds: started.elapsed().as_secs_f64(), finding }
}

/// Every state that can be reached, in the order of the steps it takes.
fn reach(model: &mut Model<'_>, most_states: usize) -> (Seen, Vec<State>, u64, usize) {
    let mut seen = Seen::new(most_states);
    let mut states = vec![State::default()];
    let mut steps = vec![0u16];
    seen.first();
    let (mut place, mut edges, mut out) = (0, 0, Vec::new());
    while place < states.len() && !seen.is_full() {
        model.next(&states[place].clone(), Phase::Anything, &mut out);
        for (_, next) in &out {
            edges += 1;
            let next = model.canonical(*next);
            if seen.add(next.fingerprint(), place as u32).is_some() {
                states.push(next);
                steps.push(steps[place] + 1);
            }
        }
        place += 1;
    }
    let depth = usize::from(steps.last().copied().unwrap_or(0));
    (seen, states, edges, depth)
}

/// The fingerprints of all states reached, numbered in order, and from where each was reached first.
struct Seen {
    numbers: Memo<u128, u32>,
    from: Vec<u32>,
    most: usize,
}

impl Seen {
    fn new(most: usize) -> Self {
        Self { numbers: Memo::default(), from: Vec::new(), most }
    }

    fn first(&mut self) -> u32 {
        self.add(State::default().fingerprint(), 0).expect("the first state is new")
    }

    /// The number of a new state; nothing if it was there.
    fn add(&mut self, fingerprint: u128, from: u32) -> Option<u32> {
        let number = self.from.len() as u32;
        match self.numbers.entry(fingerprint) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => {
                place.insert(number);
                self.from.push(from);
                Some(number)
            }
        }
    }

    fn len(&self) -> usize {
        self.from.len()
    }

    fn is_full(&self) -> bool {
        self.from.len() >= self.most
    }

    /// The actions from the beginning to a state, for members that keep their numbers: states are told apart only up
    /// to the exchange of like members, so each step is found again by its fingerprint.
    fn way(&self, model: &mut Model<'_>, to: u32) -> Vec<Action> {
        let mut numbers = vec![to];
        while let Some(number) = numbers.last().copied().filter(|number| *number != 0) {
            numbers.push(self.from[number as usize]);
        }
        let wanted = self.fingerprints(&numbers);
        let mut state = State::default();
        let (mut way, mut out) = (Vec::new(), Vec::new());
        for number in numbers.iter().rev().skip(1) {
            model.next(&state, Phase::Anything, &mut out);
            let found = out.iter().find(|(_, next)| model.canonical(*next).fingerprint() == wanted[number]);
            let (action, next) = found.expect("each state was reached from the one before it");
            way.push(*action);
            state = *next;
        }
        way
    }

    fn fingerprints(&self, numbers: &[u32]) -> std::collections::BTreeMap<u32, u128> {
        let wanted: std::collections::BTreeSet<&u32> = numbers.iter().collect();
        let known = self.numbers.iter().filter(|(_, number)| wanted.contains(number));
        known.map(|(fingerprint, number)| (*number, *fingerprint)).collect()
    }
}

/// The steps that the live members and a calm chain can make, turned round.
struct Backwards {
    /// By state: where its predecessors begin in `from`.
    begins: Vec<u32>,
    from: Vec<u32>,
}

impl Backwards {
    /// Steps in calm are steps that can happen, but for those that need more signatures than liars would leave to the
    /// adversary; so each ends in a state that was reached.
    fn of(model: &mut Model<'_>, states: &mut [State], seen: &mut Seen, live: Mask) -> Self {
        let mut edges: Vec<(u32, u32)> = Vec::new();
        let mut out = Vec::new();
        for (number, state) in states.iter().enumerate() {
            model.next(state, Phase::Calm { live }, &mut out);
            for (_, next) in &out {
                let fingerprint = model.canonical(*next).fingerprint();
                let to =
                    seen.numbers.get(&fingerprint).expect("calm steps lead to states that can be reached");
                edges.push((*to, number as u32));
            }
        }
        let mut begins = vec![0u32; states.len() + 1];
        for (to, _) in &edges {
            begins[*to as usize + 1] += 1;
        }
        for place in 0..states.len() {
            begins[place + 1] += begins[place];
        }
        let (mut free, mut from) = (begins.clone(), vec![0u32; edges.len()]);
        for (to, number) in edges {
            let place = &mut free[to as usize];
            from[*place as usize] = number;
            *place += 1;
        }
        Self { begins, from }
    }

    fn edges(&self) -> u64 {
        self.from.len() as u64
    }

    /// The states from which no way leads to one that fulfils this.
    fn never_reaching(&self, states: &[State], goal: impl Fn(&State) -> bool) -> Vec<u32> {
        let mut good: Vec<bool> = states.iter().map(goal).collect();
        let mut open: Vec<u32> = (0..states.len() as u32).filter(|number| good[*number as usize]).collect();
        while let Some(number) = open.pop() {
            let place = number as usize;
            for from in &self.from[self.begins[place] as usize..self.begins[place + 1] as usize] {
                if !std::mem::replace(&mut good[*from as usize], true) {
                    open.push(*from);
                }
            }
        }
        (0..states.len() as u32).filter(|number| !good[*number as usize]).collect()
    }
}
