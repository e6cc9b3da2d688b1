//! The decoders of `igra-tx`.

use std::str;

use igra_group::Network;
use igra_tx::{Partial, Proposal, Script, SignedTransaction, kaspa, payload};

use super::bounds::{Target, reads_back};

pub const TARGETS: [Target; 6] = [
    ("proposal", proposal),
    ("payload", link),
    ("address", address),
    ("partial", partial),
    ("signed_transaction", signed_transaction),
    ("last_push", last_push),
];

/// What a peer proposes. A proposal that reads has an id, a transaction and a fee, or none, whatever is in it.
pub fn proposal(bytes: &[u8]) {
    reads_back(
        bytes,
        |bytes| Proposal::decode(bytes).ok(),
        |proposal| {
            let (id, twin) = (proposal.id(), proposal.clone());
            assert_eq!((twin.id(), twin.transaction_id()), (id, proposal.transaction_id()));
            assert!(
                proposal.fee().is_none() || proposal.inputs.is_empty() || proposal.shares_input_with(&twin)
            );
            encoded(proposal)
        },
    );
}

/// What the chain says in the payload of a transaction: anybody's.
pub fn link(bytes: &[u8]) {
    reads_back(bytes, payload::read, |link| payload::encode(link.kind, &link.events, &link.tags));
}

/// The recipient that an event names, on every network.
pub fn address(bytes: &[u8]) {
    let networks = [Network::Mainnet, Network::Testnet10, Network::Devnet, Network::Simnet];
    for network in networks {
        let read = |bytes: &[u8]| Script::of_address(network, str::from_utf8(bytes).ok()?).ok();
        let written = |script: &Script| script.to_address(network).unwrap_or_default().into_bytes();
        reads_back(bytes, read, written);
    }
}

/// A member's signatures as they lie on disk.
pub fn partial(bytes: &[u8]) {
    reads_back(bytes, |bytes| borsh::from_slice::<Partial>(bytes).ok(), encoded);
}

/// A transaction of the outbox as it lies on disk.
pub fn signed_transaction(bytes: &[u8]) {
    reads_back(
        bytes,
        |bytes| borsh::from_slice::<SignedTransaction>(bytes).ok(),
        |transaction| {
            assert_eq!(transaction.id(), transaction.proposal.transaction_id());
            encoded(transaction)
        },
    );
}

/// Where the redeem script of a spent coin is looked for: what it finds stands at the end.
pub fn last_push(bytes: &[u8]) {
    if let Some(pushed) = kaspa::last_push(bytes) {
        assert!(bytes.ends_with(&pushed) || pushed.len() <= 1, "{pushed:?} is not what {bytes:?} ends with");
    }
}

fn encoded(value: &impl borsh::BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).expect("a vector takes all bytes")
}
