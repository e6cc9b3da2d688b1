//! The policy file as the core and the verifier want it, read again when its content changes.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use igra_config::{Auth, BatchRule, Config, FeeRule, PolicyFile, Scope, SourceRule, VolumeRule, Window};
use igra_core::{
    BatchRules, Consolidate, FeeWindow, InternalRules, Millis, Policy, SourceName, SourceRules, Volume,
    VolumeScope, VolumeWindow,
};
use igra_group::{Group, Network, Sompi};
use igra_tx::{FeeLimits, Script};
use tokio::sync::mpsc;

use super::{
    error::{PolicyError, in_one_line},
    reread::{Flag, Reread},
};
use crate::{
    events::Verifier,
    metrics::{ErrorKind, Metrics},
};

/// Where the file says nothing of fees: ten times the least rate that nodes relay...
const MAX_SOMPI_PER_GRAM: u64 = 1_000;
/// ...and one KAS for a whole transaction.
const MAX_FEE: Sompi = Sompi(igra_group::SOMPI_PER_KAS);
/// Where the file says nothing of it: a submitted transaction is raised after this long.
const REPLACE_AFTER: Millis = Millis(60_000);

/// One reading of the file.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) policy: Policy,
    pub(super) verifier: Arc<Verifier>,
}

/// What a policy must fit.
#[derive(Clone)]
pub(super) struct Setting {
    group: Group,
    /// Everybody who reaches the API's port may send events.
    open: bool,
}

impl Setting {
    pub(super) fn of(config: &Config, group: &Group) -> Self {
        Self { group: group.clone(), open: config.api.auth == Auth::None }
    }

    /// Where everybody may send events, a member's API stands for no approval, but on networks whose coins are worth
    /// nothing.
    fn open_door<'a>(&self, file: &'a PolicyFile) -> Option<&'a SourceRule> {
        let for_play = matches!(self.group.network(), Network::Simnet | Network::Devnet);
        let is_open = self.open && !for_play;
        file.sources.iter().find(|source| is_open && source.api.trust_ingress)
    }
}

impl Rules {
    /// Reads the file, and hands on what watches it from this very content on.
    pub(super) fn load(file: &Path, setting: &Setting) -> Result<(Self, Reread), PolicyError> {
        let (reread, content) = Reread::open(file)?;
        Ok((Self::parse(file, &content, setting)?, reread))
    }

    fn parse(file: &Path, content: &[u8], setting: &Setting) -> Result<Self, PolicyError> {
        let (content, group) = (PolicyFile::parse(file, content)?, &setting.group);
        if let Some(source) = setting.open_door(&content) {
            return Err(PolicyError::OpenDoor { file: file.to_owned(), name: source.name.clone() });
        }
        let policy = policy(&content, group)
            .map_err(|source| PolicyError::Address { file: file.to_owned(), source })?;
        if policy.internal.successor.as_ref() == Some(&Script::of_wallet(group.wallet())) {
            return Err(PolicyError::OwnSuccessor { file: file.to_owned() });
        }
        let verifier = Verifier::new(group, &content)
            .map_err(|source| PolicyError::Source { file: file.to_owned(), source })?;
        Ok(Self { policy, verifier: Arc::new(verifier) })
    }
}

fn policy(file: &PolicyFile, group: &Group) -> Result<Policy, igra_tx::AddressError> {
    Ok(Policy {
        amount_min: file.amount.min_sompi.unwrap_or(Sompi::ZERO),
        amount_max: file.amount.max_sompi,
        volumes: file.volumes.iter().flat_map(|rule| volumes(rule, file)).collect(),
        allow: allowed(&file.destinations.allow, group)?,
        sources: file.sources.iter().map(source).collect(),
        fee: fees(&file.fee),
        batch: batch(&file.batch),
        replace_after: file.fee.replace_after_ms.map_or(REPLACE_AFTER, Millis),
        internal: internal(file, group)?,
    })
}

fn allowed(addresses: &[String], group: &Group) -> Result<BTreeSet<Script>, igra_tx::AddressError> {
    addresses.iter().map(|text| Script::of_address(group.network(), text)).collect()
}

/// A rule for each source by itself is one rule per source in the core.
fn volumes(rule: &VolumeRule, file: &PolicyFile) -> Vec<Volume> {
    let window = match rule.window {
        Window::Rolling { seconds } => VolumeWindow::Rolling { seconds },
        Window::UtcDay => VolumeWindow::UtcDay,
    };
    let volume = |scope| Volume { window, limit: rule.limit_sompi, scope };
    match rule.scope {
        Scope::Group => vec![volume(VolumeScope::Group)],
        Scope::Destination => vec![volume(VolumeScope::Destination)],
        Scope::Source => file
            .sources
            .iter()
            .map(|source| volume(VolumeScope::Source(SourceName(source.name.clone()))))
            .collect(),
    }
}

fn source(rule: &SourceRule) -> (SourceName, SourceRules) {
    (SourceName(rule.name.clone()), SourceRules { deadline_seconds: rule.deadline_seconds })
}

fn batch(rule: &BatchRule) -> BatchRules {
    let default = BatchRules::default();
    BatchRules { most: rule.most.unwrap_or(default.most), wait: rule.wait_ms.map_or(default.wait, Millis) }
}

fn internal(file: &PolicyFile, group: &Group) -> Result<InternalRules, igra_tx::AddressError> {
    let consolidate = file
        .consolidate
        .as_ref()
        .map(|rule| Consolidate { coins: rule.coins, max_sompi_per_gram: rule.max_sompi_per_gram });
    let successor =
        file.successor.as_ref().map(|text| Script::of_address(group.network(), text)).transpose()?;
    let fees = file.internal_fees.as_ref();
    let fees = fees.map(|fees| FeeWindow { max: fees.max_sompi, seconds: fees.seconds }).unwrap_or_default();
    Ok(InternalRules { consolidate, successor, fees })
}

fn fees(rule: &FeeRule) -> FeeLimits {
    FeeLimits {
        max_sompi_per_gram: rule.max_sompi_per_gram.unwrap_or(MAX_SOMPI_PER_GRAM),
        max: rule.max_sompi.unwrap_or(MAX_FEE),
    }
}

/// Sends the rules each time the file's content changes and is good; a bad one is told, and the old one stays.
pub(super) async fn watch(
    mut file: Reread,
    setting: Setting,
    changes: mpsc::Sender<Rules>,
    refused: Flag,
    metrics: Metrics,
) {
    loop {
        let content = file.next().await;
        match Rules::parse(file.file(), &content, &setting) {
            Ok(rules) => {
                refused.set(false);
                tracing::info!(digest = %rules.policy.digest(), "took a new policy");
                if changes.send(rules).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // Counted before it is shown, so that who sees the one finds the other.
                metrics.error(ErrorKind::Config);
                refused.set(true);
                tracing::error!(error = in_one_line(&error), "the new policy is refused; the old one stays")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::group;

    #[test]
    fn a_file_that_says_nothing_of_batches_and_raises_leaves_the_defaults() {
        let silent = policy(&PolicyFile::default(), &group()).unwrap();
        assert_eq!((silent.batch, silent.replace_after), (BatchRules::default(), REPLACE_AFTER));
        let file = PolicyFile {
            batch: BatchRule { most: Some(3), wait_ms: Some(250) },
            fee: FeeRule { replace_after_ms: Some(5_000), ..FeeRule::default() },
            ..PolicyFile::default()
        };
        let told = policy(&file, &group()).unwrap();
        assert_eq!((told.batch.most, told.batch.wait, told.replace_after), (3, Millis(250), Millis(5_000)));
    }

    #[test]
    fn consolidation_successor_and_the_fees_of_both_come_from_the_file() {
        let text = format!(
            "consolidate: {{coins: 20, maxSompiPerGram: 120}}\nsuccessor: '{}'\n\
             internalFees: {{maxSompi: 7, seconds: 60}}",
            crate::events::tests::address(Network::Simnet, 9)
        );
        let internal = read(&text).unwrap().policy.internal;
        assert_eq!(internal.consolidate, Some(Consolidate { coins: 20, max_sompi_per_gram: 120 }));
        assert_eq!(internal.fees, FeeWindow { max: Sompi(7), seconds: 60 });
        assert!(internal.successor.is_some());
        assert_eq!(read("{}").unwrap().policy.internal, InternalRules::default());
    }

    #[test]
    fn a_group_is_not_its_own_successor_and_its_successor_is_on_its_network() {
        let own = format!("successor: '{}'", group().wallet().address());
        assert!(matches!(read(&own), Err(PolicyError::OwnSuccessor { .. })));
        let foreign = format!("successor: '{}'", crate::events::tests::address(Network::Mainnet, 9));
        assert!(matches!(read(&foreign), Err(PolicyError::Address { .. })));
    }

    fn read(text: &str) -> Result<Rules, PolicyError> {
        Rules::parse(Path::new("policy.yaml"), text.as_bytes(), &setting())
    }

    fn setting() -> Setting {
        Setting { group: group(), open: false }
    }

    #[test]
    fn a_door_that_is_open_to_everybody_stands_for_no_approval_where_coins_have_worth() {
        let trusting = b"sources: [{name: desk, api: {trustIngress: true}}]";
        let signed = format!(
            "approvers: [{{name: anna, scheme: schnorr, publicKey: {}}}]\n\
             sources: [{{name: desk, api: {{approvers: [anna], approvals: 1}}}}]",
            group().members()[0].key
        );
        for (network, open, refused) in [
            (Network::Mainnet, true, true),
            (Network::Testnet10, true, true),
            (Network::Mainnet, false, false),
            (Network::Simnet, true, false),
            (Network::Devnet, true, false),
        ] {
            let setting = Setting { group: on(network), open };
            let taken = Rules::parse(Path::new("policy.yaml"), trusting, &setting);
            let is_refused = matches!(&taken, Err(PolicyError::OpenDoor { name, .. }) if name == "desk");
            assert_eq!(is_refused, refused, "{network} {open}");
            assert!(Rules::parse(Path::new("policy.yaml"), signed.as_bytes(), &setting).is_ok());
        }
    }

    /// The tests' group on another network.
    fn on(network: Network) -> Group {
        let group = group();
        let (scheme, needed) = (group.wallet().scheme(), group.threshold().needed());
        let (members, depths) = (group.members().to_vec(), igra_group::Depths::default());
        Group::new(network, scheme, needed, None, members, depths, Group::DEFAULT_DUST).unwrap()
    }

    #[test]
    fn a_policy_that_names_no_destination_allows_none() {
        let policy = policy(&PolicyFile::default(), &group()).unwrap();
        assert!(policy.allow.is_empty());
    }

    #[test]
    fn a_volume_of_each_source_becomes_one_rule_per_source() {
        let source =
            |name: &str| SourceRule { name: name.to_owned(), deadline_seconds: 60, api: Default::default() };
        let rule = VolumeRule {
            name: "daily".to_owned(),
            window: Window::UtcDay,
            limit_sompi: Sompi(5),
            scope: Scope::Source,
        };
        let file = PolicyFile {
            volumes: vec![rule],
            sources: vec![source("a"), source("b")],
            ..PolicyFile::default()
        };

        let volumes = policy(&file, &group()).unwrap().volumes;

        let scopes: Vec<_> = volumes.into_iter().map(|volume| volume.scope).collect();
        assert_eq!(scopes, ["a", "b"].map(|name| VolumeScope::Source(SourceName(name.to_owned()))));
    }

    /// The next rules that the watch sends; one that never sends fails the test instead of hanging it.
    async fn next(taken: &mut mpsc::Receiver<Rules>) -> Rules {
        let next = tokio::time::timeout(std::time::Duration::from_secs(60), taken.recv()).await;
        next.expect("the watch sends within a minute").expect("the watch goes on")
    }

    fn file(max_sompi: u64) -> String {
        format!("amount: {{maxSompi: {max_sompi}}}")
    }

    #[tokio::test]
    async fn a_change_between_reading_and_watching_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, file(5)).unwrap();
        let (_, reread) = Rules::load(&path, &setting()).unwrap();
        std::fs::write(&path, file(3)).unwrap();
        let (changes, mut taken) = mpsc::channel(1);

        let watching = tokio::spawn(watch(reread, setting(), changes, Flag::default(), Metrics::new()));

        assert_eq!(next(&mut taken).await.policy.amount_max, Some(Sompi(3)));
        watching.abort();
    }

    #[tokio::test]
    async fn a_refused_policy_is_counted_and_shown_until_a_good_one_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, file(5)).unwrap();
        let (_, reread) = Rules::load(&path, &setting()).unwrap();
        std::fs::write(&path, "amount: nonsense").unwrap();
        let (changes, mut taken) = mpsc::channel(1);
        let (refused, metrics) = (Flag::default(), Metrics::new());
        let watching = tokio::spawn(watch(reread, setting(), changes, refused.clone(), metrics.clone()));
        while !refused.get() {
            tokio::task::yield_now().await;
        }

        std::fs::write(&path, file(5)).unwrap();

        assert_eq!(next(&mut taken).await.policy.amount_max, Some(Sompi(5)));
        assert!(!refused.get());
        assert!(metrics.text().contains("igra_errors_total{kind=\"config\"} 1"), "{}", metrics.text());
        watching.abort();
    }
}
