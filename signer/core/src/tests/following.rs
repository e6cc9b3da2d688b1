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

/// Two signed transactions for one event out of the same coin: the one that pays the lower fee was taken first.
fn raised() -> (Signer, Proposal, Proposal, crate::Step) {
    let (mut signer, _, low) = assembled();
    signer.after(200);
    signer.take(Input::Submitted { transaction: low.transaction_id(), outcome: SubmitOutcome::InMempool });
    let mut high = low.clone();
    high.outputs[1].amount = Sompi(high.outputs[1].amount.0 - 10_000_000);
    signer.hear(0, &propose(0, &low));
    let high_body = Message::Body(crate::messages::Body { proposal: borsh::to_vec(&high).unwrap() });
    signer.hear(2, &approve(&signer, 2, 7, &high));
    signer.hear(2, &high_body);
    let step = signer.hear(0, &approve(&signer, 0, 8, &high));
    assert_eq!(rows(&step, Family::Outbox), 1, "{step:?}");
    (signer, low, high, step)
}

fn attempts(step: &crate::Step) -> Vec<(igra_tx::TransactionId, bool)> {
    let made = step.effects.iter().filter_map(|effect| match effect {
        Effect::Submit { transaction, replaces } => Some((transaction.id(), *replaces)),
        _ => None,
    });
    made.collect()
}

#[test]
fn of_two_that_spend_the_same_coin_only_the_one_with_the_higher_fee_goes_and_replaces_the_other() {
    let (mut signer, low, high, _) = raised();
    assert_eq!(attempts(&signer.after(20_000)), [(high.transaction_id(), true)]);
    assert!(signer.mind.outbox.contains_key(&low.transaction_id()), "it stays known");
    assert_eq!(signer.mind.session(&high.events[0]).unwrap().transaction, Some(high.transaction_id()));

    signer.take(Input::Submitted { transaction: high.transaction_id(), outcome: SubmitOutcome::InMempool });
    assert_eq!(attempts(&signer.after(20_000)), [(high.transaction_id(), false)], "it is in the mempool");

    signer.accept(1, 200, 230, &[&low]);
    assert!(signer.mind.outbox.is_empty(), "the chain took the other one");
}

#[test]
fn where_the_node_turns_the_higher_one_away_the_lower_one_goes_again() {
    let (mut signer, low, high, _) = raised();
    signer.after(20_000);
    let refused = SubmitOutcome::Refused(String::new());
    signer.take(Input::Submitted { transaction: high.transaction_id(), outcome: refused });
    let both = attempts(&signer.after(20_000));
    assert!(both.contains(&(low.transaction_id(), false)) && both.contains(&(high.transaction_id(), false)));
}

#[test]
fn a_plain_attempt_that_meets_a_lower_one_is_followed_by_a_replacement() {
    let (mut signer, _, high, _) = raised();
    signer.restart();
    signer.after(20_000);
    let conflict = SubmitOutcome::Conflict(String::new());
    signer.take(Input::Submitted { transaction: high.transaction_id(), outcome: conflict });
    assert_eq!(attempts(&signer.after(20_000)), [(high.transaction_id(), true)]);
}

#[test]
fn what_is_accepted_ends_no_view() {
    let (mut signer, event) = approver(Q2);
    let proposal = proposal_from(&signer, &event, 10);
    assert!(signer.mind.views.waiting.is_some());
    signer.accept(1, 200, 205, &[&proposal]);
    assert_eq!(signer.mind.views.waiting, None);
    let view = signer.mind.view().view;
    signer.after(30_000);
    assert_eq!(signer.mind.view().view, view);
    signer.reorganise(1, 206);
    assert!(signer.mind.views.waiting.is_some(), "and waits again when it is taken back");
}

#[test]
fn what_the_chain_paid_counts_in_volumes_also_once_the_own_promise_is_dead() {
    let (mut signer, first, mine) = approved(Q2);
    let rival = proposal_from(&signer, &event(2), 10);
    let theirs = proposal_from(&signer, &first, 20);
    assert!(rival.shares_input_with(&mine) && !theirs.shares_input_with(&mine));
    signer.accept(1, 100, 101, &[&rival]);
    let step = signer.accept(2, 110, 135, &[&theirs]);
    let is_dead = |effect: &Effect| matches!(effect, Effect::Note(crate::Note::Dead { .. }));
    assert!(step.effects.iter().any(is_dead), "{step:?}");
    assert!(signer.mind.volumes.get(&key(&first)).is_some());
    signer.reorganise(2, 136);
    assert!(signer.mind.volumes.get(&key(&first)).is_none());
}
