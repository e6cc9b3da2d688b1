//! What blocks accept, and how an observer of the chain tells it.

use igra_core::AcceptedTransaction;
use igra_group::{Group, MemberIndex, Sompi, tagged_hash};
use igra_tx::{
    Outpoint, Partial, Proposal, Script, Signature, SignedTransaction, TransactionId, verify_partial,
};

/// Bytes of one push in a signature script: length, signature, kind of sighash.
const PUSH_BYTES: usize = 66;

/// Something that a block may accept.
#[derive(Clone, Debug)]
pub enum Transaction {
    /// Somebody pays the group, from a coin of his own.
    Deposit { id: TransactionId, amount: Sompi, from: Outpoint },
    /// The group pays; these members signed it.
    Payment { signed: SignedTransaction, signers: Vec<MemberIndex> },
}

impl Transaction {
    /// A deposit with a name of its own, from a coin of that name.
    pub fn deposit(name: &[u8], amount: Sompi) -> Self {
        let hash = |tag| TransactionId::from_bytes(tagged_hash(tag, name));
        let from = Outpoint { transaction: hash("igra.dev 2026 simulated payer"), index: 0 };
        Self::Deposit { id: hash("igra.dev 2026 simulated deposit"), amount, from }
    }

    /// A payment of the group, with what its scripts say of the signers.
    pub fn payment(group: &Group, signed: SignedTransaction) -> Self {
        let signers = group.indices().filter(|member| is_signed_by(group, &signed, *member)).collect();
        Self::Payment { signed, signers }
    }

    pub fn id(&self) -> TransactionId {
        match self {
            Self::Deposit { id, .. } => *id,
            Self::Payment { signed, .. } => signed.id(),
        }
    }

    pub fn proposal(&self) -> Option<&Proposal> {
        match self {
            Self::Deposit { .. } => None,
            Self::Payment { signed, .. } => Some(&signed.proposal),
        }
    }

    /// The payer of a deposit spends the same coin to pay a little less: only one of the two can be in the chain.
    pub fn rival(&self) -> Option<Self> {
        match self {
            Self::Payment { .. } => None,
            Self::Deposit { id, amount, from } => {
                let id =
                    TransactionId::from_bytes(tagged_hash("igra.dev 2026 simulated rival", id.as_bytes()));
                Some(Self::Deposit { id, amount: Sompi(amount.0 - 1), from: *from })
            }
        }
    }

    /// As an observer of the chain tells it.
    pub fn told(&self, home: &Script) -> AcceptedTransaction {
        let (id, body) = (self.id(), self.id().as_bytes().to_vec());
        match self {
            Self::Deposit { amount, from, .. } => AcceptedTransaction {
                id,
                spends: vec![*from],
                pays: vec![(0, *amount)],
                payload: Vec::new(),
                by_group: false,
                by_predecessor: false,
                signers: Vec::new(),
                body,
            },
            Self::Payment { signed, signers } => {
                let proposal = &signed.proposal;
                let outputs = proposal.outputs.iter().zip(0..).filter(|(output, _)| output.script == *home);
                AcceptedTransaction {
                    id,
                    spends: proposal.outpoints().into_iter().collect(),
                    pays: outputs.map(|(output, index)| (index, output.amount)).collect(),
                    payload: proposal.payload.clone(),
                    by_group: true,
                    by_predecessor: false,
                    signers: signers.clone(),
                    body,
                }
            }
        }
    }
}

/// Whether one of the signatures of each input is this member's.
fn is_signed_by(group: &Group, signed: &SignedTransaction, member: MemberIndex) -> bool {
    let slots = usize::from(group.threshold().needed());
    (0..slots).any(|slot| {
        let signature = |script: &Vec<u8>| {
            let push = script.get(slot * PUSH_BYTES..(slot + 1) * PUSH_BYTES)?;
            Some(Signature(push.get(1..65)?.try_into().ok()?))
        };
        let signatures: Option<Vec<Signature>> = signed.signature_scripts.iter().map(signature).collect();
        let partial =
            signatures.map(|signatures| Partial { proposal: signed.proposal.id(), member, signatures });
        partial.is_some_and(|partial| verify_partial(group, &signed.proposal, &partial).is_ok())
    })
}
