//! What to do about each waiting event: judge what was offered, offer something oneself, or wait.

use std::collections::BTreeSet;

use igra_group::{MemberIndex, Sompi};
use igra_tx::{
    Draft, DraftError, EventKey, Outpoint, Proposal, ProposalId, ProposalKind, Purpose, Terms, check, draft,
};

use crate::{
    Coordinator, DenialCode, Note, RefusalCode, Step, To, Verdict,
    messages::{Message, Propose, Refuse},
    offer::Offer,
    rules::Rules,
};

/// Why a proposal is not approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: RefusalCode,
    pub detail: String,
    pub outpoints: Vec<Outpoint>,
}

impl Refusal {
    fn new(code: RefusalCode, detail: impl ToString) -> Self {
        Self { code, detail: detail.to_string(), outpoints: Vec::new() }
    }
}

impl<R: Rules> Coordinator<R> {
    /// Looks at every waiting event once.
    pub(crate) fn look_around(&mut self, step: &mut Step) {
        self.stirred = false;
        let mut waiting = None;
        let available = self.chain.spendable_sum(&self.group);
        for event in self.pending.clone() {
            if !self.is_wanted_now(&event, available, step) {
                continue;
            }
            let since = self.sessions.get(&event).map(|session| session.since);
            waiting = match (waiting, since) {
                (Some(a), Some(b)) => Some(std::cmp::min(a, b)),
                (a, b) => a.or(b),
            };
            self.attend(event, step);
        }
        self.views.waiting = waiting;
    }

    fn attend(&mut self, event: EventKey, step: &mut Step) {
        let view = self.views.view;
        let offered = self.sessions.get(&event).and_then(|session| session.offered_in(view));
        match offered {
            Some(id) => self.consider(id, view, step),
            None if self.views.proposer(&self.group) == self.me => self.propose(event, step),
            None => {}
        }
    }

    /// Whether this signer could approve something for the event now.
    fn is_wanted_now(&mut self, event: &EventKey, available: Sompi, step: &mut Step) -> bool {
        let verdict = self.verdict_on(event);
        let Some(session) = self.sessions.get_mut(event) else { return false };
        if session.verdict != verdict {
            match &verdict {
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
            session.verdict = verdict;
        }
        let session = self.sessions.get(event).expect("it was here a moment ago");
        let spare = usize::from(self.group.quorum().tolerates_stopped(self.group.threshold()));
        let allowed = session.verdict == Some(Verdict::Allow);
        let open = allowed && session.final_claims.len() <= spare && !self.is_halted() && self.chain.synced;
        open && !self.is_complete(event) && self.has_funds(event, available)
    }

    /// The policy's word on an event now; the deadline counts only before the first approval.
    pub(crate) fn verdict_on(&self, event: &EventKey) -> Option<Verdict> {
        let session = self.sessions.get(event)?;
        let approved = self.own_approvals(event).next().is_some();
        Some(self.policy.verdict(&session.event, session.seen, approved, &self.volumes, self.now.utc))
    }

    /// A transaction for it is signed and nothing stands in its way.
    fn is_complete(&self, event: &EventKey) -> bool {
        let mut signed = self.offers.naming(event).filter(|(_, offer)| offer.assembled.is_some());
        signed.any(|(_, offer)| offer.is_live() && !self.is_overtaken(offer))
    }

    /// An accepted transaction spends one of its coins.
    fn is_overtaken(&self, offer: &Offer) -> bool {
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
        if offer.own_under(self.config).is_some() || self.signing.contains_key(&id) {
            return;
        }
        match self.judge(&proposal) {
            Ok(()) => self.begin_approval(id, view, step),
            Err(refusal) => self.refuse(id, view, &proposal.events, refusal, step),
        }
    }

    /// The whole check of a proposal, but for its sender.
    pub(crate) fn judge(&self, proposal: &Proposal) -> Result<(), Refusal> {
        if self.is_halted() {
            return Err(Refusal::new(RefusalCode::Stopped, "this signer stopped after an alarm"));
        }
        if !self.chain.synced {
            return Err(Refusal::new(RefusalCode::NodeNotSynced, "the own node is not synced"));
        }
        let event = one_event(proposal)?;
        self.judge_event(event)?;
        self.judge_transaction(proposal, event)?;
        self.is_anchored(proposal).map_err(|conflict| Refusal::new(RefusalCode::Anchor, conflict))
    }

    fn judge_event(&self, event: &EventKey) -> Result<(), Refusal> {
        if self.tombstones.contains_key(event) {
            return Err(Refusal::new(RefusalCode::Final, "a final transaction names the event"));
        }
        if self.chain.link(event).is_some() {
            return Err(Refusal::new(RefusalCode::Accepted, "an accepted transaction names the event"));
        }
        match self.verdict_on(event) {
            None => Err(Refusal::new(RefusalCode::UnknownEvent, "the event is not verified here")),
            Some(Verdict::Allow) => Ok(()),
            Some(Verdict::Hold { denial, .. }) => Err(Refusal::new(RefusalCode::Held, denial.code.as_str())),
            Some(Verdict::Deny { denial }) if denial.code == DenialCode::DeadlinePassed => {
                Err(Refusal::new(RefusalCode::Expired, denial.code.as_str()))
            }
            Some(Verdict::Deny { denial }) => Err(Refusal::new(RefusalCode::Policy, denial.code.as_str())),
        }
    }

    fn judge_transaction(&self, proposal: &Proposal, event: &EventKey) -> Result<(), Refusal> {
        let payment = self.sessions.get(event).map(|session| session.event.payment.clone());
        let expected: Vec<_> = payment.into_iter().collect();
        let terms = Terms { payments: &expected, successor: None, limits: &self.policy.fee };
        check(&self.group, &self.chain.view, proposal, &terms).map_err(|error| Refusal {
            code: RefusalCode::Check,
            detail: error.code().to_owned(),
            outpoints: error.outpoints(),
        })?;
        let outpoints: Vec<Outpoint> = proposal.outpoints().into_iter().collect();
        let spent: Vec<Outpoint> =
            outpoints.iter().copied().filter(|outpoint| self.chain.spent.contains_key(outpoint)).collect();
        if !spent.is_empty() {
            let detail = "an accepted transaction spends a coin of it".to_owned();
            return Err(Refusal { code: RefusalCode::Spent, detail, outpoints: spent });
        }
        self.refuse_double_use(proposal)
    }

    /// One set of signatures must not serve two purposes: the same transaction under another kind or for other events.
    fn refuse_double_use(&self, proposal: &Proposal) -> Result<(), Refusal> {
        let transaction = proposal.transaction_id();
        let shared = proposal.inputs.iter().flat_map(|coin| self.offers.spending(&coin.outpoint));
        let approved = shared.filter(|(id, offer)| offer.own.is_some() || self.signing.contains_key(id));
        let mut bodies = approved.filter_map(|(_, offer)| offer.body.as_ref());
        let other = bodies.any(|body| {
            let same_purpose = body.kind == proposal.kind && body.events == proposal.events;
            !same_purpose && body.transaction_id() == transaction
        });
        if other {
            return Err(Refusal::new(RefusalCode::SameTransaction, "approved before under another proposal"));
        }
        Ok(())
    }

    fn refuse(&mut self, id: ProposalId, view: u64, events: &[EventKey], refusal: Refusal, step: &mut Step) {
        let said = (view, id, refusal.code);
        for event in events {
            let Some(session) = self.sessions.get_mut(event) else { continue };
            if session.refused == Some(said) {
                return;
            }
            session.refused = Some(said);
            session.refusals.insert(self.me, refusal.code);
        }
        let Refusal { code, detail, outpoints } = refusal;
        step.note(Note::Refused { proposal: id, code, detail: detail.clone(), outpoints: outpoints.clone() });
        self.take_refusal(self.me, id, view, &outpoints);
        self.send(To::All, &Message::Refuse(Refuse { proposal: id, view, code, detail, outpoints }), step);
    }

    /// Remembers who refuses what, for the next proposer.
    pub(crate) fn take_refusal(
        &mut self,
        from: MemberIndex,
        id: ProposalId,
        view: u64,
        outpoints: &[Outpoint],
    ) {
        let Some(offer) = self.offers.get_mut(&id) else { return };
        offer.refusals.insert(from, view);
        let Some(body) = &offer.body else { return };
        let concerned = body.outpoints();
        for outpoint in outpoints.iter().filter(|outpoint| concerned.contains(outpoint)) {
            self.refused_coins.entry(*outpoint).or_default().insert(from, self.now.monotonic);
        }
    }

    /// Offers the event a proposal: one that is there already if it can still gather q, else a new draft.
    fn propose(&mut self, event: EventKey, step: &mut Step) {
        let view = self.views.view;
        let proposal = match self.choose(&event) {
            Ok(proposal) => proposal,
            Err(error) => return self.cannot_draft(event, &error, step),
        };
        let id = proposal.id();
        let encoded = borsh::to_vec(&proposal).expect("a vector takes all bytes");
        let events = proposal.events.clone();
        let offer = self.offers.entry(id);
        offer.view = Some(view);
        if offer.body.is_none() {
            self.adopt(id, proposal, step);
        }
        let session = self.sessions.get_mut(&event).expect("only live events are proposed for");
        (session.offered, session.blocked) = (Some((view, id)), None);
        step.note(Note::Proposed { events, proposal: id, view });
        self.send(To::All, &Message::Propose(Propose { view, proposal: encoded }), step);
        if self.offers.get(&id).is_some_and(|offer| offer.own.is_some()) {
            self.send_approval(To::All, id, step);
            self.send_partial(To::All, id, step);
        }
        self.consider(id, view, step);
    }

    fn cannot_draft(&mut self, event: EventKey, error: &DraftError, step: &mut Step) {
        let session = self.sessions.get_mut(&event).expect("only live events are proposed for");
        let reason = error.to_string();
        if session.blocked.as_ref() != Some(&reason) {
            step.note(Note::DraftFailed { event, reason: reason.clone() });
            session.blocked = Some(reason);
        }
    }

    /// A standing offer that everybody is free to approve; else a draft that ends the split, because it shares an input
    /// with each live approval; else a standing offer that enough members are free for; else what the own approvals
    /// leave open.
    fn choose(&self, event: &EventKey) -> Result<Proposal, DraftError> {
        let members = usize::from(self.group.threshold().members());
        if let Some(proposal) = self.standing_offer(event, members) {
            return Ok(proposal);
        }
        let reserved = self.coins_to_avoid(event, |offer| offer.is_engaged());
        let first = match self.draft_for(event, &reserved, Offer::is_engaged) {
            Ok(proposal) => return Ok(proposal),
            Err(error) => error,
        };
        if let Some(proposal) = self.standing_offer(event, self.group.quorum().get().into()) {
            return Ok(proposal);
        }
        let is_own = |offer: &Offer| offer.own.is_some();
        if let Ok(proposal) = self.draft_for(event, &reserved, is_own) {
            return Ok(proposal);
        }
        // Reservations are advice: after a whole round without success only signed transactions keep their coins.
        if usize::try_from(self.views.failures).is_ok_and(|failures| failures < members) {
            return Err(first);
        }
        let signed = self.coins_to_avoid(event, |offer| offer.is_live() && offer.assembled.is_some());
        let wide = self.draft_for(event, &signed, Offer::is_engaged);
        wide.or_else(|_| self.draft_for(event, &signed, is_own)).map_err(|_| first)
    }

    /// The proposal that most members approved, if so many members are free to approve it and the own checks pass.
    fn standing_offer(&self, event: &EventKey, free: usize) -> Option<Proposal> {
        let session = self.sessions.get(event)?;
        let offers = session.offers.iter().filter_map(|id| self.offers.get(id).map(|offer| (id, offer)));
        let usable = offers.filter(|(_, offer)| offer.is_live() && self.can_gather(event, offer, free));
        let best = usable.max_by_key(|(id, offer)| (offer.approvers(self.me).len(), std::cmp::Reverse(**id)));
        best.and_then(|(_, offer)| offer.body.clone())
    }

    fn can_gather(&self, event: &EventKey, offer: &Offer, needed: usize) -> bool {
        let Some(body) = &offer.body else { return false };
        let round = u64::from(self.group.threshold().members());
        let recent = offer.refusals.iter().filter(|(_, view)| self.views.view <= view.saturating_add(round));
        let refusing = recent.map(|(member, _)| *member);
        let tied: BTreeSet<MemberIndex> =
            self.tied_elsewhere(event, body).into_iter().chain(refusing).collect();
        let free = usize::from(self.group.threshold().members()) - tied.len();
        free >= needed && self.judge_transaction(body, event).is_ok() && self.is_anchored(body).is_ok()
    }

    /// Members with a live approval for the event that shares no input with this proposal.
    fn tied_elsewhere(&self, event: &EventKey, body: &Proposal) -> BTreeSet<MemberIndex> {
        let offers = self.offers.naming(event).filter(|(_, offer)| offer.is_engaged());
        let apart = offers
            .filter(|(_, offer)| offer.body.as_ref().is_some_and(|other| !other.shares_input_with(body)));
        apart.flat_map(|(_, offer)| offer.approvers(self.me)).collect()
    }

    /// A new proposal that shares an input with each live proposal of the event that `binds`.
    fn draft_for(
        &self,
        event: &EventKey,
        avoid: &BTreeSet<Outpoint>,
        binds: impl Fn(&Offer) -> bool,
    ) -> Result<Proposal, DraftError> {
        let session = self.sessions.get(event).expect("only live events are drafted for");
        let payment = [session.event.payment.clone()];
        let offers = session.offers.iter().filter_map(|id| self.offers.get(id));
        let bound = offers.filter(|offer| offer.is_live() && binds(offer));
        let must_share: Vec<&Proposal> = bound.filter_map(|offer| offer.body.as_ref()).collect();
        let (purpose, tags) = (Purpose::Pay(&payment), &BTreeSet::new());
        let order = Draft { purpose, tags, limits: &self.policy.fee, avoid, must_share: &must_share };
        draft(&self.group, &self.chain.view, &order)
    }

    /// Coins that are spent already, that too many refuse, or that other events' proposals hold.
    fn coins_to_avoid(&self, event: &EventKey, holds: impl Fn(&Offer) -> bool) -> BTreeSet<Outpoint> {
        let held = |outpoint: &Outpoint| {
            // An own approval under way holds its coins before it is recorded: other events come in the same step.
            self.offers.spending(outpoint).any(|(id, offer)| {
                !offer.events.contains(event) && (holds(offer) || self.signing.contains_key(id))
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

/// One event per proposal, for now.
fn one_event(proposal: &Proposal) -> Result<&EventKey, Refusal> {
    match (proposal.kind, proposal.events.as_slice()) {
        (ProposalKind::Pay, [event]) => Ok(event),
        (ProposalKind::Pay, _) => Err(Refusal::new(RefusalCode::Check, "batch")),
        (ProposalKind::Void | ProposalKind::Consolidate | ProposalKind::Sweep | ProposalKind::Migrate, _) => {
            Err(Refusal::new(RefusalCode::Check, "kind"))
        }
    }
}
