//! Members that gave two promises one number: both messages under their seals, kept as proof.

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::MemberIndex;
use igra_tx::ProposalId;
use serde::Serialize;

use crate::{Alarm, Coordinator, Row, Step, UnixSeconds, messages::Approve, rules::Rules};

// Promise numbers remembered of each member, to notice two promises with one number.
const PROMISES_KEPT: usize = 1_000;
// The last of them with the message too, where that is not long.
const SEALS_KEPT: usize = 256;
const MOST_SEAL_BYTES: usize = 4_096;
/// Proofs kept against one member: one is enough, and a few show more of what happened.
pub(crate) const MOST_PROOFS: usize = 4;

/// Proof that a member gave one promise number to two proposals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
pub struct Equivocation {
    pub promise: u64,
    pub first: ProposalId,
    pub second: ProposalId,
    /// When the second one came.
    pub utc: UnixSeconds,
    /// Both approvals as the member sealed them, in hex; the first may be lost.
    pub sealed: [Option<String>; 2],
}

/// What a member promised under which number, as far as is remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promised {
    by_number: std::collections::BTreeMap<u64, ProposalId>,
    seals: std::collections::BTreeMap<u64, Vec<u8>>,
}

impl Promised {
    /// The first proposal that got this number, and its seal where it is still here.
    fn first(&mut self, approve: &Approve, sealed: &[u8]) -> (ProposalId, Option<Vec<u8>>) {
        if let Some(first) = self.by_number.get(&approve.promise) {
            return (*first, self.seals.get(&approve.promise).cloned());
        }
        self.by_number.insert(approve.promise, approve.proposal);
        if self.by_number.len() > PROMISES_KEPT {
            self.by_number.pop_first();
        }
        if sealed.len() <= MOST_SEAL_BYTES {
            self.seals.insert(approve.promise, sealed.to_vec());
        }
        if self.seals.len() > SEALS_KEPT {
            self.seals.pop_first();
        }
        (approve.proposal, None)
    }
}

impl<R: Rules> Coordinator<R> {
    pub(crate) fn remember_promise(
        &mut self,
        from: MemberIndex,
        approve: &Approve,
        sealed: &[u8],
        step: &mut Step,
    ) {
        let peer = self.peers.entry(from).or_default();
        let promise = approve.promise;
        let (first, seal) = peer.promised.first(approve, sealed);
        if promise > peer.promise {
            (peer.promise, peer.last_approval) = (promise, Some(sealed.to_vec()));
        }
        if first == approve.proposal {
            return;
        }
        let known = self.offers.get(&first).and_then(|offer| offer.approvals.get(&from));
        let seal = seal.or_else(|| known.map(|known| known.sealed.clone()));
        let sealed = [seal.map(hex::encode), Some(hex::encode(sealed))];
        let second = approve.proposal;
        let proof = Equivocation { promise, first, second, utc: self.now.utc, sealed };
        self.keep_proof(from, proof, step);
    }

    fn keep_proof(&mut self, member: MemberIndex, proof: Equivocation, step: &mut Step) {
        let Equivocation { promise, first, second, .. } = proof;
        let kept = self.equivocations.entry(member).or_default();
        if kept.iter().any(|known| (known.promise, known.first, known.second) == (promise, first, second)) {
            return;
        }
        step.alarms.push(Alarm::Equivocation { member, promise, first, second });
        if kept.len() < MOST_PROOFS {
            kept.push(proof);
            step.writes.push(Row::equivocations(member, kept));
        }
    }
}
