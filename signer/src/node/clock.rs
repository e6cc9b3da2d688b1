//! The two clocks that the core is told, read in one place.

use std::time::{Instant, UNIX_EPOCH};

use igra_core::{Millis, Now, UnixSeconds};

/// Counts from its making.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now() }
    }

    pub(super) fn now(&self) -> Now {
        let monotonic = Millis(self.start.elapsed().as_millis() as u64);
        // A clock before 1970 is as good as none; deadlines then are far away.
        Now { monotonic, utc: UnixSeconds(UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())) }
    }

    /// When a deadline of the core comes.
    pub(super) fn at(&self, deadline: Millis) -> tokio::time::Instant {
        (self.start + std::time::Duration::from_millis(deadline.0)).into()
    }
}
