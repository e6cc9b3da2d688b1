//! What people and programs may see of a coordinator: plain values for the API.

use igra_group::{ConfigDigest, GroupId, MemberIndex, Sompi};
use igra_tx::{EventKey, ProposalId, TransactionId};
use serde::Serialize;

use crate::{Denial, PolicyDigest, RefusalCode, SessionState, SourceName, UnixSeconds};

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
}
