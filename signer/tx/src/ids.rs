//! What events, payloads, proposals and transactions are called: a hash each, with a domain tag of its own.

use igra_group::{Digest, Network, Sompi, digest_type, tagged_hash};

use crate::Script;

const EVENT_KEY_TAG: &str = "igra.dev 2026 event key v1";
const PAYLOAD_HASH_TAG: &str = "igra.dev 2026 event payload v1";
const PROPOSAL_ID_TAG: &str = "igra.dev 2026 proposal id v1";

digest_type!(
    /// An event: network, source kind, origin and external id. Nothing that a submitter may choose afterwards is in it.
    EventKey
);
digest_type!(
    /// What an event asks for: recipient, amount, and whatever else its source binds.
    PayloadHash
);
digest_type!(
    /// An unsigned transaction with its kind and its events.
    ProposalId
);
digest_type!(
    /// The mark of a signer in quarantine: a random value that the group's transactions carry in their payload.
    Tag
);
digest_type!(
    /// Kaspa's own transaction id. It does not cover signature scripts, so it is known before anybody signs.
    TransactionId
);

impl EventKey {
    /// The key of the event that `source_kind` knows as `external_id` of `origin`, on a network. Parts are
    /// length-prefixed, so no two lists of parts run together.
    pub fn derive(network: Network, source_kind: &str, origin: &str, external_id: &[u8]) -> Self {
        let parts = (network.as_str(), source_kind, origin, external_id);
        Self::from_bytes(tagged_hash(EVENT_KEY_TAG, &encoded(&parts)))
    }
}

impl PayloadHash {
    /// The hash of what an event asks for. `extra` holds what else the source's proof fixes, such as its deadline.
    pub fn derive(recipient: &Script, amount: Sompi, extra: &[u8]) -> Self {
        Self::from_bytes(tagged_hash(PAYLOAD_HASH_TAG, &encoded(&(recipient, amount, extra))))
    }
}

impl ProposalId {
    /// The id of a proposal by its canonical encoding.
    pub(crate) fn of_encoded(proposal: &[u8]) -> Self {
        Self(Digest(tagged_hash(PROPOSAL_ID_TAG, proposal)))
    }
}

fn encoded(value: &impl borsh::BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).expect("a vector takes all bytes")
}
