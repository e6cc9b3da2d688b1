//! The payload of a transaction in the default profile: what the chain itself says of the events that it pays or voids.
//!
//! Byte for byte: `IGRA`, format version 1, kind (0 pay, 1 void, 2 consolidate, 3 sweep, 4 migrate), number of event
//! keys, the keys of 32 bytes each in ascending order, number of tags, the tags of 32 bytes each in ascending order.
//! Pay and void name from 1 to 64 events, the other kinds none.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize, io};

use crate::{EventKey, MAX_PAYMENTS, ProposalKind, Tag};

/// What every payload of ours begins with.
pub const MAGIC: [u8; 4] = *b"IGRA";
/// The format that this module writes and reads.
pub const FORMAT_VERSION: u8 = 1;
/// The most tags that a payload has: one for each member of the largest group.
pub const MAX_TAGS: usize = 15;
/// Bytes of the longest payload that [`encode`] writes.
pub const MAX_BYTES: usize = HEAD_BYTES + MAX_PAYMENTS * 32 + 1 + MAX_TAGS * 32;

const HEAD_BYTES: usize = MAGIC.len() + 3;

/// What a payload says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Link {
    pub kind: ProposalKind,
    /// In ascending order.
    pub events: Vec<EventKey>,
    pub tags: BTreeSet<Tag>,
}

impl BorshDeserialize for Link {
    /// Tags in any other order than the one in which they are written are refused: borsh itself takes them.
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let (kind, events, tags) = <(ProposalKind, Vec<EventKey>, Vec<Tag>)>::deserialize_reader(reader)?;
        if !tags.is_sorted_by(|a, b| a < b) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "tags not in ascending order"));
        }
        Ok(Self { kind, events, tags: tags.into_iter().collect() })
    }
}

/// The payload of a transaction of this kind. At most [`MAX_PAYMENTS`] keys and [`MAX_TAGS`] tags have room in it; more
/// are left out, and the check refuses the proposal.
pub fn encode(kind: ProposalKind, events: &[EventKey], tags: &BTreeSet<Tag>) -> Vec<u8> {
    let events = &events[..events.len().min(MAX_PAYMENTS)];
    let tag_count = tags.len().min(MAX_TAGS);
    let mut payload = Vec::with_capacity(HEAD_BYTES + (events.len() + tag_count) * 32 + 1);
    payload.extend_from_slice(&MAGIC);
    payload.extend_from_slice(&[FORMAT_VERSION, kind_byte(kind), events.len() as u8]);
    for event in events {
        payload.extend_from_slice(event.as_bytes());
    }
    payload.push(tag_count as u8);
    for tag in tags.iter().take(tag_count) {
        payload.extend_from_slice(tag.as_bytes());
    }
    payload
}

/// What a payload says, or nothing if it is not exactly one of ours. Anybody can write payloads: a link counts only in
/// a transaction that spends a coin of the group.
pub fn read(payload: &[u8]) -> Option<Link> {
    let [version, kind, count, rest @ ..] = payload.strip_prefix(&MAGIC)? else {
        return None;
    };
    let kind = kind_of(*kind)?;
    let (keys, tags) = rest.split_at_checked(usize::from(*count) * 32)?;
    let fits = if kind.names_events() { 1..=MAX_PAYMENTS } else { 0..=0 };
    if *version != FORMAT_VERSION || !fits.contains(&usize::from(*count)) {
        return None;
    }
    let events = ascending(keys)?.map(EventKey::from_bytes).collect();
    Some(Link { kind, events, tags: tags_of(tags)? })
}

/// A number, and so many tags.
fn tags_of(bytes: &[u8]) -> Option<BTreeSet<Tag>> {
    let (count, tags) = bytes.split_first()?;
    let count = usize::from(*count);
    if count > MAX_TAGS || tags.len() != count * 32 {
        return None;
    }
    Some(ascending(tags)?.map(Tag::from_bytes).collect())
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
        ProposalKind::Consolidate => 2,
        ProposalKind::Sweep => 3,
        ProposalKind::Migrate => 4,
    }
}

fn kind_of(byte: u8) -> Option<ProposalKind> {
    ProposalKind::ALL.into_iter().find(|kind| kind_byte(*kind) == byte)
}
