//! A signer's own durable promises and what it knew: rows by family, each value with a version byte.

use std::{collections::BTreeMap, fmt};

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{ConfigDigest, Digest};
use igra_tx::{
    EventKey, Outpoint, Partial, Payment, Proposal, ProposalId, ProposalKind, SignedTransaction,
    TransactionId,
};

use crate::{
    BlockId, Denial, UnixSeconds, VerifiedEvent,
    volume::{VolumeEntry, Volumes},
};

const VERSION: u8 = 1;

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
    pub(crate) events: BTreeMap<EventKey, EventRecord>,
    /// By promise number.
    pub(crate) approvals: BTreeMap<u64, ApprovalRecord>,
    pub(crate) proposals: BTreeMap<ProposalId, Proposal>,
    pub(crate) certificates: BTreeMap<ProposalId, CertificateRecord>,
    pub(crate) partials: BTreeMap<ProposalId, Partial>,
    pub(crate) outbox: BTreeMap<TransactionId, OutboxRecord>,
    pub(crate) volumes: Volumes,
    pub(crate) cursor: Option<BlockId>,
    pub(crate) chain: BTreeMap<TransactionId, ChainRecord>,
    pub(crate) dead: BTreeMap<ProposalId, TransactionId>,
    pub(crate) tombstones: BTreeMap<EventKey, Tombstone>,
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

/// An accepted transaction of the group.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct ChainRecord {
    pub block: BlockId,
    pub daa_score: u64,
    pub spends: Vec<Outpoint>,
    pub links: Option<(ProposalKind, Vec<EventKey>)>,
    pub is_final: bool,
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
        records.refuse_lost_bodies()?;
        Ok(records)
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

    /// Up to where the own node's chain was followed.
    pub fn cursor(&self) -> Option<BlockId> {
        self.cursor
    }

    fn take(&mut self, family: Family, key: &[u8], value: &[u8]) -> Result<(), RecordError> {
        let row = Stored { family, key, value };
        match family {
            Family::Meta if key == EPOCH => self.epoch = row.read()?,
            Family::Meta => {}
            Family::Event => drop(self.events.insert(row.key()?, row.read()?)),
            Family::Approval => drop(self.approvals.insert(row.number()?, row.read()?)),
            Family::Proposal => drop(self.proposals.insert(row.key()?, row.read()?)),
            Family::Certificate => drop(self.certificates.insert(row.key()?, row.read()?)),
            Family::Partial => drop(self.partials.insert(row.key()?, row.read()?)),
            Family::Outbox => drop(self.outbox.insert(row.key()?, row.read()?)),
            Family::Volume => drop(self.volumes.0.insert(row.key()?, row.read()?)),
            Family::Chain if key == CURSOR => self.cursor = Some(row.read()?),
            Family::Chain if key.first() == Some(&DEAD) => drop(self.dead.insert(row.tail()?, row.read()?)),
            Family::Chain if key.first() == Some(&ACCEPTED) => {
                drop(self.chain.insert(row.tail()?, row.read()?));
            }
            // Kinds of later versions.
            Family::Chain => {}
            Family::Tombstone => drop(self.tombstones.insert(row.key()?, row.read()?)),
            Family::Held | Family::Ring => {}
        }
        Ok(())
    }
}

const EPOCH: &[u8] = b"epoch";
const CURSOR: &[u8] = b"cursor";
const ACCEPTED: u8 = b't';
const DEAD: u8 = b'd';

/// One row as it lies in the store.
struct Stored<'a> {
    family: Family,
    key: &'a [u8],
    value: &'a [u8],
}

impl Stored<'_> {
    fn read<T: BorshDeserialize>(&self) -> Result<T, RecordError> {
        let (version, bytes) = self.value.split_first().ok_or_else(|| self.damaged())?;
        if *version > VERSION {
            return Err(RecordError::Newer {
                family: self.family,
                key: hex::encode(self.key),
                version: *version,
            });
        }
        borsh::from_slice(bytes).map_err(|_| self.damaged())
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

/// The rows that the core writes, one function for each kind.
impl Row {
    pub(crate) fn epoch(epoch: u64) -> Self {
        Self::promise(Family::Meta, EPOCH.to_vec(), &epoch)
    }

    /// `answered`: somebody was told that it is here, so it must be.
    pub(crate) fn event(key: &EventKey, record: &EventRecord, answered: bool) -> Self {
        Self { promise: answered, ..Self::fact(Family::Event, key.as_bytes().to_vec(), record) }
    }

    pub(crate) fn approval(record: &ApprovalRecord) -> Self {
        Self::promise(Family::Approval, record.promise.to_be_bytes().to_vec(), record)
    }

    pub(crate) fn proposal(id: &ProposalId, proposal: &Proposal) -> Self {
        Self::promise(Family::Proposal, id.as_bytes().to_vec(), proposal)
    }

    pub(crate) fn certificate(id: &ProposalId, record: &CertificateRecord) -> Self {
        Self::promise(Family::Certificate, id.as_bytes().to_vec(), record)
    }

    pub(crate) fn partial(partial: &Partial) -> Self {
        Self::promise(Family::Partial, partial.proposal.as_bytes().to_vec(), partial)
    }

    pub(crate) fn outbox(id: &TransactionId, record: &OutboxRecord) -> Self {
        Self::promise(Family::Outbox, id.as_bytes().to_vec(), record)
    }

    /// A transaction that is final or dead needs no more submitting.
    pub(crate) fn forget_outbox(id: &TransactionId) -> Self {
        Self { family: Family::Outbox, key: id.as_bytes().to_vec(), value: None, promise: false }
    }

    pub(crate) fn reservation(key: &EventKey, entry: &VolumeEntry) -> Self {
        Self::promise(Family::Volume, key.as_bytes().to_vec(), entry)
    }

    pub(crate) fn release(key: &EventKey) -> Self {
        Self { family: Family::Volume, key: key.as_bytes().to_vec(), value: None, promise: false }
    }

    pub(crate) fn cursor(cursor: &BlockId) -> Self {
        Self::fact(Family::Chain, CURSOR.to_vec(), cursor)
    }

    /// One of the last refused events, in a ring of places.
    pub(crate) fn rejected(place: u64, record: &RejectedRecord) -> Self {
        Self::fact(Family::Ring, place.to_be_bytes().to_vec(), record)
    }

    pub(crate) fn accepted(id: &TransactionId, record: &ChainRecord) -> Self {
        let key = prefixed(ACCEPTED, id.as_bytes());
        if record.is_final {
            Self::promise(Family::Chain, key, record)
        } else {
            Self::fact(Family::Chain, key, record)
        }
    }

    pub(crate) fn reorganised(id: &TransactionId) -> Self {
        Self { family: Family::Chain, key: prefixed(ACCEPTED, id.as_bytes()), value: None, promise: false }
    }

    pub(crate) fn dead(id: &ProposalId, by: &TransactionId) -> Self {
        Self::promise(Family::Chain, prefixed(DEAD, id.as_bytes()), by)
    }

    pub(crate) fn tombstone(key: &EventKey, record: &Tombstone) -> Self {
        Self::promise(Family::Tombstone, key.as_bytes().to_vec(), record)
    }

    fn promise(family: Family, key: Vec<u8>, value: &impl BorshSerialize) -> Self {
        Self { promise: true, ..Self::fact(family, key, value) }
    }

    fn fact(family: Family, key: Vec<u8>, value: &impl BorshSerialize) -> Self {
        let mut bytes = vec![VERSION];
        borsh::to_writer(&mut bytes, value).expect("a vector takes all bytes");
        Self { family, key, value: Some(bytes), promise: false }
    }
}

fn prefixed(prefix: u8, key: &[u8; 32]) -> Vec<u8> {
    [&[prefix], key.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_kit::event;
    use proptest::prelude::*;

    fn stored(row: Row) -> (Family, Vec<u8>, Vec<u8>) {
        (row.family, row.key, row.value.expect("the row writes"))
    }

    #[test]
    fn what_is_written_reads_back() {
        let record = EventRecord { event: event(1), seen: UnixSeconds(5) };
        let key = record.event.payment.event;
        let cursor = BlockId::from_bytes([4; 32]);
        let rows = [Row::epoch(7), Row::event(&key, &record, true), Row::cursor(&cursor)];
        let records = Records::read(rows.map(stored)).unwrap();
        assert_eq!((records.epoch, records.cursor()), (7, Some(cursor)));
        assert_eq!(records.events, [(key, record)].into());
    }

    #[test]
    fn a_record_of_a_newer_version_is_refused_and_says_which() {
        let (family, key, mut value) = stored(Row::epoch(7));
        value[0] = VERSION + 1;
        let error = Records::read([(family, key, value)]).unwrap_err();
        assert_eq!(
            error,
            RecordError::Newer { family: Family::Meta, key: hex::encode(EPOCH), version: VERSION + 1 }
        );
    }

    #[test]
    fn a_row_of_the_chain_of_a_kind_that_is_not_known_is_passed_over() {
        let row = (Family::Chain, prefixed(b'x', &[1; 32]), vec![VERSION, 9]);
        assert_eq!(Records::read([row]), Ok(Records::default()));
    }

    #[test]
    fn promises_ask_for_a_sync_and_what_the_chain_can_tell_again_does_not() {
        let approval = ApprovalRecord {
            proposal: ProposalId::from_bytes([1; 32]),
            events: Vec::new(),
            config: ConfigDigest::from_bytes([2; 32]),
            promise: 1,
            view: 0,
            utc: UnixSeconds(0),
        };
        assert!(Row::approval(&approval).promise);
        assert!(!Row::cursor(&BlockId::from_bytes([4; 32])).promise);
    }

    #[test]
    fn each_family_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Family::ALL.iter().map(|family| family.name()).collect();
        assert_eq!(names.len(), Family::ALL.len());
    }

    proptest! {
        #[test]
        fn invariant_16_any_rows_read_or_are_refused_without_panic(family in 0usize..12, key: Vec<u8>, value: Vec<u8>) {
            let _: Result<Records, RecordError> = Records::read([(Family::ALL[family], key, value)]);
        }
    }
}
