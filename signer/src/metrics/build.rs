//! Makes and registers metrics with our prefix and our buckets.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    core::Collector,
};

const PREFIX: &str = "igra";

/// 1 ms to 10 s, in seconds: enough to show the goals of a payment between machines that stand side by side.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

pub fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    registered(registry, IntCounter::with_opts(Opts::new(name, help).namespace(PREFIX)))
}

pub fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help).namespace(PREFIX), labels))
}

pub fn gauge(registry: &Registry, opts: Opts) -> IntGauge {
    registered(registry, IntGauge::with_opts(opts.namespace(PREFIX)))
}

pub fn histogram(registry: &Registry, name: &str, help: &str) -> Histogram {
    registered(registry, Histogram::with_opts(histogram_opts(name, help)))
}

pub fn histograms(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    registered(registry, HistogramVec::new(histogram_opts(name, help), labels))
}

fn histogram_opts(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help).namespace(PREFIX).buckets(BUCKETS.to_vec())
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let metric = made.expect("names and labels are written here, and fit Prometheus");
    registry.register(Box::new(metric.clone())).expect("each name is registered once");
    metric
}
