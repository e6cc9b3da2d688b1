//! Where each event stands at each signer, to know what a fault hit.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::{Coordinator, SessionState, rules::Rules};
use igra_group::MemberIndex;
use igra_tx::{EventKey, ProposalId};

/// A phase of an event's life at one signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It is in the world, and this signer has not heard of it.
    Intake,
    /// Its evidence is with the own verifier.
    Verify,
    /// Verified, and not approved yet.
    Reserve,
    Approved,
    /// The own partial is made.
    Signed,
    /// Another member has the own approval.
    Gossiped,
    Assembled,
    Submitted,
    Accepted,
    Settled,
}

impl Phase {
    pub const ALL: [Self; 10] = [
        Self::Intake,
        Self::Verify,
        Self::Reserve,
        Self::Approved,
        Self::Signed,
        Self::Gossiped,
        Self::Assembled,
        Self::Submitted,
        Self::Accepted,
        Self::Settled,
    ];

    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Verify => "verify",
            Self::Reserve => "reserve",
            Self::Approved => "approved",
            Self::Signed => "signed",
            Self::Gossiped => "gossiped",
            Self::Assembled => "assembled",
            Self::Submitted => "submitted",
            Self::Accepted => "accepted",
            Self::Settled => "settled",
        }
    }
}

/// The phase of every event that has not ended, at every signer.
#[derive(Debug, Default)]
pub(crate) struct Phases {
    of: BTreeMap<MemberIndex, BTreeMap<EventKey, Phase>>,
    /// Proposals of which somebody else has a member's approval.
    heard: BTreeSet<(MemberIndex, ProposalId)>,
}

impl Phases {
    /// An event came into the world.
    pub fn begin(&mut self, members: impl Iterator<Item = MemberIndex>, event: EventKey) {
        for member in members {
            self.of.entry(member).or_default().entry(event).or_insert(Phase::Intake);
        }
    }

    /// A signer's verifier has the evidence now.
    pub fn verifies(&mut self, member: MemberIndex, event: EventKey) {
        if let Some(phase) = self.of.entry(member).or_default().get_mut(&event)
            && *phase == Phase::Intake
        {
            *phase = Phase::Verify;
        }
    }

    /// Somebody has this member's approval of a proposal.
    pub fn is_heard(&mut self, member: MemberIndex, proposal: ProposalId) {
        self.heard.insert((member, proposal));
    }

    /// Looks at a signer's events anew.
    pub fn look<R: Rules>(&mut self, member: MemberIndex, mind: &Coordinator<R>) {
        let heard = &self.heard;
        self.of.entry(member).or_default().retain(|event, phase| {
            let Some(view) = mind.session(event) else {
                *phase = (*phase).min(Phase::Verify);
                return true;
            };
            let heard = || view.proposal.is_some_and(|proposal| heard.contains(&(member, proposal)));
            *phase = match view.state {
                SessionState::Verified
                | SessionState::Held
                | SessionState::Denied
                | SessionState::Expired => Phase::Reserve,
                SessionState::Approved => Phase::Approved,
                SessionState::Signed if heard() => Phase::Gossiped,
                SessionState::Signed => Phase::Signed,
                SessionState::Assembled => Phase::Assembled,
                SessionState::Submitted => Phase::Submitted,
                SessionState::Accepted => Phase::Accepted,
                SessionState::Settled => Phase::Settled,
                SessionState::Paid | SessionState::Void => return false,
            };
            true
        });
    }

    /// The phases in which a signer has an event now.
    pub fn at(&self, member: MemberIndex) -> impl Iterator<Item = Phase> + '_ {
        self.of.get(&member).into_iter().flatten().map(|(_, phase)| *phase)
    }
}
