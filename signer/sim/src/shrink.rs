//! Makes a failing run smaller: faults are taken away, one kind after another, and events, as long as it still fails.

use std::collections::BTreeMap;

use crate::{
    keys::name,
    sabotage::{Sabotage, run_in},
    scenario::Scenario,
    world::Report,
};
use igra_group::MemberIndex;

/// What one fault less does to everything after it differs from seed to seed, so that several are tried.
const TRIES: u64 = 6;

/// The smallest failing run that was found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    pub scenario: Scenario,
    /// With its story.
    pub report: Report,
    /// How many runs it took.
    pub runs: u64,
}

/// Shrinks a failing seed with at most so many runs; nothing where the seed does not fail.
pub fn shrink(seed: u64, sabotage: Sabotage, most_runs: u64) -> Option<Shrunk> {
    let first = run_in(seed, None, sabotage, false);
    let kind = kind_of(first.violation.as_deref()?);
    let mut search = Search { sabotage, kind, runs: 1, most_runs };
    let (mut scenario, mut seed) = (Scenario::of(seed), seed);
    while let Some((smaller, its_seed)) = search.step(&scenario, seed) {
        (scenario, seed) = (smaller, its_seed);
    }
    let report = run_in(seed, Some(scenario.clone()), sabotage, true);
    Some(Shrunk { scenario, report, runs: search.runs })
}

struct Search {
    sabotage: Sabotage,
    kind: String,
    runs: u64,
    most_runs: u64,
}

impl Search {
    /// The first smaller scenario that fails in the same way.
    fn step(&mut self, scenario: &Scenario, seed: u64) -> Option<(Scenario, u64)> {
        for smaller in smaller(scenario) {
            for number in 0..TRIES {
                if self.runs >= self.most_runs {
                    return None;
                }
                self.runs += 1;
                let seed = seed.wrapping_add(number * 1_000_003);
                let report = run_in(seed, Some(smaller.clone()), self.sabotage, false);
                if report.violation.is_some_and(|violation| kind_of(&violation) == self.kind) {
                    return Some((smaller, seed));
                }
            }
        }
        None
    }
}

/// Scenarios with something taken away, those with the most taken first.
fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let mut found = Vec::new();
    let chances: Vec<_> = scenario.chances.iter().map(|(fault, chance)| (*fault, *chance)).collect();
    let mut size = chances.len();
    while size > 0 {
        for part in chances.chunks(size) {
            let kept = chances.iter().filter(|line| !part.contains(line)).copied();
            found.push(Scenario { chances: kept.collect::<BTreeMap<_, _>>(), ..scenario.clone() });
        }
        size /= 2;
    }
    for (member, faults) in &scenario.faulty {
        let mut without = scenario.clone();
        without.faulty.remove(member);
        found.push(without);
        for fault in faults.iter().filter(|_| faults.len() > 1) {
            let mut without = scenario.clone();
            without.faulty.entry(*member).or_default().remove(fault);
            found.push(without);
        }
    }
    for member in scenario.restored.keys() {
        let mut without = scenario.clone();
        without.restored.remove(member);
        found.push(without);
    }
    found.extend(calmer(scenario));
    found
}

/// The same faults with less of everything else.
fn calmer(scenario: &Scenario) -> impl Iterator<Item = Scenario> {
    let of = |change: fn(&mut Scenario)| {
        let mut calmer = scenario.clone();
        change(&mut calmer);
        calmer
    };
    let all = [
        of(|s| s.events = 1.min(s.events)),
        of(|s| s.events = s.events.saturating_sub(1).max(1)),
        of(|s| s.volume = 0),
        of(|s| s.gossip_loss = 0),
        of(|s| s.lag = 0),
        of(|s| s.consolidates = false),
        of(|s| s.moves_ms = 0),
        of(|s| s.away = None),
        of(|s| s.previous.clear()),
        of(|s| s.again_ms = 0),
        of(|s| s.turn_ms = 0),
        of(|s| s.survivors = s.shape.members),
        of(|s| s.restart_ms = 200.min(s.restart_ms)),
        of(|s| s.latency_ms = 5.min(s.latency_ms)),
        of(|s| s.chaos_ms = 10_000.min(s.chaos_ms)),
        of(|s| s.deposits = 2.min(s.deposits)),
    ];
    let before = scenario.clone();
    all.into_iter().filter(move |calmer| *calmer != before)
}

/// A violation without the names, numbers and hashes of its run.
fn kind_of(violation: &str) -> String {
    let members: Vec<&str> = (0..5).map(|member| name(MemberIndex(member))).collect();
    let plain = |word: &&str| {
        !members.contains(word)
            && word.chars().all(|letter| letter.is_ascii_alphabetic() || ",:".contains(letter))
    };
    violation.split_whitespace().filter(plain).take(8).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_known_again_whoever_it_concerns() {
        let one = "alpha sends an approval that is not on its disk";
        assert_eq!(kind_of(one), kind_of(&one.replace("alpha", "delta")));
        assert_ne!(kind_of(one), kind_of("alpha calls TransactionId(ab12…) final, and it is not"));
    }

    #[test]
    fn what_is_smaller_lacks_something_and_never_gains() {
        let scenario = Scenario::of(4);
        for smaller in smaller(&scenario) {
            assert_ne!(smaller, scenario);
            assert!(smaller.faults().is_subset(&scenario.faults()) && smaller.events <= scenario.events);
        }
    }
}
