//! What others state of a chain that the own node no longer shows.

use igra_tx::{ProposalKind, TransactionId};

use super::*;
use crate::messages::{Ended, FinalClaim};

const RIVAL: TransactionId = TransactionId::from_bytes([88; 32]);

/// A signer (three of which may one lie) that approved a proposal, was away, and came back to a node that has forgotten.
fn came_back() -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event, proposal) = approved(Q3);
    signer.take(Input::Chain(tip_at(200)));
    signer.take(Input::Chain(ChainUpdate { gapless: false, restarted: true, ..tip_at(90_000) }));
    greet(&mut signer, None);
    (signer, event, proposal)
}

/// Both others say how they stand; `tag`: the second one's disk may have gone back in time.
fn greet(signer: &mut Signer, tag: Option<[u8; 32]>) {
    for (member, tag) in [(0, None), (2, tag)] {
        let hello = Hello {
            promise: 0,
            seen: Vec::new(),
            view: 0,
            config: signer.group.config_digest(),
            policy: policy().digest(),
            software: String::new(),
            tag,
            standing: Default::default(),
        };
        signer.hear(member, &Message::Hello(hello));
    }
}

fn claim(event: &VerifiedEvent, transaction: TransactionId, ended: Ended) -> Message {
    Message::Final(FinalClaim { event: key(event), transaction, ended: Some(ended) })
}

fn paid(proposal: &Proposal) -> Ended {
    let spends = proposal.outpoints().into_iter().collect();
    Ended { kind: Some(ProposalKind::Pay), daa_score: 40_000, spends }
}

/// The coins of a proposal went elsewhere, into something that does not name the event.
fn spent(proposal: &Proposal) -> Ended {
    Ended { kind: None, ..paid(proposal) }
}

fn is_paid(signer: &Signer, event: &VerifiedEvent) -> bool {
    state(signer, event) == SessionState::Paid
}

#[test]
fn invariant_11_what_f_and_one_members_state_of_a_gap_is_final_and_stays_so() {
    let (mut signer, event, proposal) = came_back();
    let said = claim(&event, proposal.transaction_id(), paid(&proposal));
    signer.hear(0, &said);
    assert!(!is_paid(&signer, &event), "one member alone may lie");
    signer.restart();
    greet(&mut signer, None);
    let step = signer.hear(2, &said);
    assert!(is_paid(&signer, &event), "what the first one said was kept");
    assert!(step.writes.iter().any(|row| row.family == Family::Tombstone && row.promise));
    signer.restart();
    assert!(is_paid(&signer, &event));
    assert_eq!(signer.take(Input::Event(event)).ignored(), Some(Ignored::FinalEvent));
}

#[test]
fn invariant_11_outside_of_a_gap_no_number_of_members_makes_anything_final() {
    let (mut signer, event, proposal) = approved(Q3);
    greet(&mut signer, None);
    signer.take(Input::Chain(tip_at(90_000)));
    for member in [0, 2] {
        signer.hear(member, &claim(&event, proposal.transaction_id(), paid(&proposal)));
    }
    assert!(!is_paid(&signer, &event));

    let (mut signer, event, proposal) = came_back();
    for member in [0, 2] {
        let late = Ended { daa_score: 90_001, ..paid(&proposal) };
        signer.hear(member, &claim(&event, proposal.transaction_id(), late));
    }
    assert!(!is_paid(&signer, &event), "the own node shows what came after the gap");
}

#[test]
fn invariant_11_members_that_disagree_or_repeat_or_may_have_forgotten_do_not_add_up() {
    let (mut signer, event, proposal) = came_back();
    let said = claim(&event, proposal.transaction_id(), paid(&proposal));
    signer.hear(0, &said);
    signer.hear(0, &said);
    signer.hear(2, &claim(&event, RIVAL, paid(&proposal)));
    assert!(!is_paid(&signer, &event));

    let (mut signer, event, proposal) = came_back();
    greet(&mut signer, Some([1; 32]));
    for member in [0, 2] {
        signer.hear(member, &claim(&event, proposal.transaction_id(), paid(&proposal)));
    }
    assert!(!is_paid(&signer, &event), "one of them is quarantined");
}

#[test]
fn what_f_and_one_members_state_to_be_spent_makes_a_proposal_dead_and_the_event_free() {
    let (mut signer, event, proposal) = came_back();
    let said = claim(&event, RIVAL, spent(&proposal));
    signer.hear(0, &said);
    assert!(signer.mind.offers.get(&proposal.id()).unwrap().is_live());
    let step = signer.hear(2, &said);
    assert!(step.effects.contains(&Effect::Note(Note::Dead { proposal: proposal.id(), by: RIVAL })));
    assert_eq!(state(&signer, &event), SessionState::Verified);
    signer.restart();
    assert!(!signer.mind.offers.get(&proposal.id()).unwrap().is_live());
}

#[test]
fn no_statement_about_a_transaction_makes_that_transaction_dead() {
    let (mut signer, event, proposal) = came_back();
    for member in [0, 2] {
        signer.hear(member, &claim(&event, proposal.transaction_id(), spent(&proposal)));
    }
    assert!(signer.mind.offers.get(&proposal.id()).unwrap().is_live());
    assert_eq!(state(&signer, &event), SessionState::Approved);
}

#[test]
fn a_member_states_what_ended_here_to_one_that_holds_it_for_live() {
    let (mut signer, _, proposal) = approved(Q3);
    signer.accept(1, 200, 230, &[&proposal]);
    let entry = Entry { event: proposal.events[0], proposals: Vec::new() };
    let (from, to) = (entry.event, entry.event);
    let digest = Digest { view: 0, from, to, entries: vec![entry], answer: false };
    let step = signer.hear(0, &Message::Digest(digest));
    let said = claim(&event(1), proposal.transaction_id(), Ended { daa_score: 200, ..paid(&proposal) });
    assert!(step.sent().contains(&(To::Member(MemberIndex(0)), said)), "{:?}", step.sent());
}
