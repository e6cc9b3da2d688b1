//! The second phase: no more faults, and every allowed event must become paid in bounded time, whatever liars do.

use std::collections::BTreeSet;

use igra_core::{Coordinator, SessionState, SessionView, rules::Rules};
use igra_group::{MemberIndex, Sompi};
use igra_tx::EventKey;
use rand::seq::SliceRandom;

use crate::{
    clock::Clock,
    keys::name,
    miners::BLOCK_MS,
    scenario::NO_DEADLINE,
    world::{Happening, START_UTC, World},
};

const CALM_LIMIT_MS: u64 = 400_000;
// Long enough for all events of a run to have their turn in the volume's window.
const VOLUME_LIMIT_MS: u64 = 200_000;
// The same for a group and then its successor.
const HEIRS_LIMIT_MS: u64 = 2 * CALM_LIMIT_MS;
// How long a void may take once everybody sees that the deadline has passed.
const AFTER_DEADLINE_SECONDS: u64 = 120;
// How long a group is watched that may not get anywhere.
const HELPLESS_MS: u64 = 20_000;

impl<R: Rules> World<R> {
    /// Faults stop, but for lies. Some members may be gone for good, as many as the quorum allows.
    pub(crate) fn calm_down(&mut self) {
        self.tell("world", |_| "calm".to_owned());
        self.chaos = false;
        self.heal();
        self.fees_high_until = 0;
        self.lose_some();
        for (place, member) in self.members().into_iter().enumerate() {
            self.usual(member);
            let signer = self.signer(member);
            (signer.node_up, signer.stale_until, signer.false_until) = (true, 0, 0);
            signer.clock = Clock::default();
            self.start_signer(member);
            self.deposit(100 + place as u64, Sompi(20_000_000_000));
        }
        let fact = self.fact(1_000);
        self.at(self.time + 1_000, Happening::Event(fact));
    }

    fn lose_some(&mut self) {
        let mut sound = self.sound();
        let spare = sound.len().saturating_sub(self.scenario.shape.quorum.into());
        let wanted = usize::from(self.scenario.shape.members - self.scenario.survivors);
        sound.shuffle(&mut self.rng);
        for member in sound.into_iter().take(spare.min(wanted)) {
            self.stop(member);
            self.signer(member).gone = true;
            self.tell(name(member), |_| "is gone for good".to_owned());
        }
    }

    /// Members that can be counted on.
    fn sound(&self) -> Vec<MemberIndex> {
        let mut honest = self.honest();
        honest.retain(|member| !self.signers[member].gone && !self.checks.misled.contains(member));
        honest
    }

    /// Calm, and everything that must be paid is paid as every sound member sees it.
    pub(crate) fn is_done(&mut self) -> bool {
        if self.chaos || !self.time.is_multiple_of(BLOCK_MS) {
            return false;
        }
        let calm = self.time - self.scenario.chaos_ms;
        let sound = self.sound();
        if sound.len() < usize::from(self.scenario.shape.quorum) {
            return calm > HELPLESS_MS;
        }
        if self.moving {
            return self.is_moved(calm);
        }
        // Whoever is not back yet has something to learn.
        if self.signers.values().any(|signer| signer.away_until > self.time) {
            return false;
        }
        let minds = sound.iter().filter_map(|member| Some((*member, self.signers[member].mind.as_ref()?)));
        let open = self.checks.unpaid(minds, &self.model);
        if calm > VOLUME_LIMIT_MS && self.waits_for_volume(&open) {
            return true;
        }
        if calm > CALM_LIMIT_MS
            && !self.waits_for_deadline(&open)
            && let Some((member, view)) = open.first()
        {
            let name = name(*member);
            self.tell_how_all_stand(&open);
            self.checks.fail(format!("{name} sees no end of an allowed event: {view:?}"));
        }
        open.is_empty() && calm > 2_000
    }

    /// Clocks were steps ahead when somebody first saw the event, so its deadline by the policy comes that much later.
    fn waits_for_deadline(&self, open: &[(MemberIndex, Box<SessionView>)]) -> bool {
        let now = START_UTC + self.time / 1_000;
        let deadlines = open.iter().filter_map(|(_, view)| view.deadline).map(|deadline| deadline.0);
        let last = deadlines.filter(|deadline| *deadline < START_UTC + NO_DEADLINE / 2).max();
        last.is_some_and(|last| now < last + AFTER_DEADLINE_SECONDS)
    }

    /// A group that moves need not pay, but nothing stays behind, and what is not paid its successor pays.
    fn is_moved(&mut self, calm: u64) -> bool {
        let (has_moved, waits) = (self.has_moved(), self.heirs_wait());
        let is_over = has_moved && waits.is_none();
        if calm > CALM_LIMIT_MS && !has_moved {
            self.tell_how_all_stand(&[]);
            self.checks.fail(format!("{} stay behind when the group moves", self.left_behind()));
        }
        if let Some(waits) = waits.filter(|_| calm > HEIRS_LIMIT_MS) {
            self.checks.fail(waits);
        }
        is_over && calm > 2_000
    }

    fn tell_how_all_stand(&mut self, open: &[(MemberIndex, Box<SessionView>)]) {
        for (member, SessionView { event, state, denial, blocked, approvals, refusals, .. }) in
            open.iter().map(|(member, view)| (member, &**view))
        {
            let denial = denial.as_ref().map(|denial| denial.code);
            self.tell(name(*member), |_| {
                format!(
                    "has event {event} {state:?}, denied {denial:?}, blocked {blocked:?}, approved by {approvals:?}, \
                     refused by {refusals:?}"
                )
            });
        }
        for member in self.members() {
            let Some(view) = self.signers[&member].mind.as_ref().map(Coordinator::view) else { continue };
            self.tell(name(member), |_| {
                format!(
                    "is in view {}, sees {} coins, serves {:?}, in quarantine: {:?}",
                    view.view, view.coins, view.tags, view.quarantine
                )
            });
        }
    }

    /// Two events that different signers approved first may leave no volume for one another, until the deadline of one
    /// has passed and a void frees it.
    fn waits_for_volume(&self, open: &[(MemberIndex, Box<SessionView>)]) -> bool {
        let held = open.iter().filter(|(_, view)| view.state == SessionState::Held);
        let held: BTreeSet<EventKey> = held.map(|(_, view)| view.event).collect();
        let endless = self.scenario.deadline_seconds == NO_DEADLINE;
        self.scenario.volume > 0 && endless && open.iter().all(|(_, view)| held.contains(&view.event))
    }
}
