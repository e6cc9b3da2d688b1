//! Rules broken on purpose, to show that the simulator notices. No shipped program can reach these: the rules of a
//! coordinator are constants of its type, and these types exist here only.

use igra_core::rules::{Rules, Strict};

use crate::{
    scenario::Scenario,
    world::{self, Order, Report},
};

/// Which rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    None,
    /// The anchor rule is not asked.
    AnchorOff,
    /// Messages leave before their records are written.
    SendBeforeWrite,
    /// A transaction counts as final once it is accepted.
    AcceptedIsFinal,
    /// A certificate holds one approval too few.
    QuorumShort,
    /// What is approved does not count in volumes.
    ReserveOff,
    /// What a proposal builds on does not count when it is asked whether the proposal is dead.
    ParentsOff,
    /// Anything may be voided.
    VoidReasonOff,
    /// A store that went back in time is used as if nothing had happened.
    QuarantineOff,
}

struct AnchorOff;

impl Rules for AnchorOff {
    const ANCHOR: bool = false;
}

struct AcceptedIsFinal;

impl Rules for AcceptedIsFinal {
    const FINAL_DEPTH: bool = false;
}

struct ReserveOff;

impl Rules for ReserveOff {
    const RESERVE: bool = false;
}

struct ParentsOff;

impl Rules for ParentsOff {
    const PARENTS: bool = false;
}

struct VoidReasonOff;

impl Rules for VoidReasonOff {
    const VOID_REASON: bool = false;
}

struct QuarantineOff;

impl Rules for QuarantineOff {
    const QUARANTINE: bool = false;
}

struct QuorumShort;

impl Rules for QuorumShort {
    const QUORUM: bool = false;
}

/// Runs one seed, with all rules or without one.
pub fn run(seed: u64, sabotage: Sabotage, trace: bool) -> Report {
    run_in(seed, None, sabotage, trace)
}

/// The same in another scenario than the seed's own.
pub fn run_in(seed: u64, scenario: Option<Scenario>, sabotage: Sabotage, trace: bool) -> Report {
    let order = match sabotage {
        Sabotage::SendBeforeWrite => Order::EffectsFirst,
        _other => Order::WritesFirst,
    };
    match sabotage {
        Sabotage::None | Sabotage::SendBeforeWrite => world::run::<Strict>(seed, scenario, order, trace),
        Sabotage::AnchorOff => world::run::<AnchorOff>(seed, scenario, order, trace),
        Sabotage::ReserveOff => world::run::<ReserveOff>(seed, scenario, order, trace),
        Sabotage::ParentsOff => world::run::<ParentsOff>(seed, scenario, order, trace),
        Sabotage::VoidReasonOff => world::run::<VoidReasonOff>(seed, scenario, order, trace),
        Sabotage::QuarantineOff => world::run::<QuarantineOff>(seed, scenario, order, trace),
        Sabotage::QuorumShort => world::run::<QuorumShort>(seed, scenario, order, trace),
        Sabotage::AcceptedIsFinal => world::run::<AcceptedIsFinal>(seed, scenario, order, trace),
    }
}
