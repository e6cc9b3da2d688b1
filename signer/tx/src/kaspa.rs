//! Our values as Kaspa's types, and back. Edges that talk to a node use these; nothing else here shows Kaspa's types.

use igra_group::{Network, Sompi};
use kaspa_consensus_core::{
    Hash,
    config::params::{DEVNET_PARAMS, MAINNET_PARAMS, Params, SIMNET_PARAMS, TESTNET_PARAMS},
    constants::{MAX_TX_IN_SEQUENCE_NUM, TX_VERSION},
    hashing::sighash::SigHashReusedValuesUnsync,
    subnets::SUBNETWORK_ID_NATIVE,
    tx::{
        PopulatedTransaction, ScriptPublicKey, Transaction, TransactionInput, TransactionOutpoint,
        TransactionOutput, UtxoEntry,
    },
};

use kaspa_txscript::parse_script;

use crate::{Coin, Outpoint, Output, Proposal, Script, TransactionId};

/// Version of every transaction of a group: the one that PSKT can sign.
pub const VERSION: u16 = TX_VERSION;
/// Sequence of every input: no relative lock.
pub const SEQUENCE: u64 = MAX_TX_IN_SEQUENCE_NUM;

/// Of the form in which [`encode`] writes.
const BODY_VERSION: u8 = 1;

/// Kaspa's rules of a network.
pub fn params(network: Network) -> Params {
    match network {
        Network::Mainnet => MAINNET_PARAMS,
        Network::Testnet10 => TESTNET_PARAMS,
        Network::Devnet => DEVNET_PARAMS,
        Network::Simnet => SIMNET_PARAMS,
    }
}

pub fn script_public_key(script: &Script) -> ScriptPublicKey {
    ScriptPublicKey::from_vec(script.version, script.bytes.clone())
}

pub fn from_script_public_key(script: &ScriptPublicKey) -> Script {
    Script { version: script.version(), bytes: script.script().to_vec() }
}

/// What a signature script pushes, in order. `None` if it is no script of pushes alone.
pub(crate) fn pushes(signature_script: &[u8]) -> Option<Vec<Vec<u8>>> {
    let opcodes = parse_script::<PopulatedTransaction, SigHashReusedValuesUnsync>(signature_script);
    let pushed = opcodes.map(|opcode| {
        let opcode = opcode.ok().filter(|opcode| opcode.is_push_opcode())?;
        Some(opcode.get_data().to_vec())
    });
    pushed.collect()
}

/// What a signature script pushes last: for a spend of a P2SH coin its redeem script. `None` if it is no script of
/// pushes alone.
///
/// Read push by push from the start: a script may end with the bytes of a redeem script that it never pushes.
pub fn last_push(signature_script: &[u8]) -> Option<Vec<u8>> {
    pushes(signature_script)?.pop()
}

/// A whole transaction as bytes, to be kept and handed to a node again.
pub fn encode(transaction: &Transaction) -> Vec<u8> {
    borsh::to_vec(&(BODY_VERSION, transaction)).expect("a vector takes all bytes")
}

/// The transaction that [`encode`] wrote. Its id is computed anew.
pub fn decode(bytes: &[u8]) -> Option<Transaction> {
    let (version, mut transaction) = borsh::from_slice::<(u8, Transaction)>(bytes).ok()?;
    transaction.finalize();
    (version == BODY_VERSION).then_some(transaction)
}

pub fn outpoint(outpoint: Outpoint) -> TransactionOutpoint {
    TransactionOutpoint::new(Hash::from_bytes(*outpoint.transaction.as_bytes()), outpoint.index)
}

pub fn from_outpoint(outpoint: TransactionOutpoint) -> Outpoint {
    Outpoint { transaction: from_hash(outpoint.transaction_id), index: outpoint.index }
}

/// Kaspa's transaction ids are plain hashes.
pub fn from_hash(hash: Hash) -> TransactionId {
    TransactionId::from_bytes(hash.as_bytes())
}

pub fn transaction_id(transaction: &Transaction) -> TransactionId {
    from_hash(transaction.id())
}

pub fn utxo_entry(coin: &Coin) -> UtxoEntry {
    UtxoEntry::new(coin.amount.0, script_public_key(&coin.script), coin.daa_score, coin.coinbase, None)
}

/// The coin that a node's entry stands for; none for an entry bound to a covenant, which a version-0 transaction
/// cannot carry on.
pub fn coin(outpoint: TransactionOutpoint, entry: &UtxoEntry) -> Option<Coin> {
    entry.covenant_id.is_none().then(|| Coin {
        outpoint: from_outpoint(outpoint),
        amount: Sompi(entry.amount),
        script: from_script_public_key(&entry.script_public_key),
        daa_score: entry.block_daa_score,
        coinbase: entry.is_coinbase,
    })
}

/// The transaction of a proposal with these signature scripts, one for each input, and this many counted signature
/// operations an input.
pub(crate) fn transaction(proposal: &Proposal, signature_scripts: &[Vec<u8>], sig_ops: u8) -> Transaction {
    let script = |i: usize| signature_scripts.get(i).cloned().unwrap_or_default();
    let input = |(i, coin): (usize, &Coin)| {
        TransactionInput::new(outpoint(coin.outpoint), script(i), SEQUENCE, sig_ops)
    };
    let output = |output: &Output| TransactionOutput::new(output.amount.0, script_public_key(&output.script));
    Transaction::new(
        VERSION,
        proposal.inputs.iter().enumerate().map(input).collect(),
        proposal.outputs.iter().map(output).collect(),
        0,
        SUBNETWORK_ID_NATIVE,
        0,
        proposal.payload.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaspa_txscript::script_builder::ScriptBuilder;

    const REDEEM: [u8; 40] = [0x51; 40];

    fn pushes(parts: &[&[u8]]) -> Vec<u8> {
        let mut script = ScriptBuilder::new();
        for part in parts {
            script.add_data(part).expect("the parts are short");
        }
        script.drain()
    }

    #[test]
    fn the_redeem_script_of_a_spend_is_its_last_push() {
        assert_eq!(last_push(&pushes(&[&[7; 65], &[8; 65], &REDEEM])), Some(REDEEM.to_vec()));
    }

    #[test]
    fn a_longer_push_that_ends_with_the_redeem_script_is_another_one() {
        let stranger = pushes(&[&[7; 65], &[&[0x4c, 40][..], &REDEEM].concat()]);
        assert!(stranger.ends_with(&REDEEM));
        assert_ne!(last_push(&stranger), Some(REDEEM.to_vec()));
    }

    #[test]
    fn a_script_that_does_more_than_push_has_none() {
        let op_drop = [pushes(&[&REDEEM]), vec![0x75]].concat();
        assert_eq!(last_push(&op_drop), None);
    }

    #[test]
    fn a_script_that_breaks_off_has_none() {
        assert_eq!(last_push(&[0x4c, 40, 1, 2, 3]), None);
    }

    #[test]
    fn a_body_comes_back_as_it_was_and_with_its_own_id() {
        let input = TransactionInput::new(
            TransactionOutpoint::new(Hash::from_bytes([7; 32]), 1),
            REDEEM.to_vec(),
            3,
            2,
        );
        let output = TransactionOutput::new(5, ScriptPublicKey::from_vec(0, REDEEM.to_vec()));
        let body =
            Transaction::new(VERSION, vec![input], vec![output], 4, SUBNETWORK_ID_NATIVE, 0, vec![1, 2]);
        let bytes = encode(&body);

        let decoded = decode(&bytes).unwrap();

        assert_eq!((decoded.id(), &decoded), (body.id(), &body));
        let id_at = bytes.len() - 32;
        let lying = [&bytes[..id_at], &[9; 32]].concat();
        assert_eq!(decode(&lying).unwrap().id(), body.id());
        assert!(decode(&bytes[..id_at]).is_none());
    }
}
