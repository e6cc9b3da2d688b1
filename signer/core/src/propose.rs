//! What to do about each waiting event: judge what was offered, offer something oneself, or wait.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::{MemberIndex, Sompi};
use igra_tx::{DraftError, EventKey, Outpoint, Proposal, ProposalId, ProposalKind};

use crate::{
    Coordinator, DenialCode, Millis, Note, Step, To, Verdict,
    judge::Refusal,
    messages::{Message, Propose, Refuse},
    offer::Offer,
    rules::Rules,
    stir::SLICE,
};

impl<R: Rules> Coordinator<R> {
    /// Looks at the waiting events that something changed for: what was offered is judged, what nobody offered anything
    /// for is offered where it is this signer's turn.
    pub(crate) fn look_around(&mut self, step: &mut Step) {
        let available = self.chain.available(&self.group);
        let on_its_way = self.chain.on_its_way.unwrap_or_else(|| self.on_its_way());
        debug_assert_eq!(on_its_way, self.on_its_way(), "whatever changes it forgets it");
        self.chain.on_its_way = Some(on_its_way);
        let free = available.checked_sub(on_its_way).unwrap_or(Sompi::ZERO);
        let mut open = BTreeSet::new();
        for event in self.next_slice() {
            // Live approvals bind an event to coins of its own.
            let available = if self.is_fresh(&event) { free } else { available };
            let wanted = self.is_wanted_now(&event, available, step);
            if self.close_due(&event, step) {
                continue;
            }
            self.wanted.set(event, wanted.then(|| self.waits_since(&event)));
            let offered = self.offered_now(&event);
            let fresh = wanted && offered.is_none() && self.is_fresh(&event);
            self.unoffered.set(event, fresh.then(|| self.ripe_at(&event)));
            match offered {
                // Who does not offer a void may still see a reason for one.
                Some(id) if wanted || self.void_reason(&event).is_some() => {
                    self.consider(id, self.views.view, step);
                }
                None if wanted => drop(open.insert(event)),
                Some(_) | None => {}
            }
        }
        if self.views.proposer(&self.group) == self.me {
            open.extend(self.company());
            self.offer_all(open.into_iter().collect(), step);
        }
        let internal = self.attend_internal(step);
        self.views.waiting = self.wanted.first().into_iter().chain(internal).min();
        self.ripening = self.unoffered.after(self.now.monotonic);
    }

    /// What signed transactions spend that no accepted one does yet. Nobody can offer these coins, so waiting for them
    /// is nothing that another view could end.
    fn on_its_way(&self) -> Sompi {
        let signed = self.submissions.iter().filter_map(|(_, id)| self.outbox.get(id));
        let stands = |id: &ProposalId| {
            self.offers.get(id).is_some_and(|offer| offer.is_live() && !self.is_overtaken(offer))
        };
        let coins: BTreeMap<Outpoint, Sompi> = signed
            .filter(|submission| stands(&submission.record.proposal))
            .flat_map(|submission| &submission.record.transaction.proposal.inputs)
            .filter(|coin| !self.chain.spent.contains_key(&coin.outpoint))
            .filter_map(|coin| self.chain.view.coins.get(&coin.outpoint))
            .map(|coin| (coin.outpoint, coin.amount))
            .collect();
        coins.into_values().fold(Sompi::ZERO, Sompi::saturating_add)
    }

    fn offered_now(&self, event: &EventKey) -> Option<ProposalId> {
        self.sessions.get(event).and_then(|session| session.offered_in(self.views.view))
    }

    /// The fresh events that wait longest, and that nobody offered anything for yet.
    fn company(&mut self) -> Vec<EventKey> {
        let oldest: Vec<EventKey> = self.unoffered.in_order().take(SLICE).collect();
        let (open, offered): (Vec<EventKey>, Vec<EventKey>) = oldest.into_iter().partition(|event| {
            self.pending.contains(event) && self.offered_now(event).is_none() && self.is_fresh(event)
        });
        offered.into_iter().for_each(|event| self.unoffered.set(event, None));
        open
    }

    /// A fresh event waits for company first.
    fn waits_since(&self, event: &EventKey) -> Millis {
        if self.is_fresh(event) {
            return self.ripe_at(event);
        }
        self.sessions.get(event).map_or(Millis(0), |session| session.since)
    }

    /// Those that somebody promised something for each by itself, then the others in batches.
    fn offer_all(&mut self, open: Vec<EventKey>, step: &mut Step) {
        let (fresh, bound): (Vec<EventKey>, Vec<EventKey>) =
            open.into_iter().partition(|event| self.is_fresh(event));
        for event in bound {
            let chosen = self.choose(&event);
            self.offer_or_say_why(&[event], chosen, step);
        }
        for mut batch in self.batches(fresh) {
            while !batch.is_empty() {
                let avoid = self.coins_of_others(&BTreeSet::new());
                let (tried, drafted) = self.draft_batch(&batch, &avoid);
                self.offer_or_say_why(&tried, drafted, step);
                batch.retain(|event| !tried.contains(event));
            }
        }
    }

    /// When a batch that this signer would offer has waited long enough.
    pub(crate) fn batch_deadline(&self) -> Option<Millis> {
        self.ripening.filter(|_| self.views.proposer(&self.group) == self.me)
    }

    pub(crate) fn batch_is_due(&self) -> bool {
        self.batch_deadline().is_some_and(|ripe| ripe <= self.now.monotonic)
    }

    /// Whether this signer could do something for the event now.
    fn is_wanted_now(&mut self, event: &EventKey, available: Sompi, step: &mut Step) -> bool {
        self.take_verdict(event, step);
        let Some(session) = self.sessions.get(event) else { return false };
        let spare = usize::from(self.group.quorum().tolerates_stopped(self.group.threshold()));
        let allowed = session.verdict == Some(Verdict::Allow);
        if session.final_claims.len() > spare
            || self.may_promise(ProposalKind::Pay).is_err()
            || !self.chain.synced
        {
            return false;
        }
        if self.needs_void(event) {
            return available > Sompi::ZERO;
        }
        allowed && !self.is_complete(event) && self.has_funds(event, available)
    }

    /// Asks the policy anew, and tells people where it says something else than before.
    fn take_verdict(&mut self, event: &EventKey, step: &mut Step) {
        let verdict = self.verdict_on(event);
        let Some(session) = self.sessions.get_mut(event) else { return };
        let is_news = session.verdict.as_ref().map(Verdict::code) != verdict.as_ref().map(Verdict::code);
        session.verdict = verdict;
        if !is_news {
            return;
        }
        let verdict = &session.verdict;
        match verdict {
            Some(Verdict::Hold { .. }) => self.held.insert(*event),
            Some(Verdict::Allow | Verdict::Deny { .. }) | None => self.held.remove(event),
        };
        match verdict {
            Some(Verdict::Hold { denial, .. }) => {
                step.note(Note::EventHeld { event: *event, denial: denial.clone() });
            }
            Some(Verdict::Deny { denial }) if denial.code == DenialCode::DeadlinePassed => {
                step.note(Note::Expired { event: *event });
            }
            Some(Verdict::Deny { denial }) => {
                step.note(Note::EventDenied { event: *event, denial: denial.clone() });
            }
            Some(Verdict::Allow) | None => {}
        }
    }

    /// A transaction for it is signed and nothing stands in its way.
    fn is_complete(&self, event: &EventKey) -> bool {
        let signed = self.offers.naming(event).filter_map(|(_, offer)| Some((offer, offer.assembled?)));
        signed.into_iter().any(|(offer, transaction)| {
            offer.is_live() && !self.is_overtaken(offer) && !self.is_underpriced(&transaction)
        })
    }

    /// An accepted transaction spends one of its coins.
    pub(crate) fn is_overtaken(&self, offer: &Offer) -> bool {
        let Some(body) = &offer.body else { return false };
        let spender = |outpoint: &Outpoint| self.chain.spent.get(outpoint).copied();
        body.inputs.iter().filter_map(|coin| spender(&coin.outpoint)).any(|by| Some(by) != offer.assembled)
    }

    fn has_funds(&mut self, event: &EventKey, available: Sompi) -> bool {
        let Some(session) = self.sessions.get_mut(event) else { return false };
        let needed = session.event.payment.amount;
        let enough = available >= needed && available > Sompi::ZERO;
        if enough {
            session.blocked = None;
        } else {
            session.blocked =
                Some(format!("the payment needs {needed}, the group can spend {available} now"));
        }
        enough
    }

    /// Judges an offered proposal: approves it, or says once why not.
    pub(crate) fn consider(&mut self, id: ProposalId, view: u64, step: &mut Step) {
        let Some(offer) = self.offers.get(&id) else { return };
        let Some(proposal) = offer.body.clone() else { return };
        if offer.own_under(self.config).is_some() {
            return self.progress(id, step);
        }
        if self.signing.contains_key(&id) {
            return;
        }
        match self.judge(&proposal) {
            Ok(()) => self.begin_approval(id, view, step),
            Err(refusal) => self.refuse(id, view, &proposal.events, refusal, step),
        }
    }

    fn refuse(&mut self, id: ProposalId, view: u64, events: &[EventKey], refusal: Refusal, step: &mut Step) {
        let said = (view, id, refusal.code);
        if events.is_empty() && self.internal.refused.replace(said) == Some(said) {
            return;
        }
        for event in events {
            let Some(session) = self.sessions.get_mut(event) else { continue };
            if session.refused == Some(said) {
                return;
            }
            session.refused = Some(said);
        }
        let Refusal { code, detail, outpoints, events } = refusal;
        step.note(Note::Refused { proposal: id, code, detail: detail.clone(), outpoints: outpoints.clone() });
        let refuse = Refuse { proposal: id, view, code, detail, outpoints, events };
        self.take_refusal(self.me, &refuse);
        self.send(To::All, &Message::Refuse(refuse), step);
    }

    /// Remembers who refuses what, for the next proposer.
    pub(crate) fn take_refusal(&mut self, from: MemberIndex, refuse: &Refuse) {
        let Some(offer) = self.offers.get_mut(&refuse.proposal) else { return };
        offer.refusals.insert(from, refuse.view);
        let named = |event: &&EventKey| refuse.events.is_empty() || refuse.events.contains(event);
        for event in offer.events.iter().filter(named) {
            let Some(session) = self.sessions.get_mut(event) else { continue };
            session.refusals.insert(from, refuse.code);
            if !refuse.events.is_empty() {
                session.refused_by_name.insert(from, refuse.view);
            }
        }
        let Some(body) = &offer.body else { return };
        let concerned = body.outpoints();
        for outpoint in refuse.outpoints.iter().filter(|outpoint| concerned.contains(outpoint)) {
            self.refused_coins.entry(*outpoint).or_default().insert(from, self.now.monotonic);
        }
    }

    /// Offers what was chosen or drafted for events, or remembers why there is nothing to offer.
    fn offer_or_say_why(
        &mut self,
        events: &[EventKey],
        chosen: Result<Proposal, DraftError>,
        step: &mut Step,
    ) {
        match chosen {
            Ok(proposal) => self.propose(proposal, step),
            Err(error) => {
                for event in events {
                    self.cannot_draft(event, &error, step);
                }
            }
        }
    }

    /// One proposal for an event and view: members look at no second one.
    fn propose(&mut self, proposal: Proposal, step: &mut Step) {
        let (view, id) = (self.views.view, proposal.id());
        let offered = |event| self.sessions.get(event).and_then(|session| session.offered_in(view));
        if proposal.events.iter().filter_map(offered).any(|other| other != id) {
            return;
        }
        let encoded = borsh::to_vec(&proposal).expect("a vector takes all bytes");
        let (kind, events) = (proposal.kind, proposal.events.clone());
        let offer = self.offers.entry(id);
        offer.view = Some(view);
        if offer.body.is_none() {
            self.adopt(id, proposal, step);
        }
        for event in &events {
            if let Some(session) = self.sessions.get_mut(event) {
                (session.offered, session.blocked) = (Some((view, id)), None);
            }
        }
        step.note(Note::Proposed { kind, events, proposal: id, view });
        self.send(To::All, &Message::Propose(Propose { view, proposal: encoded }), step);
        if self.offers.get(&id).is_some_and(|offer| offer.own.is_some()) {
            self.send_approval(To::All, id, step);
            self.send_partial(To::All, id, step);
        }
        self.consider(id, view, step);
    }

    fn cannot_draft(&mut self, event: &EventKey, error: &DraftError, step: &mut Step) {
        let Some(session) = self.sessions.get_mut(event) else { return };
        let reason = error.to_string();
        if session.blocked.as_ref() != Some(&reason) {
            step.note(Note::DraftFailed { event: *event, reason: reason.clone() });
            session.blocked = Some(reason);
        }
    }

    /// Coins that proposals for none of these events hold. Reservations are advice: after a whole round without success
    /// only signed transactions keep their coins.
    pub(crate) fn coins_of_others(&self, events: &BTreeSet<EventKey>) -> BTreeSet<Outpoint> {
        let may_lie = self.group.quorum().tolerates_lying(self.group.threshold());
        let stuck = self.views.failures >= u32::from(self.group.threshold().members());
        let holds = |offer: &Offer| offer.is_backed(may_lie) || self.is_on_offer(offer);
        self.coins_to_avoid(events, |offer| holds(offer) && (!stuck || self.may_be_taken(offer)))
    }

    /// It is signed, and the own node shows each of its coins. Where one is missing, a deposit that a reorganisation
    /// removed, it may never be taken, and nothing shows it dead: the other coins must not wait for it for ever.
    pub(crate) fn may_be_taken(&self, offer: &Offer) -> bool {
        let shown = |body: &Proposal| {
            body.inputs.iter().all(|coin| self.chain.view.coins.contains_key(&coin.outpoint))
        };
        offer.is_live() && offer.assembled.is_some() && offer.body.as_ref().is_some_and(shown)
    }

    /// It was offered in this view or the one before, so that approvals of it may be on their way.
    fn is_on_offer(&self, offer: &Offer) -> bool {
        offer.is_live() && offer.view.is_some_and(|view| self.views.view <= view.saturating_add(1))
    }

    /// Coins that are spent already, that too many refuse, or that proposals for none of these events hold.
    pub(crate) fn coins_to_avoid(
        &self,
        events: &BTreeSet<EventKey>,
        holds: impl Fn(&Offer) -> bool,
    ) -> BTreeSet<Outpoint> {
        let held = |outpoint: &Outpoint| {
            // An own approval under way holds its coins before it is recorded: other events come in the same step.
            self.offers.spending(outpoint).any(|(id, offer)| {
                let other = !offer.events.iter().any(|event| events.contains(event));
                other && (holds(offer) || self.signing.contains_key(id))
            })
        };
        let outpoints = self.chain.view.coins.keys().copied();
        outpoints
            .filter(|o| self.chain.spent.contains_key(o) || self.is_widely_refused(o) || held(o))
            .collect()
    }

    fn is_widely_refused(&self, outpoint: &Outpoint) -> bool {
        let spare = usize::from(self.group.quorum().tolerates_stopped(self.group.threshold()));
        let lasting = self.timing.view_timeout_cap.0;
        let fresh = |at: &crate::Millis| self.now.monotonic.0 <= at.0.saturating_add(lasting);
        let refusals = self.refused_coins.get(outpoint);
        refusals.is_some_and(|members| members.values().filter(|at| fresh(at)).count() > spare)
    }
}
