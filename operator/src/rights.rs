//! The rights that the operator uses, and which of them it lacks. The chart grants exactly these; a test compares.

use futures::{StreamExt, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams};

use crate::{Error, apply::request};

const READ: &[&str] = &["get", "list", "watch"];
const OWN: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
/// How many questions are open at the same time.
const AT_ONCE: usize = 8;

/// API group, resource (with its subresource after a slash) and verbs.
const USED: [(&str, &str, &[&str]); 12] = [
    ("igra.dev", "signergroups", READ),
    ("igra.dev", "grouppolicies", READ),
    ("igra.dev", "signergroups/status", &["patch"]),
    ("igra.dev", "grouppolicies/status", &["patch"]),
    ("apps", "statefulsets", OWN),
    ("", "services", OWN),
    ("", "configmaps", OWN),
    ("", "serviceaccounts", OWN),
    ("policy", "poddisruptionbudgets", OWN),
    // A claim holds a signer's promises: no right to delete one.
    ("", "persistentvolumeclaims", &["get", "list", "watch", "create", "patch"]),
    ("", "pods", READ),
    ("events.k8s.io", "events", &["create", "patch"]),
];

/// One right that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub group: &'static str,
    pub resource: &'static str,
    pub verb: &'static str,
}

/// Every right that the operator uses, in all namespaces.
pub fn used() -> impl Iterator<Item = Right> {
    USED.into_iter()
        .flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| Right { group, resource, verb }))
}

/// Those of them that the API server would not grant us.
pub async fn missing(client: &Client) -> Result<Vec<Right>, Error> {
    let asked: Vec<Result<Option<Right>, Error>> = stream::iter(used())
        .map(async |right| Ok((!is_granted(client, right).await?).then_some(right)))
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(asked.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

async fn is_granted(client: &Client, right: Right) -> Result<bool, Error> {
    let (resource, subresource) = match right.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (right.resource, None),
    };
    let question = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(right.group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(right.verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let what = "could not ask for our own rights".to_owned();
    let answer = request(what, api.create(&PostParams::default(), &question)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn the_chart_grants_what_is_used_and_nothing_else() {
        let documents = serde_yaml::Deserializer::from_str(include_str!("../../manifests/install.yaml"));
        let documents: Vec<Value> = documents.map(|one| Value::deserialize(one).unwrap()).collect();
        let role = documents.iter().find(|document| document["kind"] == "ClusterRole").unwrap();
        let used: BTreeSet<_> =
            used().map(|right| [right.group, right.resource, right.verb].map(str::to_owned)).collect();
        assert_eq!(granted(role), used);
    }

    fn granted(role: &Value) -> BTreeSet<[String; 3]> {
        let texts = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
        let mut granted = BTreeSet::new();
        for rule in role["rules"].as_array().unwrap() {
            assert!(rule["resourceNames"].is_null());
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        granted.insert([group.clone(), resource.clone(), verb]);
                    }
                }
            }
        }
        granted
    }
}
