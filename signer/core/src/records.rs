//! A signer's own durable promises and what it knew: rows by family, each value with a version byte.

mod reading;
mod rewrite;
mod rows;
#[cfg(test)]
mod tests;
mod versions;

use std::{collections::BTreeMap, fmt};

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{ConfigDigest, MemberIndex, Sompi};
use igra_tx::{
    EventKey, Outpoint, Partial, Payment, Proposal, ProposalId, ProposalKind, SignedTransaction,
    TransactionId, payload::Link,
};

use crate::{
    BlockId, Denial, Equivocation, Halt, Intervention, UnixSeconds, VerifiedEvent,
    closed::Closed,
    gaps::Gaps,
    predecessor::Inheritance,
    quarantine::{Birth, Past, Quarantine},
    statements::Statements,
    void::Objection,
    volume::Volumes,
};

/// The version in which records are written; earlier ones are read.
pub(crate) const VERSION: u8 = 4;

/// What a row is about; one column family each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    Meta,
    Event,
    Approval,
    Proposal,
    Certificate,
    Partial,
    Outbox,
    Volume,
    Chain,
    Tombstone,
    Held,
    Ring,
}

/// One change of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub family: Family,
    pub key: Vec<u8>,
    /// None deletes.
    pub value: Option<Vec<u8>>,
    /// Must be synced to the disk before the step's effects.
    pub promise: bool,
}

/// Everything that a store holds, read and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    pub(crate) epoch: u64,
    pub(crate) halt: Option<Halt>,
    pub(crate) quarantine: Option<Quarantine>,
    pub(crate) past: Option<Past>,
    pub(crate) birth: Option<Birth>,
    pub(crate) interventions: Vec<Intervention>,
    pub(crate) events: BTreeMap<EventKey, EventRecord>,
    /// By promise number.
    pub(crate) approvals: BTreeMap<u64, ApprovalRecord>,
    pub(crate) proposals: BTreeMap<ProposalId, Proposal>,
    pub(crate) gaps: Gaps,
    /// An earlier version recorded that there is a gap, and perhaps not where.
    gap_somewhere: bool,
    /// Events that some members, and too few, named as ended in a gap, and one transaction that they named.
    pub(crate) doubted: BTreeMap<EventKey, TransactionId>,
    pub(crate) statements: Statements,
    /// What approved proposals build on.
    pub(crate) parents: BTreeMap<TransactionId, ParentRecord>,
    pub(crate) certificates: BTreeMap<ProposalId, CertificateRecord>,
    pub(crate) partials: BTreeMap<ProposalId, Partial>,
    pub(crate) outbox: BTreeMap<TransactionId, OutboxRecord>,
    pub(crate) volumes: Volumes,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) chain: BTreeMap<TransactionId, ChainRecord>,
    pub(crate) dead: BTreeMap<ProposalId, TransactionId>,
    pub(crate) tombstones: BTreeMap<EventKey, Tombstone>,
    pub(crate) objections: BTreeMap<EventKey, Objection>,
    pub(crate) closed: BTreeMap<EventKey, Closed>,
    pub(crate) equivocations: BTreeMap<MemberIndex, Vec<Equivocation>>,
    pub(crate) inheritance: Option<Inheritance>,
}

/// Why rows are no records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("a record in {family} under {key} was written by a newer version ({version})")]
    Newer { family: Family, key: String, version: u8 },
    #[error("a record in {family} under {key} cannot be read")]
    Damaged { family: Family, key: String },
}

/// An event and when this signer first saw it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct EventRecord {
    pub event: VerifiedEvent,
    pub seen: UnixSeconds,
}

/// Up to where the own node's chain was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Cursor {
    pub block: BlockId,
    /// Not known of one that an earlier version recorded.
    pub daa_score: Option<u64>,
}

/// An own promise to sign a proposal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct ApprovalRecord {
    pub proposal: ProposalId,
    pub events: Vec<EventKey>,
    pub config: ConfigDigest,
    pub promise: u64,
    pub view: u64,
    pub utc: UnixSeconds,
}

/// The others' sealed approvals that together with the own one make q.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct CertificateRecord {
    pub approvals: Vec<Vec<u8>>,
}

/// A signed transaction to be submitted until it is accepted or dead.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct OutboxRecord {
    pub proposal: ProposalId,
    pub transaction: SignedTransaction,
}

/// An accepted transaction that spends a coin of the group or of its predecessor, or pays one of them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct ChainRecord {
    pub block: BlockId,
    pub daa_score: u64,
    pub spends: Vec<Outpoint>,
    pub pays: Vec<(u32, Sompi)>,
    /// What its payload names, where it spends a coin of the group or of its predecessor.
    pub link: Option<Link>,
    pub by_group: bool,
    pub is_final: bool,
    /// To hand in again; empty once it is final.
    pub body: Vec<u8>,
    /// It spends a coin of the predecessor.
    pub by_predecessor: bool,
}

/// A transaction that an approved proposal builds on, as it was when it was not final.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct ParentRecord {
    pub daa_score: u64,
    pub spends: Vec<Outpoint>,
    /// To hand in again; empty if it is not at hand.
    pub body: Vec<u8>,
}

/// An event that was refused at the own door, and why; kept for people.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct RejectedRecord {
    pub event: EventKey,
    pub denial: Denial,
    pub utc: UnixSeconds,
}

/// The end of an event: kept for ever, so that it is never paid again.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Tombstone {
    pub transaction: TransactionId,
    pub kind: ProposalKind,
    pub daa_score: u64,
    pub utc: UnixSeconds,
    /// What it paid, where this signer had verified the event before.
    pub payment: Option<Payment>,
}

impl Family {
    pub const ALL: [Self; 12] = [
        Self::Meta,
        Self::Event,
        Self::Approval,
        Self::Proposal,
        Self::Certificate,
        Self::Partial,
        Self::Outbox,
        Self::Volume,
        Self::Chain,
        Self::Tombstone,
        Self::Held,
        Self::Ring,
    ];

    /// The name of its column family.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Event => "event",
            Self::Approval => "approval",
            Self::Proposal => "proposal",
            Self::Certificate => "certificate",
            Self::Partial => "partial",
            Self::Outbox => "outbox",
            Self::Volume => "volume",
            Self::Chain => "chain",
            Self::Tombstone => "tombstone",
            Self::Held => "held",
            Self::Ring => "ring",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const EPOCH: &[u8] = b"epoch";
const QUARANTINE: &[u8] = b"quarantine";
const PAST: &[u8] = b"past";
const BIRTH: &[u8] = b"birth";
const HALT: &[u8] = b"halt";
const INTERVENTIONS: &[u8] = b"interventions";
const EQUIVOCATION: u8 = b'q';
const INHERITANCE: &[u8] = b"inheritance";
const CURSOR: &[u8] = b"cursor";
const ACCEPTED: u8 = b't';
const DEAD: u8 = b'd';
const GAP: &[u8] = b"gap";
const STATEMENT: u8 = b's';
const DOUBTED: u8 = b'u';
const PARENT: u8 = b'p';
