//! What the fuzz targets of this crate found and were given, run again.

use igra_core::Family;

#[path = "../../../fuzz/src/lib.rs"]
#[allow(dead_code, reason = "the targets of transactions run in their own crate")]
mod fuzz;
#[path = "../../../fuzz/src/replay.rs"]
mod replay;

#[test]
fn invariant_16_every_input_that_is_kept_for_a_target_of_the_core_passes() {
    for (target, check) in fuzz::CORE_TARGETS {
        assert!(replay::replay(target, check) > 0, "no input is kept for {target}");
    }
}

#[test]
fn conversations_come_as_far_as_a_certificate_and_a_tombstone() {
    let families = |input: &[u8]| fuzz::talk::after(input).expect("it has a first byte").families();
    let certified = include_bytes!("../../../fuzz/corpus/talk/certified");
    // Four bytes that accept the transaction, three that make it final.
    let before = families(&certified[..certified.len() - 7]);
    let paid = [families(certified), families(include_bytes!("../../../fuzz/corpus/talk/paid"))];
    assert!(before.contains(&Family::Certificate) && before.contains(&Family::Partial), "{before:?}");
    assert!(paid.iter().all(|families| families.contains(&Family::Tombstone)), "{paid:?}");
}
