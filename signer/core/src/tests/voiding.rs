//! Events that are never to be paid.

use super::*;
use crate::{DenialCode, UnixSeconds, Verdict};
use igra_tx::{Draft, ProposalKind, Purpose};

/// A void of an event from the coin of this size.
fn void_of(signer: &Signer, event: &VerifiedEvent, kas: u64) -> Proposal {
    let coin = coin(&signer.group, kas as u8, kas);
    let view = ChainView {
        virtual_daa: 100,
        coins: [(coin.outpoint, coin)].into(),
        own: BTreeSet::new(),
        fee_rate: FeeRate::new(100),
    };
    let (tags, avoid, limits) = (BTreeSet::new(), BTreeSet::new(), policy().fee);
    let events = [key(event)];
    let order = Draft {
        purpose: Purpose::Void(&events),
        tags: &tags,
        limits: &limits,
        avoid: &avoid,
        must_share: &[],
    };
    igra_tx::draft(&signer.group, &view, &order).unwrap()
}

fn cancel(event: &VerifiedEvent) -> Input {
    Input::Cancel { event: key(event), by: "an administrator".to_owned() }
}

/// The deadline of the test policy has passed.
fn after_the_deadline(signer: &mut Signer) {
    signer.now.utc = UnixSeconds(signer.now.utc.0 + 1_001);
}

#[test]
fn a_void_needs_a_reason_that_the_signer_sees_itself() {
    let (mut signer, event) = approver(Q2);
    let void = void_of(&signer, &event, 10);
    assert_eq!(signer.hear(0, &propose(0, &void)).refusals(), [RefusalCode::NoVoidReason]);
    let step = signer.take_and_sign(cancel(&event));
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn each_reason_is_enough() {
    type Reason = fn(&mut Signer, &VerifiedEvent);
    let reasons: [(&str, Reason); 4] = [
        ("deadline", |signer, _| after_the_deadline(signer)),
        ("cancelled", |signer, event| drop(signer.take(cancel(event)))),
        ("denied", |signer, _| {
            drop(signer.take(Input::Policy(Policy { amount_max: Some(Sompi(1)), ..policy() })));
        }),
        ("contradicted", |signer, event| {
            let mut other = event.clone();
            other.payment.payload = igra_tx::PayloadHash::from_bytes([9; 32]);
            drop(signer.take(Input::Verified { from: MemberIndex(2), event: other }));
        }),
    ];
    for (name, reason) in reasons {
        let (mut signer, event) = approver(Q2);
        reason(&mut signer, &event);
        let step = signer.hear(0, &propose(0, &void_of(&signer, &event, 10)));
        assert!(step.sent_kinds().contains(&MessageKind::Approve), "{name}: {step:?}");
    }
}

#[test]
fn a_void_stands_under_the_anchor_rule_like_a_payment() {
    let (mut signer, event, _) = approved(Q2);
    after_the_deadline(&mut signer);
    signer.hear(0, &Message::Status(Status { view: 3 }));
    signer.hear(2, &Message::Status(Status { view: 3 }));
    let elsewhere = void_of(&signer, &event, 20);
    assert_eq!(signer.hear(0, &propose(3, &elsewhere)).refusals(), [RefusalCode::Anchor]);
}

#[test]
fn what_was_cancelled_is_voided_with_a_coin_of_each_live_approval_and_never_paid() {
    let (mut signer, event, payment) = approved(Q2);
    signer.take(cancel(&event));
    let voids = signer.after(1_000).proposals();
    assert_eq!((voids.len(), voids[0].kind), (1, ProposalKind::Void));
    assert!(voids[0].shares_input_with(&payment));
    let rows = signer.rows.keys().filter(|(family, _)| *family == Family::Held).count();
    assert_eq!(rows, 1);
}

#[test]
fn a_cancelled_event_is_not_approved_and_stays_cancelled_after_a_restart() {
    let (mut signer, event) = approver(Q2);
    signer.take(cancel(&event));
    assert_eq!(state(&signer, &event), SessionState::Denied);
    signer.restart();
    signer.wallet(vec![coin(&signer.group, 10, 10)]);
    let step = signer.hear(0, &propose(0, &proposal_from(&signer, &event, 10)));
    assert_eq!(step.refusals(), [RefusalCode::Policy]);
}

#[test]
fn a_live_approval_whose_deadline_passed_without_certificate_is_voided() {
    let (mut signer, _, _) = approved(Q3);
    after_the_deadline(&mut signer);
    let offered = signer.after(1_000).proposals();
    assert_eq!(offered.iter().map(|proposal| proposal.kind).collect::<Vec<_>>(), [ProposalKind::Void]);
}

#[test]
fn an_event_that_nobody_approved_needs_no_void() {
    let (mut signer, _) = approver(Q2);
    after_the_deadline(&mut signer);
    assert!(signer.after(10_000).proposals().is_empty());
}

#[test]
fn a_void_at_final_depth_ends_the_event_and_frees_its_volume() {
    let (mut signer, event, _) = approved(Q2);
    signer.take(cancel(&event));
    let void = signer.after(1_000).proposals().remove(0);
    signer.accept(1, 101, 101, &[&void]);
    assert_ne!(state(&signer, &event), SessionState::Void);
    signer.take(Input::Chain(tip_at(131)));
    assert_eq!(state(&signer, &event), SessionState::Void);
    assert!(!signer.rows.keys().any(|(family, _)| matches!(family, Family::Held | Family::Volume)));
    assert!(matches!(signer.mind.intake(&event, signer.now), Intake::Final(_)));
}

#[test]
fn evidence_that_no_longer_verifies_stops_a_payment_and_lets_it_be_voided() {
    let (mut signer, event) = approver(Q2);
    let step = signer.take(Input::Policy(policy()));
    let asked = step
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Verify { evidence, .. } if *evidence == event.evidence));
    assert!(asked, "{step:?}");
    signer.take(Input::VerifyFailed {
        from: MemberIndex(1),
        evidence: event.evidence.clone(),
        code: "approvers".to_owned(),
        permanent: true,
    });
    let step = signer.hear(0, &propose(0, &proposal_from(&signer, &event, 10)));
    assert_eq!(step.refusals(), [RefusalCode::Policy]);
    signer.hear(0, &Message::Status(Status { view: 3 }));
    signer.hear(2, &Message::Status(Status { view: 3 }));
    let step = signer.hear(0, &propose(3, &void_of(&signer, &event, 10)));
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn a_deadline_counts_again_once_all_that_was_approved_is_dead() {
    let (mut signer, event, _) = approved(Q2);
    signer.now.utc.0 += 100_000_000;
    let verdict = |signer: &Signer| signer.mind.verdict_on(&key(&event)).unwrap();
    assert_eq!(
        verdict(&signer),
        Verdict::Allow,
        "an approval is live, so the payment may still be completed"
    );
    let rival = proposal_from(&signer, &super::event(7), 10);
    signer.accept(1, 110, 1_000, &[&rival]);
    assert!(
        matches!(verdict(&signer), Verdict::Deny { denial } if denial.code == DenialCode::DeadlinePassed)
    );
}
