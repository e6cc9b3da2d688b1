//! What comes in from outside: deposits to the group, and events at the doors of its signers.

use igra_core::{Input, Intake, VerifiedEvent, rules::Rules};
use igra_group::{MemberIndex, Sompi};
use rand::{Rng, seq::SliceRandom};

use crate::{
    fault::Fault,
    feed::Fact,
    keys::name,
    model::{Fate, Reason},
    scenario::NO_DEADLINE,
    transaction::Transaction,
    world::{Happening, START_UTC, World},
};

impl<R: Rules> World<R> {
    /// One in ten goes to a stranger, one asks for too much, one has a deadline.
    pub(crate) fn fact(&mut self, id: u64) -> Fact {
        let odd = self.rng.gen_range(0..10);
        let deadline = START_UTC + self.rng.gen_range(0..60);
        let amount = self.rng.gen_range(1..=15) * 100_000_000;
        Fact {
            id,
            recipient: if odd == 0 { 9 } else { self.rng.gen_range(0..4) },
            amount: if odd == 1 { 50_000_000_000 } else { amount },
            deadline: if odd == 2 { deadline } else { 0 },
        }
    }

    pub(crate) fn deposit(&mut self, place: u64, amount: Sompi) {
        let salt = [place.to_le_bytes(), self.time.to_le_bytes()].concat();
        let deposit = Transaction::deposit(&salt, amount, &self.group);
        self.chain.mempool.insert(deposit.id(), deposit);
    }

    /// The world tells an event to one signer; it is told again until somebody takes it.
    pub(crate) fn event(&mut self, fact: Fact) {
        let event = fact.event();
        let key = event.payment.event;
        self.model.tell(&fact);
        self.heirs.iter_mut().for_each(|heirs| heirs.is_told(fact));
        if self.scenario.deadline_seconds < NO_DEADLINE {
            self.model.may_stop(key, Reason::Deadline);
        }
        if self.somebody_denies() {
            self.model.may_stop(key, Reason::Denied);
        }
        self.phases.begin(self.signers.keys().copied(), key);
        let up: Vec<MemberIndex> =
            self.honest().into_iter().filter(|member| self.signers[member].mind.is_some()).collect();
        let Some(member) = up.choose(&mut self.rng).copied() else {
            return self.soon(2_000, Happening::Event(fact));
        };
        if self.strikes(Fault::SourceGap, member) {
            self.tell("world", |_| format!("{} misses event {key:?}", name(member)));
            return self.soon(2_000, Happening::Event(fact));
        }
        self.tell("world", |_| format!("{} hears of event {key:?}: {fact:?}", name(member)));
        if !self.knock(member, event) {
            self.soon(3_000, Happening::Event(fact));
        }
        self.after(member, fact);
    }

    /// The same fact again, at another door; with another amount at this one; or taken back by its source.
    fn after(&mut self, member: MemberIndex, fact: Fact) {
        if self.strikes(Fault::SourceDuplicate, member) {
            self.soon(15_000, Happening::Event(fact));
        }
        if self.strikes(Fault::OtherPayload, member) {
            self.soon(10_000, Happening::Repriced(member, Fact { amount: fact.amount + 1, ..fact }));
        }
        if self.chaos && self.scenario.chance(Fault::SourceRemoved) > 0 {
            self.soon(15_000, Happening::Withdrawn(fact));
        }
        if self.chaos && self.scenario.chance(Fault::Cancel) > 0 {
            self.soon(10_000, Happening::Cancelled(fact));
        }
    }

    /// The same event with another amount, at the door where it came in.
    pub(crate) fn repriced(&mut self, member: MemberIndex, fact: Fact) {
        let key = fact.event().payment.event;
        // A first payload that was lost with the process is no first payload.
        let known = self.signers[&member].mind.as_ref().is_some_and(|mind| mind.session(&key).is_some());
        if !self.chaos || !known {
            return;
        }
        self.hit(Fault::OtherPayload, member);
        self.model.tell(&fact);
        self.tell("world", |_| format!("{} hears of another amount: {fact:?}", name(member)));
        self.input(member, Input::Event(fact.event()));
    }

    /// The source takes an event back: no verifier accepts its evidence any more.
    pub(crate) fn withdrawn(&mut self, fact: &Fact) {
        if self.strikes_all(Fault::SourceRemoved) {
            let key = fact.event().payment.event;
            self.model.withdraw(key);
            self.tell("world", |_| format!("the source takes event {key:?} back"));
            // A new policy makes signers ask their verifiers again.
            for member in self.members() {
                let policy = self.signers[&member].policy.clone();
                self.input(member, Input::Policy(policy));
            }
        }
    }

    /// An event at the door of a signer, as its API asks first and hands in then. False if it must be told elsewhere.
    fn knock(&mut self, member: MemberIndex, event: VerifiedEvent) -> bool {
        let now = self.now(member);
        let Some(mind) = self.signers[&member].mind.as_ref() else { return false };
        let usual = self.signers[&member].policy == self.usual_policy();
        match (mind.intake(&event, now), self.model.fate(&event.payment.event)) {
            (Intake::Denied(_), Fate::MustNot | Fate::May) => true,
            (Intake::Denied(_), Fate::Must) if !usual => false,
            (Intake::Denied(denial), Fate::Must) => {
                self.checks.fail(format!("an allowed event is denied: {denial:?}"));
                true
            }
            (Intake::New, Fate::MustNot) => {
                self.checks.fail("a forbidden event is let in".to_owned());
                true
            }
            (Intake::New | Intake::Same(_) | Intake::Replayed { .. } | Intake::Final(_), _) => {
                self.input(member, Input::Event(event));
                true
            }
        }
    }
}
