//! Members of this version and of the one before: bytes that version 1 wrote, and what a later one may write.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};

use super::*;
use crate::test_kit::{Signer, group, seal_as};
use crate::{Ignored, Input};

/// Bodies as version 1 wrote them, by kind.
fn recorded() -> BTreeMap<MessageKind, String> {
    let (a, b, c) = ("aa".repeat(32), "bb".repeat(32), "cc".repeat(32));
    let evidence = "0400000074657374".to_owned() + "03000000010203";
    [
        // Promise 7, seen 1, 0, 9; view 4; config, policy, software "0.1", no tag.
        (
            MessageKind::Hello,
            format!(
                "0700000000000000{}0400000000000000{a}{b}03000000302e3100",
                "03000000010000000000000000000000000000000900000000000000"
            ),
        ),
        (MessageKind::Status, "0500000000000000".to_owned()),
        (MessageKind::Announce, format!("{a}{evidence}")),
        (MessageKind::Propose, "060000000000000003000000010203".to_owned()),
        // Proposal, one event, config, promise 3, view 2, one signature.
        (
            MessageKind::Approve,
            format!("{a}01000000{b}{c}0300000000000000020000000000000001{}{}", "01000000", "dd".repeat(64)),
        ),
        // Proposal, view 2, code check, detail "fee", one outpoint.
        (MessageKind::Refuse, format!("{a}02000000000000000603000000666565{}{b}01000000", "01000000")),
        (MessageKind::Certificate, format!("{a}0100000003000000010203")),
        (MessageKind::Partial, format!("{a}01000000{}", "dd".repeat(64))),
        (MessageKind::Final, format!("{a}{b}")),
        (MessageKind::Hint, a.clone()),
        // View 1, from, to, one entry with one proposal, no answer.
        (MessageKind::Digest, format!("0100000000000000{a}{c}01000000{b}01000000{a}010300010000")),
        (MessageKind::Body, "03000000010203".to_owned()),
    ]
    .into()
}

fn bytes(kind: MessageKind) -> Vec<u8> {
    hex::decode(&recorded()[&kind]).unwrap()
}

#[test]
fn every_body_of_version_1_reads_and_writes_the_same_bytes() {
    for kind in recorded().keys() {
        let message = Message::read(*kind, &bytes(*kind)).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(message.encode(), bytes(*kind), "{kind:?}: version 1 reads what says nothing new");
    }
    assert_eq!(recorded().len(), 12);
}

#[test]
fn a_body_of_a_newer_version_is_ignored_as_such_and_a_cut_one_is_malformed() {
    for kind in recorded().keys().filter(|kind| !GROWN.contains(kind)) {
        let newer = [bytes(*kind), vec![1]].concat();
        assert_eq!(Message::read(*kind, &newer), Err(Unread::Newer), "{kind:?}");
        let cut = &bytes(*kind)[..bytes(*kind).len() - 1];
        assert_eq!(Message::read(*kind, cut), Err(Unread::Malformed), "{kind:?}");
    }
}

/// Kinds to which a field was added since version 1: there a byte more begins that field.
const GROWN: [MessageKind; 3] = [MessageKind::Hello, MessageKind::Refuse, MessageKind::Final];

#[test]
fn a_refusal_that_names_events_is_newer_to_version_1_and_reads_here() {
    let named = [bytes(MessageKind::Refuse), hex::decode("01000000".to_owned() + &"aa".repeat(32)).unwrap()];
    let read = Message::read(MessageKind::Refuse, &named.concat()).unwrap();
    assert!(matches!(&read, Message::Refuse(refuse) if refuse.events.len() == 1));
    assert_eq!(read.encode(), named.concat());
    assert_eq!(Message::read(MessageKind::Refuse, &[named.concat(), vec![1]].concat()), Err(Unread::Newer));
}

#[test]
fn a_member_says_why_it_ignores_a_newer_body() {
    let mut signer = Signer::new(1, 2);
    let sealed = |sequence: u64, kind: MessageKind, body: &[u8]| {
        let (network, group) = (signer.group.network(), signer.group.id());
        seal_as(&Header { network, group, member: MemberIndex(0), epoch: 1, sequence, kind }, body)
    };
    let newer = sealed(101, MessageKind::Status, &[bytes(MessageKind::Status), vec![9, 9]].concat());
    let cut = sealed(102, MessageKind::Status, &[1]);
    let newer = signer.take(Input::Received(newer)).ignored();
    let cut = signer.take(Input::Received(cut)).ignored();
    assert_eq!(newer, Some(Ignored::NewerVersion(MessageKind::Status)));
    assert_eq!(cut, Some(Ignored::Malformed(MessageKind::Status)));
}

#[test]
fn the_envelope_of_version_1_opens() {
    let group = group(3, 2, None);
    let header = Header {
        network: group.network(),
        group: group.id(),
        member: MemberIndex(1),
        epoch: 3,
        sequence: 7,
        kind: MessageKind::Status,
    };
    let body = bytes(MessageKind::Status);
    assert_eq!(hex::encode(seal_as(&header, &body)), SEALED);
    assert_eq!(open(&group, &hex::decode(SEALED).unwrap()), Ok(Opened { header, body }));
}

/// Version 1 sealed it: member 1 in epoch 3, its message 7, a status.
const SEALED: &str = "0103f5be7c724cea81bbc3c2fcb884c228628be86ff06c8abf42d24f064f3b843c160103000000000000000700000000\
    0000000108000000050000000000000050c1839cbb03f2bad007d98b76ba68c7cfc752732b5c541df027876292392978\
    92c0266e0476e3b19623035b47ece79e0c991a9ae28331019b236a3eb50ae205";

/// A body that grew by one field.
#[derive(Debug, PartialEq, BorshSerialize, BorshDeserialize)]
struct Grown {
    first: u16,
    #[borsh(serialize_with = "added::write", deserialize_with = "added::read")]
    more: Option<u8>,
}

#[test]
fn an_added_field_is_absent_in_older_bytes_and_leaves_no_trace_where_it_says_nothing() {
    for (value, bytes) in
        [(Grown { first: 5, more: None }, vec![5, 0]), (Grown { first: 5, more: Some(7) }, vec![5, 0, 1, 7])]
    {
        assert_eq!(borsh::to_vec(&value).unwrap(), bytes);
        assert_eq!(borsh::from_slice::<Grown>(&bytes).unwrap(), value);
    }
    assert!(borsh::from_slice::<Grown>(&[5, 0, 0]).is_err(), "one value, one form");
    assert!(borsh::from_slice::<Grown>(&[5, 0, 1]).is_err());
}
