//! The rows that the core writes: what is a promise, and under which key it lies.

use borsh::BorshSerialize;
use igra_group::MemberIndex;
use igra_tx::{EventKey, Partial, Proposal, ProposalId, TransactionId};

use super::{
    ACCEPTED, ApprovalRecord, BIRTH, CURSOR, CertificateRecord, ChainRecord, Cursor, DEAD, DOUBTED, EPOCH,
    EQUIVOCATION, EventRecord, Family, GAP, HALT, INHERITANCE, INTERVENTIONS, OutboxRecord, PARENT, PAST,
    ParentRecord, QUARANTINE, RejectedRecord, Row, STATEMENT, Tombstone, VERSION,
};
use crate::{
    Equivocation, Halt, Intervention,
    closed::Closed,
    gaps::Gaps,
    predecessor::Inheritance,
    quarantine::{Birth, Past, Quarantine},
    statements::Statement,
    void::Objection,
    volume::VolumeEntry,
};

/// The rows that the core writes, one function for each kind.
impl Row {
    pub(crate) fn epoch(epoch: u64) -> Self {
        Self::promise(Family::Meta, EPOCH.to_vec(), &epoch)
    }

    pub(crate) fn halt(halt: &Halt) -> Self {
        Self::promise(Family::Meta, HALT.to_vec(), halt)
    }

    pub(crate) fn clear_halt() -> Self {
        Self { family: Family::Meta, key: HALT.to_vec(), value: None, promise: true }
    }

    pub(crate) fn quarantine(quarantine: &Quarantine) -> Self {
        Self::promise(Family::Meta, QUARANTINE.to_vec(), quarantine)
    }

    pub(crate) fn end_quarantine() -> Self {
        Self { family: Family::Meta, key: QUARANTINE.to_vec(), value: None, promise: true }
    }

    pub(crate) fn past(past: &Past) -> Self {
        Self::promise(Family::Meta, PAST.to_vec(), past)
    }

    pub(crate) fn birth(birth: Birth) -> Self {
        Self::promise(Family::Meta, BIRTH.to_vec(), &birth)
    }

    pub(crate) fn interventions(interventions: &Vec<Intervention>) -> Self {
        Self::promise(Family::Meta, INTERVENTIONS.to_vec(), interventions)
    }

    pub(crate) fn equivocations(member: MemberIndex, proofs: &Vec<Equivocation>) -> Self {
        Self::promise(Family::Meta, vec![EQUIVOCATION, member.0], proofs)
    }

    pub(crate) fn inheritance(inheritance: &Inheritance) -> Self {
        Self::promise(Family::Meta, INHERITANCE.to_vec(), inheritance)
    }

    /// `answered`: somebody was told that it is here, so it must be.
    pub(crate) fn event(key: &EventKey, record: &EventRecord, answered: bool) -> Self {
        Self { promise: answered, ..Self::fact(Family::Event, key.as_bytes().to_vec(), record) }
    }

    /// With its tombstone there an event is not asked for again.
    pub(crate) fn forget_event(key: &EventKey) -> Self {
        Self { family: Family::Event, key: key.as_bytes().to_vec(), value: None, promise: false }
    }

    pub(crate) fn approval(record: &ApprovalRecord) -> Self {
        Self::promise(Family::Approval, record.promise.to_be_bytes().to_vec(), record)
    }

    pub(crate) fn proposal(id: &ProposalId, proposal: &Proposal) -> Self {
        Self::promise(Family::Proposal, id.as_bytes().to_vec(), proposal)
    }

    pub(crate) fn parent(id: &TransactionId, record: &ParentRecord) -> Self {
        Self::promise(Family::Proposal, prefixed(PARENT, id.as_bytes()), record)
    }

    /// A parent that is final, or that nothing live builds on.
    pub(crate) fn forget_parent(id: &TransactionId) -> Self {
        let key = prefixed(PARENT, id.as_bytes());
        Self { family: Family::Proposal, key, value: None, promise: false }
    }

    pub(crate) fn certificate(id: &ProposalId, record: &CertificateRecord) -> Self {
        Self::promise(Family::Certificate, id.as_bytes().to_vec(), record)
    }

    /// All events of the proposal ended.
    pub(crate) fn forget_certificate(id: &ProposalId) -> Self {
        Self { family: Family::Certificate, key: id.as_bytes().to_vec(), value: None, promise: false }
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

    /// What this signer holds against an event: an administrator was told that it is here.
    pub(crate) fn objection(key: &EventKey, record: &Objection) -> Self {
        Self::promise(Family::Held, key.as_bytes().to_vec(), record)
    }

    pub(crate) fn forget_objection(key: &EventKey) -> Self {
        Self { family: Family::Held, key: key.as_bytes().to_vec(), value: None, promise: false }
    }

    /// What is left of an event that came to nothing, by its key.
    pub(crate) fn closed(key: &EventKey, note: &Closed) -> Self {
        Self::fact(Family::Ring, key.as_bytes().to_vec(), note)
    }

    pub(crate) fn forget_closed(key: &EventKey) -> Self {
        Self { family: Family::Ring, key: key.as_bytes().to_vec(), value: None, promise: false }
    }

    pub(crate) fn cursor(cursor: &Cursor) -> Self {
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

    pub(crate) fn gaps(gaps: &Gaps) -> Self {
        Self::promise(Family::Chain, GAP.to_vec(), gaps)
    }

    pub(crate) fn doubted(event: &EventKey, by: &TransactionId) -> Self {
        Self::promise(Family::Chain, prefixed(DOUBTED, event.as_bytes()), by)
    }

    /// It is known now that it ended.
    pub(crate) fn forget_doubt(event: &EventKey) -> Self {
        let key = prefixed(DOUBTED, event.as_bytes());
        Self { family: Family::Chain, key, value: None, promise: false }
    }

    pub(crate) fn statement(event: &EventKey, from: MemberIndex, statement: &Statement) -> Self {
        Self::promise(Family::Chain, statement_key(event, from), statement)
    }

    pub(crate) fn forget_statement(event: &EventKey, from: MemberIndex) -> Self {
        Self { family: Family::Chain, key: statement_key(event, from), value: None, promise: false }
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

fn statement_key(event: &EventKey, from: MemberIndex) -> Vec<u8> {
    [prefixed(STATEMENT, event.as_bytes()), vec![from.0]].concat()
}

fn prefixed(prefix: u8, key: &[u8; 32]) -> Vec<u8> {
    [&[prefix], key.as_slice()].concat()
}
