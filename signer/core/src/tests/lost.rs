//! Coins that vanished for good, on an administrator's word.

use super::*;
use crate::{InterventionKind, Step};

fn coins(signer: &mut Signer, kas: &[u64]) {
    let coins = kas.iter().map(|kas| coin(&signer.group, *kas as u8, *kas)).collect();
    signer.wallet(coins);
}

fn lost(signer: &mut Signer, event: &VerifiedEvent) -> Step {
    signer.take(Input::CoinsLost { event: key(event), reason: "its sender took it back".to_owned() })
}

fn missing(signer: &Signer, event: &VerifiedEvent) -> Vec<Outpoint> {
    signer.mind.session(&key(event)).unwrap().missing_coins
}

/// A member that approved a payment out of a deposit which is gone since.
fn built_on_nothing() -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event, proposal) = approved(Q2);
    coins(&mut signer, &[20, 30]);
    (signer, event, proposal)
}

/// What the member has approved for the event once it had another turn, the others with it.
fn approved_in_its_turn(signer: &mut Signer, event: &VerifiedEvent) -> Vec<igra_tx::ProposalId> {
    let view = (signer.mind.view().view / 3 + 1) * 3 + 1;
    for member in [0, 2] {
        signer.hear(member, &Message::Status(Status { view }));
    }
    signer.after(8_000);
    signer.mind.own_approvals(&key(event)).map(|(id, _)| id).collect()
}

#[test]
fn an_event_whose_deposit_vanished_is_paid_from_another_coin_on_the_administrators_word_and_not_before() {
    let (mut signer, event, gone) = built_on_nothing();
    assert_eq!(missing(&signer, &event), [gone.inputs[0].outpoint]);
    assert_eq!(
        approved_in_its_turn(&mut signer, &event),
        [gone.id()],
        "others may pay, and this member may not help them"
    );

    let step = lost(&mut signer, &event);

    assert_eq!((step.ignored(), missing(&signer, &event)), (None, Vec::new()));
    let [intervention] = signer.mind.view().interventions.try_into().unwrap();
    assert_eq!(intervention.kind, InterventionKind::CoinsLost);
    assert_eq!(intervention.about, gone.inputs[0].outpoint.to_string());
    let paid = approved_in_its_turn(&mut signer, &event);
    assert_eq!(paid.iter().filter(|id| **id != gone.id()).count(), 1);
}

#[test]
fn what_an_administrator_gave_up_stays_given_up_after_a_restart() {
    let (mut signer, event, gone) = built_on_nothing();
    lost(&mut signer, &event);
    signer.restart();
    coins(&mut signer, &[20, 30]);
    assert!(!signer.mind.offers.get(&gone.id()).unwrap().is_live());
    assert_eq!(signer.mind.view().interventions.len(), 1);
    assert!(signer.mind.is_anchored(&proposal_from(&signer, &event, 20)).is_ok());
}

#[test]
fn a_coin_that_the_node_shows_or_may_show_yet_is_not_lost() {
    let (mut signer, event, proposal) = approved(Q2);
    assert_eq!(lost(&mut signer, &event).ignored(), Some(Ignored::NothingLost), "it is there");
    coins(&mut signer, &[20, 30]);
    signer.take(Input::NodeDown);
    assert_eq!(lost(&mut signer, &event).ignored(), Some(Ignored::NothingLost), "the node is not");
    coins(&mut signer, &[20, 30]);
    signer.accept(1, 100, 101, &[&proposal]);
    assert_eq!(lost(&mut signer, &event).ignored(), Some(Ignored::NothingLost), "it was spent");
    assert!(signer.mind.offers.get(&proposal.id()).unwrap().is_live());
}

#[test]
fn promises_for_other_events_on_the_lost_coin_end_with_it_and_those_on_others_stay() {
    let (mut signer, event, gone) = approved(Q2);
    for id in [2, 3] {
        signer.take(Input::Event(super::event(id)));
    }
    let elsewhere = proposal_from(&signer, &super::event(2), 20);
    for view in [3, 6, 9, 12] {
        signer.hear(0, &Message::Status(Status { view }));
        signer.hear(2, &Message::Status(Status { view }));
    }
    signer.hear(0, &propose(12, &elsewhere));
    let beside = proposal_from(&signer, &super::event(3), 10);
    signer.hear(0, &propose(12, &beside));
    let is_live = |signer: &Signer, proposal: &Proposal| {
        signer.mind.offers.get(&proposal.id()).is_some_and(|offer| offer.own.is_some() && offer.is_live())
    };
    assert!(is_live(&signer, &elsewhere) && is_live(&signer, &beside));

    coins(&mut signer, &[20, 30]);
    lost(&mut signer, &event);

    assert_eq!([&gone, &beside, &elsewhere].map(|proposal| is_live(&signer, proposal)), [false, false, true]);
}

#[test]
fn the_groups_own_change_is_not_lost_but_what_its_transaction_lacks_is() {
    let (mut signer, _, first) = assembled();
    let small = event_of(2, 200_000_000);
    signer.take(Input::Event(small.clone()));
    signer.accept(1, 96, 97, &[&first]);
    let mut change = coin(&signer.group, 40, 4);
    change.outpoint = Outpoint { transaction: first.transaction_id(), index: 1 };
    change.amount = first.outputs[1].amount;
    let view = ChainView {
        virtual_daa: 120,
        coins: [(change.outpoint, change.clone())].into(),
        own: [first.transaction_id()].into(),
        fee_rate: FeeRate::new(100),
    };
    let second = draft(&signer.group, &view, std::slice::from_ref(&small.payment)).unwrap();
    signer.wallet(vec![change]);
    signer.hear(0, &propose(0, &second));
    assert_eq!(signer.mind.own_approvals(&key(&small)).count(), 1);
    signer.reorganise(1, 98);

    coins(&mut signer, &[10, 20, 30]);
    assert_eq!(missing(&signer, &small), [], "the transaction that makes its coin can come back");
    coins(&mut signer, &[20, 30]);
    assert_eq!(missing(&signer, &small), [first.inputs[0].outpoint]);
    lost(&mut signer, &small);

    for proposal in [&first, &second] {
        assert!(!signer.mind.offers.get(&proposal.id()).unwrap().is_live());
    }
}
