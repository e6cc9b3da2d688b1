//! A signer's disk: batches are there whole or not at all, and what was not synced may be lost in a crash.

use std::collections::BTreeMap;

use borsh::BorshDeserialize;
use igra_core::{Family, Row};
use igra_tx::{EventKey, ProposalId};

/// Rows that are durable, and batches that a crash may take.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    synced: BTreeMap<(Family, Vec<u8>), Vec<u8>>,
    unsynced: Vec<Vec<Row>>,
}

impl Disk {
    /// Writes one batch; a promise in it makes everything written so far durable.
    pub fn commit(&mut self, batch: Vec<Row>) {
        let sync = batch.iter().any(|row| row.promise);
        self.unsynced.push(batch);
        if sync {
            self.keep(self.unsynced.len());
        }
    }

    /// How many batches a crash may take.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// A crash: the first `kept` of the batches that were not synced had reached the disk, in order.
    pub fn crash(&mut self, kept: usize) {
        self.keep(kept.min(self.unsynced.len()));
        self.unsynced.clear();
    }

    /// Everything that is durable now.
    pub fn rows(&self) -> impl Iterator<Item = (Family, Vec<u8>, Vec<u8>)> + '_ {
        self.synced.iter().map(|((family, key), value)| (*family, key.clone(), value.clone()))
    }

    /// Whether a row is durable.
    pub fn has(&self, family: Family, key: &[u8]) -> bool {
        self.synced.contains_key(&(family, key.to_vec()))
    }

    /// The approval that is durable under a promise number: what it promises to sign, and for which events.
    pub fn approval(&self, promise: u64) -> Option<(ProposalId, Vec<EventKey>)> {
        let row = self.synced.get(&(Family::Approval, promise.to_be_bytes().to_vec()));
        row.and_then(|value| read_approval(value))
    }

    /// All durable approvals.
    pub fn approvals(&self) -> impl Iterator<Item = (ProposalId, Vec<EventKey>)> + '_ {
        let rows = self.synced.iter().filter(|((family, _), _)| *family == Family::Approval);
        rows.filter_map(|(_, value)| read_approval(value))
    }

    fn keep(&mut self, batches: usize) {
        for row in self.unsynced.drain(..batches).flatten() {
            let key = (row.family, row.key);
            match row.value {
                Some(value) => drop(self.synced.insert(key, value)),
                None => drop(self.synced.remove(&key)),
            }
        }
    }
}

/// The approvals that a batch writes.
pub fn approvals_in(batch: &[Row]) -> impl Iterator<Item = (ProposalId, Vec<EventKey>)> + '_ {
    let rows = batch.iter().filter(|row| row.family == Family::Approval);
    rows.filter_map(|row| read_approval(row.value.as_ref()?))
}

/// The first fields of an approval's row, after its version byte.
fn read_approval(value: &[u8]) -> Option<(ProposalId, Vec<EventKey>)> {
    BorshDeserialize::deserialize(&mut value.get(1..)?).ok()
}
