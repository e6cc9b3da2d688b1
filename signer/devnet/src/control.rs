//! The control interface of `igra-devnet node`: HTTP with JSON bodies, for demos and tests in other processes.
//!
//! `POST /mine {"blocks": 5}`, `POST /fund {"address": "kaspasim:…", "amountKas": "100"}`, `POST /reorg {"depth": 3}`,
//! `GET /utxos?address=…`, `GET /transaction?id=…`, `GET /state`. Errors are `{"error": "…"}`, status 400 for what the
//! caller got wrong and 500 for what the node did.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::{Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use igra_group::Sompi;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::Node;

/// A running control interface.
pub struct Control {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mine {
    blocks: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fund {
    address: String,
    /// A decimal number in quotes.
    amount_kas: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reorg {
    depth: usize,
}

#[derive(Deserialize)]
struct AtAddress {
    address: String,
}

#[derive(Deserialize)]
struct ById {
    id: String,
}

type Outcome = Result<Json<Value>, Failure>;

/// A request that came to nothing.
struct Failure(StatusCode, String);

impl Control {
    /// Serves a node's control interface on an address; port 0 takes a free one.
    pub async fn serve(node: Arc<Node>, listen: SocketAddr) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("could not listen on {listen}"))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let stopping = async {
            // A sender that is gone means the same as one that spoke.
            let _ = stopped.await;
        };
        let server = axum::serve(listener, router(node)).with_graceful_shutdown(stopping);
        Ok(Self { address, stop, server: tokio::spawn(server.into_future()) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Finishes the requests in hand and lets go of the node.
    pub async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.server.await.context("the control interface broke down")??;
        Ok(())
    }
}

fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/mine", post(mine))
        .route("/fund", post(fund))
        .route("/reorg", post(reorg))
        .route("/utxos", get(utxos))
        .route("/transaction", get(transaction))
        .route("/state", get(state))
        .with_state(node)
}

async fn mine(State(node): State<Arc<Node>>, body: Result<Json<Mine>, JsonRejection>) -> Outcome {
    let Json(mine) = body?;
    node.mine(mine.blocks).await.map_err(of_node)?;
    state(State(node)).await
}

async fn fund(State(node): State<Arc<Node>>, body: Result<Json<Fund>, JsonRejection>) -> Outcome {
    let Json(fund) = body?;
    let amount = Sompi::from_kas(&fund.amount_kas).map_err(|error| of_caller(error.to_string()))?;
    let transaction = node.fund(&fund.address, amount).await.map_err(of_node)?;
    Ok(Json(json!({ "transaction": transaction })))
}

async fn reorg(State(node): State<Arc<Node>>, body: Result<Json<Reorg>, JsonRejection>) -> Outcome {
    let Json(reorg) = body?;
    let done = node.reorg(reorg.depth, &[]).await.map_err(of_node)?;
    Ok(Json(json!(done)))
}

async fn utxos(State(node): State<Arc<Node>>, Query(at): Query<AtAddress>) -> Outcome {
    let coins = node.utxos(&at.address).await.map_err(of_node)?;
    Ok(Json(json!({ "utxos": coins })))
}

async fn transaction(State(node): State<Arc<Node>>, Query(by): Query<ById>) -> Outcome {
    Ok(Json(json!(node.transaction(&by.id).await.map_err(of_node)?)))
}

async fn state(State(node): State<Arc<Node>>) -> Outcome {
    Ok(Json(json!(node.state().await.map_err(of_node)?)))
}

fn of_caller(text: String) -> Failure {
    Failure(StatusCode::BAD_REQUEST, text)
}

fn of_node(error: anyhow::Error) -> Failure {
    Failure(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}
