//! Times one thing again and again and says how long it took at the median, at the 95th and at the 99th percentile.

use std::time::{Duration, Instant};

/// Each thing is timed at most so often...
const MOST_RUNS: usize = 2_000;
/// ...and about so long.
const LONGEST: Duration = Duration::from_millis(400);
const WARM_UP: usize = 3;

/// Times something, and prints a line.
pub fn bench<T>(name: &str, mut run: impl FnMut() -> T) {
    for _ in 0..WARM_UP {
        std::hint::black_box(run());
    }
    let (mut times, begin) = (Vec::new(), Instant::now());
    while times.len() < MOST_RUNS && begin.elapsed() < LONGEST {
        let start = Instant::now();
        std::hint::black_box(run());
        times.push(start.elapsed());
    }
    report(name, times);
}

/// Prints the percentiles of times that were taken elsewhere.
pub fn report(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| {
        let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    println!("{name:<48}{:>12.1}{:>12.1}{:>12.1} µs  ({} runs)", at(50), at(95), at(99), times.len());
}

/// The head of the table.
pub fn head() {
    println!("{:<48}{:>12}{:>12}{:>12}", "", "p50", "p95", "p99");
}
