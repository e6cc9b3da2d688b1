//! What seeds found once, each as a scenario of its own, so that another draw of the random numbers does not lose it.

use std::collections::BTreeMap;

use igra_group::MemberIndex;
use igra_sim::{Fault, Sabotage, Scenario, Shape, run_in};

fn shape(members: u8, threshold: u8, quorum: u8) -> Shape {
    Shape { members, threshold, quorum }
}

/// Every event comes to its end in each of these runs.
fn ends(scenario: &Scenario, seeds: u64) {
    for seed in 0..seeds {
        let report = run_in(seed, Some(scenario.clone()), Sabotage::None, false);
        assert_eq!(report.violation, None, "seed {seed} of {scenario}");
    }
}

fn goes_back(members: &[u8], fault: Fault) -> BTreeMap<MemberIndex, Fault> {
    members.iter().map(|member| (MemberIndex(*member), fault)).collect()
}

/// Seeds 156, 186 and 208.
#[test]
fn payments_that_get_nowhere_do_not_keep_their_coins_from_being_swept() {
    let scenario = Scenario {
        events: 4,
        deposits: 2,
        chances: [(Fault::NeverConfirms, 800), (Fault::Loss, 50), (Fault::Kill, 10)].into(),
        restored: goes_back(&[0, 1], Fault::RestoredOld),
        ..Scenario::quiet(shape(3, 2, 2))
    };
    ends(&scenario, 8);
}

/// Seeds 141 and 276.
#[test]
fn an_emptied_store_that_hears_its_own_past_does_not_take_it_for_a_second_copy() {
    let scenario = Scenario {
        latency_ms: 300,
        chances: [(Fault::Kill, 40), (Fault::Duplicate, 300), (Fault::Reorder, 300), (Fault::Delay, 100)]
            .into(),
        restored: goes_back(&[1, 2], Fault::Emptied),
        ..Scenario::quiet(shape(4, 3, 3))
    };
    ends(&scenario, 8);
}

/// Seeds 20 of this and 1505 and 1921 of an earlier draw.
#[test]
fn a_tag_whose_first_hello_is_lost_is_served_all_the_same() {
    let scenario = Scenario {
        chances: [(Fault::Loss, 300), (Fault::Reorder, 300), (Fault::Partition, 40)].into(),
        restored: goes_back(&[0], Fault::Emptied),
        ..Scenario::quiet(shape(3, 2, 3))
    };
    ends(&scenario, 8);
}

/// Seed 447.
#[test]
fn an_event_that_has_no_room_in_the_volume_holds_back_no_other_one() {
    let scenario = Scenario {
        events: 4,
        volume: 2_500_000_000,
        batch_wait_ms: 500,
        chances: [(Fault::Kill, 10), (Fault::Loss, 50)].into(),
        ..Scenario::quiet(shape(3, 2, 3))
    };
    ends(&scenario, 12);
}

/// Seed 246: without a deadline they wait for each other for ever.
#[test]
fn two_events_that_are_too_much_together_end_by_their_deadlines() {
    let scenario = Scenario {
        events: 4,
        volume: 2_500_000_000,
        deadline_seconds: 60,
        chances: [(Fault::Partition, 40), (Fault::Loss, 300)].into(),
        ..Scenario::quiet(shape(3, 2, 2))
    };
    ends(&scenario, 8);
}

/// Seed 1746: each wanted a sweep of its own first, and the others refused it.
#[test]
fn a_liar_that_tells_each_member_another_tag_does_not_hold_up_a_move() {
    let scenario = Scenario {
        moves_ms: 6_000,
        faulty: [(MemberIndex(0), [Fault::TagAfterTag].into())].into(),
        ..Scenario::quiet(shape(4, 3, 3))
    };
    ends(&scenario, 4);
}
