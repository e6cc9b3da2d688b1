//! What comes in at the own door and from peers.

use super::*;

#[test]
fn an_event_at_the_own_door_is_written_before_it_is_announced() {
    let mut signer = Signer::new(1, Q2);
    let step = signer.take(Input::Event(event(1)));
    assert!(step.writes.iter().any(|row| row.family == Family::Event && row.promise));
    assert_eq!(step.sent_kinds(), [MessageKind::Announce]);
}

#[test]
fn the_same_event_again_is_known_and_changes_nothing() {
    let (mut signer, event) = approver(Q2);
    assert_eq!(signer.mind.intake(&event, signer.now), Intake::Same(SessionState::Verified));
    let step = signer.take(Input::Event(event));
    assert_eq!((step.ignored(), step.writes.len()), (Some(Ignored::KnownEvent), 0));
}

#[test]
fn the_same_key_with_another_payload_is_refused_with_an_alarm() {
    let (mut signer, first) = approver(Q2);
    let mut second = event(1);
    second.payment.amount = Sompi(1);
    second.payment.payload = igra_tx::PayloadHash::from_bytes([7; 32]);
    assert_eq!(signer.mind.intake(&second, signer.now), Intake::Replayed { first: first.payment.payload });

    let step = signer.take(Input::Event(second));

    assert_eq!(step.ignored(), Some(Ignored::Replayed));
    assert_eq!(step.alarms, [Alarm::Replayed { event: key(&first), from: None }]);
}

#[test]
fn an_event_that_the_policy_denies_is_answered_with_its_code_and_not_kept() {
    let mut signer = Signer::with_policy(1, Q2, Policy { amount_max: Some(Sompi(1)), ..policy() });
    let Intake::Denied(denial) = signer.mind.intake(&event(1), signer.now) else { panic!("not denied") };
    assert_eq!(denial.code, DenialCode::AmountAboveMax);
    let step = signer.take(Input::Event(event(1)));
    assert_eq!(
        (step.ignored(), rows(&step, Family::Event), rows(&step, Family::Ring)),
        (Some(Ignored::Denied), 0, 1)
    );
}

#[test]
fn an_announced_event_goes_through_the_own_verifier_once() {
    let mut signer = Signer::new(1, Q2);
    let announce = |signer: &mut Signer| {
        let evidence = event(1).evidence;
        signer.hear(0, &Message::Announce(crate::messages::Announce { event: key(&event(1)), evidence }))
    };
    let step = announce(&mut signer);
    assert!(matches!(step.effects.as_slice(), [Effect::Verify { from: MemberIndex(0), .. }]), "{step:?}");
    assert!(signer.mind.session(&key(&event(1))).is_none());
    assert_eq!(announce(&mut signer).ignored(), Some(Ignored::Duplicate));

    signer.take(Input::Verified { from: MemberIndex(0), event: event(1) });
    assert_eq!(state(&signer, &event(1)), SessionState::Verified);
    assert_eq!(announce(&mut signer).ignored(), Some(Ignored::KnownEvent));
}

#[test]
fn evidence_that_proves_nothing_is_not_verified_again() {
    let mut signer = Signer::new(1, Q2);
    let evidence = event(1).evidence;
    let failed = |permanent| Input::VerifyFailed {
        from: MemberIndex(0),
        evidence: evidence.clone(),
        code: "bad".to_owned(),
        permanent,
    };
    signer.take(failed(true));
    let announce = crate::messages::Announce { event: key(&event(1)), evidence: evidence.clone() };
    assert_eq!(signer.hear(0, &Message::Announce(announce)).ignored(), Some(Ignored::VerifyFailed));
}
