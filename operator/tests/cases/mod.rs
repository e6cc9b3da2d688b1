//! The cases, and the stage that they play on: a namespace each, the samples, an operator with the chart's rights.

mod fleet;
mod refusals;
mod repair;

use std::{fmt::Debug, future::Future, path::Path, pin::Pin, time::Instant};

use anyhow::{Context, Result, bail};
use igra_crds::{GroupPolicy, SignerGroup, definitions};
use k8s_openapi::{
    api::{
        core::v1::Namespace,
        rbac::v1::{ClusterRole, ClusterRoleBinding},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::server::{PATIENCE, Server};

pub type Case = for<'a> fn(&'a Stage) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// All cases by name, in the order in which they run.
pub fn all() -> Vec<(&'static str, Case)> {
    let mut cases = refusals::cases();
    cases.extend(fleet::cases());
    cases.extend(repair::cases());
    cases
}

pub struct Stage {
    /// May do everything.
    pub admin: Client,
    /// May do what the chart allows the operator.
    pub operator: Client,
    /// May do nothing.
    pub nobody: Client,
}

impl Stage {
    /// Definitions and rights, as the chart installs them.
    pub async fn prepare(server: &Server) -> Result<Self> {
        let stage = Self {
            admin: server.client("admin").await?,
            operator: server.client("operator").await?,
            nobody: server.client("nobody").await?,
        };
        for definition in definitions() {
            stage.apply_cluster_wide(&definition).await?;
        }
        for definition in definitions() {
            let name = definition.metadata.name.unwrap_or_default();
            stage.wait_for_definition(&name).await?;
        }
        stage.grant().await?;
        Ok(stage)
    }

    async fn wait_for_definition(&self, name: &str) -> Result<()> {
        let api: Api<CustomResourceDefinition> = Api::all(self.admin.clone());
        until(&format!("definition {name} to be served"), async || {
            let conditions =
                api.get(name).await?.status.and_then(|status| status.conditions).unwrap_or_default();
            let served = conditions.iter().any(|one| one.type_ == "Established" && one.status == "True");
            Ok(if served { Ok(()) } else { Err(conditions) })
        })
        .await
    }

    /// Gives the operator's user the rules of the rendered manifest, and no others.
    async fn grant(&self) -> Result<()> {
        let rendered = read_tree("manifests/install.yaml")?;
        let role = documents(&rendered)?.into_iter().find(|document| document["kind"] == "ClusterRole");
        let role: ClusterRole = serde_json::from_value(role.context("the manifest has no ClusterRole")?)?;
        let name = role.metadata.name.clone().context("the role has no name")?;
        self.apply_cluster_wide(&role).await?;
        let binding: ClusterRoleBinding = serde_json::from_value(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "operator"}],
        }))?;
        self.apply_cluster_wide(&binding).await
    }

    async fn apply_cluster_wide<K>(&self, object: &K) -> Result<()>
    where
        K: Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let api: Api<K> = Api::all(self.admin.clone());
        let name = object.meta().name.clone().context("an object without a name")?;
        api.patch(&name, &PatchParams::apply("tests").force(), &Patch::Apply(object)).await?;
        Ok(())
    }

    /// A namespace that lets in only pods which meet Pod Security *restricted*.
    pub async fn namespace(&self, name: &str) -> Result<Ground> {
        let namespace: Namespace = serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }))?;
        self.apply_cluster_wide(&namespace).await?;
        Ok(Ground { admin: self.admin.clone(), namespace: name.to_owned() })
    }

    /// Runs an operator while the case is played.
    pub async fn with_operator<T>(&self, case: impl Future<Output = Result<T>>) -> Result<T> {
        let options = igra_operator::Options { signer_image: "igra.dev/signer:test".to_owned(), admin: None };
        tokio::select! {
            played = case => played,
            ended = igra_operator::run(self.operator.clone(), options, std::future::pending()) => {
                bail!("the operator ended: {ended:?}")
            }
        }
    }
}

/// One namespace, seen by an administrator.
pub struct Ground {
    pub admin: Client,
    pub namespace: String,
}

impl Ground {
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    pub async fn create(&self, group: &Value) -> Result<SignerGroup> {
        Ok(self.api().create(&PostParams::default(), &serde_json::from_value(group.clone())?).await?)
    }

    pub async fn create_policy(&self, policy: &Value) -> Result<GroupPolicy> {
        Ok(self.api().create(&PostParams::default(), &serde_json::from_value(policy.clone())?).await?)
    }

    /// The samples, both.
    pub async fn create_samples(&self) -> Result<()> {
        self.create_policy(&sample("policy.yaml")?).await?;
        self.create(&sample("group.yaml")?).await?;
        Ok(())
    }

    pub async fn merge<K>(&self, name: &str, patch: Value) -> Result<K>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        Ok(self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?)
    }

    pub async fn delete_group(&self, name: &str) -> Result<()> {
        self.api::<SignerGroup>().delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until a condition of the group has this status and reason; gives the whole status as JSON.
    pub async fn condition(&self, group: &str, type_: &str, status: &str, reason: &str) -> Result<Value> {
        until(&format!("condition {type_}={status} with reason {reason}"), async || {
            let group: SignerGroup = self.api().get(group).await?;
            let all = serde_json::to_value(&group.status)?;
            let found = condition_of(&all, type_);
            let current =
                group.status.and_then(|status| status.observed_generation) == group.metadata.generation;
            Ok(if found["status"] == status && found["reason"] == reason && current {
                Ok(all)
            } else {
                Err(all)
            })
        })
        .await
    }
}

pub fn condition_of<'a>(status: &'a Value, type_: &str) -> &'a Value {
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == type_).unwrap_or(&Value::Null)
}

/// Asks until the answer is there, and tells the last one when it does not come.
pub async fn until<T, E: Debug>(what: &str, ask: impl AsyncFn() -> Result<Result<T, E>>) -> Result<T> {
    let start = Instant::now();
    loop {
        match ask().await? {
            Ok(answer) => return Ok(answer),
            Err(last) if start.elapsed() > PATIENCE => bail!("waited for {what}; last seen: {last:?}"),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

/// A file of manifests/samples as JSON.
pub fn sample(name: &str) -> Result<Value> {
    let mut documents = documents(&read_tree(&format!("manifests/samples/{name}"))?)?;
    documents.pop().with_context(|| format!("{name} is empty"))
}

fn documents(text: &str) -> Result<Vec<Value>> {
    let documents = serde_yaml::Deserializer::from_str(text);
    documents.map(|document| Ok(serde::Deserialize::deserialize(document)?)).collect()
}

fn read_tree(path: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))
}
