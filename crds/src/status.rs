//! What the operator says about a group or a policy: conditions with a closed set of types and reasons, and a line for
//! each member.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignerGroupStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The wallet's identity, hex. Known from the specification alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// Where to pay the group. Known from the specification alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// m and n, as `2-of-3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerates: Option<Tolerates>,
    /// Ready local members of all local members, as `2/3`. What other clusters run is not seen from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_members: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// One line for each local member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 15))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub members: Vec<MemberStatus>,
}

/// How many members may fail, and how, before the group does.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tolerates {
    /// Members that may be stopped without stopping the group.
    pub stopped: u8,
    /// Members that may lie without a second payment.
    pub lying: u8,
}

#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    pub name: String,
    #[serde(default)]
    pub ready: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport_id: Option<String>,
    /// Why it is not ready, or what to know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupPolicyStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The conditions that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// The specification and its policy make a group that can be run.
    Valid,
    /// Enough members are ready to approve payments.
    Available,
    /// All local members are ready.
    Ready,
    /// This cluster alone cannot pay.
    TrustDistributed,
    /// No payment is made on the word of an API client alone.
    ApproversRequired,
    /// What the cluster holds is what the group asks for.
    Synced,
    /// The operator changes nothing.
    Paused,
    /// Of a GroupPolicy: its rules can be enforced.
    Accepted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

/// Why a condition is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Valid,
    InvalidSpec,
    InvalidPolicy,
    PolicyNotFound,
    NotSupportedYet,
    QuorumReady,
    BelowQuorum,
    RemoteMembersUnseen,
    AllMembersReady,
    MembersNotReady,
    Suspended,
    NothingDeployed,
    LocalMembersBelowThreshold,
    LocalMembersReachThreshold,
    EverySourceHasApprovers,
    TrustIngress,
    UpToDate,
    ForeignFields,
    ForeignOwner,
    ApplyFailed,
    Paused,
    NotPaused,
    Accepted,
}

impl ConditionType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "Valid",
            Self::Available => "Available",
            Self::Ready => "Ready",
            Self::TrustDistributed => "TrustDistributed",
            Self::ApproversRequired => "ApproversRequired",
            Self::Synced => "Synced",
            Self::Paused => "Paused",
            Self::Accepted => "Accepted",
        }
    }
}

impl ConditionStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "Valid",
            Self::InvalidSpec => "InvalidSpec",
            Self::InvalidPolicy => "InvalidPolicy",
            Self::PolicyNotFound => "PolicyNotFound",
            Self::NotSupportedYet => "NotSupportedYet",
            Self::QuorumReady => "QuorumReady",
            Self::BelowQuorum => "BelowQuorum",
            Self::RemoteMembersUnseen => "RemoteMembersUnseen",
            Self::AllMembersReady => "AllMembersReady",
            Self::MembersNotReady => "MembersNotReady",
            Self::Suspended => "Suspended",
            Self::NothingDeployed => "NothingDeployed",
            Self::LocalMembersBelowThreshold => "LocalMembersBelowThreshold",
            Self::LocalMembersReachThreshold => "LocalMembersReachThreshold",
            Self::EverySourceHasApprovers => "EverySourceHasApprovers",
            Self::TrustIngress => "TrustIngress",
            Self::UpToDate => "UpToDate",
            Self::ForeignFields => "ForeignFields",
            Self::ForeignOwner => "ForeignOwner",
            Self::ApplyFailed => "ApplyFailed",
            Self::Paused => "Paused",
            Self::NotPaused => "NotPaused",
            Self::Accepted => "Accepted",
        }
    }
}

/// A condition as of `now`; the caller keeps the older time where the status is the same.
pub fn condition(
    type_: ConditionType,
    status: ConditionStatus,
    reason: Reason,
    message: impl Into<String>,
    generation: Option<i64>,
    now: Time,
) -> Condition {
    Condition {
        type_: type_.as_str().to_owned(),
        status: status.as_str().to_owned(),
        reason: reason.as_str().to_owned(),
        message: message.into(),
        observed_generation: generation,
        last_transition_time: now,
    }
}
