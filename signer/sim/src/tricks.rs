//! The repertoire of a liar.

use std::collections::BTreeSet;

use igra_core::{
    Evidence, MessageKind, RefusalCode, SourceName, To,
    messages::{
        self, Announce, Approve, Certificate, Digest, Entry, FinalClaim, Header, Hint, KnownProposal,
        Message, PartialMessage, Propose, Refuse, Status,
    },
    rules::Rules,
};
use igra_group::{GroupId, MemberIndex, Sompi};
use igra_tx::{
    ChainView, Coin, Draft, EventKey, FeeRate, Outpoint, Payment, Proposal, ProposalId, Purpose, Script,
    Signature, Tag, TransactionId, draft, sign,
};
use rand::{Rng, RngCore, seq::SliceRandom};

use crate::{
    fault::Fault,
    feed::{Fact, policy},
    world::World,
};

mod own;

const BURST: usize = 12;

impl<R: Rules> World<R> {
    /// Plays one trick.
    pub(crate) fn play(&mut self, liar: MemberIndex, habit: Fault) {
        match habit {
            Fault::Garbage => {
                let bytes = self.random_bytes(200);
                self.throw(liar, &bytes);
            }
            Fault::Oversize => self.throw(liar, &vec![1; messages::MAX_SEALED_BYTES + 1]),
            Fault::WrongGroup => self.speak_as(liar, GroupId::from_bytes([7; 32]), u64::MAX),
            Fault::OldEpoch => self.speak_as(liar, self.group.id(), 0),
            Fault::Equivocation => self.equivocate(liar),
            Fault::OtherSignature => self.forge(liar),
            Fault::Replay => self.replay(liar),
            Fault::Flood => self.flood(liar),
            Fault::BadProposal => self.propose_badly(liar),
            Fault::Claims => {
                self.claim(liar);
                self.tell_another_history(liar);
            }
            Fault::Refusals => self.refuse_all(liar),
            Fault::NobodysEvents => self.invent_events(liar),
            Fault::Voids => self.void_without_reason(liar),
            Fault::TagAfterTag => self.ask_for_another_tag(liar),
            Fault::EndlessSweeps => self.move_coins_again(liar),
            // Silence shows when its coordinator speaks.
            _silent => {}
        }
    }

    /// An approval of anything, with a partial, certificate or not.
    pub(crate) fn promise_anything(&mut self, liar: MemberIndex, proposal: &Proposal, to: To) {
        let promise = &mut self.liars.get_mut(liar).promise;
        *promise += 1;
        let promise = *promise;
        self.promise_as(liar, proposal, promise, to);
    }

    fn promise_as(&mut self, liar: MemberIndex, proposal: &Proposal, promise: u64, to: To) {
        let keys = &self.signers[&liar].keys;
        let signed = sign(&self.group, proposal, liar, |hash| keys.sign(hash));
        let Ok(signatures) = signed.map(|partial| partial.signatures) else { return };
        let at_once = self.group.quorum().get() == self.group.threshold().needed();
        let approve = Approve {
            proposal: proposal.id(),
            events: proposal.events.clone(),
            config: self.group.config_digest(),
            promise,
            view: self.others_view(),
            signatures: at_once.then(|| signatures.clone()),
        };
        self.lie(liar, to, &Message::Approve(approve));
        if !at_once {
            let partial = PartialMessage { proposal: proposal.id(), signatures };
            self.lie(liar, to, &Message::Partial(partial));
        }
    }

    /// Two proposals of one view that spend different coins, each to one half, both promised under one number.
    fn equivocate(&mut self, liar: MemberIndex) {
        let Some(payment) = self.some_payment() else { return };
        let Some(first) = self.drafted(&payment, &BTreeSet::new()) else { return };
        let second = self.drafted(&payment, &first.outpoints()).unwrap_or_else(|| {
            let mut second = first.clone();
            second.outputs.reverse();
            second
        });
        let promise = &mut self.liars.get_mut(liar).promise;
        *promise += 1;
        let (promise, view) = (*promise, self.own_turn(liar));
        let mut others = self.others(liar);
        others.shuffle(&mut self.rng);
        for (place, other) in others.into_iter().enumerate() {
            let proposal = if place % 2 == 0 { &first } else { &second };
            self.offer(liar, To::Member(other), view, proposal);
            self.promise_as(liar, proposal, promise, To::Member(other));
        }
        self.liars.bodies.extend([first, second].map(|proposal| (proposal.id(), proposal)));
    }

    /// Signatures that are none, or of another transaction.
    fn forge(&mut self, liar: MemberIndex) {
        let bodies: Vec<Proposal> = self.liars.bodies.values().cloned().collect();
        let (Some(proposal), Some(other)) = (bodies.choose(&mut self.rng), bodies.choose(&mut self.rng))
        else {
            return;
        };
        let keys = &self.signers[&liar].keys;
        let foreign =
            sign(&self.group, other, liar, |hash| keys.sign(hash)).map(|partial| partial.signatures);
        let random = proposal.inputs.iter().map(|_| {
            let mut signature = [0; 64];
            self.rng.fill_bytes(&mut signature);
            Signature(signature)
        });
        let random: Vec<Signature> = random.collect();
        let signatures = if self.rng.gen_bool(0.5) { random } else { foreign.unwrap_or_default() };
        let promise = self.rng.gen_range(1..2_000);
        let approve = Approve {
            proposal: proposal.id(),
            events: if self.rng.gen_bool(0.8) { proposal.events.clone() } else { other.events.clone() },
            config: self.group.config_digest(),
            promise,
            view: self.others_view(),
            signatures: self.rng.gen_bool(0.7).then(|| signatures.clone()),
        };
        self.lie(liar, To::All, &Message::Approve(approve));
        let partial = PartialMessage { proposal: proposal.id(), signatures };
        self.lie(liar, To::All, &Message::Partial(partial));
    }

    /// Anything that was ever sealed, by anybody, to anybody.
    fn replay(&mut self, liar: MemberIndex) {
        let Some(sealed) = self.liars.seals.choose(&mut self.rng).cloned() else { return };
        self.throw(liar, &sealed);
    }

    fn flood(&mut self, liar: MemberIndex) {
        for _ in 0..BURST {
            match self.rng.gen_range(0..4) {
                0 => self.replay(liar),
                1 => {
                    let view = self.rng.next_u64();
                    self.lie(liar, To::All, &Message::Status(Status { view }));
                }
                2 => self.claim(liar),
                _ => {
                    let bytes = self.random_bytes(2_000);
                    self.throw(liar, &bytes);
                }
            }
        }
    }

    /// A proposal with something wrong in it, in the own view, promised at once.
    fn propose_badly(&mut self, liar: MemberIndex) {
        let Some(payment) = self.some_payment() else { return };
        let stale = self.chain.below_tip(10);
        let at = if self.rng.gen_bool(0.3) { stale } else { self.chain.tip };
        let Some(mut proposal) = self.drafted_at(at, &payment, &BTreeSet::new()) else { return };
        self.spoil(&mut proposal);
        let view = self.own_turn(liar);
        self.offer(liar, To::All, view, &proposal);
        self.promise_anything(liar, &proposal, To::All);
        self.liars.bodies.insert(proposal.id(), proposal);
    }

    fn spoil(&mut self, proposal: &mut Proposal) {
        let thief = Fact { id: 0, recipient: 200, amount: 1, deadline: 0 }.event().payment.recipient;
        match self.rng.gen_range(0..10) {
            0 => proposal.outputs[0].amount.0 += 1,
            1 => proposal.outputs[0].script = thief,
            2 => proposal.outputs.iter_mut().skip(1).for_each(|output| output.script = thief.clone()),
            3 => proposal.outputs.iter_mut().skip(1).for_each(|output| output.amount.0 /= 2),
            4 => proposal.outputs.truncate(1),
            5 => proposal.inputs.iter_mut().for_each(|coin| coin.amount.0 += 1_000),
            6 => proposal.inputs = vec![self.invented_coin()],
            7 => proposal.payload.clear(),
            8 => proposal.events = vec![EventKey::from_bytes([9; 32])],
            // With stale coins it may be bad enough as it is.
            _ => {}
        }
    }

    /// What nobody else sees: final events, transactions, approvals, anchors on coins that are none.
    fn claim(&mut self, liar: MemberIndex) {
        let Some(event) = self.some_payment().map(|payment| payment.event) else { return };
        let proposal = ProposalId::from_bytes(self.random_hash());
        let transaction = TransactionId::from_bytes(self.random_hash());
        let (config, view) = (self.group.config_digest(), self.others_view());
        let message = match self.rng.gen_range(0..5) {
            0 => Message::Final(FinalClaim { event, transaction, ended: self.made_up_end() }),
            1 => Message::Hint(Hint { transaction }),
            2 => {
                let known = KnownProposal { proposal, body: true, approvals: u16::MAX, partials: u16::MAX };
                let entries = vec![Entry { event, proposals: vec![known] }];
                Message::Digest(Digest { view, from: event, to: event, entries, answer: false })
            }
            3 => {
                let seals = &self.liars.seals;
                let approvals = seals.choose_multiple(&mut self.rng, 3).cloned().collect();
                Message::Certificate(Certificate { proposal, approvals })
            }
            _ => {
                let promise = self.rng.gen_range(1_000..1_000_000);
                let (events, signatures) = (vec![event], None);
                Message::Approve(Approve { proposal, events, config, promise, view, signatures })
            }
        };
        self.lie(liar, To::All, &message);
    }

    /// No to every proposal, and to every coin.
    fn refuse_all(&mut self, liar: MemberIndex) {
        let bodies: Vec<Proposal> = self.liars.bodies.values().cloned().collect();
        let coins = self.coins_at_tip().into_iter().collect::<Vec<Outpoint>>();
        let view = self.others_view();
        for proposal in bodies.choose_multiple(&mut self.rng, 3) {
            let outpoints = proposal.outpoints().into_iter().chain(coins.iter().copied()).collect();
            let (code, detail) = (RefusalCode::Spent, "no".to_owned());
            let refuse =
                Refuse { proposal: proposal.id(), view, code, detail, outpoints, events: Vec::new() };
            self.lie(liar, To::All, &Message::Refuse(refuse));
        }
    }

    /// Evidence that proves nothing, and a proposal that pays for it.
    fn invent_events(&mut self, liar: MemberIndex) {
        let fact =
            Fact { id: 5_000 + self.rng.gen_range(0..5), recipient: 1, amount: 300_000_000, deadline: 0 };
        let event = fact.event();
        let evidence = if self.rng.gen_bool(0.5) {
            event.evidence.clone()
        } else {
            Evidence { source: SourceName("feed".to_owned()), bytes: self.random_bytes(60) }
        };
        let announce = Announce { event: event.payment.event, evidence };
        self.lie(liar, To::All, &Message::Announce(announce));
        if let Some(proposal) = self.drafted(&event.payment, &BTreeSet::new()) {
            let view = self.own_turn(liar);
            self.offer(liar, To::All, view, &proposal);
            self.promise_anything(liar, &proposal, To::All);
        }
    }

    /// A void of an event that nothing speaks against.
    fn void_without_reason(&mut self, liar: MemberIndex) {
        let Some(event) = self.some_payment().map(|payment| payment.event) else { return };
        let events = [event];
        let none = BTreeSet::new();
        let void = Purpose::Void(&events);
        if let Some(proposal) = self.drafted_for(self.chain.tip, void, &BTreeSet::new(), &none) {
            let view = self.own_turn(liar);
            self.offer(liar, To::All, view, &proposal);
            self.promise_anything(liar, &proposal, To::All);
            self.liars.bodies.insert(proposal.id(), proposal);
        }
    }

    fn offer(&mut self, liar: MemberIndex, to: To, view: u64, proposal: &Proposal) {
        let encoded = borsh::to_vec(proposal).expect("a vector takes all bytes");
        self.lie(liar, to, &Message::Propose(Propose { view, proposal: encoded }));
    }

    /// Bytes to one of the others, under no new seal.
    fn throw(&mut self, liar: MemberIndex, bytes: &[u8]) {
        if let Some(to) = self.others(liar).choose(&mut self.rng).copied() {
            self.carry(liar, To::Member(to), bytes);
        }
    }

    /// The own seal under another group or an epoch of its choice.
    fn speak_as(&mut self, liar: MemberIndex, group: GroupId, epoch: u64) {
        let (network, sequence) = (self.group.network(), self.rng.next_u64());
        let header = Header { network, group, member: liar, epoch, sequence, kind: MessageKind::Status };
        let body = Message::Status(Status { view: 1_000_000 }).encode();
        let keys = &self.signers[&liar].keys;
        let sealed = messages::seal(&header, &body, |bytes| keys.seal(bytes)).expect("a status is small");
        self.throw(liar, &sealed);
    }

    /// What some event asks for that has not ended.
    fn some_payment(&mut self) -> Option<Payment> {
        let event = self.model.open().choose(&mut self.rng).copied()?;
        self.model.told(&event).map(|told| told.payment.clone())
    }

    fn drafted(&self, payment: &Payment, avoid: &BTreeSet<Outpoint>) -> Option<Proposal> {
        self.drafted_at(self.chain.tip, payment, avoid)
    }

    fn drafted_at(
        &self,
        at: igra_core::BlockId,
        payment: &Payment,
        avoid: &BTreeSet<Outpoint>,
    ) -> Option<Proposal> {
        self.drafted_for(at, Purpose::Pay(std::slice::from_ref(payment)), &BTreeSet::new(), avoid)
    }

    fn drafted_for(
        &self,
        at: igra_core::BlockId,
        purpose: Purpose<'_>,
        tags: &BTreeSet<Tag>,
        avoid: &BTreeSet<Outpoint>,
    ) -> Option<Proposal> {
        let view = ChainView {
            virtual_daa: self.chain.block(&at).daa,
            coins: self.chain.coins_of(self.group.wallet(), &at),
            own: BTreeSet::new(),
            fee_rate: FeeRate::new(self.scenario.fee_rate),
        };
        let limits = policy().fee;
        draft(&self.group, &view, &Draft { purpose, tags, limits: &limits, avoid, must_share: &[] }).ok()
    }

    fn coins_at_tip(&self) -> BTreeSet<Outpoint> {
        self.chain.coins_of(self.group.wallet(), &self.chain.tip).into_keys().collect()
    }

    fn invented_coin(&mut self) -> Coin {
        let outpoint = Outpoint { transaction: TransactionId::from_bytes(self.random_hash()), index: 0 };
        let script = Script::of_wallet(self.group.wallet());
        Coin { outpoint, amount: Sompi(50_000_000_000), script, daa_score: 1, coinbase: false }
    }

    /// A view in which the liar proposes, near to that of the others.
    fn own_turn(&self, liar: MemberIndex) -> u64 {
        let members = u64::from(self.scenario.shape.members);
        let view = self.others_view();
        view + (u64::from(liar.0) + members - view % members) % members
    }

    /// The highest view that an honest member is in.
    fn others_view(&self) -> u64 {
        let minds = self.honest().into_iter().filter_map(|member| self.signers[&member].mind.as_ref());
        minds.map(|mind| mind.view().view).max().unwrap_or(0)
    }

    fn random_bytes(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.rng.gen_range(0..most)];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    pub(crate) fn random_hash(&mut self) -> [u8; 32] {
        let mut hash = [0; 32];
        self.rng.fill_bytes(&mut hash);
        hash
    }
}
