//! `igra-bench`: what the parts of a payment cost by themselves. Figures, never assertions; `cargo xtask bench` runs it
//! before the bench of a whole group.

mod core;
mod kit;
mod simulator;
mod tx;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().sample_size(30).configure_from_args();
    tx::benches(&mut criterion);
    core::benches(&mut criterion);
    simulator::report();
    criterion.final_summary();
}
