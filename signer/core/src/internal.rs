//! The group's own transactions: sweeps that wash its coins, consolidations, the move to another group. They name no
//! event and pay the group only (a move: its successor), are approved, signed and followed like payments, and move no
//! view on.

use std::collections::BTreeSet;

use igra_group::{MemberIndex, Sompi};
use igra_tx::{
    Draft, DraftError, EventKey, Outpoint, Proposal, ProposalId, ProposalKind, Purpose, Script, draft,
};

use crate::{
    Coordinator, Ignored, Millis, Note, RefusalCode, Step, To, UnixSeconds,
    judge::Refusal,
    messages::{Message, Propose},
    offer::Offer,
    rules::Rules,
};

/// Under which key such proposals stand in digests.
pub(crate) const INTERNAL: EventKey = EventKey::from_bytes([0; 32]);

// Proposals kept.
const MOST_KEPT: usize = 64;

/// What is known of the group's own transactions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Internal {
    /// Those that can still become final.
    pub offers: BTreeSet<ProposalId>,
    /// What the proposer of a view offered last.
    pub offered: Option<(u64, ProposalId)>,
    /// What came for a view that this signer has not reached.
    pub early: Option<(u64, ProposalId)>,
    /// What this signer last said no to, so that it says so once.
    pub refused: Option<(u64, ProposalId, RefusalCode)>,
    /// What those cost that this signer approved, but for dead ones.
    pub fees: Vec<Cost>,
    /// Since when one is wanted.
    since: Option<Millis>,
    /// Why this signer could not draft one.
    pub blocked: Option<String>,
}

/// What this signer would offer now.
enum Wanted {
    /// None, or what is signed already serves.
    Nothing,
    /// One whose coins are left to proposals for events, as long as those get anywhere.
    Later,
    Draft(Result<Proposal, DraftError>),
}

/// A fee that this signer agreed to.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    pub proposal: ProposalId,
    pub approved: UnixSeconds,
    pub fee: Sompi,
}

impl Internal {
    pub(crate) fn offered_in(&self, view: u64) -> Option<ProposalId> {
        let of_view = |(offered, id): (u64, ProposalId)| (offered == view).then_some(id);
        self.offered.and_then(of_view).or_else(|| self.early.and_then(of_view))
    }
}

impl<R: Rules> Coordinator<R> {
    /// A proposal that names no event, from the proposer of a view that is not over.
    pub(crate) fn on_internal_proposal(
        &mut self,
        from: MemberIndex,
        view: u64,
        proposal: Proposal,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let id = proposal.id();
        self.room_for_internal(id)?;
        if view > self.views.view {
            // Whoever names a far view must not take the place of the next ones.
            let (here, round) = (self.views.view, u64::from(self.group.threshold().members()));
            let nearer = self.internal.early.is_some_and(|(early, _)| early > here && early < view);
            if nearer || view > here.saturating_add(round) {
                return Err(Ignored::TooMany);
            }
            self.internal.early = Some((view, id));
            self.know(id, proposal, view, step);
            return Err(Ignored::EarlyView);
        }
        // One after another: the next one once this one is on its way.
        if self.internal.offered_in(view).is_some_and(|known| known != id && self.is_under_way(&known)) {
            return Err(Ignored::TooMany);
        }
        self.internal.offered = Some((view, id));
        self.know(id, proposal, view, step);
        if self.offers.entry(id).own.is_some() && self.may_answer(from).is_ok() {
            self.send_approval(To::All, id, step);
            self.send_partial(To::All, id, step);
        }
        self.consider(id, view, step);
        Ok(())
    }

    /// Neither complete nor beyond hope.
    fn is_under_way(&self, id: &ProposalId) -> bool {
        self.offers
            .get(id)
            .is_some_and(|offer| offer.is_live() && offer.assembled.is_none() && !self.is_overtaken(offer))
    }

    /// Makes room by forgetting what binds nobody here.
    pub(crate) fn room_for_internal(&mut self, id: ProposalId) -> Result<(), Ignored> {
        if self.internal.offers.contains(&id) || self.internal.offers.len() < MOST_KEPT {
            return Ok(());
        }
        let kept = [self.internal.offered, self.internal.early].map(|offered| offered.map(|(_, id)| id));
        let loose = |id: &ProposalId| {
            let bound = |offer: &Offer| offer.own.is_some() || offer.assembled.is_some();
            let bound = self.offers.get(id).is_some_and(bound) || self.signing.contains_key(id);
            !bound && !kept.contains(&Some(*id))
        };
        let fewest = self.internal.offers.iter().copied().filter(loose).min_by_key(|id| {
            self.offers.get(id).map_or((0, None), |offer| (offer.approvals.len(), offer.view))
        });
        self.drop_offer(fewest.ok_or(Ignored::TooMany)?);
        Ok(())
    }

    /// Judges what was offered, or offers what is wanted where it is this signer's turn. Returns since when something
    /// is wanted.
    pub(crate) fn attend_internal(&mut self, step: &mut Step) -> Option<Millis> {
        let view = self.views.view;
        let offered = self.internal.offered_in(view);
        if let Some(id) = offered {
            self.consider(id, view, step);
        }
        let wanted = self.draft_internal();
        self.internal.blocked = match &wanted {
            Wanted::Draft(Err(error)) => Some(error.to_string()),
            Wanted::Draft(Ok(_)) | Wanted::Later | Wanted::Nothing => None,
        };
        if matches!(wanted, Wanted::Nothing | Wanted::Draft(Err(_))) {
            self.internal.since = None;
            return None;
        }
        let since = *self.internal.since.get_or_insert(self.now.monotonic);
        let busy = offered.is_some_and(|id| self.is_under_way(&id));
        if let Wanted::Draft(Ok(proposal)) = wanted
            && !busy
            && self.views.proposer(&self.group) == self.me
        {
            self.offer_internal(proposal, step);
        }
        Some(since)
    }

    fn offer_internal(&mut self, proposal: Proposal, step: &mut Step) {
        let (view, kind, id) = (self.views.view, proposal.kind, proposal.id());
        if self.room_for_internal(id).is_err() {
            return;
        }
        self.internal.offered = Some((view, id));
        let encoded = borsh::to_vec(&proposal).expect("a vector takes all bytes");
        self.know(id, proposal, view, step);
        step.note(Note::Proposed { kind, events: Vec::new(), proposal: id, view });
        self.send(To::All, &Message::Propose(Propose { view, proposal: encoded }), step);
        if self.offers.get(&id).is_some_and(|offer| offer.own.is_some()) {
            self.send_approval(To::All, id, step);
            self.send_partial(To::All, id, step);
        }
        self.consider(id, view, step);
    }

    /// The one that is wanted now, if this signer may promise one: a sweep or, every other round, a move; and a
    /// consolidation where there is neither.
    fn draft_internal(&self) -> Wanted {
        if !self.chain.synced {
            return Wanted::Nothing;
        }
        let free = |kind: ProposalKind| self.may_promise(kind).is_ok();
        let successor = self.successor().filter(|_| free(ProposalKind::Migrate));
        // Who tells each member another tag has each want a sweep that the others refuse: every other round of views is
        // the move's.
        let round = self.views.view / u64::from(self.group.threshold().members());
        let (sweeps, turn) = match successor {
            Some(_) => (round.is_multiple_of(2), round / 2),
            None => (true, round),
        };
        let sweep = match sweeps && free(ProposalKind::Sweep) {
            true => self.draft_sweep(turn),
            false => Wanted::Nothing,
        };
        if matches!(sweep, Wanted::Later | Wanted::Draft(Ok(_))) {
            return sweep;
        }
        // Coins that cannot be swept stand in the way of nothing else.
        match self.draft_move_or_consolidation(successor) {
            Wanted::Nothing => sweep,
            other => other,
        }
    }

    /// For the first tag that a sweep can be drafted for.
    fn draft_sweep(&self, turn: u64) -> Wanted {
        let mut stands = Wanted::Nothing;
        for coins in self.coins_to_sweep(turn) {
            match self.draft_from(&coins, &Purpose::Sweep(&coins)) {
                drafted @ Wanted::Draft(Ok(_)) => return drafted,
                Wanted::Later => stands = Wanted::Later,
                failed @ Wanted::Draft(Err(_)) if matches!(stands, Wanted::Nothing) => stands = failed,
                Wanted::Draft(Err(_)) | Wanted::Nothing => {}
            }
        }
        stands
    }

    fn draft_move_or_consolidation(&self, successor: Option<&Script>) -> Wanted {
        if let Some(successor) = successor {
            let coins = self.chain.view.spendable(&self.group).map(|coin| coin.outpoint).collect();
            return self.draft_from(&coins, &Purpose::Migrate(successor));
        }
        let free = self.may_promise(ProposalKind::Consolidate).is_ok();
        let consolidates = free && self.may_consolidate().is_ok();
        let coins: BTreeSet<Outpoint> = match consolidates {
            true => self.chain.view.spendable(&self.group).map(|coin| coin.outpoint).collect(),
            false => return Wanted::Nothing,
        };
        match self.draft_from(&coins, &Purpose::Consolidate) {
            // Nothing hangs on it.
            Wanted::Later => Wanted::Nothing,
            wanted => wanted,
        }
    }

    /// Coins that proposals for events hold are left to these, which carry the tags too; after a whole round of views
    /// that brought nothing only what is signed keeps its coins.
    fn draft_from(&self, coins: &BTreeSet<Outpoint>, purpose: &Purpose<'_>) -> Wanted {
        // What pays too little by now may be drafted once more.
        let on_its_way = |offer: &Offer| {
            offer.is_live() && offer.assembled.is_some_and(|transaction| !self.is_underpriced(&transaction))
        };
        let taken = |offer: &Offer| on_its_way(offer) && self.may_be_taken(offer);
        let held = |offer: &Offer| !offer.events.is_empty() && offer.is_engaged() || on_its_way(offer);
        let members = u32::from(self.group.threshold().members());
        let nothing = BTreeSet::new();
        let (mut avoid, signed) = (self.coins_to_avoid(&nothing, held), self.coins_to_avoid(&nothing, taken));
        if coins.is_subset(&signed) {
            return Wanted::Nothing;
        }
        if coins.is_subset(&avoid) {
            if self.views.failures < members {
                return Wanted::Later;
            }
            avoid = signed;
        }
        let tags = self.served_tags();
        let limits = &self.policy.fee;
        let order = Draft { purpose: *purpose, tags: &tags, limits, avoid: &avoid, must_share: &[] };
        Wanted::Draft(draft(&self.group, &self.chain.view, &order))
    }

    pub(crate) fn successor(&self) -> Option<&Script> {
        self.policy.internal.successor.as_ref()
    }

    /// What a proposal that names no event is for, and what it costs.
    pub(crate) fn judge_internal(&self, proposal: &Proposal) -> Result<(), Refusal> {
        match proposal.kind {
            ProposalKind::Sweep => self.judge_sweep(proposal)?,
            ProposalKind::Consolidate => self.may_consolidate()?,
            // Where it pays is looked at with the transaction.
            ProposalKind::Migrate => {}
            ProposalKind::Pay | ProposalKind::Void => {
                return Err(Refusal::new(RefusalCode::Check, "kind"));
            }
        }
        self.judge_internal_fee(proposal)
    }

    /// Many coins, low fees, and nothing else to do.
    fn may_consolidate(&self) -> Result<(), Refusal> {
        let refused = |detail: &str| Err(Refusal::new(RefusalCode::Policy, detail));
        let Some(rules) = &self.policy.internal.consolidate else {
            return refused("consolidate");
        };
        let coins = self.chain.view.spendable(&self.group).count();
        if coins < usize::try_from(rules.coins).unwrap_or(usize::MAX) {
            return refused("consolidate.coins");
        }
        if self.chain.view.fee_rate.get() > rules.max_sompi_per_gram {
            return refused("consolidate.max_sompi_per_gram");
        }
        let allowed = |event: &EventKey| self.verdict_on(event) == Some(crate::Verdict::Allow);
        match self.pending.iter().any(allowed) {
            true => refused("consolidate.idle"),
            false => Ok(()),
        }
    }

    /// The fees of all that this signer approved within the window, this one's among them; of those that share an input
    /// the chain takes one alone, so what shares one with this does not count beside it.
    fn judge_internal_fee(&self, proposal: &Proposal) -> Result<(), Refusal> {
        let rules = &self.policy.internal.fees;
        // A clock that was set back frees nothing.
        let recent = |cost: &&Cost| cost.approved.0.saturating_add(rules.seconds) > self.now.utc.0;
        let rivals = |cost: &&Cost| {
            let body = self.offers.get(&cost.proposal).and_then(|offer| offer.body.as_ref());
            body.is_some_and(|body| body.shares_input_with(proposal))
        };
        let beside = self.internal.fees.iter().filter(recent).filter(|cost| !rivals(cost));
        let all = beside.map(|cost| cost.fee).chain(proposal.fee()).fold(Sompi::ZERO, Sompi::saturating_add);
        if all > rules.max {
            return Err(Refusal::new(RefusalCode::Held, "internal.fees"));
        }
        Ok(())
    }

    /// What an own approval of one changes for good.
    pub(crate) fn count_internal(&mut self, proposal: &Proposal, step: &mut Step) {
        if proposal.kind.names_events() {
            return;
        }
        let (id, approved) = (proposal.id(), self.now.utc);
        self.internal.fees.extend(proposal.fee().map(|fee| Cost { proposal: id, approved, fee }));
        if proposal.kind == ProposalKind::Migrate {
            self.end_payments(step);
        }
    }

    /// The group moves: this member pays nothing more from here.
    pub(crate) fn end_payments(&mut self, step: &mut Step) {
        if !self.past.moved {
            self.past.moved = true;
            step.writes.push(crate::Row::past(&self.past));
            step.note(Note::PaymentsEnded);
        }
    }

    /// Those that are final or dead need no more care.
    pub(crate) fn forget_ended_internals(&mut self, step: &mut Step) {
        let ended = |id: &ProposalId| {
            let Some(offer) = self.offers.get(id) else { return true };
            let transaction = offer.body.as_ref().map(Proposal::transaction_id);
            let record = transaction.and_then(|transaction| self.chain.accepted.get(&transaction));
            !offer.is_live() || record.is_some_and(|record| record.is_final)
        };
        let ended: Vec<ProposalId> = self.internal.offers.iter().copied().filter(ended).collect();
        for id in ended {
            if self.offers.get(&id).is_some_and(|offer| !offer.is_live()) {
                self.internal.fees.retain(|cost| cost.proposal != id);
            }
            self.forget_offer(&id, step);
        }
    }
}
