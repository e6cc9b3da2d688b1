//! From a [`ValidGroup`] to the objects it needs. Pure: no client, no clock.

mod config;
mod names;
mod network;
mod set;
mod storage;

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, PersistentVolumeClaim, Service, ServiceAccount},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Resource, core::ApiResource};
use serde::Serialize;
use serde_json::Value;

use crate::{differ, validate::ValidGroup};
pub use names::{
    ADMIN_PORT, API_PORT_NAME, CONFIG_HASH, GROUP_LABEL, MANAGED_BY, MANAGED_BY_LABEL, MEMBER_LABEL,
    SIGNER_CONTAINER, claim_name, config_name, group_labels, member_labels, pod_dns_name, set_name,
};

/// The kinds of objects that a group is made of, in the order in which they are written: what pods need comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    PersistentVolumeClaim,
    ServiceAccount,
    ConfigMap,
    Service,
    PodDisruptionBudget,
    StatefulSet,
}

/// One object as we want it.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    pub kind: Kind,
    pub name: String,
    /// The whole object as it is sent, with the annotation that holds the hash of the rest.
    pub object: Value,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::PersistentVolumeClaim,
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::PodDisruptionBudget,
        Self::StatefulSet,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::StatefulSet => "StatefulSet",
        }
    }

    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
        }
    }

    /// Whether objects of the kind belong to the group and go with it. A claim holds a signer's promises: nothing of
    /// ours ever deletes one.
    pub fn is_owned(self) -> bool {
        match self {
            Self::PersistentVolumeClaim => false,
            Self::ServiceAccount
            | Self::ConfigMap
            | Self::Service
            | Self::PodDisruptionBudget
            | Self::StatefulSet => true,
        }
    }
}

/// The claims of all local members. They come first, because a member's configuration names the UID of its claim.
pub fn claims(group: &ValidGroup) -> Vec<Intent> {
    group
        .local_members()
        .map(|(member, local)| intent(Kind::PersistentVolumeClaim, storage::claim(group, member, local)))
        .collect()
}

/// Everything but the claims; `volumes` holds the UID of each member's claim, by the member's name.
pub fn objects(group: &ValidGroup, volumes: &BTreeMap<String, String>) -> Vec<Intent> {
    let mut intents = vec![
        intent(Kind::Service, network::gossip_service(group)),
        intent(Kind::Service, network::api_service(group)),
    ];
    if group.local_members().next().is_some() {
        intents.push(intent(Kind::PodDisruptionBudget, network::budget(group)));
    }
    for (member, local) in group.local_members() {
        let files = config::files(group, member, local, volumes.get(&member.name).cloned());
        intents.push(intent(Kind::ServiceAccount, set::account(group, member)));
        intents.push(intent(Kind::ConfigMap, config::config_map(group, member, &files)));
        intents.push(intent(Kind::StatefulSet, set::stateful_set(group, member, local, &files.restart_hash)));
    }
    intents.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    intents
}

fn intent<K: Resource<DynamicType = ()> + Serialize>(kind: Kind, object: K) -> Intent {
    let name = object.meta().name.clone().expect("every object that is built has a name");
    let mut value = serde_json::to_value(&object).expect("a Kubernetes object is JSON");
    differ::sign(&mut value);
    Intent { kind, name, object: value }
}

/// Metadata of an object that goes with the group.
fn owned(group: &ValidGroup, name: String, labels: BTreeMap<String, String>) -> ObjectMeta {
    ObjectMeta { owner_references: Some(vec![group.owner.clone()]), ..unowned(group, name, labels) }
}

fn unowned(group: &ValidGroup, name: String, labels: BTreeMap<String, String>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(group.namespace.clone()),
        labels: Some(labels),
        ..ObjectMeta::default()
    }
}
