//! The reference model: which events must, may and must not be paid, said without a word about how signers agree.
//!
//! An event is what the outside world told, once for each key. It must be paid if every policy allows it and nothing
//! speaks against it; it may be paid, or voided, if its deadline passes, its source takes it back, or somebody with
//! the right to do so wants it stopped; it must not be paid if the policy forbids it. Nothing else is ever paid, and
//! nothing is paid twice.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::{Evidence, SessionState, UnixSeconds};
use igra_group::{Group, Sompi};
use igra_tx::{EventKey, Payment, ProposalKind, Script, SignedTransaction, TransactionId, payload};

use crate::feed::{Fact, policy};

/// What may happen to an event at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Allowed, with all the time in the world.
    Must,
    /// Allowed, but something may stop it first.
    May,
    /// The policy forbids it.
    MustNot,
}

/// Why an event may end without a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Deadline,
    Cancelled,
    /// Its source took it back.
    Withdrawn,
    /// There is proof of the same event with another payload.
    OtherPayload,
    /// Some signer's policy denied it for a while.
    Denied,
}

/// An event as it was told to the group.
#[derive(Clone, Debug)]
pub struct Told {
    pub payment: Payment,
    pub deadline: Option<UnixSeconds>,
    pub forbidden: bool,
    pub reasons: BTreeSet<Reason>,
}

/// Every event of a run, and what the chain says became of it.
#[derive(Default)]
pub struct Model {
    events: BTreeMap<EventKey, Told>,
    /// What a verifier accepts: only what was told.
    proofs: BTreeSet<Evidence>,
    withdrawn: BTreeSet<EventKey>,
    ended: BTreeMap<EventKey, (TransactionId, ProposalKind)>,
    /// The highest fee that some member's policy allowed beyond the usual.
    raised_fee: Sompi,
    /// Where the group's coins go from now on.
    successor: Option<Script>,
}

impl Model {
    /// The world tells a fact; the first payload of a key is the one that counts.
    pub fn tell(&mut self, fact: &Fact) {
        let event = fact.event();
        self.proofs.insert(event.evidence.clone());
        let told = Told {
            payment: event.payment.clone(),
            deadline: event.deadline,
            forbidden: fact.is_forbidden(),
            reasons: event.deadline.map(|_| Reason::Deadline).into_iter().collect(),
        };
        let known = self.events.entry(event.payment.event).or_insert(told);
        if known.payment != event.payment {
            known.reasons.insert(Reason::OtherPayload);
        }
    }

    /// From now on the source's verifiers refuse it.
    pub fn withdraw(&mut self, event: EventKey) {
        self.withdrawn.insert(event);
        self.may_stop(event, Reason::Withdrawn);
    }

    /// Some member's policy allows so high a fee.
    pub fn allows_fee(&mut self, most: Sompi) {
        self.raised_fee = self.raised_fee.max(most);
    }

    pub fn moves_to(&mut self, successor: Script) {
        self.successor = Some(successor);
    }

    /// Something speaks against an event.
    pub fn may_stop(&mut self, event: EventKey, reason: Reason) {
        if let Some(told) = self.events.get_mut(&event) {
            told.reasons.insert(reason);
        }
    }

    /// The same for every event that has not ended.
    pub fn may_stop_all(&mut self, reason: Reason) {
        for event in self.open() {
            self.may_stop(event, reason);
        }
    }

    /// Whether evidence proves anything now.
    pub fn proves(&self, evidence: &Evidence, event: &EventKey) -> bool {
        self.proofs.contains(evidence) && !self.withdrawn.contains(event)
    }

    pub fn told(&self, event: &EventKey) -> Option<&Told> {
        self.events.get(event)
    }

    /// What may happen to an event; nothing that was never told may.
    pub fn fate(&self, event: &EventKey) -> Fate {
        match self.events.get(event) {
            None => Fate::MustNot,
            Some(told) if told.forbidden => Fate::MustNot,
            Some(told) if !told.reasons.is_empty() => Fate::May,
            Some(_) => Fate::Must,
        }
    }

    /// Events that must come to an end: those that must be paid, and those that nothing stood against but a policy that
    /// is the usual one again, or time.
    pub fn must_end(&self) -> impl Iterator<Item = &EventKey> {
        let ends = |reason: &Reason| matches!(reason, Reason::Denied | Reason::Deadline);
        let open_end = move |told: &Told| told.reasons.iter().all(ends);
        self.events.iter().filter(move |(_, told)| !told.forbidden && open_end(told)).map(|(event, _)| event)
    }

    /// Whether an event may end like this.
    pub fn may_end_as(&self, event: &EventKey, state: SessionState) -> bool {
        match state {
            SessionState::Paid => true,
            SessionState::Void => self.fate(event) == Fate::May,
            _not_over => false,
        }
    }

    /// Events of which nothing final speaks.
    pub fn open(&self) -> Vec<EventKey> {
        self.events.keys().copied().filter(|event| !self.ended.contains_key(event)).collect()
    }

    /// How many events are paid for good.
    pub fn paid(&self) -> usize {
        self.ended.values().filter(|(_, kind)| *kind == ProposalKind::Pay).count()
    }

    /// How many are voided for good.
    pub fn voided(&self) -> usize {
        self.ended.values().filter(|(_, kind)| *kind == ProposalKind::Void).count()
    }

    /// Whether it may have run out of time: it ends only if somebody approved it before.
    pub fn may_expire(&self, event: &EventKey) -> bool {
        self.events.get(event).is_some_and(|told| told.reasons.contains(&Reason::Deadline))
    }

    /// Judges a transaction of the group that the chain accepted.
    pub fn accepts(&self, group: &Group, signed: &SignedTransaction) -> Result<(), String> {
        let link = payload::read(&signed.proposal.payload);
        let link = link.ok_or("a transaction of the group has a foreign payload")?;
        let paid = match link.kind {
            ProposalKind::Pay => self.pays(&link.events, signed)?,
            ProposalKind::Void => self.voids(&link.events)?,
            ProposalKind::Consolidate | ProposalKind::Sweep | ProposalKind::Migrate => 0,
        };
        let own = Script::of_wallet(group.wallet());
        let home = if link.kind == ProposalKind::Migrate { self.successor.as_ref() } else { Some(&own) };
        let rest = signed.proposal.outputs.get(paid..).unwrap_or_default();
        if rest.len() > 1 || rest.iter().any(|output| Some(&output.script) != home) {
            return Err(format!("a {:?} of the group pays somebody else", link.kind));
        }
        if signed.proposal.fee().is_none_or(|fee| fee > policy().fee.max.max(self.raised_fee)) {
            return Err("a transaction of the group pays too high a fee".to_owned());
        }
        Ok(())
    }

    fn pays(&self, events: &[EventKey], signed: &SignedTransaction) -> Result<usize, String> {
        for (place, event) in events.iter().enumerate() {
            let told = self.events.get(event).ok_or(format!("{event:?} is paid, but nobody asked for it"))?;
            if told.forbidden {
                return Err(format!("{event:?} is paid against the policy"));
            }
            let output = signed.proposal.outputs.get(place).map(|output| (&output.script, output.amount));
            if output != Some((&told.payment.recipient, told.payment.amount)) {
                return Err(format!("{event:?} is not paid exactly"));
            }
        }
        Ok(events.len())
    }

    fn voids(&self, events: &[EventKey]) -> Result<usize, String> {
        match events.iter().find(|event| self.fate(event) == Fate::Must) {
            Some(event) => Err(format!("{event:?} is voided, and nothing speaks against it")),
            None => Ok(0),
        }
    }

    /// A transaction is final: its events end here, once.
    pub fn ends(&mut self, signed: &SignedTransaction) -> Result<(), String> {
        for event in &signed.proposal.events {
            let end = (signed.id(), signed.proposal.kind);
            let first = *self.ended.entry(*event).or_insert(end);
            if first != end {
                return Err(format!("{event:?} is paid twice: {first:?} and {end:?}"));
            }
        }
        Ok(())
    }

    /// The most that a set of events asks for.
    pub fn sum<'a>(&self, events: impl IntoIterator<Item = &'a EventKey>) -> Sompi {
        let amounts = events.into_iter().filter_map(|event| self.events.get(event));
        amounts.fold(Sompi::ZERO, |sum, told| sum.saturating_add(told.payment.amount))
    }
}
