//! Invariant 16: any bytes decode to an error or to a value that encodes to the same bytes; no panic, bounded
//! allocation.

use std::collections::BTreeSet;

use igra_group::Network;
use igra_tx::{
    DecodeError, EventKey, Partial, Proposal, ProposalKind, Script, SignedTransaction, Tag,
    payload::{self, Link},
};
use proptest::prelude::*;

use crate::fixture::keyed;

fn reads_back(bytes: &[u8]) {
    if let Ok(proposal) = Proposal::decode(bytes) {
        assert_eq!(borsh::to_vec(&proposal).unwrap(), bytes);
    }
}

#[test]
fn invariant_16_a_proposal_reads_back_and_not_with_a_byte_more_or_less() {
    let proposal = keyed(2, 3).good().proposal;
    let mut bytes = borsh::to_vec(&proposal).unwrap();
    assert_eq!(Proposal::decode(&bytes), Ok(proposal));
    for end in 0..bytes.len() {
        assert_eq!(Proposal::decode(&bytes[..end]), Err(DecodeError::Malformed));
    }
    bytes.push(0);
    assert_eq!(Proposal::decode(&bytes), Err(DecodeError::Malformed));
}

#[test]
fn invariant_16_lengths_beyond_the_bounds_are_refused() {
    let good = keyed(2, 3).good().proposal;
    let refused = |change: fn(&mut Proposal)| {
        let mut changed = good.clone();
        change(&mut changed);
        Proposal::decode(&borsh::to_vec(&changed).unwrap()).unwrap_err()
    };
    let too_many = |what, most, found| DecodeError::TooMany { what, most, found };

    assert_eq!(refused(|p| p.events = vec![p.events[0]; 65]), too_many("events", 64, 65));
    assert_eq!(refused(|p| p.inputs = vec![p.inputs[0].clone(); 65]), too_many("inputs", 64, 65));
    assert_eq!(refused(|p| p.outputs = vec![p.outputs[0].clone(); 66]), too_many("outputs", 65, 66));
    assert_eq!(refused(|p| p.payload = vec![0; 2_537]), too_many("bytes of payload", 2_536, 2_537));
    assert_eq!(refused(|p| p.outputs[0].script.bytes = vec![0; 36]), too_many("bytes in one script", 35, 36));
    assert_eq!(refused(|p| p.inputs[0].script.bytes = vec![0; 36]), too_many("bytes in one script", 35, 36));
    assert_eq!(refused(|p| p.payload = vec![0; 16_384]), DecodeError::TooLong { found: 16_830 });
}

#[test]
fn invariant_16_a_length_that_lies_allocates_nothing() {
    let good = borsh::to_vec(&keyed(2, 3).good().proposal).unwrap();
    // Group and kind, then the number of events.
    let mut bytes = good[..33].to_vec();
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Proposal::decode(&bytes), Err(DecodeError::Malformed));
}

fn tags(numbers: impl IntoIterator<Item = u8>) -> BTreeSet<Tag> {
    numbers.into_iter().map(|number| Tag::from_bytes([number; 32])).collect()
}

#[test]
fn a_payload_names_its_events_and_tags_and_nothing_else_does() {
    let mut events: Vec<EventKey> = (0..64).map(|i| EventKey::from_bytes([i; 32])).collect();
    for kind in [ProposalKind::Pay, ProposalKind::Void] {
        let written = payload::encode(kind, &events, &tags(0..15));
        let link = Link { kind, events: events.clone(), tags: tags(0..15) };
        assert_eq!((payload::read(&written), written.len()), (Some(link), payload::MAX_BYTES));
    }
    events.swap(0, 1);
    for (events, why) in
        [(&events[..], "not in order"), (&[], "no event"), (&[events[0]; 2], "an event twice")]
    {
        assert_eq!(payload::read(&payload::encode(ProposalKind::Pay, events, &tags([]))), None, "{why}");
    }
}

#[test]
fn a_payload_of_the_group_itself_names_no_event() {
    let event = EventKey::from_bytes([7; 32]);
    for kind in [ProposalKind::Consolidate, ProposalKind::Sweep, ProposalKind::Migrate] {
        let link = Link { kind, events: Vec::new(), tags: tags([1, 2]) };
        assert_eq!(payload::read(&payload::encode(kind, &[], &tags([1, 2]))), Some(link));
        assert_eq!(payload::read(&payload::encode(kind, &[event], &tags([]))), None);
    }
}

#[test]
fn a_payload_with_tags_is_read_only_with_as_many_as_it_says_in_order() {
    let event = EventKey::from_bytes([7; 32]);
    let tagged = |count: u8, tags: &[u8]| {
        let mut payload = payload::encode(ProposalKind::Pay, &[event], &BTreeSet::new());
        *payload.last_mut().unwrap() = count;
        payload.extend(tags.iter().flat_map(|tag| [*tag; 32]));
        payload::read(&payload).map(|link| link.tags)
    };
    assert_eq!(tagged(2, &[1, 2]), Some(tags([1, 2])));
    let over: Vec<u8> = (1..=16).collect();
    for (count, tags) in [(2, &[2, 1][..]), (2, &[1, 1]), (1, &[1, 2]), (2, &[1]), (16, &over)] {
        assert_eq!(tagged(count, tags), None, "{count} {tags:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn invariant_16_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        reads_back(&bytes);
        let _ = borsh::from_slice::<Partial>(&bytes);
        let _ = borsh::from_slice::<SignedTransaction>(&bytes);
    }

    #[test]
    fn invariant_16_bytes_near_a_proposal(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = borsh::to_vec(&keyed(2, 3).good().proposal).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        reads_back(&bytes);
    }

    #[test]
    fn invariant_16_a_payload_link_reads_back(
        head in any::<bool>(), kind in 0u8..6, count in 0u8..4, rest in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let head = if head { [&b"IGRA\x01"[..], &[kind, count]].concat() } else { vec![] };
        let bytes = [head, rest].concat();
        if let Some(link) = payload::read(&bytes) {
            prop_assert_eq!(payload::encode(link.kind, &link.events, &link.tags), bytes);
        }
    }

    #[test]
    fn an_address_of_any_text_is_an_error_or_reads_back(text in "(kaspasim:|kaspa:|)[a-z0-9:]{0,80}|.{0,30}") {
        if let Ok(script) = Script::of_address(Network::Simnet, &text) {
            prop_assert_eq!(script.to_address(Network::Simnet), Some(text));
        }
    }
}
