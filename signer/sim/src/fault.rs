//! Everything that may go wrong in a run, by the names of the fault matrix.

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Kill,
    KillInRecovery,
    TwoCopies,
    TornWrite,
    LostWrite,
    DiskFull,
    ReadError,
    RestoredRecent,
    RestoredOld,
    Emptied,
    ClockSecond,
    ClockMinutes,
    ClockBack,
    ClockFrozen,
    Loss,
    Duplicate,
    Reorder,
    Delay,
    Partition,
    OneWay,
    HealStorm,
    Garbage,
    Oversize,
    WrongGroup,
    OldEpoch,
    Equivocation,
    OtherSignature,
    Replay,
    Flood,
    Silence,
    BadProposal,
    Claims,
    Refusals,
    NobodysEvents,
    Voids,
    TagAfterTag,
    EndlessSweeps,
    Stale,
    FalseCoins,
    Eviction,
    DoubleSpend,
    ReorganiseOne,
    ReorganiseTen,
    ReorganiseDeep,
    FeeSpike,
    Orphan,
    NeverConfirms,
    NodeDown,
    HistoryGap,
    SourceRemoved,
    SourceReorganised,
    SourceDuplicate,
    SourceGap,
    OtherPayload,
    OtherPolicy,
    OtherFeeBounds,
    OtherDigest,
    PreviousVersion,
    ApprovalLate,
    ApprovalOfChanged,
    Pause,
    Cancel,
}

/// A fault's row: its group and name in the matrix, and the chances per mille that a seed draws from. Where nothing is
/// drawn, the reason stands instead.
type Line = (Fault, &'static str, &'static str, Chances);

#[derive(Clone, Copy)]
enum Chances {
    Of(&'static [u32]),
    /// A habit of members that lie.
    Liars,
    /// It strikes certain members; each seed says which.
    Chosen,
    /// It cannot concern the core, or the core knows nothing of it yet.
    Never(&'static str),
}

use Chances::{Chosen, Liars, Never, Of};

const LINES: &[Line] = &[
    (Fault::Kill, "process", "killed at a write or effect", Of(&[0, 2, 10, 40])),
    (Fault::KillInRecovery, "process", "killed in recovery", Of(&[0, 0, 100, 400])),
    (Fault::TwoCopies, "process", "two copies running", Chosen),
    (Fault::TornWrite, "disk", "torn write", Of(&[0, 0, 5, 20])),
    (Fault::LostWrite, "disk", "lost unsynced write", Of(&[0, 500, 1_000])),
    (Fault::DiskFull, "disk", "full", Of(&[0, 0, 5, 20])),
    (
        Fault::ReadError,
        "disk",
        "read error",
        Never("the process does not start, so there is no core to concern"),
    ),
    (Fault::RestoredRecent, "disk", "restored, a few writes old", Chosen),
    (Fault::RestoredOld, "disk", "restored, of any age", Chosen),
    (Fault::Emptied, "disk", "emptied", Chosen),
    (Fault::ClockSecond, "clock", "steps by a second", Of(&[0, 0, 100])),
    (Fault::ClockMinutes, "clock", "steps ten minutes on", Of(&[0, 0, 30])),
    (Fault::ClockBack, "clock", "steps ten minutes back", Of(&[0, 0, 30])),
    (Fault::ClockFrozen, "clock", "freezes", Of(&[0, 0, 60])),
    (Fault::Loss, "network", "loses", Of(&[0, 10, 50, 300])),
    (Fault::Duplicate, "network", "repeats", Of(&[0, 50, 300])),
    (Fault::Reorder, "network", "reorders", Of(&[0, 50, 300])),
    (Fault::Delay, "network", "delays by five seconds", Of(&[0, 0, 20, 100])),
    (Fault::Partition, "network", "parts", Of(&[0, 0, 40])),
    (Fault::OneWay, "network", "one way only", Of(&[0, 0, 40])),
    (Fault::HealStorm, "network", "everything held back comes at once", Of(&[0, 500, 1_000])),
    (Fault::Garbage, "peer", "garbage", Liars),
    (Fault::Oversize, "peer", "oversize", Liars),
    (Fault::WrongGroup, "peer", "wrong group", Liars),
    (Fault::OldEpoch, "peer", "old epoch", Liars),
    (Fault::Equivocation, "peer", "equivocates", Liars),
    (Fault::OtherSignature, "peer", "valid signature of another transaction", Liars),
    (Fault::Replay, "peer", "replays old seals", Liars),
    (Fault::Flood, "peer", "floods", Liars),
    (Fault::Silence, "peer", "silent after proposing", Liars),
    (Fault::BadProposal, "peer", "proposes what is wrong", Liars),
    (Fault::Claims, "peer", "claims what nobody sees", Liars),
    (Fault::Refusals, "peer", "refuses every coin", Liars),
    (Fault::NobodysEvents, "peer", "events that nobody verified", Liars),
    (Fault::Voids, "peer", "voids without reason", Liars),
    (Fault::TagAfterTag, "peer", "asks for tag after tag", Liars),
    (Fault::EndlessSweeps, "peer", "sweeps and consolidates without end", Liars),
    (Fault::Stale, "node", "stale", Of(&[0, 0, 40])),
    (Fault::FalseCoins, "node", "lies about coins", Of(&[0, 0, 0, 20])),
    (Fault::Eviction, "node", "evicts from the mempool", Of(&[0, 0, 100, 300])),
    (Fault::DoubleSpend, "node", "a deposit is spent elsewhere", Of(&[0, 0, 300])),
    (Fault::ReorganiseOne, "node", "reorganises 1", Of(&[0, 60])),
    (Fault::ReorganiseTen, "node", "reorganises 10", Of(&[0, 0, 60])),
    (Fault::ReorganiseDeep, "node", "reorganises up to final", Of(&[0, 0, 60])),
    (Fault::FeeSpike, "node", "fees a thousandfold", Of(&[0, 0, 60])),
    (Fault::Orphan, "node", "calls it an orphan", Of(&[0, 0, 200])),
    (Fault::NeverConfirms, "node", "accepts and does not confirm", Of(&[0, 300, 800])),
    (Fault::NodeDown, "node", "down", Of(&[0, 0, 20])),
    (Fault::HistoryGap, "node", "remembers less than its member missed", Chosen),
    (Fault::SourceRemoved, "source", "removed", Of(&[0, 0, 200])),
    (
        Fault::SourceReorganised,
        "source",
        "reorganised",
        Never("to the core the same as removed: the verifier refuses the evidence from then on"),
    ),
    (Fault::SourceDuplicate, "source", "duplicate", Of(&[0, 200])),
    (Fault::SourceGap, "source", "gap", Of(&[0, 200])),
    (Fault::OtherPayload, "source", "other payload", Of(&[0, 200])),
    (Fault::OtherPolicy, "config", "other policy", Of(&[0, 0, 30])),
    (Fault::OtherFeeBounds, "config", "other fee bounds", Of(&[0, 0, 30])),
    (Fault::OtherDigest, "config", "other digest", Of(&[0, 0, 20])),
    (Fault::PreviousVersion, "config", "previous version", Chosen),
    (Fault::ApprovalLate, "people", "approves too late", Never("the core knows no approval by people yet")),
    (
        Fault::ApprovalOfChanged,
        "people",
        "approves what changed",
        Never("the core knows no approval by people yet"),
    ),
    (Fault::Pause, "people", "pauses", Of(&[0, 0, 30])),
    (Fault::Cancel, "people", "cancels", Of(&[0, 0, 200])),
];

impl Fault {
    /// All kinds, in the order of the matrix.
    pub fn all() -> impl Iterator<Item = Self> {
        LINES.iter().map(|(fault, ..)| *fault)
    }

    /// Process, disk, clock and so on.
    pub fn group(self) -> &'static str {
        self.line().1
    }

    /// What happens, in words.
    pub fn name(self) -> &'static str {
        self.line().2
    }

    /// Why it does not concern the core, if so.
    pub fn never(self) -> Option<&'static str> {
        match self.line().3 {
            Never(reason) => Some(reason),
            Of(_) | Liars | Chosen => None,
        }
    }

    /// The chances per mille that a seed draws one of.
    pub fn chances(self) -> &'static [u32] {
        match self.line().3 {
            Of(chances) => chances,
            Liars | Chosen | Never(_) => &[],
        }
    }

    /// The habits that a lying member may have.
    pub fn habits() -> impl Iterator<Item = Self> {
        LINES.iter().filter(|(.., chances)| matches!(chances, Liars)).map(|(fault, ..)| *fault)
    }

    fn line(self) -> &'static Line {
        LINES.iter().find(|(fault, ..)| *fault == self).expect("every fault has its line")
    }
}
