//! What a transaction may weigh, and how many coins and payments fit into one.

use std::collections::BTreeSet;

use igra_group::Sompi;
use igra_tx::{CheckError, Coin, DraftError, FeeLimits, Masses, Outpoint, Payment, Script, TransactionId};

use crate::fixture::{KAS, Keyed, LIMITS, check, draft, keyed, payment, view_of};

const GENEROUS: FeeLimits = FeeLimits { max_sompi_per_gram: 10_000, max: Sompi(1_000 * KAS) };

fn coins(keyed: &Keyed, count: u8, amount: u64) -> impl Iterator<Item = Coin> {
    (0..count).map(move |i| keyed.coin(i, amount))
}

#[test]
fn sixty_four_payments_fit_into_one_transaction() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[1_000 * KAS]);
    let payments: Vec<Payment> = (0..64).map(|i| payment(i, 2 * KAS)).collect();
    let proposal = draft(&keyed.group, &view, &payments, &LIMITS, &BTreeSet::new(), &[]).unwrap();
    assert_eq!((proposal.events.len(), proposal.outputs.len()), (64, 65));
    assert_eq!(check(&keyed.group, &view, &proposal, &payments, &LIMITS), Ok(()));
    let bytes = borsh::to_vec(&proposal).unwrap();
    assert_eq!(igra_tx::Proposal::decode(&bytes), Ok(proposal));
}

#[test]
fn more_than_sixty_four_coins_are_never_spent_at_once() {
    let keyed = keyed(2, 3);
    let view = view_of(coins(&keyed, 100, KAS));
    let pay = |amount| draft(&keyed.group, &view, &[payment(1, amount)], &LIMITS, &BTreeSet::new(), &[]);
    assert_eq!(pay(63 * KAS).unwrap().inputs.len(), 64);
    let refused = pay(65 * KAS);
    let expected = DraftError::TooManyCoins { needed: Sompi(65 * KAS), available: Sompi(64 * KAS) };
    assert_eq!(refused, Err(expected));
}

#[test]
fn the_largest_group_stays_below_the_compute_limit() {
    let keyed = keyed(15, 15);
    let view = view_of(coins(&keyed, 64, KAS));
    let pay = |amount| draft(&keyed.group, &view, &[payment(1, amount)], &GENEROUS, &BTreeSet::new(), &[]);
    let proposal = pay(20 * KAS).unwrap();
    assert_eq!(check(&keyed.group, &view, &proposal, &[payment(1, 20 * KAS)], &GENEROUS), Ok(()));
    assert!(matches!(pay(50 * KAS), Err(DraftError::MassOverLimit { which: "compute", .. })));
}

#[test]
fn the_fee_is_for_the_larger_of_compute_and_half_of_transient() {
    let fee_mass = |compute, transient| Masses { compute, transient, storage: 9_999 }.fee_mass();
    assert_eq!([fee_mass(10, 20), fee_mass(10, 21), fee_mass(12, 21)], [10, 11, 12]);
}

#[test]
fn a_payment_too_small_for_the_chain_is_not_drafted() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[1_000 * KAS]);
    let pay = |amount| draft(&keyed.group, &view, &[payment(1, amount)], &LIMITS, &BTreeSet::new(), &[]);
    assert!(matches!(pay(1_000_000), Err(DraftError::MassOverLimit { which: "storage", .. })));
    assert!(pay(2_500_000).is_ok());
}

#[test]
fn a_proposal_over_the_storage_limit_is_refused() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[1_000 * KAS]);
    let mut proposal =
        draft(&keyed.group, &view, &[payment(1, 2_500_000)], &LIMITS, &BTreeSet::new(), &[]).unwrap();
    let small = payment(1, 1_000_000);
    proposal.outputs[0].amount = small.amount;
    proposal.outputs[1].amount.0 += 1_500_000;
    let refused = check(&keyed.group, &view, &proposal, &[small], &LIMITS);
    assert!(matches!(refused, Err(CheckError::Mass { which: "storage", .. })), "{refused:?}");
}

#[test]
fn a_proposal_over_the_compute_limit_is_refused() {
    let keyed = keyed(15, 15);
    let view = view_of(coins(&keyed, 64, KAS));
    let due = payment(1, 20 * KAS);
    let mut proposal =
        draft(&keyed.group, &view, std::slice::from_ref(&due), &GENEROUS, &BTreeSet::new(), &[]).unwrap();
    proposal.inputs = view.coins.values().cloned().collect();
    proposal.outputs[1].amount = Sompi(42 * KAS);
    let refused = check(&keyed.group, &view, &proposal, &[due], &GENEROUS);
    assert!(matches!(refused, Err(CheckError::Mass { which: "compute", .. })), "{refused:?}");
}

#[test]
fn sums_near_the_end_of_64_bits_are_refused_and_do_not_overflow() {
    let keyed = keyed(2, 3);
    let good = keyed.good();
    for amounts in
        [[u64::MAX, u64::MAX, u64::MAX], [u64::MAX - KAS, KAS, KAS], [u64::MAX / 2, u64::MAX / 2, 2 * KAS]]
    {
        let view = keyed.view(&amounts);
        for amount in [KAS, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let due = [payment(1, amount), payment(2, amount)];
            let drafted = draft(&keyed.group, &view, &due, &GENEROUS, &BTreeSet::new(), &[]);
            assert!(drafted.is_err(), "{drafted:?}");

            let mut proposal = good.proposal.clone();
            proposal.inputs = view.coins.values().cloned().collect();
            proposal.outputs[0].amount = Sompi(amount);
            proposal.outputs[1].amount = Sompi(amount);
            assert_eq!(Masses::of(&keyed.group, &proposal), None);
            let refused = check(&keyed.group, &view, &proposal, &due, &GENEROUS);
            assert_eq!(refused, Err(CheckError::Amounts));
        }
    }
}

#[test]
fn an_amount_of_nothing_in_a_group_without_dust_is_refused_and_does_not_divide() {
    let keyed = keyed(2, 3);
    let mut proposal = keyed.good().proposal;
    proposal.inputs[0].amount = Sompi::ZERO;
    assert_eq!(Masses::of(&keyed.group, &proposal), None);
    proposal.inputs.clear();
    assert_eq!(Masses::of(&keyed.group, &proposal), None);
}

#[test]
fn a_script_longer_than_any_in_a_block_is_not_weighed() {
    let keyed = keyed(2, 3);
    let weighed = |bytes: usize| {
        let mut proposal = keyed.good().proposal;
        proposal.inputs[0].script.bytes = vec![0; bytes];
        Masses::of(&keyed.group, &proposal).is_some()
    };
    assert_eq!([weighed(10_000), weighed(10_001), weighed(1_000_000)], [true, false, false]);
}

#[test]
fn a_coin_at_any_place_of_its_transaction_is_ordered_by_its_bytes() {
    let at = |first: u8, last: u8, index: u32| {
        let mut id = [0; 32];
        (id[0], id[31]) = (first, last);
        Outpoint { transaction: TransactionId::from_bytes(id), index }
    };
    let ordered = [at(0, 9, 0), at(1, 0, 7), at(1, 0, 256), at(1, 1, 0), at(2, 0, 0)];
    assert!(ordered.is_sorted());
}

#[test]
fn scripts_and_addresses_stand_for_each_other() {
    let keyed = keyed(2, 3);
    let script = Script::of_wallet(keyed.group.wallet());
    let address = keyed.group.wallet().address().to_string();
    assert_eq!(script.to_address(keyed.group.network()), Some(address.clone()));
    assert_eq!(Script::of_address(keyed.group.network(), &address), Ok(script.clone()));
    assert!(script.is_standard());

    let elsewhere = Script::of_address(igra_group::Network::Mainnet, &address).unwrap_err().to_string();
    assert!(
        elsewhere.contains(&address) && elsewhere.contains("mainnet") && elsewhere.contains("kaspa:"),
        "{elsewhere}"
    );
    for bad in [
        "",
        "kaspasim:",
        "kaspasim:qq",
        "kaspa",
        &address.to_uppercase(),
        &format!(" {address}"),
        &address[..40],
    ] {
        assert!(Script::of_address(keyed.group.network(), bad).is_err(), "{bad}");
    }
}
