//! From m partials to a final transaction, and back after a reorganisation.

use super::*;

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
