//! A disk that went back in time: a signer whose store may have lost promises promises nothing but sweeps, until every
//! coin that a lost promise could spend has been moved under a tag drawn since.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::tagged_hash;
use igra_tx::Tag;
use serde::Serialize;

use crate::{
    AcceptedTransaction, BlockId, Coordinator, Effect, Ignored, InterventionKind, Missing, Note, Row, Signs,
    Step, UnixSeconds, gaps::Gaps, records::ChainRecord, rules::Rules,
};

const TAG_TAG: &str = "igra.dev 2026 washing tag v1";

/// What makes a signer think that its store lost promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineCause {
    /// A peer showed an own promise that the store lacks, or has with another content.
    PromiseUnknown,
    /// A peer showed an own message of an epoch that the store had not reached.
    EpochUnknown,
    /// The store is empty, and the node shows coins or transactions of the group.
    StoreEmpty,
    /// The node shows a transaction with an own signature that the store does not know.
    SignatureUnknown,
    /// The store is a checkpoint that was made as a backup.
    Backup,
    /// The volume is not the one on which the store was made.
    OtherVolume,
}

/// The quarantine as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Quarantine {
    pub causes: BTreeSet<QuarantineCause>,
    pub since: UnixSeconds,
    /// Drawn since the last sign, in this process.
    pub tag: Option<Tag>,
}

/// The quarantine as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantineView {
    pub causes: BTreeSet<QuarantineCause>,
    pub since: UnixSeconds,
    /// None until it is drawn.
    pub tag: Option<Tag>,
    /// What it still waits for; nothing: it leaves with the next word of its node.
    pub missing: Vec<Missing>,
}

/// What a store knows of its own losses; kept for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Past {
    /// The highest own promise number that anybody showed and the store lacks: new ones go above it.
    pub promise: u64,
    /// The epoch in which the last tag was drawn: promises sealed in earlier ones are washed with it.
    pub washed_from: u64,
    /// The group moves to its successor: payments from here have ended.
    pub moved: bool,
}

/// Whether it is known that the store began together with the group's coins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) enum Birth {
    /// The store was empty at its first start, and the node has not shown the wallet since.
    Undecided,
    #[default]
    Decided,
}

impl QuarantineCause {
    /// The stable name: a label for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PromiseUnknown => "promise_unknown",
            Self::EpochUnknown => "epoch_unknown",
            Self::StoreEmpty => "store_empty",
            Self::SignatureUnknown => "signature_unknown",
            Self::Backup => "backup",
            Self::OtherVolume => "other_volume",
        }
    }
}

impl<R: Rules> Coordinator<R> {
    /// The signs that are there at a start. A start inside quarantine asks for another tag: the store may have gone
    /// back once more.
    pub(crate) fn suspect_at_start(&mut self, signs: Signs, step: &mut Step) {
        if R::FRESH_TAG
            && let Some(quarantine) = &mut self.quarantine
        {
            quarantine.tag = None;
        }
        if signs.backup {
            self.suspect(QuarantineCause::Backup, step);
        }
        if signs.other_volume {
            self.suspect(QuarantineCause::OtherVolume, step);
        }
    }

    /// Enters quarantine, or begins it anew with another tag.
    pub(crate) fn suspect(&mut self, cause: QuarantineCause, step: &mut Step) {
        if !R::QUARANTINE {
            return;
        }
        let since = self.now.utc;
        let quarantine =
            self.quarantine.get_or_insert(Quarantine { causes: BTreeSet::new(), since, tag: None });
        quarantine.causes.insert(cause);
        if R::FRESH_TAG {
            quarantine.tag = None;
        }
        step.writes.push(Row::quarantine(quarantine));
        step.note(Note::Quarantined { cause });
        self.stir_all();
    }

    /// A transaction with an own signature must be known. While a tag of this process is there nothing new is learned
    /// from one: it was signed before the tag was drawn.
    pub(crate) fn look_for_own_signature(&mut self, transaction: &AcceptedTransaction, step: &mut Step) {
        let own = transaction.signers.contains(&self.me) && !self.signed.contains(&transaction.id);
        if own && self.own_tag().is_none() {
            self.suspect(QuarantineCause::SignatureUnknown, step);
        }
    }

    /// An empty store is trusted only if the group is as new as it is: judged once, by what the node first shows.
    pub(crate) fn decide_birth(&mut self, step: &mut Step) {
        if self.birth == Birth::Decided || !self.chain.synced || self.sink.is_none() {
            return;
        }
        self.birth = Birth::Decided;
        step.writes.push(Row::birth(self.birth));
        self.stir_all();
        let shown = |record: &ChainRecord| record.by_group || !record.pays.is_empty();
        if !self.chain.view.coins.is_empty() || self.chain.accepted.values().any(shown) {
            return self.suspect(QuarantineCause::StoreEmpty, step);
        }
        // What is not there cannot have been missed.
        if self.gaps != Gaps::default() {
            self.gaps = Gaps::default();
            step.writes.push(Row::gaps(&self.gaps));
        }
    }

    /// Asks for randomness where a tag is needed, once the node has shown where its chain stands.
    pub(crate) fn draw_due(&mut self, step: &mut Step) {
        let needed = self.quarantine.as_ref().is_some_and(|quarantine| quarantine.tag.is_none());
        if needed && !self.drawing && self.sink.is_some() {
            self.drawing = true;
            step.effects.push(Effect::Draw);
        }
    }

    /// The tag: nobody could know it before, neither by guessing nor from an older chain.
    pub(crate) fn on_drawn(&mut self, random: [u8; 32], step: &mut Step) -> Result<(), Ignored> {
        self.drawing = false;
        let (Some(quarantine), Some(sink)) = (&mut self.quarantine, self.sink) else {
            return Err(Ignored::NothingToDraw);
        };
        if quarantine.tag.is_some() {
            return Err(Ignored::NothingToDraw);
        }
        let tag = new_tag(&random, &sink);
        quarantine.tag = Some(tag);
        self.past.washed_from = self.epoch;
        step.writes.push(Row::quarantine(quarantine));
        step.writes.push(Row::past(&self.past));
        step.note(Note::TagDrawn { tag });
        self.greet_all(step);
        self.stir_all();
        Ok(())
    }

    pub(crate) fn own_tag(&self) -> Option<Tag> {
        self.quarantine.as_ref().and_then(|quarantine| quarantine.tag)
    }

    pub(crate) fn quarantine_view(&self) -> Option<QuarantineView> {
        let Quarantine { causes, since, tag } = self.quarantine.clone()?;
        Some(QuarantineView { causes, since, tag, missing: self.missing() })
    }

    pub(crate) fn on_release(&mut self, reason: String, step: &mut Step) -> Result<(), Ignored> {
        let quarantine = self.quarantine.as_ref().ok_or(Ignored::NothingToClear)?;
        let causes: Vec<&str> = quarantine.causes.iter().map(|cause| cause.as_str()).collect();
        let about = causes.join(", ");
        self.past.washed_from = self.epoch;
        self.gaps.close_all();
        step.writes.push(Row::gaps(&self.gaps));
        self.end_quarantine(step);
        self.intervene(InterventionKind::QuarantineReleased, about, reason, step);
        Ok(())
    }

    pub(crate) fn end_quarantine(&mut self, step: &mut Step) {
        self.quarantine = None;
        self.histories.clear();
        step.writes.push(Row::past(&self.past));
        step.writes.push(Row::end_quarantine());
        self.greet_all(step);
        self.ask_for_waiting_signatures(step);
        self.stir_all();
    }
}

fn new_tag(random: &[u8; 32], sink: &BlockId) -> Tag {
    Tag::from_bytes(tagged_hash(TAG_TAG, &[random.as_slice(), sink.as_bytes()].concat()))
}
