//! Lines with the time since the start in front, so that every wait has a name and a length.

use std::fmt::Display;
use std::io::Write;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

static START: OnceLock<Instant> = OnceLock::new();

/// Starts the clock of the lines.
pub fn start() {
    START.get_or_init(Instant::now);
}

/// Prints one line with the seconds since the start.
pub fn say(text: impl Display) {
    let elapsed = START.get_or_init(Instant::now).elapsed().as_secs_f32();
    // `println!` would panic when nobody reads us any more, and cleaning up has to go on then.
    let _unread = writeln!(std::io::stdout(), "{elapsed:>7.1}s  {text}");
}

/// A length of time as people read it: `8.4s`, `12m05s`.
pub fn shown(length: Duration) -> String {
    let seconds = length.as_secs();
    if seconds < 60 {
        format!("{:.1}s", length.as_secs_f32())
    } else {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_seconds_then_minutes() {
        assert_eq!(shown(Duration::from_millis(8_400)), "8.4s");
        assert_eq!(shown(Duration::from_secs(725)), "12m05s");
    }
}
