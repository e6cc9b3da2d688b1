//! A second copy of a member's process, started from a copy of its disk, under the same keys.

use std::collections::{BTreeMap, VecDeque};

use igra_core::{
    BlockId, Coordinator, Effect, Input, Millis, Now, Records, Signs, Step, UnixSeconds, rules::Rules,
};
use igra_group::MemberIndex;
use igra_tx::sign;

use crate::{
    disk::Disk,
    fault::Fault,
    feed::read,
    keys::name,
    story,
    world::{START_UTC, TIMING, World},
};

/// The copies that run.
pub(crate) struct Twins<R: Rules>(BTreeMap<MemberIndex, Twin<R>>);

struct Twin<R: Rules> {
    mind: Coordinator<R>,
    disk: Disk,
    started: u64,
    node_tip: BlockId,
}

impl<R: Rules> Default for Twins<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R: Rules> World<R> {
    /// Somebody starts the member once more, elsewhere.
    pub(crate) fn copy(&mut self, member: MemberIndex) {
        self.hit(Fault::TwoCopies, member);
        self.tell(name(member), |_| "runs twice from now on".to_owned());
        let disk = self.signers[&member].disk.clone();
        let Ok(records) = Records::read(disk.rows()) else { return };
        let node_tip = records.cursor().unwrap_or(self.chain.below_tip(u64::MAX));
        let (group, policy, started) = (self.group.clone(), self.usual_policy(), self.time);
        let now = Now { monotonic: Millis(0), utc: UnixSeconds(START_UTC + self.time / 1_000) };
        let (mind, step) =
            Coordinator::restore_under(group, member, policy, TIMING, records, Signs::default(), now);
        self.twins.0.insert(member, Twin { mind, disk, started, node_tip });
        self.perform_as_twin(member, step);
        for other in self.others(member) {
            self.input_to_twin(member, Input::PeerUp(other));
        }
    }

    /// With each block a copy sees what its node shows, and its timers run.
    pub(crate) fn twins_live(&mut self) {
        let members: Vec<MemberIndex> = self.twins.0.keys().copied().collect();
        for member in members {
            let (from, to) = (self.twins.0[&member].node_tip, self.chain.tip);
            let (chain, wallet) = (self.chain_update(from, to), self.wallet_update(member, to));
            self.twin(member).node_tip = to;
            self.input_to_twin(member, Input::Chain(chain));
            self.input_to_twin(member, Input::Wallet(wallet));
            self.input_to_twin(member, Input::Tick);
        }
    }

    fn twin(&mut self, member: MemberIndex) -> &mut Twin<R> {
        self.twins.0.get_mut(&member).expect("only what runs twice has a copy")
    }

    /// What reaches the member reaches its copy too.
    pub(crate) fn input_to_twin(&mut self, member: MemberIndex, input: Input) {
        if !self.twins.0.contains_key(&member) {
            return;
        }
        let utc = UnixSeconds(START_UTC + self.time / 1_000);
        let monotonic = Millis(self.time - self.twin(member).started);
        let told = self.trace.is_some().then(|| story::input(&self.group, &input));
        let step = self.twin(member).mind.handle(Now { monotonic, utc }, input);
        if let Some(line) = told.and_then(|told| story::step(&told, &step)) {
            self.tell(name(member), |_| format!("(its copy) {line}"));
        }
        self.perform_as_twin(member, step);
    }

    fn perform_as_twin(&mut self, member: MemberIndex, step: Step) {
        if !step.writes.is_empty() {
            self.twin(member).disk.commit(step.writes);
        }
        let mut answers = VecDeque::new();
        for effect in step.effects {
            answers.extend(self.effect_of_twin(member, effect));
        }
        for answer in answers {
            self.input_to_twin(member, answer);
        }
    }

    fn effect_of_twin(&mut self, member: MemberIndex, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Send { to, kind, epoch, sequence, body } => {
                let disk = &self.twins.0[&member].disk;
                self.checks.leaves(&self.chain, &self.group, member, disk, kind, &body);
                self.seal_and_carry(member, to, kind, (epoch, sequence), &body);
                None
            }
            Effect::Relay { to, sealed } => {
                self.carry(member, to, &sealed);
                None
            }
            Effect::Verify { from, evidence } => {
                let event = read(&evidence)?;
                let proven = self.model.proves(&evidence, &event.payment.event);
                proven.then_some(Input::Verified { from, event })
            }
            Effect::Sign { proposal } => {
                self.checks.bodies.insert(proposal.id(), proposal.clone());
                let keys = &self.signers[&member].keys;
                sign(&self.group, &proposal, member, |hash| keys.sign(hash)).ok().map(Input::Signed)
            }
            Effect::Submit { transaction, replaces } => {
                let id = transaction.id();
                let outcome = self.submit(member, transaction, replaces);
                Some(Input::Submitted { transaction: id, outcome })
            }
            Effect::SubmitRaw { transaction, .. } => {
                self.chain.hand_in_again(&transaction);
                None
            }
            Effect::Draw => Some(Input::Drawn(self.random_hash())),
            Effect::Note(_) => None,
        }
    }
}
