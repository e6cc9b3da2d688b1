//! What an administrator may order: that an event is never paid, that its coins are gone, that a halt is over, that a
//! quarantine ends, that a group need not wait for its predecessor.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use igra_core::{Ignored, Input, SessionView};
use igra_tx::EventKey;
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
    known(&api, event).await?;
    tracing::warn!(%event, by, "an administrator cancels an event");
    obey_for(&api, event, Input::Cancel { event, by }).await
}

/// Takes it upon himself that coins which the event's transactions spend, and the node does not show, never come back.
pub async fn coins_lost(
    caller: MayAdmin,
    State(api): State<Api>,
    Path(key): Path<String>,
    body: Bytes,
) -> Result<Json<EventAnswer>, ApiError> {
    let event = event_key(&key, "key")?;
    let reason = signed(&caller, &body)?;
    known(&api, event).await?;
    tracing::warn!(%event, reason, "an administrator gives up the missing coins of an event");
    obey_for(&api, event, Input::CoinsLost { event, reason }).await
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

async fn obey_for(api: &Api, event: EventKey, input: Input) -> Result<Json<EventAnswer>, ApiError> {
    api.door.order(input).await?.map_err(|why| idle(&why))?;
    Ok(Json(EventAnswer::new(known(api, event).await?, &api.identity)))
}

async fn known(api: &Api, event: EventKey) -> Result<SessionView, ApiError> {
    api.door.session(event).await?.ok_or_else(unknown_event)
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
