//! From the rows of a store to its records: strict, so that nothing binds under a wrong name or is silently gone.

use std::collections::BTreeSet;

use igra_group::{Digest, MemberIndex};
use igra_tx::{EventKey, Outpoint, ProposalId, TransactionId};

use super::{
    ACCEPTED, BIRTH, CURSOR, DEAD, DOUBTED, EPOCH, EQUIVOCATION, Family, GAP, HALT, INHERITANCE,
    INTERVENTIONS, PARENT, PAST, QUARANTINE, RecordError, Records, STATEMENT, VERSION,
    versions::{PastRecord, Recorded},
};
use crate::{BlockId, gaps::Gap};

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
