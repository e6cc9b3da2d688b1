//! What the core wants done: a [`Step`] is first what to write, then what to do.

use igra_group::{MemberIndex, Sompi};
use igra_tx::{
    EventKey, Outpoint, Proposal, ProposalId, ProposalKind, SignedTransaction, Tag, TransactionId,
};

use crate::{Denial, Evidence, MessageKind, Row, SourceName, messages::OpenError};

/// The outcome of one input. All writes are durable before the first effect is performed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub writes: Vec<Row>,
    pub effects: Vec<Effect>,
    /// Why the input changed nothing.
    pub ignored: Option<Ignored>,
    pub alarms: Vec<Alarm>,
}

/// Something to do once the step's writes are durable. Repeating one is harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Seal with [`crate::messages::seal`] under this epoch and sequence and send.
    Send { to: To, kind: MessageKind, epoch: u64, sequence: u64, body: Vec<u8> },
    /// Somebody else's sealed message, to be passed on as it is.
    Relay { to: To, sealed: Vec<u8> },
    /// Ask the source's verifier; answered by `Verified` or `VerifyFailed`.
    Verify { from: MemberIndex, evidence: Evidence },
    /// Sign every input; answered by `Signed` or `SignFailed`. Nothing leaves before its record is durable.
    Sign { proposal: Proposal },
    /// Hand to the own node; answered by `Submitted`. `replaces`: it pays more for coins that another one of ours spends.
    Submit { transaction: SignedTransaction, replaces: bool },
    /// Hand a transaction that was accepted before to the own node again, in the encoding that the edge gave it.
    SubmitRaw { transaction: TransactionId, body: Vec<u8> },
    /// Draw 32 fresh random bytes; answered by `Drawn`.
    Draw,
    /// For logs, metrics and audit.
    Note(Note),
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    All,
    Member(MemberIndex),
}

/// Why an input had no effect. Not an error: counted, logged at debug, and forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// The sealed bytes did not open.
    Unopened(OpenError),
    /// The body is none of its kind.
    Malformed(MessageKind),
    /// A version of this program that is newer than this one wrote the body.
    NewerVersion(MessageKind),
    Duplicate,
    OldEpoch,
    OwnMessage,
    UnknownEvent,
    UnknownProposal,
    KnownEvent,
    FinalEvent,
    /// It came to nothing here, and nobody is known to have approved anything for it.
    ClosedEvent,
    /// Same event key, other payload.
    Replayed,
    Denied,
    NotTheProposer,
    StaleView,
    /// A proposal for a view that too few members report; kept until they do.
    EarlyView,
    /// An approval under another configuration digest.
    OtherConfig,
    /// An approval or a partial that is none of this proposal.
    Mismatch,
    BadPartial,
    TooMany,
    VerifyFailed,
    UnknownMember,
    UnknownTransaction,
    NothingToSign,
    /// This signer stopped promising after an alarm.
    Stopped,
    TooLarge,
    /// Nothing of the kind stands against promising.
    NothingToClear,
    /// No tag is wanted.
    NothingToDraw,
    /// Asked for an interval of the chain that the own node did not show, or while in quarantine.
    NotFollowed,
    /// History that was not asked for.
    NotAsked,
    /// The own node shows all that the event's transactions spend, or is behind.
    NothingLost,
    /// Its sender was answered more than its share lately; the next regular exchange asks again.
    AskedTooMuch,
}

/// An invariant seen broken, or somebody caught breaking one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// The same event key came with another payload.
    #[error("event {event} came with another payload")]
    Replayed { event: EventKey, from: Option<MemberIndex> },
    /// One member gave two promises the same number.
    #[error("member {} gave promise {promise} to {first} and to {second}", member.0)]
    Equivocation { member: MemberIndex, promise: u64, first: ProposalId, second: ProposalId },
    /// A message sealed by this member proves a promise that the store does not have.
    #[error("a message under the own seal proves promise {promise}, which the store does not have")]
    OwnPromiseUnknown { promise: u64 },
    /// A message sealed by this member under an epoch that it did not use: a second copy runs somewhere.
    #[error("a message under the own seal has epoch {epoch}, which this signer did not use")]
    OwnEpochUnknown { epoch: u64 },
    /// The signing key gave a partial that does not verify.
    #[error("the own partial for {proposal} does not verify: {reason}")]
    OwnPartialBad { proposal: ProposalId, reason: String },
    /// The signing key could not sign: it is not the member's, or the proposal cannot be signed at all.
    #[error("the own key could not sign {proposal}: {reason}")]
    SignFailed { proposal: ProposalId, reason: String },
    /// Verified partials did not make a valid transaction.
    #[error("verified partials for {proposal} do not make a valid transaction: {reason}")]
    CombineFailed { proposal: ProposalId, reason: String },
    /// A second final transaction names the event.
    #[error("{first} and {second} are both final for event {event}")]
    PaidTwice { event: EventKey, first: TransactionId, second: TransactionId },
}

/// Why a proposal was refused; the code travels to peers, so names and order are stable.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    borsh::BorshSerialize,
    borsh::BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    UnknownEvent,
    Final,
    Accepted,
    Expired,
    Policy,
    Held,
    /// Points 4 to 9 of the check; the detail has the code.
    Check,
    Spent,
    Anchor,
    SameTransaction,
    NodeNotSynced,
    Stopped,
    /// This signer sees no reason to void the event.
    NoVoidReason,
    /// It has not had what it needs since its start: the others' hello, its node's view of the wallet.
    Starting,
    /// It is in quarantine.
    Quarantined,
    /// A sweep that brings a coin no tag which it lacks.
    Tags,
    /// The group moves to its successor.
    Moved,
    /// A coin that was promised to a transaction for other events a moment ago.
    Reserved,
    /// The coins of its predecessor have not all moved here.
    Predecessor,
}

/// A fact worth a log line, a metric or an audit record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    EventTaken {
        event: EventKey,
        source: SourceName,
        amount: Sompi,
        from: Option<MemberIndex>,
    },
    EventDenied {
        event: EventKey,
        denial: Denial,
    },
    EventHeld {
        event: EventKey,
        denial: Denial,
    },
    EvidenceRejected {
        from: MemberIndex,
        source: SourceName,
        code: String,
    },
    Proposed {
        kind: ProposalKind,
        events: Vec<EventKey>,
        proposal: ProposalId,
        view: u64,
    },
    DraftFailed {
        event: EventKey,
        reason: String,
    },
    Refused {
        proposal: ProposalId,
        code: RefusalCode,
        detail: String,
        outpoints: Vec<Outpoint>,
    },
    PeerRefused {
        from: MemberIndex,
        proposal: ProposalId,
        code: RefusalCode,
        detail: String,
    },
    Approved {
        kind: ProposalKind,
        events: Vec<EventKey>,
        proposal: ProposalId,
        promise: u64,
    },
    PeerApproved {
        from: MemberIndex,
        proposal: ProposalId,
    },
    Certified {
        proposal: ProposalId,
    },
    PartialMade {
        proposal: ProposalId,
    },
    Assembled {
        events: Vec<EventKey>,
        proposal: ProposalId,
        transaction: TransactionId,
    },
    Submitted {
        transaction: TransactionId,
        outcome: crate::SubmitOutcome,
    },
    Accepted {
        events: Vec<EventKey>,
        transaction: TransactionId,
        daa_score: u64,
    },
    Reorganised {
        events: Vec<EventKey>,
        transaction: TransactionId,
    },
    Settled {
        events: Vec<EventKey>,
        transaction: TransactionId,
    },
    Final {
        events: Vec<EventKey>,
        transaction: TransactionId,
    },
    /// Somebody paid the group.
    Deposited {
        transaction: TransactionId,
        amount: Sompi,
    },
    Dead {
        proposal: ProposalId,
        by: TransactionId,
    },
    /// Somebody who may do so asked that it is never paid.
    Cancelled {
        event: EventKey,
        by: String,
    },
    Expired {
        event: EventKey,
    },
    /// An event that came to nothing costs no more than a note from now on.
    Closed {
        event: EventKey,
        denial: Denial,
    },
    ViewMoved {
        view: u64,
        proposer: MemberIndex,
    },
    PolicyChanged {
        digest: crate::PolicyDigest,
    },
    /// This signer promises nothing more until an administrator clears it.
    Halted {
        halt: crate::Halt,
    },
    /// The store may have lost promises: none but for sweeps until the wallet is washed.
    Quarantined {
        cause: crate::QuarantineCause,
    },
    TagDrawn {
        tag: Tag,
    },
    /// What was final in a gap of the own node's history is known from others.
    GapClosed {
        from: u64,
        to: u64,
        ended: usize,
        doubted: usize,
    },
    /// Every coin is washed, and every event that is final has its tombstone.
    QuarantineLeft,
    /// This member pays nothing more from this group.
    PaymentsEnded,
    /// Every coin of the predecessor has moved: this signer may promise from now on.
    PredecessorMoved,
    /// An administrator took something upon himself.
    Intervened(crate::Intervention),
}

impl Step {
    pub(crate) fn note(&mut self, note: Note) {
        self.effects.push(Effect::Note(note));
    }
}

impl Ignored {
    /// A label for metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unopened(error) => error.as_str(),
            Self::Malformed(_) => "malformed",
            Self::NewerVersion(_) => "newer_version",
            Self::Duplicate => "duplicate",
            Self::OldEpoch => "old_epoch",
            Self::OwnMessage => "own_message",
            Self::UnknownEvent => "unknown_event",
            Self::UnknownProposal => "unknown_proposal",
            Self::KnownEvent => "known_event",
            Self::FinalEvent => "final_event",
            Self::ClosedEvent => "closed_event",
            Self::Replayed => "replayed",
            Self::Denied => "denied",
            Self::NotTheProposer => "not_the_proposer",
            Self::StaleView => "stale_view",
            Self::EarlyView => "early_view",
            Self::OtherConfig => "other_config",
            Self::Mismatch => "mismatch",
            Self::BadPartial => "bad_partial",
            Self::TooMany => "too_many",
            Self::VerifyFailed => "verify_failed",
            Self::UnknownMember => "unknown_member",
            Self::UnknownTransaction => "unknown_transaction",
            Self::NothingToSign => "nothing_to_sign",
            Self::Stopped => "stopped",
            Self::TooLarge => "too_large",
            Self::NothingToClear => "nothing_to_clear",
            Self::NothingToDraw => "nothing_to_draw",
            Self::NotFollowed => "not_followed",
            Self::NotAsked => "not_asked",
            Self::NothingLost => "nothing_lost",
            Self::AskedTooMuch => "asked_too_much",
        }
    }
}

impl Alarm {
    /// A label for metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Replayed { .. } => "replayed",
            Self::Equivocation { .. } => "equivocation",
            Self::OwnPromiseUnknown { .. } => "own_promise_unknown",
            Self::OwnEpochUnknown { .. } => "own_epoch_unknown",
            Self::OwnPartialBad { .. } => "own_partial_bad",
            Self::SignFailed { .. } => "sign_failed",
            Self::CombineFailed { .. } => "combine_failed",
            Self::PaidTwice { .. } => "paid_twice",
        }
    }
}

impl RefusalCode {
    /// The stable name: a label for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownEvent => "unknown_event",
            Self::Final => "final",
            Self::Accepted => "accepted",
            Self::Expired => "expired",
            Self::Policy => "policy",
            Self::Held => "held",
            Self::Check => "check",
            Self::Spent => "spent",
            Self::Anchor => "anchor",
            Self::SameTransaction => "same_transaction",
            Self::NodeNotSynced => "node_not_synced",
            Self::Stopped => "stopped",
            Self::NoVoidReason => "no_void_reason",
            Self::Starting => "starting",
            Self::Quarantined => "quarantined",
            Self::Tags => "tags",
            Self::Moved => "moved",
            Self::Reserved => "reserved",
            Self::Predecessor => "predecessor",
        }
    }
}
