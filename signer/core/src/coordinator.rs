//! One signer's mind: one input in, one step out.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
};

use igra_group::{ConfigDigest, Group, MemberIndex};
use igra_tx::{EventKey, Outpoint, ProposalId, TransactionId};

use crate::{
    BlockId, Effect, Equivocation, Halt, Ignored, Input, Intervention, Millis, Note, Now, Policy,
    PolicyDigest, Records, Signs, Step, To,
    catch_up::CatchUp,
    chain::Chain,
    closed::Notes,
    gaps::Gaps,
    history::Histories,
    intake::Verifying,
    internal::Internal,
    messages::{Message, Propose, Status, Windows},
    offer::Offers,
    own_seals::Sent,
    parents::Kept,
    peers::Peer,
    predecessor::Inheritance,
    quarantine::{Birth, Past, Quarantine},
    records::Tombstone,
    rules::{Rules, Strict},
    session::Session,
    signing::Signing,
    statements::Statements,
    stir::{SLICE, Stirred, Times},
    submit::Submission,
    tags::Served,
    views::Views,
    volume::Volumes,
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

/// One signer's mind. A signer's is always a `Coordinator<Strict>`.
pub struct Coordinator<R: Rules = Strict> {
    pub(crate) group: Group,
    pub(crate) me: MemberIndex,
    pub(crate) config: ConfigDigest,
    pub(crate) policy: Policy,
    pub(crate) policy_digest: PolicyDigest,
    pub(crate) timing: Timing,
    /// The clocks at the input in hand.
    pub(crate) now: Now,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    pub(crate) sent: Sent,
    /// Enough others have said hello since the start.
    pub(crate) settled: bool,
    /// How often this process left an epoch behind that its store had lost.
    pub(crate) leaps: u8,
    /// The last promise number given.
    pub(crate) promise: u64,
    /// What each promise number stands for, ever.
    pub(crate) promises: BTreeMap<u64, ProposalId>,
    /// Transactions for which the store has a partial, ever.
    pub(crate) signed: BTreeSet<TransactionId>,
    pub(crate) birth: Birth,
    pub(crate) past: Past,
    /// How the predecessor's move stands, where there is one.
    pub(crate) inheritance: Option<Inheritance>,
    pub(crate) quarantine: Option<Quarantine>,
    /// Randomness for a tag is asked for.
    pub(crate) drawing: bool,
    pub(crate) served: Served,
    /// The last block that the own node's chain has shown since the start.
    pub(crate) sink: Option<BlockId>,
    /// Why this signer must not promise anything more.
    pub(crate) halt: Option<Halt>,
    /// What administrators took upon themselves, the first one first.
    pub(crate) interventions: Vec<Intervention>,
    pub(crate) sessions: BTreeMap<EventKey, Session>,
    /// Events of which no transaction is accepted.
    pub(crate) pending: BTreeSet<EventKey>,
    /// Events that came to nothing.
    pub(crate) closed: Notes,
    pub(crate) tombstones: BTreeMap<EventKey, Tombstone>,
    pub(crate) offers: Offers,
    /// The group's own transactions, which name no event.
    pub(crate) internal: Internal,
    pub(crate) signing: BTreeMap<ProposalId, Signing>,
    pub(crate) outbox: BTreeMap<TransactionId, Submission>,
    /// When to look at what of the outbox; what is accepted is not in it.
    pub(crate) submissions: BTreeSet<(Millis, TransactionId)>,
    pub(crate) parents: Kept,
    pub(crate) volumes: Volumes,
    pub(crate) chain: Chain,
    /// Where the own node's history is missing.
    pub(crate) gaps: Gaps,
    /// What others told of what ended in the first open gap.
    pub(crate) histories: Histories,
    /// Events that some members, and too few, name as ended in a gap.
    pub(crate) doubted: BTreeMap<EventKey, TransactionId>,
    pub(crate) statements: Statements,
    pub(crate) views: Views,
    pub(crate) peers: BTreeMap<MemberIndex, Peer>,
    /// Proofs against members that gave two promises one number.
    pub(crate) equivocations: BTreeMap<MemberIndex, Vec<Equivocation>>,
    pub(crate) windows: Windows,
    pub(crate) verifying: Verifying,
    /// Proposals of the present view for events that the verifier has not answered for.
    pub(crate) unverified: BTreeMap<EventKey, (MemberIndex, Propose)>,
    pub(crate) refused_coins: BTreeMap<Outpoint, BTreeMap<MemberIndex, Millis>>,
    pub(crate) catch_up: CatchUp,
    /// Waiting events that this signer could do something for, by since when they wait.
    pub(crate) wanted: Times,
    /// Those of them that nobody offers anything for in this view, by when they have waited for company long enough.
    pub(crate) unoffered: Times,
    /// Waiting events that the policy held when they were looked at last.
    pub(crate) held: BTreeSet<EventKey>,
    /// When the oldest of the fresh events that wait for company has waited long enough.
    pub(crate) ripening: Option<Millis>,
    pub(crate) stirred: Stirred,
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
        signs: Signs,
        now: Now,
    ) -> (Self, Step) {
        Self::restore_under(group, me, policy, timing, records, signs, now)
    }
}

impl<R: Rules> Coordinator<R> {
    /// A coordinator without any record, for [`Coordinator::restore`] to fill.
    pub(crate) fn empty(group: Group, me: MemberIndex, policy: Policy, timing: Timing, now: Now) -> Self {
        Self {
            config: group.config_digest(),
            policy_digest: policy.digest(),
            group,
            me,
            policy,
            timing,
            now,
            epoch: 0,
            sequence: 0,
            sent: Sent::default(),
            settled: false,
            leaps: 0,
            promise: 0,
            promises: BTreeMap::new(),
            signed: BTreeSet::new(),
            birth: Birth::default(),
            past: Past::default(),
            inheritance: None,
            quarantine: None,
            drawing: false,
            served: Served::default(),
            sink: None,
            halt: None,
            interventions: Vec::new(),
            sessions: BTreeMap::new(),
            pending: BTreeSet::new(),
            closed: Notes::default(),
            tombstones: BTreeMap::new(),
            offers: Offers::default(),
            internal: Internal::default(),
            signing: BTreeMap::new(),
            outbox: BTreeMap::new(),
            submissions: BTreeSet::new(),
            parents: Kept::default(),
            volumes: Volumes::default(),
            chain: Chain::restore(BTreeMap::new()),
            gaps: Gaps::default(),
            histories: Histories::default(),
            doubted: BTreeMap::new(),
            statements: Statements::new(),
            views: Views::default(),
            peers: BTreeMap::new(),
            equivocations: BTreeMap::new(),
            windows: Windows::default(),
            verifying: Verifying::default(),
            unverified: BTreeMap::new(),
            refused_coins: BTreeMap::new(),
            catch_up: CatchUp::default(),
            wanted: Times::default(),
            unoffered: Times::default(),
            held: BTreeSet::new(),
            ripening: None,
            stirred: Stirred::default(),
            rules: PhantomData,
        }
    }

    /// Takes one input. The caller makes the step's writes durable, then performs its effects in order, then comes with
    /// the next input.
    pub fn handle(&mut self, now: Now, input: Input) -> Step {
        self.now = now;
        let mut step = Step::default();
        if let Err(reason) = self.take(input, &mut step) {
            step.ignored = Some(reason);
        }
        self.advance(&mut step);
        step
    }

    fn take(&mut self, input: Input, step: &mut Step) -> Result<(), Ignored> {
        match input {
            Input::Event(event) => self.on_event(event, None, step),
            Input::Verified { from, event } => self.on_verified(from, event, step),
            Input::VerifyFailed { from, evidence, code, permanent } => {
                self.on_verify_failed(from, &evidence, code, permanent, step)
            }
            Input::Received(sealed) => self.on_received(sealed, step),
            Input::PeerUp(member) => self.on_peer(member, true, step),
            Input::PeerDown(member) => self.on_peer(member, false, step),
            Input::Signed(partial) => self.on_signed(partial, step),
            Input::SignFailed { proposal, reason } => self.on_sign_failed(proposal, reason, step),
            Input::Chain(update) => {
                self.on_chain(update, step);
                Ok(())
            }
            Input::Wallet(update) => {
                self.chain.take_wallet(update);
                self.note_fee_rates();
                // A coin that is gone is no choice any more.
                self.refused_coins.retain(|outpoint, _| self.chain.view.coins.contains_key(outpoint));
                self.stir_all();
                self.decide_birth(step);
                self.leave_due(step);
                self.begin_due(step);
                Ok(())
            }
            Input::NodeDown => {
                self.chain.synced = false;
                self.stir_all();
                Ok(())
            }
            Input::Submitted { transaction, outcome } => self.on_submitted(transaction, outcome, step),
            Input::Policy(policy) => {
                self.policy_digest = policy.digest();
                self.policy = policy;
                self.stir_all();
                step.note(Note::PolicyChanged { digest: self.policy_digest });
                self.greet_all(step);
                self.verifying.begin_again();
                Ok(())
            }
            // Their rules come with the parts of the core that they concern.
            Input::ClearHalt { reason } => self.on_clear_halt(reason, step),
            Input::Cancel { event, by } => self.on_cancel(event, by, step),
            Input::Drawn(random) => self.on_drawn(random, step),
            Input::ReleaseQuarantine { reason } => self.on_release(reason, step),
            Input::ReleasePredecessor { reason } => self.on_release_predecessor(reason, step),
            Input::CoinsLost { event, reason } => self.on_coins_lost(event, reason, step),
            Input::Tick => Ok(()),
        }
    }

    /// What is due after any input: views, proposals, submissions, catching up.
    pub(crate) fn advance(&mut self, step: &mut Step) {
        self.catch_up_due(step);
        self.draw_due(step);
        if !self.stirred.is_idle() || self.batch_is_due() {
            self.look_around(step);
        }
        if self
            .views
            .deadline(&self.group, &self.timing)
            .is_some_and(|deadline| deadline <= self.now.monotonic)
        {
            self.views.time_out(&self.group, self.now.monotonic);
            self.view_moved(step);
        }
        // Where many wait, one look is enough for one input.
        if !self.stirred.is_idle() && self.pending.len() <= SLICE {
            self.look_around(step);
        }
        self.verify_again(step);
        self.submit_parents(step);
        self.submit_due(step);
    }

    /// After a jump or a timeout: tell the others, and look at everything anew.
    pub(crate) fn view_moved(&mut self, step: &mut Step) {
        let view = self.views.view;
        self.unverified.clear();
        step.note(Note::ViewMoved { view, proposer: self.views.proposer(&self.group) });
        self.send(To::All, &Message::Status(Status { view }), step);
        self.stir_all();
    }

    /// When the coordinator next wants an [`Input::Tick`], on the monotonic clock.
    pub fn next_deadline(&self) -> Option<Millis> {
        let catch_up = self.has_to_catch_up().then_some(self.catch_up.next);
        let views = self.views.deadline(&self.group, &self.timing);
        let stirred = (!self.stirred.is_idle()).then_some(self.now.monotonic);
        let (submission, batch) = (self.submission_deadline(), self.batch_deadline());
        let again = self.again_deadline();
        let deadlines = [again, stirred, views, submission, batch, self.parents.deadline(), catch_up];
        deadlines.into_iter().flatten().min()
    }

    /// The epoch of this start; part of every seal.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn send(&mut self, to: To, message: &Message, step: &mut Step) {
        self.sequence += 1;
        let body = message.encode();
        self.sent.keep(self.sequence, message.kind(), &body);
        step.effects.push(Effect::Send {
            to,
            kind: message.kind(),
            epoch: self.epoch,
            sequence: self.sequence,
            body,
        });
    }
}
