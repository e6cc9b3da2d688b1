//! What the API shows: the core's views with members by name and amounts as texts, which lose nothing in any program.

use std::collections::BTreeSet;

use igra_core::{
    Denial, DenialCode, Equivocation, GroupView, Halt, Intervention, MemberView, PredecessorView,
    QuarantineView, RefusalCode, SessionState, SessionView, SourceName, UnixSeconds,
};
use igra_group::{ConfigDigest, Group, GroupId, MemberIndex, Network, Sompi, TransportId};
use igra_tx::{EventKey, Outpoint, ProposalId, Tag, TransactionId};
use serde::Serialize;

/// Who this signer is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    pub member: String,
    pub public_key: String,
    pub transport_id: TransportId,
    pub network: Network,
    pub group: GroupId,
    /// Where to pay the group.
    pub address: String,
    pub version: &'static str,
    /// Names of the members in script order.
    #[serde(skip)]
    names: Vec<String>,
}

impl Identity {
    /// Of a member of a group; `None` if it has no such member.
    pub fn new(group: &Group, me: MemberIndex) -> Option<Self> {
        let member = group.member(me)?;
        Some(Self {
            member: member.name.clone(),
            public_key: member.key.to_string(),
            transport_id: member.transport,
            network: group.network(),
            group: group.id(),
            address: group.wallet().address().to_string(),
            version: env!("CARGO_PKG_VERSION"),
            names: group.members().iter().map(|member| member.name.clone()).collect(),
        })
    }

    fn name(&self, index: MemberIndex) -> String {
        self.names.get(usize::from(index.0)).cloned().unwrap_or_else(|| index.0.to_string())
    }

    fn names(&self, indices: &[MemberIndex]) -> Vec<String> {
        indices.iter().map(|index| self.name(*index)).collect()
    }
}

/// The answer to a sent event.
#[derive(Debug, Serialize)]
pub struct Receipt {
    pub event: EventKey,
    pub state: SessionState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<TransactionId>,
}

/// A page of events.
#[derive(Debug, Serialize)]
pub struct Page {
    pub events: Vec<EventAnswer>,
    /// What to give as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<EventKey>,
}

/// One event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventAnswer {
    event: EventKey,
    state: SessionState,
    source: Option<SourceName>,
    amount_sompi: Option<String>,
    recipient: Option<String>,
    memo: Option<String>,
    first_seen: Option<UnixSeconds>,
    deadline: Option<UnixSeconds>,
    denial: Option<Denial>,
    blocked: Option<String>,
    proposal: Option<ProposalId>,
    transaction: Option<TransactionId>,
    approvals: Vec<String>,
    partials: Vec<String>,
    own_approvals: Vec<ProposalId>,
    refusals: Vec<RefusalAnswer>,
    missing_coins: Vec<String>,
    accepted_daa: Option<u64>,
    depth: Option<u64>,
}

#[derive(Debug, Serialize)]
struct RefusalAnswer {
    member: String,
    code: RefusalCode,
}

/// The group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupAnswer {
    group: GroupId,
    network: Network,
    address: String,
    member: String,
    threshold: u8,
    quorum: u8,
    members: Vec<MemberAnswer>,
    config_digest: ConfigDigest,
    policy_digest: igra_core::PolicyDigest,
    epoch: u64,
    promise: u64,
    view: u64,
    proposer: String,
    node_synced: bool,
    virtual_daa: u64,
    balance_sompi: String,
    coins: usize,
    spendable_sompi: String,
    live_sessions: usize,
    held_sessions: usize,
    final_events: usize,
    stopped: bool,
    /// Why it stopped.
    halt: Option<Halt>,
    /// Why its store may have lost promises, and what the washing waits for.
    quarantine: Option<QuarantineView>,
    /// What the group's transactions carry for members in quarantine.
    tags: BTreeSet<Tag>,
    /// The group whose coins move here, and what a signer that promises nothing yet waits for.
    predecessor: Option<PredecessorView>,
    /// What administrators took upon themselves.
    interventions: Vec<Intervention>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberAnswer {
    index: MemberIndex,
    name: String,
    up: bool,
    view: u64,
    epoch: u64,
    promise: u64,
    config_digest: Option<ConfigDigest>,
    policy_digest: Option<igra_core::PolicyDigest>,
    version: Option<String>,
    equivocations: Vec<Equivocation>,
}

impl EventAnswer {
    pub fn new(view: SessionView, identity: &Identity) -> Self {
        let SessionView {
            event,
            state,
            source,
            amount,
            recipient,
            memo,
            first_seen,
            deadline,
            denial,
            blocked,
            proposal,
            transaction,
            approvals,
            partials,
            own_approvals,
            refusals,
            missing_coins,
            accepted_daa,
            depth,
        } = view;
        let refusal = |(member, code)| RefusalAnswer { member: identity.name(member), code };
        Self {
            event,
            state,
            source,
            amount_sompi: amount.map(sompi),
            memo,
            first_seen,
            deadline,
            denial: denial.map(|denial| legible(denial, recipient.as_deref())),
            recipient,
            blocked,
            proposal,
            transaction,
            approvals: identity.names(&approvals),
            partials: identity.names(&partials),
            own_approvals,
            refusals: refusals.into_iter().map(refusal).collect(),
            missing_coins: missing_coins.iter().map(Outpoint::to_string).collect(),
            accepted_daa,
            depth,
        }
    }
}

impl GroupAnswer {
    pub fn new(view: GroupView, identity: &Identity) -> Self {
        let GroupView {
            group,
            address,
            me,
            threshold,
            quorum,
            members,
            config,
            policy,
            epoch,
            promise,
            view,
            proposer,
            node_synced,
            virtual_daa,
            balance,
            coins,
            spendable,
            live_sessions,
            held_sessions,
            final_events,
            stopped,
            halt,
            quarantine,
            tags,
            predecessor,
            interventions,
        } = view;
        Self {
            group,
            network: identity.network,
            address,
            member: identity.name(me),
            threshold,
            quorum,
            members: members.into_iter().map(MemberAnswer::new).collect(),
            config_digest: config,
            policy_digest: policy,
            epoch,
            promise,
            view,
            proposer: identity.name(proposer),
            node_synced,
            virtual_daa,
            balance_sompi: sompi(balance),
            coins,
            spendable_sompi: sompi(spendable),
            live_sessions,
            held_sessions,
            final_events,
            stopped,
            halt,
            quarantine,
            tags,
            predecessor,
            interventions,
        }
    }
}

impl MemberAnswer {
    fn new(view: MemberView) -> Self {
        let MemberView { index, name, up, view, epoch, promise, config, policy, software, equivocations } =
            view;
        Self {
            index,
            name,
            up,
            view,
            epoch,
            promise,
            config_digest: config,
            policy_digest: policy,
            version: software,
            equivocations,
        }
    }
}

/// The core knows scripts only; people know addresses.
pub fn legible(denial: Denial, recipient: Option<&str>) -> Denial {
    match (denial.code, recipient) {
        (DenialCode::DestinationNotAllowed, Some(address)) => Denial { actual: address.to_owned(), ..denial },
        (_, _) => denial,
    }
}

fn sompi(amount: Sompi) -> String {
    amount.0.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_destination_is_shown_as_an_address_and_other_denials_stay() {
        let denial =
            |code| Denial { code, rule: String::new(), actual: "20ab".to_owned(), allowed: String::new() };
        let shown = |code, address| legible(denial(code), address).actual;
        assert_eq!(shown(DenialCode::DestinationNotAllowed, Some("kaspasim:qq")), "kaspasim:qq");
        assert_eq!(shown(DenialCode::DestinationNotAllowed, None), "20ab");
        assert_eq!(shown(DenialCode::VolumeExceeded, Some("kaspasim:qq")), "20ab");
    }
}
