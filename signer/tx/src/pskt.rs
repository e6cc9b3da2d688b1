//! Our own PSKT of a proposal. It is built here from a proposal, filled with signatures that the script engine verifies, and
//! never read from anybody: a PSKT that a peer sent could carry what nobody checked.

use std::convert::Infallible;

use igra_group::{Group, MemberKey, SignatureScheme};
use kaspa_consensus_core::{hashing::sighash_type::SIG_HASH_ALL, tx::SignableTransaction};
use kaspa_wallet_pskt::{
    prelude::{
        Creator, InputBuilder, OutputBuilder, PSKT, SignInputOk, Signature as PsktSignature, Signer, Version,
    },
    pskt::{Input, Output as PsktOutput},
};
use secp256k1::{Parity, PublicKey, XOnlyPublicKey, ecdsa, schnorr};

use crate::{Coin, Output, Proposal, SignError, Signature, kaspa};

/// The unsigned PSKT of a proposal.
pub(crate) fn unsigned(group: &Group, proposal: &Proposal) -> PSKT<Signer> {
    let creator = PSKT::<Creator>::default().set_version(Version::One);
    let constructor = creator.constructor().set_tx_version(kaspa::VERSION);
    let mut pskt = constructor.payload(Some(proposal.payload.clone())).expect("pskt version 1 has a payload");
    for coin in &proposal.inputs {
        pskt = pskt.input(input(group, coin));
    }
    for out in &proposal.outputs {
        pskt = pskt.output(output(out)).expect("an output without covenant fits every version");
    }
    (0..proposal.inputs.len())
        .fold(pskt.updater(), |pskt, i| {
            pskt.set_sequence(kaspa::SEQUENCE, i).expect("the input was just added")
        })
        .signer()
}

/// A member's signatures, made through the signer's role of the proposal's own PSKT. `signer` gets its transaction and
/// answers one verified signature for each input.
pub(crate) fn sign(
    group: &Group,
    proposal: &Proposal,
    key: &MemberKey,
    signer: impl FnOnce(SignableTransaction) -> Result<Vec<Signature>, SignError>,
) -> Result<Vec<Signature>, SignError> {
    let scheme = group.wallet().scheme();
    let signed = unsigned(group, proposal)
        .pass_signature_sync(|transaction, _| Ok(entries(scheme, key, &signer(transaction)?)))?;
    let key = pskt_key(scheme, key);
    let of_member = |input: &Input| input.partial_sigs.get(&key).copied();
    Ok(signed
        .inputs
        .iter()
        .filter_map(of_member)
        .map(|signature| Signature(signature.into_bytes()))
        .collect())
}

/// Whether a signature has the form that a PSKT keeps, right or wrong.
pub(crate) fn can_hold(scheme: SignatureScheme, signature: &Signature) -> bool {
    match scheme {
        SignatureScheme::Schnorr => schnorr::Signature::from_slice(&signature.0).is_ok(),
        SignatureScheme::Ecdsa => ecdsa::Signature::from_compact(&signature.0).is_ok(),
    }
}

/// The PSKT with one member's signatures added, one for each input and each in the form that it can hold.
pub(crate) fn with_signatures(
    pskt: PSKT<Signer>,
    scheme: SignatureScheme,
    key: &MemberKey,
    signatures: &[Signature],
) -> PSKT<Signer> {
    match pskt.pass_signature_sync(|_, _| Ok::<_, Infallible>(entries(scheme, key, signatures))) {
        Ok(pskt) => pskt,
        Err(never) => match never {},
    }
}

fn entries(scheme: SignatureScheme, key: &MemberKey, signatures: &[Signature]) -> Vec<SignInputOk> {
    let pub_key = pskt_key(scheme, key);
    let entry =
        |signature| SignInputOk { signature: pskt_signature(scheme, signature), pub_key, key_source: None };
    signatures.iter().map(entry).collect()
}

/// The key under which a PSKT keeps a member's signatures: 33 bytes also where the script has 32. Finding the rest of
/// its point is work: asked for once for a member, not for each signature.
pub(crate) fn pskt_key(scheme: SignatureScheme, key: &MemberKey) -> PublicKey {
    const ON_CURVE: &str = "a member's key was checked when it was made";
    match scheme {
        SignatureScheme::Schnorr => {
            XOnlyPublicKey::from_slice(key.as_bytes()).expect(ON_CURVE).public_key(Parity::Even)
        }
        SignatureScheme::Ecdsa => PublicKey::from_slice(key.as_bytes()).expect(ON_CURVE),
    }
}

fn pskt_signature(scheme: SignatureScheme, signature: &Signature) -> PsktSignature {
    const HELD: &str = "only signatures of the right form enter a pskt";
    match scheme {
        SignatureScheme::Schnorr => {
            PsktSignature::Schnorr(schnorr::Signature::from_slice(&signature.0).expect(HELD))
        }
        SignatureScheme::Ecdsa => {
            PsktSignature::ECDSA(ecdsa::Signature::from_compact(&signature.0).expect(HELD))
        }
    }
}

fn input(group: &Group, coin: &Coin) -> Input {
    InputBuilder::default()
        .utxo_entry(kaspa::utxo_entry(coin))
        .previous_outpoint(kaspa::outpoint(coin.outpoint))
        .sighash_type(SIG_HASH_ALL)
        .redeem_script(group.wallet().redeem_script())
        // Not m: the script compares keys in order, and each comparison costs one, also one that fails.
        .sig_op_count(group.threshold().members())
        .build()
        .expect("every field of an input has a default")
}

fn output(output: &Output) -> PsktOutput {
    OutputBuilder::default()
        .amount(output.amount.0)
        .script_public_key(kaspa::script_public_key(&output.script))
        .build()
        .expect("every field of an output has a default")
}
