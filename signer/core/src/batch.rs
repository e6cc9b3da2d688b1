//! Which events are paid together.
//!
//! Fresh events, those that nobody approved anything for, wait for company no longer than the policy says and share one
//! transaction. An event that somebody refused by its name goes alone for a while, so that it holds back no other. Where
//! events contend for a coin that live approvals bind them to, one transaction for all of them ends the contest.

use std::collections::BTreeSet;

use igra_tx::{DraftError, EventKey, Outpoint, Proposal};

use crate::{Coordinator, Millis, offer::Offer, rules::Rules, volume::VolumeEntry};

impl<R: Rules> Coordinator<R> {
    /// Nobody approved anything for it that still stands, as far as is known here.
    pub(crate) fn is_fresh(&self, event: &EventKey) -> bool {
        !self.offers.naming(event).any(|(id, offer)| offer.is_engaged() || self.signing.contains_key(&id))
    }

    /// When a fresh event has waited long enough for company.
    pub(crate) fn ripe_at(&self, event: &EventKey) -> Millis {
        let since = self.sessions.get(event).map_or(Millis(0), |session| session.since);
        Millis(since.0.saturating_add(self.policy.batch.wait.0))
    }

    /// Of fresh events those that are offered now, in batches: the oldest first, those that somebody refused by name
    /// alone.
    pub(crate) fn batches(&self, fresh: Vec<EventKey>) -> Vec<Vec<EventKey>> {
        let most = usize::from(self.policy.batch.most).max(1);
        let (alone, mut together): (Vec<EventKey>, Vec<EventKey>) =
            fresh.into_iter().partition(|event| self.was_refused(event));
        together.sort_by_key(|event| (self.ripe_at(event), *event));
        let mut batches: Vec<Vec<EventKey>> = together.chunks(most).map(<[EventKey]>::to_vec).collect();
        // Only the last one can have room left; it goes once its oldest has waited.
        let waits = |batch: &Vec<EventKey>| {
            batch.len() < most && self.ripe_at(&batch[0]) > self.now.monotonic && most > 1
        };
        batches.retain(|batch| !waits(batch));
        batches.extend(alone.into_iter().map(|event| vec![event]));
        batches
    }

    /// More members than the group can spare named it as the reason of a refusal within the last round of views.
    fn was_refused(&self, event: &EventKey) -> bool {
        let round = u64::from(self.group.threshold().members());
        let recent = |view: &&u64| self.views.view <= view.saturating_add(round);
        let refused = self.sessions.get(event).map(|session| &session.refused_by_name);
        refused.is_some_and(|by| by.values().filter(recent).count() > self.can_spare())
    }

    /// How many members may refuse before a proposal changes for them. Where views pass without success, those who are
    /// silent may be all that the group can spare.
    pub(crate) fn can_spare(&self) -> usize {
        let spare = self.group.quorum().tolerates_stopped(self.group.threshold());
        if self.views.failures > 0 { 0 } else { spare.into() }
    }

    /// The first of these events that the policy allows beside one another.
    fn allowed_together(&self, events: &[EventKey]) -> Vec<EventKey> {
        let mut beside: Vec<(EventKey, VolumeEntry)> = Vec::new();
        for event in events {
            beside.extend(self.judge_payment(event, &beside).ok());
        }
        beside.into_iter().map(|(event, _)| event).collect()
    }

    /// One draft for as many of the events as one transaction and the coins allow, the first ones before the others, and
    /// which events it was tried for: the rest is for the next one. An event that cannot be paid is tried alone.
    pub(crate) fn draft_batch(
        &self,
        events: &[EventKey],
        avoid: &BTreeSet<Outpoint>,
    ) -> (Vec<EventKey>, Result<Proposal, DraftError>) {
        let mut tried = self.allowed_together(events);
        if tried.is_empty() {
            tried.extend(events.first());
        }
        loop {
            let drafted = self.draft_payments(&tried, avoid, &[]);
            if drafted.is_ok() || tried.len() <= 1 {
                return (tried, drafted);
            }
            tried.truncate(tried.len() / 2);
        }
    }

    /// The event with all that contend with it for coins which live approvals bind them to, and the approvals that a
    /// transaction for all of them has to share an input with.
    pub(crate) fn contenders(&self, event: &EventKey) -> (BTreeSet<EventKey>, Vec<&Proposal>) {
        let most = usize::from(self.policy.batch.most).max(1);
        let mut events = BTreeSet::from([*event]);
        let mut bound: Vec<&Proposal> = Vec::new();
        let mut next = vec![*event];
        while let Some(event) = next.pop() {
            for (_, offer) in self.offers.naming(&event).filter(|(_, offer)| offer.is_engaged()) {
                let Some(body) = &offer.body else { continue };
                if bound.contains(&body) {
                    continue;
                }
                bound.push(body);
                for other in self.engaged_on_coins_of(body) {
                    if events.len() < most && self.may_join(&other) && events.insert(other) {
                        next.push(other);
                    }
                }
            }
        }
        (events, bound)
    }

    fn engaged_on_coins_of(&self, body: &Proposal) -> BTreeSet<EventKey> {
        let rivals = body.inputs.iter().flat_map(|coin| self.offers.spending(&coin.outpoint));
        let engaged = rivals.filter(|(_, offer)| offer.is_engaged());
        engaged.flat_map(|(_, offer): (_, &Offer)| offer.events.iter().copied()).collect()
    }

    fn may_join(&self, event: &EventKey) -> bool {
        self.pending.contains(event) && self.judge_payment(event, &[]).is_ok()
    }
}
