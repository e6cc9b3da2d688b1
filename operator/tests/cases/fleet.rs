//! What the operator makes of a group, and what it says about it.

use anyhow::{Context, Result, ensure};
use igra_crds::SignerGroup;
use igra_operator::rights;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Resource,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Case, Ground, Stage, condition_of, sample, until};

pub fn cases() -> Vec<(&'static str, Case)> {
    vec![
        ("a_group_gets_its_objects_and_its_address", |stage| Box::pin(deployed(stage))),
        ("an_invalid_group_deploys_nothing", |stage| Box::pin(invalid(stage))),
        ("ecdsa_is_told_to_be_for_later", |stage| Box::pin(ecdsa(stage))),
        ("members_are_told_ready_or_why_not", |stage| Box::pin(member_lines(stage))),
        ("missing_rights_are_found", |stage| Box::pin(missing_rights(stage))),
        ("the_operator_cannot_read_secrets", |stage| Box::pin(no_secrets(stage))),
    ]
}

async fn deployed(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("deployed").await?;
    ground.create_samples().await?;
    stage.with_operator(look_at_objects(&ground)).await
}

async fn look_at_objects(ground: &Ground) -> Result<()> {
    let status = ground.condition("treasury", "Synced", "True", "UpToDate").await?;
    ensure!(status["address"].as_str().is_some_and(|address| address.starts_with("kaspasim:p")), "{status}");
    ensure!(status["groupId"].as_str().is_some_and(|id| id.len() == 64), "{status}");
    ensure!(status["threshold"] == "2-of-3" && status["quorum"] == 2, "{status}");
    ensure!(status["tolerates"] == json!({"stopped": 1, "lying": 0}), "{status}");
    ensure!(condition_of(&status, "TrustDistributed")["status"] == "False", "{status}");
    names::<StatefulSet>(ground, &["treasury-alpha", "treasury-beta", "treasury-gamma"]).await?;
    names::<ServiceAccount>(ground, &["treasury-alpha", "treasury-beta", "treasury-gamma"]).await?;
    names::<PersistentVolumeClaim>(ground, &["treasury-alpha", "treasury-beta", "treasury-gamma"]).await?;
    names::<ConfigMap>(ground, &["treasury-alpha", "treasury-beta", "treasury-gamma"]).await?;
    names::<Service>(ground, &["treasury-api", "treasury-gossip"]).await?;
    names::<PodDisruptionBudget>(ground, &["treasury"]).await?;
    until("the policy to be accepted", async || {
        let policy = ground.api::<igra_crds::GroupPolicy>().get("treasury").await?;
        let conditions = policy.status.map(|status| status.conditions).unwrap_or_default();
        let accepted = conditions.iter().any(|one| one.type_ == "Accepted" && one.status == "True");
        Ok(if accepted { Ok(()) } else { Err(conditions) })
    })
    .await?;
    config_is_one_that_signers_read(ground).await?;
    keys_are_mounted_where_they_belong(ground).await?;
    // The API server lets pods in only if they meet Pod Security *restricted*.
    until("three pods", async || {
        let pods = ground.api::<Pod>().list(&ListParams::default()).await?.items.len();
        Ok(if pods == 3 { Ok(()) } else { Err(pods) })
    })
    .await
}

async fn names<K>(ground: &Ground, expected: &[&str]) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let ours =
        ListParams::default().labels("app.kubernetes.io/managed-by=igra-operator,igra.dev/group=treasury");
    let found = ground.api::<K>().list(&ours).await?.items;
    let mut found: Vec<String> = found.iter().filter_map(|object| object.meta().name.clone()).collect();
    found.sort();
    ensure!(found == expected, "{}: {found:?}", K::kind(&()));
    Ok(())
}

async fn config_is_one_that_signers_read(ground: &Ground) -> Result<()> {
    let map = ground.api::<ConfigMap>().get("treasury-beta").await?;
    let folder = tempfile::tempdir()?;
    for (file, text) in map.data.context("a ConfigMap without data")? {
        std::fs::write(folder.path().join(file), text)?;
    }
    let config = igra_config::Config::load_with(folder.path().join("config.yaml"), [])?;
    let policy = igra_config::PolicyFile::load(&config.policy_file)?;
    let claim = ground.api::<PersistentVolumeClaim>().get("treasury-beta").await?;
    ensure!(config.member == "beta" && config.volume_id == claim.metadata.uid, "{config:?}");
    ensure!(
        claim.metadata.owner_references.is_none(),
        "a claim that is owned would be deleted with the group"
    );
    let status = serde_json::to_value(ground.api::<SignerGroup>().get("treasury").await?.status)?;
    ensure!(
        status["address"] == config.group()?.wallet().address().to_string(),
        "operator and signer see another address"
    );
    ensure!(policy.amount.max_sompi == Some(igra_group::Sompi(100_000_000_000)), "{policy:?}");
    let peer = config.peers().next().context("a group of one")?;
    let address = peer.addresses.first().context("a peer without address")?.to_string();
    ensure!(
        address == format!("treasury-alpha-0.treasury-gossip.{}.svc:31120", ground.namespace),
        "{address}"
    );
    Ok(())
}

async fn keys_are_mounted_where_they_belong(ground: &Ground) -> Result<()> {
    for set in ground.api::<StatefulSet>().list(&ListParams::default()).await? {
        let name = set.metadata.name.context("a set without name")?;
        let pod = set.spec.and_then(|spec| spec.template.spec).context("a set without pod")?;
        let volumes = pod.volumes.unwrap_or_default();
        let secrets: Vec<String> =
            volumes.into_iter().filter_map(|volume| volume.secret?.secret_name).collect();
        ensure!(secrets == [name.clone(), "treasury-tokens".to_owned()], "{name}: {secrets:?}");
        ensure!(pod.automount_service_account_token == Some(false), "{name} mounts a token");
    }
    Ok(())
}

async fn invalid(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("invalid").await?;
    ground.create(&sample("group.yaml")?).await?;
    stage
        .with_operator(async {
            let status = ground.condition("treasury", "Valid", "False", "PolicyNotFound").await?;
            let message = condition_of(&status, "Valid")["message"].as_str().unwrap_or_default();
            ensure!(
                message.starts_with("spec.policyRef.name: there is no GroupPolicy treasury"),
                "{message}"
            );
            ensure!(status["address"].is_string(), "the address needs no policy: {status}");
            names::<StatefulSet>(&ground, &[]).await?;
            names::<PersistentVolumeClaim>(&ground, &[]).await?;

            let mut policy = sample("policy.yaml")?;
            policy["spec"]["destinations"]["allow"] =
                json!(["kaspa:qpauqsvk7yf9unexwmxsnmg547mhyga37csh0kj53q6xxgl24ydxjsgzthw5j"]);
            ground.create_policy(&policy).await?;
            let status = ground.condition("treasury", "Valid", "False", "InvalidPolicy").await?;
            let message = condition_of(&status, "Valid")["message"].as_str().unwrap_or_default();
            ensure!(
                message.contains("policy.spec.destinations.allow") && message.contains("simnet"),
                "{message}"
            );
            names::<StatefulSet>(&ground, &[]).await?;

            // Mended, it is deployed without anything else being touched.
            let good = sample("policy.yaml")?["spec"].clone();
            ground.merge::<igra_crds::GroupPolicy>("treasury", json!({"spec": good})).await?;
            ground.condition("treasury", "Synced", "True", "UpToDate").await?;
            ground.condition("treasury", "Valid", "True", "Valid").await.map(drop)
        })
        .await
}

async fn ecdsa(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("ecdsa").await?;
    let mut group = sample("group.yaml")?;
    group["spec"]["signatureScheme"] = json!("ecdsa");
    for member in group["spec"]["members"].as_array_mut().context("the sample has members")? {
        member["publicKey"] = json!(format!("02{}", member["publicKey"].as_str().unwrap_or_default()));
    }
    ground.create_policy(&sample("policy.yaml")?).await?;
    ground.create(&group).await?;
    stage
        .with_operator(async {
            ground.condition("treasury", "Valid", "False", "NotSupportedYet").await?;
            names::<StatefulSet>(&ground, &[]).await
        })
        .await
}

async fn member_lines(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("lines").await?;
    ground.create_samples().await?;
    stage.with_operator(play_kubelet(&ground)).await
}

/// No kubelet runs here, so the test says what one would say about the pods.
async fn play_kubelet(ground: &Ground) -> Result<()> {
    let wrong = "the key in signing.key is not the key of member beta";
    for member in ["alpha", "gamma"] {
        say(ground, member, true, json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}), json!({}))
            .await?;
    }
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}});
    let ended =
        json!({"terminated": {"exitCode": 78, "message": wrong, "startedAt": null, "finishedAt": null}});
    say(ground, "beta", false, waiting, ended).await?;
    let status = until("beta's line", async || {
        let status = ground.condition("treasury", "Available", "True", "QuorumReady").await?;
        let told = status["members"][1]["message"].as_str().is_some_and(|message| message.contains(wrong));
        Ok(if told { Ok(status) } else { Err(status) })
    })
    .await?;
    ensure!(status["members"][1]["name"] == "beta" && status["readyMembers"] == "2/3", "{status}");
    let ready = condition_of(&status, "Ready");
    let expected = format!("beta: stopped with exit code 78: {wrong}");
    ensure!(ready["status"] == "False" && ready["message"] == expected, "{ready}");

    say(ground, "beta", true, json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}), json!({})).await?;
    let status = ground.condition("treasury", "Ready", "True", "AllMembersReady").await?;
    ensure!(status["readyMembers"] == "3/3" && status["members"][1]["message"].is_null(), "{status}");

    // A configuration that a running signer does not take up is told, and the pod is left alone.
    ground
        .merge::<SignerGroup>(
            "treasury",
            json!({"spec": {"kaspaNode": {"endpoints": ["grpc://other:16510"]}}}),
        )
        .await?;
    until("the older configuration to be told", async || {
        let status = serde_json::to_value(ground.api::<SignerGroup>().get("treasury").await?.status)?;
        let message = status["members"][0]["message"].as_str().unwrap_or_default();
        Ok(if message.contains("older configuration") { Ok(()) } else { Err(status) })
    })
    .await
}

async fn say(ground: &Ground, member: &str, ready: bool, state: Value, last: Value) -> Result<()> {
    let name = format!("treasury-{member}-0");
    let pods = ground.api::<Pod>();
    until(&format!("pod {name}"), async || Ok(pods.get_opt(&name).await?.map(drop).ok_or("no pod"))).await?;
    let now = "2026-01-01T00:00:00Z";
    let conditions = [("PodScheduled", true), ("Ready", ready)].map(|(type_, holds)| {
        json!({"type": type_, "status": if holds { "True" } else { "False" }, "lastTransitionTime": now})
    });
    let status = json!({"status": {
        "phase": "Running",
        "startTime": now,
        "conditions": conditions,
        "containerStatuses": [{
            "name": "signer", "image": "i", "imageID": "i", "ready": ready, "restartCount": 0,
            "state": state, "lastState": last,
        }],
    }});
    pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

async fn no_secrets(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("secrets").await?;
    let secret = serde_json::from_value(
        json!({"metadata": {"name": "treasury-alpha"}, "stringData": {"signing.key": "x"}}),
    )?;
    ground.api::<Secret>().create(&PostParams::default(), &secret).await?;
    let api: Api<Secret> = Api::namespaced(stage.operator.clone(), &ground.namespace);
    for answer in
        [api.get("treasury-alpha").await.map(drop), api.list(&ListParams::default()).await.map(drop)]
    {
        let forbidden = matches!(&answer, Err(kube::Error::Api(status)) if status.is_forbidden());
        ensure!(forbidden, "{answer:?}");
    }
    Ok(())
}

async fn missing_rights(stage: &Stage) -> Result<()> {
    let all: Vec<_> = rights::used().collect();
    let (operator, nobody) = (rights::missing(&stage.operator).await?, rights::missing(&stage.nobody).await?);
    ensure!(operator.is_empty(), "the chart does not grant {operator:?}");
    ensure!(nobody == all, "nobody may do something: {nobody:?}");
    Ok(())
}
