//! Lines of progress, each with the time since the start.

use std::time::Instant;

/// Prints what happens, for people, to standard error: standard output is for results.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    start: Instant,
}

impl Progress {
    /// The clock starts now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub fn say(&self, line: impl AsRef<str>) {
        eprintln!("[{:6.2} s] {}", self.start.elapsed().as_secs_f64(), line.as_ref());
    }
}
