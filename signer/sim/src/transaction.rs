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
    /// Somebody pays a group, from a coin of his own.
    Deposit { id: TransactionId, amount: Sompi, from: Outpoint, to: Script },
    /// A group pays; these members signed it.
    Payment { signed: SignedTransaction, signers: Vec<MemberIndex> },
}

impl Transaction {
    /// A deposit with a name of its own, from a coin of that name.
    pub fn deposit(name: &[u8], amount: Sompi, to: &Group) -> Self {
        let hash = |tag| TransactionId::from_bytes(tagged_hash(tag, name));
        let from = Outpoint { transaction: hash("igra.dev 2026 simulated payer"), index: 0 };
        let to = Script::of_wallet(to.wallet());
        Self::Deposit { id: hash("igra.dev 2026 simulated deposit"), amount, from, to }
    }

    /// A payment of a group, with what its scripts say of the signers.
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
            Self::Deposit { id, amount, from, to } => {
                let id =
                    TransactionId::from_bytes(tagged_hash("igra.dev 2026 simulated rival", id.as_bytes()));
                Some(Self::Deposit { id, amount: Sompi(amount.0 - 1), from: *from, to: to.clone() })
            }
        }
    }

    /// As an observer of the chain tells it to a group that it concerns, or whose predecessor it does.
    pub fn told(&self, group: &Group) -> Option<AcceptedTransaction> {
        let (id, home) = (self.id(), Script::of_wallet(group.wallet()));
        let before = group.predecessor().map(|predecessor| Script::of_wallet(&predecessor.wallet));
        let nothing = AcceptedTransaction {
            id,
            spends: Vec::new(),
            pays: Vec::new(),
            payload: Vec::new(),
            by_group: false,
            by_predecessor: false,
            signers: Vec::new(),
            body: id.as_bytes().to_vec(),
        };
        match self {
            Self::Deposit { amount, from, to, .. } => {
                let pays: Vec<_> = (*to == home).then_some((0, *amount)).into_iter().collect();
                let concerns = !pays.is_empty() || before.as_ref() == Some(to);
                concerns.then(|| AcceptedTransaction { spends: vec![*from], pays, ..nothing })
            }
            Self::Payment { signed, signers } => {
                let proposal = &signed.proposal;
                let outputs = proposal.outputs.iter().zip(0..).filter(|(output, _)| output.script == home);
                let pays: Vec<_> = outputs.map(|(output, index)| (index, output.amount)).collect();
                let by_group = proposal.group == group.id();
                let by_predecessor = group.predecessor().is_some_and(|before| before.id() == proposal.group);
                let concerns = by_group || by_predecessor || !pays.is_empty();
                concerns.then(|| AcceptedTransaction {
                    spends: proposal.outpoints().into_iter().collect(),
                    pays,
                    payload: proposal.payload.clone(),
                    by_group,
                    by_predecessor,
                    signers: if by_group { signers.clone() } else { Vec::new() },
                    ..nothing
                })
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
