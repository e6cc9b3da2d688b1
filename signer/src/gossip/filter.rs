//! What stands between the network and the loop: size, rate, and the same bytes by both ways.

use std::{
    collections::HashSet,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use igra_core::Input;
use igra_group::MemberIndex;
use tokio::sync::mpsc;

use super::{
    GossipMetrics, MAX_MESSAGE_BYTES,
    metrics::{Dropped, Path},
};

/// Messages a second from one member, and how many at once. A session of fifteen members is some hundred messages, and
/// at a door that takes a thousand events a second each is announced by itself. Opening one takes some 60 µs.
const MEMBER_RATE: (u32, u32) = (2_000, 8_000);
/// The same for all members together.
const TOTAL_RATE: (u32, u32) = (6_000, 24_000);

/// A message comes by stream and by gossip within moments; what comes again later is told to the core, which may have
/// a reason to listen now.
const SAME_MOMENT: Duration = Duration::from_secs(1);

/// Counts, limits, and hands on.
pub(super) struct Filter {
    inputs: mpsc::Sender<Input>,
    member: DefaultKeyedRateLimiter<MemberIndex>,
    total: DefaultDirectRateLimiter,
    recent: Mutex<Recent>,
    pub(super) metrics: GossipMetrics,
}

impl Filter {
    pub(super) fn new(inputs: mpsc::Sender<Input>, metrics: GossipMetrics) -> Self {
        Self {
            inputs,
            member: RateLimiter::keyed(quota(MEMBER_RATE)),
            total: RateLimiter::direct(quota(TOTAL_RATE)),
            recent: Mutex::default(),
            metrics,
        }
    }

    /// Takes a message of a stream. A member that sends too fast is made to wait, which its sender feels.
    pub(super) async fn stream(&self, from: MemberIndex, message: Vec<u8>) {
        self.metrics.received(Path::Stream);
        if self.member.check_key(&from).is_err() {
            self.metrics.limited();
            self.member.until_key_ready(&from).await;
        }
        self.total.until_ready().await;
        if self.is_new(digest(&message)) {
            // The loop is gone when nobody listens, and then so is the reason to say anything.
            let _ = self.inputs.send(Input::Received(message)).await;
        }
    }

    /// Takes a message of gossip, of which `from` is the last hop. Gossip cannot be made to wait, so too much is lost.
    pub(super) fn gossip(&self, from: MemberIndex, message: Vec<u8>) {
        self.metrics.received(Path::Gossip);
        if message.len() > MAX_MESSAGE_BYTES {
            return self.metrics.dropped(Dropped::Oversized);
        }
        if self.member.check_key(&from).is_err() || self.total.check().is_err() {
            self.metrics.limited();
            return self.metrics.dropped(Dropped::RateLimited);
        }
        let digest = digest(&message);
        if self.is_new(digest) && self.inputs.try_send(Input::Received(message)).is_err() {
            // The core has not seen it, so the same bytes by stream are news.
            self.recent.lock().unwrap_or_else(PoisonError::into_inner).forget(&digest);
            self.metrics.dropped(Dropped::QueueFull);
        }
    }

    fn is_new(&self, digest: [u8; 32]) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let new = recent.add(digest, Instant::now());
        if !new {
            self.metrics.dropped(Dropped::Repeated);
        }
        new
    }
}

fn digest(message: &[u8]) -> [u8; 32] {
    *blake3::hash(message).as_bytes()
}

fn quota((per_second, burst): (u32, u32)) -> Quota {
    let some = |count| NonZeroU32::new(count).expect("the rates above are not zero");
    Quota::per_second(some(per_second)).allow_burst(some(burst))
}

/// Digests of the last moment or two; the rate limits bound how many.
struct Recent {
    since: Instant,
    current: HashSet<[u8; 32]>,
    before: HashSet<[u8; 32]>,
}

impl Recent {
    /// Whether it was not there.
    fn add(&mut self, digest: [u8; 32], now: Instant) -> bool {
        let age = now.saturating_duration_since(self.since);
        if age >= SAME_MOMENT {
            self.before = std::mem::take(&mut self.current);
            self.since = now;
        }
        if age >= 2 * SAME_MOMENT {
            self.before.clear();
        }
        !self.before.contains(&digest) && self.current.insert(digest)
    }

    fn forget(&mut self, digest: &[u8; 32]) {
        self.current.remove(digest);
        self.before.remove(digest);
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self { since: Instant::now(), current: HashSet::new(), before: HashSet::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_count_once_in_a_moment_and_again_later() {
        let mut recent = Recent::default();
        let start = recent.since;
        assert!(recent.add([1; 32], start));
        assert!(!recent.add([1; 32], start + SAME_MOMENT));
        assert!(recent.add([2; 32], start + SAME_MOMENT));
        assert!(recent.add([1; 32], start + 3 * SAME_MOMENT));
    }

    #[test]
    fn a_member_that_floods_gossip_leaves_room_for_the_others() {
        let (inputs, mut received) = mpsc::channel(10_000);
        let filter = Filter::new(inputs, GossipMetrics::default());
        let flood = 2 * MEMBER_RATE.1;

        (0..flood).for_each(|number| filter.gossip(MemberIndex(1), number.to_be_bytes().to_vec()));
        filter.gossip(MemberIndex(2), b"heard".to_vec());

        let passed: Vec<_> = std::iter::from_fn(|| received.try_recv().ok()).collect();
        assert!(passed.len() < flood as usize);
        assert_eq!(passed.last(), Some(&Input::Received(b"heard".to_vec())));
    }

    #[tokio::test]
    async fn what_found_no_place_by_gossip_comes_through_by_stream() {
        let (inputs, mut received) = mpsc::channel(1);
        let filter = Filter::new(inputs, GossipMetrics::default());
        filter.gossip(MemberIndex(1), b"first".to_vec());
        filter.gossip(MemberIndex(1), b"second".to_vec());
        assert_eq!(received.recv().await, Some(Input::Received(b"first".to_vec())));

        filter.stream(MemberIndex(1), b"second".to_vec()).await;

        assert_eq!(received.try_recv(), Ok(Input::Received(b"second".to_vec())));
    }

    #[test]
    fn an_oversized_message_goes_no_further() {
        let (inputs, mut received) = mpsc::channel(1);
        let filter = Filter::new(inputs, GossipMetrics::default());
        filter.gossip(MemberIndex(1), vec![0; MAX_MESSAGE_BYTES + 1]);
        assert!(received.try_recv().is_err());
        assert_eq!(filter.metrics.drops(Dropped::Oversized), 1);
    }
}
