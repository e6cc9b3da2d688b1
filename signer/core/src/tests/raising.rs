//! A transaction that pays too little for the node's present taste.

use super::*;
use crate::{SubmitOutcome, WalletUpdate};
use igra_tx::ProposalKind;

/// A member whose node took the transaction of an event, at 100 sompi a gram.
fn submitted() -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event, proposal) = assembled();
    signer.after(10_000);
    let (transaction, outcome) = (proposal.transaction_id(), SubmitOutcome::InMempool);
    signer.take(Input::Submitted { transaction, outcome });
    (signer, event, proposal)
}

fn fee_rate(signer: &mut Signer, rate: u64) {
    let coins = [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas)).to_vec();
    signer.take(Input::Wallet(WalletUpdate {
        virtual_daa: 100,
        coins,
        predecessor: Vec::new(),
        fee_rate: FeeRate::new(rate),
        synced: true,
    }));
}

fn raised(step: &crate::Step, low: &Proposal) -> Option<Proposal> {
    step.proposals().into_iter().find(|high| high.fee() > low.fee() && high.inputs == low.inputs)
}

#[test]
fn it_is_raised_once_the_node_has_asked_for_more_long_enough() {
    let (mut signer, _, low) = submitted();
    fee_rate(&mut signer, 500);
    let mut high = raised(&signer.after(9_999), &low);
    assert_eq!(high, None);
    for _ in 0..6 {
        high = high.or(raised(&signer.after(8_000), &low));
    }
    let high = high.expect("its turn comes within a round");
    assert_eq!((&high.events, &high.outputs[0]), (&low.events, &low.outputs[0]));
}

#[test]
fn a_short_spike_raises_nothing() {
    let (mut signer, _, low) = submitted();
    fee_rate(&mut signer, 500);
    signer.after(9_000);
    fee_rate(&mut signer, 100);
    for _ in 0..6 {
        assert_eq!(raised(&signer.after(8_000), &low), None);
    }
}

#[test]
fn it_is_not_raised_beyond_the_policys_limit() {
    let (mut signer, _, low) = submitted();
    let fee = igra_tx::FeeLimits { max_sompi_per_gram: 100, max: Sompi(1_000_000_000) };
    signer.take(Input::Policy(Policy { fee, ..policy() }));
    fee_rate(&mut signer, 500);
    for _ in 0..6 {
        assert_eq!(raised(&signer.after(8_000), &low), None);
    }
}

#[test]
fn another_member_approves_the_raised_one_beside_the_first() {
    let (mut signer, _, low) = submitted();
    let high = igra_tx::raise_fee(&signer.group, &low, FeeRate::new(300), &policy().fee).unwrap();
    let next = signer.mind.view().view + 1;
    let view = if next % 3 == 1 { next + 1 } else { next };
    let proposer = (view % 3) as u8;
    for member in [0, 2] {
        signer.hear(member, &Message::Status(Status { view }));
    }
    let step = signer.hear(proposer, &propose(view, &high));
    assert!(step.sent_kinds().contains(&MessageKind::Approve), "{step:?}");
}

#[test]
fn one_that_lost_its_coin_to_the_chain_is_not_raised() {
    let (mut signer, first, low) = submitted();
    fee_rate(&mut signer, 500);
    signer.after(10_000);
    assert!(signer.mind.raise_for(&key(&first), ProposalKind::Pay).is_some());
    let rival = proposal_from(&signer, &event(2), 10);
    assert!(rival.shares_input_with(&low));
    signer.accept(1, 100, 101, &[&rival]);
    assert_eq!(signer.mind.raise_for(&key(&first), ProposalKind::Pay), None);
}

/// The same for the void of an event that was cancelled after an approval.
fn void_submitted() -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event, _) = approved(Q2);
    signer.take(Input::Cancel { event: key(&event), by: "an administrator".to_owned() });
    let void = signer.after(1_000).proposals().remove(0);
    signer.hear(0, &approve(&signer, 0, 1, &void));
    signer.after(10_000);
    let (transaction, outcome) = (void.transaction_id(), SubmitOutcome::InMempool);
    signer.take(Input::Submitted { transaction, outcome });
    (signer, event, void)
}

#[test]
fn a_void_that_pays_too_little_is_raised_and_not_offered_again_once_it_pays_enough() {
    let (mut signer, event, low) = void_submitted();
    fee_rate(&mut signer, 500);
    signer.after(9_000);
    assert!(!signer.mind.needs_void(&key(&event)), "it is signed, and the node may still take it");
    let mut high = None;
    for _ in 0..6 {
        fee_rate(&mut signer, 500);
        high = high.or(raised(&signer.after(8_000), &low));
    }
    let high = high.expect("its turn comes within a round");
    assert_eq!((high.kind, &high.events), (ProposalKind::Void, &low.events));
    signer.hear(0, &approve(&signer, 0, 2, &high));
    let (transaction, outcome) = (high.transaction_id(), SubmitOutcome::InMempool);
    signer.take(Input::Submitted { transaction, outcome });
    assert!(!signer.mind.needs_void(&key(&event)));
}

#[test]
fn a_signed_payment_without_a_proof_is_voided_once_it_pays_too_little() {
    let (mut signer, event, low) = submitted();
    signer.take(Input::Policy(policy()));
    signer.take(Input::VerifyFailed {
        from: MemberIndex(1),
        evidence: event.evidence.clone(),
        code: "approvers".to_owned(),
        permanent: true,
    });
    assert!(!signer.mind.needs_void(&key(&event)), "what is signed goes on");
    fee_rate(&mut signer, 500);
    let mut voids = Vec::new();
    for _ in 0..6 {
        fee_rate(&mut signer, 500);
        voids.extend(signer.after(8_000).proposals());
    }
    assert_eq!(voids.first().map(|void| void.kind), Some(ProposalKind::Void));
    assert!(voids[0].fee() > low.fee() && voids[0].shares_input_with(&low));
}
