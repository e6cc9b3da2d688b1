//! One event's life inside this signer.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::MemberIndex;
use igra_tx::ProposalId;
use serde::Serialize;

use crate::{
    Millis, RefusalCode, UnixSeconds, Verdict, VerifiedEvent, records::EventRecord, void::Objection,
};

/// Where an event stands, derived from what is recorded and what the own node shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Verified here, no proposal approved yet.
    Verified,
    /// A rule says not now.
    Held,
    /// A rule says no.
    Denied,
    /// The deadline passed before this signer approved anything.
    Expired,
    Approved,
    /// This signer's partial is out.
    Signed,
    /// m partials made a valid transaction.
    Assembled,
    Submitted,
    Accepted,
    Settled,
    /// Paid for good.
    Paid,
    /// Never to be paid.
    Void,
}

/// A live event: verified here, nothing final names it yet.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub event: VerifiedEvent,
    pub seen: UnixSeconds,
    /// Since when this process waits for it.
    pub since: Millis,
    /// Proposals known for it.
    pub offers: BTreeSet<ProposalId>,
    /// What the proposer of a view offered.
    pub offered: Option<(u64, ProposalId)>,
    /// What came for a view that this signer has not reached.
    pub early: Option<(u64, ProposalId)>,
    /// What this signer last said no to, so that it says so once.
    pub refused: Option<(u64, ProposalId, RefusalCode)>,
    /// Why this signer could not draft for it.
    pub blocked: Option<String>,
    /// What the policy said last.
    pub verdict: Option<Verdict>,
    /// The last refusals by members.
    pub refusals: BTreeMap<MemberIndex, RefusalCode>,
    /// Members that named it as the reason of a refusal, and in which view.
    pub refused_by_name: BTreeMap<MemberIndex, u64>,
    /// What this signer itself holds against it.
    pub objection: Objection,
    /// Members that say something final names it.
    pub final_claims: BTreeSet<MemberIndex>,
}

impl Session {
    pub(crate) fn new(record: EventRecord, since: Millis) -> Self {
        Self {
            event: record.event,
            seen: record.seen,
            since,
            offers: BTreeSet::new(),
            offered: None,
            early: None,
            refused: None,
            blocked: None,
            verdict: None,
            refusals: BTreeMap::new(),
            refused_by_name: BTreeMap::new(),
            objection: Objection::default(),
            final_claims: BTreeSet::new(),
        }
    }

    /// What the proposer of this view offered.
    pub(crate) fn offered_in(&self, view: u64) -> Option<ProposalId> {
        let of_view = |(offered, id): (u64, ProposalId)| (offered == view).then_some(id);
        self.offered.and_then(of_view).or_else(|| self.early.and_then(of_view))
    }
}
