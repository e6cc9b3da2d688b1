//! One signer's mind: one input in, one step out.

use std::marker::PhantomData;

use igra_group::{Group, MemberIndex};
use igra_tx::EventKey;

use crate::{
    GroupView, Input, Intake, Millis, Now, Policy, Records, Row, SessionView, Step, VerifiedEvent,
    rules::{Rules, Strict},
};

/// How long the coordinator waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long an event may wait in its first view.
    pub view_timeout: Millis,
    /// The longest that a view lasts, however many failed before.
    pub view_timeout_cap: Millis,
    /// How much longer each rank after the proposer waits before it submits.
    pub rank_delay: Millis,
    /// How often peers compare what they have.
    pub catch_up: Millis,
}

/// See the crate's description. A signer's is always `Coordinator<Strict>`.
pub struct Coordinator<R: Rules = Strict> {
    group: Group,
    me: MemberIndex,
    policy: Policy,
    timing: Timing,
    epoch: u64,
    rules: PhantomData<R>,
}

impl Coordinator {
    /// A coordinator as its records left it. The step writes the new epoch and asks again for every effect that is
    /// recorded as wanted.
    pub fn restore(
        group: Group,
        me: MemberIndex,
        policy: Policy,
        timing: Timing,
        records: Records,
        now: Now,
    ) -> (Self, Step) {
        Self::restore_under(group, me, policy, timing, records, now)
    }
}

impl<R: Rules> Coordinator<R> {
    #[doc(hidden)]
    pub fn restore_under(
        group: Group,
        me: MemberIndex,
        policy: Policy,
        timing: Timing,
        records: Records,
        _now: Now,
    ) -> (Self, Step) {
        let epoch = records.epoch + 1;
        let step = Step { writes: vec![Row::epoch(epoch)], ..Step::default() };
        (Self { group, me, policy, timing, epoch, rules: PhantomData }, step)
    }

    /// Takes one input. The caller makes the step's writes durable, then performs its effects in order, then comes with
    /// the next input.
    pub fn handle(&mut self, now: Now, input: Input) -> Step {
        todo!("{now:?} {input:?} {:?} {:?} {:?} {:?}", self.me, self.policy, self.timing, self.group)
    }

    /// When the coordinator next wants a [`Input::Tick`], on the monotonic clock.
    pub fn next_deadline(&self) -> Option<Millis> {
        None
    }

    /// What the event would be here if it came in now.
    pub fn intake(&self, event: &VerifiedEvent, now: Now) -> Intake {
        todo!("{event:?} {now:?}")
    }

    /// One event's session; finished ones too.
    pub fn session(&self, event: &EventKey) -> Option<SessionView> {
        todo!("{event:?}")
    }

    /// Sessions in ascending order of their event keys, after the given one, at most `limit`.
    pub fn sessions(&self, after: Option<EventKey>, limit: usize) -> Vec<SessionView> {
        todo!("{after:?} {limit}")
    }

    /// The group as this signer sees it.
    pub fn view(&self) -> GroupView {
        todo!()
    }

    /// The epoch of this start; part of every seal.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}
