//! How the signer is: the loop's heartbeat, and what its parts say of themselves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use serde::Serialize;

/// Without a beat for this long the loop counts as dead: a commit and a full queue take far less.
pub const DEAD_AFTER: Duration = Duration::from_secs(20);

/// The loop beats; `/health/live` listens.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    start: Instant,
    last_ms: Arc<AtomicU64>,
}

/// What the health routes ask.
#[derive(Clone)]
pub struct Health {
    heartbeat: Heartbeat,
    checks: Arc<dyn Fn() -> BoxFuture<'static, Vec<Check>> + Send + Sync>,
}

/// One check of `/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `storage`, `kaspa-node`, `gossip`, `alarm`, `quarantine`, `predecessor`, `policy` or `tokens`.
    pub name: &'static str,
    pub status: CheckStatus,
    pub message: String,
    pub latency_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    Pass,
    /// Works, and somebody should look.
    Warn,
    Fail,
}

impl Health {
    /// `checks` looks at the signer's parts, and answers in bounded time.
    pub fn new<F>(heartbeat: Heartbeat, checks: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Vec<Check>> + Send + 'static,
    {
        Self { heartbeat, checks: Arc::new(move || Box::pin(checks())) }
    }

    /// For `/health/live`.
    pub fn alive(&self) -> bool {
        self.heartbeat.alive()
    }

    /// For `/health` and `/health/ready`; the latter asks that none fails.
    pub async fn checks(&self) -> Vec<Check> {
        (self.checks)().await
    }
}

impl Check {
    /// Runs a check and takes its time.
    pub async fn timed(name: &'static str, check: impl Future<Output = (CheckStatus, String)>) -> Self {
        let start = Instant::now();
        let (status, message) = check.await;
        Self { name, status, message, latency_ms: start.elapsed().as_millis() as u64 }
    }
}

impl Heartbeat {
    /// The first beat is now.
    pub fn new() -> Self {
        Self { start: Instant::now(), last_ms: Arc::default() }
    }

    /// The loop turned.
    pub fn beat(&self) {
        self.last_ms.store(self.start.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Whether the loop turned within [`DEAD_AFTER`].
    pub fn alive(&self) -> bool {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.start.elapsed().saturating_sub(last) < DEAD_AFTER
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}
