//! How records of earlier versions read. Each is turned into the present form when it is read; nothing is rewritten.

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::Sompi;
use igra_tx::{EventKey, Outpoint, Partial, Proposal, ProposalKind, TransactionId, payload::Link};

use super::{
    ApprovalRecord, CertificateRecord, ChainRecord, Cursor, EventRecord, OutboxRecord, ParentRecord,
    Tombstone,
};
use crate::{
    BlockId, Equivocation, Halt, Intervention,
    closed::Closed,
    gaps::{Gap, Gaps},
    predecessor::Inheritance,
    quarantine::{Birth, Past, Quarantine},
    statements::Statement,
    void::Objection,
    volume::VolumeEntry,
};

/// A value that some version of this program recorded.
pub(super) trait Recorded: BorshDeserialize {
    /// Reads a value as the given version wrote it; by default all versions wrote it alike.
    fn read_version(_version: u8, bytes: &[u8]) -> Option<Self> {
        borsh::from_slice(bytes).ok()
    }
}

impl Recorded for u64 {}
impl Recorded for Halt {}
impl Recorded for Quarantine {}
impl Recorded for Birth {}
impl Recorded for Vec<Intervention> {}
impl Recorded for Vec<Equivocation> {}
impl Recorded for TransactionId {}
impl Recorded for Partial {}
impl Recorded for Proposal {}
impl Recorded for EventRecord {}
impl Recorded for ApprovalRecord {}
impl Recorded for CertificateRecord {}
impl Recorded for OutboxRecord {}
impl Recorded for Statement {}
impl Recorded for ParentRecord {}
impl Recorded for VolumeEntry {}
impl Recorded for Tombstone {}
impl Recorded for Objection {}
impl Recorded for Closed {}
impl Recorded for Inheritance {}

impl Recorded for ChainRecord {
    fn read_version(version: u8, bytes: &[u8]) -> Option<Self> {
        match version {
            1 => borsh::from_slice(bytes).map(ChainRecordV1::into_present).ok(),
            2 | 3 => borsh::from_slice(bytes).map(ChainRecordV2::into_present).ok(),
            _ => borsh::from_slice(bytes).ok(),
        }
    }
}

/// Until version 2 that there is a gap was recorded twice, and here without its place.
pub(super) struct PastRecord {
    pub past: Past,
    pub gap: bool,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct PastV2 {
    promise: u64,
    washed_from: u64,
    gap: bool,
    moved: bool,
}

impl BorshDeserialize for PastRecord {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        Ok(Self { past: Past::deserialize_reader(reader)?, gap: false })
    }
}

impl Recorded for PastRecord {
    fn read_version(version: u8, bytes: &[u8]) -> Option<Self> {
        if version > 2 {
            return borsh::from_slice(bytes).ok();
        }
        let PastV2 { promise, washed_from, gap, moved } = borsh::from_slice(bytes).ok()?;
        Some(Self { past: Past { promise, washed_from, moved }, gap })
    }
}

impl Recorded for Gaps {
    fn read_version(version: u8, bytes: &[u8]) -> Option<Self> {
        if version > 2 {
            return borsh::from_slice(bytes).ok();
        }
        let (from, to) = borsh::from_slice(bytes).ok()?;
        Some(Self(vec![Gap { from, to, closed: false }]))
    }
}

impl Recorded for Cursor {
    fn read_version(version: u8, bytes: &[u8]) -> Option<Self> {
        if version > 2 {
            return borsh::from_slice(bytes).ok();
        }
        Some(Self { block: borsh::from_slice(bytes).ok()?, daa_score: None })
    }
}

/// Version 1 followed only what spent a coin of the group, and not what it paid.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct ChainRecordV1 {
    pub block: BlockId,
    pub daa_score: u64,
    pub spends: Vec<Outpoint>,
    pub links: Option<(ProposalKind, Vec<EventKey>)>,
    pub is_final: bool,
}

impl ChainRecordV1 {
    fn into_present(self) -> ChainRecord {
        let link = |(kind, events)| Link { kind, events, tags: Default::default() };
        ChainRecord {
            block: self.block,
            daa_score: self.daa_score,
            spends: self.spends,
            pays: Vec::new(),
            link: self.links.map(link),
            by_group: true,
            is_final: self.is_final,
            body: Vec::new(),
            by_predecessor: false,
        }
    }
}

/// Until version 3 nothing was known of a predecessor.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct ChainRecordV2 {
    pub block: BlockId,
    pub daa_score: u64,
    pub spends: Vec<Outpoint>,
    pub pays: Vec<(u32, Sompi)>,
    pub link: Option<Link>,
    pub by_group: bool,
    pub is_final: bool,
    pub body: Vec<u8>,
}

impl ChainRecordV2 {
    fn into_present(self) -> ChainRecord {
        let Self { block, daa_score, spends, pays, link, by_group, is_final, body } = self;
        ChainRecord { block, daa_score, spends, pays, link, by_group, is_final, body, by_predecessor: false }
    }
}
