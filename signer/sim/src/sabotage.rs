//! Rules broken on purpose, to show that the simulator notices. No shipped program can reach these: the rules of a
//! coordinator are constants of its type, and these types exist here only.

use igra_core::rules::{Rules, Strict};

use crate::{
    scenario::Scenario,
    world::{self, Order, Report},
};

/// Which rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    None,
    /// Messages leave before their records are written.
    SendBeforeWrite,
    /// The anchor rule is not asked.
    AnchorOff,
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
    /// One member is believed what the own node does not show.
    StatementsOff,
    /// Promises are made before anybody said hello.
    GreetedOff,
    /// A store that went back in time is used as if nothing had happened.
    QuarantineOff,
    /// A signer in quarantine promises anything.
    SweepsOnlyOff,
    /// A second loss is washed under the tag of the first.
    FreshTagOff,
    /// A sweep may move any coin.
    SweepTagsOff,
    /// Quarantine ends by what is accepted.
    WashAtFinalOff,
    /// Quarantine ends without the events that the chain names as final.
    TombstonesOff,
    /// A group that moves goes on paying.
    MovedPays,
    /// A group to which another one moves pays at once.
    AwaitsPredecessorOff,
}

/// A set of rules without one of them.
macro_rules! without {
    ($($rules:ident lacks $rule:ident;)*) => {
        $(
            struct $rules;

            impl Rules for $rules {
                const $rule: bool = false;
            }
        )*
    };
}

without! {
    AnchorOff lacks ANCHOR;
    AcceptedIsFinal lacks FINAL_DEPTH;
    QuorumShort lacks QUORUM;
    ReserveOff lacks RESERVE;
    ParentsOff lacks PARENTS;
    VoidReasonOff lacks VOID_REASON;
    StatementsOff lacks STATEMENTS;
    GreetedOff lacks GREETED;
    QuarantineOff lacks QUARANTINE;
    SweepsOnlyOff lacks SWEEPS_ONLY;
    FreshTagOff lacks FRESH_TAG;
    SweepTagsOff lacks SWEEP_TAGS;
    WashAtFinalOff lacks WASH_AT_FINAL;
    TombstonesOff lacks TOMBSTONES;
    MovedPays lacks MOVED_PAYS_NOTHING;
    AwaitsPredecessorOff lacks AWAITS_PREDECESSOR;
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
        Sabotage::AcceptedIsFinal => world::run::<AcceptedIsFinal>(seed, scenario, order, trace),
        Sabotage::QuorumShort => world::run::<QuorumShort>(seed, scenario, order, trace),
        Sabotage::ReserveOff => world::run::<ReserveOff>(seed, scenario, order, trace),
        Sabotage::ParentsOff => world::run::<ParentsOff>(seed, scenario, order, trace),
        Sabotage::VoidReasonOff => world::run::<VoidReasonOff>(seed, scenario, order, trace),
        Sabotage::StatementsOff => world::run::<StatementsOff>(seed, scenario, order, trace),
        Sabotage::GreetedOff => world::run::<GreetedOff>(seed, scenario, order, trace),
        Sabotage::QuarantineOff => world::run::<QuarantineOff>(seed, scenario, order, trace),
        Sabotage::SweepsOnlyOff => world::run::<SweepsOnlyOff>(seed, scenario, order, trace),
        Sabotage::FreshTagOff => world::run::<FreshTagOff>(seed, scenario, order, trace),
        Sabotage::SweepTagsOff => world::run::<SweepTagsOff>(seed, scenario, order, trace),
        Sabotage::WashAtFinalOff => world::run::<WashAtFinalOff>(seed, scenario, order, trace),
        Sabotage::TombstonesOff => world::run::<TombstonesOff>(seed, scenario, order, trace),
        Sabotage::MovedPays => world::run::<MovedPays>(seed, scenario, order, trace),
        Sabotage::AwaitsPredecessorOff => world::run::<AwaitsPredecessorOff>(seed, scenario, order, trace),
    }
}
