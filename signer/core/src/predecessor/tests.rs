//! What holds up the new group and what does not, and that nothing is paid in both.

use igra_group::{Group, Sompi};
use igra_tx::{Coin, EventKey, FeeRate, Outpoint, ProposalKind, Script, TransactionId, payload};

use super::*;
use crate::{
    AcceptedBlock, AcceptedTransaction, BlockId, ChainUpdate, Effect, Family, Input, Intake, MessageKind,
    RefusalCode, SessionState, Signs, VerifiedEvent, WalletUpdate,
    messages::{Message, Propose},
    test_kit::{Signer, coin, draft, event, group, policy, predecessor, tip_at},
};

const DUST: Sompi = Sompi(1_000);

fn outpoint(number: u8) -> Outpoint {
    Outpoint { transaction: id(number), index: 0 }
}

fn id(number: u8) -> TransactionId {
    TransactionId::from_bytes([number; 32])
}

/// Whether the new group may begin where these coins are left: number, sompi, and when it was deposited.
fn begins(migrations: &[(u64, bool)], coins: &[(u8, u64, Option<u64>)]) -> Result<(), Waits> {
    let coin = |(number, sompi, deposited): &(u8, u64, Option<u64>)| {
        (outpoint(*number), OldCoin { amount: Sompi(*sompi), deposited: *deposited })
    };
    let coins = coins.iter().map(coin).collect();
    may_begin(&Handover { migrations, coins: &coins, gapless: true }, DUST)
}

#[test]
fn the_new_group_begins_when_no_coin_of_before_the_first_migration_is_left() {
    assert_eq!(begins(&[], &[]), Err(Waits::NotBegun));
    assert_eq!(begins(&[(100, true)], &[]), Ok(()));
    let before = (1, 5_000, Some(99));
    assert_eq!(begins(&[(100, true)], &[before]), Err(Waits::Unmoved([outpoint(1)].into())));
    assert_eq!(begins(&[(120, true), (100, true)], &[(1, 5_000, Some(110))]), Ok(()), "the first one counts");
}

#[test]
fn a_coin_of_the_block_of_the_first_migration_holds_it_up_and_a_later_deposit_and_dust_do_not() {
    let with = |coin| begins(&[(100, true)], &[coin]);
    assert_eq!(with((1, 5_000, Some(100))), Err(Waits::Unmoved([outpoint(1)].into())));
    assert_eq!(with((1, 5_000, Some(101))), Ok(()));
    assert_eq!(with((1, 999, Some(5))), Ok(()));
    assert_eq!(with((1, 1_000, Some(5))), Err(Waits::Unmoved([outpoint(1)].into())));
}

#[test]
fn what_the_predecessors_own_transactions_made_after_the_first_migration_holds_it_up() {
    assert_eq!(begins(&[(100, true)], &[(1, 5_000, None)]), Err(Waits::Unmoved([outpoint(1)].into())));
}

#[test]
fn a_gap_or_a_migration_to_another_group_holds_it_up() {
    let coins = BTreeMap::new();
    let handover = Handover { migrations: &[(100, true)], coins: &coins, gapless: false };
    assert_eq!(may_begin(&handover, DUST), Err(Waits::Gap));
    assert_eq!(begins(&[(100, true), (105, false)], &[]), Err(Waits::Elsewhere));
}

/// Member 1 of a group of three with a predecessor, of which it has seen everything.
fn heir() -> Signer {
    Signer::of(heirs(), 1, policy())
}

fn heirs() -> Group {
    group(3, 2, Some(2)).after(predecessor()).unwrap()
}

/// A coin of the predecessor.
fn old_coin(number: u8, daa_score: u64) -> Coin {
    let script = Script::of_wallet(&predecessor().wallet);
    Coin { outpoint: outpoint(number), amount: Sompi(900_000_000), script, daa_score, coinbase: false }
}

/// A transaction of the predecessor, as the edge tells of it.
fn old(number: u8, spends: &[u8], kind: ProposalKind, events: &[EventKey]) -> AcceptedTransaction {
    let here = kind == ProposalKind::Migrate;
    AcceptedTransaction {
        id: id(number),
        spends: spends.iter().map(|number| outpoint(*number)).collect(),
        pays: here.then_some((0, Sompi(800_000_000))).into_iter().collect(),
        payload: payload::encode(kind, events, &BTreeSet::new()),
        by_group: false,
        by_predecessor: true,
        signers: Vec::new(),
        body: Vec::new(),
    }
}

/// Somebody pays the predecessor.
fn old_deposit(number: u8) -> AcceptedTransaction {
    AcceptedTransaction {
        spends: vec![outpoint(200 - number)],
        by_predecessor: false,
        ..old(number, &[], ProposalKind::Pay, &[])
    }
}

fn chain(signer: &mut Signer, daa_score: u64, tip: u64, transactions: Vec<AcceptedTransaction>) -> Step {
    let block = BlockId::from_bytes([daa_score as u8; 32]);
    let block = AcceptedBlock { block, daa_score, transactions };
    signer.take_and_sign(Input::Chain(ChainUpdate { added: vec![block], ..tip_at(tip) }))
}

/// The wallets one block before the chain that was told.
fn shows(signer: &mut Signer, tip: u64, old: Vec<Coin>) -> Step {
    let coins = [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas)).to_vec();
    let (virtual_daa, fee_rate) = (tip - 1, FeeRate::new(100));
    let update = WalletUpdate { virtual_daa, coins, predecessor: old, fee_rate, synced: true };
    signer.take_and_sign(Input::Wallet(update))
}

fn awaited(signer: &Signer) -> Vec<Awaited> {
    signer.mind.predecessor_view().unwrap().awaited
}

fn begun(signer: &Signer) -> bool {
    signer.mind.predecessor_view().unwrap().begun.is_some()
}

fn key(event: &VerifiedEvent) -> EventKey {
    event.payment.event
}

/// What a member of the new group may offer for an event.
fn offered(signer: &mut Signer, event: &VerifiedEvent) -> Step {
    let view = signer.mind.chain.view.clone();
    let proposal = draft(&signer.group, &view, std::slice::from_ref(&event.payment)).unwrap();
    let number = signer.mind.views.view.next_multiple_of(3);
    for other in [0, 2] {
        signer.hear(other, &Message::Status(crate::messages::Status { view: number }));
    }
    signer.hear(0, &Message::Propose(Propose { view: number, proposal: borsh::to_vec(&proposal).unwrap() }))
}

fn approves(step: &Step) -> bool {
    step.sent_kinds().contains(&MessageKind::Approve)
}

#[test]
fn nothing_is_promised_before_the_move_is_final_and_then_it_is() {
    let (mut signer, event) = (heir(), event(1));
    signer.take(Input::Event(event.clone()));
    shows(&mut signer, 100, vec![old_coin(1, 50)]);
    assert_eq!(offered(&mut signer, &event).refusals(), [RefusalCode::Predecessor]);
    for kind in ProposalKind::ALL {
        assert_eq!(signer.mind.may_promise(kind).unwrap_err().code, RefusalCode::Predecessor, "{kind:?}");
    }
    chain(&mut signer, 110, 139, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 139, vec![]);
    assert_eq!(
        (awaited(&signer), begun(&signer)),
        (vec![Awaited::Migration], false),
        "accepted is not final"
    );
    assert!(!approves(&offered(&mut signer, &event)));

    let step = signer.take_and_sign(Input::Chain(tip_at(140)));

    assert!(step.effects.contains(&Effect::Note(Note::PredecessorMoved)));
    assert!(begun(&signer));
    let step = signer.take_and_sign(Input::Tick);
    let step = if approves(&step) { step } else { offered(&mut signer, &event) };
    assert!(approves(&step) || signer.mind.own_approvals(&key(&event)).count() == 1, "{step:?}");
}

#[test]
fn a_coin_that_was_there_before_the_move_holds_it_up_and_a_later_deposit_does_not() {
    let mut signer = heir();
    chain(&mut signer, 110, 150, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 150, vec![old_coin(2, 60), old_coin(3, 111)]);
    assert_eq!(awaited(&signer), [Awaited::Coins { unmoved: 1 }]);

    shows(&mut signer, 150, vec![old_coin(3, 111)]);

    assert!(begun(&signer), "{:?}", awaited(&signer));
}

/// A stranger who pays the old address again and again holds nothing up, though the old group moves that too.
#[test]
fn a_migration_of_a_later_deposit_that_is_not_final_holds_nothing_up() {
    let mut signer = heir();
    chain(&mut signer, 110, 112, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    chain(&mut signer, 120, 122, vec![old_deposit(3)]);
    chain(&mut signer, 130, 145, vec![old(10, &[3], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 145, vec![]);
    assert!(begun(&signer), "{:?}", awaited(&signer));
}

#[test]
fn a_coin_of_before_the_move_counts_until_what_spends_it_is_final() {
    let mut signer = heir();
    chain(&mut signer, 50, 60, vec![old_deposit(2)]);
    chain(&mut signer, 110, 112, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    chain(&mut signer, 130, 145, vec![old(10, &[2], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 145, vec![]);
    assert_eq!(awaited(&signer), [Awaited::Coins { unmoved: 1 }]);
    signer.take(Input::Chain(tip_at(160)));
    assert!(begun(&signer), "{:?}", awaited(&signer));
}

/// A payment that was signed before the move and accepted after it makes change that another such payment may spend.
#[test]
fn change_that_the_predecessor_made_after_the_move_holds_it_up() {
    let mut signer = heir();
    chain(&mut signer, 110, 112, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    chain(&mut signer, 115, 160, vec![old(10, &[2], ProposalKind::Pay, &[key(&event(7))])]);
    shows(&mut signer, 160, vec![old_coin(10, 115)]);
    assert_eq!(awaited(&signer), [Awaited::Coins { unmoved: 1 }]);
}

#[test]
fn invariant_12_what_the_predecessor_paid_or_voided_is_refused_as_final_also_after_a_restart() {
    let (mut signer, paid, void) = (heir(), event(1), event(2));
    signer.take(Input::Event(paid.clone()));
    chain(&mut signer, 60, 65, vec![old(7, &[4], ProposalKind::Pay, &[key(&paid)])]);
    chain(&mut signer, 61, 65, vec![old(8, &[5], ProposalKind::Void, &[key(&void)])]);
    assert_eq!(signer.mind.session(&key(&paid)).unwrap().state, SessionState::Accepted);
    chain(&mut signer, 110, 150, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 150, vec![]);
    assert!(begun(&signer), "{:?}", awaited(&signer));
    for restarted in [false, true] {
        if restarted {
            signer.restart();
            shows(&mut signer, 150, vec![]);
        }
        for (event, number, state) in [(&paid, 7, SessionState::Paid), (&void, 8, SessionState::Void)] {
            assert_eq!(signer.mind.intake(event, signer.now), Intake::Final(id(number)));
            assert_eq!(signer.mind.session(&key(event)).unwrap().state, state);
            assert!(!approves(&offered(&mut signer, event)));
        }
    }
}

#[test]
fn what_the_predecessor_still_pays_after_the_gate_is_open_is_not_paid_again() {
    let (mut signer, event) = (heir(), event(1));
    chain(&mut signer, 110, 150, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 150, vec![]);
    assert!(begun(&signer));
    chain(&mut signer, 151, 152, vec![old(7, &[4], ProposalKind::Pay, &[key(&event)])]);
    signer.take(Input::Event(event.clone()));
    assert_eq!(offered(&mut signer, &event).refusals(), [RefusalCode::Accepted]);
}

#[test]
fn the_predecessors_move_ends_no_payments_here() {
    let mut signer = heir();
    chain(&mut signer, 110, 150, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 150, vec![]);
    assert!(!signer.mind.past.moved);
    assert!(signer.mind.may_promise(ProposalKind::Pay).is_ok());
}

#[test]
fn once_begun_stays_begun_after_a_restart_and_a_reorganisation() {
    let mut signer = heir();
    chain(&mut signer, 110, 140, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 140, vec![]);
    assert!(begun(&signer), "{:?}", awaited(&signer));
    let removed = vec![BlockId::from_bytes([110; 32])];
    signer.take(Input::Chain(ChainUpdate { removed, ..tip_at(141) }));
    shows(&mut signer, 141, vec![old_coin(1, 50)]);
    assert!(begun(&signer));
    signer.restart();
    assert!(begun(&signer));
}

#[test]
fn a_reorganisation_of_the_migration_before_it_is_final_keeps_the_group_waiting() {
    let mut signer = heir();
    chain(&mut signer, 110, 120, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 120, vec![]);
    let removed = vec![BlockId::from_bytes([110; 32])];
    signer.take(Input::Chain(ChainUpdate { removed, ..tip_at(160) }));
    assert_eq!(awaited(&signer), [Awaited::Node, Awaited::Migration], "the wallet was shown before");
    shows(&mut signer, 160, vec![old_coin(1, 50)]);
    assert_eq!(awaited(&signer), [Awaited::Migration]);
}

/// A wallet that lacks a coin because of a transaction that was taken back tells nothing.
#[test]
fn after_a_reorganisation_a_new_wallet_is_waited_for() {
    let mut signer = heir();
    chain(&mut signer, 110, 138, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    chain(&mut signer, 139, 139, vec![old(10, &[2], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 139, vec![]);
    let removed = vec![BlockId::from_bytes([139; 32])];
    signer.take(Input::Chain(ChainUpdate { removed, ..tip_at(141) }));
    assert!(!begun(&signer));
    shows(&mut signer, 141, vec![old_coin(2, 50)]);
    assert_eq!(awaited(&signer), [Awaited::Coins { unmoved: 1 }]);
}

#[test]
fn a_gap_in_the_predecessors_history_needs_an_administrator_whose_word_is_kept() {
    let mut signer = heir();
    signer.take(Input::Chain(ChainUpdate { gapless: false, ..tip_at(105) }));
    chain(&mut signer, 110, 150, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 150, vec![]);
    assert_eq!(awaited(&signer), [Awaited::History]);
    signer.restart();
    shows(&mut signer, 150, vec![]);
    assert!(!begun(&signer), "it is remembered");

    let release = || Input::ReleasePredecessor { reason: "all that was paid is in the ledger".to_owned() };
    signer.take(release());

    assert!(begun(&signer));
    let [intervention] = signer.mind.view().interventions.try_into().unwrap();
    assert_eq!(intervention.kind, InterventionKind::PredecessorReleased);
    assert_eq!(signer.take(release()).ignored(), Some(Ignored::NothingToClear));
    signer.restart();
    assert!(begun(&signer));
}

#[test]
fn a_store_that_ran_without_the_predecessor_has_not_seen_what_it_paid() {
    let mut signer = Signer::of(group(3, 2, Some(2)), 1, policy());
    signer.group = heirs();
    signer.restart();
    chain(&mut signer, 110, 150, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    shows(&mut signer, 150, vec![]);
    assert_eq!(awaited(&signer), [Awaited::History]);
}

#[test]
fn transactions_of_the_predecessor_make_no_empty_store_suspicious() {
    let mut signer = heir();
    assert!(signer.mind.quarantine.is_none());
    signer.rows.clear();
    signer.restart_alone(Signs::default());
    chain(&mut signer, 60, 65, vec![old(7, &[4], ProposalKind::Pay, &[key(&event(1))])]);
    let update = WalletUpdate {
        virtual_daa: 64,
        coins: Vec::new(),
        predecessor: vec![old_coin(1, 50)],
        fee_rate: FeeRate::new(100),
        synced: true,
    };
    signer.take(Input::Wallet(update));
    assert!(signer.mind.quarantine.is_none());
}

#[test]
fn accepted_transactions_of_the_version_before_read_and_are_none_of_the_predecessors() {
    let mut signer = heir();
    chain(&mut signer, 110, 150, vec![old(9, &[1], ProposalKind::Migrate, &[])]);
    let accepted = |key: &(Family, Vec<u8>)| key.0 == Family::Chain && key.1.first() == Some(&b't');
    let rows = signer.rows.iter_mut().filter(|(key, _)| accepted(key));
    for (_, value) in rows {
        value[0] = 3;
        assert_eq!(value.pop(), Some(1));
    }
    signer.restart();
    let record = signer.mind.chain.accepted.get(&id(9)).unwrap();
    assert_eq!((record.is_final, record.by_predecessor), (true, false));
}
