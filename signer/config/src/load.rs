//! From a file and the environment to a checked [`Config`].

use std::{fs, path::Path};

use figment::{
    Error as FigmentError, Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Format, Yaml},
    util::nest,
    value::{Dict, Map, Value},
};
use igra_group::{GroupError, ThresholdError, WalletError};
use serde::de::DeserializeOwned;

use crate::{Auth, Config, ConfigError, HostPort, Problem, error::join};

const PREFIX: &str = "IGRA_";

/// The first level of `config.yaml`: other variables that begin with `IGRA_` belong to other programs.
const TOP_KEYS: [&str; 20] = [
    "network",
    "signatureScheme",
    "threshold",
    "quorum",
    "depths",
    "dustSompi",
    "predecessor",
    "members",
    "member",
    "dataDir",
    "volumeId",
    "keys",
    "kaspaNode",
    "gossip",
    "api",
    "admin",
    "policyFile",
    "timing",
    "log",
    "logFormat",
];

/// The content of a strict YAML file that nothing is laid over.
pub(crate) fn yaml<T: DeserializeOwned>(file: &Path, content: &[u8]) -> Result<T, ConfigError> {
    Ok(serde_yaml::from_slice(content).map_err(|error| Problem::from_yaml(file, &error))?)
}

pub(crate) fn bytes(file: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })
}

/// See [`Config::load`].
pub(crate) fn config(
    file: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let text = read(file)?;
    // Figment keeps no positions, so a text that is not YAML at all is told by YAML's own reader.
    serde_yaml::from_str::<serde_yaml::Value>(&text).map_err(|error| Problem::from_yaml(file, &error))?;
    let layers = environment
        .into_iter()
        .filter_map(Variable::new)
        .fold(Figment::from(Yaml::string(&text)), |below, variable| below.merge(variable));
    let mut config: Config = layers.extract().map_err(|error| problem(file, &text, error))?;
    resolve_paths(&mut config, file);
    config.check().map_err(|problem| Problem { file: file.to_owned(), ..problem })?;
    Ok(config)
}

fn read(file: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })
}

fn problem(file: &Path, text: &str, error: FigmentError) -> Problem {
    let variable =
        error.metadata.as_ref().and_then(|layer| layer.name.strip_prefix(Variable::LAYER)).map(str::to_owned);
    let path = error.path.join(".");
    let (key, what) = match &error.kind {
        // Figment's path ends in the unknown key, and in the level above a missing one.
        Kind::UnknownField(_, known) => (path, format!("unknown key; known are {}", known.join(", "))),
        Kind::MissingField(field) => (join(&path, Some(field)), "missing".to_owned()),
        kind => (path, kind.to_string()),
    };
    let missing = matches!(error.kind, Kind::MissingField(_));
    let place = if variable.is_some() || missing { None } else { place_in(text) };
    Problem { place, variable, ..Problem::at(file, key, what) }
}

/// Where the file alone goes wrong. Keys that are only missing may come from the environment and do not count.
fn place_in(text: &str) -> Option<(usize, usize)> {
    let error = serde_yaml::from_str::<Config>(text).err()?;
    let missing = error.to_string().contains("missing field");
    error.location().filter(|_| !missing).map(|at| (at.line(), at.column()))
}

fn resolve_paths(config: &mut Config, file: &Path) {
    let folder = file.parent().unwrap_or(Path::new("."));
    let paths = [
        &mut config.data_dir,
        &mut config.policy_file,
        &mut config.keys.signing_key_file,
        &mut config.keys.transport_key_file,
    ];
    for path in paths.into_iter().chain(config.api.tokens_file.as_mut()) {
        *path = folder.join(&*path);
    }
}

impl Config {
    /// What types alone do not show. The problem names the key; its file is empty.
    pub fn check(&self) -> Result<(), Problem> {
        let fail = |key: &str, what: String| Err(Problem::at(Path::new(""), key, what));
        if let Err(error) = self.predecessor_alone() {
            return fail("predecessor", error.to_string());
        }
        if let Err(error) = self.group() {
            return fail(key_of(&error), error.to_string());
        }
        if self.own_member().is_none() {
            return fail("member", format!("no member of the group has the name \"{}\"", self.member));
        }
        if let Some(peer) = self.peers().find(|peer| peer.addresses.is_empty()) {
            return fail(
                "members",
                format!("member {} has no addresses, and only the signer's own may be empty", peer.name),
            );
        }
        if self.kaspa_node.endpoints.is_empty() {
            return fail("kaspaNode.endpoints", "at least one is needed".to_owned());
        }
        if let Some(endpoint) = self.kaspa_node.endpoints.iter().find(|endpoint| !is_endpoint(endpoint)) {
            return fail(
                "kaspaNode.endpoints",
                format!("\"{endpoint}\" is not of the form grpc://host:port"),
            );
        }
        match (self.api.auth, &self.api.tokens_file) {
            (Auth::Tokens, Some(_)) | (Auth::None, None) => {}
            (Auth::Tokens, None) => {
                return fail("api.tokensFile", "missing, and api.auth is tokens".to_owned());
            }
            (Auth::None, Some(_)) => return fail("api.tokensFile", "given, but api.auth is none".to_owned()),
        }
        let timing = &self.timing;
        if [timing.view_timeout_ms, timing.rank_delay_ms, timing.catch_up_interval_ms].contains(&0) {
            return fail("timing", "a time of 0 ms".to_owned());
        }
        if timing.view_timeout_cap_ms < timing.view_timeout_ms {
            return fail("timing.viewTimeoutCapMs", "less than viewTimeoutMs".to_owned());
        }
        Ok(())
    }
}

impl Config {
    fn predecessor_alone(&self) -> Result<(), GroupError> {
        let Some(predecessor) = &self.predecessor else { return Ok(()) };
        predecessor.checked(self.network).map(drop)
    }
}

fn key_of(error: &GroupError) -> &'static str {
    match error {
        GroupError::Wallet(WalletError::Threshold(error)) | GroupError::Threshold(error) => match error {
            ThresholdError::Members(_) => "members",
            ThresholdError::Threshold { .. } | ThresholdError::MainnetAlone => "threshold",
            ThresholdError::Quorum { .. } => "quorum",
        },
        GroupError::Wallet(WalletError::Key(_) | WalletError::SameKey(_)) => "members",
        GroupError::SameName(_) | GroupError::SameTransport(_, _) => "members",
        GroupError::Depths | GroupError::MainnetFinal => "depths",
        GroupError::OwnPredecessor | GroupError::ForeignPredecessor => "predecessor",
    }
}

fn is_endpoint(endpoint: &str) -> bool {
    endpoint.strip_prefix("grpc://").is_some_and(|rest| rest.parse::<HostPort>().is_ok())
}

/// One variable of the environment as a layer of its own, so that an error can name it.
struct Variable {
    name: String,
    key: String,
    value: String,
}

impl Variable {
    const LAYER: &'static str = "environment variable ";

    fn new((name, value): (String, String)) -> Option<Self> {
        let key = name.strip_prefix(PREFIX)?.split("__").map(camel_case).collect::<Vec<_>>().join(".");
        let top = key.split('.').next().unwrap_or_default();
        // Levels are written with two underscores by nobody else, so a wrong key there is a mistake to be told.
        if !TOP_KEYS.contains(&top) && !key.contains('.') {
            return None;
        }
        let key = if key == "logFormat" { "log.format".to_owned() } else { key };
        Some(Self { name, key, value })
    }
}

fn camel_case(snake: &str) -> String {
    let mut words = snake.split('_').map(str::to_ascii_lowercase);
    let first = words.next().unwrap_or_default();
    words.fold(first, |so_far, word| {
        let (head, tail) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        so_far + &head.to_ascii_uppercase() + tail
    })
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("{}{}", Self::LAYER, self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, FigmentError> {
        let value: Value =
            self.value.parse().expect("figment reads what is no number, list or map as a text");
        let nested = nest(&self.key, value).into_dict().expect("a variable's key is not empty");
        Ok(Profile::Default.collect(nested))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GroupConfig, PredecessorConfig};
    use igra_group::Network;

    const KEYS: [&str; 2] = [
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    ];

    fn sample() -> Config {
        let address = |host: &str| [format!("{host}:31120").parse().unwrap()];
        GroupConfig::builder(Network::Simnet, 2)
            .member("alpha", KEYS[0], "11".repeat(32).parse().unwrap(), address("alpha"))
            .member("beta", KEYS[1], "22".repeat(32).parse().unwrap(), address("beta"))
            .build()
            .unwrap()
            .config("alpha", "/var/lib/igra", "/etc/igra/keys", "grpc://kaspad:16510")
    }

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, Problem> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        fs::write(&file, text).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load_with(file, environment).map_err(|error| match error {
            ConfigError::Invalid(problem) => *problem,
            ConfigError::Read { file, source } => panic!("{}: {source}", file.display()),
        })
    }

    #[test]
    fn a_configuration_reads_back_as_it_was_written() {
        let loaded = load(&sample().to_yaml(), &[]).unwrap();
        assert!(loaded.policy_file.is_absolute(), "relative paths are taken from the file's folder");
        assert_eq!(Config { policy_file: "policy.yaml".into(), ..loaded }, sample());
    }

    #[test]
    fn only_what_has_no_default_must_be_written() {
        let text = format!(
            "network: simnet
threshold: 1
members: [{{name: alpha, publicKey: {}, transportId: '{}'}}]
member: alpha
dataDir: data
keys: {{signingKeyFile: s, transportKeyFile: t}}
kaspaNode: {{endpoints: ['grpc://127.0.0.1:16510']}}
api: {{auth: none}}
",
            KEYS[0],
            "11".repeat(32)
        );
        assert_eq!(load(&text, &[]).unwrap().gossip.listen.port(), 31120);
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let environment = [
            ("IGRA_KASPA_NODE__ENDPOINTS", "[\"grpc://other:1\"]"),
            ("IGRA_TIMING__VIEW_TIMEOUT_MS", "7"),
            ("IGRA_LOG_FORMAT", "text"),
            ("IGRA_CACHE", "/somewhere"),
            ("HOME", "/root"),
        ];
        let config = load(&sample().to_yaml(), &environment).unwrap();
        assert_eq!(config.kaspa_node.endpoints, ["grpc://other:1"]);
        assert_eq!(config.timing.view_timeout_ms, 7);
        assert_eq!(config.log.format, crate::LogFormat::Text);
    }

    #[test]
    fn a_missing_key_may_come_from_the_environment() {
        let text = sample().to_yaml().replace("member: alpha\n", "");
        assert_eq!(load(&text, &[]).unwrap_err().key, "member");
        assert_eq!(load(&text, &[("IGRA_MEMBER", "beta")]).unwrap().member, "beta");
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (name, value, key) in [
            ("IGRA_THRESHOLD", "many", "threshold"),
            ("IGRA_GOSSIP__LISTN", "0.0.0.0:1", "gossip.listn"),
            ("IGRA_GOSIP__LISTEN", "0.0.0.0:1", "gosip"),
        ] {
            let problem = load(&sample().to_yaml(), &[(name, value)]).unwrap_err();
            assert_eq!(problem.key, key);
            assert!(key == "gosip" || problem.to_string().contains(name), "{problem}");
        }
    }

    #[test]
    fn each_mistake_is_told_by_its_key() {
        for (from, to, key) in [
            ("signingKeyFile:", "signingKeyFil:", "keys.signingKeyFil"),
            ("dataDir:", "datadir:", "datadir"),
            ("threshold: 2", "threshold: two", "threshold"),
            ("threshold: 2", "threshold: 3", "threshold"),
            ("threshold: 2", "threshold: 2\nquorum: 1", "quorum"),
            ("network: simnet", "network: testnet", "network"),
            ("network: simnet", "network: mainnet", ""),
            ("member: alpha", "member: gamma", "member"),
            ("grpc://", "http://", "kaspaNode.endpoints"),
            ("auth: none", "auth: tokens", "api.tokensFile"),
            ("beta:31120", "beta", "members.1.addresses.0"),
            ("- beta:31120", "[]", ""),
            ("coin: 100", "coin: 1000000", "depths"),
            ("viewTimeoutMs: 1000", "viewTimeoutMs: 0", "timing"),
            (KEYS[1], KEYS[0], "members"),
        ] {
            let text = sample().to_yaml().replace(from, to);
            assert_ne!(text, sample().to_yaml(), "{from}");
            match load(&text, &[]) {
                Ok(_) => assert_eq!(key, "", "{to} was taken"),
                Err(problem) => assert!(key.is_empty() || problem.key == key, "{to}: {problem}"),
            }
        }
    }

    #[test]
    fn a_predecessor_reads_back_and_each_mistake_in_it_is_told() {
        let keys = [
            "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
            "e493dbf1c10d80f3581e4904930b1404cc6c13900ee0758474fa94abe8c4cd13",
        ];
        let predecessor = PredecessorConfig {
            signature_scheme: Default::default(),
            threshold: 2,
            public_keys: keys.map(str::to_owned).to_vec(),
            dust_sompi: igra_group::Sompi(5),
        };
        let after = Config { predecessor: Some(predecessor.clone()), ..sample() };
        let loaded = load(&after.to_yaml(), &[]).unwrap();
        assert_eq!(loaded.predecessor, Some(predecessor));
        let (group, plain) = (loaded.group().unwrap(), sample().group().unwrap());
        let old = group.predecessor().unwrap();
        assert_eq!((old.dust.0, old.wallet.threshold().needed()), (5, 2));
        assert_eq!(group.id(), plain.id());
        for (from, to, key) in [
            (keys[0], keys[1], "predecessor"),
            (keys[0], "f9", "predecessor"),
            ("  threshold: 2", "  threshold: 3", "predecessor"),
            ("  threshold: 2", "  treshold: 2", "predecessor.treshold"),
        ] {
            let text = after.to_yaml().replacen(from, to, 1);
            assert_eq!(load(&text, &[]).unwrap_err().key, key, "{to}");
        }
        let own = PredecessorConfig::of(&plain);
        assert_eq!(
            load(&Config { predecessor: Some(own), ..sample() }.to_yaml(), &[]).unwrap_err().key,
            "predecessor"
        );
    }

    #[test]
    fn an_unknown_key_is_told_with_file_line_and_key() {
        let text = sample().to_yaml().replace("signingKeyFile:", "signingKeyFil:");
        let line = text.lines().position(|line| line.contains("signingKeyFil:")).unwrap() + 1;
        let problem = load(&text, &[]).unwrap_err();
        assert_eq!(problem.place.map(|(line, _)| line), Some(line));
        let told = problem.to_string();
        assert!(
            told.contains("config.yaml, line ") && told.contains("key keys.signingKeyFil: unknown key"),
            "{told}"
        );
    }

    #[test]
    fn a_text_that_is_no_yaml_is_told_with_its_line() {
        assert_eq!(
            load("network: simnet\nmember: }\nthreshold: 2", &[]).unwrap_err().place.map(|(line, _)| line),
            Some(2)
        );
    }
}
