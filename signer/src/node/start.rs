//! The start of a signer, in order: keys, policy, store, chain, gossip, API; and its end, in the other direction.

use std::{collections::VecDeque, future::Future, time::Duration};

use igra_config::Config;
use igra_core::{Coordinator, Millis, Records, Timing};
use igra_group::{Group, MemberIndex};
use tokio::{
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::timeout,
};

use super::{
    Door, Health, Heartbeat, RunError, Signer, Turn,
    arrivals::Arrivals,
    checks::Checks,
    clock::Clock,
    perform::Performer,
    policy::{self, Rules},
    serving::{self, Serving},
    submitting::{Submitting, submitting},
};
use crate::{
    chain::{Chain, ChainMetrics},
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
    tasks: JoinSet<()>,
}

/// Everything that a wrong configuration can spoil, checked before anything is opened.
struct Ready {
    config: Config,
    group: Group,
    me: MemberIndex,
    signing_key: SigningKey,
    transport_key: TransportKey,
    rules: Rules,
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
    let rules = Rules::load(&config.policy_file, &group)?;
    Ok(Ready { config, group, me, signing_key, transport_key, rules })
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
    let (config, group) = (&ready.config, &ready.group);
    let (metrics, mut tasks) = (Metrics::new(), JoinSet::new());
    let (door, requests) = Door::new();
    let (doors, arrivals) = Arrivals::new(requests);

    let endpoints = &config.kaspa_node.endpoints;
    let chain_metrics = ChainMetrics::register(metrics.registry())?;
    let chain = Chain::spawn(endpoints, group, records.cursor(), doors.chain, chain_metrics);
    let (submitting, work_off) = submitting(chain.submitter(), doors.outcomes);
    tasks.spawn(work_off);

    let settings = Settings { drop_gossip: gossip_is_dropped(), ..Settings::of(config, group, ready.me) };
    let secret = ready.transport_key.for_endpoint();
    let gossip = Gossip::spawn(settings, &secret, doors.gossip, GossipMetrics::register(&metrics)?).await?;

    tasks.spawn(policy::watch(config.policy_file.clone(), group.clone(), doors.rules));
    let (rules, newest_rules) = watch::channel(ready.rules.clone());
    let api = serving::api(config, (group, ready.me), door, &metrics, newest_rules)?;
    let checks =
        Checks { group: group.clone(), store: store.clone(), chain: chain.health(), gossip: gossip.handle() };
    let heartbeat = Heartbeat::new();
    let health = Health::new(heartbeat.clone(), move || checks.clone().run());
    let serving = Serving::start(config, api, health).await?;

    let edges = Edges { gossip: gossip.handle(), submitting, rules, heartbeat, metrics };
    let signer = begin(ready, store, records, edges).await?;
    Ok(Started { signer, arrivals, chain, gossip, serving, tasks })
}

/// What the loop needs of the edges.
struct Edges {
    gossip: GossipHandle,
    submitting: Submitting,
    rules: watch::Sender<Rules>,
    heartbeat: Heartbeat,
    metrics: Metrics,
}

/// Restores the core and takes its first step: a new epoch, and once more what was wanted before.
async fn begin(ready: Ready, store: Store, records: Records, edges: Edges) -> Result<Signer, StoreError> {
    let Ready { config, group, me, signing_key, transport_key, rules: Rules { policy, verifier } } = ready;
    let Edges { gossip, submitting, rules, heartbeat, metrics } = edges;
    let clock = Clock::new();
    let (coordinator, step) =
        Coordinator::restore(group.clone(), me, policy, timing(&config), records, clock.now());
    let epoch = coordinator.epoch();
    let performer = Performer {
        group,
        me,
        epoch,
        signing_key,
        transport_key,
        gossip,
        submitting,
        verifier,
        metrics: metrics.clone(),
    };
    let own = VecDeque::new();
    let mut signer = Signer { coordinator, store, performer, clock, heartbeat, metrics, rules, own };
    let mut turn = Turn::default();
    turn.add(step, &signer.metrics);
    signer.finish(turn).await?;
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
    /// Takes no more questions, says goodbye to peers, lets go of the node and closes the store.
    pub(super) async fn shutdown(self) {
        let Self { signer, arrivals, chain, gossip, serving, mut tasks } = self;
        drop(arrivals);
        serving.shutdown().await;
        tasks.shutdown().await;
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
