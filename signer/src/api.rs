//! HTTP: the API, where events come in and are looked at, and the admin port with health and metrics.
//!
//! Every refusal has one shape: code, message, timestamp, request id, details. Nothing here decides about money: events
//! go to the loop through its door, verified by the function that the wiring hands in.

mod admin;
mod answers;
mod auth;
mod error;
mod frame;
mod handlers;
mod limit;
mod orders;
mod serve;
#[cfg(test)]
mod tests;
mod time;

use std::{future::Future, num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware,
    routing::{get, post},
};
use igra_core::VerifiedEvent;
use tokio::{net::TcpListener, sync::watch};
use tower_http::timeout::TimeoutLayer;

use crate::{
    metrics::Metrics,
    node::{Door, Health},
};

pub use answers::Identity;
pub use auth::Tokens;
pub use error::BadEvent;
use serve::Bounds;

/// Largest body, in bytes. Evidence has a smaller limit of its own.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How long a request may take, its body's arrival included.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection may take for the head of each request, the wait between two requests included.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// Connections at once. More wait in the kernel: each costs a file descriptor, which the store needs as well.
const API_CONNECTIONS: usize = 512;
const ADMIN_CONNECTIONS: usize = 64;

/// Turns a body into an event, or says what is wrong with it.
pub type Verify = Arc<dyn Fn(&[u8]) -> Result<VerifiedEvent, BadEvent> + Send + Sync>;

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    pub door: Door,
    pub verify: Verify,
    /// The newest. `None` where the configuration says `auth: none`.
    pub tokens: Option<watch::Receiver<Tokens>>,
    pub identity: Arc<Identity>,
    pub metrics: Metrics,
}

/// What each client address may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub per_second: NonZeroU32,
    pub burst: NonZeroU32,
}

impl Api {
    /// Serves until `shutdown` is done; requests in hand are answered first.
    pub async fn serve(
        self,
        listener: TcpListener,
        rate: RateLimit,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) {
        let (limiter, layer) = limit::layer(rate, self.metrics.clone());
        let routes = self.routes().layer(layer).layer(middleware::from_fn(frame::frame));
        let bounds = Bounds { connections: API_CONNECTIONS, head: HEAD_PATIENCE };
        tokio::select! {
            () = serve::serve(listener, routes, bounds, shutdown) => {}
            () = limit::forget_idle(limiter) => {}
        }
    }

    fn routes(self) -> Router {
        Router::new()
            .route("/v1/events", post(handlers::submit).get(handlers::list))
            .route("/v1/events/{key}", get(handlers::event))
            .route("/v1/events/{key}/cancel", post(orders::cancel))
            .route("/v1/events/{key}/lost", post(orders::coins_lost))
            .route("/v1/halt/clear", post(orders::clear_halt))
            .route("/v1/quarantine/release", post(orders::release_quarantine))
            .route("/v1/predecessor/release", post(orders::release_predecessor))
            .route("/v1/group", get(handlers::group))
            .route("/v1/identity", get(handlers::identity))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, PATIENCE))
            .with_state(self)
    }
}

/// Serves health and metrics until `shutdown` is done. Without tokens and limits: the port is for the cluster's probes.
pub async fn serve_admin(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let routes = admin::routes(health, metrics)
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, PATIENCE))
        .layer(middleware::from_fn(frame::frame));
    let bounds = Bounds { connections: ADMIN_CONNECTIONS, head: HEAD_PATIENCE };
    serve::serve(listener, routes, bounds, shutdown).await;
}
