//! Invariant 1: same input, same hash on every machine; any changed field changes it; domains never collide.

use std::collections::BTreeSet;

use igra_group::{Network, Sompi};
use igra_tx::{EventKey, PayloadHash, Proposal, ProposalKind, Script};
use proptest::prelude::*;

use crate::fixture::{KAS, keyed, recipient};

#[test]
fn invariant_1_the_hashes_are_these_on_every_machine() {
    let event = EventKey::derive(Network::Simnet, "request", "treasury", b"invoice 7");
    let payload = PayloadHash::derive(&recipient(1), Sompi(KAS), b"");
    let proposal = keyed(2, 3).good().proposal;

    let ids = [
        event.to_string(),
        payload.to_string(),
        proposal.id().to_string(),
        proposal.transaction_id().to_string(),
    ];
    assert_eq!(
        ids,
        [
            "67657d0010dec08ede2edf169e3e2123fab9be5738b4ed4c8a749c0bf359f17e",
            "31c25e723571ad3615852b9f275cef1c08a287fd443b519abd3101bc74dbf6e1",
            "ace473ca57073eedd98185ff929cc2b18252957370ff8ab0570ce6666df37d61",
            "feb756960d88a216e7c58c225fba3e925641bda7c83bc6abc90d7b2ec9207591",
        ]
    );
}

#[test]
fn invariant_1_every_part_of_an_event_key_changes_it() {
    let keys = [
        EventKey::derive(Network::Simnet, "request", "a", b"b"),
        EventKey::derive(Network::Devnet, "request", "a", b"b"),
        EventKey::derive(Network::Simnet, "hyperlane", "a", b"b"),
        EventKey::derive(Network::Simnet, "request", "x", b"b"),
        EventKey::derive(Network::Simnet, "request", "a", b"x"),
        EventKey::derive(Network::Simnet, "request", "ab", b""),
        EventKey::derive(Network::Simnet, "request", "", b"ab"),
        EventKey::derive(Network::Simnet, "requesta", "", b"b"),
    ];
    assert_eq!(BTreeSet::from(keys).len(), keys.len());
}

#[test]
fn invariant_1_every_part_of_a_payload_hash_changes_it() {
    let mut other_version = recipient(1);
    other_version.version = 1;
    let hashes = [
        PayloadHash::derive(&recipient(1), Sompi(1), b""),
        PayloadHash::derive(&recipient(2), Sompi(1), b""),
        PayloadHash::derive(&other_version, Sompi(1), b""),
        PayloadHash::derive(&recipient(1), Sompi(2), b""),
        PayloadHash::derive(&recipient(1), Sompi(1), b"x"),
    ];
    assert_eq!(BTreeSet::from(hashes).len(), hashes.len());
}

#[test]
fn invariant_1_every_field_of_a_proposal_changes_its_id() {
    let good = keyed(2, 3).good().proposal;
    let changes: &[fn(&mut Proposal)] = &[
        |p| p.group.0.0[0] ^= 1,
        |p| p.kind = ProposalKind::Void,
        |p| p.events[0].0.0[31] ^= 1,
        |p| p.events.swap(0, 1),
        |p| p.inputs[0].outpoint.transaction.0.0[0] ^= 1,
        |p| p.inputs[0].outpoint.index += 1,
        |p| p.inputs[0].amount.0 += 1,
        |p| p.inputs[0].script.version += 1,
        |p| p.inputs[0].script.bytes[5] ^= 1,
        |p| p.inputs[0].daa_score += 1,
        |p| p.inputs[0].coinbase = true,
        |p| p.inputs.swap(0, 1),
        |p| p.outputs[0].amount.0 += 1,
        |p| p.outputs[0].script.version += 1,
        |p| p.outputs[0].script.bytes[5] ^= 1,
        |p| p.outputs.swap(0, 1),
        |p| p.payload[0] ^= 1,
        |p| p.payload.push(0),
    ];
    let mut ids = BTreeSet::from([good.id()]);
    for change in changes {
        let mut changed = good.clone();
        change(&mut changed);
        ids.insert(changed.id());
    }
    assert_eq!(ids.len(), changes.len() + 1);
}

#[test]
fn invariant_1_signing_does_not_change_the_transaction_id() {
    let keyed = keyed(2, 3);
    let proposal = keyed.good().proposal;
    let signed = igra_tx::combine(&keyed.group, &proposal, &keyed.partials(&proposal, &[0, 2])).unwrap();

    assert_eq!(signed.id(), proposal.transaction_id());
    assert_eq!(igra_tx::kaspa::transaction_id(&signed.to_kaspa()), proposal.transaction_id());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn invariant_1_domains_never_collide(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let script = Script { version: 0, bytes: bytes.clone() };
        let origin = String::from_utf8_lossy(&bytes).into_owned();
        let event = EventKey::derive(Network::Simnet, "request", &origin, &bytes);
        let payload = PayloadHash::derive(&script, Sompi(0), &bytes);
        let mut proposal = keyed(1, 1).good().proposal;
        proposal.payload = bytes;
        let ids = BTreeSet::from([
            *event.as_bytes(),
            *payload.as_bytes(),
            *proposal.id().as_bytes(),
            *proposal.transaction_id().as_bytes(),
            *proposal.group.as_bytes(),
        ]);
        prop_assert_eq!(ids.len(), 5);
    }

    #[test]
    fn invariant_1_parts_never_run_together(a in "[a-c]{0,4}", b in "[a-c]{0,4}", c in "[a-c]{0,4}", d in "[a-c]{0,4}") {
        let first = EventKey::derive(Network::Simnet, "request", &a, b.as_bytes());
        let second = EventKey::derive(Network::Simnet, "request", &c, d.as_bytes());
        prop_assert_eq!(first == second, (a, b) == (c, d));
    }
}
