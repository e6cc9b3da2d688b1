//! The default payload profile: the transaction itself says which events it pays or voids.
//!
//! Byte for byte: `IGRA`, format version 1, kind (0 pay, 1 void), number of event keys, the keys of 32 bytes each in
//! ascending order, number of tags, the tags of 32 bytes each in ascending order. Tags come with washing; until then
//! none is written and no proposal with any is approved, but what a later version paid is read as paid.

use crate::{EventKey, MAX_PAYMENTS, ProposalKind};

/// What every payload of ours begins with.
pub const MAGIC: [u8; 4] = *b"IGRA";
/// The format that this module writes and reads.
pub const FORMAT_VERSION: u8 = 1;
/// The most tags that a payload has: one for each member of the largest group.
pub const MAX_TAGS: usize = 15;
/// Bytes of the longest payload that [`encode`] writes.
pub const MAX_BYTES: usize = HEAD_BYTES + MAX_PAYMENTS * 32 + 1;

const HEAD_BYTES: usize = MAGIC.len() + 3;
const NO_TAGS: u8 = 0;

/// The payload of a transaction that pays or voids these events. At most [`MAX_PAYMENTS`] keys have room in it; more
/// are left out, and the check refuses the proposal.
pub fn encode(kind: ProposalKind, events: &[EventKey]) -> Vec<u8> {
    let events = &events[..events.len().min(MAX_PAYMENTS)];
    let mut payload = Vec::with_capacity(HEAD_BYTES + events.len() * 32 + 1);
    payload.extend_from_slice(&MAGIC);
    payload.extend_from_slice(&[FORMAT_VERSION, kind_byte(kind), events.len() as u8]);
    for event in events {
        payload.extend_from_slice(event.as_bytes());
    }
    payload.push(NO_TAGS);
    payload
}

/// Kind and events that a payload names, or nothing if it is not exactly one of ours. Anybody can write payloads: a
/// link counts only in a transaction that spends a coin of the group.
pub fn links(payload: &[u8]) -> Option<(ProposalKind, Vec<EventKey>)> {
    let [version, kind, count, rest @ ..] = payload.strip_prefix(&MAGIC)? else {
        return None;
    };
    let (keys, tags) = rest.split_at_checked(usize::from(*count) * 32)?;
    let counted = (1..=MAX_PAYMENTS).contains(&usize::from(*count));
    let known = *version == FORMAT_VERSION && counted && are_tags(tags);
    let events = ascending(keys)?.map(EventKey::from_bytes).collect();
    known.then_some((kind_of(*kind)?, events))
}

/// A number, and so many tags.
fn are_tags(bytes: &[u8]) -> bool {
    let Some((count, tags)) = bytes.split_first() else { return false };
    let count = usize::from(*count);
    count <= MAX_TAGS && tags.len() == count * 32 && ascending(tags).is_some()
}

/// Parts of 32 bytes, if each is above the one before.
fn ascending(bytes: &[u8]) -> Option<impl Iterator<Item = [u8; 32]> + '_> {
    let parts = || bytes.chunks_exact(32).filter_map(|part| part.try_into().ok());
    parts().is_sorted_by(|a: &[u8; 32], b: &[u8; 32]| a < b).then(parts)
}

fn kind_byte(kind: ProposalKind) -> u8 {
    match kind {
        ProposalKind::Pay => 0,
        ProposalKind::Void => 1,
    }
}

fn kind_of(byte: u8) -> Option<ProposalKind> {
    [ProposalKind::Pay, ProposalKind::Void].into_iter().find(|kind| kind_byte(*kind) == byte)
}
