//! How an event comes in: at the own door, or from a peer with its evidence for the own verifier to judge.

use std::collections::{BTreeMap, VecDeque};

use igra_group::{MemberIndex, tagged_hash};
use igra_tx::{EventKey, PayloadHash, ProposalKind, TransactionId};

use crate::{
    Alarm, Coordinator, Denial, Effect, Evidence, Ignored, Millis, Note, Now, Row, SessionState, Step, To,
    Verdict, VerifiedEvent,
    closed::Closed,
    records::{EventRecord, RejectedRecord},
    rules::Rules,
    session::Session,
    void::Objection,
};

const EVIDENCE_TAG: &str = "igra.dev 2026 evidence v1";
const MAX_EVIDENCE_BYTES: usize = 32 * 1024;
// Evidence that waits for its verifier.
const MOST_VERIFYING: usize = 1_000;
// An answer that did not come by then is asked for again.
const VERIFY_AGAIN: Millis = Millis(30_000);
// Known events that the verifier is asked about again at one time.
const MOST_AGAIN: usize = 32;
const REJECTED_KEPT: usize = 1_000;

/// What an event would be here, before it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intake {
    New,
    /// The same event is known; this is where it stands.
    Same(SessionState),
    /// The event key is known with another payload; this is the first one.
    Replayed {
        first: PayloadHash,
    },
    Denied(Denial),
    /// Paid or voided for good by this transaction.
    Final(TransactionId),
}

/// Evidence from peers on its way through the own verifiers, by hash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verifying {
    since: BTreeMap<[u8; 32], Millis>,
    /// What proves nothing new and never will; the oldest is forgotten first.
    useless: VecDeque<[u8; 32]>,
    /// Evidence of known events that the verifier was asked about again.
    again: BTreeMap<[u8; 32], (EventKey, Millis)>,
    /// Where asking again goes on.
    again_from: Option<EventKey>,
    /// Events refused at the own door so far.
    pub rejected: u64,
}

impl Verifying {
    /// Who may ask for a payment may have changed: every waiting event is asked about again.
    pub(crate) fn begin_again(&mut self) {
        self.again_from = Some(EventKey::from_bytes([0; 32]));
    }

    fn never_again(&mut self, evidence: [u8; 32]) {
        self.useless.push_back(evidence);
        if self.useless.len() > REJECTED_KEPT {
            self.useless.pop_front();
        }
    }
}

impl<R: Rules> Coordinator<R> {
    /// What the event would be here if it came in now.
    pub fn intake(&self, event: &VerifiedEvent, now: Now) -> Intake {
        let (key, payload) = (event.payment.event, event.payment.payload);
        if let Some(tombstone) = self.tombstones.get(&key) {
            return match &tombstone.payment {
                Some(payment) if payment.payload != payload => Intake::Replayed { first: payment.payload },
                Some(_) | None => Intake::Final(tombstone.transaction),
            };
        }
        if let Some(session) = self.sessions.get(&key) {
            let first = session.event.payment.payload;
            return if first == payload {
                Intake::Same(self.state_of(&key))
            } else {
                Intake::Replayed { first }
            };
        }
        if let Some(denial) = self.doubt(&key) {
            return Intake::Denied(denial);
        }
        let note = self.closed.get(&key);
        if let Some(note) = note.filter(|note| note.payload != payload) {
            return Intake::Replayed { first: note.payload };
        }
        if let Some(denial) = note.and_then(|note| note.objection.denial()) {
            return Intake::Denied(denial);
        }
        let seen = note.map_or(now.utc, |note| note.seen);
        match self.policy.verdict(event, seen, false, &self.volumes, &[], now.utc) {
            Verdict::Allow | Verdict::Hold { .. } => Intake::New,
            Verdict::Deny { denial } => Intake::Denied(denial),
        }
    }

    pub(crate) fn on_event(
        &mut self,
        event: VerifiedEvent,
        from: Option<MemberIndex>,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let key = event.payment.event;
        if event.evidence.bytes.len() > MAX_EVIDENCE_BYTES {
            return Err(Ignored::TooLarge);
        }
        match self.intake(&event, self.now) {
            Intake::New => {}
            Intake::Same(_) => return Err(Ignored::KnownEvent),
            Intake::Final(_) => return Err(Ignored::FinalEvent),
            Intake::Replayed { .. } => {
                step.alarms.push(Alarm::Replayed { event: key, from });
                self.set_contradicted(&key, step);
                return Err(Ignored::Replayed);
            }
            // A peer's event is kept even so: others may allow it, and the policy may change.
            Intake::Denied(_) if from.is_some() => {}
            Intake::Denied(denial) => {
                self.reject(&event, denial, step);
                return Err(Ignored::Denied);
            }
        }
        self.open_session(event, from, step);
        Ok(())
    }

    fn reject(&mut self, event: &VerifiedEvent, denial: Denial, step: &mut Step) {
        let key = event.payment.event;
        let place = self.verifying.rejected % REJECTED_KEPT as u64;
        self.verifying.rejected += 1;
        let record = RejectedRecord { event: key, denial: denial.clone(), utc: self.now.utc };
        step.writes.push(Row::rejected(place, &record));
        step.note(Note::EventDenied { event: key, denial });
    }

    fn open_session(&mut self, event: VerifiedEvent, from: Option<MemberIndex>, step: &mut Step) {
        let key = event.payment.event;
        let (source, amount) = (event.source.clone(), event.payment.amount);
        let note = self.take_note(&key, step);
        let seen = note.as_ref().map_or(self.now.utc, |note| note.seen);
        let record = EventRecord { event, seen };
        step.writes.push(Row::event(&key, &record, from.is_none()));
        step.note(Note::EventTaken { event: key, source, amount, from });
        let mut session = Session::new(record, self.now.monotonic);
        if let Some(note) = note.filter(|note| note.objection != Objection::default()) {
            step.writes.push(Row::objection(&key, &note.objection));
            session.objection = note.objection;
        }
        session.offers = self.offers.naming(&key).map(|(id, _)| id).collect();
        self.sessions.insert(key, session);
        match self.chain.link(&key).map(|(_, record)| record.link.as_ref().map(|link| link.kind)) {
            None => drop(self.pending.insert(key)),
            // It was accepted before it was known here.
            Some(Some(ProposalKind::Pay)) => self.count_payment(&[key], step),
            Some(_) => {}
        }
        self.stir(key);
        match from {
            None => self.announce(To::All, &key, step),
            // Proposals and approvals that came before the event was known here.
            Some(peer) => self.ask(peer, &[key].into(), step),
        }
        if let Some((proposer, propose)) = self.unverified.remove(&key) {
            // Whatever is wrong with it now was said when it came.
            let _ = self.on_propose(proposer, propose, step);
        }
    }

    /// Asks the own verifier about evidence from a peer, once.
    pub(crate) fn verify(
        &mut self,
        from: MemberIndex,
        evidence: Evidence,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        if evidence.bytes.len() > MAX_EVIDENCE_BYTES {
            return Err(Ignored::TooLarge);
        }
        let (hash, now) = (hash(&evidence), self.now.monotonic);
        if self.verifying.useless.contains(&hash) {
            return Err(Ignored::VerifyFailed);
        }
        let lapsed = |since: &Millis| since.0.saturating_add(VERIFY_AGAIN.0) <= now.0;
        if self.verifying.since.get(&hash).is_some_and(|since| !lapsed(since)) {
            return Err(Ignored::Duplicate);
        }
        self.verifying.since.retain(|_, since| !lapsed(since));
        if self.verifying.since.len() >= MOST_VERIFYING {
            return Err(Ignored::TooMany);
        }
        self.verifying.since.insert(hash, now);
        step.effects.push(Effect::Verify { from, evidence });
        Ok(())
    }

    /// Asks the own verifier about the next waiting events again; the rest follows with its answers.
    pub(crate) fn verify_again(&mut self, step: &mut Step) {
        let Some(from) = self.verifying.again_from else { return };
        let now = self.now.monotonic;
        self.verifying.again.retain(|_, (_, since)| since.0.saturating_add(VERIFY_AGAIN.0) > now.0);
        let room = MOST_AGAIN.saturating_sub(self.verifying.again.len());
        let mut rest = self.pending.range(from..);
        for event in rest.by_ref().take(room) {
            let Some(session) = self.sessions.get(event) else { continue };
            let evidence = session.event.evidence.clone();
            self.verifying.again.insert(hash(&evidence), (*event, now));
            step.effects.push(Effect::Verify { from: self.me, evidence });
        }
        self.verifying.again_from = rest.next().copied();
    }

    /// When asking again goes on though no answer came.
    pub(crate) fn again_deadline(&self) -> Option<Millis> {
        self.verifying.again_from?;
        let oldest =
            self.verifying.again.values().map(|(_, since)| since.0.saturating_add(VERIFY_AGAIN.0)).min();
        Some(oldest.map_or(self.now.monotonic, Millis))
    }

    fn is_known_evidence(&mut self, event: &VerifiedEvent) -> bool {
        self.verifying.again.remove(&hash(&event.evidence));
        self.sessions.get(&event.payment.event).is_some_and(|session| session.event == *event)
    }

    pub(crate) fn on_verified(
        &mut self,
        from: MemberIndex,
        event: VerifiedEvent,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let hash = hash(&event.evidence);
        self.verifying.since.remove(&hash);
        if self.is_known_evidence(&event) {
            self.set_unproven(&event.payment.event, None, step);
            return Err(Ignored::KnownEvent);
        }
        let key = event.payment.event;
        if self.stays_closed(&key) {
            return Err(Ignored::ClosedEvent);
        }
        let taken = self.on_event(event, Some(from), step);
        if taken.is_ok() {
            self.pulled(from, key, step);
        }
        if taken.is_err() {
            self.verifying.never_again(hash);
        }
        taken
    }

    pub(crate) fn on_verify_failed(
        &mut self,
        from: MemberIndex,
        evidence: &Evidence,
        code: String,
        permanent: bool,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let hash = hash(evidence);
        self.verifying.since.remove(&hash);
        let known = self.verifying.again.remove(&hash);
        if let Some((event, _)) = known.filter(|_| permanent) {
            self.set_unproven(&event, Some(code.clone()), step);
        } else if permanent {
            self.verifying.never_again(hash);
        }
        step.note(Note::EvidenceRejected { from, source: evidence.source.clone(), code });
        Err(Ignored::VerifyFailed)
    }

    /// Where an event stands.
    pub(crate) fn state_of(&self, event: &igra_tx::EventKey) -> SessionState {
        if let Some(tombstone) = self.tombstones.get(event) {
            return match tombstone.kind {
                ProposalKind::Pay => SessionState::Paid,
                ProposalKind::Void
                | ProposalKind::Consolidate
                | ProposalKind::Sweep
                | ProposalKind::Migrate => SessionState::Void,
            };
        }
        if let Some((_, record)) = self.chain.link(event) {
            let settled = self.chain.depth(record) >= self.group.depths().settled;
            return if settled { SessionState::Settled } else { SessionState::Accepted };
        }
        self.state_before_chain(event)
    }

    fn state_before_chain(&self, event: &igra_tx::EventKey) -> SessionState {
        let Some(session) = self.sessions.get(event) else {
            return self.closed.get(event).map_or(SessionState::Verified, Closed::state);
        };
        let offers =
            session.offers.iter().filter_map(|id| self.offers.get(id)).filter(|offer| offer.is_live());
        let furthest = offers.map(|offer| {
            let taken = offer.assembled.and_then(|id| self.outbox.get(&id)).is_some_and(|sent| sent.taken);
            match (&offer.assembled, offer.partials.contains_key(&self.me), &offer.own) {
                (Some(_), _, _) if taken => SessionState::Submitted,
                (Some(_), _, _) => SessionState::Assembled,
                (None, true, _) => SessionState::Signed,
                (None, false, Some(_)) => SessionState::Approved,
                (None, false, None) => SessionState::Verified,
            }
        });
        match furthest.max().unwrap_or(SessionState::Verified) {
            SessionState::Verified => self.state_by_verdict(event),
            further => further,
        }
    }

    fn state_by_verdict(&self, event: &igra_tx::EventKey) -> SessionState {
        match self.verdict_on(event) {
            Some(Verdict::Allow) | None => SessionState::Verified,
            Some(Verdict::Hold { .. }) => SessionState::Held,
            Some(Verdict::Deny { denial }) if denial.code == crate::DenialCode::DeadlinePassed => {
                SessionState::Expired
            }
            Some(Verdict::Deny { .. }) => SessionState::Denied,
        }
    }
}

fn hash(evidence: &Evidence) -> [u8; 32] {
    tagged_hash(EVIDENCE_TAG, &borsh::to_vec(evidence).expect("a vector takes all bytes"))
}
