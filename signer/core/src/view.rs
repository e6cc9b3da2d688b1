//! What people and programs may see of a coordinator: plain values for the API.

use std::{collections::BTreeSet, ops::Bound};

use igra_group::{ConfigDigest, GroupId, MemberIndex, Sompi};
use igra_tx::{EventKey, Outpoint, ProposalId, Script, Tag, TransactionId};
use serde::Serialize;

use crate::{
    Coordinator, Denial, Equivocation, Halt, Intervention, PolicyDigest, PredecessorView, QuarantineView,
    RefusalCode, SessionState, SourceName, UnixSeconds, Verdict, closed::Closed, offer::Offer,
    records::Tombstone, rules::Rules, session::Session,
};

/// One event's life as this signer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionView {
    pub event: EventKey,
    pub state: SessionState,
    pub source: Option<SourceName>,
    /// In sompi.
    pub amount: Option<Sompi>,
    /// As an address, or the script in hex where there is none.
    pub recipient: Option<String>,
    pub memo: Option<String>,
    pub first_seen: Option<UnixSeconds>,
    pub deadline: Option<UnixSeconds>,
    /// Which rule holds or denies it now.
    pub denial: Option<Denial>,
    /// Why it does not move on now.
    pub blocked: Option<String>,
    pub proposal: Option<ProposalId>,
    pub transaction: Option<TransactionId>,
    /// Members known to have approved the proposal.
    pub approvals: Vec<MemberIndex>,
    /// Members whose partials are here.
    pub partials: Vec<MemberIndex>,
    /// Proposals that this signer approved, the first one first.
    pub own_approvals: Vec<ProposalId>,
    /// The last refusals by members, by code.
    pub refusals: Vec<(MemberIndex, RefusalCode)>,
    /// Coins that live approvals need, that the own node does not show, and that nothing made or spent.
    pub missing_coins: Vec<Outpoint>,
    /// DAA score of the block that accepted the transaction.
    pub accepted_daa: Option<u64>,
    /// How deep that is now, in DAA score.
    pub depth: Option<u64>,
}

/// The group as this signer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupView {
    pub group: GroupId,
    pub address: String,
    pub me: MemberIndex,
    pub threshold: u8,
    pub quorum: u8,
    pub members: Vec<MemberView>,
    pub config: ConfigDigest,
    pub policy: PolicyDigest,
    pub epoch: u64,
    /// The last promise number given.
    pub promise: u64,
    pub view: u64,
    pub proposer: MemberIndex,
    pub node_synced: bool,
    pub virtual_daa: u64,
    /// The sum of the group's coins, in sompi.
    pub balance: Sompi,
    pub coins: usize,
    /// What can be spent now, in sompi.
    pub spendable: Sompi,
    pub live_sessions: usize,
    pub held_sessions: usize,
    pub final_events: usize,
    /// It has stopped promising after an alarm.
    pub stopped: bool,
    /// The alarm that did it.
    pub halt: Option<Halt>,
    /// What administrators took upon themselves, the first one first.
    pub interventions: Vec<Intervention>,
    /// Its store may have lost promises.
    pub quarantine: Option<QuarantineView>,
    /// What the group's transactions carry for members in quarantine.
    pub tags: BTreeSet<Tag>,
    /// The group whose coins move here.
    pub predecessor: Option<PredecessorView>,
}

/// A member as this signer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberView {
    pub index: MemberIndex,
    pub name: String,
    /// A stream to it is open; always true of the signer itself.
    pub up: bool,
    pub view: u64,
    pub epoch: u64,
    pub promise: u64,
    pub config: Option<ConfigDigest>,
    pub policy: Option<PolicyDigest>,
    pub software: Option<String>,
    /// Proofs that it gave two promises one number.
    pub equivocations: Vec<Equivocation>,
}

impl<R: Rules> Coordinator<R> {
    /// One event's session; finished ones too.
    pub fn session(&self, event: &EventKey) -> Option<SessionView> {
        match (self.sessions.get(event), self.tombstones.get(event)) {
            (_, Some(tombstone)) => Some(self.finished(event, tombstone)),
            (Some(session), None) => Some(self.live(event, session)),
            // Known from the chain alone: paid by the others while this signer slept.
            (None, None) if self.chain.link(event).is_some() => Some(self.with_chain(self.blank(event))),
            (None, None) => self.closed.get(event).map(|note| self.noted(event, note)),
        }
    }

    /// Sessions in ascending order of their event keys, after the given one, at most `limit`.
    pub fn sessions(&self, after: Option<EventKey>, limit: usize) -> Vec<SessionView> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let live = self.sessions.range(range).map(|(event, _)| *event).take(limit);
        let finished = self.tombstones.range(range).map(|(event, _)| *event).take(limit);
        let closed = self.closed.after(after).take(limit);
        let events: BTreeSet<EventKey> = live.chain(finished).chain(closed).collect();
        events.iter().take(limit).filter_map(|event| self.session(event)).collect()
    }

    /// The group as this signer sees it.
    pub fn view(&self) -> GroupView {
        let coins = self.chain.view.coins.values();
        let held = |event: &&EventKey| self.state_of(event) == SessionState::Held;
        GroupView {
            group: self.group.id(),
            address: self.group.wallet().address().to_string(),
            me: self.me,
            threshold: self.group.threshold().needed(),
            quorum: self.group.quorum().get(),
            members: self.group.indices().map(|member| self.member_view(member)).collect(),
            config: self.config,
            policy: self.policy_digest,
            epoch: self.epoch,
            promise: self.promise,
            view: self.views.view,
            proposer: self.views.proposer(&self.group),
            node_synced: self.chain.synced,
            virtual_daa: self.chain.view.virtual_daa.max(self.chain.tip_daa),
            balance: coins.clone().fold(Sompi::ZERO, |sum, coin| sum.saturating_add(coin.amount)),
            coins: coins.count(),
            spendable: self.chain.spendable_sum(&self.group),
            live_sessions: self.sessions.len(),
            held_sessions: self.held.iter().filter(held).count(),
            final_events: self.tombstones.len(),
            stopped: self.is_halted(),
            halt: self.halt.clone(),
            interventions: self.interventions.clone(),
            quarantine: self.quarantine_view(),
            tags: self.served_tags(),
            predecessor: self.predecessor_view(),
        }
    }

    fn member_view(&self, index: MemberIndex) -> MemberView {
        let name = self.group.member(index).map(|member| member.name.clone()).unwrap_or_default();
        if index == self.me {
            return MemberView {
                index,
                name,
                up: true,
                view: self.views.view,
                epoch: self.epoch,
                promise: self.promise,
                config: Some(self.config),
                policy: Some(self.policy_digest),
                software: Some(env!("CARGO_PKG_VERSION").to_owned()),
                equivocations: Vec::new(),
            };
        }
        let peer = self.peers.get(&index).cloned().unwrap_or_default();
        MemberView {
            index,
            name,
            up: peer.up,
            view: self.views.reported(index),
            epoch: self.windows.epoch(index),
            promise: peer.promise,
            config: peer.hello.as_ref().map(|hello| hello.config),
            policy: peer.hello.as_ref().map(|hello| hello.policy),
            software: peer.hello.map(|hello| hello.software),
            equivocations: self.equivocations.get(&index).cloned().unwrap_or_default(),
        }
    }

    fn blank(&self, event: &EventKey) -> SessionView {
        SessionView {
            event: *event,
            state: self.state_of(event),
            source: None,
            amount: None,
            recipient: None,
            memo: None,
            first_seen: None,
            deadline: None,
            denial: None,
            blocked: None,
            proposal: None,
            transaction: None,
            approvals: Vec::new(),
            partials: Vec::new(),
            own_approvals: Vec::new(),
            refusals: Vec::new(),
            missing_coins: Vec::new(),
            accepted_daa: None,
            depth: None,
        }
    }

    fn finished(&self, event: &EventKey, tombstone: &Tombstone) -> SessionView {
        let payment = tombstone.payment.as_ref();
        SessionView {
            amount: payment.map(|payment| payment.amount),
            recipient: payment.map(|payment| self.shown(&payment.recipient)),
            transaction: Some(tombstone.transaction),
            accepted_daa: Some(tombstone.daa_score),
            depth: Some(self.chain.tip_daa.saturating_sub(tombstone.daa_score)),
            ..self.blank(event)
        }
    }

    fn noted(&self, event: &EventKey, note: &Closed) -> SessionView {
        SessionView { first_seen: Some(note.seen), denial: Some(note.denial.clone()), ..self.blank(event) }
    }

    fn live(&self, event: &EventKey, session: &Session) -> SessionView {
        let told = &session.event;
        let view = SessionView {
            source: Some(told.source.clone()),
            amount: Some(told.payment.amount),
            recipient: Some(self.shown(&told.payment.recipient)),
            memo: Some(told.memo.clone()),
            first_seen: Some(session.seen),
            deadline: self.policy.deadline(told, session.seen),
            denial: self.denial_of(event),
            blocked: session.blocked.clone(),
            own_approvals: self.own_approvals(event).map(|(id, _)| id).collect(),
            refusals: session.refusals.iter().map(|(member, code)| (*member, *code)).collect(),
            missing_coins: self.missing_coins(event).into_iter().collect(),
            ..self.blank(event)
        };
        self.with_chain(self.with_offer(view, session))
    }

    fn denial_of(&self, event: &EventKey) -> Option<Denial> {
        match self.verdict_on(event)? {
            Verdict::Allow => None,
            Verdict::Hold { denial, .. } | Verdict::Deny { denial } => Some(denial),
        }
    }

    /// The proposal that is furthest; of several signed ones that with the highest fee.
    fn with_offer(&self, view: SessionView, session: &Session) -> SessionView {
        let offers = session.offers.iter().filter_map(|id| self.offers.get(id).map(|offer| (id, offer)));
        let fee = |offer: &Offer| offer.body.as_ref().filter(|_| offer.assembled.is_some())?.fee();
        let rank = |offer: &Offer| {
            (offer.assembled.is_some(), fee(offer), offer.partials.len(), offer.approvers(self.me).len())
        };
        let furthest =
            offers.filter(|(_, offer)| offer.is_live()).max_by_key(|(id, offer)| (rank(offer), **id));
        let Some((id, offer)) = furthest else { return view };
        SessionView {
            proposal: Some(*id),
            transaction: offer.body.as_ref().map(|body| body.transaction_id()),
            approvals: offer.approvers(self.me).into_iter().collect(),
            partials: offer.partials.keys().copied().collect(),
            ..view
        }
    }

    fn with_chain(&self, view: SessionView) -> SessionView {
        let Some((transaction, record)) = self.chain.link(&view.event) else { return view };
        SessionView {
            transaction: Some(transaction),
            accepted_daa: Some(record.daa_score),
            depth: Some(self.chain.depth(record)),
            ..view
        }
    }

    fn shown(&self, script: &Script) -> String {
        script.to_address(self.group.network()).unwrap_or_else(|| hex::encode(&script.bytes))
    }
}
