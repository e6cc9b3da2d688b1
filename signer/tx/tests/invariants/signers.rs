//! Whose signatures a transaction on the chain carries.

use igra_group::{MemberIndex, SignatureScheme};
use igra_tx::{SignedTransaction, combine, kaspa, signers_of};
use kaspa_consensus_core::tx::{Transaction, UtxoEntry};

use crate::fixture::{Keyed, keyed_with};

const NOBODY: [u8; 0] = [];

/// What a node shows of a spend that these members signed.
fn spend(keyed: &Keyed, members: &[u8]) -> (Transaction, Vec<UtxoEntry>) {
    let proposal = keyed.good().proposal;
    let signed: SignedTransaction =
        combine(&keyed.group, &proposal, &keyed.partials(&proposal, members)).unwrap();
    (signed.to_kaspa(), proposal.inputs.iter().map(kaspa::utxo_entry).collect())
}

fn named(keyed: &Keyed, transaction: &Transaction, spent: &[UtxoEntry]) -> Vec<u8> {
    signers_of(&keyed.group, transaction, spent).into_iter().map(|MemberIndex(index)| index).collect()
}

#[test]
fn exactly_those_who_signed_are_named() {
    for scheme in [SignatureScheme::Schnorr, SignatureScheme::Ecdsa] {
        let keyed = keyed_with(scheme, 2, 3);
        for pair in [[0, 1], [0, 2], [1, 2]] {
            let (transaction, spent) = spend(&keyed, &pair);
            assert_eq!(named(&keyed, &transaction, &spent), pair, "{scheme:?}");
        }
    }
}

#[test]
fn one_good_signature_over_one_input_is_enough_and_a_bad_one_names_nobody() {
    let keyed = keyed_with(SignatureScheme::Schnorr, 2, 3);
    let (mut transaction, spent) = spend(&keyed, &[0, 2]);
    let first_signature = 1..65;
    for input in &mut transaction.inputs {
        input.signature_script[first_signature.clone()].fill(7);
    }
    assert_eq!(named(&keyed, &transaction, &spent), [2]);

    transaction.inputs[0].signature_script.clear();
    assert_eq!(named(&keyed, &transaction, &spent), [2]);
}

#[test]
fn a_signature_over_other_amounts_or_outputs_names_nobody() {
    let keyed = keyed_with(SignatureScheme::Schnorr, 2, 3);
    let (transaction, mut spent) = spend(&keyed, &[0, 1]);
    let mut other = transaction.clone();
    other.outputs[0].value += 1;
    assert_eq!(named(&keyed, &other, &spent), NOBODY);
    spent[0].amount += 1;
    spent[1].amount += 1;
    assert_eq!(named(&keyed, &transaction, &spent), NOBODY);
}

#[test]
fn without_the_coins_or_with_strangers_coins_nobody_is_named() {
    let keyed = keyed_with(SignatureScheme::Schnorr, 2, 3);
    let (transaction, mut spent) = spend(&keyed, &[0, 1]);
    assert_eq!(named(&keyed, &transaction, &spent[..1]), NOBODY);
    assert_eq!(named(&keyed, &transaction, &[]), NOBODY);
    for coin in &mut spent {
        coin.script_public_key = transaction.outputs[0].script_public_key.clone();
    }
    assert_eq!(named(&keyed, &transaction, &spent), NOBODY);
}
