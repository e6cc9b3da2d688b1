//! Says what is being done, and how long it took, one line a step.

use std::{future::Future, time::Instant};

use anyhow::Result;

/// Prints the steps of one story with the time since it began.
pub struct Progress {
    began: Instant,
}

impl Progress {
    #[allow(clippy::new_without_default, reason = "a progress begins at a moment, which no default has")]
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// Seconds since the story began.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// A line of its own.
    pub fn say(&self, text: impl AsRef<str>) {
        println!("{:7.1}s  {}", self.seconds(), text.as_ref());
    }

    /// Runs one step; its line comes when it is done, with what it found.
    pub async fn step<T>(&self, name: &str, work: impl Future<Output = Result<(T, String)>>) -> Result<T> {
        let began = Instant::now();
        match work.await {
            Ok((value, found)) => {
                self.say(format!(
                    "✓ {name} ({:.1} s){}{found}",
                    began.elapsed().as_secs_f64(),
                    separator(&found)
                ));
                Ok(value)
            }
            Err(error) => {
                self.say(format!("✗ {name}"));
                Err(error.context(name.to_owned()))
            }
        }
    }
}

fn separator(found: &str) -> &'static str {
    if found.is_empty() { "" } else { ": " }
}
