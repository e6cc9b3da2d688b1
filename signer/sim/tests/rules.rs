//! Each safety rule is left out once, and the simulator sees it. The scenarios are quiet but for what makes the rule
//! matter; with all rules none of their runs shows a violation.

use std::collections::BTreeSet;

use igra_group::MemberIndex;
use igra_sim::{Fault, Sabotage, Scenario, Shape, run_in};

const MOST_SEEDS: u64 = 400;

fn shape(members: u8, threshold: u8, quorum: u8) -> Shape {
    Shape { members, threshold, quorum }
}

/// What the first run says in which it shows that the rule is broken; with all rules the same seeds are clean.
fn noticed(scenario: &Scenario, sabotage: Sabotage) -> String {
    let violation = |seed: u64, sabotage| run_in(seed, Some(scenario.clone()), sabotage, false).violation;
    let mut found = (0..MOST_SEEDS).filter_map(|seed| Some((seed, violation(seed, sabotage)?)));
    let (seed, noticed) = found.next().expect("no run shows the broken rule");
    for seed in seed.saturating_sub(2)..=seed {
        assert_eq!(violation(seed, Sabotage::None), None, "seed {seed} with all rules");
    }
    noticed
}

fn holds(violation: String, part: &str) {
    assert!(violation.contains(part), "{violation}");
}

/// Members whose disks go back in time while transactions take long to be accepted.
fn restored(members: &[u8]) -> Scenario {
    Scenario {
        events: 4,
        chaos_ms: 40_000,
        chances: [(Fault::NeverConfirms, 800)].into(),
        restored: members.iter().map(|member| (MemberIndex(*member), Fault::RestoredOld)).collect(),
        ..Scenario::quiet(shape(3, 2, 2))
    }
}

fn lying(scenario: Scenario, habits: &[Fault]) -> Scenario {
    let habits: BTreeSet<Fault> = habits.iter().copied().collect();
    Scenario { faulty: [(MemberIndex(0), habits)].into(), ..scenario }
}

#[test]
fn without_quarantine_a_restored_member_breaks_the_promises_that_it_lost() {
    holds(noticed(&restored(&[0]), Sabotage::QuarantineOff), "although it promised");
}

#[test]
fn a_signer_in_quarantine_that_pays_breaks_the_promises_that_it_lost() {
    holds(noticed(&restored(&[0, 1]), Sabotage::SweepsOnlyOff), "although it promised");
}

#[test]
fn a_second_loss_washed_under_the_first_tag_leaves_promises_open() {
    let scenario = Scenario { again_ms: 20_000, chaos_ms: 60_000, ..restored(&[0]) };
    holds(noticed(&scenario, Sabotage::FreshTagOff), "may become final");
}

#[test]
fn leaving_quarantine_by_what_is_accepted_leaves_promises_open() {
    holds(noticed(&restored(&[0]), Sabotage::WashAtFinalOff), "may become final");
}

#[test]
fn a_signer_that_leaves_without_the_ends_it_lost_is_noticed() {
    let scenario = Scenario { away: Some(MemberIndex(0)), chaos_ms: 60_000, ..restored(&[0]) };
    let scenario = Scenario { chances: Default::default(), ..scenario };
    holds(noticed(&scenario, Sabotage::TombstonesOff), "knows no end of");
}

#[test]
fn promises_before_the_first_hello_repeat_numbers_that_others_know() {
    let scenario = Scenario {
        events: 4,
        deposits: 8,
        batch: 1,
        chaos_ms: 5_000,
        latency_ms: 300,
        gossip_loss: 600,
        faulty: [(MemberIndex(1), [Fault::RestoredRecent].into())].into(),
        chances: [(Fault::NeverConfirms, 800)].into(),
        ..Scenario::quiet(shape(3, 2, 3))
    };
    holds(noticed(&scenario, Sabotage::GreetedOff), "again");
}

#[test]
fn a_liar_makes_the_group_sweep_for_ever_where_a_sweep_may_move_any_coin() {
    let scenario = lying(Scenario::quiet(shape(4, 3, 3)), &[Fault::EndlessSweeps, Fault::TagAfterTag]);
    holds(noticed(&scenario, Sabotage::SweepTagsOff), "under no tag that they lack");
}

#[test]
fn one_liar_ends_an_event_at_a_member_that_was_away_where_its_word_is_enough() {
    let away = Scenario {
        away: Some(MemberIndex(2)),
        events: 4,
        chances: [(Fault::NeverConfirms, 900)].into(),
        ..Scenario::quiet(shape(4, 3, 3))
    };
    holds(noticed(&lying(away, &[Fault::Claims]), Sabotage::StatementsOff), "and it is not");
}

#[test]
fn a_group_that_moves_and_goes_on_paying_is_noticed() {
    let scenario = Scenario { moves_ms: 6_000, events: 4, ..Scenario::quiet(shape(3, 2, 2)) };
    holds(noticed(&scenario, Sabotage::MovedPays), "although the group moves");
}

#[test]
fn a_new_group_that_does_not_wait_pays_what_the_old_one_has_signed() {
    let scenario = Scenario {
        moves_ms: 4_000,
        events: 4,
        chances: [(Fault::NeverConfirms, 900)].into(),
        ..Scenario::quiet(shape(3, 2, 2))
    };
    holds(noticed(&scenario, Sabotage::AwaitsPredecessorOff), "PaidTwice");
}

#[test]
fn an_event_whose_payment_lost_its_parent_never_ends_where_parents_do_not_count() {
    let scenario = Scenario {
        events: 4,
        deposits: 2,
        chances: [(Fault::DoubleSpend, 1_000), (Fault::ReorganiseTen, 100), (Fault::NeverConfirms, 700)]
            .into(),
        ..Scenario::quiet(shape(3, 2, 2))
    };
    holds(noticed(&scenario, Sabotage::ParentsOff), "sees no end");
}
