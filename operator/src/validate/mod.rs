//! From resources to a [`ValidGroup`], or to the reasons why there is none. Pure.

mod member;
mod policy;
mod wallet;

use std::collections::BTreeMap;

use igra_config::{HostPort, PolicyFile};
use igra_crds::{
    ApiAuth, GROUP_NAME_MAX, GroupPolicy, ImagePullPolicy, NetworkName, Reason, Scheme, SignerGroup,
    SignerGroupSpec,
};
use igra_group::{Group, TransportId};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use self::wallet::{network, wallet_and_terms};

pub use member::{Local, Place, Resources, Storage, ValidMember};

/// What is wrong with a group, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted, from the resource's root, such as `spec.members[1].publicKey`; `policy.spec.…` for the GroupPolicy.
    pub field: String,
    pub what: String,
    pub reason: Reason,
}

/// A group whose objects can be built.
#[derive(Clone, Debug)]
pub struct ValidGroup {
    pub name: String,
    pub namespace: String,
    pub owner: OwnerReference,
    /// Wallet, members in script order, quorum, depths.
    pub group: Group,
    /// In the order of the specification.
    pub members: Vec<ValidMember>,
    pub policy: PolicyFile,
    pub image: String,
    pub image_pull_policy: Option<ImagePullPolicy>,
    pub api_port: u16,
    /// Absent where the API is open to everyone.
    pub tokens_secret: Option<String>,
    pub gossip_port: u16,
}

impl ValidGroup {
    /// Members that this cluster runs.
    pub fn local_members(&self) -> impl Iterator<Item = (&ValidMember, &Local)> {
        self.members.iter().filter_map(|member| match &member.place {
            Place::Local(local) => Some((member, local)),
            Place::Remote { .. } => None,
        })
    }

    pub fn remote_count(&self) -> usize {
        self.members.len() - self.local_members().count()
    }
}

/// The group, or everything that is wrong with it. `default_image` is used where the group names none.
pub fn validate(
    object: &SignerGroup,
    policy: Option<&GroupPolicy>,
    default_image: &str,
) -> Result<ValidGroup, Vec<Problem>> {
    let spec = &object.spec;
    let mut problems = Problems::default();
    check_name(object, &mut problems);
    let members = member::all(spec, &mut problems);
    let group = wallet_and_terms(spec, &members, &mut problems);
    let rules = find_policy(spec, policy, &mut problems);
    let tokens_secret = tokens(spec, &mut problems);
    keys_of_one_pod_each(spec, &mut problems);
    if let Some(rules) = &rules {
        trust_has_bounds(spec, rules, &mut problems);
    }
    if spec.signature_scheme == Scheme::Ecdsa {
        problems.0.push(Problem {
            field: "spec.signatureScheme".to_owned(),
            what: "signers sign Schnorr only as yet".to_owned(),
            reason: Reason::NotSupportedYet,
        });
    }
    match (group, rules) {
        (Some(group), Some(policy)) if problems.0.is_empty() => Ok(ValidGroup {
            name: object.name_any(),
            namespace: object.namespace().unwrap_or_else(|| "default".to_owned()),
            owner: owner_of(object),
            group,
            members: members.into_iter().flatten().collect(),
            policy,
            image: spec.image.clone().unwrap_or_else(|| default_image.to_owned()),
            image_pull_policy: spec.image_pull_policy,
            api_port: spec.api.port,
            tokens_secret,
            gossip_port: spec.gossip.port,
        }),
        (_, _) => Err(problems.0),
    }
}

/// The wallet and its terms alone, where the specification makes one: known before any policy or signer is there.
pub fn group_of(spec: &SignerGroupSpec) -> Option<Group> {
    let mut unread = Problems::default();
    let members = member::all(spec, &mut unread);
    wallet_and_terms(spec, &members, &mut unread)
}

/// What is wrong with a policy by itself, whichever group uses it. Fields count from the policy's own root.
pub fn policy_problems(policy: &GroupPolicy) -> Vec<Problem> {
    let mut problems = Problems::default();
    policy::rules(&policy.spec, None, &mut problems);
    for problem in &mut problems.0 {
        problem.field = problem.field.trim_start_matches("policy.").to_owned();
    }
    problems.0
}

/// Gathers all problems, so that a user reads them at once.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn spec(&mut self, field: impl Into<String>, what: impl Into<String>) {
        self.0.push(Problem { field: field.into(), what: what.into(), reason: Reason::InvalidSpec });
    }

    fn policy(&mut self, field: impl Into<String>, what: impl Into<String>) {
        self.0.push(Problem { field: field.into(), what: what.into(), reason: Reason::InvalidPolicy });
    }
}

fn check_name(object: &SignerGroup, problems: &mut Problems) {
    let name = object.name_any();
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if !begins || name.ends_with('-') || !name.bytes().all(inner) || name.len() > GROUP_NAME_MAX {
        let what = format!(
            "a group's name has at most {GROUP_NAME_MAX} lower-case letters, digits and dashes, and begins with a letter"
        );
        problems.spec("metadata.name", what);
    }
}

fn find_policy(
    spec: &SignerGroupSpec,
    policy: Option<&GroupPolicy>,
    problems: &mut Problems,
) -> Option<PolicyFile> {
    let Some(policy) = policy else {
        problems.0.push(Problem {
            field: "spec.policyRef.name".to_owned(),
            what: format!("there is no GroupPolicy {} in this namespace", spec.policy_ref.name),
            reason: Reason::PolicyNotFound,
        });
        return None;
    };
    policy::rules(&policy.spec, Some(network(spec.network)), problems)
}

fn tokens(spec: &SignerGroupSpec, problems: &mut Problems) -> Option<String> {
    match (&spec.api.tokens_secret_ref, spec.api.auth) {
        (Some(secret), None) => Some(secret.name.clone()),
        (None, Some(ApiAuth::None)) => None,
        (Some(_), Some(ApiAuth::None)) | (None, None) => {
            problems.spec(
                "spec.api",
                "give tokensSecretRef, or write auth: none to let everyone call the API who reaches its port",
            );
            None
        }
    }
}

/// A Secret with a member's keys is mounted by that member's pod, and by no other.
fn keys_of_one_pod_each(spec: &SignerGroupSpec, problems: &mut Problems) {
    let tokens = spec.api.tokens_secret_ref.as_ref().map(|secret| secret.name.as_str());
    let mut seen = BTreeMap::new();
    for (at, member) in spec.members.iter().enumerate() {
        let Some(local) = &member.local else { continue };
        let (secret, field) =
            (local.key_secret_ref.name.as_str(), format!("spec.members[{at}].local.keySecretRef.name"));
        if let Some(other) = seen.insert(secret, &member.name) {
            let what = format!("every local member needs a keySecretRef of its own; the same in {other}");
            problems.spec(field, what);
        }
        if tokens == Some(secret) {
            let what = "every pod mounts the tokens: they need a Secret that holds no member's keys";
            problems.spec("spec.api.tokensSecretRef.name", what);
        }
    }
}

/// `trustIngress` rests on the tokens of the API, and is for development.
fn trust_has_bounds(spec: &SignerGroupSpec, rules: &PolicyFile, problems: &mut Problems) {
    for (at, source) in rules.sources.iter().enumerate() {
        if !source.api.trust_ingress {
            continue;
        }
        let field = format!("policy.spec.sources[{at}].api.trustIngress");
        if spec.network == NetworkName::Mainnet {
            problems.policy(&field, "not on mainnet: name approvers, and how many of them must sign");
        }
        if spec.api.auth == Some(ApiAuth::None) {
            problems.policy(
                &field,
                "not with spec.api.auth: none, where everyone could pay: give tokens, or name approvers",
            );
        }
    }
}

fn owner_of(object: &SignerGroup) -> OwnerReference {
    OwnerReference {
        api_version: SignerGroup::api_version(&()).into_owned(),
        kind: SignerGroup::kind(&()).into_owned(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        controller: Some(true),
        // Needs a right of its own on some clusters, and would only slow a deletion down.
        block_owner_deletion: None,
    }
}

fn transport_id(text: &str) -> Option<TransportId> {
    let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
    text.parse().ok().filter(|_| lower)
}

fn host_port(text: &str) -> Option<HostPort> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use igra_config::{Scope, Window};
    use igra_group::Sompi;
    use serde_json::{Value, json};

    fn problems(change: impl FnOnce(&mut Value)) -> Vec<Problem> {
        validate(&samples::group(change), Some(&samples::policy(|_| {})), "image").err().unwrap_or_default()
    }

    #[test]
    fn the_sample_is_a_valid_group() {
        let valid = validate(&samples::group(|_| {}), Some(&samples::policy(|_| {})), "image").unwrap();
        assert_eq!((valid.namespace.as_str(), valid.image.as_str()), ("money", "image"));
        assert_eq!(valid.local_members().count(), 3);
        assert_eq!(valid.group.quorum().get(), 2);
        assert_eq!(valid.owner.uid, "group-uid");
    }

    #[test]
    fn amounts_and_durations_of_the_policy_become_sompi_and_seconds() {
        let valid = validate(&samples::group(|_| {}), Some(&samples::policy(|_| {})), "image").unwrap();
        assert_eq!(valid.policy.amount.min_sompi, Some(Sompi(20_000_000)));
        assert_eq!(valid.policy.sources[0].deadline_seconds, 86_400);
        assert_eq!(valid.policy.volumes[0].window, Window::UtcDay);
        assert_eq!(valid.policy.volumes[1].scope, Scope::Destination);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let problems = problems(|group| {
            group["spec"]["threshold"] = json!(9);
            group["spec"]["kaspaNode"]["endpoints"] = json!(["kaspad"]);
            group["spec"]["members"][1]["name"] = json!("api");
        });
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert!(
            fields.contains(&"spec.kaspaNode.endpoints") && fields.contains(&"spec.members[1].name"),
            "{fields:?}"
        );
    }

    #[test]
    fn keys_are_in_secrets_of_their_own() {
        let shared = |secret: &str| {
            let found = problems(|group| {
                group["spec"]["members"][0]["local"]["keySecretRef"]["name"] = json!(secret);
            });
            found.into_iter().map(|problem| problem.field).collect::<Vec<_>>()
        };
        assert_eq!(shared("treasury-beta"), ["spec.members[1].local.keySecretRef.name"]);
        assert_eq!(shared("treasury-tokens"), ["spec.api.tokensSecretRef.name"]);
        assert!(shared("treasury-other").is_empty());
    }

    #[test]
    fn trust_in_the_api_needs_tokens_and_is_not_for_mainnet() {
        const FIELD: &str = "policy.spec.sources[0].api.trustIngress";
        let named = |problems: &[Problem]| problems.iter().any(|problem| problem.field == FIELD);
        let open = |group: &mut Value| group["spec"]["api"] = json!({"auth": "none"});
        let mainnet = |group: &mut Value| {
            group["spec"]["network"] = json!("mainnet");
            group["spec"].as_object_mut().unwrap().remove("depths");
        };
        let approved = samples::policy(|policy| {
            let key = "ab".repeat(32);
            policy["spec"]["approvers"] = json!([{"name": "anna", "scheme": "ed25519", "publicKey": key}]);
            policy["spec"]["sources"][0]["api"] = json!({"approvers": ["anna"], "approvals": 1});
            policy["spec"].as_object_mut().unwrap().remove("destinations");
        });
        let trusting = samples::policy(|policy| {
            policy["spec"].as_object_mut().unwrap().remove("destinations");
        });
        for group in [samples::group(open), samples::group(mainnet)] {
            let problems = validate(&group, Some(&trusting), "image").unwrap_err();
            assert!(named(&problems), "{problems:?}");
            assert!(problems.iter().all(|problem| problem.reason == Reason::InvalidPolicy), "{problems:?}");
            validate(&group, Some(&approved), "image").unwrap();
        }
        let mut both = approved;
        both.spec.sources[0].api.trust_ingress = true;
        assert!(named(&validate(&samples::group(|_| {}), Some(&both), "image").unwrap_err()));
    }

    #[test]
    fn depths_that_nobody_gave_are_those_that_may_be_written_down_later() {
        let without = samples::group(|group| {
            group["spec"].as_object_mut().unwrap().remove("depths");
        });
        let depths = group_of(&without.spec).unwrap().depths();
        let told = igra_crds::DepthsSpec {
            coin: depths.coin,
            deposit: depths.deposit,
            settled: depths.settled,
            final_: depths.final_,
        };
        assert_eq!(told, igra_crds::DepthsSpec::DEFAULT);
    }

    #[test]
    fn a_predecessor_is_another_wallet_of_good_keys() {
        let told = |keys: Value| {
            let found =
                problems(|group| group["spec"]["predecessor"] = json!({"threshold": 2, "publicKeys": keys}));
            found.into_iter().map(|problem| problem.field).collect::<Vec<_>>()
        };
        let own = samples::group(|_| {}).spec.members;
        let own: Vec<&str> = own.iter().map(|member| member.public_key.as_str()).collect();
        assert_eq!(told(json!(own)), ["spec.predecessor"]);
        assert_eq!(told(json!([own[0]])), ["spec.predecessor"]);
        assert_eq!(told(json!([own[0], own[0]])), ["spec.predecessor"]);
        assert!(told(json!(own[..2])).is_empty());
    }

    #[test]
    fn mainnet_asks_for_a_deep_final_depth() {
        let problems = problems(|group| group["spec"]["network"] = json!("mainnet"));
        assert!(problems.iter().any(|problem| problem.field == "spec.depths"), "{problems:?}");
    }

    #[test]
    fn a_policy_of_another_network_is_refused_by_its_address() {
        let policy = samples::policy(|policy| {
            policy["spec"]["destinations"]["allow"] =
                json!(["kaspatest:qpauqsvk7yf9unexwmxsnmg547mhyga37csh0kj53q6xxgl24ydxjhgf9jxlp"]);
        });
        let problems = validate(&samples::group(|_| {}), Some(&policy), "image").unwrap_err();
        assert_eq!(problems[0].field, "policy.spec.destinations.allow");
        assert_eq!(problems[0].reason, Reason::InvalidPolicy);
    }

    #[test]
    fn the_address_needs_neither_policy_nor_signers() {
        let group = samples::group(|_| {});
        assert_eq!(validate(&group, None, "image").unwrap_err()[0].reason, Reason::PolicyNotFound);
        assert!(group_of(&group.spec).unwrap().wallet().address().to_string().starts_with("kaspasim:p"));
    }

    #[test]
    fn a_member_of_its_own_mind_overrides_the_group() {
        let group = samples::group(|group| {
            let local = &mut group["spec"]["members"][0]["local"];
            local["kaspaNode"] = json!({"endpoints": ["grpc://near:1"]});
            local["resources"] = json!({"limits": {"memory": "1024Mi"}});
            local["storage"] = json!({"size": "2048Mi"});
            local["suspend"] = json!(true);
        });
        let valid = validate(&group, Some(&samples::policy(|_| {})), "image").unwrap();
        let (_, local) = valid.local_members().next().unwrap();
        assert_eq!(local.endpoints, ["grpc://near:1"]);
        assert_eq!(local.resources.limits, [("memory", "1Gi".to_owned())]);
        assert_eq!(local.storage.size, "2Gi");
        assert!(local.suspended);
    }
}
