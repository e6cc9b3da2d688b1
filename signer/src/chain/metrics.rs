//! What the chain edge counts, and what it last saw of its node.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use serde::Serialize;
use tokio::sync::watch;

use super::{BreakerState, NodeError};

/// From 1 ms to 10 s.
const BUCKETS_SECONDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counters and gauges of the chain edge. Clones count together.
#[derive(Clone)]
pub struct ChainMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    breakers: IntGaugeVec,
    synced: IntGauge,
    blocks: IntGauge,
}

/// How the Kaspa node is, as last seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeHealth {
    /// The node that answered last; empty before the first answer.
    pub endpoint: String,
    /// The last round of questions was answered in time.
    pub answers: bool,
    pub network_ok: bool,
    pub utxo_index: bool,
    pub synced: bool,
    /// All that it knows of the chain has been read, up to its last block.
    pub is_read: bool,
    pub virtual_daa: u64,
    pub latency_ms: u64,
    /// Why the last round failed, where it did.
    pub error: Option<String>,
    /// Monotonic time of this view.
    #[serde(skip)]
    pub seen: Instant,
}

/// Reads the latest [`NodeHealth`].
#[derive(Clone)]
pub struct HealthReader(pub(super) watch::Receiver<NodeHealth>);

/// How a call went, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallOutcome {
    Ok,
    Refused,
    Unreachable,
    Silent,
}

impl ChainMetrics {
    /// Registers everything in `registry`; fails if one of the names is taken there.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counters = Opts::new("igra_rpc_requests_total", "Calls to Kaspa nodes.");
        let durations =
            HistogramOpts::new("igra_rpc_request_duration_seconds", "Time of calls to Kaspa nodes.");
        let breakers = Opts::new("igra_breaker_state", "Breaker of a Kaspa node: 0 closed, 1 trial, 2 open.");
        let metrics = Self {
            requests: IntCounterVec::new(counters, &["method", "outcome"])?,
            durations: HistogramVec::new(durations.buckets(BUCKETS_SECONDS.to_vec()), &["method"])?,
            breakers: IntGaugeVec::new(breakers, &["endpoint"])?,
            synced: IntGauge::new("igra_node_synced", "1 when the Kaspa node answers, fits and is synced.")?,
            blocks: IntGauge::new(
                "igra_node_virtual_daa_score",
                "DAA score of the Kaspa node's virtual block.",
            )?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.breakers.clone()))?;
        registry.register(Box::new(metrics.synced.clone()))?;
        registry.register(Box::new(metrics.blocks.clone()))?;
        Ok(metrics)
    }

    pub(super) fn called(&self, method: &'static str, outcome: CallOutcome, time: Duration) {
        self.requests.with_label_values(&[method, outcome.label()]).inc();
        self.durations.with_label_values(&[method]).observe(time.as_secs_f64());
    }

    /// A call that the breaker held back.
    pub(super) fn rejected(&self, method: &'static str) {
        self.requests.with_label_values(&[method, "rejected"]).inc();
    }

    pub(super) fn breaker(&self, endpoint: &str, state: BreakerState) {
        self.breakers.with_label_values(&[endpoint]).set(state.as_gauge());
    }

    pub(super) fn health(&self, health: &NodeHealth) {
        self.synced.set(health.is_ready().into());
        self.blocks.set(i64::try_from(health.virtual_daa).unwrap_or(i64::MAX));
    }
}

impl Default for ChainMetrics {
    /// Counts for nobody.
    fn default() -> Self {
        Self::register(&Registry::new()).expect("a fresh registry has no names taken")
    }
}

impl NodeHealth {
    pub(super) fn unknown() -> Self {
        Self {
            endpoint: String::new(),
            answers: false,
            network_ok: false,
            utxo_index: false,
            synced: false,
            is_read: false,
            virtual_daa: 0,
            latency_ms: 0,
            error: None,
            seen: Instant::now(),
        }
    }

    /// All that a signer needs of its node.
    pub fn is_ready(&self) -> bool {
        self.is_of_use() && self.is_read
    }

    /// Whether there is anything to be had from it.
    pub(super) fn is_of_use(&self) -> bool {
        self.answers && self.network_ok && self.utxo_index && self.synced
    }

    /// For people: how the node is, or the first thing that it lacks.
    pub fn message(&self) -> String {
        if let Some(error) = &self.error {
            return error.clone();
        }
        let endpoint = &self.endpoint;
        match (self.answers, self.network_ok, self.utxo_index, self.synced) {
            (false, _, _, _) => "no kaspa node has answered yet".to_owned(),
            (true, false, _, _) => format!("{endpoint} is on another network"),
            (true, true, false, _) => format!("{endpoint} runs without --utxoindex"),
            (true, true, true, false) => format!("{endpoint} is not synced"),
            (true, true, true, true) if !self.is_read => {
                format!("{endpoint} is synced, and the chain it knows is being read")
            }
            (true, true, true, true) => format!("{endpoint} is synced at DAA score {}", self.virtual_daa),
        }
    }
}

impl HealthReader {
    /// The latest view.
    pub fn get(&self) -> NodeHealth {
        self.0.borrow().clone()
    }
}

impl CallOutcome {
    pub(super) fn of<T>(result: &Result<T, NodeError>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(NodeError::Silent { .. }) => Self::Silent,
            Err(error) if error.is_answer() => Self::Refused,
            Err(_) => Self::Unreachable,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
        }
    }
}

/// Where the watch leaves what it saw.
pub(super) struct HealthWriter {
    metrics: ChainMetrics,
    latest: Arc<watch::Sender<NodeHealth>>,
}

impl HealthWriter {
    pub(super) fn new(metrics: ChainMetrics) -> (Self, HealthReader) {
        let (latest, reader) = watch::channel(NodeHealth::unknown());
        (Self { metrics, latest: Arc::new(latest) }, HealthReader(reader))
    }

    pub(super) fn set(&self, health: NodeHealth) {
        self.metrics.health(&health);
        self.latest.send_replace(health);
    }

    /// Keeps what was known of the node, and says that it is silent now.
    pub(super) fn down(&self, error: &NodeError) {
        let last = self.latest.borrow().clone();
        self.set(NodeHealth { answers: false, error: Some(error.to_string()), seen: Instant::now(), ..last });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_only_with_all_that_a_signer_needs() {
        let ready = NodeHealth {
            answers: true,
            network_ok: true,
            utxo_index: true,
            synced: true,
            is_read: true,
            ..NodeHealth::unknown()
        };
        assert!(ready.is_ready());

        for lacking in [
            NodeHealth { answers: false, ..ready.clone() },
            NodeHealth { network_ok: false, ..ready.clone() },
            NodeHealth { utxo_index: false, ..ready.clone() },
            NodeHealth { synced: false, ..ready.clone() },
            NodeHealth { is_read: false, ..ready.clone() },
        ] {
            assert!(!lacking.is_ready(), "{}", lacking.message());
            assert_ne!(lacking.message(), ready.message());
        }
    }

    #[test]
    fn calls_are_counted_by_method_and_outcome() {
        let registry = Registry::new();
        let metrics = ChainMetrics::register(&registry).unwrap();

        metrics.called("get_sink", CallOutcome::Ok, Duration::from_millis(2));
        metrics.called("get_sink", CallOutcome::Silent, Duration::from_secs(5));
        metrics.rejected("get_sink");

        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            r#"igra_rpc_requests_total{method="get_sink",outcome="ok"} 1"#,
            r#"igra_rpc_requests_total{method="get_sink",outcome="silent"} 1"#,
            r#"igra_rpc_requests_total{method="get_sink",outcome="rejected"} 1"#,
            r#"igra_rpc_request_duration_seconds_count{method="get_sink"} 2"#,
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
