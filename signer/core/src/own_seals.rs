//! Messages under the own seal: echoes of what this process sent, signs of a store that went back in time, or a second
//! live copy of this signer.

use std::collections::BTreeMap;

use igra_group::tagged_hash;

use crate::{
    Alarm, Coordinator, Ignored, MessageKind, QuarantineCause, Row, Step,
    messages::{Approve, Header, Heard, Message},
    quarantine::Birth,
    rules::Rules,
};

const SENT_TAG: &str = "igra.dev 2026 sent message v1";
// Messages of this process of which a hash is kept.
const MOST_SENT: usize = 4_096;
// How far a store that lost its epochs goes above one that it is shown: more than it can have had starts, so that
// nothing else of its past is above it.
const LEAP: u64 = 1 << 20;
// A past is left behind by one leap, however it is shown; a second allows for what was on its way.
const MOST_LEAPS: u8 = 2;

/// What this process sent lately, by sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent(BTreeMap<u64, [u8; 32]>);

impl Sent {
    pub(crate) fn keep(&mut self, sequence: u64, kind: MessageKind, body: &[u8]) {
        self.0.insert(sequence, hash(kind, body));
        if self.0.len() > MOST_SENT {
            self.0.pop_first();
        }
    }

    /// Another content under a sequence that this process used.
    fn contradicts(&self, header: &Header, body: &[u8]) -> bool {
        self.0.get(&header.sequence).is_some_and(|sent| *sent != hash(header.kind, body))
    }
}

impl<R: Rules> Coordinator<R> {
    pub(crate) fn on_own_seal(
        &mut self,
        header: &Header,
        body: &[u8],
        step: &mut Step,
    ) -> Result<(), Ignored> {
        if self.is_foreign(header, body) {
            self.on_foreign_epoch(header.epoch, step);
        }
        if let Some(Message::Approve(approve)) = Message::decode(header.kind, body) {
            self.on_own_promise(header.epoch, &approve, step);
        }
        self.count_hellos(step);
        Err(Ignored::OwnMessage)
    }

    /// Sealed by this member, in this epoch or a later one, and not by this process.
    fn is_foreign(&self, header: &Header, body: &[u8]) -> bool {
        let own = self.own_heard();
        let beyond = header.epoch == own.epoch && header.sequence > own.sequence;
        let other = header.epoch == own.epoch && self.sent.contradicts(header, body);
        header.epoch > own.epoch || beyond || other
    }

    /// Before this start has settled, or where the store may have lost its epochs, it shows that the store had been
    /// further once: the epoch goes above it. Otherwise somebody else speaks as this member right now.
    fn on_foreign_epoch(&mut self, epoch: u64, step: &mut Step) {
        let lost = self.quarantine.is_some() || self.birth == Birth::Undecided;
        self.epoch = match (self.settled, lost && self.leaps < MOST_LEAPS) {
            (false, _) => epoch.saturating_add(1),
            (true, true) => {
                self.leaps += 1;
                self.settled = false;
                epoch.saturating_add(LEAP)
            }
            (true, false) => return self.raise(Alarm::OwnEpochUnknown { epoch }, step),
        };
        step.writes.push(Row::epoch(self.epoch));
        self.suspect(QuarantineCause::EpochUnknown, step);
        self.greet_all(step);
    }

    /// An own promise that somebody shows must be in the store. What was sealed before the epoch in which a tag was
    /// drawn is washed with that tag, so showing it again and again asks for no other.
    fn on_own_promise(&mut self, epoch: u64, approve: &Approve, step: &mut Step) {
        if self.promises.get(&approve.promise) == Some(&approve.proposal) {
            return;
        }
        if approve.promise > self.promise {
            self.promise = approve.promise;
            self.past.promise = approve.promise;
            step.writes.push(Row::past(&self.past));
        }
        if epoch < self.past.washed_from {
            return;
        }
        self.raise(Alarm::OwnPromiseUnknown { promise: approve.promise }, step);
        self.suspect(QuarantineCause::PromiseUnknown, step);
    }

    /// The last message of this process.
    pub(crate) fn own_heard(&self) -> Heard {
        Heard { epoch: self.epoch, sequence: self.sequence }
    }
}

fn hash(kind: MessageKind, body: &[u8]) -> [u8; 32] {
    let kind = borsh::to_vec(&kind).expect("a vector takes all bytes");
    tagged_hash(SENT_TAG, &[&kind, body].concat())
}
