//! From the partials of any m members to a transaction that a node takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{Group, MemberIndex, MemberKey, Network};
use kaspa_consensus_core::tx::Transaction;
use kaspa_wallet_pskt::{
    prelude::{PSKT, Signer},
    pskt::{ExtractError, FinalizeError, Inner, Input},
};
use secp256k1::PublicKey;

use crate::{Masses, Partial, Proposal, TransactionId, kaspa, mass, pskt, sign::verify_partial};

/// Kind of every signature: over the whole transaction.
const SIGHASH_ALL: u8 = 1;
const PUSH_SIGNATURE_AND_KIND: u8 = 65;

/// A proposal with what its inputs need to be spent. Signed ones with the same proposal may differ in their signature
/// scripts, never in their id.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedTransaction {
    pub proposal: Proposal,
    /// One for each input, in its order.
    pub signature_scripts: Vec<Vec<u8>>,
    /// Counted signature operations of each input: the members of the group.
    pub sig_ops: u8,
}

/// Why partials make no transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    #[error("the proposal is of another group")]
    Group,
    #[error("the proposal has no inputs, or amounts that no transaction can have")]
    Impossible,
    #[error("{needed} partials are needed, {verified} are there and verify")]
    NotEnough { needed: u8, verified: usize },
    #[error("{inputs} inputs need as many signature scripts, not {scripts}")]
    Count { inputs: usize, scripts: usize },
    #[error("kaspa's script engine refuses the transaction: {0}")]
    Script(String),
}

/// Combines any m partials that verify, those of the lowest members if there are more; others are left out, so a
/// forged one never stands in the way. The result has passed Kaspa's script engine, which verifies every signature in
/// it: each partial by itself is verified only if the engine refuses the first m.
pub fn combine(
    group: &Group,
    proposal: &Proposal,
    partials: &BTreeMap<MemberIndex, Partial>,
) -> Result<SignedTransaction, CombineError> {
    refuse_impossible(group, proposal)?;
    let needed = usize::from(group.threshold().needed());
    let own = partials.iter().filter(|(member, partial)| **member == partial.member);
    let named: Vec<&Partial> = own.map(|(_, partial)| partial).collect();
    let first: Vec<&Partial> =
        named.iter().copied().filter(|partial| is_whole(group, proposal, partial)).take(needed).collect();
    if first.len() == needed
        && let Ok(signed) = with_all(group, proposal, &first)
    {
        return Ok(signed);
    }
    let verified = named.into_iter().filter(|partial| verify_partial(group, proposal, partial).is_ok());
    let chosen: Vec<&Partial> = verified.take(needed).collect();
    if chosen.len() < needed {
        return Err(CombineError::NotEnough { needed: group.threshold().needed(), verified: chosen.len() });
    }
    with_all(group, proposal, &chosen)
}

/// All that can be said of a partial without verifying its signatures.
fn is_whole(group: &Group, proposal: &Proposal, partial: &Partial) -> bool {
    let scheme = group.wallet().scheme();
    partial.proposal == proposal.id()
        && group.member(partial.member).is_some()
        && partial.signatures.len() == proposal.inputs.len()
        && partial.signatures.iter().all(|signature| pskt::can_hold(scheme, signature))
}

fn with_all(
    group: &Group,
    proposal: &Proposal,
    chosen: &[&Partial],
) -> Result<SignedTransaction, CombineError> {
    let signed =
        chosen.iter().fold(pskt::unsigned(group, proposal), |pskt, partial| add(group, pskt, partial));
    let scheme = group.wallet().scheme();
    let keys: Vec<PublicKey> = chosen_keys(group, chosen).map(|key| pskt::pskt_key(scheme, key)).collect();
    extract(group, proposal, signed, |inner| {
        inner.inputs.iter().map(|input| script_of(group, &keys, input)).collect()
    })
}

impl SignedTransaction {
    /// Kaspa's transaction id.
    pub fn id(&self) -> TransactionId {
        self.proposal.transaction_id()
    }

    /// The transaction as a node takes it, with its storage mass filled in.
    pub fn to_kaspa(&self) -> Transaction {
        let transaction = kaspa::transaction(&self.proposal, &self.signature_scripts, self.sig_ops);
        // All networks weigh storage alike.
        let mass = mass::storage_mass(Network::Mainnet, &self.proposal, &transaction);
        transaction.with_storage_mass(mass.unwrap_or(0))
    }

    /// Runs the script engine over a signed transaction that somebody else made.
    pub fn verify(&self, group: &Group) -> Result<(), CombineError> {
        refuse_impossible(group, &self.proposal)?;
        let (inputs, scripts) = (self.proposal.inputs.len(), self.signature_scripts.len());
        if inputs != scripts || self.sig_ops != group.threshold().members() {
            return Err(CombineError::Count { inputs, scripts });
        }
        let unsigned = pskt::unsigned(group, &self.proposal);
        extract(group, &self.proposal, unsigned, |_| self.signature_scripts.clone()).map(|_| ())
    }
}

fn refuse_impossible(group: &Group, proposal: &Proposal) -> Result<(), CombineError> {
    if proposal.group != group.id() {
        return Err(CombineError::Group);
    }
    Masses::of(group, proposal).map(|_| ()).ok_or(CombineError::Impossible)
}

fn add(group: &Group, pskt: PSKT<Signer>, partial: &Partial) -> PSKT<Signer> {
    let member = group.member(partial.member).expect("a whole partial is of a member");
    pskt::with_signatures(pskt, group.wallet().scheme(), &member.key, &partial.signatures)
}

/// Keys of those whose signatures are chosen, in script order, which is that of the members.
fn chosen_keys<'g>(group: &'g Group, chosen: &[&Partial]) -> impl Iterator<Item = &'g MemberKey> {
    let members: BTreeSet<MemberIndex> = chosen.iter().map(|partial| partial.member).collect();
    members.into_iter().filter_map(|member| group.member(member)).map(|member| &member.key)
}

/// The signatures of an input by these keys in their order, then the redeem script.
fn script_of(group: &Group, keys: &[PublicKey], input: &Input) -> Vec<u8> {
    let mut signatures = Vec::new();
    for signature in keys.iter().filter_map(|key| input.partial_sigs.get(key)) {
        signatures.push(PUSH_SIGNATURE_AND_KIND);
        signatures.extend_from_slice(&signature.into_bytes());
        signatures.push(SIGHASH_ALL);
    }
    mass::signature_script(group, signatures)
}

/// Finalises and extracts, which runs the script engine over every input.
fn extract(
    group: &Group,
    proposal: &Proposal,
    signed: PSKT<Signer>,
    scripts: impl FnOnce(&Inner) -> Vec<Vec<u8>>,
) -> Result<SignedTransaction, CombineError> {
    let refused = |error: &dyn std::error::Error| CombineError::Script(error.to_string());
    let finalized = signed.finalizer().finalize_sync(|inner| Ok::<_, Infallible>(scripts(inner)));
    let finalized = finalized.map_err(|e: FinalizeError<Infallible>| refused(&e))?;
    let extractor = finalized.extractor().map_err(|e| refused(&e))?;
    let transaction =
        extractor.extract_tx(&kaspa::params(group.network())).map_err(|e: ExtractError| refused(&e))?.tx;
    let signature_scripts = transaction.inputs.into_iter().map(|input| input.signature_script).collect();
    Ok(SignedTransaction {
        proposal: proposal.clone(),
        signature_scripts,
        sig_ops: group.threshold().members(),
    })
}
