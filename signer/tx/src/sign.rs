//! Signing a proposal, and verifying what another member signed.

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{Group, MemberIndex, MemberKey, SignatureScheme};
use kaspa_consensus_core::{
    hashing::{
        sighash::{SigHashReusedValuesUnsync, calc_ecdsa_signature_hash, calc_schnorr_signature_hash},
        sighash_type::{SIG_HASH_ALL, SigHashType},
    },
    tx::{PopulatedTransaction, VerifiableTransaction},
};
use secp256k1::{Message, PublicKey, SECP256K1, XOnlyPublicKey, ecdsa, schnorr};

use crate::{Proposal, ProposalId, kaspa, pskt};

/// What a member signs for one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SigHash(pub [u8; 32]);

/// A signature: 64 bytes, BIP-340 Schnorr or compact ECDSA as the group's scheme is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Signature(pub [u8; 64]);

/// One member's signatures over all inputs of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Partial {
    pub proposal: ProposalId,
    pub member: MemberIndex,
    /// One for each input, in its order.
    pub signatures: Vec<Signature>,
}

/// Why a proposal could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the proposal is of another group")]
    Group,
    #[error("the group has no member {}", .0.0)]
    NotAMember(MemberIndex),
    #[error("the signature over input {0} does not fit the member's key in the group")]
    WrongKey(usize),
}

/// Why a partial is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartialError {
    #[error("the proposal is of another group")]
    Group,
    #[error("the partial is for another proposal")]
    Proposal,
    #[error("the group has no member {}", .0.0)]
    NotAMember(MemberIndex),
    #[error("{inputs} inputs need as many signatures, not {signatures}")]
    Count { inputs: usize, signatures: usize },
    #[error("the signature over input {0} does not verify")]
    Signature(usize),
}

/// What each member signs, one for each input. Every signature covers all inputs with their amounts and scripts, all
/// outputs, and the payload.
pub fn sighashes(group: &Group, proposal: &Proposal) -> Vec<SigHash> {
    let transaction = kaspa::transaction(proposal, &[], group.threshold().members());
    let entries = proposal.inputs.iter().map(kaspa::utxo_entry).collect();
    sighashes_of(group.wallet().scheme(), &PopulatedTransaction::new(&transaction, entries))
}

/// Signs a proposal that was checked, as a member. The signer is asked once for each input, and what it answers is
/// verified: a key that is not the member's is noticed here and not by the node.
pub fn sign(
    group: &Group,
    proposal: &Proposal,
    member: MemberIndex,
    signer: impl Fn(&SigHash) -> Signature,
) -> Result<Partial, SignError> {
    if proposal.group != group.id() {
        return Err(SignError::Group);
    }
    let Some(key) = group.member(member).map(|member| &member.key) else {
        return Err(SignError::NotAMember(member));
    };
    let scheme = group.wallet().scheme();
    let signatures = pskt::sign(group, proposal, key, |transaction| {
        let hashes = sighashes_of(scheme, &transaction.as_verifiable());
        let signatures: Vec<Signature> = hashes.iter().map(signer).collect();
        match first_wrong(scheme, key, &hashes, &signatures) {
            Some(input) => Err(SignError::WrongKey(input)),
            None => Ok(signatures),
        }
    })?;
    Ok(Partial { proposal: proposal.id(), member, signatures })
}

/// Verifies that a partial is of this proposal and each signature is by its member.
pub fn verify_partial(group: &Group, proposal: &Proposal, partial: &Partial) -> Result<(), PartialError> {
    if proposal.group != group.id() {
        return Err(PartialError::Group);
    }
    if partial.proposal != proposal.id() {
        return Err(PartialError::Proposal);
    }
    let Some(member) = group.member(partial.member) else {
        return Err(PartialError::NotAMember(partial.member));
    };
    let (inputs, signatures) = (proposal.inputs.len(), partial.signatures.len());
    if inputs != signatures {
        return Err(PartialError::Count { inputs, signatures });
    }
    match first_wrong(group.wallet().scheme(), &member.key, &sighashes(group, proposal), &partial.signatures)
    {
        Some(input) => Err(PartialError::Signature(input)),
        None => Ok(()),
    }
}

fn sighashes_of(scheme: SignatureScheme, transaction: &impl VerifiableTransaction) -> Vec<SigHash> {
    let reused = SigHashReusedValuesUnsync::new();
    let inputs = 0..transaction.inputs().len();
    inputs.map(|i| SigHash(hash_of(scheme, transaction, i, SIG_HASH_ALL, &reused))).collect()
}

/// What a signature of this kind over an input signs.
pub(crate) fn hash_of(
    scheme: SignatureScheme,
    transaction: &impl VerifiableTransaction,
    input: usize,
    kind: SigHashType,
    reused: &SigHashReusedValuesUnsync,
) -> [u8; 32] {
    let hash = match scheme {
        SignatureScheme::Schnorr => calc_schnorr_signature_hash(transaction, input, kind, reused),
        SignatureScheme::Ecdsa => calc_ecdsa_signature_hash(transaction, input, kind, reused),
    };
    hash.as_bytes()
}

/// The first input whose signature does not verify.
fn first_wrong(
    scheme: SignatureScheme,
    key: &MemberKey,
    hashes: &[SigHash],
    signatures: &[Signature],
) -> Option<usize> {
    hashes
        .iter()
        .zip(signatures)
        .position(|(hash, signature)| !verifies(scheme, key, hash, signature).unwrap_or(false))
}

pub(crate) fn verifies(
    scheme: SignatureScheme,
    key: &MemberKey,
    hash: &SigHash,
    signature: &Signature,
) -> Result<bool, secp256k1::Error> {
    let message = Message::from_digest(hash.0);
    Ok(match scheme {
        SignatureScheme::Schnorr => {
            let (key, signature) =
                (XOnlyPublicKey::from_slice(key.as_bytes())?, schnorr::Signature::from_slice(&signature.0)?);
            SECP256K1.verify_schnorr(&signature, &message, &key).is_ok()
        }
        SignatureScheme::Ecdsa => {
            let (key, signature) =
                (PublicKey::from_slice(key.as_bytes())?, ecdsa::Signature::from_compact(&signature.0)?);
            SECP256K1.verify_ecdsa(&message, &signature, &key).is_ok()
        }
    })
}
