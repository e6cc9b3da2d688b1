//! How the operator keeps what it made: no second write, drift put right, what is not wanted taken away.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use igra_crds::SignerGroup;
use igra_operator::build::Kind;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, PersistentVolumeClaim, Service},
};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ListParams, PostParams},
};
use serde_json::json;

use super::{Case, Ground, Stage, condition_of, sample, until};
use crate::server::http_get;

pub fn cases() -> Vec<(&'static str, Case)> {
    vec![
        ("a_second_operator_writes_nothing", |stage| Box::pin(no_second_write(stage))),
        ("foreign_changes_are_put_right", |stage| Box::pin(drift(stage))),
        ("foreign_additions_are_told", |stage| Box::pin(additions(stage))),
        ("objects_of_others_are_left_alone", |stage| Box::pin(foreign_object(stage))),
        ("claims_of_others_are_left_alone_until_handed_over", |stage| Box::pin(foreign_claim(stage))),
        ("a_claim_that_cannot_be_written_holds_nothing_else_up", |stage| Box::pin(stuck_claim(stage))),
        ("only_what_the_group_owns_is_taken_away", |stage| Box::pin(unowned_objects(stage))),
        ("suspended_and_paused_groups_stay_so", |stage| Box::pin(suspended_and_paused(stage))),
        ("a_member_that_moves_away_leaves_its_claim", |stage| Box::pin(moved_away(stage))),
        ("a_deleted_group_leaves_its_claims", |stage| Box::pin(deleted(stage))),
    ]
}

async fn no_second_write(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("twice").await?;
    ground.create_samples().await?;
    stage.with_operator(ground.condition("treasury", "Synced", "True", "UpToDate")).await?;
    let (first, requests) = (versions(&ground).await?, applies(&ground).await?);
    stage
        .with_operator(async {
            // The change of generation is written last, after everything was compared.
            ground.merge::<SignerGroup>("treasury", json!({"spec": {"quorum": 2}})).await?;
            ground.condition("treasury", "Synced", "True", "UpToDate").await
        })
        .await?;
    let second = versions(&ground).await?;
    ensure!(first == second, "written again: {first:?}, then {second:?}");
    let more = applies(&ground).await? - requests;
    ensure!(more == 0.0, "{more} requests that changed nothing");
    Ok(())
}

/// How often anybody asked the API server to apply anything but resources of ours.
async fn applies(ground: &Ground) -> Result<f64> {
    let metrics = ground.admin.request_text(http_get("/metrics")).await?;
    let counts = metrics.lines().filter(|line| {
        line.starts_with("apiserver_request_total{")
            && line.contains("verb=\"APPLY\"")
            && !line.contains("group=\"igra.dev\"")
    });
    counts.map(|line| Ok(line.rsplit(' ').next().unwrap_or_default().parse::<f64>()?)).sum()
}

/// What each object of ours was last changed by us as: the API server counts spec and metadata writes of an apply.
async fn versions(ground: &Ground) -> Result<BTreeMap<String, String>> {
    let mut versions = BTreeMap::new();
    for kind in Kind::ALL {
        let api: Api<DynamicObject> =
            Api::namespaced_with(ground.admin.clone(), &ground.namespace, &kind.api_resource());
        for object in api.list(&ListParams::default().labels("igra.dev/group=treasury")).await? {
            let entries = object.metadata.managed_fields.unwrap_or_default();
            let ours = entries.iter().find(|entry| entry.manager.as_deref() == Some("igra-operator"));
            let when = ours.and_then(|entry| entry.time.clone()).context("not applied by us")?;
            let name = object.metadata.name.unwrap_or_default();
            // Status writes of controllers raise the version of some kinds by themselves; the time of our apply and the
            // generation do not move with them.
            let generation = object.metadata.generation.unwrap_or_default();
            versions.insert(format!("{} {name}", kind.as_str()), format!("{generation} {when:?}"));
        }
    }
    ensure!(versions.len() == 15, "{versions:?}");
    Ok(versions)
}

async fn drift(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("drift").await?;
    ground.create_samples().await?;
    stage.with_operator(change_and_wait(&ground)).await
}

async fn change_and_wait(ground: &Ground) -> Result<()> {
    ground.condition("treasury", "Synced", "True", "UpToDate").await?;
    ground.merge::<StatefulSet>("treasury-alpha", json!({"spec": {"replicas": 0}})).await?;
    ground.merge::<Service>("treasury-api", json!({"spec": {"selector": {"other": "pods"}}})).await?;
    ground.merge::<ConfigMap>("treasury-beta", json!({"data": {"policy.yaml": "{}"}})).await?;
    ground.api::<StatefulSet>().delete("treasury-gamma", &DeleteParams::default()).await?;
    until("replicas of alpha", async || {
        let set = ground.api::<StatefulSet>().get("treasury-alpha").await?;
        let replicas = set.spec.and_then(|spec| spec.replicas);
        Ok(if replicas == Some(1) { Ok(()) } else { Err(replicas) })
    })
    .await?;
    until("selector of the API Service", async || {
        let selector = ground.api::<Service>().get("treasury-api").await?.spec.and_then(|spec| spec.selector);
        let selector = selector.unwrap_or_default();
        Ok(if selector.contains_key("other") { Err(selector) } else { Ok(()) })
    })
    .await?;
    until("policy of beta", async || {
        let data = ground.api::<ConfigMap>().get("treasury-beta").await?.data.unwrap_or_default();
        Ok(if data["policy.yaml"].contains("maxSompi") { Ok(()) } else { Err(data) })
    })
    .await?;
    until("gamma's set to be back", async || {
        let set = ground.api::<StatefulSet>().get_opt("treasury-gamma").await?;
        let there = set.is_some_and(|set| set.metadata.deletion_timestamp.is_none());
        Ok(if there { Ok(()) } else { Err("gone") })
    })
    .await
}

async fn additions(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("additions").await?;
    ground.create_samples().await?;
    stage
        .with_operator(async {
            ground.condition("treasury", "Synced", "True", "UpToDate").await?;
            ground.merge::<ConfigMap>("treasury-alpha", json!({"data": {"extra": "x"}})).await?;
            let status = ground.condition("treasury", "Synced", "False", "ForeignFields").await?;
            let message = condition_of(&status, "Synced")["message"].as_str().unwrap_or_default();
            ensure!(message.contains("ConfigMap treasury-alpha: data"), "{message}");
            ground.merge::<ConfigMap>("treasury-alpha", json!({"data": {"extra": null}})).await?;
            ground.condition("treasury", "Synced", "True", "UpToDate").await.map(drop)
        })
        .await
}

async fn foreign_object(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("foreign").await?;
    let service = json!({"metadata": {"name": "treasury-api"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    ground.api::<Service>().create(&PostParams::default(), &serde_json::from_value(service)?).await?;
    ground.create_samples().await?;
    stage
        .with_operator(async {
            let status = ground.condition("treasury", "Synced", "False", "ForeignOwner").await?;
            let message = condition_of(&status, "Synced")["message"].as_str().unwrap_or_default();
            ensure!(message.contains("Service treasury-api"), "{message}");
            let service = ground.api::<Service>().get("treasury-api").await?;
            let selector = service.spec.and_then(|spec| spec.selector).unwrap_or_default();
            ensure!(selector == BTreeMap::from([("app".to_owned(), "web".to_owned())]), "{selector:?}");
            Ok(())
        })
        .await
}

async fn foreign_claim(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("claims").await?;
    let claim: PersistentVolumeClaim = serde_json::from_value(json!({
        "metadata": {"name": "treasury-beta"},
        "spec": {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Gi"}}},
    }))?;
    ground.api().create(&PostParams::default(), &claim).await?;
    ground.create_samples().await?;
    stage
        .with_operator(async {
            let status = ground.condition("treasury", "Synced", "False", "ForeignOwner").await?;
            let message = condition_of(&status, "Synced")["message"].as_str().unwrap_or_default();
            ensure!(message.contains("PersistentVolumeClaim treasury-beta is there already"), "{message}");
            let claim = ground.api::<PersistentVolumeClaim>().get("treasury-beta").await?;
            ensure!(claim.metadata.labels.is_none(), "taken over: {:?}", claim.metadata);
            // The others are there, and nothing mounts the stranger's claim.
            ground.api::<StatefulSet>().get("treasury-gamma").await?;
            let mounted = ground.api::<StatefulSet>().get_opt("treasury-beta").await?;
            ensure!(mounted.is_none(), "a pod would mount a claim of somebody else's");

            let adopt = json!({"metadata": {"annotations": {"igra.dev/adopt": "treasury"}}});
            ground.merge::<PersistentVolumeClaim>("treasury-beta", adopt).await?;
            // The next change of the group is when it is looked at again at once.
            ground.merge::<SignerGroup>("treasury", json!({"spec": {"quorum": 2}})).await?;
            ground.condition("treasury", "Synced", "True", "UpToDate").await?;
            ground.api::<StatefulSet>().get("treasury-beta").await?;
            Ok(())
        })
        .await
}

async fn stuck_claim(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("stuck").await?;
    ground.create_samples().await?;
    stage
        .with_operator(async {
            ground.condition("treasury", "Synced", "True", "UpToDate").await?;
            let uid = ground.api::<PersistentVolumeClaim>().get("treasury-alpha").await?.metadata.uid;
            // No class lets the claims grow, so the API server refuses each of them.
            let storage = json!({"spec": {"storage": {"size": "2Gi"}}});
            ground.merge::<SignerGroup>("treasury", storage).await?;
            let status = ground.condition("treasury", "Synced", "False", "ApplyFailed").await?;
            let message = condition_of(&status, "Synced")["message"].as_str().unwrap_or_default();
            ensure!(message.contains("PersistentVolumeClaim treasury-alpha"), "{message}");

            let amount = json!({"spec": {"amount": {"max": "3"}}});
            ground.merge::<igra_crds::GroupPolicy>("treasury", amount).await?;
            until("the stricter policy of every member", async || {
                let maps =
                    ground.api::<ConfigMap>().list(&ListParams::default().labels("igra.dev/group")).await?;
                let strict = maps.iter().filter(|map| {
                    let data = map.data.iter().flatten().map(|(_, text)| text.as_str()).collect::<String>();
                    data.contains("maxSompi: 300000000")
                });
                let count = strict.count();
                Ok(if count == 3 { Ok(()) } else { Err(count) })
            })
            .await?;
            let config = ground.api::<ConfigMap>().get("treasury-alpha").await?.data.unwrap_or_default();
            let volume = format!("volumeId: {}", uid.unwrap_or_default());
            ensure!(config["config.yaml"].contains(&volume), "{config:?}");
            Ok(())
        })
        .await
}

async fn unowned_objects(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("unowned").await?;
    let labels = json!({"app.kubernetes.io/managed-by": "igra-operator", "igra.dev/group": "treasury"});
    for name in ["kept", "treasury-delta"] {
        let map = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
        ground.api::<ConfigMap>().create(&PostParams::default(), &map).await?;
    }
    ground.create_samples().await?;
    stage
        .with_operator(async {
            ground.condition("treasury", "Synced", "True", "UpToDate").await?;
            let owner = ground.api::<SignerGroup>().get("treasury").await?.metadata.uid.unwrap_or_default();
            // Owned, as one that a group has needed before.
            let owner = json!({"apiVersion": "igra.dev/v1alpha1", "kind": "SignerGroup", "name": "treasury",
                "uid": owner, "controller": true});
            let owned = json!({"metadata": {"ownerReferences": [owner]}});
            ground.merge::<ConfigMap>("treasury-delta", owned).await?;
            until("the owned one to go", async || {
                let map = ground.api::<ConfigMap>().get_opt("treasury-delta").await?;
                Ok(if map.is_none() { Ok(()) } else { Err("still there") })
            })
            .await?;
            ground.api::<ConfigMap>().get("kept").await?;
            Ok(())
        })
        .await
}

async fn suspended_and_paused(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("paused").await?;
    ground.create_policy(&sample("policy.yaml")?).await?;
    let mut group = sample("group.yaml")?;
    group["spec"]["suspend"] = json!(true);
    ground.create(&group).await?;
    stage
        .with_operator(async {
            ground.condition("treasury", "Ready", "False", "Suspended").await?;
            let replicas =
                ground.api::<StatefulSet>().get("treasury-alpha").await?.spec.and_then(|spec| spec.replicas);
            ensure!(replicas == Some(0), "{replicas:?}");
            ground
                .merge::<SignerGroup>("treasury", json!({"spec": {"paused": true, "suspend": false}}))
                .await?;
            ground.condition("treasury", "Synced", "Unknown", "Paused").await?;
            let replicas =
                ground.api::<StatefulSet>().get("treasury-alpha").await?.spec.and_then(|spec| spec.replicas);
            ensure!(replicas == Some(0), "changed while paused: {replicas:?}");
            ground.merge::<SignerGroup>("treasury", json!({"spec": {"paused": false}})).await?;
            ground.condition("treasury", "Synced", "True", "UpToDate").await?;
            let replicas =
                ground.api::<StatefulSet>().get("treasury-alpha").await?.spec.and_then(|spec| spec.replicas);
            ensure!(replicas == Some(1), "{replicas:?}");
            Ok(())
        })
        .await
}

async fn moved_away(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("moved").await?;
    ground.create_samples().await?;
    stage
        .with_operator(async {
            ground.condition("treasury", "Synced", "True", "UpToDate").await?;
            let mut members = sample("group.yaml")?["spec"]["members"].clone();
            members[2] = json!({
                "name": members[2]["name"], "publicKey": members[2]["publicKey"], "transportId": members[2]["transportId"],
                "remote": {"addresses": ["gamma.example.org:31120"]},
            });
            ground.merge::<SignerGroup>("treasury", json!({"spec": {"members": members}})).await?;
            until("gamma's set to go", async || {
                let set = ground.api::<StatefulSet>().get_opt("treasury-gamma").await?;
                Ok(if set.is_none() { Ok(()) } else { Err("still there") })
            })
            .await?;
            let status = ground.condition("treasury", "Available", "False", "BelowQuorum").await?;
            ensure!(status["readyMembers"] == "0/2", "{status}");
            ground.api::<PersistentVolumeClaim>().get("treasury-gamma").await?;
            Ok(())
        })
        .await
}

async fn deleted(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("deleted").await?;
    ground.create_samples().await?;
    stage
        .with_operator(async {
            ground.condition("treasury", "Synced", "True", "UpToDate").await?;
            ground.delete_group("treasury").await?;
            until("sets to go", async || {
                let left = ground.api::<StatefulSet>().list(&ListParams::default()).await?.items.len();
                Ok(if left == 0 { Ok(()) } else { Err(left) })
            })
            .await?;
            let claims =
                ground.api::<PersistentVolumeClaim>().list(&ListParams::default()).await?.items.len();
            ensure!(claims == 3, "{claims} claims");
            Ok(())
        })
        .await
}
