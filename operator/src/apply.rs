//! Writing: server-side apply where something differs, and deletion of what a group no longer needs.

use std::{collections::BTreeMap, fmt::Debug, future::Future};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Error, FIELD_MANAGER,
    build::{ADOPT, GROUP_LABEL, Intent, Kind, MANAGED_BY, MANAGED_BY_LABEL},
    differ,
    fetch::Cache,
    metrics::Metrics,
    validate::ValidGroup,
};

/// What became of one intent.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    pub uid: String,
    /// Where the object still differs after it was applied: somebody else put fields there that an apply leaves alone.
    pub foreign: Option<String>,
}

pub(crate) struct Applier<'a> {
    pub client: &'a Client,
    pub cache: &'a Cache,
    pub metrics: &'a Metrics,
    pub group: &'a ValidGroup,
}

impl Applier<'_> {
    /// Makes the object what the intent says; no request where it is that already.
    pub async fn apply(&self, intent: &Intent) -> Result<Applied, Error> {
        let live = self.cache.object(intent.kind, &self.group.namespace, &intent.name);
        match live {
            Some(live) => {
                self.refuse_foreign(intent, &live)?;
                if differ::is_applied(&intent.object, &as_json(intent.kind, &live)) {
                    return Ok(Applied { uid: uid_of(&live), foreign: None });
                }
            }
            None => self.refuse_unseen(intent).await?,
        }
        self.write(intent).await
    }

    /// The UID of an object of the group's that is there, whatever its fields are.
    pub fn uid(&self, intent: &Intent) -> Option<String> {
        let live = self.cache.object(intent.kind, &self.group.namespace, &intent.name)?;
        self.refuse_foreign(intent, &live).is_ok().then(|| uid_of(&live))
    }

    /// What each claim asks for now, by its name.
    pub fn claim_sizes(&self) -> BTreeMap<String, String> {
        let claims = self.cache.objects(Kind::PersistentVolumeClaim, &self.group.namespace, &self.group.name);
        let size = |claim: &DynamicObject| {
            let size = claim.data.pointer("/spec/resources/requests/storage")?.as_str()?;
            Some((claim.metadata.name.clone()?, size.to_owned()))
        };
        claims.iter().filter_map(|claim| size(claim)).collect()
    }

    /// Deletes what carries the group's label, is owned by this very group and is not wanted any more. Claims are never
    /// owned.
    pub async fn prune(&self, wanted: &[Intent]) -> Result<(), Error> {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_owned()) {
            for object in self.cache.objects(kind, &self.group.namespace, &self.group.name) {
                let name = object.metadata.name.clone().unwrap_or_default();
                let is_wanted = wanted.iter().any(|intent| intent.kind == kind && intent.name == name);
                if !is_wanted && self.owns(&object) && object.metadata.deletion_timestamp.is_none() {
                    self.delete(kind, &name, &object).await?;
                }
            }
        }
        Ok(())
    }

    async fn write(&self, intent: &Intent) -> Result<Applied, Error> {
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&intent.object);
        let what = format!("could not apply {} {}", intent.kind.as_str(), intent.name);
        let written = request(what, self.api(intent.kind).patch(&intent.name, &parameters, &patch)).await?;
        self.metrics.write(intent.kind);
        tracing::info!(group = %self.group.name, namespace = %self.group.namespace, kind = intent.kind.as_str(), name = %intent.name, "applied");
        Ok(Applied {
            uid: uid_of(&written),
            foreign: differ::first_difference(&intent.object, &as_json(intent.kind, &written)),
        })
    }

    async fn delete(&self, kind: Kind, name: &str, object: &DynamicObject) -> Result<(), Error> {
        let same = Preconditions { uid: object.metadata.uid.clone(), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(same), ..DeleteParams::background() };
        let what = format!("could not delete {} {name}", kind.as_str());
        match request(what, self.api(kind).delete(name, &parameters)).await {
            Ok(_) => {
                self.metrics.write(kind);
                tracing::info!(group = %self.group.name, kind = kind.as_str(), name, "deleted");
                Ok(())
            }
            Err(Error::Request { source, .. }) if is_not_found(&source) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// An object that our cache does not hold may be somebody else's, which an apply would take over.
    async fn refuse_unseen(&self, intent: &Intent) -> Result<(), Error> {
        let what = format!("could not look for {} {}", intent.kind.as_str(), intent.name);
        let found = request(what, self.api(intent.kind).get_metadata_opt(&intent.name)).await?;
        let Some(found) = found else { return Ok(()) };
        let ours = if intent.kind.is_owned() {
            is_labelled(&found.metadata, &self.group.name)
        } else {
            is_of_group(&found.metadata, &self.group.name)
        };
        self.refuse_unless(ours, intent)
    }

    fn refuse_foreign(&self, intent: &Intent, live: &DynamicObject) -> Result<(), Error> {
        let ours = if intent.kind.is_owned() {
            // Without any controller it lost its reference by a foreign hand, and the next apply puts it back.
            controller(live).is_none() || self.owns(live)
        } else {
            is_of_group(&live.metadata, &self.group.name)
        };
        self.refuse_unless(ours, intent)
    }

    fn refuse_unless(&self, ours: bool, intent: &Intent) -> Result<(), Error> {
        if ours { Ok(()) } else { Err(Error::ForeignOwner { kind: intent.kind, name: intent.name.clone() }) }
    }

    /// Whether the object's controller is this group: not one of the same name that was there before.
    fn owns(&self, object: &DynamicObject) -> bool {
        controller(object).is_some_and(|owner| owner.uid == self.group.owner.uid)
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.group.namespace, &kind.api_resource())
    }
}

/// Writes the status of an object of ours.
pub(crate) async fn write_status<K>(client: &Client, object: &K, status: &impl Serialize) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let name = object.name_any();
    let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let body = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name},
        "status": status,
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let what = format!("could not write the status of {} {name}", K::kind(&()));
    request(what, api.patch_status(&name, &parameters, &Patch::Apply(&body))).await.map(drop)
}

/// A request with a time limit, told with what it was for.
pub(crate) async fn request<T>(
    what: String,
    answer: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(Error::REQUEST_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(Error::Request { what, source: Box::new(source) }),
        Err(_) => Err(Error::Timeout { what }),
    }
}

fn controller(object: &DynamicObject) -> Option<&OwnerReference> {
    let owners = object.metadata.owner_references.as_deref().unwrap_or_default();
    owners.iter().find(|owner| owner.controller == Some(true))
}

/// Whether a claim, which has no owner, is of the group of this name: by its labels, by our own earlier apply under the
/// name that is the group's alone, or by the word of whoever wants it taken over.
fn is_of_group(claim: &ObjectMeta, group: &str) -> bool {
    let adopted = claim.annotations.as_ref().and_then(|all| all.get(ADOPT)).is_some_and(|by| by == group);
    let managers = claim.managed_fields.as_deref().unwrap_or_default();
    let applied = managers.iter().any(|entry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply")
    });
    is_labelled(claim, group) || applied || adopted
}

fn is_labelled(object: &ObjectMeta, group: &str) -> bool {
    let label = |name: &str| object.labels.as_ref()?.get(name).map(String::as_str);
    label(MANAGED_BY_LABEL) == Some(MANAGED_BY) && label(GROUP_LABEL) == Some(group)
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

fn uid_of(object: &DynamicObject) -> String {
    object.metadata.uid.clone().unwrap_or_default()
}

fn as_json(kind: Kind, object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).expect("a Kubernetes object is JSON");
    // Items of a list come without these two.
    let resource = kind.api_resource();
    value["apiVersion"] = resource.api_version.into();
    value["kind"] = resource.kind.into();
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_is_the_groups_by_labels_by_our_apply_or_by_adoption() {
        let labels = |group: &str| json!({"labels": {MANAGED_BY_LABEL: MANAGED_BY, GROUP_LABEL: group}});
        let applied = |manager: &str, operation: &str| json!({"managedFields": [{"manager": manager, "operation": operation}]});
        for (metadata, ours) in [
            (json!({}), false),
            (labels("treasury"), true),
            (labels("other"), false),
            (json!({"labels": {GROUP_LABEL: "treasury"}}), false),
            (json!({"annotations": {ADOPT: "treasury"}}), true),
            (json!({"annotations": {ADOPT: "other"}}), false),
            (applied(FIELD_MANAGER, "Apply"), true),
            (applied(FIELD_MANAGER, "Update"), false),
            (applied("kubectl", "Apply"), false),
        ] {
            let claim: ObjectMeta = serde_json::from_value(metadata.clone()).unwrap();
            assert_eq!(is_of_group(&claim, "treasury"), ours, "{metadata}");
        }
    }
}
