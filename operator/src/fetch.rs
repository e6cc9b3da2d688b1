//! Caches of everything a group is made of, each filled by a watch of its own with a back-off of its own, so that one
//! that fails cannot hold the others up. What changes is told as the name of the group to look at.

use std::{collections::BTreeMap, fmt::Debug, hash::Hash, sync::Arc};

use futures::{SinkExt, StreamExt, channel::mpsc::Sender};
use igra_crds::{GroupPolicy, SignerGroup};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::DynamicObject,
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store, store::Writer},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{
    FIELD_MANAGER,
    build::{GROUP_LABEL, Kind, MANAGED_BY, MANAGED_BY_LABEL, MEMBER_LABEL},
    metrics::Metrics,
};

/// What the watches know.
pub(crate) struct Cache {
    policies: Store<GroupPolicy>,
    pods: Store<Pod>,
    objects: BTreeMap<Kind, Store<DynamicObject>>,
}

impl Cache {
    /// Starts all watches in `tasks`; each one tells changes to `changed`.
    pub fn start(
        client: &Client,
        groups: &Store<SignerGroup>,
        changed: &Sender<ObjectRef<SignerGroup>>,
        metrics: &Arc<Metrics>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let watch = Watch { changed: changed.clone(), metrics: metrics.clone() };
        let policies = Writer::new(());
        let pods = Writer::new(());
        let cache = Self { policies: policies.as_reader(), pods: pods.as_reader(), objects: BTreeMap::new() };
        let groups = groups.clone();
        let users = move |policy: &GroupPolicy| users_of(&groups, policy);
        tasks.spawn(watch.clone().run(
            "GroupPolicy",
            Api::all(client.clone()),
            watch_config(),
            policies,
            slim_all,
            users,
        ));
        let of_groups = watch_config().labels(GROUP_LABEL);
        tasks.spawn(watch.clone().run("Pod", Api::all(client.clone()), of_groups, pods, slim_pod, group_of));
        let objects = Kind::ALL.into_iter().map(|kind| {
            let resource = kind.api_resource();
            let writer = Writer::new(resource.clone());
            let store = writer.as_reader();
            let api = Api::all_with(client.clone(), &resource);
            let ours = watch_config().labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}"));
            tasks.spawn(watch.clone().run(kind.as_str(), api, ours, writer, slim_object, group_of));
            (kind, store)
        });
        Self { objects: objects.collect(), ..cache }
    }

    /// Returns once every cache has been filled.
    pub async fn filled(&self) {
        // A writer that is gone means that we are shutting down.
        let _ = self.policies.wait_until_ready().await;
        let _ = self.pods.wait_until_ready().await;
        for store in self.objects.values() {
            let _ = store.wait_until_ready().await;
        }
    }

    pub fn policy(&self, namespace: &str, name: &str) -> Option<Arc<GroupPolicy>> {
        self.policies.get(&ObjectRef::new(name).within(namespace))
    }

    /// Pods of the group by member; of two of the same member the younger.
    pub fn pods(&self, namespace: &str, group: &str) -> BTreeMap<String, Arc<Pod>> {
        let mut pods = self.pods.state_filter(|pod: &Pod| {
            pod.metadata.namespace.as_deref() == Some(namespace) && label(pod, GROUP_LABEL) == Some(group)
        });
        pods.sort_by_key(|pod| pod.metadata.creation_timestamp.clone());
        pods.into_iter().filter_map(|pod| Some((label(&*pod, MEMBER_LABEL)?.to_owned(), pod))).collect()
    }

    pub fn object(&self, kind: Kind, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        self.objects.get(&kind)?.get(&ObjectRef::new_with(name, kind.api_resource()).within(namespace))
    }

    /// All objects of a kind that carry the group's label.
    pub fn objects(&self, kind: Kind, namespace: &str, group: &str) -> Vec<Arc<DynamicObject>> {
        let Some(store) = self.objects.get(&kind) else { return Vec::new() };
        store.state_filter(|object: &DynamicObject| {
            object.metadata.namespace.as_deref() == Some(namespace)
                && label(object, GROUP_LABEL) == Some(group)
        })
    }
}

/// How everything is watched. Balancers commonly cut what is silent for 240 s, so no watch lasts as long.
pub(crate) fn watch_config() -> watcher::Config {
    watcher::Config::default().timeout(200)
}

#[derive(Clone)]
struct Watch {
    changed: Sender<ObjectRef<SignerGroup>>,
    metrics: Arc<Metrics>,
}

impl Watch {
    async fn run<K>(
        mut self,
        kind: &'static str,
        api: Api<K>,
        config: watcher::Config,
        writer: Writer<K>,
        slim: impl Fn(&mut K) + Send,
        groups: impl Fn(&K) -> Vec<ObjectRef<SignerGroup>> + Send,
    ) where
        K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
        K::DynamicType: Clone + Eq + Hash,
    {
        let events = watcher(api, config).default_backoff().modify(slim).reflect(writer).touched_objects();
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(object) => {
                    for group in groups(&object) {
                        // Only a receiver that is gone fails, and then nobody wants to know any more.
                        let _ = self.changed.send(group).await;
                    }
                }
                Err(error) => {
                    self.metrics.watch_error(kind);
                    tracing::warn!(kind, %error, "watch broke and is started again");
                }
            }
        }
    }
}

/// What nobody reads takes most of an object's room.
fn slim_all<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}

/// Keeps of the specification which container runs which image.
fn slim_pod(pod: &mut Pod) {
    slim_all(pod);
    let containers = pod.spec.take().map(|spec| spec.containers).unwrap_or_default();
    let slim = |container: Container| Container {
        name: container.name,
        image: container.image,
        ..Container::default()
    };
    let containers = containers.into_iter().map(slim).collect();
    pod.spec = Some(PodSpec { containers, ..PodSpec::default() });
}

/// Keeps of the managed fields that our own apply is among them, and no status.
fn slim_object(object: &mut DynamicObject) {
    let mut entries = object.metadata.managed_fields.take().unwrap_or_default();
    entries.retain(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    for entry in &mut entries {
        entry.fields_v1 = None;
    }
    object.metadata.managed_fields = Some(entries);
    if let Value::Object(data) = &mut object.data {
        data.remove("status");
    }
}

fn group_of<K: Resource>(object: &K) -> Vec<ObjectRef<SignerGroup>> {
    let meta = object.meta();
    let name = meta.labels.as_ref().and_then(|labels| labels.get(GROUP_LABEL));
    let group = name.zip(meta.namespace.as_ref());
    group.map(|(name, namespace)| ObjectRef::new(name).within(namespace)).into_iter().collect()
}

fn users_of(groups: &Store<SignerGroup>, policy: &GroupPolicy) -> Vec<ObjectRef<SignerGroup>> {
    let uses = |group: &SignerGroup| {
        group.namespace() == policy.namespace() && group.spec.policy_ref.name == policy.name_any()
    };
    groups.state_filter(uses).iter().map(|group| ObjectRef::from_obj(&**group)).collect()
}

fn label<'a, K: Resource>(object: &'a K, name: &str) -> Option<&'a str> {
    object.meta().labels.as_ref()?.get(name).map(String::as_str)
}
