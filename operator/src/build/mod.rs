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
    ADMIN_PORT, ADOPT, API_PORT_NAME, CONFIG_HASH, GROUP_LABEL, MANAGED_BY, MANAGED_BY_LABEL, MEMBER_LABEL,
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

/// The claims of all local members. They come first, because a member's configuration names the UID of its claim. A
/// claim that is there already with a larger size, by its name in `sizes`, keeps it: claims cannot shrink.
pub fn claims(group: &ValidGroup, sizes: &BTreeMap<String, String>) -> Vec<Intent> {
    group
        .local_members()
        .map(|(member, local)| {
            intent(Kind::PersistentVolumeClaim, storage::claim(group, member, local, sizes))
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{samples, validate::validate};
    use serde_json::json;

    fn built(change: impl FnOnce(&mut Value)) -> Vec<Intent> {
        from(&samples::group(change), &samples::policy(|_| {}))
    }

    fn with_policy(change: impl FnOnce(&mut Value)) -> Vec<Intent> {
        from(&samples::group(|_| {}), &samples::policy(change))
    }

    fn from(group: &igra_crds::SignerGroup, policy: &igra_crds::GroupPolicy) -> Vec<Intent> {
        let valid = validate(group, Some(policy), "signer:1").unwrap();
        let volumes = BTreeMap::from([("alpha".to_owned(), "claim-uid".to_owned())]);
        claims(&valid, &BTreeMap::new()).into_iter().chain(objects(&valid, &volumes)).collect()
    }

    fn one(intents: &[Intent], kind: Kind, name: &str) -> Value {
        let found = intents.iter().find(|intent| intent.kind == kind && intent.name == name);
        found.unwrap_or_else(|| panic!("no {kind:?} {name}")).object.clone()
    }

    fn restart_hash(intents: &[Intent]) -> Value {
        one(intents, Kind::StatefulSet, "treasury-alpha")["spec"]["template"]["metadata"]["annotations"]
            .clone()
    }

    #[test]
    fn a_pod_meets_pod_security_restricted() {
        let pod =
            one(&built(|_| {}), Kind::StatefulSet, "treasury-alpha")["spec"]["template"]["spec"].clone();
        let container = &pod["containers"][0];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
        assert_eq!(container["terminationMessagePolicy"], "FallbackToLogsOnError");
        assert_eq!(container["args"], json!(["run", "--config", "/etc/igra/config/config.yaml"]));
    }

    #[test]
    fn a_key_is_mounted_by_its_member_alone() {
        for member in ["alpha", "beta", "gamma"] {
            let name = format!("treasury-{member}");
            let set = one(&built(|_| {}), Kind::StatefulSet, &name).to_string();
            for other in ["alpha", "beta", "gamma"] {
                let mounts = set.contains(&format!("\"secretName\":\"treasury-{other}\""));
                assert_eq!(mounts, member == other, "{member} and the key of {other}");
            }
        }
    }

    #[test]
    fn only_claims_are_without_an_owner() {
        for intent in built(|_| {}) {
            let owner = &intent.object["metadata"]["ownerReferences"][0];
            assert_eq!(
                owner["uid"] == "group-uid",
                intent.kind.is_owned(),
                "{:?} {}",
                intent.kind,
                intent.name
            );
            assert!(owner["blockOwnerDeletion"].is_null());
            assert_eq!(intent.object["metadata"]["namespace"], "money");
            assert!(intent.object["metadata"]["annotations"][differ::APPLIED].is_string());
        }
    }

    #[test]
    fn a_members_config_names_its_volume_and_its_peers() {
        let map = one(&built(|_| {}), Kind::ConfigMap, "treasury-alpha");
        let config = map["data"]["config.yaml"].as_str().unwrap();
        assert!(config.contains("volumeId: claim-uid"), "{config}");
        assert!(config.contains("treasury-beta-0.treasury-gossip.money.svc:31120"), "{config}");
        assert!(config.contains("tokensFile: /etc/igra/tokens/tokens.yaml"), "{config}");
    }

    #[test]
    fn only_what_a_signer_does_not_take_up_asks_for_a_restart() {
        let before = restart_hash(&built(|_| {}));
        let remote = |address: &str| {
            let intents = built(|group| {
                let member = group["spec"]["members"][2].as_object_mut().unwrap();
                member.remove("local");
                member.insert("remote".into(), json!({"addresses": [address]}));
            });
            restart_hash(&intents)
        };
        let other_node = built(|group| group["spec"]["kaspaNode"]["endpoints"] = json!(["grpc://other:1"]));
        let stopped_peer = built(|group| group["spec"]["members"][2]["local"]["suspend"] = json!(true));
        assert_ne!(before, restart_hash(&other_node));
        assert_ne!(before, remote("gamma.example.org:31120"));
        assert_ne!(remote("gamma.example.org:31120"), remote("gamma.example.org:31121"));
        assert_eq!(before, restart_hash(&stopped_peer));
        assert_eq!(before, restart_hash(&with_policy(|policy| policy["spec"]["amount"]["max"] = json!("2"))));
    }

    #[test]
    fn every_member_is_told_of_the_predecessor() {
        let intents = built(|group| {
            let key = |member: usize| group["spec"]["members"][member]["publicKey"].clone();
            let keys = [key(0), key(1)];
            group["spec"]["predecessor"] = json!({"threshold": 2, "publicKeys": keys});
        });
        for member in ["alpha", "beta", "gamma"] {
            let map = one(&intents, Kind::ConfigMap, &format!("treasury-{member}"));
            let config: Value = serde_yaml::from_str(map["data"]["config.yaml"].as_str().unwrap()).unwrap();
            assert_eq!(config["predecessor"]["threshold"], 2);
            assert_eq!(config["predecessor"]["publicKeys"].as_array().unwrap().len(), 2);
        }
    }

    #[test]
    fn of_a_secret_only_the_files_that_a_signer_reads_are_mounted() {
        let pod =
            one(&built(|_| {}), Kind::StatefulSet, "treasury-alpha")["spec"]["template"]["spec"].clone();
        let files = |volume: &str| {
            let all = pod["volumes"].as_array().unwrap();
            let found = all.iter().find(|found| found["name"] == volume).unwrap();
            found["secret"]["items"].clone()
        };
        let item = |file: &str| json!({"key": file, "path": file});
        assert_eq!(files("keys"), json!([item("signing.key"), item("transport.key")]));
        assert_eq!(files("tokens"), json!([item("tokens.yaml")]));
    }

    #[test]
    fn a_budget_keeps_the_quorum_and_counts_on_other_clusters() {
        let needed = |intents: &[Intent]| {
            one(intents, Kind::PodDisruptionBudget, "treasury")["spec"]["minAvailable"].clone()
        };
        let moved = built(|group| {
            let member = group["spec"]["members"][2].as_object_mut().unwrap();
            member.remove("local");
            member.insert("remote".into(), json!({"addresses": ["gamma.example.org:31120"]}));
        });
        assert_eq!((needed(&built(|_| {})), needed(&moved)), (json!(2), json!(1)));
        assert!(moved.iter().all(|intent| intent.name != "treasury-gamma"));
    }

    #[test]
    fn a_claim_grows_and_never_shrinks() {
        let valid = validate(&samples::group(|_| {}), Some(&samples::policy(|_| {})), "signer:1").unwrap();
        for (live, wanted) in [("512Mi", "1Gi"), ("1Gi", "1Gi"), ("5Gi", "5Gi")] {
            let sizes = BTreeMap::from([("treasury-alpha".to_owned(), live.to_owned())]);
            let claim = one(&claims(&valid, &sizes), Kind::PersistentVolumeClaim, "treasury-alpha");
            assert_eq!(claim["spec"]["resources"]["requests"]["storage"], wanted);
        }
    }

    #[test]
    fn a_suspended_member_has_no_pod() {
        let intents = built(|group| group["spec"]["members"][1]["local"]["suspend"] = json!(true));
        assert_eq!(one(&intents, Kind::StatefulSet, "treasury-beta")["spec"]["replicas"], 0);
        assert_eq!(one(&intents, Kind::StatefulSet, "treasury-alpha")["spec"]["replicas"], 1);
    }

    #[test]
    fn no_object_holds_an_empty_field() {
        fn look(value: &Value, path: &str) {
            match value {
                Value::Object(fields) => {
                    assert!(!fields.is_empty(), "{path}");
                    fields.iter().for_each(|(key, value)| look(value, &format!("{path}.{key}")));
                }
                Value::Array(items) => {
                    assert!(!items.is_empty(), "{path}");
                    items.iter().for_each(|item| look(item, path));
                }
                Value::Null => panic!("{path}"),
                Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        built(|_| {}).iter().for_each(|intent| look(&intent.object, &intent.name));
    }
}
