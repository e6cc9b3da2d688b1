//! `igra-bench`: what the parts of a payment cost by themselves. Figures, never assertions; `cargo xtask bench` runs it
//! before the bench of a whole group.

mod core;
mod kit;
mod simulator;
mod timing;
mod tx;

fn main() {
    timing::head();
    tx::benches();
    core::benches();
    simulator::report();
}
