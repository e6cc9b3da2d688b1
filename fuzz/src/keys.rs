//! The groups that bytes are read by: members with known keys, the same as in the simulator, so that what was sealed
//! there opens here.

use ed25519_dalek::{Signer as _, SigningKey};
use igra_group::{
    Depths, Digest, Group, Member, MemberIndex, MemberKey, Network, SignatureScheme, TransportId,
};
use igra_tx::{Partial, Proposal, Signature};
use secp256k1::{Keypair, Message, SECP256K1, SecretKey};

pub const MEMBERS: u8 = 3;
const DEPTHS: Depths = Depths { coin: 2, deposit: 4, settled: 6, final_: 24 };

/// A group of three, two of which sign, with this quorum.
pub fn group(quorum: u8) -> Group {
    let members = (0..MEMBERS).map(member).collect();
    let (network, scheme) = (Network::Simnet, SignatureScheme::Schnorr);
    Group::new(network, scheme, 2, Some(quorum), members, DEPTHS, Group::DEFAULT_DUST)
        .expect("three members make a group")
}

fn member(secret: u8) -> Member {
    let key = signing_key(secret).x_only_public_key().0.serialize().to_vec();
    let key = MemberKey::from_bytes(SignatureScheme::Schnorr, key).expect("a public key is on the curve");
    let transport = TransportId(Digest(transport_key(secret).verifying_key().to_bytes()));
    Member { name: format!("signer-{secret}"), key, transport }
}

fn signing_key(secret: u8) -> Keypair {
    let secret = SecretKey::from_slice(&[secret + 1; 32]).expect("a small number is a secret key");
    Keypair::from_secret_key(SECP256K1, &secret)
}

fn transport_key(secret: u8) -> SigningKey {
    SigningKey::from_bytes(&[secret + 101; 32])
}

/// Members stand in the order of their keys, not of their secrets.
fn secret_of(group: &Group, member: MemberIndex) -> u8 {
    (0..MEMBERS).find(|secret| group.index_by_name(&format!("signer-{secret}")) == Some(member)).unwrap_or(77)
}

/// The transport signature of a member.
pub fn transport(group: &Group, member: MemberIndex, bytes: &[u8]) -> [u8; 64] {
    transport_key(secret_of(group, member)).sign(bytes).to_bytes()
}

/// A member's genuine signatures over a proposal, if it can be signed at all.
pub fn partial(group: &Group, member: MemberIndex, proposal: &Proposal) -> Option<Partial> {
    let key = signing_key(secret_of(group, member));
    let sign = |hash: &igra_tx::SigHash| {
        Signature(SECP256K1.sign_schnorr_no_aux_rand(&Message::from_digest(hash.0), &key).serialize())
    };
    igra_tx::sign(group, proposal, member, sign).ok()
}
