//! After a restart, and what peers push to one another.

use super::*;

#[test]
fn after_a_restart_every_recorded_promise_is_sent_again_and_the_outbox_submitted() {
    let (mut signer, _, proposal) = assembled();
    let step = signer.restart();
    assert!(step.sent_kinds().contains(&MessageKind::Approve));
    assert_eq!(step.submitted(), [proposal.transaction_id()]);
    assert_eq!(signer.mind.epoch(), 2);
}

#[test]
fn after_a_restart_the_signature_that_a_certificate_waits_for_is_asked_for_again() {
    let (mut signer, _, proposal) = approved(Q3);
    signer.hear(0, &approve(&signer, 0, 1, &proposal));
    signer.hear_unsigned(2, &approve(&signer, 2, 1, &proposal));
    let step = signer.restart();
    assert!(step.effects.iter().any(|effect| matches!(effect, Effect::Sign { .. })));
    let step = signer.take(Input::Signed(partial(&signer.group, signer.me, &proposal)));
    assert!(step.sent_kinds().contains(&MessageKind::Partial));
}

#[test]
fn a_peer_that_lacks_everything_gets_the_event_and_then_proposal_and_approvals() {
    let (mut signer, event, proposal) = approved(Q2);
    signer.hear(2, &approve(&signer, 2, 1, &proposal));
    let digest = |entries| {
        let (from, to) = (EventKey::from_bytes([0; 32]), EventKey::from_bytes([0xff; 32]));
        Message::Digest(Digest { view: 0, from, to, entries, answer: false })
    };
    assert_eq!(signer.hear(0, &digest(Vec::new())).sent_kinds(), [MessageKind::Announce]);

    let step = signer.hear(0, &digest(vec![Entry { event: key(&event), proposals: Vec::new() }]));

    assert_eq!(step.sent_kinds(), [MessageKind::Approve, MessageKind::Body]);
    assert_eq!(step.effects.iter().filter(|effect| matches!(effect, Effect::Relay { .. })).count(), 1);
}

#[test]
fn a_peer_that_has_it_all_gets_nothing() {
    let (mut signer, event, proposal) = approved(Q2);
    let known = KnownProposal { proposal: proposal.id(), body: true, approvals: 0b10, partials: 0b10 };
    let entry = Entry { event: key(&event), proposals: vec![known] };
    let (from, to) = (key(&event), key(&event));
    let step =
        signer.hear(0, &Message::Digest(Digest { view: 0, from, to, entries: vec![entry], answer: false }));
    assert_eq!(step.effects, []);
}

#[test]
fn a_digest_with_something_unknown_is_answered_with_a_question_and_an_answer_is_not() {
    for (answer, asks) in [(false, 1), (true, 0)] {
        let mut signer = Signer::new(1, Q2);
        let entry = Entry { event: key(&event(5)), proposals: Vec::new() };
        let (from, to) = (entry.event, entry.event);
        let step =
            signer.hear(0, &Message::Digest(Digest { view: 0, from, to, entries: vec![entry], answer }));
        assert_eq!(step.sent_kinds().len(), asks);
    }
}

#[test]
fn a_peer_that_promised_more_than_it_knows_is_shown_its_own_seal() {
    let (mut signer, _, proposal) = approved(Q3);
    let approval = approve(&signer, 2, 9, &proposal);
    let sealed = signer.sealed(2, &approval);
    signer.take_and_sign(Input::Received(sealed.clone()));
    let hello = Hello {
        promise: 8,
        seen: Vec::new(),
        view: 0,
        config: signer.group.config_digest(),
        policy: policy().digest(),
        software: String::new(),
        tag: None,
        standing: Standing { heard: Vec::new(), answer: true },
    };
    let step = signer.hear(2, &Message::Hello(hello));
    assert!(step.effects.contains(&Effect::Relay { to: To::Member(MemberIndex(2)), sealed }));
}

#[test]
fn a_relayed_approval_of_an_epoch_that_passed_still_counts() {
    let (mut signer, event, proposal) = approved(Q3);
    let approval = approve(&signer, 2, 1, &proposal);
    let old = signer.sealed(2, &approval);
    let header = crate::messages::Header {
        network: signer.group.network(),
        group: signer.group.id(),
        member: MemberIndex(2),
        epoch: 9,
        sequence: 1,
        kind: MessageKind::Status,
    };
    signer.take(Input::Received(crate::test_kit::seal_as(
        &header,
        &Message::Status(Status { view: 0 }).encode(),
    )));
    assert_eq!(signer.take(Input::Received(old)).ignored(), None);
    assert!(signer.mind.session(&key(&event)).unwrap().approvals.contains(&MemberIndex(2)));
}

#[test]
fn a_partial_in_the_wrong_form_is_ignored() {
    let (mut signer, _, proposal) = approved(Q2);
    let signatures = partial(&signer.group, MemberIndex(2), &proposal).signatures;
    let step = signer.hear(2, &Message::Partial(PartialMessage { proposal: proposal.id(), signatures }));
    assert_eq!(step.ignored(), Some(Ignored::Mismatch));
}
