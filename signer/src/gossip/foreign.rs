//! Datagrams on the gossip port that belong to no connection of a member. QUIC drops them in silence, so they are
//! counted by what is left over: all that the socket took, less those of the connections that were let in. Each
//! handshake and each end of a connection leaves a few behind as well, which QUIC counts under no connection.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use iroh::{
    endpoint::{Closed, Connection, WeakConnectionHandle},
    metrics::SocketMetrics,
};
use tokio::{sync::mpsc, time::interval};

use super::{GossipMetrics, metrics::Dropped};

/// Between two counts.
pub(super) const PERIOD: Duration = Duration::from_secs(5);

/// A connection that was let in; does not keep it open.
pub(super) struct Admitted {
    connection: WeakConnectionHandle,
    closed: BoxFuture<'static, Option<Closed>>,
}

impl Admitted {
    pub(super) fn of(connection: &Connection) -> Self {
        let connection = connection.weak_handle();
        let closed = Box::pin(connection.closed());
        Self { connection, closed }
    }
}

/// Counts until the edge stops.
pub(super) async fn count(
    socket: Arc<SocketMetrics>,
    mut admitted: mpsc::UnboundedReceiver<Admitted>,
    metrics: GossipMetrics,
) {
    let (mut ours, mut closing, mut foreign) = (Ours::default(), FuturesUnordered::new(), Foreign::default());
    let mut period = interval(PERIOD);
    for number in 0_u64.. {
        tokio::select! {
            connection = admitted.recv() => {
                let Some(Admitted { connection, closed }) = connection else { return };
                ours.open.insert(number, connection);
                closing.push(async move { (number, closed.await) });
            }
            Some((number, closed)) = closing.next() => {
                ours.open.remove(&number);
                ours.ended += closed.map_or(0, |closed| closed.stats.udp_rx.datagrams);
            }
            _ = period.tick() => {
                let left_over = socket.recv_datagrams.get().saturating_sub(ours.datagrams());
                metrics.dropped_many(Dropped::ForeignDatagram, foreign.more(left_over));
            }
        }
    }
}

/// The connections of members, and what came for them.
#[derive(Default)]
struct Ours {
    open: BTreeMap<u64, WeakConnectionHandle>,
    /// Datagrams of those that have ended.
    ended: u64,
}

impl Ours {
    fn datagrams(&self) -> u64 {
        let open = self.open.values().filter_map(WeakConnectionHandle::upgrade);
        open.map(|connection| connection.stats().udp_rx.datagrams).sum::<u64>() + self.ended
    }
}

/// What is foreign for certain: left over at two counts in a row. A handshake under way at the first has come to its
/// end by the second.
#[derive(Default)]
struct Foreign {
    before: u64,
    counted: u64,
}

impl Foreign {
    /// How many more than at the last count.
    fn more(&mut self, left_over: u64) -> u64 {
        let certain = left_over.min(self.before).max(self.counted);
        self.before = left_over;
        certain - std::mem::replace(&mut self.counted, certain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_over_twice_is_foreign_and_counted_once() {
        let mut foreign = Foreign::default();
        let counts = [(7, 0), (2, 2), (2, 0), (9, 0), (5, 3), (0, 0), (6, 0), (6, 1)];
        for (left_over, more) in counts {
            assert_eq!(foreign.more(left_over), more, "{left_over} left over");
        }
    }
}
