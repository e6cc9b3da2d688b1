//! Events that came to nothing stop costing, and come back where somebody shows that they bind.

use super::*;
use crate::{Step, UnixSeconds, messages::Announce};

/// A signer of an event whose deadline passed a while ago, with an input after that.
fn expired() -> (Signer, VerifiedEvent) {
    let (mut signer, event) = approver(Q3);
    pass(&mut signer);
    (signer, event)
}

fn pass(signer: &mut Signer) -> Step {
    signer.now.utc = UnixSeconds(signer.now.utc.0 + 1_100);
    signer.after(61_000)
}

fn is_closed(signer: &Signer, event: &VerifiedEvent) -> bool {
    !signer.mind.sessions.contains_key(&key(event)) && signer.mind.closed.get(&key(event)).is_some()
}

fn announces(signer: &mut Signer, event: &VerifiedEvent) -> Step {
    let announce = Announce { event: key(event), evidence: event.evidence.clone() };
    signer.hear(0, &Message::Announce(announce))
}

fn tells_of(signer: &mut Signer, event: &VerifiedEvent, approvals: u16) -> Step {
    let proposal = proposal_from(signer, event, 20).id();
    let known = KnownProposal { proposal, body: true, approvals, partials: 0 };
    let (from, to) = (key(event), key(event));
    let entries = vec![Entry { event: from, proposals: vec![known] }];
    signer.hear(0, &Message::Digest(Digest { view: 0, from, to, entries, answer: false }))
}

#[test]
fn an_expired_event_that_nobody_approved_costs_a_note_and_is_still_shown() {
    let (mut signer, event) = expired();
    assert!(is_closed(&signer, &event));
    assert_eq!(signer.mind.pending.len() + signer.mind.sessions.len() + signer.mind.offers.iter().count(), 0);
    signer.restart();
    assert!(is_closed(&signer, &event));
    assert_eq!(state(&signer, &event), SessionState::Expired);
    assert_eq!(signer.mind.sessions(None, 10).len(), 1);
    assert!(signer.mind.tombstones.is_empty(), "others may have approved it");
}

#[test]
fn evidence_that_comes_again_is_judged_by_when_it_was_first_seen() {
    let (mut signer, event) = expired();
    let Intake::Denied(denial) = signer.mind.intake(&event, signer.now) else { panic!("not denied") };
    assert_eq!(denial.code, DenialCode::DeadlinePassed);
    assert_eq!(signer.take(Input::Event(event.clone())).ignored(), Some(Ignored::Denied));
    assert_eq!(announces(&mut signer, &event).ignored(), Some(Ignored::ClosedEvent));
    let verified = Input::Verified { from: MemberIndex(0), event: event.clone() };
    assert_eq!(signer.take(verified).ignored(), Some(Ignored::ClosedEvent));
    let other = event_of(1, 600_000_000);
    assert!(matches!(signer.mind.intake(&other, signer.now), Intake::Replayed { .. }));
}

#[test]
fn what_was_cancelled_stays_cancelled_when_it_is_opened_again() {
    let (mut signer, event) = approver(Q3);
    signer.take(Input::Cancel { event: key(&event), by: "an administrator".to_owned() });
    pass(&mut signer);
    assert!(is_closed(&signer, &event));
    signer.restart();
    tells_of(&mut signer, &event, 0b1);
    signer.take(Input::Verified { from: MemberIndex(0), event: event.clone() });
    signer.restart();
    let session = signer.mind.session(&key(&event)).unwrap();
    assert_eq!(session.denial.unwrap().code, DenialCode::Cancelled);
    assert!(signer.mind.closed.get(&key(&event)).is_none());
}

#[test]
fn a_closed_event_is_opened_again_only_where_somebody_shows_an_approval_of_it() {
    let (mut signer, event) = expired();
    assert_eq!(tells_of(&mut signer, &event, 0).sent_kinds(), []);
    assert_eq!(announces(&mut signer, &event).ignored(), Some(Ignored::ClosedEvent));

    assert_eq!(tells_of(&mut signer, &event, 0b1).sent_kinds(), [MessageKind::Digest], "it asks");
    let step = announces(&mut signer, &event);
    assert!(matches!(step.effects.as_slice(), [Effect::Verify { .. }]), "{step:?}");
    signer.take(Input::Verified { from: MemberIndex(0), event: event.clone() });
    signer.hear(0, &approve(&signer, 0, 1, &proposal_from(&signer, &event, 20)));
    pass(&mut signer);

    assert!(signer.mind.sessions.contains_key(&key(&event)), "an approval binds");
    assert_eq!(signer.mind.void_reason(&key(&event)), Some(crate::VoidReason::DeadlinePassed));
}

#[test]
fn nothing_is_closed_that_somebody_approved_or_the_chain_names_or_whose_deadline_is_to_come() {
    let (mut own, event, _) = approved(Q3);
    pass(&mut own);
    assert!(own.mind.sessions.contains_key(&key(&event)));

    let (mut accepted, event) = approver(Q3);
    accepted.accept(1, 90, 100, &[&proposal_from(&accepted, &event, 10)]);
    pass(&mut accepted);
    assert!(accepted.mind.sessions.contains_key(&key(&event)));

    let (mut early, event) = approver(Q3);
    early.take(Input::Policy(Policy { amount_max: Some(Sompi(1)), ..policy() }));
    early.after(61_000);
    assert_eq!(state(&early, &event), SessionState::Denied);
    assert!(early.mind.sessions.contains_key(&key(&event)), "the policy may change");
}

#[test]
fn a_clock_that_was_ahead_for_a_while_closes_nothing_for_good() {
    let (mut signer, event) = expired();
    signer.now.utc = UnixSeconds(signer.now.utc.0 - 1_000);
    let step = announces(&mut signer, &event);
    assert!(matches!(step.effects.as_slice(), [Effect::Verify { .. }]), "{step:?}");
    signer.take(Input::Verified { from: MemberIndex(0), event: event.clone() });
    assert_eq!(state(&signer, &event), SessionState::Verified);
}

#[test]
fn after_a_change_of_policy_the_verifier_is_asked_a_few_at_a_time_until_all_were_asked() {
    let mut signer = Signer::new(1, Q3);
    (0..100).for_each(|id| drop(signer.take(Input::Event(event(id)))));
    let asked = |step: &Step| {
        let evidence = step.effects.iter().filter_map(|effect| match effect {
            Effect::Verify { evidence, .. } => Some(evidence.clone()),
            _ => None,
        });
        evidence.collect::<Vec<_>>()
    };
    let mut open = asked(&signer.take(Input::Policy(policy())));
    assert_eq!(open.len(), 32);
    assert_eq!(asked(&signer.after(10)), []);
    let mut all: BTreeSet<_> = open.iter().cloned().collect();
    // The last ones are never answered, and nothing waits for them for ever.
    while all.len() < 68 {
        let evidence = open.remove(0);
        let id = u64::from_le_bytes(evidence.bytes.try_into().unwrap());
        let next = asked(&signer.take(Input::Verified { from: signer.me, event: event(id) }));
        all.extend(next.iter().cloned());
        open.extend(next);
    }
    assert!(signer.mind.next_deadline().is_some_and(|next| next.0 <= signer.now.monotonic.0 + 30_000));
    all.extend(asked(&signer.after(31_000)));
    assert_eq!(all.len(), 100);
}
