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
    /// Every batch that became durable, oldest first: what an older copy is made from.
    log: Vec<Vec<Row>>,
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

    /// How many older copies of it there could be.
    pub fn copies(&self) -> usize {
        self.log.len()
    }

    /// It is replaced by a copy that lacks this many of the last durable batches.
    pub fn go_back(&mut self, batches: usize) {
        let mut log = std::mem::take(&mut self.log);
        log.truncate(log.len().saturating_sub(batches));
        *self = Self { unsynced: log, ..Self::default() };
        self.keep(self.unsynced.len());
    }

    /// Everything that is durable now.
    pub fn rows(&self) -> impl Iterator<Item = (Family, Vec<u8>, Vec<u8>)> + '_ {
        self.synced.iter().map(|((family, key), value)| (*family, key.clone(), value.clone()))
    }

    /// Whether a row is durable.
    pub fn has(&self, family: Family, key: &[u8]) -> bool {
        self.synced.contains_key(&(family, key.to_vec()))
    }

    /// Whether a row was durable once. Inputs that are committed together may want something and make it needless.
    pub fn had(&self, family: Family, key: &[u8]) -> bool {
        let written = |row: &Row| row.family == family && row.key == key && row.value.is_some();
        self.has(family, key) || self.log.iter().flatten().any(written)
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
        for batch in self.unsynced.drain(..batches) {
            for row in &batch {
                let key = (row.family, row.key.clone());
                match &row.value {
                    Some(value) => drop(self.synced.insert(key, value.clone())),
                    None => drop(self.synced.remove(&key)),
                }
            }
            self.log.push(batch);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(value: u8) -> Vec<Row> {
        let key = vec![value];
        vec![Row { family: Family::Meta, key, value: Some(vec![value]), promise: true }]
    }

    #[test]
    fn an_older_copy_lacks_the_last_batches_and_grows_from_there() {
        let mut disk = Disk::default();
        for value in [1, 2, 3] {
            disk.commit(batch(value));
        }
        disk.go_back(2);
        assert_eq!(
            (disk.copies(), disk.has(Family::Meta, &[1]), disk.has(Family::Meta, &[2])),
            (1, true, false)
        );
        disk.commit(batch(4));
        assert_eq!((disk.copies(), disk.has(Family::Meta, &[4])), (2, true));
        assert!(disk.had(Family::Meta, &[4]) && !disk.had(Family::Meta, &[2]));
    }
}
