//! `igra_operator_*`. Labels come from our own enums.

use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};

use crate::{Class, build::Kind};

pub(crate) struct Metrics {
    registry: Registry,
    pub reconciles: IntCounter,
    pub duration: Histogram,
    errors: IntCounterVec,
    writes: IntCounterVec,
    pub status_writes: IntCounter,
    watch_errors: IntCounterVec,
}

impl Metrics {
    pub fn new() -> Self {
        let opts = |name: &str, help: &str| Opts::new(format!("igra_operator_{name}"), help);
        let count = |name: &str, help: &str| IntCounter::with_opts(opts(name, help)).expect(STATIC);
        let counts = |name: &str, help: &str, label: &str| {
            IntCounterVec::new(opts(name, help), &[label]).expect(STATIC)
        };
        let metrics = Self {
            registry: Registry::new(),
            reconciles: count("reconciles_total", "Groups looked at"),
            duration: Histogram::with_opts(HistogramOpts::new(
                "igra_operator_reconcile_duration_seconds",
                "One look at one group",
            ))
            .expect(STATIC),
            errors: counts("errors_total", "Failed reconciles", "class"),
            writes: counts("writes_total", "Objects written or deleted", "kind"),
            status_writes: count("status_writes_total", "Statuses written"),
            watch_errors: counts("watch_errors_total", "Watches that broke and were started again", "kind"),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let Self { registry, reconciles, duration, errors, writes, status_writes, watch_errors } = self;
        let collectors: [Box<dyn prometheus::core::Collector>; 6] = [
            Box::new(reconciles.clone()),
            Box::new(duration.clone()),
            Box::new(errors.clone()),
            Box::new(writes.clone()),
            Box::new(status_writes.clone()),
            Box::new(watch_errors.clone()),
        ];
        for collector in collectors {
            registry.register(collector).expect(STATIC);
        }
        for class in Class::ALL {
            errors.with_label_values(&[class.as_str()]);
        }
        for kind in Kind::ALL {
            writes.with_label_values(&[kind.as_str()]);
        }
    }

    pub fn error(&self, class: Class) {
        self.errors.with_label_values(&[class.as_str()]).inc();
    }

    pub fn write(&self, kind: Kind) {
        self.writes.with_label_values(&[kind.as_str()]).inc();
    }

    pub fn watch_error(&self, kind: &'static str) {
        self.watch_errors.with_label_values(&[kind]).inc();
    }

    /// Prometheus text.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        // Fails only where a family has no metrics, and such a one is never gathered.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

const STATIC: &str = "names of metrics are fixed and differ";
