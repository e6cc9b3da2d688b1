//! The second phase: no more faults, and every allowed event must become paid in bounded time.

use std::collections::BTreeSet;

use igra_core::{SessionState, SessionView, rules::Rules};
use igra_group::{MemberIndex, Sompi};
use igra_tx::EventKey;
use rand::seq::SliceRandom;

use crate::{
    miners::BLOCK_MS,
    world::{Happening, World},
};

const CALM_LIMIT_MS: u64 = 400_000;
// Long enough for all events of a run to have their turn in the volume's window.
const VOLUME_LIMIT_MS: u64 = 200_000;

impl<R: Rules> World<R> {
    /// Faults stop. Some members may be gone for good, as many as the quorum allows.
    pub(crate) fn calm_down(&mut self) {
        self.tell(|_| "calm".to_owned());
        self.chaos = false;
        self.cut.clear();
        let mut members: Vec<MemberIndex> = self.signers.keys().copied().collect();
        members.shuffle(&mut self.rng);
        for member in members.split_off(self.scenario.survivors.into()) {
            let signer = self.signer(member);
            (signer.mind, signer.turn, signer.gone) = (None, None, true);
            signer.life += 1;
            self.tell(|_| format!("{member:?} is gone for good"));
        }
        for (place, member) in members.into_iter().enumerate() {
            let signer = self.signer(member);
            (signer.node_up, signer.skew) = (true, 0);
            self.start_signer(member);
            self.deposit(100 + place as u64, Sompi(20_000_000_000));
        }
        let fact = self.fact(1_000);
        self.at(self.time + 1_000, Happening::Event(fact));
    }

    /// Calm, and everything that must be paid is paid as every survivor sees it.
    pub(crate) fn is_done(&mut self) -> bool {
        if self.chaos || !self.time.is_multiple_of(BLOCK_MS) {
            return false;
        }
        let open = self.checks.unpaid(&self.signers, &self.feed);
        if self.time > self.scenario.chaos_ms + VOLUME_LIMIT_MS && self.waits_for_volume(&open) {
            return true;
        }
        if self.time > self.scenario.chaos_ms + CALM_LIMIT_MS
            && let Some((member, view)) = open.first()
        {
            self.checks.fail(format!("{member:?} sees no end of an allowed event: {view:?}"));
        }
        open.is_empty() && self.time > self.scenario.chaos_ms + 2_000
    }

    /// Two events that different signers approved first may leave no volume for one another, until there are voids.
    fn waits_for_volume(&self, open: &[(MemberIndex, Box<SessionView>)]) -> bool {
        let held = open.iter().filter(|(_, view)| view.state == SessionState::Held);
        let held: BTreeSet<EventKey> = held.map(|(_, view)| view.event).collect();
        self.scenario.volume > 0 && open.iter().all(|(_, view)| held.contains(&view.event))
    }
}
