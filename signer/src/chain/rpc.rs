//! Kaspa nodes behind one struct: several endpoints by health, each with a breaker, each call with a time limit, and a
//! fresh client after each failure. Retrying is the caller's: see `watch`.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kaspa_grpc_client::GrpcClient;
use kaspa_rpc_core::{RpcResult, notify::mode::NotificationMode};
use tokio::time::timeout;

use super::{Breaker, BreakerSettings, ChainMetrics, NodeError, error::Refusal, metrics::CallOutcome};

/// What the client itself waits at most, in milliseconds. It looks every 10 s only, so ours is the limit that counts.
const CLIENT_LIMIT_MS: u64 = 20_000;

/// How long a client that is given up may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// The Kaspa nodes of a signer. Clones share connections and breakers.
#[derive(Clone)]
pub struct Node {
    endpoints: Arc<Vec<Endpoint>>,
    /// Counts up; see [`Endpoint::unfit_since`].
    clock: Arc<AtomicU64>,
    metrics: ChainMetrics,
}

/// One endpoint chosen for some calls that belong together.
pub(super) struct Line<'a> {
    node: &'a Node,
    endpoint: &'a Endpoint,
}

struct Endpoint {
    url: String,
    breaker: Breaker,
    client: Mutex<Option<GrpcClient>>,
    /// Calls in a row without an answer.
    failures: AtomicU32,
    /// 0 while the node is of use; else when it was found on another network, unsynced or behind, so that the one
    /// looked at longest ago comes first.
    unfit_since: AtomicU64,
}

impl Node {
    /// Nodes at `grpc://host:port` each; nothing is dialled yet.
    pub fn new(urls: &[String], breaker: BreakerSettings, metrics: ChainMetrics) -> Self {
        let endpoint = |url: &String| Endpoint {
            url: url.clone(),
            breaker: Breaker::new(breaker),
            client: Mutex::default(),
            failures: AtomicU32::new(0),
            unfit_since: AtomicU64::new(0),
        };
        for url in urls {
            metrics.breaker(url, super::BreakerState::Closed);
        }
        Self {
            endpoints: Arc::new(urls.iter().map(endpoint).collect()),
            clock: Arc::new(AtomicU64::new(1)),
            metrics,
        }
    }

    /// The endpoints, the healthiest first.
    pub(super) fn lines(&self) -> Vec<Line<'_>> {
        let mut endpoints: Vec<&Endpoint> = self.endpoints.iter().collect();
        endpoints.sort_by_key(|endpoint| endpoint.rank());
        endpoints.into_iter().map(|endpoint| Line { node: self, endpoint }).collect()
    }

    /// Closes all connections.
    pub async fn close(&self) {
        for endpoint in self.endpoints.iter() {
            let client = endpoint.slot().take();
            if let Some(client) = client {
                say_goodbye(client).await;
            }
        }
    }
}

impl Line<'_> {
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint.url
    }

    /// One call, within `limit`, through the breaker.
    pub(super) async fn ask<T, F>(
        &self,
        method: &'static str,
        limit: Duration,
        call: impl FnOnce(GrpcClient) -> F,
    ) -> Result<T, NodeError>
    where
        F: Future<Output = RpcResult<T>>,
    {
        let Some(permit) = self.endpoint.breaker.admit() else {
            self.node.metrics.rejected(method);
            return Err(NodeError::Rejected);
        };
        let start = Instant::now();
        let result = self.endpoint.within(method, limit, call).await;
        match &result {
            Err(error) if !error.is_answer() => {
                permit.failed();
                self.endpoint.failures.fetch_add(1, Ordering::Relaxed);
                self.endpoint.give_up_client();
            }
            Ok(_) | Err(_) => {
                permit.answered();
                self.endpoint.failures.store(0, Ordering::Relaxed);
            }
        }
        self.node.metrics.called(method, CallOutcome::of(&result), start.elapsed());
        self.node.metrics.breaker(&self.endpoint.url, self.endpoint.breaker.state());
        result
    }

    /// Says whether the node is of use, for the choice next time.
    pub(super) fn fits(&self, fits: bool) {
        let since = if fits { 0 } else { self.node.clock.fetch_add(1, Ordering::Relaxed) };
        self.endpoint.unfit_since.store(since, Ordering::Relaxed);
    }
}

impl Endpoint {
    fn rank(&self) -> impl Ord + use<> {
        let unfit_since = self.unfit_since.load(Ordering::Relaxed);
        (self.breaker.state(), unfit_since, self.failures.load(Ordering::Relaxed))
    }

    async fn within<T, F>(
        &self,
        method: &'static str,
        limit: Duration,
        call: impl FnOnce(GrpcClient) -> F,
    ) -> Result<T, NodeError>
    where
        F: Future<Output = RpcResult<T>>,
    {
        let refused = |text: String| NodeError::Refused { method, refusal: Refusal::of_text(&text), text };
        let work = async { call(self.client().await?).await.map_err(|error| refused(error.to_string())) };
        let silent = |_| NodeError::Silent { endpoint: self.url.clone(), method, limit };
        timeout(limit, work).await.map_err(silent)?
    }

    async fn client(&self) -> Result<GrpcClient, NodeError> {
        let kept = self.slot().clone();
        if let Some(client) = kept.filter(GrpcClient::is_connected) {
            return Ok(client);
        }
        self.give_up_client();
        let unreachable = |text| NodeError::Unreachable { endpoint: self.url.clone(), text };
        let client = connect(&self.url).await.map_err(|error| unreachable(error.to_string()))?;
        let other = self.slot().replace(client.clone());
        if let Some(other) = other {
            tokio::spawn(say_goodbye(other));
        }
        Ok(client)
    }

    /// The client's own reconnecting shares its queue between old and new stream, so a whole new one is the sturdier way.
    fn give_up_client(&self) {
        if let Some(client) = self.slot().take() {
            tokio::spawn(say_goodbye(client));
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<GrpcClient>> {
        self.client.lock().expect("nobody panics while holding the client's place")
    }
}

async fn connect(url: &str) -> Result<GrpcClient, kaspa_grpc_client::error::Error> {
    let (mode, reconnect, override_stop) = (NotificationMode::Direct, false, false);
    let limit = Some(CLIENT_LIMIT_MS);
    GrpcClient::connect_with_args(
        mode,
        url.to_owned(),
        None,
        reconnect,
        None,
        override_stop,
        limit,
        Arc::default(),
    )
    .await
}

/// A client that is only dropped keeps its tasks.
async fn say_goodbye(client: GrpcClient) {
    if !matches!(timeout(GOODBYE, client.disconnect()).await, Ok(Ok(()))) {
        tracing::debug!("a connection to a kaspa node did not close in order");
    }
}
