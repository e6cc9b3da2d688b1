//! Waits for something outside to become true, by asking again until a deadline.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const PAUSE: Duration = Duration::from_millis(200);

/// Asks until the answer is `Ok(Some(…))`; past the deadline fails with the last answer's reason.
///
/// `look` answers `Ok(Err(why not yet))` while it waits, and `Err` when waiting longer makes no sense.
pub async fn until<T>(
    what: &str,
    seconds: u64,
    mut look: impl AsyncFnMut() -> Result<Result<T, String>>,
) -> Result<T> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        let why = match look().await? {
            Ok(value) => return Ok(value),
            Err(why) => why,
        };
        if Instant::now() > deadline {
            bail!("{what}: not within {seconds} s; at last: {why}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
