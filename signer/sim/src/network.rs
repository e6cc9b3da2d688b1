//! What the network does to messages between members.

use std::collections::BTreeSet;

use igra_core::{Input, rules::Rules};
use igra_group::MemberIndex;
use rand::Rng;

use crate::{
    fault::Fault,
    keys::name,
    world::{Happening, World},
};

const PARTED_MS: u64 = 8_000;
const MOST_HELD: usize = 500;
const DELAY_MS: u64 = 5_000;
const REORDER_MS: u64 = 1_000;

/// Who cannot reach whom now.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// One side of a partition.
    cut: BTreeSet<MemberIndex>,
    /// Nothing reaches it, though it speaks.
    deaf: Option<MemberIndex>,
    /// What is held back until the network heals, if it comes at once then.
    held: Option<Vec<(MemberIndex, Vec<u8>)>>,
    /// Messages as members of the previous version read them.
    pub read_anew: BTreeSet<Vec<u8>>,
}

/// What carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Gossip,
    Stream,
}

impl Network {
    fn apart(&self, from: MemberIndex, to: MemberIndex) -> bool {
        self.cut.contains(&from) != self.cut.contains(&to) || self.deaf == Some(to)
    }

    fn hold(&mut self, to: MemberIndex, sealed: &[u8]) {
        if let Some(held) = self.held.as_mut().filter(|held| held.len() < MOST_HELD) {
            held.push((to, sealed.to_vec()));
        }
    }
}

impl<R: Rules> World<R> {
    /// Sends sealed bytes; gossip and streams lose, delay, repeat and reorder while there is chaos.
    pub(crate) fn transmit(&mut self, from: MemberIndex, to: MemberIndex, sealed: &[u8], way: Way) {
        if let Some(recorder) = &mut self.recorder {
            recorder.said(&self.group, sealed);
        }
        if self.network.apart(from, to) {
            return self.network.hold(to, sealed);
        }
        let lost = match way {
            Way::Gossip => self.chaos && self.rng.gen_range(0..1_000) < self.scenario.gossip_loss,
            Way::Stream => false,
        };
        if lost || self.strikes(Fault::Loss, to) {
            return;
        }
        let copies = if self.strikes(Fault::Duplicate, to) { 2 } else { 1 };
        for _ in 0..copies {
            let late = if self.strikes(Fault::Delay, to) { DELAY_MS } else { 0 };
            let most = if self.strikes(Fault::Reorder, to) { REORDER_MS } else { self.scenario.latency_ms };
            let at = self.time + late + self.rng.gen_range(0..=most);
            self.at(at, Happening::Deliver { to, sealed: sealed.to_vec() });
        }
    }

    pub(crate) fn deliver(&mut self, to: MemberIndex, sealed: Vec<u8>) {
        let Some(sealed) = self.as_heard(to, sealed) else { return };
        // A liar's coordinator would stop at the first of its lies that it is shown.
        if !self.overhear(to, &sealed) {
            return;
        }
        self.input_to_twin(to, Input::Received(sealed.clone()));
        self.input(to, Input::Received(sealed));
    }

    /// Parts the network now and then.
    pub(crate) fn part(&mut self) {
        let members = self.members();
        let deaf = members[self.rng.gen_range(0..members.len())];
        if self.strikes(Fault::OneWay, deaf) {
            self.tell("world", |_| format!("{} hears nobody", name(deaf)));
            self.network.deaf = Some(deaf);
            self.soon(PARTED_MS, Happening::Heal);
        }
        if members.len() > 1 && self.strikes_all(Fault::Partition) {
            let side = self.rng.gen_range(1..members.len());
            self.network.cut = members.into_iter().take(side).collect();
            self.tell("world", |world| format!("the network parts {:?} from the others", world.network.cut));
            self.network.held = Some(Vec::new());
            self.soon(PARTED_MS, Happening::Heal);
        }
    }

    /// Everybody reaches everybody; what was held back is lost, or comes all at once.
    pub(crate) fn heal(&mut self) {
        let read_anew = std::mem::take(&mut self.network.read_anew);
        let network = std::mem::replace(&mut self.network, Network { read_anew, ..Network::default() });
        let held = network.held.unwrap_or_default();
        if held.is_empty() || !self.strikes_all(Fault::HealStorm) {
            return;
        }
        self.tell("world", |_| format!("the network heals, {} messages come at once", held.len()));
        for (to, sealed) in held {
            self.soon(20, Happening::Deliver { to, sealed });
        }
    }
}
