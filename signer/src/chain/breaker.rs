//! The breaker of one endpoint: after too many failures in a row it lets nobody through for a while, then one caller at
//! a time until two of them came back with an answer.
//!
//! failsafe counts the failures and keeps the time. In its half-open state it would let everybody through and close on
//! the first success; a node that just came back is spared that by the trial kept here.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use failsafe::{
    StateMachine,
    backoff::{self, Constant},
    failure_policy::{self, ConsecutiveFailures},
};

/// When a breaker opens, for how long, and when it closes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row.
    pub opens_after: u32,
    pub open_for: Duration,
    /// Answers in a row, of one caller at a time.
    pub closes_after: u32,
}

/// What a breaker does with callers now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerState {
    Closed,
    /// One caller at a time.
    Trial,
    Open,
}

/// See the head of this file. Clones share their state.
#[derive(Clone)]
pub struct Breaker {
    machine: StateMachine<ConsecutiveFailures<Constant>, ()>,
    phase: Arc<Mutex<Phase>>,
    closes_after: u32,
}

/// One caller let through. It says how the call went; dropped without a word it counts as nothing.
pub struct Permit<'a> {
    breaker: &'a Breaker,
    in_trial: bool,
    told: bool,
}

#[derive(Clone, Copy)]
enum Phase {
    Closed,
    Open,
    Trial { asking: bool, answers: u32 },
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { opens_after: 5, open_for: Duration::from_secs(30), closes_after: 2 }
    }
}

impl BreakerState {
    /// As the metric `igra_breaker_state` has it: 0 closed, 1 trial, 2 open.
    pub fn as_gauge(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::Trial => 1,
            Self::Open => 2,
        }
    }
}

impl Breaker {
    pub fn new(settings: BreakerSettings) -> Self {
        let policy =
            failure_policy::consecutive_failures(settings.opens_after, backoff::constant(settings.open_for));
        Self {
            machine: StateMachine::new(policy, ()),
            phase: Arc::new(Mutex::new(Phase::Closed)),
            closes_after: settings.closes_after,
        }
    }

    pub fn state(&self) -> BreakerState {
        match *self.phase() {
            Phase::Closed => BreakerState::Closed,
            Phase::Open => BreakerState::Open,
            Phase::Trial { .. } => BreakerState::Trial,
        }
    }

    /// Lets a caller through, or not.
    pub fn admit(&self) -> Option<Permit<'_>> {
        let mut phase = self.phase();
        match *phase {
            Phase::Closed => Some(self.permit(false)),
            Phase::Trial { asking: true, .. } => None,
            Phase::Trial { asking: false, answers } => {
                *phase = Phase::Trial { asking: true, answers };
                Some(self.permit(true))
            }
            Phase::Open if self.machine.is_call_permitted() => {
                *phase = Phase::Trial { asking: true, answers: 0 };
                Some(self.permit(true))
            }
            Phase::Open => None,
        }
    }

    fn permit(&self, in_trial: bool) -> Permit<'_> {
        Permit { breaker: self, in_trial, told: false }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().expect("nobody panics while holding the phase of a breaker")
    }
}

impl Permit<'_> {
    /// The endpoint answered, whatever it said.
    pub fn answered(mut self) {
        self.told = true;
        let mut phase = self.breaker.phase();
        match *phase {
            Phase::Closed => self.breaker.machine.on_success(),
            Phase::Trial { answers, .. } if self.in_trial && answers + 1 >= self.breaker.closes_after => {
                self.breaker.machine.on_success();
                *phase = Phase::Closed;
            }
            Phase::Trial { answers, .. } if self.in_trial => {
                *phase = Phase::Trial { asking: false, answers: answers + 1 };
            }
            // A call from before the breaker opened; it says nothing about now.
            Phase::Trial { .. } | Phase::Open => {}
        }
    }

    /// The endpoint could not be reached or was silent.
    pub fn failed(mut self) {
        self.told = true;
        let mut phase = self.breaker.phase();
        match *phase {
            Phase::Closed => {
                self.breaker.machine.on_error();
                if !self.breaker.machine.is_call_permitted() {
                    *phase = Phase::Open;
                }
            }
            Phase::Trial { .. } if self.in_trial => {
                self.breaker.machine.on_error();
                *phase = Phase::Open;
            }
            Phase::Trial { .. } | Phase::Open => {}
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.told || !self.in_trial {
            return;
        }
        let mut phase = self.breaker.phase();
        if let Phase::Trial { answers, .. } = *phase {
            *phase = Phase::Trial { asking: false, answers };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_an_answer_between_starts_the_count_again() {
        let breaker = breaker(Duration::from_secs(3600));
        fail(&breaker, 4);
        breaker.admit().unwrap().answered();
        fail(&breaker, 4);
        assert_eq!(breaker.state(), BreakerState::Closed);

        fail(&breaker, 1);

        assert_eq!(breaker.state(), BreakerState::Open);
        assert!(breaker.admit().is_none());
    }

    #[test]
    fn in_trial_one_caller_at_a_time_and_two_answers_close() {
        let breaker = tripped();
        let probe = first_probe(&breaker);
        assert!(breaker.admit().is_none(), "a second caller while the first one asks");

        probe.answered();
        assert_eq!(breaker.state(), BreakerState::Trial);
        breaker.admit().unwrap().answered();

        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_failure_in_trial_opens_again() {
        let breaker = tripped();
        first_probe(&breaker).answered();

        breaker.admit().unwrap().failed();

        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn a_probe_that_is_dropped_lets_the_next_one_ask() {
        let breaker = tripped();

        drop(first_probe(&breaker));

        assert!(breaker.admit().is_some());
    }

    #[test]
    fn a_call_from_before_does_not_end_the_trial() {
        let breaker = breaker(Duration::from_millis(1));
        let late = breaker.admit().unwrap();
        fail(&breaker, 5);
        let probe = first_probe(&breaker);

        late.answered();

        assert_eq!(breaker.state(), BreakerState::Trial);
        assert!(breaker.admit().is_none());
        probe.answered();
    }

    fn tripped() -> Breaker {
        let breaker = breaker(Duration::from_millis(1));
        fail(&breaker, 5);
        breaker
    }

    fn breaker(open_for: Duration) -> Breaker {
        Breaker::new(BreakerSettings { open_for, ..BreakerSettings::default() })
    }

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.admit().expect("closed").failed();
        }
    }

    fn first_probe(breaker: &Breaker) -> Permit<'_> {
        let start = Instant::now();
        loop {
            if let Some(permit) = breaker.admit() {
                return permit;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "the breaker never went into trial");
            std::thread::yield_now();
        }
    }
}
