//! The admin port: probes, health and metrics.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::{
    api::time::timestamp,
    metrics::Metrics,
    node::{Check, CheckStatus, Health},
};

pub fn routes(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/health", get(all))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(health)
        .route("/metrics", get(text).with_state(metrics))
}

/// Says that the loop turns, and nothing else: a Kaspa node that is down must not restart pods.
async fn live(State(health): State<Health>) -> Response {
    match health.alive() {
        true => Json(json!({"status": "alive"})).into_response(),
        false => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "the loop has not turned for too long"})))
                .into_response()
        }
    }
}

/// Ready means that no check fails; a failing one is named.
async fn ready(State(health): State<Health>) -> Response {
    let failing: Vec<Check> =
        health.checks().await.into_iter().filter(|check| check.status == CheckStatus::Fail).collect();
    if failing.is_empty() {
        return Json(json!({"status": "ready"})).into_response();
    }
    let body = json!({"status": "not ready", "failing": failing.iter().map(shown).collect::<Vec<_>>()});
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// Every check, with how long it took. 503 if one fails.
async fn all(State(health): State<Health>) -> Response {
    let checks = health.checks().await;
    let any = |status| checks.iter().any(|check| check.status == status);
    let (code, status) = match (any(CheckStatus::Fail), any(CheckStatus::Warn)) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
        (false, true) => (StatusCode::OK, "degraded"),
        (false, false) => (StatusCode::OK, "healthy"),
    };
    let checks: Vec<Value> = checks.iter().map(shown).collect();
    (code, Json(json!({"status": status, "checks": checks, "timestamp": timestamp()}))).into_response()
}

fn shown(check: &Check) -> Value {
    let Check { name, status, message, latency_ms } = check;
    json!({"name": name, "status": status, "message": message, "latencyMs": latency_ms})
}

async fn text(State(metrics): State<Metrics>) -> Response {
    ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], metrics.text()).into_response()
}
