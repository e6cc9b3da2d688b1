//! SignerGroup.

// Clippy takes the like parts of two printer columns for one attribute given twice.
#![allow(clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{SignerGroupStatus, rules};

/// An m-of-n Kaspa multisig wallet and its signers.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "igra.dev",
    version = "v1alpha1",
    kind = "SignerGroup",
    namespaced,
    status = "SignerGroupStatus",
    derive = "PartialEq",
    shortname = "sg",
    category = "igra",
    doc = "An m-of-n Kaspa multisig wallet and its signers",
    selectable = ".spec.network",
    selectable = ".spec.policyRef.name",
    printcolumn(name = "Network", type_ = "string", json_path = ".spec.network"),
    printcolumn(
        name = "Threshold",
        type_ = "string",
        json_path = ".status.threshold",
        description = "signatures needed, of how many members"
    ),
    printcolumn(
        name = "Members",
        type_ = "string",
        json_path = ".status.readyMembers",
        description = "ready members of this cluster, of all members of this cluster"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.address"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Quorum", type_ = "integer", json_path = ".status.quorum", priority = 1)
)]
#[x_kube(validation = rules::threshold_at_most_members())]
#[x_kube(validation = rules::quorum_bounds())]
#[x_kube(validation = rules::mainnet_threshold())]
#[x_kube(validation = rules::key_length_of_scheme())]
#[x_kube(validation = rules::keys_differ_beyond_sign())]
#[x_kube(validation = rules::quorum_immutable())]
#[x_kube(validation = rules::node_for_every_local_member())]
#[x_kube(validation = rules::key_secrets_differ())]
#[x_kube(validation = rules::tokens_apart_from_keys())]
#[x_kube(validation = rules::depths_immutable())]
#[x_kube(validation = rules::predecessor_immutable())]
#[serde(rename_all = "camelCase")]
pub struct SignerGroupSpec {
    /// The Kaspa network of the wallet. Cannot be changed.
    #[x_kube(validation = rules::immutable("network"))]
    pub network: NetworkName,
    /// How the members sign. Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = rules::immutable("signatureScheme"))]
    pub signature_scheme: Scheme,
    /// m, the signatures that a payment needs. Cannot be changed.
    #[schemars(range(min = 1, max = 15))]
    #[x_kube(validation = rules::immutable("threshold"))]
    pub threshold: u8,
    /// q, the approvals that a payment needs before anyone signs; by default the larger of the threshold and a bare
    /// majority. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 15))]
    pub quorum: Option<u8>,
    /// All members, those of other clusters too. The address depends on them: they cannot be added, removed or renamed.
    #[schemars(length(min = 1, max = 15))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[x_kube(validation = rules::unique_in_members("publicKey"))]
    #[x_kube(validation = rules::unique_in_members("transportId"))]
    #[x_kube(validation = rules::members_fixed())]
    pub members: Vec<MemberSpec>,
    /// The GroupPolicy, in the same namespace, that every member of this cluster enforces.
    pub policy_ref: LocalRef,
    /// The Kaspa node of all local members that name none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kaspa_node: Option<KaspaNodeSpec>,
    /// The volume of each local member.
    #[serde(default)]
    pub storage: StorageSpec,
    /// The signer's image; by default the one the operator was installed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesSpec>,
    pub api: ApiSpec,
    #[serde(default)]
    pub gossip: GossipSpec,
    /// Cannot be changed: members that judge by different depths could pay an event twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depths: Option<DepthsSpec>,
    /// The group whose coins move to this one: its members sign nothing before they have, and pay nothing again that was
    /// paid there. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<PredecessorSpec>,
    /// While true, the operator changes nothing of the group but its status.
    #[serde(default)]
    pub paused: bool,
    /// While true, no local member runs.
    #[serde(default)]
    pub suspend: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkName {
    Mainnet,
    #[serde(rename = "testnet-10")]
    Testnet10,
    Devnet,
    Simnet,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    #[default]
    Schnorr,
    Ecdsa,
}

/// One member of the group, run by this cluster or by another.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::local_or_remote())]
#[serde(rename_all = "camelCase")]
pub struct MemberSpec {
    /// Lower-case letters and digits.
    #[schemars(length(min = 1, max = 15))]
    #[x_kube(validation = rules::member_name())]
    #[x_kube(validation = rules::member_name_free())]
    pub name: String,
    /// The public signing key in lower-case hex: 64 digits (x-only, schnorr), or 66 starting with 02 or 03 (ecdsa).
    #[schemars(length(max = 66))]
    #[x_kube(validation = rules::public_key_hex())]
    #[x_kube(validation = rules::immutable("publicKey"))]
    pub public_key: String,
    /// The member's address in gossip, 64 digits of lower-case hex, as `igra-signer keygen` prints it.
    #[schemars(length(max = 64))]
    #[x_kube(validation = rules::hex64("transportId"))]
    pub transport_id: String,
    /// Given where this cluster runs the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalMember>,
    /// Given where another cluster runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteMember>,
}

/// A member that this cluster runs.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalMember {
    /// Secret with the keys `signing.key` and `transport.key`, of this member alone. Only its pod mounts it; the
    /// operator cannot read it.
    pub key_secret_ref: LocalRef,
    /// Instead of the group's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kaspa_node: Option<KaspaNodeSpec>,
    /// Instead of the group's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesSpec>,
    /// Instead of the group's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSpec>,
    /// While true, this member does not run.
    #[serde(default)]
    pub suspend: bool,
}

/// A member that another cluster runs.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteMember {
    /// Where its gossip port is reached: `host:port`, the host a DNS name or an IP address.
    #[schemars(length(min = 1, max = 8), inner(length(max = 261)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = rules::host_ports())]
    pub addresses: Vec<String>,
}

/// Another object of the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalRef {
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
}

#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KaspaNodeSpec {
    /// `grpc://host:port`; the first that works is used.
    #[schemars(length(min = 1, max = 8), inner(length(max = 268)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = rules::endpoints())]
    pub endpoints: Vec<String>,
}

#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::storage_class_immutable())]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// Can grow where the storage class allows it, and never shrinks.
    #[serde(default = "default_storage_size")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = rules::quantity("size"))]
    #[x_kube(validation = rules::size_grows())]
    pub size: String,
    /// By default the cluster's default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
    /// ReadWriteOncePod keeps a second pod off the volume, and needs a driver that knows it.
    #[serde(default)]
    #[x_kube(validation = rules::immutable("accessMode"))]
    pub access_mode: AccessMode,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessMode {
    #[default]
    ReadWriteOncePod,
    ReadWriteOnce,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ImagePullPolicy {
    Always,
    IfNotPresent,
    Never,
}

/// What a signer's container asks for and is held to.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourcesSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceAmounts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceAmounts>,
}

#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceAmounts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = rules::quantity("cpu"))]
    pub cpu: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = rules::quantity("memory"))]
    pub memory: Option<String>,
}

/// The HTTP API of each member, and the Service in front of all of them.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::tokens_or_none())]
#[serde(rename_all = "camelCase")]
pub struct ApiSpec {
    /// Of the Service and of the pods.
    #[serde(default = "default_api_port")]
    #[schemars(range(min = 1024, max = 65535))]
    #[x_kube(validation = rules::not_the_admin_port())]
    pub port: u16,
    /// Secret with the key `tokens.yaml`: who may call the API, and for what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_secret_ref: Option<LocalRef>,
    /// `none` lets everyone call the API who reaches its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<ApiAuth>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApiAuth {
    None,
}

#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GossipSpec {
    /// UDP.
    #[serde(default = "default_gossip_port")]
    #[schemars(range(min = 1024, max = 65535))]
    pub port: u16,
}

/// Depths in DAA score, about ten a second.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::depths_rising())]
pub struct DepthsSpec {
    /// From which own change may be spent.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub coin: u64,
    /// From which a coin that came from outside may be spent.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub deposit: u64,
    /// From which an accepted payment is reported as settled.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub settled: u64,
    /// From which nothing is expected to be undone; on mainnet at least 36000.
    #[serde(rename = "final")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub final_: u64,
}

/// The wallet of another group on the same network.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PredecessorSpec {
    #[serde(default)]
    pub signature_scheme: Scheme,
    #[schemars(range(min = 1, max = 15))]
    pub threshold: u8,
    /// The public signing keys of all its members, in any order.
    #[schemars(length(min = 1, max = 15), inner(length(max = 66)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = rules::public_keys())]
    pub public_keys: Vec<String>,
}

impl DepthsSpec {
    /// What holds where none are given.
    pub const DEFAULT: Self = Self { coin: 100, deposit: 1_000, settled: 1_000, final_: 36_000 };
}

fn default_storage_size() -> String {
    "10Gi".to_owned()
}

fn default_api_port() -> u16 {
    8080
}

fn default_gossip_port() -> u16 {
    31120
}

impl Default for StorageSpec {
    fn default() -> Self {
        Self { size: default_storage_size(), storage_class_name: None, access_mode: AccessMode::default() }
    }
}

impl Default for GossipSpec {
    fn default() -> Self {
        Self { port: default_gossip_port() }
    }
}
