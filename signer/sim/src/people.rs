//! What administrators do: pauses, other policies, other bounds, another configuration; all of it undone later.

use igra_core::{Input, Policy, rules::Rules};
use igra_group::{MemberIndex, Sompi};
use rand::{Rng, seq::SliceRandom};

use crate::{
    fault::Fault,
    feed::{Fact, policy_of},
    keys::name,
    model::Reason,
    world::{Happening, World},
};

const UNUSUAL_MS: u64 = 8_000;

impl<R: Rules> World<R> {
    /// The policy that every member should have.
    pub(crate) fn usual_policy(&self) -> Policy {
        let mut policy = policy_of(&self.scenario);
        policy.internal.successor = self.successor();
        policy
    }

    pub(crate) fn set_usual_policy(&mut self, member: MemberIndex) {
        self.signer(member).policy = self.usual_policy();
    }

    /// Perhaps somebody changes something at this member now.
    pub(crate) fn meddle(&mut self, member: MemberIndex) {
        if self.signers[&member].odd || self.signers[&member].policy != self.usual_policy() {
            return;
        }
        for fault in [Fault::Pause, Fault::OtherPolicy, Fault::OtherFeeBounds, Fault::OtherDigest] {
            if !self.strikes(fault, member) {
                continue;
            }
            self.tell("world", |_| format!("somebody at {}: {}", name(member), fault.name()));
            match fault {
                Fault::OtherDigest => self.restart_as(member, true),
                _policy => self.change_policy(member, fault),
            }
            return self.soon(UNUSUAL_MS, Happening::Usual(member));
        }
    }

    /// An administrator wants an event never to be paid; perhaps those of all members do.
    pub(crate) fn cancelled(&mut self, fact: &Fact) {
        let event = fact.event().payment.event;
        let everybody = self.rng.gen_bool(0.5);
        let mut members = self.honest();
        members.shuffle(&mut self.rng);
        for member in members.into_iter().take(if everybody { 5 } else { 1 }) {
            if self.strikes(Fault::Cancel, member) {
                self.model.may_stop(event, Reason::Cancelled);
                self.input(member, Input::Cancel { event, by: "somebody".to_owned() });
            }
        }
    }

    fn change_policy(&mut self, member: MemberIndex, fault: Fault) {
        let mut policy = self.usual_policy();
        match fault {
            Fault::Pause => policy.allow.clear(),
            Fault::OtherFeeBounds => {
                let low = self.rng.gen_bool(0.5);
                policy.fee.max = if low { Sompi(1_000) } else { Sompi(1_000_000_000) };
                policy.fee.max_sompi_per_gram = if low { 1 } else { 1_000_000 };
            }
            _other_policy => {
                policy.allow.pop_first();
                policy.amount_max = Some(Sompi(700_000_000));
            }
        }
        self.model.allows_fee(policy.fee.max);
        self.signer(member).policy = policy.clone();
        // What it denies now it may also want stopped.
        if self.somebody_denies() {
            self.model.may_stop_all(Reason::Denied);
        }
        self.input(member, Input::Policy(policy));
    }

    /// Somebody's policy allows less than the usual one.
    pub(crate) fn somebody_denies(&self) -> bool {
        let usual = self.usual_policy().allow;
        self.signers.values().any(|signer| signer.policy.allow != usual)
    }

    /// Everything at this member is as it should be.
    pub(crate) fn usual(&mut self, member: MemberIndex) {
        if self.signers[&member].odd {
            self.restart_as(member, false);
        }
        if self.signers[&member].policy != self.usual_policy() {
            self.set_usual_policy(member);
            let policy = self.usual_policy();
            self.input(member, Input::Policy(policy));
        }
    }

    /// A roll-out of another configuration: the process stops in good order and starts with it.
    fn restart_as(&mut self, member: MemberIndex, odd: bool) {
        self.end_turn(member);
        if self.signers[&member].mind.is_some() {
            self.stop(member);
            self.soon(1_000, Happening::Restart(member));
        }
        self.signer(member).odd = odd;
    }
}
