//! What the world may tell the core: one [`Input`] at a time.

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{MemberIndex, Sompi, digest_type};
use igra_tx::{Coin, EventKey, FeeRate, Outpoint, Partial, Payment, ProposalId, TransactionId};
use serde::Serialize;

use crate::Policy;

/// Monotonic time in milliseconds since some moment of this process; for timeouts only.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, BorshSerialize, BorshDeserialize,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// Wall-clock time in seconds since 1970; for deadlines and volume windows only.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, BorshSerialize, BorshDeserialize,
)]
#[serde(transparent)]
pub struct UnixSeconds(pub u64);

/// The two clocks at the moment of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Now {
    pub monotonic: Millis,
    pub utc: UnixSeconds,
}

/// The name of an event source as the policy lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, BorshSerialize, BorshDeserialize)]
#[serde(transparent)]
pub struct SourceName(pub String);

/// What proves an event: opaque to the core, read by the source's verifier on each member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Evidence {
    pub source: SourceName,
    pub bytes: Vec<u8>,
}

/// An event that a verifier of this signer has proven.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct VerifiedEvent {
    pub payment: Payment,
    pub source: SourceName,
    /// Until when it may be approved for the first time; without one the policy's deadline counts from first sight.
    pub deadline: Option<UnixSeconds>,
    pub memo: String,
    pub evidence: Evidence,
}

digest_type!(
    /// A block of the Kaspa chain.
    BlockId
);

/// What the edge noticed of a store before it was opened: signs that it went back in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// It is a checkpoint that was made as a backup.
    pub backup: bool,
    /// The volume is not the one on which the store was made.
    pub other_volume: bool,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Input {
    /// A source of this signer verified an event at its own door.
    Event(VerifiedEvent),
    /// The answer to [`crate::Effect::Verify`].
    Verified {
        from: MemberIndex,
        event: VerifiedEvent,
    },
    /// The answer to [`crate::Effect::Verify`] where the evidence proves nothing; `permanent`: it never will.
    VerifyFailed {
        from: MemberIndex,
        evidence: Evidence,
        code: String,
        permanent: bool,
    },
    /// Sealed bytes from gossip or from a stream.
    Received(Vec<u8>),
    PeerUp(MemberIndex),
    PeerDown(MemberIndex),
    /// The answer to [`crate::Effect::Sign`].
    Signed(Partial),
    /// The answer to [`crate::Effect::Sign`] where the key could not sign.
    SignFailed {
        proposal: ProposalId,
        reason: String,
    },
    Chain(ChainUpdate),
    Wallet(WalletUpdate),
    NodeDown,
    /// The answer to [`crate::Effect::Submit`].
    Submitted {
        transaction: TransactionId,
        outcome: SubmitOutcome,
    },
    Policy(Policy),
    /// An administrator asks that the event is never paid.
    Cancel {
        event: EventKey,
        by: String,
    },
    /// The answer to [`crate::Effect::Draw`]: bytes that nobody can guess.
    Drawn([u8; 32]),
    /// An administrator says that the cause of a halt is gone.
    ClearHalt {
        reason: String,
    },
    /// An administrator takes it upon himself that this signer's records are whole.
    ReleaseQuarantine {
        reason: String,
    },
    /// The time of [`crate::Coordinator::next_deadline`] has come.
    Tick,
    /// An administrator takes it upon himself that the predecessor pays nothing more, and that what it paid is known.
    ReleasePredecessor {
        reason: String,
    },
    /// An administrator takes it upon himself that coins which the event's transactions spend, and which the own node
    /// does not show, never come back.
    CoinsLost {
        event: EventKey,
        reason: String,
    },
}

/// How the own node's virtual chain moved since the last cursor.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ChainUpdate {
    pub removed: Vec<BlockId>,
    /// In chain order; blocks that accepted nothing of the group's are left out, but the cursor moves past them.
    pub added: Vec<AcceptedBlock>,
    pub cursor: BlockId,
    /// DAA score of that block.
    pub cursor_daa: u64,
    pub virtual_daa: u64,
    /// The node did not know the cursor, so `added` begins anew and what is not final is forgotten first.
    pub restarted: bool,
    /// Nothing is missing between the cursor before and this one, or between the chain's beginning and this one.
    pub gapless: bool,
}

/// A chain block that accepted transactions that concern the group or its predecessor.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AcceptedBlock {
    pub block: BlockId,
    pub daa_score: u64,
    pub transactions: Vec<AcceptedTransaction>,
}

/// An accepted transaction that spends a coin of the group or of its predecessor, or pays one of them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AcceptedTransaction {
    pub id: TransactionId,
    /// All that it spends, the group's or not.
    pub spends: Vec<Outpoint>,
    /// Its outputs to the group: which, and how much.
    pub pays: Vec<(u32, Sompi)>,
    pub payload: Vec<u8>,
    /// It spends a coin of the group, so what its payload names counts.
    pub by_group: bool,
    /// It spends a coin of the group's predecessor, so what its payload names was paid or voided there.
    pub by_predecessor: bool,
    /// Members whose signatures it carries, as far as the edge could tell.
    pub signers: Vec<MemberIndex>,
    /// The whole transaction in the edge's encoding, to hand in again; empty if that is not at hand.
    pub body: Vec<u8>,
}

/// The group's coins as the own node shows them now: all of them, each time.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WalletUpdate {
    pub virtual_daa: u64,
    pub coins: Vec<Coin>,
    /// Those of the group's predecessor, all of them too.
    pub predecessor: Vec<Coin>,
    pub fee_rate: FeeRate,
    /// The node follows its network; without it nothing is approved.
    pub synced: bool,
}

/// What the own node said to a submitted transaction.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SubmitOutcome {
    InMempool,
    /// It has the transaction already, in its mempool or accepted.
    Known,
    Conflict(String),
    Orphan(String),
    Refused(String),
    Unavailable(String),
}
