//! Whose signatures a transaction carries that is on the chain already: a member that finds its own there, and does not
//! know it, has forgotten a promise.

use std::collections::BTreeSet;

use igra_group::{Group, MemberIndex};
use kaspa_consensus_core::{
    hashing::{sighash::SigHashReusedValuesUnsync, sighash_type::SigHashType},
    tx::{PopulatedTransaction, Transaction, UtxoEntry},
};

use crate::{Script, SigHash, Signature, kaspa, sign};

/// Members whose signatures stand over an input that spends a coin of the group. `spent` has the coin of each input in
/// its order; with another number of them nothing can be said, and the answer is empty.
pub fn signers_of(group: &Group, transaction: &Transaction, spent: &[UtxoEntry]) -> BTreeSet<MemberIndex> {
    if transaction.inputs.len() != spent.len() {
        return BTreeSet::new();
    }
    let ours = kaspa::script_public_key(&Script::of_wallet(group.wallet()));
    let populated = PopulatedTransaction::new(transaction, spent.to_vec());
    let reused = SigHashReusedValuesUnsync::new();
    let inputs = (0..spent.len()).filter(|input| spent[*input].script_public_key == ours);
    inputs.flat_map(|input| signers_of_input(group, &populated, input, &reused)).collect()
}

/// Signatures stand in the order of the members, so whoever comes before one that was found made none that follows.
fn signers_of_input(
    group: &Group,
    transaction: &PopulatedTransaction<'_>,
    input: usize,
    reused: &SigHashReusedValuesUnsync,
) -> BTreeSet<MemberIndex> {
    let Some(pushes) = kaspa::pushes(&transaction.tx.inputs[input].signature_script) else {
        return BTreeSet::new();
    };
    let scheme = group.wallet().scheme();
    let (members, mut next) = (group.members(), 0);
    let mut found = BTreeSet::new();
    for (signature, kind) in pushes.iter().filter_map(|push| signature(push)) {
        let hash = SigHash(sign::hash_of(scheme, transaction, input, kind, reused));
        let made = |at: &usize| sign::verifies(scheme, &members[*at].key, &hash, &signature).unwrap_or(false);
        if let Some(by) = (next..members.len()).find(made) {
            found.insert(MemberIndex(by as u8));
            next = by + 1;
        }
    }
    found
}

/// 64 bytes and the kind of what they sign; anything else that is pushed is no signature.
fn signature(push: &[u8]) -> Option<(Signature, SigHashType)> {
    let (signature, kind) = push.split_first_chunk::<64>()?;
    let [kind] = kind else { return None };
    Some((Signature(*signature), SigHashType::from_u8(*kind).ok()?))
}
