//! Everything that decides whether money may move, as a pure function of recorded facts.
//!
//! A [`Coordinator`] is one signer's mind: it takes one [`Input`] and returns one [`Step`]: what to write, and then
//! what to do. It reads no clock, opens no file, spawns no task and rolls no dice, so the simulator drives the very
//! same code as the signer.

mod answers;
mod approvals;
mod batch;
mod catch_up;
mod chain;
mod choose;
mod closed;
mod coordinator;
mod dead;
mod equivocation;
mod follow;
mod gaps;
mod greeting;
mod halt;
mod history;
#[cfg(test)]
mod hostile_tests;
mod input;
mod intake;
mod internal;
mod judge;
mod lost;
pub mod messages;
mod offer;
mod own_seals;
mod parents;
mod peers;
mod policy;
mod predecessor;
mod promises;
mod propose;
mod pushing;
mod quarantine;
mod raise;
mod records;
mod replace;
mod restore;
#[doc(hidden)]
pub mod rules;
mod session;
mod signing;
mod statements;
mod step;
mod stir;
mod submit;
mod sweep;
mod tags;
#[cfg(test)]
mod test_kit;
#[cfg(test)]
mod tests;
mod view;
mod views;
mod void;
mod volume;
mod wash;

pub use approvals::{AnchorConflict, Earlier, anchor_rule};
pub use coordinator::{Coordinator, Timing};
#[doc(hidden)]
pub use dead::{Parents, killer};
pub use equivocation::Equivocation;
pub use halt::{Halt, HaltCause, Intervention, InterventionKind};
pub use input::{
    AcceptedBlock, AcceptedTransaction, BlockId, ChainUpdate, Evidence, Input, Millis, Now, Signs,
    SourceName, SubmitOutcome, UnixSeconds, VerifiedEvent, WalletUpdate,
};
pub use intake::Intake;
pub use messages::MessageKind;
pub use policy::{
    BatchRules, Consolidate, Denial, DenialCode, FeeWindow, InternalRules, Policy, PolicyDigest, SourceRules,
    Verdict, Volume, VolumeScope, VolumeWindow,
};
pub use predecessor::{Awaited, PredecessorView};
#[doc(hidden)]
pub use predecessor::{Handover, OldCoin, Waits, may_begin};
pub use quarantine::{QuarantineCause, QuarantineView};
pub use records::{Family, RecordError, Records, Row};
pub use session::SessionState;
pub use step::{Alarm, Effect, Ignored, Note, RefusalCode, Step, To};
pub use sweep::Missing;
pub use view::{GroupView, MemberView, SessionView};
pub use void::VoidReason;
#[doc(hidden)]
pub use wash::{FinalCoin, Move, Moves, Scan, Stays, carriers, is_washed, may_leave, may_sweep, unwashed};
