//! A signer's HTTP API as a client sees it.

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{fleet::TOKEN, forward::Forward, wait::until};

/// An HTTP client that never waits for ever.
pub fn http_client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?)
}

/// A client of one signer, or of any signer behind the group's Service.
pub struct Api {
    forward: Forward,
    http: reqwest::Client,
}

/// A payment to ask for.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    pub id: &'a str,
    pub recipient: &'a str,
    pub sompi: u64,
}

impl Ask<'_> {
    /// The body of `POST /v1/events`.
    pub fn body(&self) -> Value {
        json!({
            "source": "treasury-api",
            "id": self.id,
            "recipient": self.recipient,
            "amountSompi": self.sompi.to_string(),
        })
    }
}

impl Api {
    pub fn new(forward: Forward) -> Result<Self> {
        Ok(Self { forward, http: http_client()? })
    }

    /// Sends an event; gives status and answer as they are.
    pub async fn send(&self, ask: &Ask<'_>) -> Result<(StatusCode, Value)> {
        self.post(&ask.body().to_string(), Some(TOKEN)).await
    }

    /// Sends any bytes with any token.
    pub async fn post(&self, body: &str, token: Option<&str>) -> Result<(StatusCode, Value)> {
        let url = format!("{}/v1/events", self.forward.url());
        let mut request =
            self.http.post(url).header("content-type", "application/json").body(body.to_owned());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        let value = serde_json::from_str(&text).with_context(|| format!("{status} without JSON: {text}"))?;
        Ok((status, value))
    }

    /// One event's session, or `None` if this signer does not know it.
    pub async fn event(&self, key: &str) -> Result<Option<Value>> {
        let url = format!("{}/v1/events/{key}", self.forward.url());
        let answer = self.http.get(url).bearer_auth(TOKEN).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer.error_for_status()?.json().await?))
    }

    /// Waits until an event is in one of these states; gives its session.
    pub async fn event_in(&self, key: &str, states: &[&str], seconds: u64) -> Result<Value> {
        until(&format!("event {key} is {}", states.join(" or ")), seconds, async || {
            let session = match self.event(key).await {
                Ok(Some(session)) => session,
                Ok(None) => return Ok(Err("the signer does not know it".to_owned())),
                Err(error) => return Ok(Err(format!("{error:#}"))),
            };
            let state = session["state"].as_str().unwrap_or_default();
            Ok(if states.contains(&state) { Ok(session) } else { Err(session.to_string()) })
        })
        .await
    }
}
