//! What a signer hears before its first promise, and what it makes of messages under its own seal.

use super::*;
use crate::{HaltCause, QuarantineCause, Signs, Step, messages::Heard, test_kit::TIMING};

fn wallet(signer: &mut Signer) {
    let coins = [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas));
    signer.wallet(coins.to_vec());
}

/// A member that started again, knows an event, and has heard from nobody yet.
fn alone() -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event) = approver(Q3);
    signer.restart_alone(Signs::default());
    wallet(&mut signer);
    let proposal = proposal_from(&signer, &event, 10);
    (signer, event, proposal)
}

fn show(signer: &mut Signer, epoch: u64, message: &Message) -> Step {
    let sealed = signer.sealed_in(epoch, signer.me.0, message);
    signer.take_and_sign(Input::Received(sealed))
}

fn status() -> Message {
    Message::Status(Status { view: 0 })
}

#[test]
fn after_a_start_nothing_is_promised_before_hello_from_quorum_less_one_others() {
    let (mut signer, _, proposal) = alone();
    assert_eq!(signer.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::Starting]);
    let hello = Message::Hello(signer.hello());
    assert!(!signer.hear(0, &hello).sent_kinds().contains(&MessageKind::Approve));

    let step = signer.hear(2, &hello);

    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn a_hello_that_was_said_before_this_start_does_not_count() {
    let (mut signer, _, proposal) = alone();
    signer.hear(0, &propose(0, &proposal));
    let mut old = signer.hello();
    old.standing.heard = vec![Heard { epoch: 1, sequence: 1 }; 3];
    for other in [0, 2] {
        signer.hear(other, &Message::Hello(old.clone()));
    }
    assert_eq!(signer.mind.view().promise, 0);
}

#[test]
fn a_hello_that_claims_more_promises_than_the_store_has_counts_once_the_last_is_shown() {
    let (mut signer, event, proposal) = alone();
    let lost = approve(&signer, 1, 4, &proposal_from(&signer, &event, 20));
    let mut claims = signer.hello();
    claims.seen[1] = 4;
    for other in [0, 2] {
        signer.hear(other, &Message::Hello(claims.clone()));
    }
    assert_eq!(signer.hear(0, &propose(0, &proposal)).refusals(), [RefusalCode::Starting]);

    show(&mut signer, 1, &lost);

    assert!(signer.mind.settled && signer.mind.quarantine.is_some());
}

#[test]
fn an_own_seal_of_a_later_epoch_puts_a_start_above_it_and_into_quarantine() {
    let (mut signer, _, _) = alone();
    signer.take(Input::PeerUp(MemberIndex(0)));

    let step = show(&mut signer, 7, &status());

    assert_eq!(signer.mind.epoch(), 8);
    let epochs = step.effects.iter().filter_map(|effect| match effect {
        Effect::Send { epoch, kind: MessageKind::Hello, .. } => Some(*epoch),
        _ => None,
    });
    assert_eq!(epochs.collect::<Vec<_>>(), [8]);
    assert!(signer.mind.quarantine.as_ref().unwrap().causes.contains(&QuarantineCause::EpochUnknown));
    assert!(step.alarms.is_empty() && !signer.mind.view().stopped);
    signer.restart_alone(Signs::default());
    assert_eq!(signer.mind.epoch(), 9);
}

#[test]
fn an_own_seal_of_a_later_epoch_after_that_is_a_second_copy_and_stops_the_signer() {
    let (mut signer, _) = approver(Q2);
    let step = show(&mut signer, 7, &status());
    assert_eq!(step.alarms, [Alarm::OwnEpochUnknown { epoch: 7 }]);
    assert_eq!(signer.mind.view().halt.unwrap().cause, HaltCause::SecondCopy);
    assert_eq!(signer.mind.epoch(), 1);
}

#[test]
fn in_quarantine_it_shows_an_epoch_that_the_store_lost_and_only_a_third_one_stops_the_signer() {
    let (mut signer, _) = approver(Q2);
    signer.restart_alone(Signs { backup: true, other_volume: false });
    signer.take(Input::PeerUp(MemberIndex(0)));
    signer.greeted();
    assert!(signer.mind.settled);
    for leap in [1, 2] {
        let above = signer.mind.epoch() + 1;
        let step = show(&mut signer, above, &status());
        assert!(signer.mind.epoch() > above + 1_000 && !signer.mind.view().stopped, "leap {leap}");
        assert!(!signer.mind.settled, "the others have not heard of this epoch");
        assert!(step.sent_kinds().contains(&MessageKind::Hello));
        // The whole of the past that came before it says nothing new.
        assert!(show(&mut signer, above + 1_000, &status()).alarms.is_empty());
        signer.greeted();
    }
    let above = signer.mind.epoch() + 1;
    assert_eq!(show(&mut signer, above, &status()).alarms, [Alarm::OwnEpochUnknown { epoch: above }]);
    assert_eq!(signer.mind.view().halt.unwrap().cause, HaltCause::SecondCopy);
}

#[test]
fn a_second_copy_in_the_same_epoch_shows_by_its_sequence_or_by_what_it_said_under_one() {
    for (ahead, other, halts) in [(1, false, true), (0, true, true), (0, false, false)] {
        let (mut signer, _) = approver(Q2);
        let step = signer.after(20_000);
        let sent = step.effects.iter().rev().find_map(|effect| match effect {
            Effect::Send { kind, sequence, body, .. } => Some((*kind, *sequence, body.clone())),
            _ => None,
        });
        let (kind, sequence, mut body) = sent.unwrap();
        body.extend(other.then_some(0));
        let seal = crate::messages::Header {
            network: signer.group.network(),
            group: signer.group.id(),
            member: signer.me,
            epoch: 1,
            sequence: sequence + ahead,
            kind,
        };

        let step = signer.take(Input::Received(crate::test_kit::seal_as(&seal, &body)));

        assert_eq!(signer.mind.view().stopped, halts, "{step:?}");
        assert_eq!(step.ignored(), Some(Ignored::OwnMessage));
    }
}

#[test]
fn a_hello_is_answered_by_one_that_is_not_answered() {
    let (mut signer, _) = approver(Q2);
    let mut hello = signer.hello();
    for (answer, answers) in [(false, 1), (true, 0)] {
        hello.standing.answer = answer;
        let step = signer.hear(0, &Message::Hello(hello.clone()));
        let sent = step.sent().into_iter();
        let sent = sent.filter(|(_, m)| matches!(m, Message::Hello(hello) if hello.standing.answer));
        assert_eq!(sent.count(), answers);
    }
}

#[test]
fn a_member_that_greets_from_behind_where_it_had_been_is_shown_its_own_seal() {
    let (mut signer, _) = approver(Q2);
    let greeting = Message::Hello(signer.hello());
    let before = signer.sealed_in(3, 2, &greeting);
    let later = signer.sealed_in(3, 2, &status());
    signer.take(Input::Received(later.clone()));

    let step = signer.take(Input::Received(before.clone()));

    let shown = Effect::Relay { to: To::Member(MemberIndex(2)), sealed: later };
    assert!(step.effects.contains(&shown), "{step:?}");
    assert!(!signer.take(Input::Received(before.clone())).effects.contains(&shown), "once is enough for now");
    signer.after(TIMING.catch_up.0);
    assert!(
        signer.take(Input::Received(before)).effects.contains(&shown),
        "the first one may have been lost"
    );
}

#[test]
fn a_signer_that_waits_for_hello_asks_its_peers_again() {
    let (mut signer, _, _) = alone();
    signer.take(Input::PeerUp(MemberIndex(0)));
    assert!(signer.after(60_000).sent_kinds().contains(&MessageKind::Hello));
    signer.greeted();
    assert!(!signer.after(60_000).sent_kinds().contains(&MessageKind::Hello));
}
