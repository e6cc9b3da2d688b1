//! Which coins a draft spends, and what becomes of the rest.

use std::collections::BTreeSet;

use igra_group::Sompi;
use igra_tx::{ChainView, DraftError, FeeLimits, FeeRate, Masses, Outpoint, Payment, Proposal};
use proptest::prelude::*;

use crate::fixture::{KAS, Keyed, LIMITS, draft, keyed, outpoint, payment, view_of};

fn drafted(keyed: &Keyed, view: &ChainView, payments: &[Payment]) -> Result<Proposal, DraftError> {
    draft(&keyed.group, view, payments, &LIMITS, &BTreeSet::new(), &[])
}

fn spent(proposal: &Proposal) -> Vec<Outpoint> {
    proposal.outpoints().into_iter().collect()
}

#[test]
fn where_no_coin_is_worth_twice_the_payments_the_largest_that_is_enough_is_spent_alone() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[3 * KAS, 8 * KAS, 8 * KAS, 5 * KAS]);
    let proposal = drafted(&keyed, &view, &[payment(1, 41 * KAS / 10)]).unwrap();
    assert_eq!(spent(&proposal), [outpoint(2)]);
}

#[test]
fn the_same_events_take_the_same_coin_and_others_mostly_another_one() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[9 * KAS; 8]);
    let taken_by = |events: &[u8]| {
        let payments: Vec<Payment> = events.iter().map(|event| payment(*event, KAS)).collect();
        let [coin] = spent(&drafted(&keyed, &view, &payments).unwrap()).try_into().unwrap();
        coin
    };
    assert_eq!(taken_by(&[3, 4]), taken_by(&[4, 3, 9]), "what comes later changes nothing");
    let all: BTreeSet<Outpoint> = (1..=24).map(|event| taken_by(&[event])).collect();
    assert!(all.len() >= 5, "24 events take {} of 8 coins", all.len());
}

#[test]
fn small_coins_are_not_gathered_where_a_larger_one_is_enough() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[KAS, KAS, KAS, 8 * KAS, KAS]);
    for event in 1..=16 {
        let proposal = drafted(&keyed, &view, &[payment(event, 2 * KAS)]).unwrap();
        assert_eq!(spent(&proposal), [outpoint(4)]);
    }
}

#[test]
fn coins_to_avoid_and_coins_that_are_too_young_are_left_alone() {
    let keyed = keyed(2, 3);
    let mut view = keyed.view(&[3 * KAS, 8 * KAS, 9 * KAS]);
    view.coins.get_mut(&outpoint(3)).unwrap().daa_score = view.virtual_daa;
    let avoid = BTreeSet::from([outpoint(2)]);
    let proposal = draft(&keyed.group, &view, &[payment(1, KAS)], &LIMITS, &avoid, &[]).unwrap();
    assert_eq!(spent(&proposal), [outpoint(1)]);
}

#[test]
fn a_draft_shares_an_input_with_each_proposal_it_must_share_with() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[KAS, 2 * KAS, 3 * KAS, 90 * KAS]);
    let from = |coins: [u8; 2]| {
        let part = view_of(coins.map(|c| view.coins[&outpoint(c)].clone()));
        drafted(&keyed, &part, &[payment(9, part.coins.values().map(|c| c.amount.0).sum::<u64>() - KAS / 2)])
            .unwrap()
    };
    let (first, second) = (from([1, 2]), from([2, 3]));

    let proposal =
        draft(&keyed.group, &view, &[payment(1, KAS)], &LIMITS, &BTreeSet::new(), &[&first, &second])
            .unwrap();

    assert_eq!(spent(&proposal), [outpoint(2)], "one coin is shared by both");
    assert!(proposal.shares_input_with(&first) && proposal.shares_input_with(&second));
}

#[test]
fn of_the_coins_that_could_be_the_anchor_the_largest_is() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[2 * KAS, 3 * KAS, 90 * KAS]);
    let both = view_of([keyed.coin(1, 2 * KAS), keyed.coin(2, 3 * KAS)]);
    let earlier = drafted(&keyed, &both, &[payment(9, 4 * KAS)]).unwrap();
    let proposal =
        draft(&keyed.group, &view, &[payment(1, KAS)], &LIMITS, &BTreeSet::new(), &[&earlier]).unwrap();
    assert_eq!(spent(&proposal), [outpoint(2)]);
}

#[test]
fn an_anchor_is_spent_even_where_it_should_be_avoided_if_there_is_no_other() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[4 * KAS, 90 * KAS]);
    let earlier = drafted(&keyed, &view_of([keyed.coin(1, 4 * KAS)]), &[payment(9, KAS)]).unwrap();
    let avoid = BTreeSet::from([outpoint(1)]);
    let proposal = draft(&keyed.group, &view, &[payment(1, KAS)], &LIMITS, &avoid, &[&earlier]).unwrap();
    assert_eq!(spent(&proposal), [outpoint(1)]);
}

#[test]
fn without_a_coin_to_share_there_is_no_draft() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[4 * KAS, 90 * KAS]);
    let earlier = drafted(&keyed, &view_of([keyed.coin(9, 4 * KAS)]), &[payment(9, KAS)]).unwrap();
    let refused = draft(&keyed.group, &view, &[payment(1, KAS)], &LIMITS, &BTreeSet::new(), &[&earlier]);
    assert_eq!(refused, Err(DraftError::AnchorGone(earlier.id())));
}

#[test]
fn too_little_money_says_how_much_is_needed_and_how_much_is_there() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[3 * KAS, 4 * KAS]);
    let refused = drafted(&keyed, &view, &[payment(1, 9 * KAS)]);
    assert_eq!(
        refused,
        Err(DraftError::NotEnoughFunds { needed: Sompi(9 * KAS), available: Sompi(7 * KAS) })
    );
    let refused = drafted(&keyed, &view, &[payment(1, 7 * KAS)]).unwrap_err();
    assert!(matches!(refused, DraftError::NotEnoughFunds { .. }), "nothing left for the fee: {refused}");
}

#[test]
fn what_would_be_dust_goes_into_the_fee() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[5 * KAS]);
    let proposal = drafted(&keyed, &view, &[payment(1, 5 * KAS - 1_000_000)]).unwrap();
    assert_eq!((proposal.outputs.len(), proposal.fee()), (1, Some(Sompi(1_000_000))));
    assert_eq!(proposal.change(&keyed.group), None);
}

#[test]
fn what_would_be_too_much_fee_brings_another_coin_and_change() {
    let keyed = keyed(2, 3);
    let tight = FeeLimits { max_sompi_per_gram: 110, max: Sompi(KAS) };
    let pay = |amounts: &[u64]| {
        let payments = [payment(1, 5 * KAS - 1_000_000)];
        draft(&keyed.group, &keyed.view(amounts), &payments, &tight, &BTreeSet::new(), &[])
    };
    assert!(matches!(pay(&[5 * KAS]), Err(DraftError::FeeOverLimit { .. })));
    let with_another = pay(&[5 * KAS, 4 * KAS]).unwrap();
    assert_eq!((with_another.inputs.len(), with_another.outputs.len()), (2, 2));
}

#[test]
fn the_fee_follows_the_node_between_the_least_and_the_limits() {
    let keyed = keyed(2, 3);
    let per_gram = |rate: u64| {
        let mut view = keyed.view(&[50 * KAS]);
        view.fee_rate = FeeRate::new(rate);
        let proposal = drafted(&keyed, &view, &[payment(1, KAS)]).unwrap();
        proposal.fee().unwrap().0 / Masses::of(&keyed.group, &proposal).unwrap().fee_mass()
    };
    assert_eq!([0, 99, 250, 1_000, 5_000, u64::MAX].map(per_gram), [100, 100, 250, 1_000, 1_000, 1_000]);
}

#[test]
fn limits_below_what_nodes_relay_leave_no_draft() {
    let keyed = keyed(2, 3);
    let limits = FeeLimits { max_sompi_per_gram: 99, max: Sompi(KAS) };
    let view = keyed.view(&[50 * KAS]);
    let refused = draft(&keyed.group, &view, &[payment(1, KAS)], &limits, &BTreeSet::new(), &[]);
    assert!(matches!(refused, Err(DraftError::FeeOverLimit { .. })));
}

#[test]
fn payments_that_no_transaction_can_make_are_named() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[50 * KAS]);
    let mut odd = payment(2, KAS);
    odd.recipient.bytes.pop();
    let pay = |payments: &[Payment]| drafted(&keyed, &view, payments).unwrap_err();

    assert_eq!(pay(&[]), DraftError::Payments(0));
    assert_eq!(pay(&vec![payment(1, KAS); 65]), DraftError::Payments(65));
    assert_eq!(pay(&[payment(1, KAS), payment(1, KAS)]), DraftError::SameEvent(payment(1, KAS).event));
    assert_eq!(pay(&[payment(1, 0)]), DraftError::ZeroAmount(payment(1, 0).event));
    assert_eq!(pay(&[odd.clone()]), DraftError::Recipient(odd.event));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_signers_that_see_the_same_draft_the_same(
        amounts in proptest::collection::vec(KAS / 10..20 * KAS, 1..12),
        payments in Just((1u8..5).map(|i| payment(i, KAS * u64::from(i))).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let keyed = keyed(2, 3);
        let view = keyed.view(&amounts);
        let mut sorted = payments.clone();
        sorted.sort_by_key(|payment| payment.event);
        prop_assert_eq!(drafted(&keyed, &view, &payments), drafted(&keyed, &view, &sorted));
    }

    #[test]
    fn a_draft_shares_with_all_it_must_or_says_with_which_it_cannot(
        amounts in proptest::collection::vec(KAS..20 * KAS, 2..10),
        earlier in proptest::collection::vec(proptest::collection::vec(1u8..14, 1..4), 1..5),
        avoid in proptest::collection::btree_set((1u8..14).prop_map(outpoint), 0..4),
    ) {
        let keyed = keyed(2, 3);
        let view = keyed.view(&amounts);
        let spending = |coins: &Vec<u8>| {
            let inputs = coins.iter().map(|coin| keyed.coin(*coin, KAS)).collect();
            Proposal { inputs, ..keyed.good().proposal }
        };
        let earlier: Vec<Proposal> = earlier.iter().map(spending).collect();
        let must_share: Vec<&Proposal> = earlier.iter().collect();
        let gone = |p: &Proposal| p.outpoints().iter().all(|outpoint| !view.coins.contains_key(outpoint));

        match draft(&keyed.group, &view, &[payment(1, KAS / 2)], &LIMITS, &avoid, &must_share) {
            Ok(proposal) => {
                prop_assert!(earlier.iter().all(|p| p.shares_input_with(&proposal)));
                let anchors: BTreeSet<Outpoint> = earlier.iter().flat_map(Proposal::outpoints).collect();
                let avoided = |outpoint: &Outpoint| avoid.contains(outpoint) && !anchors.contains(outpoint);
                prop_assert!(!proposal.outpoints().iter().any(avoided));
            }
            Err(DraftError::AnchorGone(id)) => {
                prop_assert!(earlier.iter().any(|p| p.id() == id && gone(p)));
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
