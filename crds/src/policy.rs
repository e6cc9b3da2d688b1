//! GroupPolicy. Amounts are KAS in quotes, durations texts such as `24h`; the operator renders sompi and seconds.

// Clippy takes the like parts of two printer columns for one attribute given twice.
#![allow(clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{GroupPolicyStatus, rules};

/// What a group may pay, and who may ask.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "igra.dev",
    version = "v1alpha1",
    kind = "GroupPolicy",
    plural = "grouppolicies",
    namespaced,
    status = "GroupPolicyStatus",
    derive = "PartialEq",
    shortname = "gpol",
    category = "igra",
    doc = "What a group may pay, and who may ask",
    printcolumn(
        name = "Max",
        type_ = "string",
        json_path = ".spec.amount.max",
        description = "KAS per payment"
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = rules::source_approvers_exist())]
#[serde(rename_all = "camelCase")]
pub struct GroupPolicySpec {
    /// Bounds of each payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountSpec>,
    /// How much may be paid within a window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<VolumeSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destinations: Option<DestinationsSpec>,
    /// Where payment events may come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sources: Vec<SourceSpec>,
    /// Whose signatures count, for the sources that name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]), validation = rules::unique_approver_keys())]
    pub approvers: Vec<ApproverSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<FeeSpec>,
    /// How many payments share a transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchSpec>,
    /// When many coins of the group are made one; never, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consolidate: Option<ConsolidateSpec>,
    /// The address of the group that takes over. As soon as a signer sees it, it pays nothing more and moves all coins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 90))]
    pub successor: Option<String>,
    /// What sweeps, consolidations and moves may cost together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_fees: Option<InternalFeesSpec>,
}

/// Both inclusive, in KAS.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::min_at_most_max())]
pub struct AmountSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = rules::kas("min"))]
    pub min: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = rules::kas("max"))]
    pub max: Option<String>,
}

#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeSpec {
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
    pub window: WindowSpec,
    /// KAS.
    #[schemars(length(max = 20))]
    #[x_kube(validation = rules::kas("limit"))]
    pub limit: String,
    pub scope: ScopeName,
}

/// Exactly one of the two.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::one_window())]
#[serde(rename_all = "camelCase")]
pub struct WindowSpec {
    /// A window that rolls, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31_536_000))]
    pub seconds: Option<u32>,
    /// From midnight to midnight, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_day: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ScopeName {
    Group,
    Source,
    Destination,
}

#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DestinationsSpec {
    /// Addresses that may be paid. Absent or empty: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 90)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = rules::addresses())]
    pub allow: Vec<String>,
}

#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceSpec {
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
    /// How long after it was first seen an event may still be approved first.
    #[serde(default = "default_deadline")]
    #[schemars(length(max = 24))]
    #[x_kube(validation = rules::duration("deadline"))]
    pub deadline: String,
    pub api: ApiSourceSpec,
}

/// Signed requests through the API.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::approvals_at_most_approvers())]
#[x_kube(validation = rules::approvals_or_trust())]
#[x_kube(validation = rules::trust_or_approvals())]
#[serde(rename_all = "camelCase")]
pub struct ApiSourceSpec {
    /// Names of the policy's approvers.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(max = 40)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub approvers: Vec<String>,
    /// How many of them must sign.
    #[serde(default)]
    #[schemars(range(min = 0, max = 32))]
    pub approvals: u8,
    /// For development: a member's authenticated API stands for the approvals. Not with approvals, not on mainnet, and
    /// not with an API that is open to everyone.
    #[serde(default)]
    pub trust_ingress: bool,
}

#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApproverSpec {
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
    pub scheme: ApproverSchemeName,
    /// 64 digits of lower-case hex in both schemes.
    #[schemars(length(max = 64))]
    #[x_kube(validation = rules::hex64("publicKey"))]
    pub public_key: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApproverSchemeName {
    Schnorr,
    Ed25519,
}

#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_sompi_per_gram: Option<u32>,
    /// KAS per transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = rules::kas("max"))]
    pub max: Option<String>,
    /// How long the node may ask for a higher fee rate than a submitted transaction pays before the fee is raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    #[x_kube(validation = rules::duration("replaceAfter"))]
    pub replace_after: Option<String>,
}

#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchSpec {
    /// Payments in one transaction at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub most: Option<u8>,
    /// How long a payment may wait for company, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 600_000))]
    pub wait_ms: Option<u32>,
}

#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsolidateSpec {
    /// At least so many coins can be spent.
    #[schemars(range(min = 8, max = 1_000_000))]
    pub coins: u32,
    /// The node asks for no higher fee rate than this.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_sompi_per_gram: u32,
}

#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InternalFeesSpec {
    /// KAS.
    #[schemars(length(max = 20))]
    #[x_kube(validation = rules::kas("max"))]
    pub max: String,
    /// A window that rolls.
    #[schemars(length(max = 24))]
    #[x_kube(validation = rules::duration("window"))]
    pub window: String,
}

fn default_deadline() -> String {
    "24h".to_owned()
}
