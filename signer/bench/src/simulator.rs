//! How fast the simulator itself is.

use std::time::Instant;

use igra_sim::{Sabotage, run};

const SEEDS: u64 = 40;

/// Virtual seconds for each real one.
pub fn report() {
    let start = Instant::now();
    let virtual_ms: u64 = (0..SEEDS).map(|seed| run(seed, Sabotage::None, false).virtual_ms).sum();
    let factor = virtual_ms as f64 / 1_000.0 / start.elapsed().as_secs_f64();
    println!("simulator: {factor:.0} virtual seconds a second over {SEEDS} seeds");
}
