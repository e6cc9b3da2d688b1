//! What the gossip edge counts.

use prometheus::{IntCounterVec, Opts};

use crate::metrics::{LimitedAt, Metrics};

/// Counters of the gossip edge. Clones count together.
#[derive(Clone)]
pub struct GossipMetrics {
    received: IntCounterVec,
    dropped: IntCounterVec,
    signer: Metrics,
}

/// The two ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Gossip,
    Stream,
}

/// Why something went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// More bytes than a message may have.
    Oversized,
    /// Came by the other way a moment ago.
    Repeated,
    /// More messages than a member may send.
    RateLimited,
    /// The queue it should have gone into was full.
    QueueFull,
    /// The connection broke before it was sent.
    Unsent,
    /// A connection of nobody in the group.
    Stranger,
    /// A datagram that belongs to no connection of a member.
    ForeignDatagram,
    /// A stream that did not end, or was reset.
    Broken,
    /// What iroh-gossip lost.
    Lagged,
}

impl GossipMetrics {
    /// Registers its own beside the signer's; to be called once for a signer.
    pub fn register(signer: &Metrics) -> prometheus::Result<Self> {
        let received =
            Opts::new("igra_gossip_received_total", "Messages that came in, by the way they took.");
        let dropped =
            Opts::new("igra_gossip_dropped_total", "Messages and connections that went no further.");
        let (received, dropped) =
            (IntCounterVec::new(received, &["path"])?, IntCounterVec::new(dropped, &["reason"])?);
        signer.registry().register(Box::new(received.clone()))?;
        signer.registry().register(Box::new(dropped.clone()))?;
        Ok(Self { received, dropped, signer: signer.clone() })
    }

    pub(super) fn received(&self, path: Path) {
        self.received.with_label_values(&[path.label()]).inc();
    }

    pub(super) fn dropped(&self, reason: Dropped) {
        self.dropped_many(reason, 1);
    }

    pub(super) fn dropped_many(&self, reason: Dropped, count: u64) {
        self.dropped.with_label_values(&[reason.label()]).inc_by(count);
    }

    pub(super) fn limited(&self) {
        self.signer.rate_limited(LimitedAt::Gossip);
    }

    #[cfg(test)]
    pub(super) fn count(&self, path: Path) -> u64 {
        self.received.with_label_values(&[path.label()]).get()
    }

    #[cfg(test)]
    pub(super) fn drops(&self, reason: Dropped) -> u64 {
        self.dropped.with_label_values(&[reason.label()]).get()
    }
}

impl Default for GossipMetrics {
    /// Counts for nobody.
    fn default() -> Self {
        Self::register(&Metrics::new()).expect("a fresh registry has no names taken")
    }
}

impl Path {
    fn label(self) -> &'static str {
        match self {
            Self::Gossip => "gossip",
            Self::Stream => "stream",
        }
    }
}

impl Dropped {
    fn label(self) -> &'static str {
        match self {
            Self::Oversized => "oversized",
            Self::Repeated => "repeated",
            Self::RateLimited => "rate_limited",
            Self::QueueFull => "queue_full",
            Self::Unsent => "unsent",
            Self::Stranger => "stranger",
            Self::ForeignDatagram => "foreign_datagram",
            Self::Broken => "broken",
            Self::Lagged => "lagged",
        }
    }
}
