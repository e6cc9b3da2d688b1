//! `policy.yaml`: what the group may pay, and who may ask. Amounts are integer sompi, times integer seconds.

use std::path::Path;

use igra_group::Sompi;
use serde::{Deserialize, Serialize};

use crate::{ConfigError, Problem, defaults, load};

/// What a consolidation spends at least.
const LEAST_CONSOLIDATED: u32 = 8;

/// Fees are not raised more often than this.
const LEAST_REPLACE_AFTER_MS: u64 = 1_000;

/// The rules of a group as one signer enforces them. A rule that is absent has no opinion, except that payments to
/// destinations that nothing allows are denied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PolicyFile {
    pub amount: AmountRule,
    pub volumes: Vec<VolumeRule>,
    pub destinations: DestinationRule,
    pub sources: Vec<SourceRule>,
    pub approvers: Vec<Approver>,
    pub fee: FeeRule,
    /// Left out where it says nothing, so that signers of an older version can read the file.
    #[serde(skip_serializing_if = "BatchRule::is_empty")]
    pub batch: BatchRule,
    /// When many coins of the group are made one; never, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consolidate: Option<ConsolidateRule>,
    /// The address of the group that takes over. As soon as a signer sees it, it pays nothing more and moves all coins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
    /// What sweeps, consolidations and moves may cost together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_fees: Option<InternalFees>,
}

/// Bounds of each payment, inclusive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AmountRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_sompi: Option<Sompi>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sompi: Option<Sompi>,
}

/// How much may be paid within a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeRule {
    pub name: String,
    pub window: Window,
    pub limit_sompi: Sompi,
    pub scope: Scope,
}

/// A stretch of time that a limit is for: `{seconds: N}` or `{utcDay: true}` in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WindowForm", into = "WindowForm")]
pub enum Window {
    /// The last so many seconds.
    Rolling { seconds: u64 },
    /// From midnight to midnight, UTC.
    UtcDay,
}

/// What is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// All payments of the group.
    Group,
    /// Those of each source by itself.
    Source,
    /// Those to each destination by itself.
    Destination,
}

/// Where payments may go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DestinationRule {
    /// Addresses. None are allowed where the list is empty or absent.
    pub allow: Vec<String>,
}

/// Where events may come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceRule {
    pub name: String,
    /// How long after it was first seen an event may still be approved first.
    #[serde(default = "defaults::deadline_seconds")]
    pub deadline_seconds: u64,
    pub api: ApiSource,
}

/// A source of signed requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApiSource {
    /// Names of [`PolicyFile::approvers`].
    pub approvers: Vec<String>,
    /// How many of them must sign.
    pub approvals: u8,
    /// Whether a member's authenticated API stands for the approvals: for development, and never along with them.
    pub trust_ingress: bool,
}

/// Somebody whose signature counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approver {
    pub name: String,
    pub scheme: ApproverScheme,
    /// 64 digits of lower-case hex in both schemes.
    pub public_key: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApproverScheme {
    /// BIP-340 over secp256k1, x-only key.
    Schnorr,
    Ed25519,
}

/// Bounds of a transaction's fee.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FeeRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sompi_per_gram: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sompi: Option<Sompi>,
    /// How long the node may ask for a higher fee rate than a submitted transaction pays before the fee is raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace_after_ms: Option<u64>,
}

/// When coins are made one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsolidateRule {
    /// At least so many can be spent; from 8.
    pub coins: u32,
    /// The node asks for no more than this.
    pub max_sompi_per_gram: u64,
}

/// The most that the group's own transactions cost in a rolling window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InternalFees {
    pub max_sompi: Sompi,
    pub seconds: u64,
}

/// How many payments share a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BatchRule {
    /// From 1 to 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u8>,
    /// How long a payment may wait for company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

impl BatchRule {
    /// What one transaction can pay.
    pub const MOST: std::ops::RangeInclusive<u8> = 1..=64;
    /// Longer, and the batch would outlast what waits for it.
    pub const LONGEST_WAIT_MS: u64 = 600_000;

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self) -> Result<(), Problem> {
        if self.most.is_some_and(|most| !Self::MOST.contains(&most)) {
            return fail("batch.most", "from 1 to 64 payments share a transaction");
        }
        if self.wait_ms.is_some_and(|wait| wait > Self::LONGEST_WAIT_MS) {
            return fail("batch.waitMs", "at most 600000: ten minutes");
        }
        Ok(())
    }
}

impl PolicyFile {
    /// Reads and checks the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        Self::parse(path, &load::bytes(path)?)
    }

    /// Checks what was read from the file; the path is for errors.
    pub fn parse(path: &Path, content: &[u8]) -> Result<Self, ConfigError> {
        let policy: Self = load::yaml(path, content)?;
        policy.check().map_err(|problem| Problem { file: path.to_owned(), ..problem })?;
        Ok(policy)
    }

    /// The file's text.
    pub fn to_yaml(&self) -> String {
        serde_yaml::to_string(self).expect("a policy has only keys that YAML can write")
    }

    pub fn approver(&self, name: &str) -> Option<&Approver> {
        self.approvers.iter().find(|approver| approver.name == name)
    }

    pub fn source(&self, name: &str) -> Option<&SourceRule> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// What types alone do not show. The problem names the key; its file is empty.
    pub fn check(&self) -> Result<(), Problem> {
        if let (Some(min), Some(max)) = (self.amount.min_sompi, self.amount.max_sompi)
            && min > max
        {
            return fail("amount.minSompi", "larger than maxSompi");
        }
        self.batch.check()?;
        if self.consolidate.as_ref().is_some_and(|rule| rule.coins < LEAST_CONSOLIDATED) {
            return fail("consolidate.coins", "at least 8: fewer are not worth the fee");
        }
        if self.internal_fees.as_ref().is_some_and(|fees| fees.seconds == 0) {
            return fail("internalFees.seconds", "at least 1 second is needed");
        }
        if self.fee.replace_after_ms.is_some_and(|after| after < LEAST_REPLACE_AFTER_MS) {
            return fail("fee.replaceAfterMs", "at least 1000: the fee estimate moves with every block");
        }
        no_doubles("volumes", self.volumes.iter().map(|rule| &rule.name))?;
        no_doubles("approvers", self.approvers.iter().map(|approver| &approver.name))?;
        no_doubles("sources", self.sources.iter().map(|source| &source.name))?;
        self.approvers.iter().enumerate().try_for_each(|(at, approver)| approver.check(at))?;
        no_doubles("approvers.publicKey", self.approvers.iter().map(|approver| &approver.public_key))?;
        self.sources.iter().enumerate().try_for_each(|(at, source)| self.check_source(at, source))
    }

    fn check_source(&self, at: usize, source: &SourceRule) -> Result<(), Problem> {
        let api = &source.api;
        let key = |rest: &str| format!("sources.{at}.{rest}");
        if source.deadline_seconds == 0 {
            return fail(key("deadlineSeconds"), "at least 1 second is needed");
        }
        if let Some(unknown) = api.approvers.iter().find(|name| self.approver(name).is_none()) {
            return fail(key("api.approvers"), format!("\"{unknown}\" is not among the approvers"));
        }
        no_doubles(&key("api.approvers"), api.approvers.iter())?;
        if usize::from(api.approvals) > api.approvers.len() {
            return fail(key("api.approvals"), "more than there are approvers");
        }
        if api.approvals == 0 && !api.trust_ingress {
            return fail(key("api.approvals"), "at least 1 is needed, or trustIngress: true for development");
        }
        if api.approvals > 0 && api.trust_ingress {
            return fail(key("api.trustIngress"), "stands for approvals: with it, none would be asked for");
        }
        Ok(())
    }
}

impl Approver {
    fn check(&self, at: usize) -> Result<(), Problem> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if self.public_key.len() == 64 && self.public_key.bytes().all(is_hex) {
            return Ok(());
        }
        fail(format!("approvers.{at}.publicKey"), "not 64 digits of lower-case hex")
    }
}

fn no_doubles<'a>(key: &str, names: impl Iterator<Item = &'a String>) -> Result<(), Problem> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return fail(key, format!("\"{name}\" stands there twice"));
        }
    }
    Ok(())
}

fn fail<T>(key: impl Into<String>, what: impl std::fmt::Display) -> Result<T, Problem> {
    Err(Problem::at(Path::new(""), key, what))
}

/// YAML has no enums that carry values, so the file shows a map with one of two keys.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WindowForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    utc_day: Option<bool>,
}

impl TryFrom<WindowForm> for Window {
    type Error = &'static str;

    fn try_from(form: WindowForm) -> Result<Self, Self::Error> {
        match (form.seconds, form.utc_day) {
            (Some(seconds @ 1..), None) => Ok(Self::Rolling { seconds }),
            (None, Some(true)) => Ok(Self::UtcDay),
            (_, _) => Err("a window is either seconds: N, with N at least 1, or utcDay: true"),
        }
    }
}

impl From<Window> for WindowForm {
    fn from(window: Window) -> Self {
        match window {
            Window::Rolling { seconds } => Self { seconds: Some(seconds), utc_day: None },
            Window::UtcDay => Self { seconds: None, utc_day: Some(true) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "
amount: {minSompi: 20000000, maxSompi: 150000000000}
volumes:
- {name: day, window: {utcDay: true}, limitSompi: 20000000000000, scope: group}
- {name: hour, window: {seconds: 3600}, limitSompi: 5, scope: destination}
destinations: {allow: ['kaspasim:abc']}
approvers:
- {name: anna, scheme: ed25519, publicKey: 1111111111111111111111111111111111111111111111111111111111111111}
sources:
- {name: desk, deadlineSeconds: 3600, api: {approvers: [anna], approvals: 1}}
fee: {maxSompiPerGram: 100, maxSompi: 100000000, replaceAfterMs: 60000}
batch: {most: 16, waitMs: 250}
consolidate: {coins: 20, maxSompiPerGram: 120}
successor: 'kaspasim:def'
internalFees: {maxSompi: 1000, seconds: 86400}
";

    fn load(text: &str) -> Result<PolicyFile, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, text).unwrap();
        PolicyFile::load(file)
    }

    fn refusal(text: &str) -> Problem {
        match load(text).unwrap_err() {
            ConfigError::Invalid(problem) => *problem,
            ConfigError::Read { file, source } => panic!("{}: {source}", file.display()),
        }
    }

    #[test]
    fn a_policy_reads_back_as_it_was_written() {
        let policy = load(SAMPLE).unwrap();
        assert_eq!(policy.volumes[1].window, Window::Rolling { seconds: 3600 });
        assert_eq!(load(&policy.to_yaml()).unwrap(), policy);
    }

    #[test]
    fn an_empty_policy_is_one_that_allows_nothing() {
        assert!(load("{}").unwrap().destinations.allow.is_empty());
    }

    #[test]
    fn each_mistake_is_told_by_its_key() {
        for (from, to, key) in [
            ("minSompi: 20000000", "minSompi: 150000000001", "amount.minSompi"),
            ("{utcDay: true}", "{utcDay: false}", "volumes.0"),
            ("{utcDay: true}", "{utcDay: true, seconds: 1}", "volumes.0"),
            ("scope: destination", "scop: destination", "volumes.1.scop"),
            ("{name: hour", "{name: day", "volumes"),
            ("approvers: [anna]", "approvers: [bo]", "sources.0.api.approvers"),
            ("approvals: 1", "approvals: 2", "sources.0.api.approvals"),
            ("approvals: 1", "approvals: 0", "sources.0.api.approvals"),
            ("approvals: 1", "approvals: 1, trustIngress: true", "sources.0.api.trustIngress"),
            ("publicKey: 1", "publicKey: x", "approvers.0.publicKey"),
            ("fee:", "fees:", "fees"),
            ("maxSompi: 100000000", "maxSompi: -1", "fee.maxSompi"),
            ("replaceAfterMs: 60000", "replaceAfterMs: 999", "fee.replaceAfterMs"),
            ("most: 16", "most: 65", "batch.most"),
            ("coins: 20", "coins: 7", "consolidate.coins"),
            ("seconds: 86400", "seconds: 0", "internalFees.seconds"),
            ("most: 16", "most: 0", "batch.most"),
            ("waitMs: 250", "waitMs: 600001", "batch.waitMs"),
        ] {
            let text = SAMPLE.replace(from, to);
            assert_ne!(text, SAMPLE);
            assert_eq!(refusal(&text).key, key, "{to}");
        }
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line() {
        assert_eq!(refusal(&SAMPLE.replace("fee:", "fees:")).place, Some((11, 1)));
    }
}
