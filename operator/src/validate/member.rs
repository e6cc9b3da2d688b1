//! Members: names, transport ids, where each one runs, and what a local one needs.

use igra_config::HostPort;
use igra_crds::{
    AccessMode, KaspaNodeSpec, LocalMember, MEMBER_NAME_MAX, MemberSpec, RESERVED_MEMBER_NAMES,
    ResourceAmounts, ResourcesSpec, SignerGroupSpec, StorageSpec,
};
use igra_group::TransportId;

use super::{Problems, host_port, transport_id};
use crate::quantity;

/// One member, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidMember {
    pub name: String,
    pub public_key: String,
    pub transport: TransportId,
    pub place: Place,
}

/// Who runs a member.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// This cluster.
    Local(Local),
    /// Another one; its gossip port is here.
    Remote { addresses: Vec<HostPort> },
}

/// What a local member's objects are built from.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    pub key_secret: String,
    pub endpoints: Vec<String>,
    pub resources: Resources,
    pub storage: Storage,
    pub suspended: bool,
}

/// Canonical quantities by resource name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    pub requests: Vec<(&'static str, String)>,
    pub limits: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// Canonical.
    pub size: String,
    pub class: Option<String>,
    pub access_mode: AccessMode,
}

/// Every member of the specification, in its order; none where something is wrong with it.
pub(super) fn all(spec: &SignerGroupSpec, problems: &mut Problems) -> Vec<Option<ValidMember>> {
    spec.members.iter().enumerate().map(|(at, member)| one(spec, at, member, problems)).collect()
}

fn one(
    spec: &SignerGroupSpec,
    at: usize,
    member: &MemberSpec,
    problems: &mut Problems,
) -> Option<ValidMember> {
    let MemberSpec { name, public_key, transport_id: transport, local, remote } = member;
    let field = |rest: &str| format!("spec.members[{at}]{rest}");
    check_name(name, &field(".name"), problems);
    let transport = transport_id(transport);
    if transport.is_none() {
        problems.spec(field(".transportId"), "transportId must be 64 digits of lower-case hex");
    }
    let place = match (local, remote) {
        (Some(local), None) => self::local(spec, local, &field(".local"), problems).map(Place::Local),
        (None, Some(remote)) => addresses(&remote.addresses, &field(".remote.addresses"), problems),
        (Some(_), Some(_)) => {
            problems
                .spec(field(""), format!("member {name} has both local and remote; exactly one is needed"));
            None
        }
        (None, None) => {
            problems.spec(
                field(""),
                format!("member {name} has neither local nor remote; exactly one is needed"),
            );
            None
        }
    };
    Some(ValidMember {
        name: name.clone(),
        public_key: public_key.clone(),
        transport: transport?,
        place: place?,
    })
}

fn check_name(name: &str, field: &str, problems: &mut Problems) {
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if name.is_empty() || name.len() > MEMBER_NAME_MAX || !letters {
        let what =
            format!("a member's name has lower-case letters and digits only, at most {MEMBER_NAME_MAX}");
        problems.spec(field, what);
    }
    if RESERVED_MEMBER_NAMES.contains(&name) {
        problems.spec(field, "this name is reserved (api, gossip, node, policy)");
    }
}

fn addresses(texts: &[String], field: &str, problems: &mut Problems) -> Option<Place> {
    let addresses: Vec<HostPort> = texts.iter().filter_map(|text| host_port(text)).collect();
    if addresses.len() < texts.len() || addresses.is_empty() {
        problems.spec(field, "at least one host:port is needed, such as gamma.example.org:31120");
        return None;
    }
    Some(Place::Remote { addresses })
}

fn local(
    spec: &SignerGroupSpec,
    member: &LocalMember,
    field: &str,
    problems: &mut Problems,
) -> Option<Local> {
    let LocalMember { key_secret_ref, kaspa_node, resources, storage, suspend } = member;
    let endpoints = match (kaspa_node, &spec.kaspa_node) {
        (Some(own), _) => endpoints(own, &format!("{field}.kaspaNode.endpoints"), problems),
        (None, Some(groups)) => endpoints(groups, "spec.kaspaNode.endpoints", problems),
        (None, None) => {
            problems.spec("spec.kaspaNode", "every local member needs a Kaspa node: its own, or the group's");
            None
        }
    };
    let resources = match (resources, &spec.resources) {
        (Some(own), _) => self::resources(own, &format!("{field}.resources"), problems),
        (None, Some(groups)) => self::resources(groups, "spec.resources", problems),
        (None, None) => Some(default_resources()),
    };
    let storage = match storage {
        Some(own) => self::storage(own, &format!("{field}.storage"), problems),
        None => self::storage(&spec.storage, "spec.storage", problems),
    };
    Some(Local {
        key_secret: key_secret_ref.name.clone(),
        endpoints: endpoints?,
        resources: resources?,
        storage: storage?,
        suspended: *suspend || spec.suspend,
    })
}

fn endpoints(node: &KaspaNodeSpec, field: &str, problems: &mut Problems) -> Option<Vec<String>> {
    let is_endpoint = |text: &String| text.strip_prefix("grpc://").and_then(host_port).is_some();
    if node.endpoints.is_empty() || !node.endpoints.iter().all(is_endpoint) {
        problems.spec(field, "at least one endpoint grpc://host:port is needed, and none of another form");
        return None;
    }
    Some(node.endpoints.clone())
}

fn resources(given: &ResourcesSpec, field: &str, problems: &mut Problems) -> Option<Resources> {
    let ResourcesSpec { requests, limits } = given;
    let mut amounts = |given: &Option<ResourceAmounts>, part: &str| {
        let ResourceAmounts { cpu, memory } = given.clone().unwrap_or_default();
        let mut canonical = Vec::new();
        for (name, text) in [("cpu", cpu), ("memory", memory)] {
            let Some(text) = text else { continue };
            match quantity::canonical(&text) {
                Some(text) => canonical.push((name, text)),
                None => problems.spec(
                    format!("{field}.{part}.{name}"),
                    format!("{name} must be a positive quantity such as 10Gi or 500m"),
                ),
            }
        }
        canonical
    };
    Some(Resources { requests: amounts(requests, "requests"), limits: amounts(limits, "limits") })
}

fn default_resources() -> Resources {
    let amounts = |cpu: Option<&str>, memory: &str| {
        cpu.map(|cpu| ("cpu", cpu.to_owned())).into_iter().chain([("memory", memory.to_owned())]).collect()
    };
    Resources { requests: amounts(Some("50m"), "64Mi"), limits: amounts(None, "512Mi") }
}

fn storage(given: &StorageSpec, field: &str, problems: &mut Problems) -> Option<Storage> {
    let StorageSpec { size, storage_class_name, access_mode } = given;
    let Some(size) = quantity::canonical(size) else {
        problems.spec(format!("{field}.size"), "size must be a positive quantity such as 10Gi");
        return None;
    };
    Some(Storage { size, class: storage_class_name.clone(), access_mode: *access_mode })
}
