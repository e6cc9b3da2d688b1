//! Lies about what the group does for itself: tags, sweeps, consolidations, ends that nobody saw.

use std::collections::BTreeSet;

use igra_core::{
    PolicyDigest, To,
    messages::{Ended, EndedEvent, Hello, History, Message, Standing},
    rules::Rules,
};
use igra_group::MemberIndex;
use igra_tx::{EventKey, ProposalKind, Purpose, Tag, TransactionId};
use rand::{Rng, seq::SliceRandom};

use crate::world::World;

impl<R: Rules> World<R> {
    /// A hello with a tag that was never there before, to everybody or to each a tag of its own.
    pub(super) fn ask_for_another_tag(&mut self, liar: MemberIndex) {
        let to: Vec<To> = match self.rng.gen_bool(0.5) {
            true => vec![To::All],
            false => self.others(liar).into_iter().map(To::Member).collect(),
        };
        for to in to {
            let tag = self.random_hash();
            self.liars.get_mut(liar).tag = Some(Tag::from_bytes(tag));
            let hello = Hello {
                promise: self.liars.get_mut(liar).promise,
                seen: vec![0; usize::from(self.scenario.shape.members)],
                view: self.others_view(),
                config: self.group.config_digest(),
                policy: PolicyDigest::from_bytes(self.random_hash()),
                software: "9".to_owned(),
                tag: Some(tag),
                // One that asks for an answer each time would drown in them.
                standing: Standing { heard: Vec::new(), answer: true },
            };
            self.lie(liar, to, &Message::Hello(hello));
        }
    }

    /// A sweep under tags that its coins have, or nobody serves, or a consolidation of what is there.
    pub(super) fn move_coins_again(&mut self, liar: MemberIndex) {
        let coins = self.coins_at_tip();
        let tags = self.some_tags(liar);
        let purpose = match self.rng.gen_range(0..4) {
            0 => Purpose::Consolidate,
            _sweep => Purpose::Sweep(&coins),
        };
        let Some(proposal) = self.drafted_for(self.chain.tip, purpose, &tags, &BTreeSet::new()) else {
            return;
        };
        let view = self.own_turn(liar);
        self.offer(liar, To::All, view, &proposal);
        self.promise_anything(liar, &proposal, To::All);
        self.liars.bodies.insert(proposal.id(), proposal);
    }

    fn some_tags(&mut self, liar: MemberIndex) -> BTreeSet<Tag> {
        let own = self.liars.get_mut(liar).tag;
        let honest = self.honest();
        let other = honest.choose(&mut self.rng).and_then(|member| self.signers[member].mind.as_ref());
        let served = other.map(|mind| mind.view().tags).unwrap_or_default();
        match self.rng.gen_range(0..4) {
            0 => BTreeSet::new(),
            1 => [Tag::from_bytes(self.random_hash())].into(),
            2 => own.into_iter().collect(),
            _served => served,
        }
    }

    /// To whoever asks what it missed: nothing, or what never was.
    pub(super) fn tell_another_history(&mut self, liar: MemberIndex) {
        let Some((to, asked)) = self.liars.asked.filter(|(to, _)| *to != liar) else { return };
        let never = EndedEvent {
            event: EventKey::from_bytes([8; 32]),
            transaction: TransactionId::from_bytes(self.random_hash()),
            kind: ProposalKind::Pay,
            daa_score: asked.from,
        };
        let ended = if self.rng.gen_bool(0.5) { vec![never] } else { Vec::new() };
        let history = History { asked, upto: None, moved: self.rng.gen_bool(0.3), ended };
        self.lie(liar, To::Member(to), &Message::History(history));
    }

    /// An end somewhere in the chain, in the hope that somebody could not look there.
    pub(super) fn made_up_end(&mut self) -> Option<Ended> {
        let spends = self.coins_at_tip().into_iter().collect();
        let daa_score = self.rng.gen_range(0..=self.chain.tip_daa());
        let kind = self.rng.gen_bool(0.5).then_some(ProposalKind::Pay);
        self.rng.gen_bool(0.7).then_some(Ended { kind, daa_score, spends })
    }
}
