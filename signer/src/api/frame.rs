//! Around every route: a request id, one log line, and the one shape of refusals.

use std::time::Instant;

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    middleware::Next,
    response::Response,
};
use rand::{Rng, distributions::Alphanumeric, thread_rng};
use tracing::Instrument;

use crate::api::{error::ApiError, time::timestamp};

/// A client may choose its own id, to find it again in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_ID_BYTES: usize = 64;

/// The outermost layer. Bodies, queries and headers are never logged.
pub async fn frame(request: Request, next: Next) -> Response {
    let id = given_id(request.headers()).unwrap_or_else(new_id);
    let span = tracing::debug_span!("request", id, method = %request.method(), path = request.uri().path());
    let start = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let took_ms = start.elapsed().as_millis() as u64;
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), took_ms, "answered"));
    let mut response = shaped(response, &id);
    let id = HeaderValue::from_str(&id).expect("an id has visible ASCII characters only");
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fits = (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| id.to_owned())
}

fn new_id() -> String {
    thread_rng().sample_iter(Alphanumeric).take(16).map(char::from).collect()
}

/// Refusals of ours carry an [`ApiError`]; those of the libraries below have a status only. Both get their body here.
fn shaped(mut response: Response, id: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error,
        // Readiness answers with a body of its own.
        None if response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json") => {
            return response;
        }
        None => ApiError::of_status(status),
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(error.body(timestamp(), id).to_string()))
}
