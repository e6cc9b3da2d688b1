//! Does what a step wants done, after what it wants written is on the disk.

use std::{collections::VecDeque, sync::Arc};

use igra_core::{
    Effect, Evidence, Input, Note, To,
    messages::{Header, MessageKind, seal},
};
use igra_group::{Group, MemberIndex};
use igra_tx::Proposal;
use rand::RngCore;

use super::{notes, submitting::Submitting};
use crate::{
    chain::Submission,
    events::Verifier,
    gossip::GossipHandle,
    keys::{SigningKey, TransportKey},
    metrics::{ErrorKind, Metrics},
};

/// The edges that effects go to.
pub(super) struct Performer {
    pub(super) group: Group,
    pub(super) me: MemberIndex,
    pub(super) signing_key: SigningKey,
    pub(super) transport_key: TransportKey,
    pub(super) gossip: GossipHandle,
    pub(super) submitting: Submitting,
    pub(super) verifier: Arc<Verifier>,
    pub(super) metrics: Metrics,
}

impl Performer {
    /// Performs effects in order. Answers that are there at once go into `own`, for the next turn.
    pub(super) fn perform(&self, effects: Vec<Effect>, own: &mut VecDeque<Input>) {
        for effect in effects {
            match effect {
                Effect::Send { to, kind, epoch, sequence, body } => {
                    self.send(to, kind, (epoch, sequence), &body);
                }
                Effect::Relay { to, sealed } => self.gossip.send(to, sealed),
                Effect::Verify { from, evidence } => own.push_back(self.verify(from, evidence)),
                Effect::Sign { proposal } => own.push_back(self.sign(&proposal)),
                Effect::Submit { transaction, replaces } => {
                    own.extend(self.submitting.submit(Submission::Signed { transaction, replaces }));
                }
                Effect::SubmitRaw { transaction, body } => {
                    own.extend(self.submitting.submit(Submission::Body { transaction, body }));
                }
                Effect::Draw => own.push_back(Input::Drawn(fresh_bytes())),
                Effect::Note(note) => self.note(&note),
            }
        }
    }

    fn send(&self, to: To, kind: MessageKind, (epoch, sequence): (u64, u64), body: &[u8]) {
        let (network, group) = (self.group.network(), self.group.id());
        let header = Header { network, group, member: self.me, epoch, sequence, kind };
        match seal(&header, body, |bytes| self.transport_key.sign(bytes)) {
            Ok(sealed) => self.gossip.send(to, sealed),
            Err(error) => {
                self.metrics.error(ErrorKind::Gossip);
                tracing::error!(kind = kind.as_str(), %error, "a message of our own is too large");
            }
        }
    }

    fn verify(&self, from: MemberIndex, evidence: Evidence) -> Input {
        match self.verifier.verify(&evidence) {
            Ok(event) => Input::Verified { from, event },
            Err(error) => {
                tracing::debug!(from = from.0, source = evidence.source.0, %error, "a peer's evidence proves nothing");
                let (code, permanent) = (error.code.as_str().to_owned(), error.permanent());
                Input::VerifyFailed { from, evidence, code, permanent }
            }
        }
    }

    fn sign(&self, proposal: &Proposal) -> Input {
        let timer = self.metrics.signature_creation.start_timer();
        let signed = igra_tx::sign(&self.group, proposal, self.me, |hash| self.signing_key.sign(hash));
        timer.observe_duration();
        match signed {
            Ok(partial) => Input::Signed(partial),
            Err(error) => {
                self.metrics.error(ErrorKind::Keys);
                tracing::error!(proposal = %proposal.id(), %error, "could not sign");
                Input::SignFailed { proposal: proposal.id(), reason: error.to_string() }
            }
        }
    }

    fn note(&self, note: &Note) {
        self.metrics.note(note);
        notes::log(note);
    }
}

/// 32 bytes from the system that nobody can guess.
fn fresh_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rngs::OsRng.fill_bytes(&mut bytes);
    bytes
}
