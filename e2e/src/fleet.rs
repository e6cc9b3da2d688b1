//! A group as an administrator makes one: keys by `igra-signer keygen`, Secrets, the samples with those keys, and
//! `kubectl apply`.

use anyhow::{Context, Result};
use igra_group::{Depths, Group, Member, MemberKey, Network, SignatureScheme};
use serde_json::Value;
use serde_yaml::Value as Yaml;
use tokio::process::Command;

use crate::{environment::Environment, kubectl::Kubectl, process, wait::until};

/// Names of the members in the samples.
pub const MEMBERS: [&str; 3] = ["alpha", "beta", "gamma"];

/// The token that the fleet's API takes.
pub const TOKEN: &str = "an-end-to-end-token";

/// A group in the cluster and what is known of it from outside.
pub struct Fleet {
    pub kubectl: Kubectl,
    pub namespace: String,
    pub name: String,
    pub members: Vec<PublicMember>,
}

/// What `igra-signer keygen` prints of a member.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicMember {
    pub name: String,
    pub public_key: String,
    pub transport_id: String,
}

/// What the group in the samples is changed to.
pub struct Wish<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub node: &'a str,
    /// Where the policy allows payments to.
    pub recipient: &'a str,
}

impl Fleet {
    /// Makes keys, Secrets, policy and group; does not wait for pods.
    pub async fn apply(environment: &Environment, kubectl: &Kubectl, wish: &Wish<'_>) -> Result<Self> {
        kubectl.restricted_namespace(wish.namespace).await?;
        let mut members = Vec::new();
        for name in MEMBERS {
            members.push(make_keys(environment, kubectl, wish, name).await?);
        }
        kubectl.apply(&tokens_secret(wish)).await?;
        let fleet = Self {
            kubectl: kubectl.clone(),
            namespace: wish.namespace.to_owned(),
            name: wish.name.to_owned(),
            members,
        };
        kubectl.apply(&policy(environment, wish)?).await?;
        kubectl.apply(&group(environment, wish, &fleet.members)?).await?;
        Ok(fleet)
    }

    /// The address as this program computes it, apart from operator and signers.
    pub fn address(&self) -> Result<String> {
        Ok(self.group()?.wallet().address().to_string())
    }

    fn group(&self) -> Result<Group> {
        let members = self.members.iter().map(|member| {
            Ok(Member {
                name: member.name.clone(),
                key: MemberKey::from_hex(SignatureScheme::Schnorr, &member.public_key)?,
                transport: member.transport_id.parse()?,
            })
        });
        let members = members.collect::<Result<Vec<_>>>()?;
        let scheme = SignatureScheme::Schnorr;
        Ok(Group::new(Network::Simnet, scheme, 2, None, members, Depths::default(), Group::DEFAULT_DUST)?)
    }

    /// The group's status as the operator wrote it.
    pub async fn status(&self) -> Result<Value> {
        let group =
            self.kubectl.json(&["get", "signergroup", &self.name, "--namespace", &self.namespace]).await?;
        Ok(group["status"].clone())
    }

    /// Waits until a condition has this status; gives the whole status.
    pub async fn condition(&self, kind: &str, wanted: &str, seconds: u64) -> Result<Value> {
        until(&format!("condition {kind}={wanted} of {}", self.name), seconds, async || {
            let status = self.status().await?;
            let condition = condition_of(&status, kind);
            if condition["status"] == wanted {
                return Ok(Ok(status));
            }
            Ok(Err(format!("{condition}; members {}", status["members"])))
        })
        .await
    }

    /// A member's pod.
    pub fn pod(&self, member: &str) -> String {
        format!("{}-{member}-0", self.name)
    }

    /// A member's pod as JSON.
    pub async fn pod_json(&self, member: &str) -> Result<Value> {
        self.kubectl.json(&["get", "pod", &self.pod(member), "--namespace", &self.namespace]).await
    }

    /// Which pod each member has, and how often its container was started again.
    pub async fn lives(&self) -> Result<Vec<(String, u64)>> {
        let mut lives = Vec::new();
        for member in MEMBERS {
            let pod = self.pod_json(member).await?;
            let uid = pod["metadata"]["uid"].as_str().context("a pod without uid")?.to_owned();
            let count = &pod["status"]["containerStatuses"][0]["restartCount"];
            lives.push((uid, count.as_u64().context("a pod without a count")?));
        }
        Ok(lives)
    }
}

/// One condition of a status, or null.
pub fn condition_of<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let all = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// Makes a member's keys and puts them into the Secret that the samples name.
pub async fn make_keys(
    environment: &Environment,
    kubectl: &Kubectl,
    wish: &Wish<'_>,
    member: &str,
) -> Result<PublicMember> {
    let folder = environment.run_dir.join("keys").join(wish.namespace).join(wish.name).join(member);
    // A folder of an earlier run would stop keygen, which never writes over a key.
    let _ = tokio::fs::remove_dir_all(&folder).await;
    let mut keygen = Command::new(&environment.signer);
    keygen.args(["keygen", "--member", member, "--output", "json", "--out"]).arg(&folder);
    let text = process::output(&mut keygen).await?;
    let public =
        serde_json::from_str(&text).with_context(|| format!("keygen did not print a member: {text}"))?;
    let secret = format!("{}-{member}", wish.name);
    let file = |name: &str| format!("--from-file={name}={}", folder.join(name).display());
    kubectl
        .run(&[
            "create",
            "secret",
            "generic",
            &secret,
            "--namespace",
            wish.namespace,
            &file("signing.key"),
            &file("transport.key"),
        ])
        .await?;
    Ok(public)
}

fn tokens_secret(wish: &Wish<'_>) -> String {
    let Wish { namespace, name, .. } = wish;
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}-tokens, namespace: {namespace}}}\nstringData:\n  \
         tokens.yaml: |\n    tokens:\n    - {{name: e2e, token: {TOKEN}, roles: [submit, read, admin]}}\n"
    )
}

fn policy(environment: &Environment, wish: &Wish<'_>) -> Result<String> {
    let mut policy = sample(environment, "policy.yaml")?;
    policy["metadata"]["namespace"] = wish.namespace.into();
    policy["metadata"]["name"] = wish.name.into();
    policy["spec"]["destinations"]["allow"] = Yaml::Sequence(vec![wish.recipient.into()]);
    Ok(serde_yaml::to_string(&policy)?)
}

/// The sample group with other keys, names and node.
pub fn group(environment: &Environment, wish: &Wish<'_>, members: &[PublicMember]) -> Result<String> {
    let mut group = sample(environment, "group.yaml")?;
    group["metadata"]["namespace"] = wish.namespace.into();
    group["metadata"]["name"] = wish.name.into();
    let spec = &mut group["spec"];
    spec["policyRef"]["name"] = wish.name.into();
    spec["kaspaNode"]["endpoints"] = Yaml::Sequence(vec![wish.node.into()]);
    spec["api"]["tokensSecretRef"]["name"] = format!("{}-tokens", wish.name).into();
    for (sample, member) in
        spec["members"].as_sequence_mut().context("the sample has no members")?.iter_mut().zip(members)
    {
        sample["name"] = member.name.as_str().into();
        sample["publicKey"] = member.public_key.as_str().into();
        sample["transportId"] = member.transport_id.as_str().into();
        sample["local"]["keySecretRef"]["name"] = format!("{}-{}", wish.name, member.name).into();
    }
    Ok(serde_yaml::to_string(&group)?)
}

fn sample(environment: &Environment, name: &str) -> Result<Yaml> {
    let path = environment.samples.join(name);
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    serde_yaml::from_str(&text).with_context(|| format!("{} is not YAML", path.display()))
}
