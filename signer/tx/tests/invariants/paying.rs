//! Invariant 5: every signed transaction pays exactly its events, change only to the group, fee within bounds.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::Sompi;
use igra_tx::{
    ChainView, FeeLimits, FeeRate, MINIMUM_SOMPI_PER_GRAM, Masses, Output, Payment, Proposal, Script, combine,
};
use kaspa_consensus_core::{config::params::SIMNET_PARAMS, mass::MassCalculator};
use proptest::prelude::*;

use crate::fixture::{KAS, Keyed, LIMITS, check, draft, keyed, payment};

/// The promise in words of its own, from the signed transaction alone.
fn assert_pays_exactly(
    keyed: &Keyed,
    view: &ChainView,
    payments: &[Payment],
    limits: &FeeLimits,
    proposal: &Proposal,
) {
    let by_event: BTreeMap<_, _> = payments.iter().map(|p| (p.event, p)).collect();
    let due: Vec<Output> =
        by_event.values().map(|p| Output { script: p.recipient.clone(), amount: p.amount }).collect();
    assert_eq!(&proposal.outputs[..due.len()], due.as_slice());
    for change in &proposal.outputs[due.len()..] {
        assert_eq!(change.script, Script::of_wallet(keyed.group.wallet()));
    }
    assert!(proposal.outputs.len() <= due.len() + 1);
    assert!(proposal.inputs.iter().all(|coin| view.coins.get(&coin.outpoint) == Some(coin)));
    assert_eq!(proposal.outpoints().len(), proposal.inputs.len());

    let sum = |amounts: &mut dyn Iterator<Item = Sompi>| amounts.map(|a| u128::from(a.0)).sum::<u128>();
    let inputs = sum(&mut proposal.inputs.iter().map(|coin| coin.amount));
    let fee = inputs - sum(&mut proposal.outputs.iter().map(|output| output.amount));
    let members: Vec<u8> = (0..keyed.group.threshold().needed()).collect();
    let signed = combine(&keyed.group, proposal, &keyed.partials(proposal, &members)).unwrap().to_kaspa();
    let masses =
        MassCalculator::new_with_consensus_params(&SIMNET_PARAMS).calc_non_contextual_masses(&signed);
    let mass = u128::from(masses.normalized_max(&SIMNET_PARAMS.block_mass_cofactors()));
    assert!(fee >= mass * u128::from(MINIMUM_SOMPI_PER_GRAM), "{fee} for {mass} g");
    assert!(fee <= u128::from(limits.max.0) && fee <= mass * u128::from(limits.max_sompi_per_gram));
    assert!(signed.storage_mass() <= SIMNET_PARAMS.block_mass_limits.storage);
}

fn amounts() -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(prop_oneof![1_000_000..10 * KAS, Just(KAS), KAS..100_000 * KAS], 0..12)
}

fn payments() -> impl Strategy<Value = Vec<Payment>> {
    let one = (0u8..40, prop_oneof![1..3_000_000u64, KAS / 50..20 * KAS]);
    proptest::collection::vec(one, 1..6).prop_map(|list| {
        let list: BTreeMap<u8, u64> = list.into_iter().collect();
        list.into_iter().rev().map(|(number, amount)| payment(number, amount)).collect()
    })
}

fn limits() -> impl Strategy<Value = FeeLimits> {
    (50u64..2_000, prop_oneof![Just(Sompi(KAS)), (100_000..2_000_000u64).prop_map(Sompi)])
        .prop_map(|(max_sompi_per_gram, max)| FeeLimits { max_sompi_per_gram, max })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn invariant_5_what_is_drafted_passes_the_check_and_pays_exactly(
        amounts in amounts(), payments in payments(), limits in limits(), rate in 1u64..3_000,
    ) {
        let keyed = keyed(2, 3);
        let mut view = keyed.view(&amounts);
        view.fee_rate = FeeRate::new(rate);

        if let Ok(proposal) = draft(&keyed.group, &view, &payments, &limits, &BTreeSet::new(), &[]) {
            prop_assert_eq!(check(&keyed.group, &view, &proposal, &payments, &limits), Ok(()));
            assert_pays_exactly(&keyed, &view, &payments, &limits, &proposal);
        }
    }

    #[test]
    fn invariant_5_one_bit_changed_is_refused_or_is_change_within_the_fee_limits(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let keyed = keyed(2, 3);
        let good = keyed.good();
        let mut bytes = borsh::to_vec(&good.proposal).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;

        let Ok(mut changed) = Proposal::decode(&bytes) else { return Ok(()) };
        if check(&keyed.group, &good.view, &changed, &good.payments, &LIMITS).is_ok() {
            assert_pays_exactly(&keyed, &good.view, &good.payments, &LIMITS, &changed);
            changed.outputs[2].amount = good.proposal.outputs[2].amount;
            prop_assert_eq!(changed, good.proposal);
        }
    }
}

#[test]
fn invariant_5_the_mass_paid_for_is_that_of_the_signed_transaction() {
    for (needed, members) in [(1, 1), (2, 3), (3, 5), (8, 15), (15, 15)] {
        let keyed = keyed(needed, members);
        let proposal = keyed.good().proposal;
        let who: Vec<u8> = (members - needed..members).collect();
        let signed = combine(&keyed.group, &proposal, &keyed.partials(&proposal, &who)).unwrap().to_kaspa();

        let real =
            MassCalculator::new_with_consensus_params(&SIMNET_PARAMS).calc_non_contextual_masses(&signed);
        let reckoned = Masses::of(&keyed.group, &proposal).unwrap();
        assert_eq!((reckoned.compute, reckoned.transient), (real.compute_mass, real.transient_mass));
        assert_eq!(reckoned.storage, signed.storage_mass());
        assert_eq!(reckoned.fee_mass(), real.normalized_max(&SIMNET_PARAMS.block_mass_cofactors()));
    }
}

/// Seen on a real node of Kaspa 2.1: what it asked for a spend by 2 of 3 from one coin.
#[test]
fn one_coin_of_two_of_three_weighs_what_a_node_says() {
    let keyed = keyed(2, 3);
    let view = keyed.view(&[50 * KAS]);
    let mut proposal =
        draft(&keyed.group, &view, &[payment(1, KAS)], &LIMITS, &BTreeSet::new(), &[]).unwrap();
    // No payload, as in the spend that was seen.
    proposal.payload.clear();
    let two_outputs = Masses::of(&keyed.group, &proposal).unwrap();
    proposal.outputs.pop();
    let one_output = Masses::of(&keyed.group, &proposal).unwrap();
    assert_eq!([two_outputs, one_output].map(|m| m.minimum_fee()), [Sompi(421_700), Sompi(379_400)]);
}
