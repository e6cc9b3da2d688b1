//! What members ever promised, whether or not their disks still say so: a store that goes back in time unsays nothing.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::messages::Approve;
use igra_group::{Group, MemberIndex};
use igra_tx::{EventKey, Proposal, ProposalId, TransactionId};

use crate::{chain::Chain, disk::Disk, keys::DEPTHS};

/// Who promised what, and who knows of it.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    /// Approvals that left, under which number, oldest first.
    of: BTreeMap<MemberIndex, BTreeSet<(u64, ProposalId)>>,
    /// Who took an approval of a member and has not died since.
    heard: BTreeMap<(MemberIndex, ProposalId), BTreeSet<MemberIndex>>,
    /// Approvals that a disk lost when it went back in time, with those who knew of them then.
    lost: BTreeMap<(MemberIndex, u64), (ProposalId, BTreeSet<MemberIndex>)>,
    /// Members that agreed to move to another group.
    moved: BTreeSet<MemberIndex>,
    /// Those of them whose disks say so.
    moved_for_good: BTreeSet<MemberIndex>,
    /// Deposits that a reorganisation took back once: a promise over one stays open in a way that no tag washes, as the
    /// threat model says.
    undone: BTreeSet<TransactionId>,
}

impl Promised {
    pub fn heard(&mut self, by: MemberIndex, from: MemberIndex, proposal: ProposalId) {
        self.heard.entry((from, proposal)).or_default().insert(by);
    }

    /// What peers approved is no promise of one's own, and may go with the process.
    pub fn died(&mut self, member: MemberIndex) {
        let known = self.heard.values_mut().chain(self.lost.values_mut().map(|(_, heard)| heard));
        known.for_each(|heard| heard.retain(|other| *other != member));
        if !self.moved_for_good.contains(&member) {
            self.moved.remove(&member);
        }
    }

    pub fn undone(&mut self, deposit: TransactionId) {
        self.undone.insert(deposit);
    }

    /// A disk went back in time.
    pub fn went_back(&mut self, member: MemberIndex, disk: &Disk) {
        let kept: BTreeSet<ProposalId> = disk.approvals().map(|(proposal, _)| proposal).collect();
        let promised = || self.of.get(&member).into_iter().flatten();
        for (number, proposal) in promised() {
            // What was promised anew, under another configuration, was heard under one number and not under each.
            let once = promised().all(|(other, same)| same != proposal || other == number);
            if once && !kept.contains(proposal) {
                let heard = self.heard.get(&(member, *proposal)).cloned().unwrap_or_default();
                self.lost.insert((member, *number), (*proposal, heard));
            }
        }
    }

    /// A promise under a number that was used before: whatever q − 1 others it had hello from, one of them knew of the
    /// first one and would have told.
    pub fn repeats(&self, member: MemberIndex, approve: &Approve, members: usize, quorum: usize) -> bool {
        let first = self.lost.get(&(member, approve.promise));
        first.is_some_and(|(proposal, heard)| *proposal != approve.proposal && heard.len() > members - quorum)
    }

    pub fn leaves(&mut self, member: MemberIndex, approve: &Approve) {
        self.of.entry(member).or_default().insert((approve.promise, approve.proposal));
    }

    /// An earlier approval of this member, remembered or not, that is for one of these events and could become final
    /// beside this one.
    pub fn rival_of(
        &self,
        chain: &Chain,
        bodies: &BTreeMap<ProposalId, Proposal>,
        member: MemberIndex,
        proposal: &Proposal,
    ) -> Option<ProposalId> {
        let earlier = self.of.get(&member)?.iter().filter_map(|(_, id)| bodies.get(id));
        let same_event = |other: &&Proposal| other.events.iter().any(|event| proposal.events.contains(event));
        let free = |other: &&Proposal| {
            let same = other.transaction_id() == proposal.transaction_id();
            !same && !other.shares_input_with(proposal) && self.is_open(chain, other)
        };
        earlier.filter(same_event).find(free).map(Proposal::id)
    }

    /// A promise that this disk lacks and that could still become final.
    pub fn forgotten(
        &self,
        chain: &Chain,
        bodies: &BTreeMap<ProposalId, Proposal>,
        member: MemberIndex,
        disk: &Disk,
    ) -> Option<ProposalId> {
        let kept: BTreeSet<ProposalId> = disk.approvals().map(|(proposal, _)| proposal).collect();
        let lost = self.of.get(&member)?.iter().filter(|(_, id)| !kept.contains(id));
        lost.filter_map(|(_, id)| bodies.get(id)).find(|body| self.is_open(chain, body)).map(Proposal::id)
    }

    fn is_open(&self, chain: &Chain, proposal: &Proposal) -> bool {
        let stands = chain.accepted_at(chain.tip, &proposal.transaction_id());
        let is_final = stands.is_some_and(|daa| daa + DEPTHS.final_ <= chain.highest());
        !is_final && chain.was_possible(proposal, &self.undone) && !chain.is_dead(proposal, DEPTHS.final_)
    }

    /// It moves to another group, or has agreed to already.
    pub fn moves(&mut self, member: MemberIndex) {
        self.moved.insert(member);
    }

    /// What it agreed to is written.
    pub fn has_written_move(&mut self, member: MemberIndex) {
        self.moved_for_good.insert(member);
    }

    pub fn has_moved(&self, member: MemberIndex) -> bool {
        self.moved.contains(&member)
    }
}

/// Final events that a disk has no tombstone of.
pub(crate) fn without_tombstone(
    chain: &Chain,
    group: &Group,
    at_daa: u64,
    has: impl Fn(&EventKey) -> bool,
) -> Option<EventKey> {
    let payments = chain.payments(group).into_iter().filter(|(daa, _)| daa + DEPTHS.final_ <= at_daa);
    payments.flat_map(|(_, signed)| signed.proposal.events).find(|event| !has(event))
}
