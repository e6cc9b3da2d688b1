//! How records of earlier versions read. Each is turned into the present form when it is read; nothing is rewritten.

use borsh::{BorshDeserialize, BorshSerialize};
use igra_tx::{EventKey, Outpoint, Partial, Proposal, ProposalKind, TransactionId, payload::Link};

use super::{
    ApprovalRecord, CertificateRecord, ChainRecord, EventRecord, OutboxRecord, ParentRecord, Tombstone,
};
use crate::{
    BlockId, Halt, Intervention,
    quarantine::{Birth, Past, Quarantine},
    statements::{Gap, Statement},
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
impl Recorded for Past {}
impl Recorded for Birth {}
impl Recorded for Vec<Intervention> {}
impl Recorded for BlockId {}
impl Recorded for TransactionId {}
impl Recorded for Partial {}
impl Recorded for Proposal {}
impl Recorded for EventRecord {}
impl Recorded for ApprovalRecord {}
impl Recorded for CertificateRecord {}
impl Recorded for OutboxRecord {}
impl Recorded for Gap {}
impl Recorded for Statement {}
impl Recorded for ParentRecord {}
impl Recorded for VolumeEntry {}
impl Recorded for Tombstone {}
impl Recorded for Objection {}

impl Recorded for ChainRecord {
    fn read_version(version: u8, bytes: &[u8]) -> Option<Self> {
        match version {
            1 => borsh::from_slice(bytes).map(ChainRecordV1::into_present).ok(),
            _ => borsh::from_slice(bytes).ok(),
        }
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
        }
    }
}
