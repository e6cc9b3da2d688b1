//! Refusals: a status, a stable code, a sentence, and what a program needs to act on it.

use axum::{
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use igra_core::Denial;
use serde_json::{Map, Value, json};

use crate::node::NoAnswer;

/// What is wrong with an event that somebody sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEvent {
    /// Stable, from the source's own list.
    pub code: &'static str,
    pub field: Option<String>,
    pub message: String,
    /// Its evidence is larger than peers take.
    pub too_large: bool,
}

/// A refusal on its way out. The frame around all routes writes its body, because only the frame knows the request's id.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub details: Map<String, Value>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Map::new() }
    }

    /// A field of the request is wrong.
    pub fn bad_request(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message).with("field", field)
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// For answers of the libraries below, which have a status and no shape.
    pub fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "the path does not take this method"),
            StatusCode::REQUEST_TIMEOUT => ("timeout", "the request took too long"),
            StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "the body is larger than 1 MiB"),
            StatusCode::TOO_MANY_REQUESTS => ("rate_limited", "too many requests from this address"),
            StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "the signer cannot answer now"),
            status if status.is_client_error() => ("malformed_request", "the request cannot be read"),
            _ => ("internal", "the signer failed to answer"),
        };
        Self::new(status, code, message)
    }

    /// The body.
    pub fn body(self, timestamp: String, request_id: &str) -> Value {
        let Self { status: _, code, message, details } = self;
        json!({"code": code, "message": message, "timestamp": timestamp, "requestId": request_id, "details": details})
    }
}

impl From<BadEvent> for ApiError {
    fn from(bad: BadEvent) -> Self {
        let status = if bad.too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        let error = Self::new(status, bad.code, bad.message);
        match bad.field {
            Some(field) => error.with("field", field),
            None => error,
        }
    }
}

impl From<Denial> for ApiError {
    fn from(denial: Denial) -> Self {
        let Denial { code, rule, actual, allowed } = denial;
        let message = format!("denied by the policy's rule {rule}: it is {actual}, allowed is {allowed}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code.as_str(), message)
            .with("rule", rule)
            .with("actual", actual)
            .with("allowed", allowed)
    }
}

impl From<NoAnswer> for ApiError {
    fn from(error: NoAnswer) -> Self {
        let code = match error {
            NoAnswer::Busy => "busy",
            NoAnswer::Stopping => "stopping",
            NoAnswer::Late => "late",
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
