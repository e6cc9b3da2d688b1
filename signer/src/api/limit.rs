//! How often each client address may ask.

use std::{net::IpAddr, time::Duration};

use axum::{
    body::Body,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use governor::middleware::NoOpMiddleware;
use tower_governor::{
    GovernorError, GovernorLayer,
    governor::{GovernorConfigBuilder, SharedRateLimiter},
    key_extractor::PeerIpKeyExtractor,
};

use crate::{
    api::{RateLimit, error::ApiError},
    metrics::{LimitedAt, Metrics},
};

/// The limiter keeps every address it saw until it is told to forget.
const FORGET_EVERY: Duration = Duration::from_secs(60);

type Limiter = SharedRateLimiter<IpAddr, NoOpMiddleware>;

/// The layer, and the limiter behind it. The key is the address of the connection: headers can be forged.
pub fn layer(
    rate: RateLimit,
    metrics: Metrics,
) -> (Limiter, GovernorLayer<PeerIpKeyExtractor, NoOpMiddleware, Body>) {
    let period = (Duration::from_secs(1) / rate.per_second.get()).max(Duration::from_nanos(1));
    let config = GovernorConfigBuilder::default()
        .period(period)
        .burst_size(rate.burst.get())
        .finish()
        .expect("neither rate nor burst is 0");
    let limiter = config.limiter().clone();
    (limiter, GovernorLayer::new(config).error_handler(move |error| refuse(&error, &metrics)))
}

/// Forgets addresses that could ask at full rate anyway, for ever.
pub async fn forget_idle(limiter: Limiter) {
    let mut every = tokio::time::interval(FORGET_EVERY);
    loop {
        every.tick().await;
        limiter.retain_recent();
        limiter.shrink_to_fit();
    }
}

fn refuse(error: &GovernorError, metrics: &Metrics) -> Response {
    match error {
        GovernorError::TooManyRequests { wait_time, .. } => {
            metrics.rate_limited(LimitedAt::Api);
            // The wait is told in whole seconds, rounded down by the limiter.
            let wait_seconds = (wait_time + 1).to_string();
            ([(RETRY_AFTER, wait_seconds)], ApiError::of_status(StatusCode::TOO_MANY_REQUESTS))
                .into_response()
        }
        GovernorError::UnableToExtractKey | GovernorError::Other { .. } => {
            ApiError::of_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
    }
}
