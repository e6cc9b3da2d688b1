//! A move to another group: what the successor may do.

use std::collections::BTreeMap;

use igra_core::{Handover, OldCoin, may_begin};
use igra_tx::Outpoint;

use crate::{
    mask::Mask,
    model::{Action, Model},
    rules::{Bend, Rules, daa_score},
    state::State,
    universe::{AMOUNT, DUST},
};

impl Model<'_> {
    pub(crate) fn successor(&mut self, state: &State, out: &mut Vec<(Action, State)>) {
        if !state.successor.begun
            && let Some(tombstones) = self.rules.begins_with(state)
        {
            let mut next = *state;
            (next.successor.begun, next.successor.tombstones) = (true, tombstones);
            out.push((Action::Begin, next));
        }
        let dead = self.rules.dead(state);
        for x in (0..self.universe.len()).filter(|x| self.universe.transactions[*x].by_new) {
            let (transaction, successor) = (&self.universe.transactions[x], &state.successor);
            let known = successor.promised.has(x) || !(successor.tombstones & transaction.events).is_empty();
            let may = successor.begun && !known && self.can_be(state, x);
            if may && self.rules.is_free(x, successor.promised, dead) {
                let mut next = *state;
                next.successor.promised = successor.promised | Mask::one(x);
                next.successor.signed = successor.signed | Mask::one(x);
                out.push((Action::Succeed(x), next));
            }
        }
    }
}

impl Rules<'_> {
    /// The events of which the successor knows the end if it begins now; none if it may not.
    fn begins_with(&self, state: &State) -> Option<Mask> {
        if self.universe.new_coins == 0 {
            return None;
        }
        let chain = if self.bends(Bend::BeginsAtAccepted) { state.chain() } else { state.final_ };
        let untold = self.bends(Bend::BeginsUntold);
        let tombstones = if untold { Mask::NONE } else { self.universe.events_of(chain) };
        (self.bends(Bend::BeginsAtOnce) || self.ask_begin(chain, state)).then_some(tombstones)
    }

    fn ask_begin(&self, chain: Mask, state: &State) -> bool {
        let daa_score = |x: usize| daa_score(self.universe, chain, state, x);
        let moved = (chain & self.universe.migrations).each();
        let migrations: Vec<(u64, bool)> = moved.map(|x| (daa_score(x), true)).collect();
        let standing = match self.bends(Bend::BeginsEarly) {
            true => 0,
            false => self.universe.coins(chain) & !self.universe.new_coins,
        };
        let deposited = |coin: usize| match self.universe.maker[coin] {
            None => Some(0),
            Some(maker) if !self.universe.deposits.has(maker) => None,
            Some(_) if self.bends(Bend::LateByMemory) => Some(u64::MAX),
            Some(maker) => Some(daa_score(maker)),
        };
        let coins = (0..self.universe.outpoints.len()).filter(|coin| standing >> coin & 1 == 1);
        let old = |coin: usize| OldCoin { amount: AMOUNT, deposited: deposited(coin) };
        let coins: BTreeMap<Outpoint, OldCoin> =
            coins.map(|coin| (self.universe.outpoints[coin], old(coin))).collect();
        may_begin(&Handover { migrations: &migrations, coins: &coins, gapless: true }, DUST).is_ok()
    }
}
