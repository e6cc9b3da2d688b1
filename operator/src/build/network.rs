//! Services of a group, and the budget that keeps its quorum through drains.

use k8s_openapi::{
    api::{
        core::v1::{Service, ServicePort, ServiceSpec},
        policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::{names, owned};
use crate::validate::ValidGroup;

/// Headless: gives each pod its DNS name, ready or not, because signers must find each other before they are ready.
pub(super) fn gossip_service(group: &ValidGroup) -> Service {
    let port = port(names::GOSSIP_PORT_NAME, "UDP", group.gossip_port);
    service(
        group,
        names::gossip_service_name(&group.name),
        ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        },
    )
}

/// The API of whichever member is ready.
pub(super) fn api_service(group: &ValidGroup) -> Service {
    let port = port(names::API_PORT_NAME, "TCP", group.api_port);
    let spec = ServiceSpec { ports: Some(vec![port]), ..ServiceSpec::default() };
    service(group, names::api_service_name(&group.name), spec)
}

/// Keeps as many pods as the quorum needs, counting other clusters' members as running.
pub(super) fn budget(group: &ValidGroup) -> PodDisruptionBudget {
    let needed = usize::from(group.group.quorum().get()).saturating_sub(group.remote_count());
    PodDisruptionBudget {
        metadata: owned(group, group.name.clone(), names::group_labels(&group.name)),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(
                i32::try_from(needed).expect("a group has at most 15 members"),
            )),
            selector: Some(LabelSelector {
                match_labels: Some(names::pod_selector(&group.name)),
                ..LabelSelector::default()
            }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}

fn service(group: &ValidGroup, name: String, spec: ServiceSpec) -> Service {
    Service {
        metadata: owned(group, name, names::group_labels(&group.name)),
        spec: Some(ServiceSpec { selector: Some(names::pod_selector(&group.name)), ..spec }),
        status: None,
    }
}

fn port(name: &str, protocol: &str, port: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        protocol: Some(protocol.to_owned()),
        port: i32::from(port),
        target_port: Some(IntOrString::String(name.to_owned())),
        ..ServicePort::default()
    }
}
