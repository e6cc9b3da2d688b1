//! What the fuzz targets of this crate found and were given, run again.

#[path = "../../../fuzz/src/bounds.rs"]
mod bounds;
#[path = "../../../fuzz/src/replay.rs"]
mod replay;
#[path = "../../../fuzz/src/tx.rs"]
mod tx;

#[test]
fn invariant_16_every_input_that_is_kept_for_a_target_of_transactions_passes() {
    for (target, check) in tx::TARGETS {
        assert!(replay::replay(target, check) > 0, "no input is kept for {target}");
    }
}
