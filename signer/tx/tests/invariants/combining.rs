//! Invariants 9 and 10: only verified partials count, and any m of them make the transaction.

use std::collections::BTreeMap;

use igra_group::{MemberIndex, SignatureScheme};
use igra_tx::{
    CombineError, Partial, PartialError, Proposal, SigHash, SignError, Signature, SignedTransaction, combine,
    kaspa, sighashes, sign, verify_partial,
};
use kaspa_consensus_core::{
    hashing::{
        sighash::{SigHashReusedValuesUnsync, calc_schnorr_signature_hash},
        sighash_type::SIG_HASH_ALL,
    },
    tx::{PopulatedTransaction, Transaction, TransactionInput},
};
use proptest::prelude::*;

use crate::fixture::{Keyed, keyed, keyed_with};

fn verified(keyed: &Keyed, proposal: &Proposal, partials: &BTreeMap<MemberIndex, Partial>) -> usize {
    match combine(&keyed.group, proposal, partials) {
        Ok(_) => usize::from(keyed.group.threshold().needed()),
        Err(CombineError::NotEnough { verified, .. }) => verified,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn invariant_10_every_two_of_three_pass_the_script_engine() {
    let keyed = keyed(2, 3);
    let proposal = keyed.good().proposal;
    for pair in [[0, 1], [0, 2], [1, 2]] {
        let signed = combine(&keyed.group, &proposal, &keyed.partials(&proposal, &pair)).unwrap();
        assert_eq!(signed.verify(&keyed.group), Ok(()));
        assert_eq!(signed.id(), proposal.transaction_id());
        assert!(signed.to_kaspa().inputs.iter().all(|input| input.compute_commit.sig_op_count() == Some(3)));
    }
}

#[test]
fn invariant_10_every_shape_of_group_can_sign_with_its_last_members() {
    for scheme in [SignatureScheme::Schnorr, SignatureScheme::Ecdsa] {
        for (needed, members) in [(1, 1), (1, 3), (3, 3), (4, 7), (8, 15), (15, 15)] {
            let keyed = keyed_with(scheme, needed, members);
            let proposal = keyed.good().proposal;
            let last: Vec<u8> = (members - needed..members).collect();
            let signed = combine(&keyed.group, &proposal, &keyed.partials(&proposal, &last));
            assert!(signed.is_ok(), "{scheme:?} {needed} of {members}: {signed:?}");
        }
    }
}

#[test]
fn invariant_10_more_than_m_partials_are_no_hindrance() {
    let keyed = keyed(2, 3);
    let proposal = keyed.good().proposal;
    let all = combine(&keyed.group, &proposal, &keyed.partials(&proposal, &[0, 1, 2])).unwrap();
    let two = combine(&keyed.group, &proposal, &keyed.partials(&proposal, &[0, 1])).unwrap();
    assert_eq!(all, two);
}

#[test]
fn invariant_9_a_forged_partial_neither_counts_nor_stands_in_the_way() {
    let keyed = keyed(2, 3);
    let proposal = keyed.good().proposal;
    let mut partials = keyed.partials(&proposal, &[0, 1, 2]);
    partials.get_mut(&MemberIndex(0)).unwrap().signatures[1].0[7] ^= 1;

    let signed = combine(&keyed.group, &proposal, &partials).unwrap();
    partials.remove(&MemberIndex(2));

    assert_eq!(signed.verify(&keyed.group), Ok(()));
    let refused = combine(&keyed.group, &proposal, &partials);
    assert_eq!(refused, Err(CombineError::NotEnough { needed: 2, verified: 1 }));
}

#[test]
fn invariant_9_one_partial_under_two_names_counts_once() {
    let keyed = keyed(2, 3);
    let proposal = keyed.good().proposal;
    let mut partials = keyed.partials(&proposal, &[0]);
    partials.insert(MemberIndex(1), partials[&MemberIndex(0)].clone());
    assert_eq!(verified(&keyed, &proposal, &partials), 1);
}

#[test]
fn invariant_9_each_way_to_be_worth_nothing_has_its_reason() {
    let keyed = keyed(2, 3);
    let good = keyed.good();
    let proposal = good.proposal;
    let partial = keyed.partial(&proposal, 1);
    let refused = |change: fn(&mut Partial)| {
        let mut changed = partial.clone();
        change(&mut changed);
        verify_partial(&keyed.group, &proposal, &changed).unwrap_err()
    };

    assert_eq!(verify_partial(&keyed.group, &proposal, &partial), Ok(()));
    assert_eq!(refused(|p| p.proposal.0.0[0] ^= 1), PartialError::Proposal);
    assert_eq!(refused(|p| p.member = MemberIndex(3)), PartialError::NotAMember(MemberIndex(3)));
    assert_eq!(refused(|p| p.member = MemberIndex(0)), PartialError::Signature(0));
    assert_eq!(refused(|p| p.signatures.swap(0, 1)), PartialError::Signature(0));
    assert_eq!(refused(|p| p.signatures[1] = Signature([0; 64])), PartialError::Signature(1));
    assert_eq!(refused(|p| p.signatures[1] = Signature([255; 64])), PartialError::Signature(1));
    assert_eq!(refused(|p| p.signatures.truncate(1)), PartialError::Count { inputs: 2, signatures: 1 });
    assert_eq!(
        refused(|p| p.signatures.push(p.signatures[0])),
        PartialError::Count { inputs: 2, signatures: 3 }
    );
    let other = crate::fixture::keyed(3, 3);
    assert_eq!(verify_partial(&other.group, &proposal, &partial), Err(PartialError::Group));
}

#[test]
fn a_key_that_is_not_the_members_is_noticed_when_it_signs() {
    let keyed = keyed(2, 3);
    let proposal = keyed.good().proposal;
    let sign_as = |member: u8, key: u8| {
        sign(&keyed.group, &proposal, MemberIndex(member), |hash| keyed.signature(key, hash)).map(|_| ())
    };
    assert_eq!(sign_as(1, 1), Ok(()));
    assert_eq!(sign_as(1, 2), Err(SignError::WrongKey(0)));
    assert_eq!(sign_as(3, 2), Err(SignError::NotAMember(MemberIndex(3))));
}

/// The sighash that our own counts would be, were the transaction another in what a proposal does not say.
fn sighash_of(keyed: &Keyed, proposal: &Proposal, change: impl Fn(&mut Transaction)) -> SigHash {
    let empty = SignedTransaction {
        proposal: proposal.clone(),
        signature_scripts: vec![],
        sig_ops: keyed.group.threshold().members(),
    };
    let mut transaction = empty.to_kaspa();
    change(&mut transaction);
    let populated =
        PopulatedTransaction::new(&transaction, proposal.inputs.iter().map(kaspa::utxo_entry).collect());
    let hash = calc_schnorr_signature_hash(&populated, 0, SIG_HASH_ALL, &SigHashReusedValuesUnsync::new());
    SigHash(hash.as_bytes())
}

#[test]
fn a_signature_is_good_for_one_form_of_transaction_only() {
    let keyed = keyed(2, 3);
    let proposal = keyed.good().proposal;
    let ours = sighashes(&keyed.group, &proposal)[0];
    let m_sig_ops = |tx: &mut Transaction| {
        for input in &mut tx.inputs {
            *input = TransactionInput::new(input.previous_outpoint, vec![], input.sequence, 2);
        }
    };

    assert_eq!(sighash_of(&keyed, &proposal, |_| {}), ours);
    assert_ne!(sighash_of(&keyed, &proposal, m_sig_ops), ours);
    assert_ne!(sighash_of(&keyed, &proposal, |tx| tx.inputs[1].sequence = 0), ours);
    assert_ne!(sighash_of(&keyed, &proposal, |tx| tx.lock_time = 1), ours);
    assert_ne!(sighash_of(&keyed, &proposal, |tx| tx.gas = 1), ours);
    assert_ne!(sighash_of(&keyed, &proposal, |tx| tx.payload[0] ^= 1), ours);
    assert_ne!(sighash_of(&keyed, &proposal, |tx| tx.outputs[2].value -= 1), ours);
}

#[test]
fn a_signed_transaction_of_somebody_else_is_run_before_it_is_believed() {
    let keyed = keyed(2, 3);
    let proposal = keyed.good().proposal;
    let good = combine(&keyed.group, &proposal, &keyed.partials(&proposal, &[0, 2])).unwrap();
    let refused = |change: fn(&mut SignedTransaction)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.verify(&keyed.group).is_err()
    };

    assert!(!refused(|_| {}));
    assert!(refused(|tx| tx.signature_scripts.swap(0, 1)));
    assert!(refused(|tx| tx.signature_scripts[0][9] ^= 1));
    assert!(refused(|tx| tx.signature_scripts[0].clear()));
    assert!(refused(|tx| drop(tx.signature_scripts.pop())));
    assert!(refused(|tx| tx.sig_ops = 2));
    assert!(refused(|tx| tx.proposal.outputs[0].amount.0 += 1));
    assert!(refused(|tx| tx.proposal.group.0.0[0] ^= 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn invariant_10_any_m_of_n_do_in_any_order(
        needed in 1u8..=5, more in 0u8..=3, order in Just((0u8..8).collect::<Vec<u8>>()).prop_shuffle(),
    ) {
        let members = needed + more;
        let keyed = keyed(needed, members);
        let proposal = keyed.good().proposal;
        let who: Vec<u8> = order.into_iter().filter(|i| *i < members).take(needed.into()).collect();
        let mut backwards = who.clone();
        backwards.reverse();

        let signed = combine(&keyed.group, &proposal, &keyed.partials(&proposal, &who)).unwrap();
        let again = combine(&keyed.group, &proposal, &keyed.partials(&proposal, &backwards)).unwrap();

        prop_assert_eq!(&signed, &again);
        prop_assert_eq!(signed.verify(&keyed.group), Ok(()));
    }

    #[test]
    fn invariant_9_adding_partials_never_lowers_the_count_and_bad_ones_never_raise_it(
        steps in proptest::collection::vec((0u8..6, 0u8..4), 1..8),
    ) {
        let keyed = keyed(5, 5);
        let proposal = keyed.good().proposal;
        let (mut partials, mut good) = (BTreeMap::new(), std::collections::BTreeSet::new());
        for (member, fault) in steps {
            let before = verified(&keyed, &proposal, &partials);
            let mut partial = keyed.partial(&proposal, member.min(4));
            partial.member = MemberIndex(member);
            match fault {
                0 => {}
                1 => partial.signatures[0].0[0] ^= 1,
                2 => partial.proposal.0.0[0] ^= 1,
                _ => drop(partial.signatures.pop()),
            }
            let sound = fault == 0 && member < 5;
            if sound || !good.contains(&member) {
                partials.insert(MemberIndex(member), partial);
            }
            if sound {
                good.insert(member);
            }
            let after = verified(&keyed, &proposal, &partials);
            prop_assert!(after >= before);
            prop_assert_eq!(after, good.len());
        }
    }
}
