//! One coordinator, its rules one by one.

use std::collections::BTreeSet;

use igra_group::{ConfigDigest, MemberIndex, Sompi};
use igra_tx::{ChainView, EventKey, FeeRate, Outpoint, Proposal, draft, verify_partial};

use crate::{
    Alarm, ChainUpdate, DenialCode, Effect, Family, Ignored, Input, Intake, MessageKind, Note, Policy,
    RefusalCode, SessionState, SubmitOutcome, To, VerifiedEvent, Volume, VolumeScope, VolumeWindow,
    messages::{
        Approve, Certificate, Digest, Entry, Hello, KnownProposal, Message, PartialMessage, Propose, Refuse,
        Status,
    },
    test_kit::{Signer, coin, event, partial, policy, tip_at},
};

const Q2: u8 = 2;
const Q3: u8 = 3;

fn key(event: &VerifiedEvent) -> EventKey {
    event.payment.event
}

/// A proposal for an event that spends one coin of the given size, as another member may draft it.
fn proposal_from(signer: &Signer, event: &VerifiedEvent, kas: u64) -> Proposal {
    let coins = [coin(&signer.group, kas as u8, kas)];
    let view = ChainView {
        virtual_daa: 100,
        coins: coins.into_iter().map(|coin| (coin.outpoint, coin)).collect(),
        own: BTreeSet::new(),
        fee_rate: FeeRate::new(100),
    };
    draft(&signer.group, &view, std::slice::from_ref(&event.payment), &policy().fee, &BTreeSet::new(), &[])
        .unwrap()
}

fn propose(view: u64, proposal: &Proposal) -> Message {
    Message::Propose(Propose { view, proposal: borsh::to_vec(proposal).unwrap() })
}

fn approve(signer: &Signer, from: u8, promise: u64, proposal: &Proposal) -> Message {
    let at_once = signer.group.quorum().get() == 2;
    let signed = || partial(&signer.group, MemberIndex(from), proposal).signatures;
    Message::Approve(Approve {
        proposal: proposal.id(),
        events: proposal.events.clone(),
        config: signer.group.config_digest(),
        promise,
        view: 0,
        signatures: at_once.then(signed),
    })
}

/// A signer that is not the proposer of view 0 and knows an event.
fn approver(quorum: u8) -> (Signer, VerifiedEvent) {
    let mut signer = Signer::new(1, quorum);
    let event = event(1);
    signer.take(Input::Event(event.clone()));
    (signer, event)
}

/// One that has approved a proposal by the proposer of view 0, spending the coin of 10 KAS.
fn approved(quorum: u8) -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event) = approver(quorum);
    let proposal = proposal_from(&signer, &event, 10);
    let step = signer.hear(0, &propose(0, &proposal));
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
    (signer, event, proposal)
}

fn state(signer: &Signer, event: &VerifiedEvent) -> SessionState {
    signer.mind.session(&key(event)).unwrap().state
}

fn rows(step: &crate::Step, family: Family) -> usize {
    step.writes.iter().filter(|row| row.family == family && row.value.is_some()).count()
}

// Intake

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

// Proposing

#[test]
fn the_proposer_of_the_view_proposes_and_nobody_else_does() {
    for (me, proposals) in [(0, 1), (1, 0), (2, 0)] {
        let mut signer = Signer::new(me, Q2);
        let step = signer.take(Input::Event(event(1)));
        assert_eq!(step.proposals().len(), proposals, "member {me}");
    }
}

#[test]
fn without_a_valid_proposal_the_view_moves_on_after_its_timeout() {
    let (mut signer, _) = approver(Q2);
    assert_eq!(signer.after(999).proposals().len(), 0);
    let step = signer.after(1);
    // View 1 is this member's own.
    assert_eq!((signer.mind.view().view, step.proposals().len()), (1, 1));
    assert!(step.sent_kinds().contains(&MessageKind::Status));
}

#[test]
fn an_idle_signer_does_not_move_its_view() {
    let mut signer = Signer::new(1, Q2);
    signer.after(100_000);
    assert_eq!((signer.mind.view().view, signer.mind.next_deadline()), (0, None));
}

#[test]
fn without_funds_the_view_waits() {
    let (mut signer, event) = approver(Q2);
    signer.wallet(Vec::new());
    signer.after(100_000);
    assert_eq!(signer.mind.view().view, 0);
    assert!(signer.mind.session(&key(&event)).unwrap().blocked.is_some());
}

#[test]
fn a_signer_jumps_when_as_many_as_cannot_all_be_stopped_are_ahead() {
    let mut signer = Signer::new(1, Q2);
    signer.hear(0, &Message::Status(Status { view: 7 }));
    assert_eq!(signer.mind.view().view, 0);
    signer.hear(2, &Message::Status(Status { view: 9 }));
    assert_eq!(signer.mind.view().view, 7);
}

#[test]
fn a_proposal_by_somebody_else_than_the_proposer_is_ignored() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    assert_eq!(signer.hear(2, &propose(0, &proposal)).ignored(), Some(Ignored::NotTheProposer));
}

#[test]
fn a_proposal_of_a_view_that_passed_is_ignored_and_its_proposer_told() {
    let (mut signer, event) = approver(Q2);
    signer.after(1_000);
    let proposal = proposal_from(&signer, &event, 10);
    let step = signer.hear(0, &propose(0, &proposal));
    assert_eq!(step.ignored(), Some(Ignored::StaleView));
    assert_eq!(step.sent(), [(To::Member(MemberIndex(0)), Message::Status(Status { view: 1 }))]);
}

#[test]
fn a_proposal_for_a_later_view_waits_until_that_view_is_justified() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    assert_eq!(signer.hear(2, &propose(2, &proposal)).ignored(), Some(Ignored::EarlyView));
    let step = signer.hear(0, &Message::Status(Status { view: 2 }));
    let mut kinds = step.sent_kinds();
    kinds.retain(|kind| *kind != MessageKind::Status);
    // Justified now; nothing but the signature is missing.
    assert_eq!(kinds, [MessageKind::Approve]);
}

#[test]
fn the_next_proposer_offers_what_was_approved_before() {
    let (mut signer, _, proposal) = approved(Q2);
    let step = signer.after(1_000);
    assert_eq!(step.proposals(), [proposal]);
}

#[test]
fn a_proposer_ends_a_split_with_a_proposal_that_shares_an_input_with_both_sides() {
    let (mut signer, event, mine) = approved(Q3);
    let theirs = proposal_from(&signer, &event, 20);
    signer.hear(2, &approve(&signer, 2, 1, &theirs));
    let body = crate::messages::Body { proposal: borsh::to_vec(&theirs).unwrap() };
    signer.hear(2, &Message::Body(body));

    let merged = signer.after(1_000).proposals();

    assert_eq!(merged.len(), 1);
    assert!(merged[0].shares_input_with(&mine) && merged[0].shares_input_with(&theirs));
}

#[test]
fn coins_of_another_events_proposal_are_left_alone_and_are_no_veto() {
    let (mut signer, _, first) = approved(Q2);
    signer.take(Input::Event(event(2)));
    let step = signer.after(1_000);
    let second = step.proposals().into_iter().find(|p| p.events == [key(&event(2))]).unwrap();
    assert!(!second.shares_input_with(&first));

    let (mut signer, _, _) = approved(Q2);
    signer.take(Input::Event(event(2)));
    let same_coin = proposal_from(&signer, &event(2), 10);
    let step = signer.hear(0, &propose(0, &same_coin));
    assert!(step.sent_kinds().contains(&MessageKind::Approve));
}

#[test]
fn a_coin_that_more_than_can_be_stopped_refuse_is_avoided() {
    let mut signer = Signer::new(0, Q2);
    let first = signer.take_and_sign(Input::Event(event(1))).proposals().remove(0);
    let outpoints: Vec<Outpoint> = first.outpoints().into_iter().collect();
    for member in [1, 2] {
        let refuse = Refuse {
            proposal: first.id(),
            view: 0,
            code: RefusalCode::Check,
            detail: "unknown-coin".to_owned(),
            outpoints: outpoints.clone(),
        };
        signer.hear(member, &Message::Refuse(refuse));
    }
    signer.take(Input::Event(event(2)));
    signer.hear(1, &Message::Status(Status { view: 3 }));
    let step = signer.hear(2, &Message::Status(Status { view: 3 }));
    let second = step.proposals().into_iter().find(|p| p.events == [key(&event(2))]).unwrap();
    assert!(second.outpoints().is_disjoint(&first.outpoints()));
}

#[test]
fn a_proposal_that_overtakes_the_verifier_is_judged_as_soon_as_the_event_is_known() {
    let mut signer = Signer::new(1, Q2);
    let proposal = proposal_from(&signer, &event(1), 10);
    assert_eq!(signer.hear(0, &propose(0, &proposal)).ignored(), Some(Ignored::UnknownEvent));
    let step = signer.take_and_sign(Input::Verified { from: MemberIndex(0), event: event(1) });
    assert!(step.sent_kinds().contains(&MessageKind::Approve));
}

// Approving

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
    assert!(step.writes.iter().all(|row| !row.promise) && step.sent().is_empty(), "{step:?}");
    assert!(signer.mind.view().stopped);
}

#[test]
fn without_a_synced_node_nothing_is_approved_and_with_one_again_it_is() {
    let (mut signer, event) = approver(Q2);
    signer.take(Input::NodeDown);
    let proposal = proposal_from(&signer, &event, 10);
    assert_eq!(signer.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::NodeNotSynced]);
    let coins = vec![coin(&signer.group, 10, 10)];
    let update = crate::WalletUpdate { virtual_daa: 100, coins, fee_rate: FeeRate::new(100), synced: true };
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

// What others promise

#[test]
fn an_approval_under_another_configuration_does_not_count() {
    let (mut signer, _, proposal) = approved(Q3);
    let Message::Approve(mut other) = approve(&signer, 2, 1, &proposal) else {
        unreachable!("it is an approval")
    };
    other.config = ConfigDigest::from_bytes([1; 32]);
    assert_eq!(signer.hear(2, &Message::Approve(other)).ignored(), Some(Ignored::OtherConfig));
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
fn an_approval_that_came_before_its_proposal_is_judged_when_the_body_is_here() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    let step = signer.hear(2, &approve(&signer, 2, 1, &proposal));
    assert_eq!(step.sent_kinds(), [MessageKind::Digest], "it asks for the body");
    let step = signer.hear(0, &propose(0, &proposal));
    assert_eq!(rows(&step, Family::Outbox), 1);
}

#[test]
fn the_own_seal_on_a_promise_that_the_store_does_not_have_stops_the_signer() {
    let (mut signer, event) = approver(Q2);
    let lost = proposal_from(&signer, &event, 20);
    let step = signer.hear(1, &approve(&signer, 1, 4, &lost));
    assert_eq!(step.alarms, [Alarm::OwnPromiseUnknown { promise: 4 }]);
    let proposal = proposal_from(&signer, &event, 10);
    assert_eq!(signer.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::Stopped]);
    assert!(signer.mind.view().stopped);
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

// Combining, submitting, following

/// A member that has assembled the transaction of an event.
fn assembled() -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event, proposal) = approved(Q2);
    let step = signer.hear(0, &approve(&signer, 0, 1, &proposal));
    assert!(step.writes.iter().any(|row| row.family == Family::Outbox && row.promise), "{step:?}");
    (signer, event, proposal)
}

#[test]
fn the_proposer_submits_at_once_and_others_by_their_rank() {
    let mut proposer = Signer::new(0, Q2);
    let proposal = proposer.take_and_sign(Input::Event(event(1))).proposals().remove(0);
    let step = proposer.hear(1, &approve(&proposer, 1, 1, &proposal));
    assert_eq!(step.submitted(), [proposal.transaction_id()]);

    let (mut second, _, proposal) = assembled();
    assert!(second.after(199).submitted().is_empty());
    assert_eq!(second.after(1).submitted(), [proposal.transaction_id()]);
}

#[test]
fn a_transaction_that_another_node_took_is_not_hurried() {
    let (mut signer, _, proposal) = assembled();
    signer.hear(0, &Message::Hint(crate::messages::Hint { transaction: proposal.transaction_id() }));
    assert!(signer.after(500).submitted().is_empty());
    assert_eq!(signer.after(1_500).submitted(), [proposal.transaction_id()]);
}

#[test]
fn submission_goes_on_until_the_own_chain_shows_the_transaction() {
    let (mut signer, _, proposal) = assembled();
    let transaction = proposal.transaction_id();
    for outcome in [SubmitOutcome::Known, SubmitOutcome::Orphan(String::new()), SubmitOutcome::InMempool] {
        assert_eq!(signer.after(20_000).submitted(), [transaction]);
        signer.take(Input::Submitted { transaction, outcome });
    }
    signer.accept(1, 200, 200, &[&proposal]);
    assert!(signer.after(20_000).submitted().is_empty());
}

#[test]
fn accepted_settled_final_by_depth_and_a_tombstone_for_ever() {
    let (mut signer, event, proposal) = assembled();
    signer.accept(1, 200, 209, &[&proposal]);
    assert_eq!(state(&signer, &event), SessionState::Accepted);
    signer.take(Input::Chain(tip_at(210)));
    assert_eq!(state(&signer, &event), SessionState::Settled);
    signer.take(Input::Chain(tip_at(229)));
    assert_eq!(state(&signer, &event), SessionState::Settled);

    let step = signer.take(Input::Chain(tip_at(230)));

    assert_eq!(state(&signer, &event), SessionState::Paid);
    assert!(step.writes.iter().any(|row| row.family == Family::Tombstone && row.promise));
    signer.restart();
    assert_eq!(signer.mind.intake(&event, signer.now), Intake::Final(proposal.transaction_id()));
    assert_eq!(signer.take(Input::Event(event)).ignored(), Some(Ignored::FinalEvent));
    let other = proposal_from(&signer, &self::event(1), 20);
    assert_eq!(signer.hear(0, &propose(0, &other)).ignored(), Some(Ignored::FinalEvent));
}

#[test]
fn a_reorganisation_moves_back_and_the_same_transaction_is_submitted_again() {
    let (mut signer, event, proposal) = assembled();
    signer.accept(1, 200, 205, &[&proposal]);
    let step = signer.reorganise(1, 204);
    assert_eq!(step.submitted(), [proposal.transaction_id()]);
    assert_eq!(state(&signer, &event), SessionState::Assembled);
}

#[test]
fn a_chain_that_begins_anew_forgets_what_is_not_final() {
    let (mut signer, event, proposal) = assembled();
    signer.accept(1, 200, 205, &[&proposal]);
    let step = signer.take(Input::Chain(ChainUpdate { restarted: true, ..tip_at(206) }));
    assert_eq!(step.submitted(), [proposal.transaction_id()]);
    assert_eq!(state(&signer, &event), SessionState::Assembled);
}

#[test]
fn a_member_that_slept_learns_from_the_chain_that_an_event_is_paid() {
    let mut signer = Signer::new(2, Q2);
    let proposal = proposal_from(&signer, &event(1), 10);
    signer.accept(1, 200, 230, &[&proposal]);
    assert_eq!(signer.mind.session(&key(&event(1))).unwrap().state, SessionState::Paid);
    assert_eq!(signer.mind.intake(&event(1), signer.now), Intake::Final(proposal.transaction_id()));
}

#[test]
fn what_is_accepted_by_another_transaction_is_not_approved_once_more() {
    let (mut signer, event) = approver(Q2);
    signer.accept(1, 200, 205, &[&proposal_from(&signer, &event, 20)]);
    let proposal = proposal_from(&signer, &event, 10);
    assert_eq!(signer.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::Accepted]);
}

// Restart and catching up

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
