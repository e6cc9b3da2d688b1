//! `/livez`, `/readyz`, `/metrics`.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, extract::State, http::StatusCode, routing::get};

use crate::metrics::Metrics;

#[derive(Clone)]
pub(crate) struct Admin {
    pub metrics: Arc<Metrics>,
    /// Whether the caches are filled; they cannot be while our definitions are missing.
    pub ready: Arc<AtomicBool>,
}

impl Admin {
    /// Serves until the listener fails.
    pub async fn serve(self, address: SocketAddr) -> std::io::Result<()> {
        let router = Router::new()
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .route("/metrics", get(async |State(admin): State<Self>| admin.metrics.text()))
            .with_state(self);
        let listener = tokio::net::TcpListener::bind(address).await?;
        tracing::info!(address = %listener.local_addr()?, "admin server listens");
        axum::serve(listener, router).await
    }
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "caches are not filled: are the custom resource definitions installed?\n",
        )
    }
}
