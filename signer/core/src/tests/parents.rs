//! What an approved proposal builds on: kept, handed in again, and looked through for death.

use igra_tx::TransactionId;

use super::*;
use crate::{AcceptedBlock, AcceptedTransaction, BlockId};

/// Somebody's transaction that made the coin of 10 KAS, and what it spends.
const DEPOSIT: TransactionId = TransactionId::from_bytes([10; 32]);

fn foreign_coin() -> Outpoint {
    Outpoint { transaction: TransactionId::from_bytes([77; 32]), index: 3 }
}

fn deposit(id: TransactionId) -> AcceptedTransaction {
    AcceptedTransaction {
        id,
        spends: vec![foreign_coin()],
        pays: vec![(0, Sompi(1_000_000_000))],
        payload: Vec::new(),
        by_group: false,
        by_predecessor: false,
        signers: Vec::new(),
        body: b"the deposit".to_vec(),
    }
}

fn takes(
    signer: &mut Signer,
    block: u8,
    daa_score: u64,
    tip: u64,
    taken: AcceptedTransaction,
) -> crate::Step {
    let transactions = vec![taken];
    let block = AcceptedBlock { block: BlockId::from_bytes([block; 32]), daa_score, transactions };
    signer.take(Input::Chain(ChainUpdate { added: vec![block], ..tip_at(tip) }))
}

/// A signer that approved a proposal on top of a deposit that is not final.
fn built_on_a_deposit() -> (Signer, VerifiedEvent, Proposal) {
    let (mut signer, event) = approver(Q3);
    takes(&mut signer, 1, 90, 95, deposit(DEPOSIT));
    let proposal = proposal_from(&signer, &event, 10);
    let step = signer.hear(0, &propose(0, &proposal));
    assert_eq!((rows(&step, Family::Approval), rows(&step, Family::Proposal)), (1, 2), "{step:?}");
    (signer, event, proposal)
}

fn handed_in(step: &crate::Step) -> Vec<TransactionId> {
    let raw = step.effects.iter().filter_map(|effect| match effect {
        Effect::SubmitRaw { transaction, body } if body == b"the deposit" => Some(*transaction),
        _ => None,
    });
    raw.collect()
}

fn is_dead(signer: &Signer, proposal: &Proposal) -> bool {
    !signer.mind.offers.get(&proposal.id()).unwrap().is_live()
}

fn parents_on_disk(signer: &Signer) -> usize {
    signer.rows.keys().filter(|(family, key)| *family == Family::Proposal && key.len() == 33).count()
}

#[test]
fn a_proposal_whose_parent_was_spent_twice_is_dead_at_final_depth_and_not_before() {
    let (mut signer, event, proposal) = built_on_a_deposit();
    signer.reorganise(1, 96);
    takes(&mut signer, 2, 97, 98, deposit(TransactionId::from_bytes([11; 32])));
    assert!(!is_dead(&signer, &proposal));

    let step = signer.take(Input::Chain(tip_at(127)));

    let by = TransactionId::from_bytes([11; 32]);
    assert!(step.effects.contains(&Effect::Note(Note::Dead { proposal: proposal.id(), by })), "{step:?}");
    assert_eq!(rows(&step, Family::Chain), 3, "cursor, final, dead");
    assert_eq!((state(&signer, &event), parents_on_disk(&signer)), (SessionState::Verified, 0));
}

/// What takes the deposit's coin and pays nobody here, as the edge tells of what spends a watched coin.
fn elsewhere() -> AcceptedTransaction {
    let id = TransactionId::from_bytes([12; 32]);
    AcceptedTransaction { pays: Vec::new(), body: Vec::new(), ..deposit(id) }
}

#[test]
fn inputs_of_a_deposit_are_watched_from_the_approval_on_and_from_the_start_of_the_process() {
    let (mut signer, _, proposal) = built_on_a_deposit();
    let watched = |signer: &Signer| signer.mind.watched().collect::<Vec<_>>();
    assert_eq!(watched(&signer), [foreign_coin()]);
    let rows = signer.rows.iter().map(|((family, key), value)| (*family, key.clone(), value.clone()));
    assert_eq!(crate::Records::read(rows).unwrap().watched(), [foreign_coin()].into());
    let changes = signer.mind.watched_changes();
    signer.reorganise(1, 96);
    takes(&mut signer, 2, 97, 128, elsewhere());
    assert!(is_dead(&signer, &proposal));
    assert!(watched(&signer).is_empty() && signer.mind.watched_changes() > changes);

    let (mut signer, _) = approver(Q3);
    takes(&mut signer, 1, 90, 95, deposit(DEPOSIT));
    let rows = signer.rows.iter().map(|((family, key), value)| (*family, key.clone(), value.clone()));
    assert_eq!(
        crate::Records::read(rows).unwrap().watched(),
        [foreign_coin()].into(),
        "nothing builds on it yet"
    );
}

#[test]
fn a_stranger_who_spends_a_watched_coin_is_no_deposit_and_moves_nothing_on() {
    let (mut signer, _, _) = built_on_a_deposit();
    signer.reorganise(1, 96);
    signer.mind.views.failures = 3;
    let step = takes(&mut signer, 2, 97, 98, elsewhere());
    let notes = step
        .effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Note(Note::Deposited { .. } | Note::Accepted { .. })));
    assert_eq!((notes.count(), signer.mind.views.failures), (0, 3));
}

#[test]
fn a_parent_that_became_final_does_not_kill_its_child_and_is_not_kept() {
    let (mut signer, _, proposal) = built_on_a_deposit();
    assert_eq!(parents_on_disk(&signer), 1);
    signer.take(Input::Chain(tip_at(121)));
    assert_eq!((is_dead(&signer, &proposal), parents_on_disk(&signer)), (false, 0));
}

#[test]
fn invariant_7_the_own_child_of_a_transaction_does_not_kill_it() {
    let (mut signer, _, first) = approved(Q3);
    signer.take(Input::Event(event(2)));
    let change = Outpoint { transaction: first.transaction_id(), index: 1 };
    let mut coin = coin(&signer.group, 40, 4);
    coin.outpoint = change;
    let mut child = proposal_from(&signer, &event(2), 20);
    child.inputs = vec![coin];

    // The child is final before its parent is heard of again, as after a cursor that the node had forgotten.
    signer.accept(1, 200, 231, &[&child]);

    assert!(!is_dead(&signer, &first));
}

#[test]
fn death_is_seen_through_two_parents() {
    let (mut signer, _, first) = built_on_a_deposit();
    let small = event_of(2, 200_000_000);
    signer.take(Input::Event(small.clone()));
    signer.accept(2, 96, 97, &[&first]);
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
    assert_eq!(parents_on_disk(&signer), 2);
    signer.reorganise(2, 97);
    signer.reorganise(1, 98);
    signer.restart();

    takes(&mut signer, 3, 99, 129, deposit(TransactionId::from_bytes([11; 32])));

    assert!(is_dead(&signer, &first) && is_dead(&signer, &second));
}

#[test]
fn a_parent_that_a_reorganisation_drops_is_handed_in_again_until_it_is_back() {
    let (mut signer, _, _) = built_on_a_deposit();
    assert_eq!(handed_in(&signer.reorganise(1, 96)), [DEPOSIT]);
    let refused = SubmitOutcome::Refused(String::new());
    signer.take(Input::Submitted { transaction: DEPOSIT, outcome: refused });
    assert_eq!(handed_in(&signer.after(1_999)), []);
    assert_eq!(handed_in(&signer.after(1)), [DEPOSIT]);
    assert_eq!(handed_in(&signer.after(3_999)), [], "each time later");
    assert_eq!(handed_in(&signer.after(1)), [DEPOSIT]);

    takes(&mut signer, 2, 99, 100, deposit(DEPOSIT));

    assert_eq!(handed_in(&signer.after(60_000)), []);
}

#[test]
fn a_parent_is_missed_after_a_restart_too_and_its_death_found() {
    let (mut signer, event, proposal) = built_on_a_deposit();
    signer.reorganise(1, 96);
    assert_eq!(handed_in(&signer.restart()), [], "the chain may still tell of it");
    assert_eq!(handed_in(&signer.after(2_000)), [DEPOSIT]);
    takes(&mut signer, 2, 97, 127, deposit(TransactionId::from_bytes([11; 32])));
    assert!(is_dead(&signer, &proposal));
    assert_eq!(handed_in(&signer.after(60_000)), [], "what is dead is not handed in");
    signer.restart();
    assert!(is_dead(&signer, &proposal));
    assert_eq!(state(&signer, &event), SessionState::Verified);
}

#[test]
fn what_nothing_live_builds_on_is_not_handed_in_again() {
    let (mut signer, _) = approver(Q3);
    takes(&mut signer, 1, 90, 95, deposit(DEPOSIT));
    assert_eq!(handed_in(&signer.reorganise(1, 96)), []);
    assert_eq!(handed_in(&signer.after(60_000)), []);
}
