//! The group to which another one moves. Its members run from the day of the move, hear of the same events, and must
//! not pay what the other group paid or may still pay.
//!
//! They are honest; processes, disks, messages and nodes fail them as they fail anybody. Each sees its node once a
//! block.

use std::collections::BTreeMap;

use igra_core::{
    Alarm, BlockId, Coordinator, Effect, Input, Intake, Millis, Note, Now, Records, Signs, Step, To,
    UnixSeconds, messages, rules::Rules,
};
use igra_group::{Group, MemberIndex};
use igra_tx::sign;
use rand::{Rng, seq::SliceRandom};

use crate::{
    checks::Checks,
    disk::Disk,
    fault::Fault,
    feed::{Fact, policy, read},
    keys::{DEPTHS, Keys, Shape, name, successor},
    network::Way,
    story,
    world::{Happening, START_UTC, TIMING, World},
};

pub(crate) struct Heirs<R: Rules> {
    pub group: Group,
    checks: Checks,
    members: BTreeMap<MemberIndex, Heir<R>>,
    /// What the world told of so far.
    facts: Vec<Fact>,
}

struct Heir<R: Rules> {
    mind: Option<Coordinator<R>>,
    disk: Disk,
    keys: Keys,
    life: u64,
    started: u64,
    node_tip: BlockId,
    /// When it starts again.
    back_at: u64,
}

impl<R: Rules> Heirs<R> {
    pub fn of(shape: Shape) -> Self {
        let (group, keys) = successor(shape);
        let heir = |keys| Heir {
            mind: None,
            disk: Disk::default(),
            keys,
            life: 0,
            started: 0,
            node_tip: BlockId::from_bytes([0; 32]),
            back_at: u64::MAX,
        };
        let members = keys.into_iter().map(|(member, keys)| (member, heir(keys))).collect();
        Self { group, checks: Checks::default(), members, facts: Vec::new() }
    }

    /// Some of them will hear of it.
    pub fn is_told(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    fn up(&self) -> Vec<MemberIndex> {
        let up = self.members.iter().filter(|(_, heir)| heir.mind.is_some());
        up.map(|(member, _)| *member).collect()
    }
}

impl<R: Rules> World<R> {
    /// They start with empty disks, before their group's first coin.
    pub(crate) fn start_heirs(&mut self) {
        for member in self.heir_members() {
            self.heir(member).back_at = self.time;
            self.start_heir(member);
        }
    }

    /// By the block: they see what their nodes show, their timers run, and the world tells them of something.
    pub(crate) fn heirs_live(&mut self) {
        for member in self.heir_members() {
            self.start_heir(member);
            self.show_heir(member);
            self.input_to_heir(member, Input::Tick);
        }
        self.tell_an_heir();
    }

    /// What their group's transactions show, and whatever was wrong with them.
    pub(crate) fn judge_heirs(&mut self, highest: u64) {
        let Some(heirs) = &mut self.heirs else { return };
        heirs.checks.chain(&self.chain, &mut self.model, &heirs.group, highest, DEPTHS.final_);
        if let Some(violation) = heirs.checks.violation.take() {
            self.checks.fail(format!("in the new group: {violation}"));
        }
    }

    /// What is still open there: a member that may not promise yet, or an event that nobody paid.
    pub(crate) fn heirs_wait(&self) -> Option<String> {
        let heirs = self.heirs.as_ref()?;
        let minds = heirs.members.iter().filter_map(|(member, heir)| Some((*member, heir.mind.as_ref()?)));
        for (member, mind) in minds.clone() {
            let view = mind.view().predecessor;
            if let Some(view) = view.filter(|view| R::AWAITS_PREDECESSOR && view.begun.is_none()) {
                return Some(format!("{} of the new group waits: {:?}", name(member), view.awaited));
            }
        }
        if heirs.up().len() < heirs.members.len() {
            return Some("somebody of the new group is not up".to_owned());
        }
        let unheard = |fact: &&Fact| {
            let (evidence, event) = (fact.event().evidence, fact.event().payment.event);
            let lasts = self.model.proves(&evidence, &event) && !self.model.may_expire(&event);
            let known = minds.clone().all(|(_, mind)| mind.session(&event).is_some());
            lasts && !fact.is_forbidden() && !known
        };
        if let Some(fact) = heirs.facts.iter().find(unheard) {
            return Some(format!("not everybody of the new group knows of {fact:?}"));
        }
        let open = heirs.checks.unpaid(minds, &self.model);
        let (member, view) = open.first()?;
        Some(format!("{} of the new group sees no end of an allowed event: {view:?}", name(*member)))
    }

    /// Nobody hears it who has died since, if it was for one life.
    pub(crate) fn reach_heir(&mut self, member: MemberIndex, life: Option<u64>, input: Input) {
        if life.is_none_or(|life| life == self.heir(member).life) {
            self.input_to_heir(member, input);
        }
    }

    fn heir_members(&self) -> Vec<MemberIndex> {
        self.heirs.iter().flat_map(|heirs| heirs.members.keys().copied()).collect()
    }

    fn heir(&mut self, member: MemberIndex) -> &mut Heir<R> {
        let heirs = self.heirs.as_mut().expect("only a group that moves has heirs");
        heirs.members.get_mut(&member).expect("the new group has every member")
    }

    fn start_heir(&mut self, member: MemberIndex) {
        let time = self.time;
        let genesis = self.chain.below_tip(u64::MAX);
        let heir = self.heir(member);
        if heir.mind.is_some() || heir.back_at > time {
            return;
        }
        let records = match Records::read(heir.disk.rows()) {
            Ok(records) => records,
            Err(error) => return self.checks.fail(format!("an heir cannot read its records: {error}")),
        };
        (heir.started, heir.node_tip) = (time, records.cursor().unwrap_or(genesis));
        heir.life += 1;
        let now = self.heirs_now(member);
        let Some(group) = self.heirs.as_ref().map(|heirs| heirs.group.clone()) else { return };
        let (mind, step) =
            Coordinator::restore_under(group, member, policy(), TIMING, records, Signs::default(), now);
        self.heir(member).mind = Some(mind);
        self.tell(name(member), |_| "(of the new group) starts".to_owned());
        self.perform_as_heir(member, step);
        self.meet_heirs(member, Input::PeerUp);
        for other in self.heir_members().into_iter().filter(|other| *other != member) {
            self.input_to_heir(member, Input::PeerUp(other));
        }
    }

    fn meet_heirs(&mut self, member: MemberIndex, input: fn(MemberIndex) -> Input) {
        for heir in self.heir_members().into_iter().filter(|heir| *heir != member) {
            let life = Some(self.heir(heir).life);
            self.soon(100, Happening::ToHeir { heir, life, input: Box::new(input(member)) });
        }
    }

    fn heirs_now(&mut self, member: MemberIndex) -> Now {
        let monotonic = Millis(self.time - self.heir(member).started);
        Now { monotonic, utc: UnixSeconds(START_UTC + self.time / 1_000) }
    }

    fn show_heir(&mut self, member: MemberIndex) {
        let lag = if self.chaos { self.rng.gen_range(0..=self.scenario.lag) } else { 0 };
        let (from, to) = (self.heir(member).node_tip, self.chain.below_tip(lag));
        let behind = self.chain.is_in_chain(&from) && self.chain.block(&from).daa > self.chain.block(&to).daa;
        let Some(heirs) = self.heirs.as_ref().filter(|_| !behind) else { return };
        let chain = self.chain_update_for(&heirs.group, from, to);
        let wallet = self.wallet_update_for(&heirs.group, to);
        self.heir(member).node_tip = to;
        self.input_to_heir(member, Input::Chain(chain));
        self.input_to_heir(member, Input::Wallet(wallet));
    }

    /// One fact at one door, as often as it pleases.
    fn tell_an_heir(&mut self) {
        let Some(heirs) = self.heirs.as_ref() else { return };
        let (up, often) = (heirs.up(), self.rng.gen_range(0..3) == 0);
        let (Some(member), Some(fact)) = (up.choose(&mut self.rng), heirs.facts.choose(&mut self.rng)) else {
            return;
        };
        let (member, event) = (*member, fact.event());
        let now = self.heirs_now(member);
        let denied = |mind: &Coordinator<R>| matches!(mind.intake(&event, now), Intake::Denied(_));
        if often
            && self.model.proves(&event.evidence, &event.payment.event)
            && self.heir(member).mind.as_ref().is_some_and(|mind| !denied(mind))
        {
            self.input_to_heir(member, Input::Event(event));
        }
    }

    fn input_to_heir(&mut self, member: MemberIndex, input: Input) {
        let now = self.heirs_now(member);
        let told = self.trace.is_some().then(|| story::input(&self.group, &input));
        let Some(mind) = self.heir(member).mind.as_mut() else { return };
        let step = mind.handle(now, input);
        if let Some(line) = told.and_then(|told| story::step(&told, &step)) {
            self.tell(name(member), |_| format!("(of the new group) {line}"));
        }
        self.perform_as_heir(member, step);
    }

    fn perform_as_heir(&mut self, member: MemberIndex, step: Step) {
        for alarm in &step.alarms {
            if !matches!(alarm, Alarm::Replayed { .. }) {
                self.checks.fail(format!("{} of the new group raises an alarm: {alarm:?}", name(member)));
            }
        }
        let dies = self.may_strike(Fault::Kill);
        let most = if dies { self.rng.gen_range(0..=step.effects.len()) } else { step.effects.len() };
        if !step.writes.is_empty() {
            self.heir(member).disk.commit(step.writes);
        }
        for effect in step.effects.into_iter().take(most) {
            self.effect_of_heir(member, effect);
        }
        if dies {
            self.kill_heir(member);
        }
    }

    fn kill_heir(&mut self, member: MemberIndex) {
        let loses = self.may_strike(Fault::LostWrite);
        let unsynced = self.heir(member).disk.unsynced();
        let kept = if loses { self.rng.gen_range(0..=unsynced) } else { unsynced };
        let back_at = self.time + self.scenario.restart_ms;
        let heir = self.heir(member);
        heir.disk.crash(kept);
        (heir.mind, heir.back_at) = (None, back_at);
        heir.life += 1;
        self.tell(name(member), |_| "(of the new group) dies".to_owned());
        self.meet_heirs(member, Input::PeerDown);
    }

    fn effect_of_heir(&mut self, member: MemberIndex, effect: Effect) {
        match effect {
            Effect::Send { to, kind, epoch, sequence, body } => {
                let Some(Heirs { group, checks, members, .. }) = &mut self.heirs else { return };
                checks.leaves(&self.chain, group, member, &members[&member].disk, kind, &body);
                checks.said(kind, &body);
                let (network, id) = (group.network(), group.id());
                let header = messages::Header { network, group: id, member, epoch, sequence, kind };
                match messages::seal(&header, &body, |bytes| members[&member].keys.seal(bytes)) {
                    Ok(sealed) => self.carry_to_heirs(member, to, &sealed),
                    Err(error) => checks.fail(format!("a {kind:?} that no seal carries: {error}")),
                }
            }
            Effect::Relay { to, sealed } => self.carry_to_heirs(member, to, &sealed),
            Effect::Verify { from, evidence } => {
                let event =
                    read(&evidence).filter(|event| self.model.proves(&evidence, &event.payment.event));
                self.answer_heir(
                    member,
                    100,
                    match event {
                        Some(event) => Input::Verified { from, event },
                        None => {
                            Input::VerifyFailed { from, evidence, code: "shape".to_owned(), permanent: true }
                        }
                    },
                );
            }
            Effect::Sign { proposal } => {
                let Some(Heirs { group, checks, members, .. }) = &mut self.heirs else { return };
                checks.bodies.insert(proposal.id(), proposal.clone());
                match sign(group, &proposal, member, |hash| members[&member].keys.sign(hash)) {
                    Ok(partial) => self.answer_heir(member, 20, Input::Signed(partial)),
                    Err(error) => checks.fail(format!("{} cannot sign: {error}", name(member))),
                }
            }
            Effect::Submit { transaction, replaces } => {
                let id = transaction.id();
                let tip = self.heir(member).node_tip;
                let outcome = self.submit_at(tip, transaction, replaces);
                self.answer_heir(member, 50, Input::Submitted { transaction: id, outcome });
            }
            Effect::SubmitRaw { transaction, .. } => self.chain.hand_in_again(&transaction),
            Effect::Draw => {
                let drawn = self.random_hash();
                self.answer_heir(member, 5, Input::Drawn(drawn));
            }
            Effect::Note(Note::Final { transaction, .. }) => {
                if let Some(heirs) = &mut self.heirs {
                    heirs.checks.says_final(&self.chain, member, &transaction);
                }
            }
            Effect::Note(_) => {}
        }
    }

    fn answer_heir(&mut self, heir: MemberIndex, most_ms: u64, input: Input) {
        let life = Some(self.heir(heir).life);
        self.soon(most_ms, Happening::ToHeir { heir, life, input: Box::new(input) });
    }

    fn carry_to_heirs(&mut self, from: MemberIndex, to: To, sealed: &[u8]) {
        let (way, to) = match to {
            To::All => (Way::Gossip, self.heir_members()),
            To::Member(member) => (Way::Stream, vec![member]),
        };
        for heir in to.into_iter().filter(|heir| *heir != from) {
            let by_chance = self.chaos && self.rng.gen_range(0..1_000) < self.scenario.gossip_loss;
            if (way == Way::Gossip && by_chance) || self.may_strike(Fault::Loss) {
                continue;
            }
            let most = if self.may_strike(Fault::Delay) { 5_000 } else { self.scenario.latency_ms };
            let input = Box::new(Input::Received(sealed.to_vec()));
            self.soon(most, Happening::ToHeir { heir, life: None, input });
        }
    }
}
