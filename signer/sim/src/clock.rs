//! A wall clock that may be wrong.

use igra_core::UnixSeconds;

use crate::world::START_UTC;

/// What a signer's host takes for the time of day. Its monotonic clock is always right.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// Seconds ahead of true time.
    skew: i64,
    stands_at: Option<UnixSeconds>,
}

impl Clock {
    pub fn utc(&self, time_ms: u64) -> UnixSeconds {
        let shown = UnixSeconds((START_UTC + time_ms / 1_000).saturating_add_signed(self.skew));
        self.stands_at.unwrap_or(shown)
    }

    /// Somebody sets it.
    pub fn step(&mut self, seconds: i64) {
        self.skew += seconds;
    }

    pub fn stop(&mut self, time_ms: u64) {
        self.stands_at = Some(self.utc(time_ms));
    }

    pub fn run(&mut self) {
        self.stands_at = None;
    }
}
