//! What washes a coin and what does not.

use igra_group::Network;
use proptest::prelude::*;

use super::*;

const DUST: Sompi = Sompi(1_000);
const TAG: u8 = 1;

/// A chain of final transactions over the group's coins, each with one output to the group.
#[derive(Default)]
struct Chain {
    moves: BTreeMap<TransactionId, (u64, Vec<Outpoint>, BTreeSet<u8>)>,
    coins: BTreeMap<Outpoint, FinalCoin>,
    daa_score: u64,
}

impl Chain {
    fn deposit(&mut self, number: u8, sompi: u64) -> Outpoint {
        self.daa_score += 1;
        self.coin(number, sompi)
    }

    /// A transaction of the group that spends these coins, one block later.
    fn spend(&mut self, number: u8, inputs: &[Outpoint], tags: &[u8]) -> Outpoint {
        self.daa_score += 1;
        for input in inputs {
            self.coins.remove(input);
        }
        let made = self.coin(number, 10_000);
        self.moves
            .insert(made.transaction, (self.daa_score, inputs.to_vec(), tags.iter().copied().collect()));
        made
    }

    fn coin(&mut self, number: u8, sompi: u64) -> Outpoint {
        let outpoint = Outpoint { transaction: TransactionId::from_bytes([number; 32]), index: 0 };
        self.coins.insert(outpoint, FinalCoin { amount: Sompi(sompi), daa_score: self.daa_score });
        outpoint
    }

    fn moves(&self) -> Moves<'_, u8> {
        self.moves
            .iter()
            .map(|(id, (daa_score, spends, tags))| (*id, Move { daa_score: *daa_score, spends, tags }))
            .collect()
    }

    fn is_washed(&self) -> bool {
        is_washed(&self.coins, &self.moves(), &TAG, DUST)
    }
}

fn event(id: u8) -> EventKey {
    EventKey::derive(Network::Simnet, "test", "", &[id])
}

#[test]
fn a_coin_is_washed_by_a_transaction_with_the_tag_and_by_nothing_else() {
    let mut chain = Chain::default();
    let old = chain.deposit(1, 10_000);
    assert!(!chain.is_washed());
    let other = chain.spend(2, &[old], &[TAG + 1]);
    assert!(!chain.is_washed(), "another's tag");
    chain.spend(3, &[other], &[TAG]);
    assert!(chain.is_washed());
}

#[test]
fn what_descends_from_a_washed_coin_is_washed() {
    let mut chain = Chain::default();
    let old = chain.deposit(1, 10_000);
    let swept = chain.spend(2, &[old], &[TAG]);
    let paid = chain.spend(3, &[swept], &[]);
    chain.spend(4, &[paid], &[]);
    assert!(chain.is_washed());
}

#[test]
fn one_old_coin_that_nobody_moved_keeps_the_signer_in() {
    let mut chain = Chain::default();
    let (one, idle) = (chain.deposit(1, 10_000), chain.deposit(2, 10_000));
    chain.spend(3, &[one], &[TAG]);
    assert_eq!(unwashed(&chain.coins, &chain.moves(), &TAG, DUST), [idle].into());
}

#[test]
fn change_of_old_coins_made_after_the_tag_is_no_deposit() {
    let mut chain = Chain::default();
    let (one, two) = (chain.deposit(1, 10_000), chain.deposit(2, 10_000));
    chain.spend(3, &[one], &[TAG]);
    let change = chain.spend(4, &[two], &[]);
    assert_eq!(unwashed(&chain.coins, &chain.moves(), &TAG, DUST), [change].into());
}

#[test]
fn a_deposit_counts_as_new_only_if_a_later_block_took_it() {
    let mut chain = Chain::default();
    let old = chain.deposit(1, 10_000);
    chain.spend(2, &[old], &[TAG]);
    let same_block = chain.coin(3, 10_000);
    assert_eq!(unwashed(&chain.coins, &chain.moves(), &TAG, DUST), [same_block].into());
    chain.coins.remove(&same_block);
    chain.deposit(4, 10_000);
    assert!(chain.is_washed());
}

#[test]
fn dust_is_never_an_input_and_needs_no_washing() {
    let mut chain = Chain::default();
    chain.deposit(1, DUST.0 - 1);
    assert!(chain.is_washed());
    chain.deposit(2, DUST.0);
    assert!(!chain.is_washed());
}

#[test]
fn a_sweep_takes_only_coins_that_lack_a_tag_of_it() {
    let mut chain = Chain::default();
    let (one, two) = (chain.deposit(1, 10_000), chain.deposit(2, 10_000));
    let swept = chain.spend(3, &[one], &[1]);
    let moves = chain.moves();
    assert!(may_sweep([&two], &[1].into(), &moves));
    assert!(may_sweep([&two, &swept], &[1].into(), &moves), "one coin may help");
    assert!(!may_sweep([&swept], &[1].into(), &moves));
    assert!(may_sweep([&two, &swept], &[1, 2].into(), &moves));
    assert!(!may_sweep([&two], &[].into(), &moves), "a sweep without a tag washes nothing");
}

#[test]
fn whoever_is_washed_still_needs_a_tombstone_for_each_link_and_a_chain_without_gap() {
    let mut chain = Chain::default();
    let old = chain.deposit(1, 10_000);
    chain.spend(2, &[old], &[TAG]);
    let (moves, links) = (chain.moves(), [event(1), event(2)].into());
    let scan = Scan { coins: &chain.coins, moves: &moves, links: &links, gapless: true };
    assert_eq!(may_leave(&scan, &TAG, DUST, |_| true), Ok(()));
    let missing = may_leave(&scan, &TAG, DUST, |found| *found == event(1));
    assert_eq!(missing, Err(Stays::NoTombstone(event(2))));
    assert_eq!(may_leave(&Scan { gapless: false, ..scan }, &TAG, DUST, |_| true), Err(Stays::Gap));
}

#[test]
fn where_nothing_stands_at_final_depth_yet_nothing_is_said_of_younger_coins() {
    let (coins, moves, links) = (BTreeMap::new(), Moves::<u8>::new(), BTreeSet::new());
    let scan = Scan { coins: &coins, moves: &moves, links: &links, gapless: true };
    assert_eq!(may_leave(&scan, &TAG, DUST, |_| true), Err(Stays::NotBegun));
}

#[test]
fn whoever_is_not_washed_stays_whatever_tombstones_it_has() {
    let mut chain = Chain::default();
    let old = chain.deposit(1, 10_000);
    let (moves, links) = (chain.moves(), BTreeSet::new());
    let scan = Scan { coins: &chain.coins, moves: &moves, links: &links, gapless: true };
    assert_eq!(may_leave(&scan, &TAG, DUST, |_| true), Err(Stays::Unwashed([old].into())));
}

proptest! {
    /// A transaction signed before the tag was drawn spends coins that existed then, or change of such transactions.
    /// Whatever else the group does, none of those coins is there once the signer is washed.
    #[test]
    fn invariant_14_once_washed_nothing_from_before_the_tag_can_spend_a_coin(
        before in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..6),
        after in prop::collection::vec((0u8..4, any::<prop::sample::Index>()), 0..14),
    ) {
        let mut chain = Chain::default();
        let mut number = 1;
        for (deposit, which) in before {
            number += 1;
            step(&mut chain, number, if deposit { 0 } else { 1 }, which);
        }
        let mut tainted: BTreeSet<Outpoint> = chain.coins.keys().copied().collect();
        for (what, which) in after {
            number += 1;
            let Some((made, spent)) = step(&mut chain, number, what, which) else { continue };
            // An old signature may stand behind any move without the tag that spends only old coins.
            if what == 1 && tainted.contains(&spent) {
                tainted.insert(made);
            }
        }
        if chain.is_washed() {
            prop_assert!(chain.coins.keys().all(|coin| !tainted.contains(coin)), "{:?}", chain.coins);
        }
    }
}

/// 0: deposit; 1: a move without tags; 2: one with the tag; 3: one with another tag. What it made and what it spent.
fn step(chain: &mut Chain, number: u8, what: u8, which: prop::sample::Index) -> Option<(Outpoint, Outpoint)> {
    if what == 0 {
        chain.deposit(number, 10_000);
        return None;
    }
    let coins: Vec<Outpoint> = chain.coins.keys().copied().collect();
    let spent = *coins.get(which.index(coins.len().max(1)))?;
    let tags: &[u8] = match what {
        2 => &[TAG],
        3 => &[TAG + 1],
        0 | 1 | 4.. => &[],
    };
    Some((chain.spend(number, &[spent], tags), spent))
}
