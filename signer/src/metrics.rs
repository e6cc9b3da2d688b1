//! What the signer counts, for Prometheus. Labels come from our enums and never from input.
//!
//! The loop hands every step's notes, alarms and ignored inputs to [`Metrics`]; edges set their own gauges, and the
//! chain edge registers its own in [`Metrics::registry`].

mod build;
mod phases;

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use igra_core::{Alarm, DenialCode, Ignored, Note};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use self::{
    build::{counter, counters, gauge, histogram},
    phases::Phases,
};

/// Counters, gauges and histograms of one signer. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    proposals: IntCounter,
    proposals_accepted: IntCounter,
    proposals_rejected: IntCounterVec,
    signatures_created: IntCounter,
    transactions_finalized: IntCounter,
    errors: IntCounterVec,
    events: IntCounterVec,
    refusals: IntCounterVec,
    ignored_messages: IntCounterVec,
    alarms: IntCounterVec,
    rate_limited: IntCounterVec,
    view: IntGauge,
    phases: Arc<Mutex<Phases>>,
    /// Sessions that are not closed.
    pub active_sessions: IntGauge,
    /// Questions to the loop that wait.
    pub pending_requests: IntGauge,
    pub held_events: IntGauge,
    /// 1 once the signer has stopped after an alarm.
    pub stopped: IntGauge,
    /// 1 while the signer is quarantined.
    pub quarantined: IntGauge,
    pub storage_size_bytes: IntGauge,
    pub peers_connected: IntGauge,
    pub wallet_sompi: IntGauge,
    pub wallet_utxos: IntGauge,
    /// In seconds, from a proposal's arrival to the verdict on it.
    pub proposal_validation: Histogram,
    /// In seconds, for all inputs of a proposal.
    pub signature_creation: Histogram,
    /// In seconds, for one synced batch.
    pub storage_commit: Histogram,
}

/// What went wrong in an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    Storage,
    Node,
    Gossip,
    Api,
    Keys,
    Config,
}

/// What became of an event at this signer's own doors, or from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOutcome {
    Taken,
    /// Known already, with the same payload.
    Same,
    /// Known already, with another payload.
    Replayed,
    Denied,
    Held,
    /// Its evidence or its form proves nothing.
    Invalid,
    Expired,
}

/// Where somebody was told to slow down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedAt {
    Api,
    Gossip,
}

/// The one kind of source so far; names of sources come from the policy and are no labels.
const SOURCE: &str = "request";

impl Metrics {
    pub fn new() -> Self {
        let registry = Registry::new();
        let r = &registry;
        let build_info = gauge(
            r,
            Opts::new("build_info", "1, with the version as label.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        );
        build_info.set(1);
        let metrics = Self {
            proposals: counter(r, "proposals_total", "Proposals made by this signer."),
            proposals_accepted: counter(
                r,
                "proposals_accepted_total",
                "Proposals that this signer approved.",
            ),
            proposals_rejected: counters(
                r,
                "proposals_rejected_total",
                "Proposals that this signer refused.",
                &["reason"],
            ),
            signatures_created: counter(r, "signatures_created_total", "Partials made by this signer."),
            transactions_finalized: counter(
                r,
                "transactions_finalized_total",
                "Transactions of the group seen final.",
            ),
            errors: counters(r, "errors_total", "What went wrong in an edge.", &["kind"]),
            events: counters(r, "events_total", "Events by what became of them.", &["source", "outcome"]),
            refusals: counters(r, "refusals_total", "Events that the policy denied or held.", &["code"]),
            ignored_messages: counters(r, "ignored_messages_total", "Inputs without effect.", &["reason"]),
            alarms: counters(r, "alarms_total", "Invariants seen broken.", &["kind"]),
            rate_limited: counters(r, "rate_limited_total", "Callers told to slow down.", &["where"]),
            view: gauge(r, Opts::new("view", "The current view.")),
            phases: Arc::new(Mutex::new(Phases::new(r))),
            active_sessions: gauge(r, Opts::new("active_sessions", "Sessions that are not closed.")),
            pending_requests: gauge(r, Opts::new("pending_requests", "Questions to the loop that wait.")),
            held_events: gauge(r, Opts::new("held_events", "Events that the policy holds.")),
            stopped: gauge(r, Opts::new("stopped", "1 once the signer has stopped after an alarm.")),
            quarantined: gauge(r, Opts::new("quarantined", "1 while the signer is quarantined.")),
            storage_size_bytes: gauge(r, Opts::new("storage_size_bytes", "Bytes of the store on disk.")),
            peers_connected: gauge(
                r,
                Opts::new("peers_connected", "Members of the group that are connected."),
            ),
            wallet_sompi: gauge(r, Opts::new("wallet_sompi", "The group's coins, in sompi.")),
            wallet_utxos: gauge(r, Opts::new("wallet_utxos", "The group's coins, counted.")),
            proposal_validation: histogram(
                r,
                "proposal_validation_duration_seconds",
                "From a proposal to the verdict on it.",
            ),
            signature_creation: histogram(
                r,
                "signature_creation_duration_seconds",
                "Signing all inputs of a proposal.",
            ),
            storage_commit: histogram(r, "storage_commit_duration_seconds", "Writing one batch."),
            registry,
        };
        metrics.start_at_zero();
        metrics
    }

    /// Series that rates and alerts are made of are there before the first count.
    fn start_at_zero(&self) {
        let zero = |counters: &IntCounterVec, labels: &[&str]| counters.with_label_values(labels).reset();
        EventOutcome::ALL.iter().for_each(|outcome| zero(&self.events, &[SOURCE, outcome.as_str()]));
        ErrorKind::ALL.iter().for_each(|kind| zero(&self.errors, &[kind.as_str()]));
        LimitedAt::ALL.iter().for_each(|at| zero(&self.rate_limited, &[at.as_str()]));
        DenialCode::ALL.iter().for_each(|code| zero(&self.refusals, &[code.as_str()]));
    }

    /// For edges that count more than stands here.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Everything in Prometheus' text format.
    pub fn text(&self) -> String {
        let encoded = TextEncoder::new().encode_to_string(&self.registry.gather());
        encoded.expect("every family has a name and at least one metric")
    }

    pub fn error(&self, kind: ErrorKind) {
        self.errors.with_label_values(&[kind.as_str()]).inc();
    }

    pub fn event(&self, outcome: EventOutcome) {
        self.events.with_label_values(&[SOURCE, outcome.as_str()]).inc();
    }

    pub fn ignored(&self, reason: &Ignored) {
        self.ignored_messages.with_label_values(&[reason.as_str()]).inc();
    }

    pub fn alarm(&self, alarm: &Alarm) {
        self.alarms.with_label_values(&[alarm.as_str()]).inc();
    }

    pub fn rate_limited(&self, at: LimitedAt) {
        self.rate_limited.with_label_values(&[at.as_str()]).inc();
    }

    /// Counts a fact that the core noted, and how long its events took to come so far.
    pub fn note(&self, note: &Note) {
        self.phases.lock().expect("nothing panics while it holds the phases").note(note, Instant::now());
        match note {
            Note::EventTaken { .. } => self.event(EventOutcome::Taken),
            Note::EventDenied { denial, .. } => {
                self.event(EventOutcome::Denied);
                self.refusals.with_label_values(&[denial.code.as_str()]).inc();
            }
            Note::EventHeld { denial, .. } => {
                self.event(EventOutcome::Held);
                self.refusals.with_label_values(&[denial.code.as_str()]).inc();
            }
            Note::EvidenceRejected { .. } => self.event(EventOutcome::Invalid),
            Note::Expired { .. } => self.event(EventOutcome::Expired),
            Note::Proposed { .. } => self.proposals.inc(),
            Note::Refused { code, .. } => self.proposals_rejected.with_label_values(&[code.as_str()]).inc(),
            Note::Approved { .. } => self.proposals_accepted.inc(),
            Note::PartialMade { .. } => self.signatures_created.inc(),
            Note::Final { .. } => self.transactions_finalized.inc(),
            Note::ViewMoved { view, .. } => self.view.set(i64::try_from(*view).unwrap_or(i64::MAX)),
            Note::DraftFailed { .. }
            | Note::PeerRefused { .. }
            | Note::PeerApproved { .. }
            | Note::Certified { .. }
            | Note::Assembled { .. }
            | Note::Submitted { .. }
            | Note::Accepted { .. }
            | Note::Reorganised { .. }
            | Note::Settled { .. }
            | Note::Deposited { .. }
            | Note::Dead { .. }
            | Note::PolicyChanged { .. }
            | Note::Quarantined { .. }
            | Note::TagDrawn { .. }
            | Note::GapClosed { .. }
            | Note::QuarantineLeft
            | Note::PaymentsEnded
            | Note::PredecessorMoved
            | Note::Halted { .. }
            | Note::Intervened(_)
            | Note::Closed { .. }
            | Note::Cancelled { .. } => {}
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl ErrorKind {
    const ALL: [Self; 6] = [Self::Storage, Self::Node, Self::Gossip, Self::Api, Self::Keys, Self::Config];

    fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Node => "node",
            Self::Gossip => "gossip",
            Self::Api => "api",
            Self::Keys => "keys",
            Self::Config => "config",
        }
    }
}

impl EventOutcome {
    const ALL: [Self; 7] =
        [Self::Taken, Self::Same, Self::Replayed, Self::Denied, Self::Held, Self::Invalid, Self::Expired];

    fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Same => "same",
            Self::Replayed => "replayed",
            Self::Denied => "denied",
            Self::Held => "held",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
        }
    }
}

impl LimitedAt {
    const ALL: [Self; 2] = [Self::Api, Self::Gossip];

    fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Gossip => "gossip",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use igra_tx::{EventKey, TransactionId};

    #[test]
    fn the_text_names_what_was_counted() {
        let metrics = Metrics::new();
        let event = EventKey::from_bytes([1; 32]);
        metrics.alarm(&Alarm::Replayed { event, from: None });
        metrics.note(&Note::Final { events: vec![event], transaction: TransactionId::from_bytes([2; 32]) });
        metrics.clone().rate_limited(LimitedAt::Api);

        let text = metrics.text();

        for line in [
            "igra_alarms_total{kind=\"replayed\"} 1",
            "igra_transactions_finalized_total 1",
            "igra_rate_limited_total{where=\"api\"} 1",
            concat!("igra_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn refusals_are_there_before_the_first_one() {
        let text = Metrics::new().text();
        for code in DenialCode::ALL {
            assert!(text.contains(&format!("igra_refusals_total{{code=\"{}\"}} 0", code.as_str())), "{text}");
        }
    }

    #[test]
    fn another_edge_may_register_its_own() {
        let metrics = Metrics::new();
        let own = prometheus::IntGauge::new("igra_other", "Other.").unwrap();
        metrics.registry().register(Box::new(own)).unwrap();
        assert!(metrics.text().contains("igra_other 0"));
    }
}
