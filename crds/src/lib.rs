//! Igra's custom resources: [`SignerGroup`], an m-of-n wallet and its signers, and [`GroupPolicy`], what it may pay and
//! who may ask; their conditions and reasons, and the definitions that the API server gets.

mod group;
mod policy;
mod rules;
mod schema;
mod status;

pub use group::{
    AccessMode, ApiAuth, ApiSpec, DepthsSpec, GossipSpec, ImagePullPolicy, KaspaNodeSpec, LocalMember,
    LocalRef, MemberSpec, NetworkName, PredecessorSpec, RemoteMember, ResourceAmounts, ResourcesSpec, Scheme,
    SignerGroup, SignerGroupSpec, StorageSpec,
};
pub use policy::{
    AmountSpec, ApiSourceSpec, ApproverSchemeName, ApproverSpec, BatchSpec, ConsolidateSpec,
    DestinationsSpec, FeeSpec, GroupPolicy, GroupPolicySpec, InternalFeesSpec, ScopeName, SourceSpec,
    VolumeSpec, WindowSpec,
};
pub use schema::{definitions, generated_files};
pub use status::{
    ConditionStatus, ConditionType, GroupPolicyStatus, MemberStatus, Reason, SignerGroupStatus, Tolerates,
    condition,
};

/// API group of all our resources, and prefix of our labels and annotations.
pub const API_GROUP: &str = "igra.dev";
/// Longest name of a SignerGroup.
pub const GROUP_NAME_MAX: usize = 36;
/// Longest name of a member: with it `<group>-<member>` stays within the 52 characters that a StatefulSet may have.
pub const MEMBER_NAME_MAX: usize = 15;
/// What members cannot be called, because `<group>-<word>` is another object of the group.
pub const RESERVED_MEMBER_NAMES: [&str; 4] = ["api", "gossip", "node", "policy"];
