//! `config.yaml` and `policy.yaml` of a member.

use std::collections::BTreeMap;

use igra_config::{Auth, Config, GroupConfig, MemberConfig, PredecessorConfig};
use k8s_openapi::api::core::v1::ConfigMap;

use super::{names, owned};
use crate::{
    differ,
    validate::{Local, Place, ValidGroup, ValidMember},
};

pub(super) const CONFIG_DIR: &str = "/etc/igra/config";
pub(super) const CONFIG_FILE: &str = "config.yaml";
pub(super) const KEYS_DIR: &str = "/etc/igra/keys";
pub(super) const TOKENS_DIR: &str = "/etc/igra/tokens";
pub(super) const DATA_DIR: &str = "/var/lib/igra";
const POLICY_FILE: &str = "policy.yaml";
pub(super) const TOKENS_FILE: &str = "tokens.yaml";
/// Keys of a member's Secret, and the files that they become.
pub(super) const KEY_FILES: [&str; 2] = ["signing.key", "transport.key"];

/// The files of one member, as text.
pub(super) struct Files {
    config: String,
    policy: String,
    /// Changes with everything that a running signer does not take up by itself.
    pub restart_hash: String,
}

pub(super) fn files(
    group: &ValidGroup,
    member: &ValidMember,
    local: &Local,
    volume_id: Option<String>,
) -> Files {
    let text = config(group, member, local, volume_id).to_yaml();
    Files {
        // A signer reads it once, when it starts; only names in it are resolved again and again.
        restart_hash: differ::hash_text(&text),
        config: text,
        policy: group.policy.to_yaml(),
    }
}

pub(super) fn config_map(group: &ValidGroup, member: &ValidMember, files: &Files) -> ConfigMap {
    let name = names::config_name(&group.name, &member.name);
    let data = [(CONFIG_FILE, &files.config), (POLICY_FILE, &files.policy)];
    ConfigMap {
        metadata: owned(group, name, names::member_labels(&group.name, &member.name)),
        data: Some(
            data.into_iter().map(|(file, text)| (file.to_owned(), text.clone())).collect::<BTreeMap<_, _>>(),
        ),
        ..ConfigMap::default()
    }
}

fn config(group: &ValidGroup, member: &ValidMember, local: &Local, volume_id: Option<String>) -> Config {
    let any = |port: u16| std::net::SocketAddr::from(([0, 0, 0, 0], port));
    let mut config = shared(group).config(&member.name, DATA_DIR, KEYS_DIR, "");
    config.volume_id = volume_id;
    config.kaspa_node.endpoints = local.endpoints.clone();
    config.gossip.listen = any(group.gossip_port);
    config.api.listen = any(group.api_port);
    config.admin.listen = any(names::ADMIN_PORT);
    config.policy_file = POLICY_FILE.into();
    if group.tokens_secret.is_some() {
        config.api.auth = Auth::Tokens;
        config.api.tokens_file = Some(format!("{TOKENS_DIR}/{TOKENS_FILE}").into());
    }
    config
}

fn shared(group: &ValidGroup) -> GroupConfig {
    let wallet = group.group.wallet();
    GroupConfig {
        network: group.group.network(),
        signature_scheme: wallet.scheme(),
        threshold: wallet.threshold().needed(),
        quorum: Some(group.group.quorum().get()),
        depths: group.group.depths(),
        dust_sompi: group.group.dust(),
        predecessor: group.group.predecessor().map(PredecessorConfig::from),
        members: group.members.iter().map(|member| entry(group, member)).collect(),
    }
}

fn entry(group: &ValidGroup, member: &ValidMember) -> MemberConfig {
    let addresses = match &member.place {
        Place::Local(_) => vec![names::pod_dns_name(group, &member.name)],
        Place::Remote { addresses } => addresses.clone(),
    };
    MemberConfig {
        name: member.name.clone(),
        public_key: member.public_key.clone(),
        transport_id: member.transport,
        addresses,
    }
}
