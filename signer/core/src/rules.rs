//! The safety rules that the simulator may leave out, to show that it notices.
//!
//! A signer's [`crate::Coordinator`] is always a `Coordinator<Strict>`: the rules are constants of its type, so the
//! shipped program holds no switch, and no value in memory, file or message can turn one off.

/// Which rules hold. All do, unless an implementation outside this crate says otherwise.
pub trait Rules {
    /// The anchor rule is asked before an approval.
    const ANCHOR: bool = true;
    /// A transaction is final at final depth, and not as soon as it is accepted.
    const FINAL_DEPTH: bool = true;
    /// What a signer approves counts in volumes from then on.
    const RESERVE: bool = true;
    /// What a proposal builds on counts when it is asked whether the proposal is dead.
    const PARENTS: bool = true;
    /// A void needs a reason that this signer sees itself.
    const VOID_REASON: bool = true;
    /// What the own node no longer shows is believed from f + 1 members, and not from one.
    const STATEMENTS: bool = true;
    /// A certificate holds q approvals, and not one fewer.
    const QUORUM: bool = true;
    /// Before its first promise after a start a signer has hello from q − 1 others.
    const GREETED: bool = true;
    /// The signs of a store that went back in time bring about quarantine.
    const QUARANTINE: bool = true;
    /// A signer in quarantine promises sweeps only.
    const SWEEPS_ONLY: bool = true;
    /// Each sign, and each start inside quarantine, asks for another tag.
    const FRESH_TAG: bool = true;
    /// A sweep brings each of its coins a tag that the coin lacks and that is served here.
    const SWEEP_TAGS: bool = true;
    /// Quarantine ends by what stands at final depth, and not by what is accepted.
    const WASH_AT_FINAL: bool = true;
    /// Quarantine ends only with a tombstone for each event that the chain names as final.
    const TOMBSTONES: bool = true;
    /// Who approved the move to another group, or saw one accepted, pays nothing more.
    const MOVED_PAYS_NOTHING: bool = true;
    /// A group with a predecessor promises nothing before the predecessor's coins have moved.
    const AWAITS_PREDECESSOR: bool = true;
}

/// All rules: the only set that a signer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strict;

impl Rules for Strict {}
