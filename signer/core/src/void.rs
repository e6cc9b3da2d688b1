//! Events that are not to be paid: the reasons that a member sees itself, and when it offers a void by itself.
//!
//! A void is a proposal for the event that pays nobody but the group. Once final, the event can never be paid. It stands
//! under the anchor rule like a payment, so of the two at most one is ever in the chain.

use borsh::{BorshDeserialize, BorshSerialize};
use igra_tx::{EventKey, ProposalKind};
use serde::Serialize;

use crate::{
    Coordinator, Denial, DenialCode, Ignored, Note, Row, Step, UnixSeconds, Verdict, offer::Offer,
    rules::Rules,
};

/// Why a member agrees that an event is never paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// Its administrator, or those whom the policy names, cancelled it.
    Cancelled,
    /// The event's deadline passed.
    DeadlinePassed,
    /// Its verifier refuses the proof now.
    Unproven,
    /// It holds a second valid proof of the event with another payload.
    Contradicted,
    /// Its policy denies the event, and no waiting helps.
    Denied,
}

/// What this signer itself holds against an event; recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Objection {
    pub cancelled: Option<Cancelled>,
    /// The verifier's code.
    pub unproven: Option<String>,
    pub contradicted: bool,
}

/// Who asked that an event is never paid, and when.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Cancelled {
    pub by: String,
    pub utc: UnixSeconds,
}

impl Objection {
    /// What stands against a payment. A second proof does not: the first one was good when it came.
    pub(crate) fn denial(&self) -> Option<Denial> {
        if let Some(Cancelled { by, utc }) = &self.cancelled {
            return Some(Denial::new(DenialCode::Cancelled, "cancel", format!("by {by}"), utc.0));
        }
        let code = self.unproven.as_ref()?;
        Some(Denial::new(DenialCode::Unproven, "sources", code, "a proof that verifies"))
    }
}

impl<R: Rules> Coordinator<R> {
    /// Why this signer would agree to a void of the event.
    pub(crate) fn void_reason(&self, event: &EventKey) -> Option<VoidReason> {
        let session = self.sessions.get(event)?;
        if session.objection.cancelled.is_some() {
            return Some(VoidReason::Cancelled);
        }
        if self.policy.deadline(&session.event, session.seen).is_some_and(|deadline| self.now.utc > deadline)
        {
            return Some(VoidReason::DeadlinePassed);
        }
        if session.objection.unproven.is_some() {
            return Some(VoidReason::Unproven);
        }
        if session.objection.contradicted {
            return Some(VoidReason::Contradicted);
        }
        // The deadline was looked at, and what an approval already covers is looked at for others too.
        let verdict =
            self.policy.verdict(&session.event, session.seen, true, &self.volumes, &[], self.now.utc);
        matches!(verdict, Verdict::Deny { .. }).then_some(VoidReason::Denied)
    }

    /// Whether this signer offers a void by itself: what was cancelled, and what ran out of time or of proof while
    /// somebody's approval of it holds coins and volume for ever. A denial of its own policy is no such thing: others
    /// may see it otherwise.
    pub(crate) fn needs_void(&self, event: &EventKey) -> bool {
        // One approval is enough: whoever gave it can let go of the event by a final transaction alone.
        let is_held = self.offers.naming(event).any(|(_, offer)| offer.is_engaged());
        let pays_enough =
            |offer: &Offer| offer.assembled.is_none_or(|transaction| !self.is_underpriced(&transaction));
        if !is_held || self.is_certified(event, ProposalKind::Void, pays_enough) {
            return false;
        }
        match self.void_reason(event) {
            Some(VoidReason::Cancelled) => true,
            Some(VoidReason::DeadlinePassed) => !self.is_certified(event, ProposalKind::Pay, |_| true),
            // Nobody who sees this raises the payment.
            Some(VoidReason::Unproven) => !self.is_certified(event, ProposalKind::Pay, pays_enough),
            Some(VoidReason::Contradicted | VoidReason::Denied) | None => false,
        }
    }

    /// So many members approved a live proposal of this kind that it will be signed, as far as is known here.
    fn is_certified(&self, event: &EventKey, kind: ProposalKind, fits: impl Fn(&Offer) -> bool) -> bool {
        let quorum = usize::from(self.group.quorum().get());
        let of_kind =
            |offer: &Offer| fits(offer) && offer.body.as_ref().is_some_and(|body| body.kind == kind);
        let live = self.offers.naming(event).filter(|(_, offer)| offer.is_live() && of_kind(offer));
        live.into_iter().any(|(_, offer)| {
            let complete = offer.certified || offer.assembled.is_some();
            (complete || offer.approvers(self.me).len() >= quorum) && !self.is_overtaken(offer)
        })
    }

    pub(crate) fn on_cancel(&mut self, event: EventKey, by: String, step: &mut Step) -> Result<(), Ignored> {
        if self.tombstones.contains_key(&event) {
            return Err(Ignored::FinalEvent);
        }
        let now = self.now.utc;
        let Some(session) = self.sessions.get_mut(&event) else {
            return self.cancel_closed(event, by, step);
        };
        if session.objection.cancelled.is_some() {
            return Err(Ignored::Duplicate);
        }
        session.objection.cancelled = Some(Cancelled { by: by.clone(), utc: now });
        step.note(Note::Cancelled { event, by });
        self.record_objection(&event, step);
        Ok(())
    }

    /// The verifier's present word on the evidence of a known event.
    pub(crate) fn set_unproven(&mut self, event: &EventKey, code: Option<String>, step: &mut Step) {
        let Some(session) = self.sessions.get_mut(event) else { return };
        if session.objection.unproven == code {
            return;
        }
        session.objection.unproven = code;
        self.record_objection(event, step);
    }

    pub(crate) fn set_contradicted(&mut self, event: &EventKey, step: &mut Step) {
        let Some(session) = self.sessions.get_mut(event) else { return };
        if !std::mem::replace(&mut session.objection.contradicted, true) {
            self.record_objection(event, step);
        }
    }

    fn record_objection(&mut self, event: &EventKey, step: &mut Step) {
        let Some(session) = self.sessions.get(event) else { return };
        step.writes.push(Row::objection(event, &session.objection));
        self.stir(*event);
    }
}
