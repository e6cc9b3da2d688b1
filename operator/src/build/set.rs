//! ServiceAccount and StatefulSet of a member. The pod meets Pod Security *restricted*, and it alone mounts the
//! member's key.

use std::collections::BTreeMap;

use igra_crds::ImagePullPolicy;
use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy},
        core::v1::{
            Affinity, Capabilities, ConfigMapVolumeSource, Container, ContainerPort, HTTPGetAction,
            KeyToPath, PersistentVolumeClaimVolumeSource, PodAffinityTerm, PodAntiAffinity,
            PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile,
            SecretVolumeSource, SecurityContext, ServiceAccount, TopologySpreadConstraint, Volume,
            VolumeMount, WeightedPodAffinityTerm,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};

use super::{config, names, owned};
use crate::validate::{Local, Resources, ValidGroup, ValidMember};

/// The user and group of the signer's image.
const USER: i64 = 65532;
/// The owner's group may read, others may not: 0440.
const SECRET_MODE: i32 = 0o440;

pub(super) fn account(group: &ValidGroup, member: &ValidMember) -> ServiceAccount {
    let name = names::set_name(&group.name, &member.name);
    ServiceAccount {
        metadata: owned(group, name, names::member_labels(&group.name, &member.name)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

pub(super) fn stateful_set(
    group: &ValidGroup,
    member: &ValidMember,
    local: &Local,
    restart_hash: &str,
) -> StatefulSet {
    let name = names::set_name(&group.name, &member.name);
    let labels = names::member_labels(&group.name, &member.name);
    StatefulSet {
        metadata: owned(group, name, labels.clone()),
        spec: Some(StatefulSetSpec {
            replicas: Some(if local.suspended { 0 } else { 1 }),
            service_name: Some(names::gossip_service_name(&group.name)),
            pod_management_policy: Some("Parallel".to_owned()),
            // Pods are replaced one at a time and by intent, never by the set itself.
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            revision_history_limit: Some(2),
            selector: selector(names::member_selector(&group.name, &member.name)),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    annotations: Some(BTreeMap::from([(
                        names::CONFIG_HASH.to_owned(),
                        restart_hash.to_owned(),
                    )])),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(group, member, local)),
            },
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

fn pod(group: &ValidGroup, member: &ValidMember, local: &Local) -> PodSpec {
    PodSpec {
        service_account_name: Some(names::set_name(&group.name, &member.name)),
        automount_service_account_token: Some(false),
        // Services of the namespace would show up as IGRA_… variables.
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(30),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        affinity: Some(apart(group)),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "topology.kubernetes.io/zone".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(selector(names::pod_selector(&group.name))),
            ..TopologySpreadConstraint::default()
        }]),
        containers: vec![container(group, local)],
        volumes: Some(volumes(group, member, local)),
        ..PodSpec::default()
    }
}

/// Members of a group on nodes of their own, where there are enough.
fn apart(group: &ValidGroup) -> Affinity {
    let term = PodAffinityTerm {
        topology_key: "kubernetes.io/hostname".to_owned(),
        label_selector: Some(selector(names::pod_selector(&group.name))),
        ..PodAffinityTerm::default()
    };
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                weight: 100,
                pod_affinity_term: term,
            }]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn container(group: &ValidGroup, local: &Local) -> Container {
    let config = format!("{}/{}", config::CONFIG_DIR, config::CONFIG_FILE);
    Container {
        name: names::SIGNER_CONTAINER.to_owned(),
        image: Some(group.image.clone()),
        image_pull_policy: group.image_pull_policy.map(pull_policy),
        args: Some(["run", "--config", &config].map(str::to_owned).to_vec()),
        ports: Some(vec![
            port(names::GOSSIP_PORT_NAME, "UDP", group.gossip_port),
            port(names::API_PORT_NAME, "TCP", group.api_port),
            port(names::ADMIN_PORT_NAME, "TCP", names::ADMIN_PORT),
        ]),
        startup_probe: Some(Probe {
            period_seconds: Some(1),
            failure_threshold: Some(120),
            ..probe("/health/live")
        }),
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            failure_threshold: Some(6),
            ..probe("/health/live")
        }),
        readiness_probe: Some(Probe {
            period_seconds: Some(2),
            failure_threshold: Some(3),
            ..probe("/health/ready")
        }),
        resources: Some(resources(&local.resources)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        // Where the signer could not write why it stopped, its last lines tell.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(mounts(group)),
        ..Container::default()
    }
}

fn mounts(group: &ValidGroup) -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str, read_only: Option<bool>| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only,
        ..VolumeMount::default()
    };
    let mut mounts = vec![
        mount("config", config::CONFIG_DIR, Some(true)),
        mount("keys", config::KEYS_DIR, Some(true)),
        mount("data", config::DATA_DIR, None),
    ];
    if group.tokens_secret.is_some() {
        mounts.push(mount("tokens", config::TOKENS_DIR, Some(true)));
    }
    mounts
}

fn volumes(group: &ValidGroup, member: &ValidMember, local: &Local) -> Vec<Volume> {
    let mut volumes = vec![
        Volume {
            name: "config".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: names::config_name(&group.name, &member.name),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
        secret("keys", &local.key_secret, &config::KEY_FILES),
        Volume {
            name: "data".to_owned(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: names::claim_name(&group.name, &member.name),
                ..PersistentVolumeClaimVolumeSource::default()
            }),
            ..Volume::default()
        },
    ];
    let tokens = group.tokens_secret.as_deref();
    volumes.extend(tokens.map(|tokens| secret("tokens", tokens, &[config::TOKENS_FILE])));
    volumes
}

/// Of the Secret these keys, and nothing else that may be in it.
fn secret(name: &str, secret: &str, files: &[&str]) -> Volume {
    let item = |file: &&str| KeyToPath { key: (*file).to_owned(), path: (*file).to_owned(), mode: None };
    Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            default_mode: Some(SECRET_MODE),
            items: Some(files.iter().map(item).collect()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(names::ADMIN_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

fn port(name: &str, protocol: &str, port: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        protocol: Some(protocol.to_owned()),
        container_port: i32::from(port),
        ..ContainerPort::default()
    }
}

fn resources(given: &Resources) -> ResourceRequirements {
    let amounts = |given: &[(&'static str, String)]| {
        let amounts = given.iter().map(|(name, amount)| ((*name).to_owned(), Quantity(amount.clone())));
        (!given.is_empty()).then(|| amounts.collect())
    };
    ResourceRequirements {
        requests: amounts(&given.requests),
        limits: amounts(&given.limits),
        ..ResourceRequirements::default()
    }
}

fn pull_policy(policy: ImagePullPolicy) -> String {
    match policy {
        ImagePullPolicy::Always => "Always",
        ImagePullPolicy::IfNotPresent => "IfNotPresent",
        ImagePullPolicy::Never => "Never",
    }
    .to_owned()
}

fn selector(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}
