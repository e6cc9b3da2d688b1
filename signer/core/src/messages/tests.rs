use super::*;
use crate::test_kit::{group, seal_as};
use proptest::prelude::*;

fn header(group: &Group, kind: MessageKind) -> Header {
    Header {
        network: group.network(),
        group: group.id(),
        member: MemberIndex(1),
        epoch: 3,
        sequence: 7,
        kind,
    }
}

#[test]
fn a_sealed_message_opens_as_it_was() {
    let group = group(3, 2, None);
    let sealed = seal_as(&header(&group, MessageKind::Status), b"body");

    let opened = open(&group, &sealed).unwrap();

    assert_eq!(opened, Opened { header: header(&group, MessageKind::Status), body: b"body".to_vec() });
}

#[test]
fn a_message_of_another_group_is_refused() {
    let group = group(3, 2, None);
    let sealed =
        seal_as(&Header { group: GroupId::from_bytes([9; 32]), ..header(&group, MessageKind::Status) }, b"");
    assert_eq!(open(&group, &sealed), Err(OpenError::OtherGroup));
}

#[test]
fn a_message_of_another_network_is_refused() {
    let group = group(3, 2, None);
    let sealed = seal_as(&Header { network: Network::Devnet, ..header(&group, MessageKind::Status) }, b"");
    assert_eq!(open(&group, &sealed), Err(OpenError::OtherGroup));
}

#[test]
fn a_member_that_the_group_does_not_have_is_refused() {
    let group = group(3, 2, None);
    let sealed = seal_as(&Header { member: MemberIndex(3), ..header(&group, MessageKind::Status) }, b"");
    assert_eq!(open(&group, &sealed), Err(OpenError::UnknownMember(3)));
}

#[test]
fn one_member_cannot_speak_for_another() {
    let group = group(3, 2, None);
    let genuine = seal_as(&header(&group, MessageKind::Status), b"body");
    let other = seal_as(&Header { member: MemberIndex(2), ..header(&group, MessageKind::Status) }, b"body");
    let forged =
        [&genuine[..genuine.len() - SIGNATURE_BYTES], &other[other.len() - SIGNATURE_BYTES..]].concat();
    assert_eq!(open(&group, &forged), Err(OpenError::Signature));
}

#[test]
fn a_kind_from_the_future_is_ignored_by_its_number() {
    let group = group(3, 2, None);
    let mut bytes = seal_as(&header(&group, MessageKind::Body), b"");
    bytes.truncate(bytes.len() - SIGNATURE_BYTES);
    let kind_at = HEADER_BYTES - 5;
    bytes[kind_at] = 200;
    let signature = crate::test_kit::transport(MemberIndex(1), &signed_bytes(&bytes));
    bytes.extend_from_slice(&signature);
    assert_eq!(open(&group, &bytes), Err(OpenError::UnknownKind(200)));
}

#[test]
fn a_body_above_the_limit_is_not_sealed_and_one_at_the_limit_is() {
    let group = group(3, 2, None);
    let header = header(&group, MessageKind::Body);
    assert_eq!(seal(&header, &vec![0; MAX_BODY_BYTES + 1], |_| [0; 64]), Err(TooLarge(MAX_BODY_BYTES + 1)));
    assert_eq!(seal(&header, &vec![0; MAX_BODY_BYTES], |_| [0; 64]).unwrap().len(), MAX_SEALED_BYTES);
}

proptest! {
    #[test]
    fn invariant_17_a_flipped_bit_anywhere_gets_a_message_refused(body: Vec<u8>, at: prop::sample::Index, bit in 0u8..8) {
        let group = group(3, 2, None);
        let mut sealed = seal_as(&header(&group, MessageKind::Status), &body);
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(open(&group, &sealed).is_err());
    }

    #[test]
    fn invariant_16_arbitrary_bytes_never_open_and_never_panic(bytes: Vec<u8>) {
        prop_assert!(open(&group(3, 2, None), &bytes).is_err());
    }

    #[test]
    fn invariant_16_a_body_that_reads_writes_the_same_bytes(kind in 0usize..12, bytes: Vec<u8>) {
        let kind = MessageKind::ALL[kind];
        if let Some(message) = Message::decode(kind, &bytes) {
            prop_assert_eq!(message.kind(), kind);
            prop_assert_eq!(message.encode(), bytes);
        }
    }

    #[test]
    fn invariant_16_a_digest_reads_back_and_a_cut_one_does_not(view: u64, seed: [u8; 32], answer: bool, cut in 1usize..20) {
        let known = KnownProposal { proposal: igra_tx::ProposalId::from_bytes(seed), body: answer, approvals: 5, partials: 1 };
        let entry = Entry { event: igra_tx::EventKey::from_bytes(seed), proposals: vec![known] };
        let (from, to) = (entry.event, entry.event);
        let message = Message::Digest(Digest { view, from, to, entries: vec![entry], answer });
        let bytes = message.encode();
        prop_assert_eq!(Message::decode(MessageKind::Digest, &bytes), Some(message));
        prop_assert_eq!(Message::decode(MessageKind::Digest, &bytes[..bytes.len() - cut]), None);
    }
}
