//! What stays on disk after an event ended, and records of earlier versions.

use super::*;
use crate::{Records, records::VERSION};

fn families(signer: &Signer) -> BTreeSet<Family> {
    signer.rows.keys().map(|(family, _)| *family).collect()
}

/// A signer whose event was paid for good, with a certificate on the way.
fn finished() -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event, proposal) = approved(Q3);
    signer.hear(0, &approve(&signer, 0, 1, &proposal));
    signer.hear(2, &approve(&signer, 2, 1, &proposal));
    assert!(families(&signer).contains(&Family::Certificate));
    signer.accept(1, 200, 230, &[&proposal]);
    (signer, event, proposal)
}

#[test]
fn invariant_12_of_an_ended_event_promises_and_tombstone_stay_and_the_rest_goes() {
    let (signer, _, _) = finished();
    let kept = families(&signer);
    for family in [Family::Approval, Family::Proposal, Family::Partial, Family::Tombstone] {
        assert!(kept.contains(&family), "{family} is kept for ever");
    }
    for family in [Family::Event, Family::Certificate, Family::Outbox] {
        assert!(!kept.contains(&family), "{family} is of no use any more");
    }
}

#[test]
fn invariant_12_after_pruning_and_a_restart_a_replay_is_refused_at_every_door() {
    let (mut signer, event, proposal) = finished();
    signer.restart();
    assert_eq!(signer.mind.view().promise, 1);
    assert_eq!(signer.take(Input::Event(event.clone())).ignored(), Some(Ignored::FinalEvent));
    let verified = Input::Verified { from: MemberIndex(0), event: event.clone() };
    assert_eq!(signer.take(verified).ignored(), Some(Ignored::FinalEvent));
    assert_eq!(signer.hear(0, &propose(0, &proposal)).ignored(), Some(Ignored::FinalEvent));
    let other = event_of(1, 600_000_000);
    let step = signer.take(Input::Event(other));
    assert_eq!(step.alarms, [Alarm::Replayed { event: key(&event), from: None }]);
}

#[test]
fn invariant_12_an_ended_event_does_not_take_the_promises_of_a_live_one_along() {
    let (mut signer, _, _) = finished();
    signer.take(Input::Event(event(2)));
    let second = proposal_from(&signer, &event(2), 20);
    signer.hear(0, &propose(0, &second));
    signer.restart();
    assert_eq!(signer.mind.own_approvals(&key(&event(2))).count(), 1);
    assert!(signer.mind.is_anchored(&proposal_from(&signer, &event(2), 30)).is_err());
}

#[test]
fn a_signed_transaction_that_this_signer_did_not_approve_is_submitted_after_a_restart_too() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    signer.hear(0, &approve(&signer, 0, 1, &proposal));
    signer.hear(2, &approve(&signer, 2, 1, &proposal));
    // Its own node lacks the coin, so it approves nothing.
    signer.wallet(Vec::new());
    signer.hear(0, &propose(0, &proposal));
    assert_eq!(signer.mind.own_approvals(&key(&event)).count(), 0);
    assert_eq!(signer.restart().submitted(), [proposal.transaction_id()]);
}

fn forget_row_of(signer: &mut Signer, event: &VerifiedEvent) {
    let event = key(event).as_bytes().to_vec();
    assert!(signer.rows.remove(&(Family::Event, event)).is_some());
}

#[test]
fn invariant_12_an_approval_binds_after_a_restart_though_the_row_of_its_event_is_gone() {
    let (mut signer, event, proposal) = approved(Q3);
    forget_row_of(&mut signer, &event);
    signer.restart();
    assert_eq!(
        signer.mind.own_approvals(&key(&event)).map(|(id, _)| id).collect::<Vec<_>>(),
        [proposal.id()]
    );
    signer.take(Input::Event(event.clone()));
    signer.wallet([10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas)).to_vec());
    let other = proposal_from(&signer, &event, 20);
    assert_eq!(signer.hear(0, &propose(0, &other)).refusals(), [RefusalCode::Anchor]);
}

#[test]
fn invariant_12_an_approval_of_two_events_binds_until_both_have_ended_known_or_not() {
    let mut signer = Signer::new(1, Q3);
    let events = [event(1), event(2)];
    let payments = events.clone().map(|event| event.payment);
    events.iter().for_each(|event| drop(signer.take(Input::Event(event.clone()))));
    let both = draft(&signer.group, &signer.mind.chain.view.clone(), &payments).unwrap();
    signer.hear(0, &propose(0, &both));
    forget_row_of(&mut signer, &events[1]);
    signer.restart();
    signer.accept(1, 200, 230, &[&proposal_from(&signer, &events[0], 10)]);
    assert_eq!(state(&signer, &events[0]), SessionState::Paid);
    assert_eq!(signer.mind.own_approvals(&key(&events[1])).count(), 1);
    signer.accept(2, 240, 270, &[&proposal_from(&signer, &events[1], 20)]);
    assert_eq!(signer.mind.offers.iter().count(), 0);
}

#[test]
fn that_a_proposal_is_dead_is_written_down_only_where_somebody_promised_on_it() {
    let (mut signer, event) = approver(Q3);
    signer.wallet(Vec::new());
    let offered = proposal_from(&signer, &event, 10);
    assert!(!signer.hear(0, &propose(0, &offered)).refusals().is_empty());
    let thief = |signer: &Signer, kas| proposal_from(signer, &self::event(9), kas);
    let step = signer.accept(1, 200, 230, &[&thief(&signer, 10)]);
    let dead = |step: &crate::Step| step.writes.iter().filter(|row| row.key.first() == Some(&b'd')).count();
    assert_eq!((dead(&step), signer.mind.offers.get(&offered.id()).unwrap().is_live()), (0, false));

    let approved = proposal_from(&signer, &event, 20);
    signer.hear(0, &approve(&signer, 0, 1, &approved));
    signer.hear(1, &Message::Body(crate::messages::Body { proposal: borsh::to_vec(&approved).unwrap() }));
    signer.hear(0, &Message::Body(crate::messages::Body { proposal: borsh::to_vec(&approved).unwrap() }));
    let step = signer.accept(2, 240, 270, &[&proposal_from(&signer, &self::event(8), 20)]);
    assert_eq!(dead(&step), 1);
}

/// The row of an accepted transaction as version 1 wrote it: block, DAA score, one coin spent, one event paid, final.
fn row_of_version_1(event: EventKey) -> (Family, Vec<u8>, Vec<u8>) {
    let mut value = vec![1];
    value.extend([4; 32]);
    value.extend(200u64.to_le_bytes());
    value.extend(1u32.to_le_bytes());
    value.extend([10; 32]);
    value.extend(0u32.to_le_bytes());
    value.extend([1, 0]);
    value.extend(1u32.to_le_bytes());
    value.extend(event.as_bytes());
    value.push(1);
    (Family::Chain, [&b"t"[..], &[9; 32]].concat(), value)
}

#[test]
fn an_accepted_transaction_of_version_1_reads_and_still_makes_rivals_dead() {
    let (mut signer, event) = approver(Q2);
    let (family, key_1, value) = row_of_version_1(EventKey::from_bytes([5; 32]));
    signer.rows.insert((family, key_1), value);
    signer.restart();
    let by = igra_tx::TransactionId::from_bytes([9; 32]);
    let spent = Outpoint { transaction: igra_tx::TransactionId::from_bytes([10; 32]), index: 0 };
    assert_eq!(signer.mind.chain.final_spends.get(&spent), Some(&by));
    assert!(signer.mind.chain.link(&EventKey::from_bytes([5; 32])).is_some());
    let proposal = proposal_from(&signer, &event, 10);
    signer.hear(0, &propose(0, &proposal));
    assert_eq!(signer.mind.own_approvals(&key(&event)).count(), 0);
}

#[test]
fn a_row_of_a_newer_version_keeps_the_signer_from_starting() {
    let (family, key, mut value) = row_of_version_1(EventKey::from_bytes([5; 32]));
    assert!(Records::read([(family, key.clone(), value.clone())]).is_ok());
    value[0] = VERSION + 1;
    assert!(Records::read([(family, key, value)]).is_err());
}
