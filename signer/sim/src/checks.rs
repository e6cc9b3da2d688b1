//! What must hold: after every step nothing unsafe, and in the end everything that must be paid is paid.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::{
    Coordinator, Family, MessageKind, SessionState, SessionView, UnixSeconds,
    messages::{Approve, Message},
    rules::Rules,
};
use igra_group::{Group, MemberIndex, Sompi};
use igra_tx::{EventKey, Proposal, ProposalId, ProposalKind, SignedTransaction, TransactionId};

use crate::{
    chain::Chain, disk::Disk, feed::VOLUME_SECONDS, keys::DEPTHS, model::Model, own::OwnTransactions,
    promised::Promised, scenario::Scenario,
};

/// A signer's approvals: the events of each proposal.
pub(crate) type Approvals = BTreeMap<ProposalId, Vec<EventKey>>;

/// What was seen so far, and the first thing that was wrong.
#[derive(Default)]
pub(crate) struct Checks {
    pub violation: Option<String>,
    pub crashes: u64,
    pub reorganisations: u64,
    /// Every proposal that anybody told the others of, or was asked to sign.
    pub bodies: BTreeMap<ProposalId, Proposal>,
    /// Whose approvals of a proposal have left.
    approvals: BTreeMap<ProposalId, BTreeSet<MemberIndex>>,
    /// Whose partials for a proposal have left.
    partials: BTreeMap<ProposalId, BTreeSet<MemberIndex>>,
    /// Who wrote down that a proposal is dead.
    pub dead: BTreeSet<(MemberIndex, ProposalId)>,
    /// When a signer first said that an event is paid for good, by its own clock.
    pub finals: BTreeMap<(MemberIndex, EventKey), UnixSeconds>,
    /// Approved proposals that pay nobody.
    pub unpaying: BTreeSet<ProposalId>,
    /// Events that a signer saw voided for good.
    pub voided: BTreeSet<(MemberIndex, EventKey)>,
    /// They may have signed anything at all.
    liars: BTreeSet<MemberIndex>,
    /// Liars, and members that lost records or run twice without being sure to notice.
    faulty: BTreeSet<MemberIndex>,
    /// Some members speak the previous version.
    mixed_versions: bool,
    pub promised: Promised,
    pub own: OwnTransactions,
    /// Members whose disk went back in time.
    pub went_back: BTreeSet<MemberIndex>,
    /// Members whose node showed coins that are none.
    pub misled: BTreeSet<MemberIndex>,
}

impl Checks {
    pub fn of(scenario: &Scenario) -> Self {
        let faulty = scenario.faulty.keys().copied().collect();
        let mixed_versions = !scenario.previous.is_empty();
        Self { liars: scenario.liars().collect(), faulty, mixed_versions, ..Self::default() }
    }

    pub fn fail(&mut self, violation: String) {
        self.violation.get_or_insert(violation);
    }

    /// A message leaves a signer: what it promises must be on its disk.
    pub fn leaves(
        &mut self,
        chain: &Chain,
        group: &Group,
        member: MemberIndex,
        disk: &Disk,
        kind: MessageKind,
        body: &[u8],
    ) {
        let at_once = group.quorum().get() == group.threshold().needed();
        match Message::decode(kind, body) {
            Some(Message::Approve(approve)) => {
                let written = disk.approval(approve.promise).map(|(proposal, _)| proposal);
                if written != Some(approve.proposal) {
                    self.fail(format!("{member:?} sends an approval that is not on its disk"));
                }
                self.approvals.entry(approve.proposal).or_default().insert(member);
                if approve.signatures.is_some() != at_once {
                    self.fail(format!("{member:?} sends an approval in the wrong form"));
                }
                self.promise_leaves(chain, group, member, &approve);
                if approve.signatures.is_some() {
                    self.partial_leaves(chain, group, member, disk, approve.proposal);
                }
            }
            Some(Message::Partial(partial)) => {
                // An event that ended meanwhile has taken its certificate along.
                let ended = self.bodies.get(&partial.proposal).is_some_and(|body| {
                    body.events.iter().all(|event| disk.has(Family::Tombstone, event.as_bytes()))
                });
                if !ended && !disk.has(Family::Certificate, partial.proposal.as_bytes()) {
                    self.fail(format!("{member:?} sends a partial without a certificate"));
                }
                self.quorum_approved(group, member, disk, partial.proposal);
                self.partial_leaves(chain, group, member, disk, partial.proposal);
            }
            Some(
                Message::Hello(_)
                | Message::Status(_)
                | Message::Announce(_)
                | Message::Propose(_)
                | Message::Refuse(_)
                | Message::Certificate(_)
                | Message::Final(_)
                | Message::Hint(_)
                | Message::Digest(_)
                | Message::Body(_)
                | Message::AskHistory(_)
                | Message::History(_),
            ) => {}
            None => self.fail(format!("{member:?} sends a {kind:?} that does not read")),
        }
    }

    /// What was promised once holds, whatever the disk says now.
    fn promise_leaves(&mut self, chain: &Chain, group: &Group, member: MemberIndex, approve: &Approve) {
        let (members, quorum) = (usize::from(group.threshold().members()), usize::from(group.quorum().get()));
        // A member of version 1 does not say what it had heard when it said hello, so an old hello may count.
        let is_told = self.went_back.contains(&member) && !self.mixed_versions;
        if is_told && self.promised.repeats(member, approve, members, quorum) {
            self.fail(format!("{member:?} uses promise number {} again", approve.promise));
        }
        let body = self.bodies.get(&approve.proposal).filter(|_| !self.faulty.contains(&member));
        let rival = body.and_then(|body| self.promised.rival_of(chain, &self.bodies, member, body));
        if let Some(rival) = rival {
            let second = approve.proposal;
            self.fail(format!("{member:?} approves {second:?} although it promised {rival:?}"));
        }
        self.promised.leaves(member, approve);
    }

    /// Whoever agreed to move pays nothing more from here.
    pub fn pays_no_more(&mut self, member: MemberIndex, kind: ProposalKind) {
        if self.promised.has_moved(member) && !self.went_back.contains(&member) && kind != ProposalKind::Sweep
        {
            self.fail(format!("{member:?} approves a {kind:?} although the group moves"));
        }
    }

    /// Proposals and tags that anybody told anybody.
    pub fn said(&mut self, kind: MessageKind, body: &[u8]) {
        let proposal = match Message::decode(kind, body) {
            Some(Message::Propose(propose)) => Proposal::decode(&propose.proposal).ok(),
            Some(Message::Body(body)) => Proposal::decode(&body.proposal).ok(),
            Some(Message::Hello(hello)) => return self.own.announced(hello.tag),
            _no_proposal => None,
        };
        self.bodies.extend(proposal.map(|proposal| (proposal.id(), proposal)));
    }

    /// A member takes itself for washed: nothing that it forgot can still become final.
    pub fn leaves_quarantine(&mut self, chain: &Chain, member: MemberIndex, disk: &Disk) {
        let forgotten = self.promised.forgotten(chain, &self.bodies, member, disk);
        if let Some(forgotten) = forgotten.filter(|_| !self.faulty.contains(&member)) {
            self.fail(format!(
                "{member:?} leaves quarantine, and {forgotten:?} that it forgot may become final"
            ));
        }
    }

    /// The approvals that a certificate is made of: those that others sent, and the own one that is written.
    fn quorum_approved(&mut self, group: &Group, member: MemberIndex, disk: &Disk, id: ProposalId) {
        let approved = self.approvals.get(&id).into_iter().flatten().chain(&self.liars);
        let others = approved.filter(|other| **other != member).collect::<BTreeSet<_>>().len();
        let own = disk.approvals().any(|(proposal, _)| proposal == id);
        if !own || others + 1 < usize::from(group.quorum().get()) {
            self.fail(format!(
                "{member:?} sends a partial that too few approved: {others} others, own: {own}"
            ));
        }
    }

    /// The first approval of an event may not come after the deadline; `before` are the approvals made until now.
    pub fn approves_in_time(
        &mut self,
        member: MemberIndex,
        event: &EventKey,
        deadline: Option<UnixSeconds>,
        now: UnixSeconds,
        before: &Approvals,
    ) {
        let late = deadline.is_some_and(|deadline| now > deadline);
        if late && !self.went_back.contains(&member) && !before.values().any(|events| events.contains(event))
        {
            self.fail(format!("{member:?} approves {event:?} for the first time after its deadline"));
        }
    }

    /// What a signer approved, and saw neither dead nor paid longer ago than the window, is within the limit.
    pub fn approves_within(
        &mut self,
        member: MemberIndex,
        limit: Sompi,
        now: UnixSeconds,
        approvals: &Approvals,
        model: &Model,
    ) {
        if self.went_back.contains(&member) {
            return;
        }
        let dead = approvals.iter().filter(|(id, _)| self.dead.contains(&(member, **id)));
        let freed: BTreeSet<EventKey> = dead.flat_map(|(_, events)| events.iter().copied()).collect();
        let counts = |event: &EventKey| {
            let past = |at: &UnixSeconds| at.0 + VOLUME_SECONDS <= now.0;
            !freed.contains(event)
                && !self.voided.contains(&(member, *event))
                && !self.finals.get(&(member, *event)).is_some_and(past)
        };
        let events: BTreeSet<EventKey> = approvals.values().flatten().copied().filter(counts).collect();
        let sum = model.sum(&events);
        if sum > limit {
            self.fail(format!("{member:?} approves {sum}, beyond its volume of {limit}"));
        }
    }

    fn partial_leaves(
        &mut self,
        chain: &Chain,
        group: &Group,
        member: MemberIndex,
        disk: &Disk,
        id: ProposalId,
    ) {
        if !disk.has(Family::Partial, id.as_bytes()) || !disk.has(Family::Proposal, id.as_bytes()) {
            self.fail(format!("{member:?} sends a partial that is not on its disk"));
        }
        if self.partials.entry(id).or_default().insert(member) {
            self.no_two_complete(chain, group, id);
        }
    }

    /// Two transactions for one event that m members signed each, that could both be accepted and neither of which is
    /// dead: a payment made twice, whether or not the chain has taken both yet.
    fn no_two_complete(&mut self, chain: &Chain, group: &Group, id: ProposalId) {
        if !self.is_complete(group, &id) {
            return;
        }
        let dead = |proposal: &Proposal| chain.is_dead(proposal, DEPTHS.final_);
        let Some(body) = self.bodies.get(&id) else { return };
        let others = self.partials.keys().filter(|other| **other != id && self.is_complete(group, other));
        let others = others.filter_map(|other| self.bodies.get(other));
        let mut rivals = others.filter(|other| other.events.iter().any(|event| body.events.contains(event)));
        let twice = rivals.find(|other| {
            let same = other.transaction_id() == body.transaction_id();
            !same && !other.shares_input_with(body) && !dead(other) && !dead(body)
        });
        if let Some(other) = twice {
            let pair = (other.id(), id);
            self.fail(format!("two transactions for one event are signed and could both be final: {pair:?}"));
        }
    }

    /// m members may have signed it; liars have signed everything.
    fn is_complete(&self, group: &Group, id: &ProposalId) -> bool {
        let signed = self.partials.get(id).into_iter().flatten().chain(&self.liars);
        let signed: BTreeSet<_> = signed.collect();
        signed.len() >= usize::from(group.threshold().needed())
    }

    /// What the chain accepted: exact, allowed, and final once for each event.
    pub fn chain(&mut self, chain: &Chain, model: &mut Model, group: &Group, highest: u64, final_depth: u64) {
        let payments = chain.payments(group);
        for (daa, signed) in &payments {
            let judged = model.accepts(group, signed);
            let ended = if daa + final_depth <= highest { model.ends(signed) } else { Ok(()) };
            if let Err(violation) = judged.and(ended) {
                self.fail(violation);
            }
        }
        if let Err(violation) = self.judge_own(group, &payments) {
            self.fail(violation);
        }
    }

    fn judge_own(&self, group: &Group, payments: &[(u64, SignedTransaction)]) -> Result<(), String> {
        let lacks_nothing =
            |member: &MemberIndex| !self.faulty.contains(member) && !self.went_back.contains(member);
        let sound = group.indices().filter(lacks_nothing).count();
        self.own.judge(group, sound, payments)
    }

    /// A signer calls a transaction final: no reorganisation may be able to undo it.
    pub fn says_final(&mut self, chain: &Chain, member: MemberIndex, transaction: &TransactionId) {
        let at = chain.accepted_at(chain.tip, transaction);
        if at.is_none_or(|daa| daa + DEPTHS.final_ > chain.highest()) {
            self.fail(format!("{member:?} calls {transaction:?} final, and it is not"));
        }
    }

    /// Events that must be paid and that some sound signer knows and does not see paid.
    pub fn unpaid<'a, R: Rules + 'a>(
        &self,
        minds: impl Iterator<Item = (MemberIndex, &'a Coordinator<R>)> + Clone,
        model: &Model,
    ) -> Vec<(MemberIndex, Box<SessionView>)> {
        let views = |event: &EventKey| {
            let views =
                minds.clone().filter_map(|(member, mind)| Some((member, Box::new(mind.session(event)?))));
            // Expired: what it approved is dead, and its deadline has passed. A liar may go on approving.
            let lies = |member: &MemberIndex| self.liars.contains(member);
            let unbound = |view: &SessionView| {
                view.own_approvals.is_empty()
                    || view.state == SessionState::Expired && view.approvals.iter().all(lies)
            };
            let lapsed = |view: &SessionView| model.may_expire(event) && unbound(view);
            let open = views.filter(|(_, view)| !model.may_end_as(event, view.state) && !lapsed(view));
            open.collect::<Vec<_>>()
        };
        model.must_end().flat_map(views).collect()
    }
}

#[cfg(test)]
mod tests {
    use igra_core::{Row, messages::Approve};

    use super::*;
    use crate::keys::{SHAPES, group};

    const ME: MemberIndex = MemberIndex(0);

    /// A disk whose first approval is of this proposal, for this event.
    fn disk(proposal: ProposalId, event: EventKey) -> Disk {
        let mut value = vec![1];
        value.extend(proposal.as_bytes());
        value.extend(1u32.to_le_bytes());
        value.extend(event.as_bytes());
        let key = 1u64.to_be_bytes().to_vec();
        let mut disk = Disk::default();
        disk.commit(vec![Row { family: Family::Approval, key, value: Some(value), promise: true }]);
        disk
    }

    fn approve(proposal: ProposalId, event: EventKey) -> Vec<u8> {
        let (group, _) = group(SHAPES[2]);
        let config = group.config_digest();
        let approve =
            Approve { proposal, events: vec![event], config, promise: 1, view: 0, signatures: None };
        Message::Approve(approve).encode()
    }

    #[test]
    fn an_approval_under_the_number_of_another_is_noticed() {
        let (group, _) = group(SHAPES[2]);
        let (event, chain) = (EventKey::from_bytes([1; 32]), Chain::new(vec![group.clone()]));
        let [written, other] = [2, 3].map(|byte| ProposalId::from_bytes([byte; 32]));
        for (sent, noticed) in [(written, false), (other, true)] {
            let mut checks = Checks::default();
            let (disk, body) = (disk(written, event), approve(sent, event));
            checks.leaves(&chain, &group, ME, &disk, MessageKind::Approve, &body);
            assert_eq!(checks.violation.is_some(), noticed);
        }
    }

    #[test]
    fn a_first_approval_after_the_deadline_is_noticed_and_a_later_one_is_free() {
        let [event, other] = [1, 2].map(|byte| EventKey::from_bytes([byte; 32]));
        let disk = disk(ProposalId::from_bytes([3; 32]), event);
        let deadline = Some(UnixSeconds(10));
        for (event, now, noticed) in [(other, 10, false), (other, 11, true), (event, 11, false)] {
            let mut checks = Checks::default();
            checks.approves_in_time(ME, &event, deadline, UnixSeconds(now), &disk.approvals().collect());
            assert_eq!(checks.violation.is_some(), noticed);
        }
    }
}
