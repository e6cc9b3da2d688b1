//! What is approved, when, and what is written before anybody can see it.

use super::*;

#[test]
fn where_quorum_is_threshold_approval_reservation_proposal_and_partial_are_one_batch_before_the_message() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);

    let asked = signer.hear_unsigned(0, &propose(0, &proposal));
    assert!(
        asked.writes.is_empty() && asked.sent().is_empty(),
        "nothing is promised before the signature: {asked:?}"
    );
    let step = signer.take(Input::Signed(partial(&signer.group, signer.me, &proposal)));

    for family in [Family::Approval, Family::Proposal, Family::Volume, Family::Partial] {
        let row = step.writes.iter().find(|row| row.family == family).unwrap();
        assert!(row.promise, "{family} is a promise");
    }
    let Some((To::All, Message::Approve(sent))) = step.sent().into_iter().next() else { panic!("{step:?}") };
    let told =
        igra_tx::Partial { proposal: proposal.id(), member: signer.me, signatures: sent.signatures.unwrap() };
    assert_eq!(verify_partial(&signer.group, &proposal, &told), Ok(()));
}

#[test]
fn where_quorum_is_more_the_partial_waits_for_a_durable_certificate() {
    let (mut signer, _, proposal) = approved(Q3);
    assert_eq!(signer.rows.keys().filter(|(family, _)| *family == Family::Partial).count(), 0);
    signer.hear(0, &approve(&signer, 0, 1, &proposal));
    assert_eq!(signer.rows.keys().filter(|(family, _)| *family == Family::Certificate).count(), 0);

    let step = signer.hear(2, &approve(&signer, 2, 1, &proposal));

    assert_eq!((rows(&step, Family::Certificate), rows(&step, Family::Partial)), (1, 1));
    assert!(step.sent_kinds().ends_with(&[MessageKind::Certificate, MessageKind::Partial]));
}

#[test]
fn approvals_inside_a_certificate_count() {
    let (mut signer, _, proposal) = approved(Q3);
    let (zero, two) = (approve(&signer, 0, 1, &proposal), approve(&signer, 2, 1, &proposal));
    let approvals = vec![signer.sealed(0, &zero), signer.sealed(2, &two)];
    let step = signer.hear(2, &Message::Certificate(Certificate { proposal: proposal.id(), approvals }));
    assert!(step.sent_kinds().contains(&MessageKind::Partial));
}

#[test]
fn a_second_proposal_that_shares_no_input_is_refused() {
    let (mut signer, event, _) = approved(Q2);
    signer.hear(0, &Message::Status(Status { view: 2 }));
    signer.hear(2, &Message::Status(Status { view: 2 }));
    let other = proposal_from(&signer, &event, 20);
    let step = signer.hear(2, &propose(2, &other));
    assert_eq!((step.refusals(), rows(&step, Family::Approval)), (vec![RefusalCode::Anchor], 0));
}

#[test]
fn a_proposal_that_waits_for_its_signature_binds_like_an_approved_one() {
    let (mut signer, event) = approver(Q2);
    let (first, second) = (proposal_from(&signer, &event, 10), proposal_from(&signer, &event, 20));
    signer.hear_unsigned(0, &propose(0, &first));
    signer.hear_unsigned(0, &Message::Status(Status { view: 2 }));
    let step = signer.hear_unsigned(2, &propose(2, &second));
    assert_eq!(step.refusals(), [RefusalCode::Anchor]);
}

#[test]
fn the_anchor_rule_holds_after_a_restart() {
    let (mut signer, event, _) = approved(Q2);
    signer.restart();
    let coins = [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas));
    signer.wallet(coins.to_vec());
    let other = proposal_from(&signer, &event, 20);
    let step = signer.hear(0, &propose(0, &other));
    assert_eq!(step.refusals(), [RefusalCode::Anchor]);
}

#[test]
fn once_the_first_proposal_is_dead_another_may_be_approved_and_not_before() {
    let (mut signer, event, first) = approved(Q2);
    // Another event's transaction takes the coin.
    let thief = proposal_from(&signer, &self::event(9), 10);
    signer.accept(1, 200, 205, &[&thief]);
    let other = proposal_from(&signer, &event, 20);
    let step = signer.hear(0, &propose(0, &first));
    assert_eq!(step.refusals(), [RefusalCode::Anchor; 0]);
    signer.hear(0, &Message::Status(Status { view: 3 }));
    signer.hear(2, &Message::Status(Status { view: 3 }));
    assert_eq!(signer.hear(0, &propose(3, &other)).refusals(), [RefusalCode::Anchor]);

    let step = signer.take_and_sign(Input::Chain(tip_at(230)));

    assert!(step.effects.iter().any(|effect| matches!(effect, Effect::Note(Note::Dead { .. }))), "{step:?}");
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn dead_is_remembered_after_a_restart() {
    let (mut signer, event, _) = approved(Q2);
    let thief = proposal_from(&signer, &self::event(9), 10);
    signer.accept(1, 200, 230, &[&thief]);
    signer.restart();
    signer.wallet([20, 30].map(|kas| coin(&signer.group, kas as u8, kas)).to_vec());
    let other = proposal_from(&signer, &event, 20);
    assert!(signer.hear(0, &propose(0, &other)).sent_kinds().contains(&MessageKind::Approve));
}

#[test]
fn an_event_ended_between_check_and_signature_gets_no_partial() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    signer.hear_unsigned(0, &propose(0, &proposal));
    signer.accept(1, 200, 230, &[&proposal_from(&signer, &event, 20)]);
    let step = signer.take(Input::Signed(partial(&signer.group, signer.me, &proposal)));
    assert_eq!((step.ignored(), step.writes.len(), step.sent().len()), (Some(Ignored::FinalEvent), 0, 0));
}

#[test]
fn a_partial_that_was_not_asked_for_is_ignored() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    let step = signer.take(Input::Signed(partial(&signer.group, signer.me, &proposal)));
    assert_eq!(step.ignored(), Some(Ignored::NothingToSign));
}

#[test]
fn a_wrong_key_is_an_alarm_and_nothing_is_promised() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    signer.hear_unsigned(0, &propose(0, &proposal));
    let forged = igra_tx::Partial { member: signer.me, ..partial(&signer.group, MemberIndex(2), &proposal) };
    let step = signer.take(Input::Signed(forged));
    assert!(matches!(step.alarms.as_slice(), [Alarm::OwnPartialBad { .. }]));
    let promised = step.writes.iter().filter(|row| row.promise && row.family != Family::Meta).count();
    assert_eq!((promised, step.sent()), (0, Vec::new()), "{step:?}");
    assert!(signer.mind.view().stopped);
}

#[test]
fn without_a_synced_node_nothing_is_approved_and_with_one_again_it_is() {
    let (mut signer, event) = approver(Q2);
    signer.take(Input::NodeDown);
    let proposal = proposal_from(&signer, &event, 10);
    assert_eq!(signer.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::NodeNotSynced]);
    let coins = vec![coin(&signer.group, 10, 10)];
    let update = crate::WalletUpdate {
        virtual_daa: 100,
        coins,
        predecessor: Vec::new(),
        fee_rate: FeeRate::new(100),
        synced: true,
    };
    assert!(signer.take_and_sign(Input::Wallet(update)).sent_kinds().contains(&MessageKind::Approve));
}

#[test]
fn a_coin_that_the_own_chain_shows_spent_is_refused_though_the_wallet_still_shows_it() {
    let (mut signer, event) = approver(Q2);
    signer.accept(1, 200, 205, &[&proposal_from(&signer, &self::event(9), 10)]);
    let proposal = proposal_from(&signer, &event, 10);
    assert_eq!(signer.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::Spent]);
}

#[test]
fn two_events_that_wait_for_signatures_do_not_both_take_the_last_of_a_volume() {
    let limit = Volume { window: VolumeWindow::UtcDay, limit: Sompi(800_000_000), scope: VolumeScope::Group };
    let mut signer = Signer::with_policy(1, Q2, Policy { volumes: vec![limit], ..policy() });
    for id in [1, 2] {
        signer.take(Input::Event(event(id)));
    }
    let proposals = [(1, 10), (2, 20)].map(|(id, kas)| proposal_from(&signer, &event(id), kas));
    signer.hear_unsigned(0, &propose(0, &proposals[0]));
    let step = signer.hear_unsigned(0, &propose(0, &proposals[1]));
    assert_eq!(step.refusals(), [RefusalCode::Held]);
    assert_eq!(state(&signer, &event(2)), SessionState::Held);
}

#[test]
fn an_event_past_its_deadline_is_expired_and_not_approved() {
    let (mut signer, event) = approver(Q2);
    signer.now.utc.0 += 1_001;
    let proposal = proposal_from(&signer, &event, 10);
    assert_eq!(signer.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::Expired]);
    assert_eq!(state(&signer, &event), SessionState::Expired);
}

#[test]
fn a_proposal_that_pays_another_amount_is_refused_with_the_checks_code() {
    let (mut signer, event) = approver(Q2);
    let mut proposal = proposal_from(&signer, &event, 10);
    proposal.outputs[0].amount = Sompi(1);
    let step = signer.hear(0, &propose(0, &proposal));
    let Some((_, Message::Refuse(refuse))) = step.sent().into_iter().next() else { panic!("{step:?}") };
    assert_eq!((refuse.code, refuse.detail.as_str()), (RefusalCode::Check, "amount"));
}
