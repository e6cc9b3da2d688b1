//! What the network does to messages between members.

use igra_core::rules::Rules;
use igra_group::MemberIndex;

use crate::world::{Happening, World};

impl<R: Rules> World<R> {
    /// Sends sealed bytes; gossip and streams lose, delay, repeat and reorder while there is chaos.
    pub(crate) fn transmit(&mut self, from: MemberIndex, to: MemberIndex, sealed: &[u8], loss: u32) {
        let apart = self.cut.contains(&from) != self.cut.contains(&to);
        if apart || self.goes_wrong(loss) {
            return;
        }
        let copies = if self.goes_wrong(self.scenario.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let slow = self.goes_wrong(50);
            let most = if slow { self.scenario.straggle_ms } else { self.scenario.latency_ms };
            self.soon(most, Happening::Deliver { to, sealed: sealed.to_vec() });
        }
    }
}
