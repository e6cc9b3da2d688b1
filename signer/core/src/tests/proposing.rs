//! Views, and what a proposer offers.

use super::*;

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

/// Five members, four must approve; this one and the next promised one coin, the last two another one, and the one in
/// the middle a coin that there never was.
#[test]
fn a_member_bound_to_a_coin_that_nobody_has_keeps_no_others_from_ending_a_split() {
    let mut signer = Signer::of(crate::test_kit::group(5, 3, Some(4)), 0, policy());
    for other in [3, 4] {
        let hello = signer.hello();
        signer.hear_unsigned(other, &Message::Hello(hello));
    }
    let event = event(1);
    let mine = signer.take_and_sign(Input::Event(event.clone())).proposals().remove(0);
    let others = [10, 20, 30].map(|kas| proposal_from(&signer, &event, kas));
    let theirs = others.iter().find(|other| !other.shares_input_with(&mine)).unwrap();
    let invented = proposal_from(&signer, &event, 77);
    for (member, proposal) in [(1, &mine), (2, &invented), (3, theirs), (4, theirs)] {
        signer.hear(member, &approve(&signer, member, 1, proposal));
        let body = crate::messages::Body { proposal: borsh::to_vec(proposal).unwrap() };
        signer.hear(member, &Message::Body(body));
    }

    let merged = signer.mind.choose(&key(&event)).unwrap();

    assert!(merged.shares_input_with(&mine) && merged.shares_input_with(theirs));
}

#[test]
fn coins_of_another_events_proposal_are_left_alone() {
    let (mut signer, _, first) = approved(Q2);
    signer.take(Input::Event(event(2)));
    let step = signer.after(1_000);
    let second = step.proposals().into_iter().find(|p| p.events == [key(&event(2))]).unwrap();
    assert!(!second.shares_input_with(&first));
}

#[test]
fn a_promised_coin_is_refused_to_other_events_for_a_round_of_views_and_no_longer() {
    let (mut signer, _, first) = approved(Q2);
    signer.take(Input::Event(event(2)));
    let same_coin = proposal_from(&signer, &event(2), 10);
    let step = signer.hear(0, &propose(0, &same_coin));
    assert_eq!(step.refusals(), [RefusalCode::Reserved]);
    assert!(signer.mind.refused_coins.keys().eq(first.outpoints().iter()));

    for other in [0, 2] {
        signer.hear(other, &Message::Status(Status { view: 6 }));
    }
    let step = signer.hear(0, &propose(6, &same_coin));
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "a promise that comes to nothing is no veto");
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
            events: Vec::new(),
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
