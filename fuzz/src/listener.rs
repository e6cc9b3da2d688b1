//! One coordinator with its disk and its signing key, and what must hold of each of its steps, whatever it hears.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::{
    Alarm, Coordinator, Effect, Family, Input, Millis, Note, Now, Records, Row, Signs, Step, SubmitOutcome,
    UnixSeconds,
    messages::{self, Approve, MAX_BODY_BYTES, Message, MessageKind, PartialMessage},
};
use igra_group::{Group, MemberIndex};
use igra_tx::{EventKey, Proposal, ProposalId};

use super::{
    bounds::peak_of,
    keys,
    world::{TIMING, policy, verified},
};

/// What one input may bring about at most, and for each event that is known.
const MOST_EFFECTS: usize = 700;
const MOST_WRITES: usize = 64;
const MOST_BYTES: usize = 1 << 20;
const MOST_MEMORY: usize = 8 << 20;
const FOR_EACH_EVENT: usize = 12;
const BYTES_FOR_EACH_EVENT: usize = 16 << 10;

pub struct Listener {
    pub group: Group,
    pub me: MemberIndex,
    mind: Coordinator,
    pub now: Now,
    rows: BTreeMap<(Family, Vec<u8>), Vec<u8>>,
    /// Effects that wait for their answer.
    waiting: Vec<Effect>,
    events: BTreeSet<EventKey>,
    pub bodies: BTreeMap<ProposalId, Proposal>,
    /// Who approved what, as far as it was ever told under a seal.
    approved: BTreeMap<ProposalId, BTreeSet<MemberIndex>>,
    own: BTreeMap<EventKey, BTreeSet<ProposalId>>,
    dead: BTreeSet<ProposalId>,
}

impl Listener {
    pub fn new(me: MemberIndex, quorum: u8) -> Self {
        let group = keys::group(quorum);
        let now = Now { monotonic: Millis(10_000), utc: UnixSeconds(1_000_000) };
        let (mind, step) = start(&group, me, Records::default(), now);
        let mut listener = Self {
            group,
            me,
            mind,
            now,
            rows: BTreeMap::new(),
            waiting: Vec::new(),
            events: BTreeSet::new(),
            bodies: BTreeMap::new(),
            approved: BTreeMap::new(),
            own: BTreeMap::new(),
            dead: BTreeSet::new(),
        };
        listener.hold(step);
        listener
    }

    /// One input, and all that must hold of the step it brings.
    pub fn take(&mut self, input: Input) {
        self.listen(&input);
        let bytes = borsh::object_length(&input).unwrap_or(0);
        let (step, peak) = peak_of(|| self.mind.handle(self.now, input));
        let most = MOST_MEMORY + 64 * bytes + BYTES_FOR_EACH_EVENT * self.events.len();
        assert!(peak <= most, "an input of {bytes} bytes took {peak} bytes of memory, more than {most}");
        self.hold(step);
    }

    /// Stops, and starts again from what was written.
    pub fn restart(&mut self) {
        let rows = self.rows.iter().map(|((family, key), value)| (*family, key.clone(), value.clone()));
        let records = Records::read(rows).expect("what it wrote it can read");
        let (mind, step) = start(&self.group, self.me, records, self.now);
        (self.mind, self.waiting) = (mind, Vec::new());
        self.hold(step);
    }

    /// Answers the oldest effect that waits for an answer, as an edge does.
    pub fn answer(&mut self, kindly: bool) {
        if self.waiting.is_empty() {
            return;
        }
        match self.waiting.remove(0) {
            Effect::Sign { proposal } => match keys::partial(&self.group, self.me, &proposal) {
                Some(partial) if kindly => self.take(Input::Signed(partial)),
                Some(_) | None => {
                    self.take(Input::SignFailed { proposal: proposal.id(), reason: "no key".to_owned() });
                }
            },
            Effect::Verify { from, evidence } => match verified(&evidence) {
                Some(event) => self.take(Input::Verified { from, event }),
                None => self.take(Input::VerifyFailed {
                    from,
                    evidence,
                    code: "shape".to_owned(),
                    permanent: kindly,
                }),
            },
            Effect::Submit { transaction, .. } => {
                let outcome = if kindly {
                    SubmitOutcome::InMempool
                } else {
                    SubmitOutcome::Refused("not today".to_owned())
                };
                self.take(Input::Submitted { transaction: transaction.id(), outcome });
            }
            Effect::Draw => self.take(Input::Drawn([7; 32])),
            Effect::Send { .. } | Effect::Relay { .. } | Effect::SubmitRaw { .. } | Effect::Note(_) => {}
        }
    }

    /// The families of which something was written.
    pub fn families(&self) -> BTreeSet<Family> {
        self.rows.keys().map(|(family, _)| *family).collect()
    }

    /// Remembers which approvals were told under a seal, and which bodies.
    fn listen(&mut self, input: &Input) {
        if let Input::Event(event) | Input::Verified { event, .. } = input {
            self.events.insert(event.payment.event);
        }
        if let Input::Received(sealed) = input {
            self.overhear(sealed, 0);
        }
    }

    fn overhear(&mut self, sealed: &[u8], depth: u8) {
        let Ok(opened) = messages::open(&self.group, sealed) else { return };
        match Message::decode(opened.header.kind, &opened.body) {
            Some(Message::Approve(approve)) => self.counts(approve.proposal, opened.header.member),
            Some(Message::Certificate(certificate)) => {
                self.counts(certificate.proposal, opened.header.member);
                if depth == 0 {
                    certificate.approvals.iter().for_each(|sealed| self.overhear(sealed, 1));
                }
            }
            Some(Message::Propose(propose)) => self.see(&propose.proposal),
            Some(Message::Body(body)) => self.see(&body.proposal),
            Some(_) | None => {}
        }
    }

    fn counts(&mut self, proposal: ProposalId, member: MemberIndex) {
        self.approved.entry(proposal).or_default().insert(member);
    }

    fn see(&mut self, proposal: &[u8]) {
        if let Ok(proposal) = Proposal::decode(proposal) {
            self.bodies.insert(proposal.id(), proposal);
        }
    }

    /// Writes first, then looks at what becomes visible.
    fn hold(&mut self, step: Step) {
        self.bounded(&step);
        step.writes.iter().for_each(|row| self.write(row));
        for alarm in &step.alarms {
            let own = matches!(alarm, Alarm::OwnPartialBad { .. } | Alarm::CombineFailed { .. });
            assert!(!own, "genuine signatures raise an alarm: {alarm:?}");
        }
        for effect in step.effects {
            self.look(&effect);
            let asks = !matches!(effect, Effect::Send { .. } | Effect::Relay { .. } | Effect::Note(_));
            if asks && self.waiting.len() < 1_000 {
                self.waiting.push(effect);
            }
        }
    }

    fn bounded(&self, step: &Step) {
        let events = self.events.len();
        let most = MOST_EFFECTS + FOR_EACH_EVENT * events;
        assert!(step.effects.len() <= most, "{} effects at {events} events", step.effects.len());
        let most = MOST_WRITES + FOR_EACH_EVENT * events;
        assert!(step.writes.len() <= most, "{} writes at {events} events", step.writes.len());
        let sizes = step.effects.iter().map(|effect| match effect {
            Effect::Send { body, .. } => body.len(),
            Effect::Relay { sealed, .. } => sealed.len(),
            Effect::SubmitRaw { body, .. } => body.len(),
            Effect::Verify { .. }
            | Effect::Sign { .. }
            | Effect::Submit { .. }
            | Effect::Draw
            | Effect::Note(_) => 0,
        });
        let bytes = sizes.sum::<usize>();
        assert!(
            bytes <= MOST_BYTES + BYTES_FOR_EACH_EVENT * events,
            "{bytes} bytes are sent at {events} events"
        );
    }

    fn write(&mut self, row: &Row) {
        let place = (row.family, row.key.clone());
        match &row.value {
            Some(value) => drop(self.rows.insert(place, value.clone())),
            None => drop(self.rows.remove(&place)),
        }
    }

    fn look(&mut self, effect: &Effect) {
        match effect {
            Effect::Send { kind, body, .. } => self.look_at_sent(*kind, body),
            Effect::Sign { proposal } => drop(self.bodies.insert(proposal.id(), proposal.clone())),
            Effect::Note(Note::Dead { proposal, .. }) => drop(self.dead.insert(*proposal)),
            Effect::Submit { transaction, .. } => {
                let place = (Family::Outbox, transaction.id().as_bytes().to_vec());
                assert!(self.rows.contains_key(&place), "a transaction is submitted that is not on disk");
            }
            Effect::Relay { .. }
            | Effect::Verify { .. }
            | Effect::SubmitRaw { .. }
            | Effect::Draw
            | Effect::Note(_) => {}
        }
    }

    fn look_at_sent(&mut self, kind: MessageKind, body: &[u8]) {
        assert!(body.len() <= MAX_BODY_BYTES, "a {kind:?} of {} bytes that no seal carries", body.len());
        let message = Message::decode(kind, body).expect("what is sent reads");
        assert_eq!(message.encode(), body);
        match message {
            Message::Approve(approve) => self.look_at_approval(&approve),
            Message::Partial(PartialMessage { proposal, .. }) => self.look_at_partial(&proposal),
            Message::Body(body) => self.see(&body.proposal),
            Message::Propose(propose) => self.see(&propose.proposal),
            Message::Hello(_)
            | Message::Status(_)
            | Message::Announce(_)
            | Message::Refuse(_)
            | Message::Certificate(_)
            | Message::Final(_)
            | Message::Hint(_)
            | Message::Digest(_)
            | Message::AskHistory(_)
            | Message::History(_) => {}
        }
    }

    /// Invariants 3 and 4: on disk before it is said, and sharing an input with each live one before it.
    fn look_at_approval(&mut self, approve: &Approve) {
        self.counts(approve.proposal, self.me);
        assert!(self.has_promised(&approve.proposal), "an approval leaves that is not on disk");
        for event in &approve.events {
            let earlier = self.own.entry(*event).or_default();
            for other in earlier.iter().filter(|other| **other != approve.proposal) {
                let (Some(one), Some(two)) = (self.bodies.get(other), self.bodies.get(&approve.proposal))
                else {
                    continue;
                };
                let apart = !self.dead.contains(other) && !one.shares_input_with(two);
                assert!(!apart, "two live approvals of one event share no input");
            }
            earlier.insert(approve.proposal);
        }
    }

    fn look_at_partial(&self, proposal: &ProposalId) {
        assert!(self.has_promised(proposal), "a partial leaves before its approval is on disk");
        let approvals = self.approved.get(proposal).map_or(0, BTreeSet::len);
        let needed = usize::from(self.group.quorum().get());
        assert!(approvals >= needed, "a partial leaves after {approvals} approvals, {needed} are needed");
    }

    /// The first field of an approval's row, after its version byte, is its proposal.
    fn has_promised(&self, proposal: &ProposalId) -> bool {
        let mut rows = self.rows.iter().filter(|((family, _), _)| *family == Family::Approval);
        rows.any(|(_, value)| value.get(1..33) == Some(proposal.as_bytes().as_slice()))
    }
}

fn start(group: &Group, me: MemberIndex, records: Records, now: Now) -> (Coordinator, Step) {
    Coordinator::restore(group.clone(), me, policy(), TIMING, records, Signs::default(), now)
}
