//! Names, labels and ports that builders share and that users meet.

use std::collections::BTreeMap;

use igra_config::HostPort;

use crate::validate::ValidGroup;

pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
pub const MANAGED_BY: &str = "igra-operator";
pub const GROUP_LABEL: &str = "igra.dev/group";
pub const MEMBER_LABEL: &str = "igra.dev/member";
/// Annotation of pod templates and pods: what of the configuration needs a restart.
pub const CONFIG_HASH: &str = "igra.dev/config-hash";
/// Annotation by which a claim that somebody else made is handed to the group of that name.
pub const ADOPT: &str = "igra.dev/adopt";
pub const SIGNER_CONTAINER: &str = "signer";
/// Health and metrics.
pub const ADMIN_PORT: u16 = igra_config::defaults::ADMIN_PORT;
pub const API_PORT_NAME: &str = "api";

pub(super) const GOSSIP_PORT_NAME: &str = "gossip";
pub(super) const ADMIN_PORT_NAME: &str = "admin";

/// StatefulSet, ServiceAccount and ConfigMap of a member.
pub fn set_name(group: &str, member: &str) -> String {
    format!("{group}-{member}")
}

pub fn claim_name(group: &str, member: &str) -> String {
    set_name(group, member)
}

pub fn config_name(group: &str, member: &str) -> String {
    set_name(group, member)
}

pub(super) fn gossip_service_name(group: &str) -> String {
    format!("{group}-gossip")
}

pub(super) fn api_service_name(group: &str) -> String {
    format!("{group}-api")
}

/// Where a local member's pod is found inside the cluster. The cluster's own domain is left to the resolver's search.
pub fn pod_dns_name(group: &ValidGroup, member: &str) -> HostPort {
    let set = set_name(&group.name, member);
    let service = gossip_service_name(&group.name);
    let text = format!("{set}-0.{service}.{}.svc:{}", group.namespace, group.gossip_port);
    text.parse().expect("names that were checked make a DNS name")
}

/// Labels of what belongs to the whole group.
pub fn group_labels(group: &str) -> BTreeMap<String, String> {
    let mut labels = pod_selector(group);
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned());
    labels
}

/// Labels of what belongs to one member.
pub fn member_labels(group: &str, member: &str) -> BTreeMap<String, String> {
    let mut labels = group_labels(group);
    labels.insert(MEMBER_LABEL.to_owned(), member.to_owned());
    labels
}

/// Selects the pods of all local members.
pub(super) fn pod_selector(group: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "igra-signer".to_owned()),
        (GROUP_LABEL.to_owned(), group.to_owned()),
    ])
}

/// Selects the pod of one member.
pub(super) fn member_selector(group: &str, member: &str) -> BTreeMap<String, String> {
    let mut selector = pod_selector(group);
    selector.insert(MEMBER_LABEL.to_owned(), member.to_owned());
    selector
}
