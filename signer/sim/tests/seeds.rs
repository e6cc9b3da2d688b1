//! A few seeds for the ordinary tests, and the proof that the simulator sees what it is there to see.

use igra_sim::{Report, Sabotage, Scenario, run, shrink};

#[test]
fn forty_seeds_show_no_violation_and_something_is_paid() {
    let reports: Vec<Report> = (0..40).map(|seed| run(seed, Sabotage::None, false)).collect();
    for report in &reports {
        assert_eq!(report.violation, None, "seed {}", report.seed);
    }
    assert!(reports.iter().map(|report| report.paid).sum::<usize>() > 40);
    assert!(reports.iter().map(|report| report.liars).sum::<usize>() > 3);
}

#[test]
fn a_seed_tells_the_same_story_each_time() {
    let story = || run(7, Sabotage::None, true).trace;
    assert_eq!(story(), story());
}

fn first_noticed(sabotage: Sabotage) -> Report {
    let mut runs = (0..2_000).map(|seed| run(seed, sabotage, false));
    runs.find(|report| report.violation.is_some()).expect("no seed of 2 000 shows the broken rule")
}

#[test]
fn without_the_anchor_rule_a_member_approves_two_transactions_that_could_both_be_final() {
    let violation = first_noticed(Sabotage::AnchorOff).violation.unwrap_or_default();
    assert!(violation.contains("although it promised"), "{violation}");
}

#[test]
fn an_approval_that_leaves_before_it_is_written_is_noticed() {
    let violation = first_noticed(Sabotage::SendBeforeWrite).violation.unwrap_or_default();
    assert!(violation.contains("not on its disk"), "{violation}");
}

#[test]
fn taking_accepted_for_final_is_noticed() {
    let violation = first_noticed(Sabotage::AcceptedIsFinal).violation.unwrap_or_default();
    assert!(violation.contains("final"), "{violation}");
}

#[test]
fn a_certificate_of_too_few_is_noticed() {
    let violation = first_noticed(Sabotage::QuorumShort).violation.unwrap_or_default();
    assert!(violation.contains("too few approved"), "{violation}");
}

#[test]
fn approvals_beyond_the_volume_are_noticed() {
    let violation = first_noticed(Sabotage::ReserveOff).violation.unwrap_or_default();
    assert!(violation.contains("beyond its volume"), "{violation}");
}

#[test]
fn a_void_without_a_reason_is_noticed() {
    let violation = first_noticed(Sabotage::VoidReasonOff).violation.unwrap_or_default();
    assert!(violation.contains("voided, and nothing speaks against it"), "{violation}");
}

#[test]
fn a_failing_run_is_made_smaller_and_fails_in_the_same_way() {
    let seed = first_noticed(Sabotage::AcceptedIsFinal).seed;
    let shrunk = shrink(seed, Sabotage::AcceptedIsFinal, 60).expect("the seed fails");
    assert!(shrunk.report.violation.is_some_and(|violation| violation.contains("final")));
    assert!(shrunk.scenario.faults().len() < Scenario::of(seed).faults().len());
    assert!(shrunk.report.trace.iter().any(|line| line.contains("final")), "its story is told");
}
