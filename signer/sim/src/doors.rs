//! What comes in from outside: deposits to the group, and events at the doors of its signers.

use igra_core::{Input, Intake, VerifiedEvent, rules::Rules};
use igra_group::{MemberIndex, Sompi, tagged_hash};
use igra_tx::TransactionId;
use rand::{Rng, seq::SliceRandom};

use crate::{
    chain::Transaction,
    feed::{Fact, Fate},
    world::{Happening, START_UTC, World},
};

impl<R: Rules> World<R> {
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
        let name = (place, self.time).0.to_le_bytes();
        let salt = self.time.to_le_bytes();
        let id =
            TransactionId::from_bytes(tagged_hash("igra.dev 2026 simulated deposit", &[name, salt].concat()));
        self.chain.mempool.insert(id, Transaction::Deposit { id, amount });
    }

    pub(crate) fn event(&mut self, fact: Fact) {
        let event = fact.event();
        self.feed.fates.insert(event.payment.event, (fact.fate(), event.payment.clone()));
        self.feed.deadlines.extend(event.deadline.map(|deadline| (event.payment.event, deadline)));
        let up: Vec<MemberIndex> = self
            .signers
            .iter()
            .filter(|(_, signer)| signer.mind.is_some())
            .map(|(member, _)| *member)
            .collect();
        let Some(member) = up.choose(&mut self.rng).copied() else {
            return self.soon(2_000, Happening::Event(fact));
        };
        self.tell(|_| format!("{member:?} hears of event {:?}: {fact:?}", event.payment.event));
        self.knock(member, event, fact.fate());
        // The same fact again, at another door, and with another amount at this one.
        if self.goes_wrong(200) {
            self.soon(3_000, Happening::Event(fact));
        }
        if self.goes_wrong(200) {
            let other = Fact { amount: fact.amount + 1, ..fact };
            self.input(member, Input::Event(other.event()));
        }
    }

    /// An event at the door of a signer, as its API asks first and hands in then.
    fn knock(&mut self, member: MemberIndex, event: VerifiedEvent, fate: Fate) {
        let now = self.now(member);
        let Some(mind) = self.signers[&member].mind.as_ref() else { return };
        match (mind.intake(&event, now), fate) {
            (Intake::Denied(_), Fate::MustNot | Fate::May) => {}
            (Intake::Denied(denial), Fate::Must) => {
                self.checks.fail(format!("an allowed event is denied: {denial:?}"));
            }
            (Intake::New, Fate::MustNot) => self.checks.fail("a forbidden event is let in".to_owned()),
            (Intake::New | Intake::Same(_) | Intake::Replayed { .. } | Intake::Final(_), _) => {
                self.input(member, Input::Event(event));
            }
        }
    }
}
