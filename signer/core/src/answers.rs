//! What one member may make this signer say. Each message that something heard from it brings about counts; they are
//! forgotten at a steady rate, and while too many are left its questions are not answered. Whoever asks without end
//! then delays nobody but itself: the next regular exchange asks again for what is missing.

use igra_group::MemberIndex;

use crate::{Coordinator, Effect, Ignored, Millis, rules::Rules};

// Both are twice what the transport takes from one member, in a millisecond and at once: a member that catches up cannot
// take more than it may ask for.
pub(crate) const FORGOTTEN_A_MS: u64 = 4;
pub(crate) const MOST_UNFORGOTTEN: u64 = 16_000;

/// How much was said lately because of one member.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answered {
    messages: u64,
    at: Millis,
}

impl Answered {
    fn left(self, now: Millis) -> u64 {
        let passed = now.0.saturating_sub(self.at.0);
        self.messages.saturating_sub(passed.saturating_mul(FORGOTTEN_A_MS))
    }
}

impl<R: Rules> Coordinator<R> {
    pub(crate) fn may_answer(&self, member: MemberIndex) -> Result<(), Ignored> {
        let answered = self.peers.get(&member).map(|peer| peer.answered).unwrap_or_default();
        if answered.left(self.now.monotonic) < MOST_UNFORGOTTEN { Ok(()) } else { Err(Ignored::AskedTooMuch) }
    }

    /// What left because of a message of the member.
    pub(crate) fn count_answers(&mut self, member: MemberIndex, effects: &[Effect]) {
        let said = |effect: &&Effect| matches!(effect, Effect::Send { .. } | Effect::Relay { .. });
        self.charge(member, effects.iter().filter(said).count());
    }

    /// Work for a member that is worth so many messages.
    pub(crate) fn charge(&mut self, member: MemberIndex, messages: usize) {
        let now = self.now.monotonic;
        let answered = &mut self.peers.entry(member).or_default().answered;
        let messages = answered.left(now).saturating_add(messages as u64);
        *answered = Answered { messages, at: now };
    }
}
