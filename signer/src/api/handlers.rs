//! The routes of the API.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use igra_core::{Intake, SessionState, SessionView};
use igra_tx::{EventKey, PayloadHash};
use serde::Deserialize;

use crate::{
    api::{
        Api,
        answers::{EventAnswer, GroupAnswer, Identity, Page, Receipt, legible},
        auth::{MayRead, MaySubmit},
        error::ApiError,
    },
    metrics::EventOutcome,
};

const DEFAULT_PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;

/// Takes an event. Sending the same one again is harmless and tells where it stands.
pub async fn submit(caller: MaySubmit, State(api): State<Api>, body: Bytes) -> Result<Response, ApiError> {
    let event = (api.verify)(&body).inspect_err(|_| api.metrics.event(EventOutcome::Invalid))?;
    if api.door.group().await?.stopped {
        let message = "the signer has stopped after an alarm and takes no events";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopped", message));
    }
    let key = event.payment.event;
    let recipient = event.payment.recipient.to_address(api.identity.network);
    match api.door.submit(event).await? {
        Intake::New => {
            tracing::info!(event = %key, caller = caller.caller, "a client sent an event");
            // It may be held, or on its way already.
            let state = api.door.session(key).await?.map_or(SessionState::Verified, |session| session.state);
            Ok(receipt(StatusCode::ACCEPTED, key, state))
        }
        Intake::Same(state) => {
            api.metrics.event(EventOutcome::Same);
            Ok(receipt(StatusCode::OK, key, state))
        }
        Intake::Final(transaction) => {
            api.metrics.event(EventOutcome::Same);
            let state = api.door.session(key).await?.map_or(SessionState::Paid, |session| session.state);
            Ok((StatusCode::OK, Json(Receipt { event: key, state, transaction: Some(transaction) }))
                .into_response())
        }
        Intake::Replayed { first } => {
            api.metrics.event(EventOutcome::Replayed);
            tracing::warn!(event = %key, caller = caller.caller, "the same event came with another payload");
            Err(replayed(key, first, api.door.session(key).await?))
        }
        Intake::Denied(denial) => {
            tracing::info!(event = %key, caller = caller.caller, code = denial.code.as_str(), "a client sent an event that is denied");
            Err(ApiError::from(legible(denial, recipient.as_deref())).with("event", key.to_string()))
        }
    }
}

fn receipt(status: StatusCode, event: EventKey, state: SessionState) -> Response {
    (status, Json(Receipt { event, state, transaction: None })).into_response()
}

fn replayed(key: EventKey, first: PayloadHash, session: Option<SessionView>) -> ApiError {
    let message = "an event with this id and another payload came first; it stays as it was";
    let error = ApiError::new(StatusCode::CONFLICT, "event_replayed", message)
        .with("event", key.to_string())
        .with("firstPayload", first.to_string());
    match session.and_then(|session| session.first_seen) {
        Some(first_seen) => error.with("firstSeen", first_seen.0),
        None => error,
    }
}

pub async fn event(
    _: MayRead,
    State(api): State<Api>,
    Path(key): Path<String>,
) -> Result<Json<EventAnswer>, ApiError> {
    let key = event_key(&key, "key")?;
    let session = api.door.session(key).await?.ok_or_else(unknown_event)?;
    Ok(Json(EventAnswer::new(session, &api.identity)))
}

/// The query of `GET /v1/events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    after: Option<String>,
    limit: Option<usize>,
}

/// Events in order of their keys.
pub async fn list(
    _: MayRead,
    State(api): State<Api>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    let Query(query) = query.map_err(|_| {
        let message = format!("a page is asked for by after=KEY and limit=N, N up to {LARGEST_PAGE}");
        ApiError::new(StatusCode::BAD_REQUEST, "malformed_request", message)
    })?;
    let after = query.after.map(|key| event_key(&key, "after")).transpose()?;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        let message = format!("a page has from 1 to {LARGEST_PAGE} events");
        return Err(ApiError::bad_request("malformed_request", "limit", message));
    }
    // One more than wanted tells whether there is a next page.
    let mut sessions = api.door.sessions(after, limit + 1).await?;
    let more = sessions.len() > limit;
    sessions.truncate(limit);
    let next = sessions.last().filter(|_| more).map(|session| session.event);
    let events = sessions.into_iter().map(|session| EventAnswer::new(session, &api.identity)).collect();
    Ok(Json(Page { events, next }))
}

pub async fn group(_: MayRead, State(api): State<Api>) -> Result<Json<GroupAnswer>, ApiError> {
    Ok(Json(GroupAnswer::new(api.door.group().await?, &api.identity)))
}

pub async fn identity(_: MayRead, State(api): State<Api>) -> Json<Identity> {
    Json((*api.identity).clone())
}

pub(super) fn unknown_event() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "unknown_event", "no event has this key here")
}

pub(super) fn event_key(text: &str, field: &str) -> Result<EventKey, ApiError> {
    let bad = |_| ApiError::bad_request("malformed_request", field, "an event key has 64 digits of hex");
    text.parse().map_err(bad)
}
