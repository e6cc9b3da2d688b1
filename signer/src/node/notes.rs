//! The core's notes as log lines: ids and amounts, never keys, tokens or request bodies.

use std::fmt;

use igra_core::Note;

/// Several ids in one field.
struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, item) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{item}")?;
        }
        Ok(())
    }
}

/// `info` for what somebody who looks after the group wants to know, `debug` for the steps between.
pub(super) fn log(note: &Note) {
    match note {
        Note::EventTaken { event, source, amount, from } => {
            tracing::info!(%event, source = source.0, %amount, from = from.map(|member| member.0), "took an event");
        }
        Note::EventDenied { event, denial } => {
            tracing::info!(
                %event, code = denial.code.as_str(), rule = denial.rule, actual = denial.actual, allowed = denial.allowed,
                "denied an event"
            );
        }
        Note::EventHeld { event, denial } => {
            tracing::info!(
                %event, code = denial.code.as_str(), rule = denial.rule, actual = denial.actual, allowed = denial.allowed,
                "held an event"
            );
        }
        Note::EvidenceRejected { from, source, code } => {
            tracing::info!(from = from.0, source = source.0, code, "refused a peer's evidence");
        }
        Note::Proposed { kind, events, proposal, view } => {
            tracing::info!(?kind, events = %List(events), %proposal, view, "proposed a transaction");
        }
        Note::Cancelled { event, by } => tracing::warn!(%event, by, "an event was cancelled"),
        Note::DraftFailed { event, reason } => {
            tracing::warn!(%event, reason, "could not draft a transaction")
        }
        Note::Refused { proposal, code, detail, outpoints } => {
            tracing::info!(%proposal, code = code.as_str(), detail, outpoints = outpoints.len(), "refused a proposal");
        }
        Note::PeerRefused { from, proposal, code, detail } => {
            tracing::info!(from = from.0, %proposal, code = code.as_str(), detail, "a peer refused a proposal");
        }
        Note::Approved { kind: _, events, proposal, promise } => {
            tracing::info!(events = %List(events), %proposal, promise, "approved a proposal");
        }
        Note::PeerApproved { from, proposal } => {
            tracing::debug!(from = from.0, %proposal, "a peer approved a proposal")
        }
        Note::Certified { proposal } => tracing::debug!(%proposal, "a proposal has its certificate"),
        Note::PartialMade { proposal } => tracing::debug!(%proposal, "made a partial"),
        Note::Assembled { events, proposal, transaction } => {
            tracing::info!(events = %List(events), %proposal, %transaction, "assembled a transaction");
        }
        Note::Submitted { transaction, outcome } => {
            tracing::info!(%transaction, ?outcome, "submitted a transaction")
        }
        Note::Accepted { events, transaction, daa_score } => {
            tracing::info!(events = %List(events), %transaction, daa_score, "a transaction was accepted");
        }
        Note::Reorganised { events, transaction } => {
            tracing::warn!(events = %List(events), %transaction, "a reorganisation took a transaction back");
        }
        Note::Settled { events, transaction } => {
            tracing::info!(events = %List(events), %transaction, "a transaction is settled");
        }
        Note::Final { events, transaction } => {
            tracing::info!(events = %List(events), %transaction, "a transaction is final")
        }
        Note::Deposited { transaction, amount } => {
            tracing::info!(%transaction, %amount, "the group was paid")
        }
        Note::Dead { proposal, by } => tracing::info!(%proposal, %by, "a proposal is dead"),
        Note::Closed { event, denial } => {
            tracing::debug!(%event, rule = denial.rule, "an event came to nothing");
        }
        Note::Expired { event } => tracing::info!(%event, "an event's deadline passed"),
        Note::ViewMoved { view, proposer } => {
            tracing::debug!(view, proposer = proposer.0, "moved to another view")
        }
        Note::Quarantined { cause } => {
            tracing::error!(cause = cause.as_str(), "the store may have forgotten promises: quarantined");
        }
        Note::TagDrawn { tag } => tracing::info!(%tag, "drew a tag for the washing"),
        Note::GapClosed { from, to, ended, doubted } => {
            tracing::warn!(
                from,
                to,
                ended,
                doubted,
                "others told what ended while the own node showed nothing"
            );
        }
        Note::QuarantineLeft => tracing::warn!("every coin is washed: the quarantine is over"),
        Note::PaymentsEnded => tracing::warn!("the group moves to its successor: payments have ended"),
        Note::PredecessorMoved => tracing::warn!("every coin of the predecessor has moved: payments begin"),
        Note::PolicyChanged { digest } => tracing::info!(%digest, "the policy changed"),
        Note::Halted { halt } => {
            tracing::error!(
                cause = halt.cause.as_str(),
                text = halt.text,
                "the signer promises nothing more"
            );
        }
        Note::Intervened(done) => {
            tracing::warn!(kind = ?done.kind, about = done.about, reason = done.reason, "an administrator intervened");
        }
    }
}
