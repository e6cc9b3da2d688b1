//! A signer that has reason to stop promises nothing more, until an administrator says that the reason is gone.

use super::*;
use crate::{HaltCause, InterventionKind};

/// One whose key turned out to be another member's.
fn halted() -> (Signer, VerifiedEvent) {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    signer.hear_unsigned(0, &propose(0, &proposal));
    let forged = igra_tx::Partial { member: signer.me, ..partial(&signer.group, MemberIndex(2), &proposal) };
    let step = signer.take(Input::Signed(forged));
    assert!(step.writes.iter().any(|row| row.family == Family::Meta && row.promise), "{step:?}");
    (signer, event)
}

fn wallet(signer: &mut Signer) {
    let coins = [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas));
    signer.wallet(coins.to_vec());
}

#[test]
fn a_halt_outlives_a_restart_and_says_why() {
    let (mut signer, event) = halted();
    signer.restart();
    wallet(&mut signer);

    let step = signer.hear(0, &propose(0, &proposal_from(&signer, &event, 10)));

    assert_eq!((step.refusals(), rows(&step, Family::Approval)), (vec![RefusalCode::Stopped], 0));
    let halt = signer.mind.view().halt.unwrap();
    assert_eq!((halt.cause, halt.since), (HaltCause::OwnKey, signer.now.utc));
}

#[test]
fn an_administrator_clears_a_halt_for_good_and_it_is_remembered_who_did_what() {
    let (mut signer, event) = halted();
    signer.take(Input::ClearHalt { reason: "the right key is back".to_owned() });
    signer.restart();
    wallet(&mut signer);

    let step = signer.hear(0, &propose(0, &proposal_from(&signer, &event, 10)));

    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
    let view = signer.mind.view();
    assert!(!view.stopped && view.halt.is_none());
    let [intervention] = view.interventions.as_slice() else { panic!("{view:?}") };
    assert_eq!(intervention.kind, InterventionKind::HaltCleared);
    assert_eq!(intervention.reason, "the right key is back");
}

#[test]
fn without_a_halt_there_is_nothing_to_clear() {
    let (mut signer, _) = approver(Q2);
    let step = signer.take(Input::ClearHalt { reason: String::new() });
    assert_eq!((step.ignored(), step.writes.len()), (Some(Ignored::NothingToClear), 0));
}

#[test]
fn two_final_transactions_for_one_event_stop_the_signer() {
    let (mut signer, event) = approver(Q2);
    let [first, second] = [10, 20].map(|kas| proposal_from(&signer, &event, kas));
    signer.accept(1, 200, 205, &[&first]);
    signer.accept(2, 206, 250, &[&second]);
    assert_eq!(signer.mind.view().halt.map(|halt| halt.cause), Some(HaltCause::PaidTwice));
}
