//! The time of day, as answers show it.

use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

/// Now, as RFC 3339 in UTC: the form that the log has as well.
pub fn timestamp() -> String {
    let mut text = String::new();
    SystemTime.format_time(&mut Writer::new(&mut text)).expect("a string takes all text");
    text
}
