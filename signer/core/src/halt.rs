//! A halt: after some alarms a signer promises nothing more, also after a restart, until an administrator clears it.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

use crate::{Alarm, Coordinator, Ignored, Note, Row, Step, UnixSeconds, rules::Rules};

/// Why a signer stopped promising; on disk until it is cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
pub struct Halt {
    pub cause: HaltCause,
    /// The alarm in words.
    pub text: String,
    pub since: UnixSeconds,
}

/// What kind of alarm stops a signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaltCause {
    /// The own key cannot sign, or signs what does not verify.
    OwnKey,
    /// A second copy of this signer is running.
    SecondCopy,
    /// Two final transactions name one event.
    PaidTwice,
    /// Verified partials did not make a valid transaction.
    Combine,
}

/// What an administrator took upon himself; kept for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
pub struct Intervention {
    pub utc: UnixSeconds,
    pub kind: InterventionKind,
    /// What stood against promising, in words.
    pub about: String,
    /// The administrator's words.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, BorshSerialize, BorshDeserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterventionKind {
    HaltCleared,
    QuarantineReleased,
    PredecessorReleased,
    CoinsLost,
}

impl HaltCause {
    /// The stable name: a label for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OwnKey => "own_key",
            Self::SecondCopy => "second_copy",
            Self::PaidTwice => "paid_twice",
            Self::Combine => "combine",
        }
    }
}

impl Alarm {
    /// Whether the signer stops promising because of it, and as what.
    pub fn halts(&self) -> Option<HaltCause> {
        match self {
            Self::OwnPartialBad { .. } | Self::SignFailed { .. } => Some(HaltCause::OwnKey),
            Self::OwnEpochUnknown { .. } => Some(HaltCause::SecondCopy),
            Self::PaidTwice { .. } => Some(HaltCause::PaidTwice),
            Self::CombineFailed { .. } => Some(HaltCause::Combine),
            // That is what quarantine is for.
            Self::OwnPromiseUnknown { .. } => None,
            // Others' faults: they count among those that the group bears.
            Self::Replayed { .. } | Self::Equivocation { .. } => None,
        }
    }
}

impl<R: Rules> Coordinator<R> {
    /// Raises an alarm, and stops for good if it is one of those. The first cause stays.
    pub(crate) fn raise(&mut self, alarm: Alarm, step: &mut Step) {
        if let Some(cause) = alarm.halts().filter(|_| self.halt.is_none()) {
            let halt = Halt { cause, text: alarm.to_string(), since: self.now.utc };
            step.writes.push(Row::halt(&halt));
            step.note(Note::Halted { halt: halt.clone() });
            self.halt = Some(halt);
        }
        step.alarms.push(alarm);
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halt.is_some()
    }

    pub(crate) fn on_clear_halt(&mut self, reason: String, step: &mut Step) -> Result<(), Ignored> {
        let halt = self.halt.take().ok_or(Ignored::NothingToClear)?;
        step.writes.push(Row::clear_halt());
        self.intervene(InterventionKind::HaltCleared, halt.text, reason, step);
        self.stir_all();
        Ok(())
    }

    /// Writes down what an administrator did, for people.
    pub(crate) fn intervene(
        &mut self,
        kind: InterventionKind,
        about: String,
        reason: String,
        step: &mut Step,
    ) {
        let intervention = Intervention { utc: self.now.utc, kind, about, reason };
        self.interventions.push(intervention.clone());
        step.writes.push(Row::interventions(&self.interventions));
        step.note(Note::Intervened(intervention));
    }
}
