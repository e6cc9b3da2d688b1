//! A proposal and what its members have promised on it, as far as this signer knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use igra_group::{ConfigDigest, MemberIndex};
use igra_tx::{EventKey, Outpoint, Partial, Proposal, ProposalId, Signature, TransactionId};

use crate::records::ApprovalRecord;

/// What is known of one proposal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offer {
    pub body: Option<Proposal>,
    pub events: Vec<EventKey>,
    /// The last view it was offered in, where this signer saw that.
    pub view: Option<u64>,
    pub own: Option<ApprovalRecord>,
    /// Approvals of others, verified.
    pub approvals: BTreeMap<MemberIndex, Promise>,
    /// Verified partials, the own one too.
    pub partials: BTreeMap<MemberIndex, Partial>,
    /// Partials of others as they sealed them, where they came apart from the approval.
    pub sealed_partials: BTreeMap<MemberIndex, Vec<u8>>,
    pub certified: bool,
    /// What spent one of its coins for good.
    pub dead: Option<TransactionId>,
    pub assembled: Option<TransactionId>,
    /// Members that refused it, and in which view.
    pub refusals: BTreeMap<MemberIndex, u64>,
    /// The body was asked for.
    pub asked: bool,
}

/// Somebody's approval.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    pub sealed: Vec<u8>,
    pub events: Vec<EventKey>,
    /// Its partial, until the body is here and says whether it is good.
    pub signatures: Option<Vec<Signature>>,
}

/// All proposals that this signer knows for live events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offers {
    by_id: BTreeMap<ProposalId, Offer>,
    by_outpoint: BTreeMap<Outpoint, BTreeSet<ProposalId>>,
    /// From bodies alone: what somebody says that a proposal names binds nobody.
    by_event: BTreeMap<EventKey, BTreeSet<ProposalId>>,
}

impl Offer {
    pub(crate) fn is_live(&self) -> bool {
        self.dead.is_none()
    }

    /// Nobody offered it here and this signer did not approve it: it is kept for others' approvals alone.
    pub(crate) fn is_only_told(&self) -> bool {
        self.own.is_none() && self.view.is_none()
    }

    /// Somebody promised on it.
    pub(crate) fn is_engaged(&self) -> bool {
        self.is_live() && (self.own.is_some() || !self.approvals.is_empty())
    }

    /// Somebody promised on it who does not lie: this signer, or more others than may lie. One member alone must not be
    /// able to make everybody else leave the group's coins alone.
    pub(crate) fn is_backed(&self, may_lie: u8) -> bool {
        self.is_live() && (self.own.is_some() || self.approvals.len() > usize::from(may_lie))
    }

    /// The own approval, if it counts under the present configuration.
    pub(crate) fn own_under(&self, config: ConfigDigest) -> Option<&ApprovalRecord> {
        self.own.as_ref().filter(|own| own.config == config)
    }

    /// Members known to have approved it.
    pub(crate) fn approvers(&self, me: MemberIndex) -> BTreeSet<MemberIndex> {
        self.approvals.keys().copied().chain(self.own.as_ref().map(|_| me)).collect()
    }
}

impl Offers {
    pub(crate) fn get(&self, id: &ProposalId) -> Option<&Offer> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &ProposalId) -> Option<&mut Offer> {
        self.by_id.get_mut(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ProposalId, &Offer)> {
        self.by_id.iter()
    }

    /// The offer of this id, made if it is new.
    pub(crate) fn entry(&mut self, id: ProposalId) -> &mut Offer {
        self.by_id.entry(id).or_default()
    }

    /// Gives an offer its body.
    pub(crate) fn adopt(&mut self, id: ProposalId, proposal: Proposal) {
        for outpoint in proposal.outpoints() {
            self.by_outpoint.entry(outpoint).or_default().insert(id);
        }
        for event in &proposal.events {
            self.by_event.entry(*event).or_default().insert(id);
        }
        let offer = self.entry(id);
        offer.events = proposal.events.clone();
        offer.body = Some(proposal);
    }

    /// Those whose body names an event, whether or not the event was known when the body came.
    pub(crate) fn naming(&self, event: &EventKey) -> impl Iterator<Item = (ProposalId, &Offer)> {
        let ids = self.by_event.get(event).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get(id).map(|offer| (*id, offer)))
    }

    /// Those that spend a coin.
    pub(crate) fn spending(&self, outpoint: &Outpoint) -> impl Iterator<Item = (&ProposalId, &Offer)> {
        let ids = self.by_outpoint.get(outpoint).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get_key_value(id))
    }

    /// Those that spend a coin of a range.
    pub(crate) fn spending_any(
        &self,
        coins: RangeInclusive<Outpoint>,
    ) -> impl Iterator<Item = (ProposalId, &Offer)> {
        let ids = self.by_outpoint.range(coins).flat_map(|(_, ids)| ids);
        ids.filter_map(|id| self.by_id.get(id).map(|offer| (*id, offer)))
    }

    pub(crate) fn forget(&mut self, id: &ProposalId) {
        let Some(offer) = self.by_id.remove(id) else { return };
        for outpoint in offer.body.iter().flat_map(Proposal::outpoints) {
            unlist(&mut self.by_outpoint, outpoint, id);
        }
        for event in offer.body.iter().flat_map(|body| body.events.iter()) {
            unlist(&mut self.by_event, *event, id);
        }
    }
}

fn unlist<K: Ord>(lists: &mut BTreeMap<K, BTreeSet<ProposalId>>, key: K, id: &ProposalId) {
    if let Some(ids) = lists.get_mut(&key) {
        ids.remove(id);
        if ids.is_empty() {
            lists.remove(&key);
        }
    }
}
