//! Approvals, certificates and partials of others, and signs of a second copy.

use super::*;

#[test]
fn an_approval_under_another_configuration_does_not_count_and_uses_up_its_number() {
    let (mut signer, _, proposal) = approved(Q3);
    let Message::Approve(mut other) = approve(&signer, 2, 7, &proposal) else {
        unreachable!("it is an approval")
    };
    other.config = ConfigDigest::from_bytes([1; 32]);
    assert_eq!(signer.hear(2, &Message::Approve(other)).ignored(), Some(Ignored::OtherConfig));
    assert_eq!(signer.mind.promise_seen(MemberIndex(2)), 7);
}

#[test]
fn an_approval_with_a_forged_partial_does_not_count() {
    let (mut signer, event, proposal) = approved(Q2);
    let Message::Approve(mut forged) = approve(&signer, 2, 1, &proposal) else {
        unreachable!("it is an approval")
    };
    forged.signatures = Some(partial(&signer.group, MemberIndex(0), &proposal).signatures);
    assert_eq!(signer.hear(2, &Message::Approve(forged)).ignored(), Some(Ignored::BadPartial));
    assert_eq!(signer.mind.session(&key(&event)).unwrap().approvals, [MemberIndex(1)]);
}

#[test]
fn one_number_for_two_promises_is_an_alarm() {
    let (mut signer, event, proposal) = approved(Q3);
    signer.hear(2, &approve(&signer, 2, 5, &proposal));
    let other = proposal_from(&signer, &event, 20);
    let step = signer.hear(2, &approve(&signer, 2, 5, &other));
    assert!(matches!(
        step.alarms.as_slice(),
        [Alarm::Equivocation { member: MemberIndex(2), promise: 5, .. }]
    ));
}

#[test]
fn both_messages_of_a_member_that_gave_one_number_twice_are_kept_and_their_number_is_bounded() {
    let (mut signer, event, proposal) = approved(Q3);
    let first = approve(&signer, 2, 5, &proposal);
    let sealed = [signer.sealed(2, &first), {
        let second = approve(&signer, 2, 5, &proposal_from(&signer, &event, 20));
        signer.sealed(2, &second)
    }];
    signer.take(Input::Received(sealed[0].clone()));
    let step = signer.take(Input::Received(sealed[1].clone()));
    assert!(step.writes.iter().any(|row| row.family == Family::Meta && row.promise));
    assert_eq!(signer.take(Input::Received(sealed[1].clone())).alarms, [], "it is known already");

    signer.restart();

    let [proof] = signer.mind.view().members[2].equivocations.clone().try_into().unwrap();
    assert_eq!((proof.promise, proof.first), (5, proposal.id()));
    let shown = proof.sealed.map(|sealed| hex::decode(sealed.unwrap()).unwrap());
    assert_eq!(shown, sealed, "as they were sealed, for anybody to check");

    for number in 10..30 {
        signer.hear(2, &approve(&signer, 2, number, &proposal));
        signer.hear(2, &approve(&signer, 2, number, &proposal_from(&signer, &event, 20)));
    }
    assert_eq!(signer.mind.view().members[2].equivocations.len(), 4);
}

#[test]
fn what_the_policy_no_longer_lets_be_paid_as_fee_gets_no_partial() {
    let (mut signer, _, proposal) = approved(Q3);
    let fee = igra_tx::FeeLimits { max_sompi_per_gram: 1, max: Sompi(1) };
    signer.take(Input::Policy(Policy { fee, ..policy() }));
    signer.hear(0, &approve(&signer, 0, 1, &proposal));
    let step = signer.hear(2, &approve(&signer, 2, 1, &proposal));
    assert_eq!((rows(&step, Family::Certificate), rows(&step, Family::Partial)), (0, 0));
    let step = signer.take_and_sign(Input::Policy(policy()));
    assert_eq!((rows(&step, Family::Certificate), rows(&step, Family::Partial)), (1, 1));
}

#[test]
fn an_approval_that_came_before_its_proposal_is_judged_when_the_body_is_here() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    let step = signer.hear(2, &approve(&signer, 2, 1, &proposal));
    assert_eq!(step.sent_kinds(), [MessageKind::Digest], "it asks for the body");
    let step = signer.hear(0, &propose(0, &proposal));
    assert_eq!(rows(&step, Family::Outbox), 1);
}

#[test]
fn a_signer_that_stopped_between_check_and_signature_promises_nothing() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    signer.hear_unsigned(0, &propose(0, &proposal));
    signer.hear_unsigned(1, &approve(&signer, 1, 4, &proposal_from(&signer, &event, 20)));
    let step = signer.take(Input::Signed(partial(&signer.group, signer.me, &proposal)));
    assert_eq!(
        (step.ignored(), step.sent().len(), rows(&step, Family::Approval)),
        (Some(Ignored::Stopped), 0, 0)
    );
}

#[test]
fn a_signer_that_stopped_makes_no_partial_though_a_certificate_is_there() {
    let (mut signer, event, proposal) = approved(Q3);
    signer.hear(1, &approve(&signer, 1, 4, &proposal_from(&signer, &event, 20)));
    signer.hear(0, &approve(&signer, 0, 1, &proposal));
    let step = signer.hear(2, &approve(&signer, 2, 1, &proposal));
    assert_eq!((rows(&step, Family::Certificate), rows(&step, Family::Partial)), (0, 0));
}

#[test]
fn an_approval_that_names_other_events_than_its_proposal_does_not_count() {
    let (mut signer, known, proposal) = approved(Q3);
    let Message::Approve(mut other) = approve(&signer, 2, 1, &proposal) else {
        unreachable!("it is an approval")
    };
    other.events = vec![key(&known), key(&event(2))];
    assert_eq!(signer.hear(2, &Message::Approve(other)).ignored(), Some(Ignored::Mismatch));
    assert_eq!(signer.mind.session(&key(&known)).unwrap().approvals, [MemberIndex(1)]);
}

#[test]
fn promise_numbers_go_on_after_a_restart() {
    let (mut signer, _, _) = approved(Q2);
    signer.restart();
    signer.wallet([10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas)).to_vec());
    signer.take(Input::Event(event(2)));
    let proposal = proposal_from(&signer, &event(2), 20);
    signer.hear(0, &propose(0, &proposal));
    assert_eq!(signer.mind.view().promise, 2);
}

#[test]
fn a_message_counts_once() {
    let (mut signer, _) = approver(Q2);
    let sealed = signer.sealed(0, &Message::Status(Status { view: 0 }));
    assert_eq!(signer.take(Input::Received(sealed.clone())).ignored(), None);
    assert_eq!(signer.take(Input::Received(sealed)).ignored(), Some(Ignored::Duplicate));
}

#[test]
fn an_approval_with_signatures_for_which_there_is_no_use_is_refused_whole() {
    let (mut signer, _, proposal) = approved(Q2);
    let Message::Approve(mut many) = approve(&signer, 2, 1, &proposal) else {
        unreachable!("it is an approval")
    };
    many.signatures = many.signatures.map(|signatures| signatures[..1].repeat(65));
    let ignored = signer.hear(2, &Message::Approve(many)).ignored();
    assert_eq!(ignored, Some(Ignored::Malformed(MessageKind::Approve)));

    let (mut signer, _, proposal) = approved(Q3);
    let Message::Approve(mut early) = approve(&signer, 2, 1, &proposal) else {
        unreachable!("it is an approval")
    };
    early.signatures = Some(partial(&signer.group, MemberIndex(2), &proposal).signatures);
    let ignored = signer.hear(2, &Message::Approve(early)).ignored();
    assert_eq!(ignored, Some(Ignored::Malformed(MessageKind::Approve)));
}
