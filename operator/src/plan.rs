//! What would be made of a file, without a cluster.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use igra_crds::{GroupPolicy, SignerGroup};
use kube::ResourceExt;
use serde::Deserialize;

use crate::{
    build,
    validate::{ValidGroup, validate},
};

/// Address, identity and objects of each group in the text, as YAML with comments.
pub fn plan(text: &str, signer_image: &str) -> anyhow::Result<String> {
    let (groups, policies) = read(text)?;
    if groups.is_empty() {
        bail!("there is no SignerGroup in the file");
    }
    groups.iter().map(|group| one(group, &policies, signer_image)).collect()
}

fn read(text: &str) -> anyhow::Result<(Vec<SignerGroup>, Vec<GroupPolicy>)> {
    let (mut groups, mut policies) = (Vec::new(), Vec::new());
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = serde_json::Value::deserialize(document).context("could not read the file as YAML")?;
        match value["kind"].as_str() {
            Some("SignerGroup") => {
                groups.push(serde_json::from_value(value).context("could not read the SignerGroup")?)
            }
            Some("GroupPolicy") => {
                policies.push(serde_json::from_value(value).context("could not read the GroupPolicy")?)
            }
            Some(_) | None => {}
        }
    }
    Ok((groups, policies))
}

fn one(group: &SignerGroup, policies: &[GroupPolicy], signer_image: &str) -> anyhow::Result<String> {
    let policy = policies.iter().find(|policy| policy.name_any() == group.spec.policy_ref.name);
    let valid = validate(group, policy, signer_image).map_err(|problems| {
        let lines = problems.iter().map(|problem| format!("\n  {}: {}", problem.field, problem.what));
        anyhow::anyhow!("SignerGroup {} is invalid:{}", group.name_any(), lines.collect::<String>())
    })?;
    let mut text = head(&valid);
    // The UID of a claim is known once it exists; until then there is no volumeId in the configuration.
    let intents =
        build::claims(&valid, &BTreeMap::new()).into_iter().chain(build::objects(&valid, &BTreeMap::new()));
    for intent in intents {
        text.push_str("---\n");
        text.push_str(&serde_yaml::to_string(&intent.object).context("could not write an object as YAML")?);
    }
    Ok(text)
}

fn head(valid: &ValidGroup) -> String {
    let (group, threshold) = (&valid.group, valid.group.threshold());
    format!(
        "# SignerGroup {}: {}-of-{} on {}, quorum {}\n# address {}\n# group id {}\n",
        valid.name,
        threshold.needed(),
        threshold.members(),
        group.network(),
        group.quorum().get(),
        group.wallet().address(),
        group.id()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = include_str!("../../manifests/samples/group.yaml");
    const POLICY: &str = include_str!("../../manifests/samples/policy.yaml");

    #[test]
    fn a_plan_shows_address_and_objects() {
        let plan = plan(&format!("{GROUP}---\n{POLICY}"), "signer:1").unwrap();
        assert!(
            plan.starts_with("# SignerGroup treasury: 2-of-3 on simnet, quorum 2\n# address kaspasim:p"),
            "{plan}"
        );
        assert_eq!(plan.matches("kind: StatefulSet").count(), 3);
    }

    #[test]
    fn a_plan_of_an_invalid_group_says_which_field_and_why() {
        let error = plan(&GROUP.replace("threshold: 2", "threshold: 4"), "signer:1").unwrap_err().to_string();
        assert!(error.contains("spec.threshold: ") && error.contains("spec.policyRef.name: "), "{error}");
    }
}
