//! What an administrator may order: that an event is never paid, that a halt is over, that a quarantine ends, that a
//! group need not wait for its predecessor.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use igra_core::{Ignored, Input};
use serde::Deserialize;

use crate::api::{
    Api,
    answers::{EventAnswer, GroupAnswer},
    auth::MayAdmin,
    error::ApiError,
    handlers::{event_key, unknown_event},
};

/// Longest reason, in bytes.
const LONGEST_REASON: usize = 500;

/// The body of an order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    reason: String,
}

/// Asks that an event is never paid. It ends as expired, cancelled or void; or as paid, where it is too late.
pub async fn cancel(
    caller: MayAdmin,
    State(api): State<Api>,
    Path(key): Path<String>,
    body: Bytes,
) -> Result<Json<EventAnswer>, ApiError> {
    let event = event_key(&key, "key")?;
    let by = signed(&caller, &body)?;
    api.door.session(event).await?.ok_or_else(unknown_event)?;
    tracing::warn!(%event, by, "an administrator cancels an event");
    api.door.order(Input::Cancel { event, by }).await?.map_err(|why| idle(&why))?;
    let session = api.door.session(event).await?.ok_or_else(unknown_event)?;
    Ok(Json(EventAnswer::new(session, &api.identity)))
}

/// Says that the cause of a halt is gone.
pub async fn clear_halt(
    caller: MayAdmin,
    State(api): State<Api>,
    body: Bytes,
) -> Result<Json<GroupAnswer>, ApiError> {
    let reason = signed(&caller, &body)?;
    obey(&api, Input::ClearHalt { reason }).await
}

/// Takes it upon himself that the signer's records are whole.
pub async fn release_quarantine(
    caller: MayAdmin,
    State(api): State<Api>,
    body: Bytes,
) -> Result<Json<GroupAnswer>, ApiError> {
    let reason = signed(&caller, &body)?;
    obey(&api, Input::ReleaseQuarantine { reason }).await
}

/// Takes it upon himself that the predecessor pays nothing more, and that what it paid is known here.
pub async fn release_predecessor(
    caller: MayAdmin,
    State(api): State<Api>,
    body: Bytes,
) -> Result<Json<GroupAnswer>, ApiError> {
    let reason = signed(&caller, &body)?;
    obey(&api, Input::ReleasePredecessor { reason }).await
}

async fn obey(api: &Api, input: Input) -> Result<Json<GroupAnswer>, ApiError> {
    api.door.order(input).await?.map_err(|why| idle(&why))?;
    Ok(Json(GroupAnswer::new(api.door.group().await?, &api.identity)))
}

/// The reason, behind the name of whoever gives it.
fn signed(caller: &MayAdmin, body: &[u8]) -> Result<String, ApiError> {
    let bad = |message: &str| ApiError::bad_request("reason_missing", "reason", message);
    let order: Order =
        serde_json::from_slice(body).map_err(|_| bad("the body is {\"reason\": \"…\"} and nothing else"))?;
    let reason = order.reason.trim();
    if reason.is_empty() || reason.len() > LONGEST_REASON {
        return Err(bad("a reason of 1 to 500 bytes is kept for those who come later"));
    }
    Ok(match &caller.caller {
        Some(name) => format!("{name}: {reason}"),
        None => reason.to_owned(),
    })
}

fn idle(why: &Ignored) -> ApiError {
    let message = "there is nothing that this would change";
    ApiError::new(StatusCode::CONFLICT, "nothing_to_do", message).with("why", why.as_str())
}
