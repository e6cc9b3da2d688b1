//! The start of a signer, in order: keys, policy, store, chain, gossip, API; and its end, in the other direction.

use std::{collections::VecDeque, future::Future, sync::Arc, time::Duration};

use igra_config::Config;
use igra_core::{Coordinator, Millis, Records, Signs, Timing};
use igra_group::{Group, MemberIndex};
use tokio::{sync::watch, task::spawn_blocking, time::timeout};

use super::{
    Door, Health, Heartbeat, RunError, Signer, Turn,
    arrivals::Arrivals,
    checks::Checks,
    clock::Clock,
    perform::Performer,
    policy::{self, Rules, Setting},
    reread::{Flag, Reread},
    serving::{self, Serving},
    standing::Standing,
    submitting::{Submitting, submitting},
    tasks::Tasks,
    tokens,
};
use crate::{
    api::Tokens,
    chain::{Beginning, Chain, ChainMetrics, WatchedCoins},
    gossip::{Gossip, GossipHandle, GossipMetrics, Settings},
    keys::{SigningKey, TransportKey},
    metrics::Metrics,
    store::{Identity, Store, StoreError},
};

/// Most time for each edge to close; the process has twenty seconds in all.
const CLOSING: Duration = Duration::from_secs(6);

/// A signer with all its edges.
pub(super) struct Started {
    pub(super) signer: Signer,
    pub(super) arrivals: Arrivals,
    chain: Chain,
    gossip: Gossip,
    serving: Serving,
    /// What runs beside the loop; ends when dropped.
    pub(super) tasks: Tasks,
}

/// Everything that a wrong configuration can spoil, checked before anything is opened.
struct Ready {
    config: Config,
    group: Group,
    me: MemberIndex,
    signing_key: SigningKey,
    transport_key: TransportKey,
    rules: Rules,
    policy_file: Reread,
    /// `None` where the API is open.
    tokens: Option<(Tokens, Reread)>,
}

pub(super) async fn start(config: Config) -> Result<Started, RunError> {
    let ready = ready(config)?;
    let (store, records) = open(&ready).await?;
    start_edges(ready, store, records).await
}

fn ready(config: Config) -> Result<Ready, RunError> {
    let group = config.group().map_err(RunError::Group)?;
    let me =
        group.index_by_name(&config.member).ok_or_else(|| RunError::NoSuchMember(config.member.clone()))?;
    let signing_key = SigningKey::read(&config.keys.signing_key_file)?;
    signing_key.check_member(&group, me)?;
    let transport_key = TransportKey::read(&config.keys.transport_key_file)?;
    transport_key.check_member(&group, me)?;
    let (rules, policy_file) = Rules::load(&config.policy_file, &Setting::of(&config, &group))?;
    let tokens = tokens::load(&config)?;
    Ok(Ready { config, group, me, signing_key, transport_key, rules, policy_file, tokens })
}

/// Opening and reading block, for as long as the store is large.
async fn open(ready: &Ready) -> Result<(Store, Records), RunError> {
    let identity = Identity::of(&ready.group, ready.me, ready.config.volume_id.clone())
        .ok_or_else(|| RunError::NoSuchMember(ready.config.member.clone()))?;
    let dir = ready.config.data_dir.join("store");
    let opened = spawn_blocking(move || {
        let store = Store::open(&dir, &identity)?;
        let records = store.read(|rows| Records::read(rows))?.map_err(RunError::Records)?;
        Ok((store, records))
    });
    opened.await.map_err(|_| StoreError::Interrupted)?
}

async fn start_edges(ready: Ready, store: Store, records: Records) -> Result<Started, RunError> {
    let Ready { config, group, me, signing_key, transport_key, rules, policy_file, tokens } = ready;
    let (metrics, mut tasks) = (Metrics::new(), Tasks::default());
    let (door, requests) = Door::new();
    let (doors, arrivals) = Arrivals::new(requests);

    let endpoints = &config.kaspa_node.endpoints;
    let chain_metrics = ChainMetrics::register(metrics.registry())?;
    let (watching, watched_coins) = watch::channel(Arc::new(records.watched()));
    let beginning = Beginning { cursor: records.cursor(), watched: watched_coins };
    let chain = Chain::spawn(endpoints, &group, beginning, doors.chain, chain_metrics);
    let (submitting, work_off) = submitting(chain.submitter(), doors.outcomes);
    tasks.spawn("the queue of transactions to submit", work_off);

    let settings = Settings { drop_gossip: gossip_is_dropped(), ..Settings::of(&config, &group, me) };
    let secret = transport_key.for_endpoint();
    let gossip = Gossip::spawn(settings, &secret, doors.gossip, GossipMetrics::register(&metrics)?).await?;

    let checks = Checks::new(&group, &store, chain.health(), gossip.handle());
    let standing = checks.standing.clone();
    let watched = policy::watch(
        policy_file,
        Setting::of(&config, &group),
        doors.rules,
        checks.policy.clone(),
        metrics.clone(),
    );
    tasks.spawn("the watch over the policy", watched);
    let tokens = tokens.map(|tokens| watch_tokens(tokens, &mut tasks, checks.tokens.clone(), &metrics));
    let (newest, newest_rules) = watch::channel(rules.clone());
    let api = serving::api(&config, (&group, me), door, &metrics, newest_rules, tokens)?;
    let heartbeat = Heartbeat::new();
    let health = Health::new(heartbeat.clone(), move || checks.clone().run());
    let serving = Serving::start(&config, api, health).await?;

    let own = Own { config, group, me, signing_key, transport_key, rules };
    let edges =
        Edges { gossip: gossip.handle(), submitting, watching, rules: newest, heartbeat, standing, metrics };
    let signer = begin(own, store, records, edges).await?;
    Ok(Started { signer, arrivals, chain, gossip, serving, tasks })
}

fn watch_tokens(
    (tokens, file): (Tokens, Reread),
    tasks: &mut Tasks,
    refused: Flag,
    metrics: &Metrics,
) -> watch::Receiver<Tokens> {
    let (newest, newest_tokens) = watch::channel(tokens);
    tasks.spawn("the watch over the tokens", tokens::watch(file, newest, refused, metrics.clone()));
    newest_tokens
}

/// What the loop needs of this signer itself.
struct Own {
    config: Config,
    group: Group,
    me: MemberIndex,
    signing_key: SigningKey,
    transport_key: TransportKey,
    rules: Rules,
}

/// What the loop needs of the edges.
struct Edges {
    gossip: GossipHandle,
    submitting: Submitting,
    watching: watch::Sender<WatchedCoins>,
    rules: watch::Sender<Rules>,
    heartbeat: Heartbeat,
    standing: Standing,
    metrics: Metrics,
}

/// Restores the core and takes its first step: a new epoch, and once more what was wanted before.
async fn begin(own: Own, store: Store, records: Records, edges: Edges) -> Result<Signer, StoreError> {
    let Own { config, group, me, signing_key, transport_key, rules: Rules { policy, verifier } } = own;
    let Edges { gossip, submitting, watching, rules, heartbeat, standing, metrics } = edges;
    let clock = Clock::new();
    let (timing, signs) = (timing(&config), store.signs());
    let (coordinator, step) =
        Coordinator::restore(group.clone(), me, policy, timing, records, signs, clock.now());
    let epoch = coordinator.epoch();
    let performer = Performer {
        group,
        me,
        signing_key,
        transport_key,
        gossip,
        submitting,
        verifier,
        metrics: metrics.clone(),
    };
    let (own, suspected) = (VecDeque::new(), signs != Signs::default());
    let mut signer = Signer {
        coordinator,
        store,
        performer,
        clock,
        heartbeat,
        metrics,
        standing,
        suspected,
        rules,
        watching,
        watched: 0,
        own,
    };
    let mut turn = Turn::default();
    let _ = turn.add(step, &signer.metrics);
    signer.finish(turn).await?;
    let view = signer.coordinator.view();
    signer.show_standing(&view);
    tracing::info!(member = config.member, epoch, "the signer runs");
    Ok(signer)
}

fn timing(config: &Config) -> Timing {
    let timing = &config.timing;
    Timing {
        view_timeout: Millis(timing.view_timeout_ms),
        view_timeout_cap: Millis(timing.view_timeout_cap_ms),
        rank_delay: Millis(timing.rank_delay_ms),
        catch_up: Millis(timing.catch_up_interval_ms),
    }
}

/// A switch for tests, which show with it that nothing hangs on gossip.
fn gossip_is_dropped() -> bool {
    let dropped = std::env::var_os("IGRA_TEST_DROP_GOSSIP").is_some_and(|value| value == "1");
    if dropped {
        tracing::warn!("IGRA_TEST_DROP_GOSSIP is set: no message goes by gossip");
    }
    dropped
}

impl Started {
    /// Turns the loop until `stop` resolves, the store fails, or something beside the loop ends that should not.
    pub(super) async fn run_until(&mut self, stop: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        let Self { signer, arrivals, chain, serving, tasks, gossip: _ } = self;
        let broken = tokio::select! {
            ended = signer.turn_until(stop, arrivals) => return Ok(ended?),
            () = chain.ended() => "the watch over the kaspa node",
            name = serving.ended() => name,
            name = tasks.ended() => name,
        };
        Err(RunError::Ended(broken))
    }

    /// Takes no more questions, says goodbye to peers, lets go of the node and closes the store.
    pub(super) async fn shutdown(self) {
        let Self { signer, arrivals, chain, gossip, serving, mut tasks } = self;
        drop(arrivals);
        serving.shutdown().await;
        tasks.abort().await;
        closing("gossip", gossip.shutdown()).await;
        closing("the kaspa node", chain.shutdown()).await;
        drop(signer);
        tracing::info!("the signer has stopped");
    }
}

async fn closing(what: &str, close: impl Future<Output = ()>) {
    if timeout(CLOSING, close).await.is_err() {
        tracing::warn!("{what} did not close in time");
    }
}
