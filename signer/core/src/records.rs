//! A signer's own durable promises and what it knew: rows by family, each value with a version byte.

mod rewrite;
mod rows;
#[cfg(test)]
mod tests;
mod versions;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{ConfigDigest, Digest, MemberIndex, Sompi};
use igra_tx::{
    EventKey, Outpoint, Partial, Payment, Proposal, ProposalId, ProposalKind, SignedTransaction,
    TransactionId, payload::Link,
};

use self::versions::{PastRecord, Recorded};
use crate::{
    BlockId, Denial, Equivocation, Halt, Intervention, UnixSeconds, VerifiedEvent,
    closed::Closed,
    gaps::{Gap, Gaps},
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

impl Records {
    /// Reads all rows of a store. Rows of families that this version does not use yet are passed over.
    pub fn read(rows: impl IntoIterator<Item = (Family, Vec<u8>, Vec<u8>)>) -> Result<Self, RecordError> {
        let mut records = Self::default();
        for (family, key, value) in rows {
            records.take(family, &key, &value)?;
        }
        records.place_gap();
        records.refuse_lost_bodies()?;
        records.refuse_misplaced()?;
        Ok(records)
    }

    fn place_gap(&mut self) {
        if std::mem::take(&mut self.gap_somewhere) && self.gaps.open().is_none() {
            self.gaps.add(Gap { from: 0, to: u64::MAX, closed: false });
        }
    }

    /// A record that lies under the key of another would bind under the wrong name.
    fn refuse_misplaced(&self) -> Result<(), RecordError> {
        let approvals = self.approvals.iter().filter(|(number, record)| **number != record.promise);
        let partials = self.partials.iter().filter(|(id, partial)| **id != partial.proposal);
        let events = self.events.iter().filter(|(key, record)| **key != record.event.payment.event);
        let outbox = self.outbox.iter().filter(|(id, record)| {
            **id != record.transaction.id() || record.proposal != record.transaction.proposal.id()
        });
        let misplaced = approvals
            .map(|(number, _)| (Family::Approval, number.to_string()))
            .chain(partials.map(|(id, _)| (Family::Partial, id.to_string())))
            .chain(events.map(|(key, _)| (Family::Event, key.to_string())))
            .chain(outbox.map(|(id, _)| (Family::Outbox, id.to_string())))
            .next();
        misplaced.map_or(Ok(()), |(family, key)| Err(RecordError::Damaged { family, key }))
    }

    /// The anchor rule compares bodies: an approval whose body is gone, or is another one, would bind nothing.
    fn refuse_lost_bodies(&self) -> Result<(), RecordError> {
        for (id, body) in &self.proposals {
            if body.id() != *id {
                return Err(RecordError::Damaged { family: Family::Proposal, key: id.to_string() });
            }
        }
        let lost = self.approvals.values().find(|approval| !self.proposals.contains_key(&approval.proposal));
        lost.map_or(Ok(()), |approval| {
            Err(RecordError::Damaged { family: Family::Proposal, key: approval.proposal.to_string() })
        })
    }

    /// Coins that need not be the group's, and of which the edge tells who spends them from the start on: inputs of what
    /// approvals build on, and of deposits that are not final.
    pub fn watched(&self) -> BTreeSet<Outpoint> {
        let parents = self.parents.values().flat_map(|parent| &parent.spends);
        let deposits = self.chain.values().filter(|record| !record.by_group && !record.is_final);
        parents.chain(deposits.flat_map(|record| &record.spends)).copied().collect()
    }

    /// Up to where the own node's chain was followed.
    pub fn cursor(&self) -> Option<BlockId> {
        self.cursor.map(|cursor| cursor.block)
    }

    fn take(&mut self, family: Family, key: &[u8], value: &[u8]) -> Result<(), RecordError> {
        let row = Stored { family, key, value };
        match family {
            Family::Meta if key == EPOCH => self.epoch = row.read()?,
            Family::Meta if key == QUARANTINE => self.quarantine = Some(row.read()?),
            Family::Meta if key == PAST => {
                let PastRecord { past, gap } = row.read()?;
                (self.past, self.gap_somewhere) = (Some(past), gap);
            }
            Family::Meta if key == BIRTH => self.birth = Some(row.read()?),
            Family::Meta if key == HALT => self.halt = Some(row.read()?),
            Family::Meta if key == INTERVENTIONS => self.interventions = row.read()?,
            Family::Meta if key.len() == 2 && key[0] == EQUIVOCATION => {
                self.equivocations.insert(MemberIndex(key[1]), row.read()?);
            }
            Family::Meta if key == INHERITANCE => self.inheritance = Some(row.read()?),
            Family::Meta => {}
            Family::Event => drop(self.events.insert(row.key()?, row.read()?)),
            Family::Approval => drop(self.approvals.insert(row.number()?, row.read()?)),
            Family::Proposal if key.len() == 33 && key[0] == PARENT => {
                drop(self.parents.insert(row.tail()?, row.read()?));
            }
            Family::Proposal => drop(self.proposals.insert(row.key()?, row.read()?)),
            Family::Certificate => drop(self.certificates.insert(row.key()?, row.read()?)),
            Family::Partial => drop(self.partials.insert(row.key()?, row.read()?)),
            Family::Outbox => drop(self.outbox.insert(row.key()?, row.read()?)),
            Family::Volume => self.volumes.insert(row.key()?, row.read()?),
            Family::Chain if key == CURSOR => self.cursor = Some(row.read()?),
            Family::Chain if key == GAP => self.gaps = row.read()?,
            Family::Chain if key.len() == 34 && key[0] == STATEMENT => {
                let event = EventKey::from_32(key[1..33].try_into().map_err(|_| row.damaged())?);
                self.statements.insert((event, MemberIndex(key[33])), row.read()?);
            }
            Family::Chain if key.first() == Some(&DEAD) => drop(self.dead.insert(row.tail()?, row.read()?)),
            Family::Chain if key.first() == Some(&DOUBTED) => {
                self.doubted.insert(row.tail()?, row.read()?);
            }
            Family::Chain if key.first() == Some(&ACCEPTED) => {
                drop(self.chain.insert(row.tail()?, row.read()?));
            }
            // Kinds of later versions.
            Family::Chain => {}
            Family::Tombstone => drop(self.tombstones.insert(row.key()?, row.read()?)),
            Family::Held => drop(self.objections.insert(row.key()?, row.read()?)),
            Family::Ring if key.len() == 32 => drop(self.closed.insert(row.key()?, row.read()?)),
            // What was refused at the own door: for people.
            Family::Ring => {}
        }
        Ok(())
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

/// One row as it lies in the store.
struct Stored<'a> {
    family: Family,
    key: &'a [u8],
    value: &'a [u8],
}

impl Stored<'_> {
    fn read<T: Recorded>(&self) -> Result<T, RecordError> {
        let (version, bytes) = self.value.split_first().ok_or_else(|| self.damaged())?;
        if *version == 0 {
            return Err(self.damaged());
        }
        if *version > VERSION {
            return Err(RecordError::Newer {
                family: self.family,
                key: hex::encode(self.key),
                version: *version,
            });
        }
        T::read_version(*version, bytes).ok_or_else(|| self.damaged())
    }

    fn key<T: From32>(&self) -> Result<T, RecordError> {
        self.key.try_into().map(T::from_32).map_err(|_| self.damaged())
    }

    /// The key after its first byte.
    fn tail<T: From32>(&self) -> Result<T, RecordError> {
        let tail = self.key.get(1..).ok_or_else(|| self.damaged())?;
        tail.try_into().map(T::from_32).map_err(|_| self.damaged())
    }

    fn number(&self) -> Result<u64, RecordError> {
        self.key.try_into().map(u64::from_be_bytes).map_err(|_| self.damaged())
    }

    fn damaged(&self) -> RecordError {
        RecordError::Damaged { family: self.family, key: hex::encode(self.key) }
    }
}

trait From32 {
    fn from_32(bytes: [u8; 32]) -> Self;
}

macro_rules! from_32 {
    ($($name:ident),*) => {
        $(impl From32 for $name {
            fn from_32(bytes: [u8; 32]) -> Self {
                Self(Digest(bytes))
            }
        })*
    };
}

from_32!(EventKey, ProposalId, TransactionId);
