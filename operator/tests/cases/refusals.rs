//! What the API server refuses, in which words, and that `validate` refuses the same.

use anyhow::{Context, Result, ensure};
use igra_crds::{GroupPolicy, SignerGroup};
use igra_operator::validate::{policy_problems, validate};
use kube::{Api, api::PostParams};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use super::{Case, Ground, Stage, sample};

/// A change to a sample: where, and to what; `null` takes the field away.
type Change = (&'static str, Value);

/// 33 bytes of a key whose x coordinate is that of the sample's first member.
const KEY: &str = "dda6fcb4697c52b9755b2ed2dacff1b12895ff309be5c5b9d89223f4742a7ed4";

pub fn cases() -> Vec<(&'static str, Case)> {
    vec![
        ("samples_are_accepted", |stage| Box::pin(samples_are_accepted(stage))),
        ("each_mistake_in_a_group_is_refused_by_field", |stage| Box::pin(group_mistakes(stage))),
        ("each_mistake_in_a_policy_is_refused_by_field", |stage| Box::pin(policy_mistakes(stage))),
        ("what_the_address_depends_on_cannot_change", |stage| Box::pin(immutables(stage))),
        ("default_depths_may_be_written_down_later", |stage| Box::pin(default_depths(stage))),
        ("the_api_server_and_validate_agree_on_groups", |stage| Box::pin(groups_agree(stage))),
        ("the_api_server_and_validate_agree_on_policies", |stage| Box::pin(policies_agree(stage))),
    ]
}

async fn samples_are_accepted(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("samples").await?;
    ground.create_samples().await?;
    ground.delete_group("treasury").await
}

/// Each row: the changes, the field that the API server's message names, some of its words, and the field that
/// `validate` names.
fn mistakes() -> Vec<(Vec<Change>, &'static str, &'static str, &'static str)> {
    let member = |rest: &'static str, value: Value| vec![(rest, value)];
    vec![
        (
            vec![("/spec/threshold", json!(4))],
            "spec.threshold",
            "threshold 4 is larger than the number of members, 3",
            "spec.threshold",
        ),
        (
            vec![("/spec/threshold", json!(0))],
            "spec.threshold",
            "should be greater than or equal to 1",
            "spec.threshold",
        ),
        (vec![("/spec/quorum", json!(1))], "spec.quorum", "quorum must be from 2 to 3", "spec.quorum"),
        (vec![("/spec/quorum", json!(4))], "spec.quorum", "quorum must be from 2 to 3", "spec.quorum"),
        (
            vec![
                ("/spec/network", json!("mainnet")),
                ("/spec/threshold", json!(1)),
                ("/spec/depths", Value::Null),
            ],
            "spec.threshold",
            "mainnet needs a threshold of at least 2",
            "spec.threshold",
        ),
        (vec![("/spec/network", json!("testnet"))], "spec.network", "supported values", ""),
        (
            member("/spec/members/1/name", json!("alpha")),
            "spec.members[1]",
            "Duplicate value",
            "spec.members",
        ),
        (
            member("/spec/members/1/name", json!("api")),
            "spec.members[1].name",
            "this name is reserved",
            "spec.members[1].name",
        ),
        (
            member("/spec/members/1/name", json!("be-ta")),
            "spec.members[1].name",
            "letters and digits only",
            "spec.members[1].name",
        ),
        (
            member("/spec/members/1/name", json!("abcdefghijklmnop")),
            "spec.members[1].name",
            "may not be more than 15",
            "spec.members[1].name",
        ),
        (
            member("/spec/members/1/publicKey", json!(KEY)),
            "spec.members",
            "publicKey must differ between members; the same in [\"alpha\", \"beta\"]",
            "spec.members",
        ),
        (
            member("/spec/members/1/publicKey", json!(KEY.to_uppercase())),
            "spec.members[1].publicKey",
            "lower-case hex",
            "spec.members[1].publicKey",
        ),
        (
            member("/spec/members/1/publicKey", json!("12")),
            "spec.members[1].publicKey",
            "lower-case hex",
            "spec.members[1].publicKey",
        ),
        (
            member("/spec/members/1/transportId", json!("AB")),
            "spec.members[1].transportId",
            "64 digits of lower-case hex",
            "spec.members[1].transportId",
        ),
        (
            member("/spec/members/1/remote", json!({"addresses": ["a:1"]})),
            "spec.members[1]",
            "member beta has both local and remote",
            "spec.members[1]",
        ),
        (
            member("/spec/members/1/local", Value::Null),
            "spec.members[1]",
            "member beta has neither local nor remote",
            "spec.members[1]",
        ),
        (
            vec![
                ("/spec/members/1/local", Value::Null),
                ("/spec/members/1/remote", json!({"addresses": ["no port"]})),
            ],
            "spec.members[1].remote.addresses",
            "host:port",
            "spec.members[1].remote.addresses",
        ),
        (
            vec![("/spec/kaspaNode", Value::Null)],
            "spec.kaspaNode",
            "every local member needs a Kaspa node",
            "spec.kaspaNode",
        ),
        (
            vec![("/spec/kaspaNode/endpoints", json!(["http://kaspad:1"]))],
            "spec.kaspaNode.endpoints",
            "an endpoint is grpc://host:port; wrong: [\"http://kaspad:1\"]",
            "spec.kaspaNode.endpoints",
        ),
        (
            vec![("/spec/members/1/local/keySecretRef", json!({"name": "treasury-alpha"}))],
            "spec.members",
            "a keySecretRef of its own; the same in [\"alpha\", \"beta\"]",
            "spec.members[1].local.keySecretRef.name",
        ),
        (
            vec![("/spec/api/tokensSecretRef", json!({"name": "treasury-beta"}))],
            "spec.api.tokensSecretRef",
            "a Secret that holds no member's keys",
            "spec.api.tokensSecretRef.name",
        ),
        (vec![("/spec/api/tokensSecretRef", Value::Null)], "spec.api", "auth: none", "spec.api"),
        (vec![("/spec/api/auth", json!("none"))], "spec.api", "auth: none", "spec.api"),
        (
            vec![("/spec/storage/size", json!("-1Gi"))],
            "spec.storage.size",
            "positive quantity",
            "spec.storage.size",
        ),
        (
            vec![("/spec/resources", json!({"limits": {"memory": "lots"}}))],
            "spec.resources.limits.memory",
            "positive quantity",
            "spec.resources.limits.memory",
        ),
        (vec![("/spec/depths/coin", json!(300))], "spec.depths", "coin <= settled <= final", "spec.depths"),
        (
            vec![("/spec/predecessor", json!({"threshold": 1, "publicKeys": ["F9"]}))],
            "spec.predecessor.publicKeys",
            "a public key is 64 digits",
            "spec.predecessor",
        ),
        (
            vec![("/metadata/name", json!("a".repeat(37)))],
            "metadata.name",
            "may not be more than 36",
            "metadata.name",
        ),
        (vec![("/metadata/name", json!("1st"))], "metadata.name", "should match", "metadata.name"),
    ]
}

async fn group_mistakes(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("mistakes").await?;
    let policy: GroupPolicy = serde_json::from_value(sample("policy.yaml")?)?;
    for (changes, field, words, own_field) in mistakes() {
        let group = changed(sample("group.yaml")?, &changes)?;
        let said = refusal::<SignerGroup>(&ground, &group)
            .await?
            .with_context(|| format!("{changes:?} was accepted"))?;
        ensure!(said.contains(&format!("{field}:")) && said.contains(words), "{changes:?}: {said}");
        // What the type cannot hold never reaches `validate`.
        if let (false, Ok(group)) = (own_field.is_empty(), serde_json::from_value::<SignerGroup>(group)) {
            let problems = validate(&group, Some(&policy), "image").err().unwrap_or_default();
            let named = problems.iter().any(|problem| problem.field == own_field);
            ensure!(named, "{changes:?}: validate says {problems:?}");
        }
    }
    Ok(())
}

async fn policy_mistakes(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("policies").await?;
    let group: SignerGroup = serde_json::from_value(sample("group.yaml")?)?;
    let rows: Vec<(Change, &str, &str)> = vec![
        (("/spec/amount/min", json!("2000")), "spec.amount.min", "min is larger than max"),
        (("/spec/amount/max", json!("1e3")), "spec.amount.max", "KAS in quotes"),
        (("/spec/amount/max", json!("0.123456789")), "spec.amount.max", "at most 8 decimals"),
        (("/spec/volumes/0/window/seconds", json!(60)), "spec.volumes[0].window", "exactly one"),
        (("/spec/volumes/0/window/utcDay", json!(false)), "spec.volumes[0].window", "exactly one"),
        (("/spec/volumes/0/limit", json!("-1")), "spec.volumes[0].limit", "KAS in quotes"),
        (
            ("/spec/destinations/allow", json!(["bitcoin:abc"])),
            "spec.destinations.allow",
            "not a Kaspa address; wrong: [\"bitcoin:abc\"]",
        ),
        (("/spec/sources/0/deadline", json!("1d")), "spec.sources[0].deadline", "a duration such as"),
        (
            ("/spec/sources/0/api", json!({"approvers": ["anna"], "approvals": 2})),
            "spec.sources[0].api.approvals",
            "approvals is larger",
        ),
        (
            ("/spec/sources/0/api", json!({})),
            "spec.sources[0].api.approvals",
            "at least 1 approval is needed",
        ),
        (
            ("/spec/sources/0/api", json!({"approvers": ["anna"], "approvals": 1, "trustIngress": true})),
            "spec.sources[0].api.trustIngress",
            "stands for approvals",
        ),
        (
            ("/spec/sources/0/api", json!({"approvers": ["anna"], "approvals": 1})),
            "spec.sources",
            "not among the approvers",
        ),
        (
            ("/spec/approvers", json!([{"name": "anna", "scheme": "ed25519", "publicKey": "xy"}])),
            "spec.approvers[0].publicKey",
            "64 digits of lower-case hex",
        ),
        (("/spec/fee/max", json!("k")), "spec.fee.max", "KAS in quotes"),
    ];
    for (change, field, words) in rows {
        let policy = changed(sample("policy.yaml")?, std::slice::from_ref(&change))?;
        let said = refusal::<GroupPolicy>(&ground, &policy)
            .await?
            .with_context(|| format!("{change:?} was accepted"))?;
        ensure!(said.contains(&format!("{field}:")) && said.contains(words), "{change:?}: {said}");
        let policy: GroupPolicy = serde_json::from_value(policy)?;
        ensure!(validate(&group, Some(&policy), "image").is_err(), "validate takes {change:?}");
    }
    Ok(())
}

async fn immutables(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("immutables").await?;
    ground.create_samples().await?;
    let before = serde_json::to_value(ground.api::<SignerGroup>().get("treasury").await?)?;
    let other = "8d62ea5fe8abcec8a409c15d399ad7138426522cb039cc2c1af04c164aa447de";
    for (change, words) in [
        (("/spec/network", json!("devnet")), "network is immutable"),
        (("/spec/threshold", json!(3)), "threshold is immutable"),
        (("/spec/quorum", json!(3)), "quorum is immutable"),
        (("/spec/depths/coin", json!(11)), "depths are immutable"),
        (("/spec/depths", Value::Null), "depths are immutable"),
        (("/spec/predecessor", json!({"threshold": 1, "publicKeys": [other]})), "predecessor is immutable"),
        (("/spec/members/0/publicKey", json!(other)), "publicKey is immutable"),
        (("/spec/members/0/name", json!("delta")), "members cannot be added, removed or renamed"),
        (("/spec/storage/size", json!("512Mi")), "size can only grow"),
        (("/spec/storage/storageClassName", json!("fast")), "storageClassName is immutable"),
    ] {
        let after = changed(before.clone(), std::slice::from_ref(&change))?;
        let after: SignerGroup = serde_json::from_value(after)?;
        let answer = ground.api::<SignerGroup>().replace("treasury", &PostParams::default(), &after).await;
        let said = answer.err().with_context(|| format!("{change:?} was accepted"))?.to_string();
        ensure!(said.contains(words), "{change:?}: {said}");
    }
    // Writing the default quorum down, another transport id and more storage change no address.
    let changes = [
        ("/spec/quorum", json!(2)),
        ("/spec/storage/size", json!("2Gi")),
        ("/spec/members/0/transportId", json!("ab".repeat(32))),
    ];
    let after = serde_json::from_value(changed(before, &changes)?)?;
    ground.api::<SignerGroup>().replace("treasury", &PostParams::default(), &after).await?;
    ground.delete_group("treasury").await
}

async fn default_depths(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("depths").await?;
    ground.create(&changed(sample("group.yaml")?, &[("/spec/depths", Value::Null)])?).await?;
    let written = json!({"coin": 100, "deposit": 1000, "settled": 1000, "final": 36000});
    let merge = async |depths: Value| {
        ground.merge::<SignerGroup>("treasury", json!({"spec": {"depths": depths}})).await.map(drop)
    };
    let mut other = written.clone();
    other["deposit"] = json!(10);
    for depths in [other.clone(), written, other, Value::Null] {
        let answer = merge(depths.clone()).await;
        let refused = depths["deposit"] == 10;
        ensure!(answer.is_err() == refused, "{depths}: {answer:?}");
    }
    ground.delete_group("treasury").await
}

async fn groups_agree(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("agreement").await?;
    // One that trusts no API: whether it may is seen only by who sees both objects.
    let policy = changed(sample("policy.yaml")?, &[("/spec/sources", json!([]))])?;
    let policy: GroupPolicy = serde_json::from_value(policy)?;
    agree::<SignerGroup>(&ground, &sample("group.yaml")?, change(), |object| {
        // A type that cannot hold the object refuses it as well.
        let group = serde_json::from_value::<SignerGroup>(object);
        group.is_ok_and(|group| validate(&group, Some(&policy), "image").is_ok())
    })
    .await
}

async fn policies_agree(stage: &Stage) -> Result<()> {
    let ground = stage.namespace("agreement").await?;
    agree::<GroupPolicy>(&ground, &sample("policy.yaml")?, policy_change(), |object| {
        let policy = serde_json::from_value::<GroupPolicy>(object);
        policy.is_ok_and(|policy| policy_problems(&policy).is_empty())
    })
    .await
}

/// Objects made by chance, near the border of what is allowed: what one side takes, the other must take too.
async fn agree<K>(
    ground: &Ground,
    sample: &Value,
    change: impl Strategy<Value = Change>,
    ours: impl Fn(Value) -> bool,
) -> Result<()>
where
    K: kube::Resource<DynamicType = ()>,
{
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let changes = proptest::collection::vec(change, 0..3);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..400 {
        let made = changes.new_tree(&mut runner).map_err(anyhow::Error::msg)?.current();
        let object = changed(sample.clone(), &made)?;
        let ours = ours(object.clone());
        let theirs = refusal::<K>(ground, &object).await?;
        ensure!(ours == theirs.is_none(), "validate takes it: {ours}; the API server: {theirs:?}; {made:?}");
        if ours { taken += 1 } else { refused += 1 }
    }
    ensure!(taken > 50 && refused > 50, "{taken} taken and {refused} refused show little");
    Ok(())
}

/// Addresses are left out: only `validate` knows their checksums.
fn policy_change() -> impl Strategy<Value = Change> {
    let amount = || prop_oneof!["[0-9]{1,4}", "[0-9]{1,12}([.][0-9]{0,9})?", "[0-9kKe.-]{0,4}"];
    let key = || prop_oneof![Just("ab".repeat(32)), "[0-9a-f]{64}", "[0-9a-fA-F]{63,65}"];
    prop_oneof![
        amount().prop_map(|amount| ("/spec/amount/min", json!(amount))),
        amount().prop_map(|amount| ("/spec/amount/max", json!(amount))),
        Just(("/spec/amount", Value::Null)),
        amount().prop_map(|amount| ("/spec/volumes/0/limit", json!(amount))),
        prop_oneof!["[a-z0-9]{1,9}", "[a-z.-]{1,5}", Just("hour".to_owned())]
            .prop_map(|name| ("/spec/volumes/0/name", json!(name))),
        (0u32..130).prop_map(|seconds| ("/spec/volumes/1/window", json!({"seconds": seconds}))),
        any::<bool>().prop_map(|day| ("/spec/volumes/1/window/utcDay", json!(day))),
        "([0-9]{1,7}h)?([0-9]{1,2}m)?([0-9]{1,2}s)?"
            .prop_map(|time| ("/spec/sources/0/deadline", json!(time))),
        (0u8..3, any::<bool>())
            .prop_map(|(approvals, trust)| ("/spec/sources/0/api", api_source(approvals, trust))),
        (key(), key()).prop_map(|(one, other)| ("/spec/approvers", approvers(&one, &other))),
        (0u32..3).prop_map(|rate| ("/spec/fee", json!({"maxSompiPerGram": rate}))),
        prop_oneof![Just("60s"), Just("0s"), Just("1d"), Just("")]
            .prop_map(|after| ("/spec/fee", json!({"replaceAfter": after}))),
        (7u32..10, 0u32..2).prop_map(|(coins, rate)| {
            ("/spec/consolidate", json!({"coins": coins, "maxSompiPerGram": rate}))
        }),
        prop_oneof![Just("60s"), Just("0s"), Just("1d")]
            .prop_map(|window| ("/spec/internalFees", json!({"max": "1", "window": window}))),
        (0u8..=66).prop_map(|most| ("/spec/batch", json!({"most": most}))),
        prop_oneof![Just(0u32), Just(600_000), Just(600_001)]
            .prop_map(|wait| ("/spec/batch", json!({"waitMs": wait}))),
    ]
}

fn api_source(approvals: u8, trust_ingress: bool) -> Value {
    json!({"approvers": ["anna"], "approvals": approvals, "trustIngress": trust_ingress})
}

fn approvers(one: &str, other: &str) -> Value {
    let approver = |name: &str, key: &str| json!({"name": name, "scheme": "ed25519", "publicKey": key});
    json!([approver("anna", one), approver("bo", other)])
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0u8..6).prop_map(|threshold| ("/spec/threshold", json!(threshold))),
        (0u8..6).prop_map(|quorum| ("/spec/quorum", json!(quorum))),
        prop_oneof!["[a-z0-9]{1,15}", "[a-z-]{1,17}", Just("gossip".to_owned())]
            .prop_map(|name| ("/spec/members/0/name", json!(name))),
        prop_oneof!["[0-9a-f]{64}", "[0-9a-fA-F]{63,65}"]
            .prop_map(|id| ("/spec/members/1/transportId", json!(id))),
        Just(("/spec/members/2/local", Value::Null)),
        prop_oneof![Just("treasury-beta".to_owned()), Just("treasury-tokens".to_owned()), "[a-z]{1,9}"]
            .prop_map(|secret| ("/spec/members/0/local/keySecretRef", json!({"name": secret}))),
        "[a-z]{1,8}(:[0-9]{1,4})?"
            .prop_map(|address| ("/spec/members/2/remote", json!({"addresses": [address]}))),
        prop_oneof!["grpc://[a-z]{1,8}:[1-9][0-9]{0,3}", "[a-z]{1,4}://[a-z]{1,8}:[0-9]{1,4}"]
            .prop_map(|node| ("/spec/kaspaNode/endpoints", json!([node]))),
        Just(("/spec/kaspaNode", Value::Null)),
        Just(("/spec/api/auth", json!("none"))),
        Just(("/spec/api/tokensSecretRef", Value::Null)),
        "[0-9]{1,3}([.][0-9]{1,2})?(m|k|M|Ki|Mi|Gi|x)?"
            .prop_map(|memory| ("/spec/resources", json!({"requests": {"memory": memory}}))),
        (0u64..400, 0u64..400, 0u64..400, 0u64..400).prop_map(|(coin, deposit, settled, end)| {
            ("/spec/depths", json!({"coin": coin, "deposit": deposit, "settled": settled, "final": end}))
        }),
        "[a-z0-9-]{1,40}".prop_map(|name| ("/metadata/name", json!(name))),
    ]
}

/// What the API server says against creating the object, which it is only asked about.
async fn refusal<K>(ground: &Ground, object: &Value) -> Result<Option<String>>
where
    K: kube::Resource<DynamicType = ()>,
{
    let resource = kube::core::ApiResource::erase::<K>(&());
    let api: Api<kube::api::DynamicObject> =
        Api::namespaced_with(ground.admin.clone(), &ground.namespace, &resource);
    let only_ask = PostParams { dry_run: true, ..PostParams::default() };
    match api.create(&only_ask, &serde_json::from_value(object.clone())?).await {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 422 || status.code == 400 => {
            Ok(Some(status.message.clone()))
        }
        Err(error) => Err(error.into()),
    }
}

fn changed(mut object: Value, changes: &[Change]) -> Result<Value> {
    for (path, value) in changes {
        let (parent, key) = path.rsplit_once('/').context("a path has a slash")?;
        // A change before this one may have taken the parent away.
        let Some(parent) = object.pointer_mut(parent) else { continue };
        match (parent, value) {
            (Value::Object(fields), Value::Null) => {
                fields.remove(key);
            }
            (Value::Object(fields), value) => {
                fields.insert(key.to_owned(), value.clone());
            }
            (Value::Array(items), value) => items[key.parse::<usize>()?] = value.clone(),
            (_, _) => {}
        }
    }
    Ok(object)
}
