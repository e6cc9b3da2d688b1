//! Which proposal to offer for an event that somebody already promised something for: one that most can approve, so that
//! a split ends.

use std::collections::BTreeSet;

use igra_group::MemberIndex;
use igra_tx::{
    Draft, DraftError, EventKey, FeeRate, Outpoint, Payment, Proposal, ProposalKind, Purpose, draft,
    fee_rate, raise_fee,
};

use crate::{Coordinator, offer::Offer, rules::Rules};

impl<R: Rules> Coordinator<R> {
    /// A void where the event must not be paid any more, else a payment: a signed one that pays too little is raised.
    pub(crate) fn choose(&self, event: &EventKey) -> Result<Proposal, DraftError> {
        let kind = if self.needs_void(event) { ProposalKind::Void } else { ProposalKind::Pay };
        match self.raise_for(event, kind) {
            Some(raised) => Ok(raised),
            None => self.choose_for(event, kind),
        }
    }

    /// In this order: a standing offer that everybody is free to approve; a draft that ends the split, because it
    /// shares an input with each live approval, for all events that contend; a standing offer that q are free for; a
    /// draft that shares an input with each live approval of some q members; what the own approvals leave open.
    fn choose_for(&self, event: &EventKey, kind: ProposalKind) -> Result<Proposal, DraftError> {
        let members = usize::from(self.group.threshold().members());
        let (contending, bound) = self.contenders(event);
        let ends_it = |body: &Proposal| contending.iter().all(|event| body.events.contains(event));
        if let Some(proposal) = self.standing_offer(event, kind, members, ends_it) {
            return Ok(proposal);
        }
        let reserved = self.coins_of_others(&BTreeSet::from([*event]));
        let first = match self.draft_for_all(event, kind, &contending, &bound, &reserved) {
            Ok(proposal) => return Ok(proposal),
            Err(error) => error,
        };
        let some = || self.standing_offer(event, kind, self.group.quorum().get().into(), |_| true);
        if let Some(proposal) = some().or_else(|| self.draft_for_some(event, kind, &reserved)) {
            return Ok(proposal);
        }
        // Reservations are advice: after a whole round without success only signed transactions keep their coins.
        if usize::try_from(self.views.failures).is_ok_and(|failures| failures < members) {
            return Err(first);
        }
        let signed = self.coins_to_avoid(&BTreeSet::from([*event]), |offer| self.may_be_taken(offer));
        self.draft_for_some(event, kind, &signed).ok_or(first)
    }

    /// The proposal that most members approved, if so many members are free to approve it and the own checks pass.
    fn standing_offer(
        &self,
        event: &EventKey,
        kind: ProposalKind,
        free: usize,
        fits: impl Fn(&Proposal) -> bool,
    ) -> Option<Proposal> {
        let session = self.sessions.get(event)?;
        let offers = session.offers.iter().filter_map(|id| self.offers.get(id).map(|offer| (id, offer)));
        let of_kind = |offer: &Offer| offer.body.as_ref().is_some_and(|body| body.kind == kind && fits(body));
        let usable =
            offers.filter(|(_, offer)| of_kind(offer) && offer.is_live() && self.can_gather(offer, free));
        let best = usable.max_by_key(|(id, offer)| (offer.approvers(self.me).len(), std::cmp::Reverse(**id)));
        best.and_then(|(_, offer)| offer.body.clone())
    }

    fn can_gather(&self, offer: &Offer, needed: usize) -> bool {
        let Some(body) = &offer.body else { return false };
        let tied: BTreeSet<MemberIndex> =
            self.tied_elsewhere(body).into_iter().chain(self.refusing(offer)).collect();
        let free = usize::from(self.group.threshold().members()) - tied.len();
        free >= needed && self.judge(body).is_ok()
    }

    /// Members that said no to it within the last round of views.
    fn refusing<'a>(&self, offer: &'a Offer) -> impl Iterator<Item = MemberIndex> + use<'a, R> {
        let (view, round) = (self.views.view, u64::from(self.group.threshold().members()));
        let recent = offer.refusals.iter().filter(move |(_, refused)| view <= refused.saturating_add(round));
        recent.map(|(member, _)| *member)
    }

    /// So many refuse it that the others are no quorum.
    fn is_refused(&self, proposal: &Proposal) -> bool {
        let offer = self.offers.get(&proposal.id());
        offer.is_some_and(|offer| self.refusing(offer).count() > self.can_spare())
    }

    /// Members with a live approval for one of its events that shares no input with this proposal.
    fn tied_elsewhere(&self, body: &Proposal) -> BTreeSet<MemberIndex> {
        let offers = body.events.iter().flat_map(|event| self.offers.naming(event));
        let engaged = offers.filter(|(_, offer)| offer.is_engaged());
        let apart = engaged
            .filter(|(_, offer)| offer.body.as_ref().is_some_and(|other| !other.shares_input_with(body)));
        apart.flat_map(|(_, offer)| offer.approvers(self.me)).collect()
    }

    /// A draft that everybody can approve: for the event and for those that contend with it for coins.
    fn draft_for_all(
        &self,
        event: &EventKey,
        kind: ProposalKind,
        contending: &BTreeSet<EventKey>,
        all: &[&Proposal],
        avoid: &BTreeSet<Outpoint>,
    ) -> Result<Proposal, DraftError> {
        let bound = self.live_approvals_of(event, |_| true);
        match kind {
            ProposalKind::Void => self.draft_void(event, avoid, &bound),
            ProposalKind::Pay | ProposalKind::Consolidate | ProposalKind::Sweep | ProposalKind::Migrate => {
                let joint = || {
                    let events: Vec<EventKey> = contending.iter().copied().collect();
                    let avoid = self.coins_of_others(contending);
                    self.draft_payments(&events, &avoid, all)
                };
                let joined = (contending.len() > 1).then(joint).and_then(Result::ok);
                // One that cannot be paid now holds back none of the others.
                let joined =
                    joined.filter(|proposal| !self.is_refused(proposal) && self.judge(proposal).is_ok());
                joined.map_or_else(|| self.draft_payments(&[*event], avoid, &bound), Ok)
            }
        }
    }

    /// A draft that shares an input with each live approval of some q members; of the own ones alone if there are no q.
    fn draft_for_some(
        &self,
        event: &EventKey,
        kind: ProposalKind,
        avoid: &BTreeSet<Outpoint>,
    ) -> Option<Proposal> {
        let draft = |members: &BTreeSet<MemberIndex>| {
            let bound = self.live_approvals_of(event, |offer| {
                offer.approvers(self.me).iter().any(|member| members.contains(member))
            });
            match kind {
                ProposalKind::Void => self.draft_void(event, avoid, &bound).ok(),
                ProposalKind::Pay
                | ProposalKind::Consolidate
                | ProposalKind::Sweep
                | ProposalKind::Migrate => self.draft_payments(&[*event], avoid, &bound).ok(),
            }
        };
        let (quorum, others) = (usize::from(self.group.quorum().get()), self.least_bound_first(event));
        let starts = [BTreeSet::from([self.me]), BTreeSet::new()];
        let turns = starts.iter().flat_map(|start| (0..others.len().max(1)).map(move |turn| (start, turn)));
        let mut gathered = turns.map(|(start, turn)| {
            let (later, sooner) = others.split_at(turn);
            draft_for_quorum(start.clone(), sooner.iter().chain(later), quorum, &draft)
        });
        gathered.find_map(|proposal| proposal).or_else(|| draft(&BTreeSet::from([self.me])))
    }

    /// The other members, those first whose live approvals bind them the least. Whoever approved something whose body is
    /// not here is left out: nothing can be shared with it.
    fn least_bound_first(&self, event: &EventKey) -> Vec<MemberIndex> {
        let session = self.sessions.get(event);
        let known =
            session.into_iter().flat_map(|session| &session.offers).filter_map(|id| self.offers.get(id));
        let unseen: BTreeSet<MemberIndex> = known
            .filter(|offer| offer.body.is_none() && offer.is_live())
            .flat_map(|offer| offer.approvals.keys().copied())
            .collect();
        let approved = |member: &MemberIndex| {
            self.live_approvals_of(event, |offer| offer.approvers(self.me).contains(member)).len()
        };
        let mut others: Vec<MemberIndex> =
            self.group.indices().filter(|m| *m != self.me && !unseen.contains(m)).collect();
        others.sort_by_key(|member| (approved(member), *member));
        others
    }

    /// Bodies of live proposals that name the event, that somebody approved, and that `binds`.
    fn live_approvals_of(&self, event: &EventKey, binds: impl Fn(&Offer) -> bool) -> Vec<&Proposal> {
        let bound = self.offers.naming(event).filter(|(_, offer)| offer.is_engaged() && binds(offer));
        bound.filter_map(|(_, offer)| offer.body.as_ref()).collect()
    }

    /// A new payment of these events that shares an input with each of the given proposals.
    pub(crate) fn draft_payments(
        &self,
        events: &[EventKey],
        avoid: &BTreeSet<Outpoint>,
        must_share: &[&Proposal],
    ) -> Result<Proposal, DraftError> {
        let sessions = events.iter().filter_map(|event| self.sessions.get(event));
        let payments: Vec<Payment> = sessions.map(|session| session.event.payment.clone()).collect();
        self.draft(Purpose::Pay(&payments), avoid, must_share)
    }

    /// A void that outbids what was signed for the event before: a node takes the one that pays more.
    fn draft_void(
        &self,
        event: &EventKey,
        avoid: &BTreeSet<Outpoint>,
        must_share: &[&Proposal],
    ) -> Result<Proposal, DraftError> {
        let void = self.draft(Purpose::Void(&[*event]), avoid, must_share)?;
        let signed = self.offers.naming(event).filter(|(_, offer)| offer.assembled.is_some());
        let paid = signed.filter_map(|(_, offer)| fee_rate(&self.group, offer.body.as_ref()?)).max();
        let Some(paid) = paid else { return Ok(void) };
        let more = FeeRate::new(paid.saturating_add(paid / 10).saturating_add(1));
        Ok(raise_fee(&self.group, &void, more, &self.policy.fee).unwrap_or(void))
    }

    fn draft(
        &self,
        purpose: Purpose<'_>,
        avoid: &BTreeSet<Outpoint>,
        must_share: &[&Proposal],
    ) -> Result<Proposal, DraftError> {
        let tags = self.served_tags();
        let order = Draft { purpose, tags: &tags, limits: &self.policy.fee, avoid, must_share };
        draft(&self.group, &self.chain.view, &order)
    }
}

/// A draft for so many members. One after another they are taken in, but for those with whom no draft is left: whoever
/// approved what no coin can be shared with any more keeps nobody else from agreeing.
fn draft_for_quorum<'a>(
    mut members: BTreeSet<MemberIndex>,
    others: impl Iterator<Item = &'a MemberIndex>,
    quorum: usize,
    draft: &impl Fn(&BTreeSet<MemberIndex>) -> Option<Proposal>,
) -> Option<Proposal> {
    let mut drafted = draft(&members);
    for member in others {
        if members.len() >= quorum {
            break;
        }
        let with_it = members.iter().copied().chain([*member]).collect();
        if let Some(proposal) = draft(&with_it) {
            (members, drafted) = (with_it, Some(proposal));
        }
    }
    drafted.filter(|_| members.len() >= quorum)
}
