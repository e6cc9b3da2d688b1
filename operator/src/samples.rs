//! The samples of the tree, for unit tests.

use igra_crds::{GroupPolicy, SignerGroup};
use serde_json::Value;

/// `manifests/samples/group.yaml` with a namespace and a UID, changed by `change`.
pub(crate) fn group(change: impl FnOnce(&mut Value)) -> SignerGroup {
    let mut value = yaml(include_str!("../../manifests/samples/group.yaml"));
    value["metadata"]["namespace"] = "money".into();
    value["metadata"]["uid"] = "group-uid".into();
    value["metadata"]["generation"] = 7.into();
    change(&mut value);
    serde_json::from_value(value).expect("the change leaves a group")
}

/// `manifests/samples/policy.yaml`, changed by `change`.
pub(crate) fn policy(change: impl FnOnce(&mut Value)) -> GroupPolicy {
    let mut value = yaml(include_str!("../../manifests/samples/policy.yaml"));
    change(&mut value);
    serde_json::from_value(value).expect("the change leaves a policy")
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).expect("the samples are YAML")
}
