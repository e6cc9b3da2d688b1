//! An exhaustive search of the protocol's rules on small groups: every schedule of approvals, signatures, rollbacks
//! and reorganisations over a few transactions and coins, with the core's own functions as the rules.
//!
//! What was looked at and what was found stands in `docs/reference/proof.md`.

pub mod cases;
mod chain;
mod handover;
mod losses;
pub mod mask;
mod memo;
pub mod model;
mod promises;
pub mod rules;
pub mod search;
pub mod state;
pub mod story;
pub mod universe;
mod universes;
