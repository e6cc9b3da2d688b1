//! Groups for simulations: real keys, the same ones in every run.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer as _, SigningKey};
use igra_group::{
    Depths, Digest, Group, Member, MemberIndex, MemberKey, Network, Predecessor, SignatureScheme, Sompi,
    TransportId,
};
use igra_tx::{SigHash, Signature};
use secp256k1::{Keypair, Message, SECP256K1, SecretKey};

/// The secrets of one member.
pub struct Keys {
    signing: Keypair,
    transport: SigningKey,
}

/// n, m and q of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub members: u8,
    pub threshold: u8,
    pub quorum: u8,
}

impl Shape {
    /// f: how many members may lie, or forget, without a second payment.
    pub fn tolerates_lying(self) -> u8 {
        (self.threshold - 1).min(2 * self.quorum - self.members - 1)
    }
}

/// What people call a member in a story.
pub fn name(member: MemberIndex) -> &'static str {
    const NAMES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];
    NAMES.get(usize::from(member.0)).copied().unwrap_or("nobody")
}

/// The groups that runs are made of.
pub const SHAPES: [Shape; 6] = [
    Shape { members: 1, threshold: 1, quorum: 1 },
    Shape { members: 3, threshold: 2, quorum: 2 },
    Shape { members: 3, threshold: 2, quorum: 3 },
    Shape { members: 4, threshold: 3, quorum: 3 },
    Shape { members: 5, threshold: 3, quorum: 3 },
    Shape { members: 5, threshold: 3, quorum: 4 },
];

/// Depths of simulated groups, in blocks of the simulated chain.
pub const DEPTHS: Depths = Depths { coin: 2, deposit: 4, settled: 6, final_: 24 };

impl Keys {
    fn new(member: u8) -> Self {
        let secret = SecretKey::from_slice(&[member + 1; 32]).expect("a small number is a secret key");
        Self {
            signing: Keypair::from_secret_key(SECP256K1, &secret),
            transport: SigningKey::from_bytes(&[member + 101; 32]),
        }
    }

    /// The signature over one input.
    pub fn sign(&self, hash: &SigHash) -> Signature {
        let message = Message::from_digest(hash.0);
        Signature(SECP256K1.sign_schnorr_no_aux_rand(&message, &self.signing).serialize())
    }

    /// The signature of a seal.
    pub fn seal(&self, bytes: &[u8]) -> [u8; 64] {
        self.transport.sign(bytes).to_bytes()
    }

    fn member(&self, name: String) -> Member {
        let key = self.signing.x_only_public_key().0.serialize().to_vec();
        let key = MemberKey::from_bytes(SignatureScheme::Schnorr, key).expect("a public key is on the curve");
        let transport = TransportId(Digest(self.transport.verifying_key().to_bytes()));
        Member { name, key, transport }
    }
}

/// The same wallet under a configuration that its other members do not have.
pub fn with_other_digest(group: &Group) -> Group {
    let members = group.indices().filter_map(|member| group.member(member).cloned()).collect();
    Group::new(
        group.network(),
        SignatureScheme::Schnorr,
        group.threshold().needed(),
        Some(group.quorum().get()),
        members,
        DEPTHS,
        Sompi(Group::DEFAULT_DUST.0 + 1),
    )
    .expect("a little more dust makes a group too")
}

/// A group of a shape and the secrets of its members.
pub fn group(shape: Shape) -> (Group, BTreeMap<MemberIndex, Keys>) {
    group_from(shape, 0)
}

/// One of the same shape with other keys, to which the coins of the first move.
pub fn successor(shape: Shape) -> (Group, BTreeMap<MemberIndex, Keys>) {
    let (before, _) = group(shape);
    let (after, keys) = group_from(shape, shape.members);
    let predecessor = Predecessor { wallet: before.wallet().clone(), dust: before.dust() };
    (after.after(predecessor).expect("other keys make another wallet"), keys)
}

/// The secrets are numbers, from this one on.
fn group_from(shape: Shape, first: u8) -> (Group, BTreeMap<MemberIndex, Keys>) {
    let keys: Vec<Keys> = (first..first + shape.members).map(Keys::new).collect();
    let name = |i: usize| format!("signer-{i}");
    let members = keys.iter().enumerate().map(|(i, keys)| keys.member(name(i))).collect();
    let group = Group::new(
        Network::Simnet,
        SignatureScheme::Schnorr,
        shape.threshold,
        Some(shape.quorum),
        members,
        DEPTHS,
        Group::DEFAULT_DUST,
    )
    .expect("every shape makes a group");
    let place = |i: usize| group.index_by_name(&name(i)).expect("each member has its place");
    let keys = keys.into_iter().enumerate().map(|(i, keys)| (place(i), keys)).collect();
    (group, keys)
}
