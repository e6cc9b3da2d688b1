//! A client of a signer's two HTTP ports, as far as a development network needs one.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use igra_group::Sompi;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(10);

/// Speaks to one signer.
#[derive(Clone, Debug)]
pub struct ApiClient {
    client: Client,
    api: String,
    admin: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl ApiClient {
    pub fn new(api: SocketAddr, admin: SocketAddr) -> Self {
        // The second client of a process finds the provider there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { client: Client::new(), api: format!("http://{api}"), admin: format!("http://{admin}") }
    }

    /// `http://host:port` of the API.
    pub fn url(&self) -> &str {
        &self.api
    }

    /// The body of a request to pay, without approvals.
    pub fn request(source: &str, id: &str, recipient: &str, amount: Sompi) -> Value {
        json!({ "source": source, "id": id, "recipient": recipient, "amountSompi": amount.0.to_string() })
    }

    /// `POST /v1/events`.
    pub async fn post_event(&self, body: &Value) -> anyhow::Result<Answer> {
        answer(self.client.post(format!("{}/v1/events", self.api)).json(body)).await
    }

    /// `GET /v1/events/{key}`.
    pub async fn event(&self, key: &str) -> anyhow::Result<Answer> {
        answer(self.client.get(format!("{}/v1/events/{key}", self.api))).await
    }

    /// `POST /v1/events/{key}/cancel`.
    pub async fn cancel(&self, key: &str, reason: &str) -> anyhow::Result<Answer> {
        let url = format!("{}/v1/events/{key}/cancel", self.api);
        answer(self.client.post(url).json(&json!({ "reason": reason }))).await
    }

    /// `GET /v1/group`.
    pub async fn group(&self) -> anyhow::Result<Answer> {
        answer(self.client.get(format!("{}/v1/group", self.api))).await
    }

    /// `GET /health/ready`; false as well where nobody answers.
    pub async fn is_ready(&self) -> bool {
        let ready = answer(self.client.get(format!("{}/health/ready", self.admin))).await;
        ready.is_ok_and(|answer| answer.status.is_success())
    }

    /// `GET /health`, as it is.
    pub async fn health(&self) -> anyhow::Result<Answer> {
        answer(self.client.get(format!("{}/health", self.admin))).await
    }

    /// `GET /metrics`: Prometheus text.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let request = self.client.get(format!("{}/metrics", self.admin)).timeout(LIMIT);
        Ok(request.send().await.context("could not read metrics")?.text().await?)
    }
}

async fn answer(request: RequestBuilder) -> anyhow::Result<Answer> {
    let response = request.timeout(LIMIT).send().await.context("the signer did not answer")?;
    let status = response.status();
    let text = response.text().await.context("the signer broke off its answer")?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer { status, body })
}
