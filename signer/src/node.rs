//! The loop: input → core → commit → effects. One task owns the state; the edges speak to it over bounded queues.
//!
//! A turn takes what waits, hands it to the core one by one, commits all that the core wants written in one batch, and
//! only then does what the core wants done, in order. If a commit fails the process stops and comes back from disk.

mod arrivals;
mod checks;
mod clock;
mod error;
mod health;
mod notes;
mod perform;
mod policy;
mod process;
mod request;
mod reread;
mod serving;
mod standing;
mod start;
mod submitting;
mod tasks;
#[cfg(test)]
mod tests;
mod tokens;

use std::{collections::VecDeque, pin::pin, sync::Arc, time::Duration};

use igra_config::Config;
use igra_core::{Coordinator, Effect, GroupView, Ignored, Input, Millis, Note, Row, Step};
use tokio::time::{Instant, interval};

pub use error::{
    EXIT_CONFIG, EXIT_SOFTWARE, EXIT_STORAGE, EXIT_UNAVAILABLE, PolicyError, RunError, in_one_line,
};
pub use health::{Check, CheckStatus, DEAD_AFTER, Health, Heartbeat};
pub use process::{run_process, write_last_word};
pub use request::{Door, NoAnswer, QUEUE, Request};
use {
    arrivals::{Arrival, Arrivals},
    clock::Clock,
    perform::Performer,
    standing::Standing,
};

use crate::{
    chain::WatchedCoins,
    metrics::{ErrorKind, Metrics},
    store::{Store, StoreError},
};

/// The loop turns at least this often, so that its heartbeat can be told from its end.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Between two looks at what gauges show.
const GAUGES: Duration = Duration::from_secs(5);

/// Runs one signer until `stop` resolves, or until something that it cannot do without fails.
pub async fn run(config: Config, stop: impl Future<Output = ()> + Send) -> Result<(), RunError> {
    let mut started = start::start(config).await?;
    let ended = started.run_until(stop).await;
    started.shutdown().await;
    ended
}

/// What the loop owns.
struct Signer {
    coordinator: Coordinator,
    store: Store,
    performer: Performer,
    clock: Clock,
    heartbeat: Heartbeat,
    metrics: Metrics,
    /// What stands against promising.
    standing: Standing,
    /// The store still bears the signs for which it is quarantined.
    suspected: bool,
    /// Where the doors find the verifier of the newest policy.
    rules: tokio::sync::watch::Sender<policy::Rules>,
    /// Where the watch over the node finds the coins that it looks for, and which change of them it has.
    watching: tokio::sync::watch::Sender<WatchedCoins>,
    watched: u64,
    /// Answers to effects, for the next turn.
    own: VecDeque<Input>,
}

/// What a turn has gathered: all of it waits for the commit.
#[derive(Default)]
struct Turn {
    writes: Vec<Row>,
    effects: Vec<Effect>,
    answers: Vec<Box<dyn FnOnce() + Send>>,
    /// Whether the signer promises may be another matter than before.
    standing_changed: bool,
}

impl Signer {
    async fn turn_until(
        &mut self,
        stop: impl Future<Output = ()> + Send,
        arrivals: &mut Arrivals,
    ) -> Result<(), StoreError> {
        let mut stop = pin!(stop);
        let mut gauges = interval(GAUGES);
        loop {
            self.heartbeat.beat();
            let deadline = self.deadline();
            let arrived = tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                _ = gauges.tick() => { self.show(arrivals); continue }
                arrived = arrivals.next(&mut self.own, deadline) => arrived,
            };
            let mut turn = Turn::default();
            for arrival in arrived {
                self.handle(arrival, &mut turn);
            }
            if self.is_due() {
                let _ = self.input(Input::Tick, &mut turn);
            }
            self.finish(turn).await?;
        }
    }

    fn deadline(&self) -> Instant {
        let longest = Instant::now() + LONGEST_WAIT;
        self.coordinator
            .next_deadline()
            .map_or(longest, |deadline: Millis| self.clock.at(deadline).min(longest))
    }

    fn is_due(&self) -> bool {
        self.coordinator.next_deadline().is_some_and(|deadline| deadline <= self.clock.now().monotonic)
    }

    fn handle(&mut self, arrival: Arrival, turn: &mut Turn) {
        match arrival {
            Arrival::Input(input) => drop(self.input(input, turn)),
            Arrival::Rules(rules) => {
                self.performer.verifier = rules.verifier.clone();
                let _ = self.input(Input::Policy(rules.policy.clone()), turn);
                self.rules.send_replace(rules);
            }
            Arrival::Request(request) => self.request(request, turn),
        }
    }

    /// Why it changed nothing, if so.
    fn input(&mut self, input: Input, turn: &mut Turn) -> Option<Ignored> {
        let start = Instant::now();
        let step = self.coordinator.handle(self.clock.now(), input);
        if step.effects.iter().any(is_verdict) {
            self.metrics.proposal_validation.observe(start.elapsed().as_secs_f64());
        }
        turn.add(step, &self.metrics)
    }

    fn request(&mut self, request: Request, turn: &mut Turn) {
        match request {
            Request::Submit { event, answer } => {
                let intake = self.coordinator.intake(&event, self.clock.now());
                let _ = self.input(Input::Event(*event), turn);
                turn.answer(answer, intake);
            }
            Request::Simulate { event, answer } => {
                turn.answer(answer, self.coordinator.intake(&event, self.clock.now()));
            }
            Request::Session { key, answer } => turn.answer(answer, self.coordinator.session(&key)),
            Request::Sessions { after, limit, answer } => {
                turn.answer(answer, self.coordinator.sessions(after, limit))
            }
            Request::Group { answer } => turn.answer(answer, self.coordinator.view()),
            Request::Order { input, answer } => {
                let ignored = self.input(input, turn);
                turn.answer(answer, ignored.map_or(Ok(()), Err));
            }
        }
    }

    /// Durable first, visible second.
    async fn finish(&mut self, turn: Turn) -> Result<(), StoreError> {
        let timer = (!turn.writes.is_empty()).then(|| self.metrics.storage_commit.start_timer());
        let committed = self.store.commit(turn.writes).await;
        drop(timer);
        committed.inspect_err(|_| self.metrics.error(ErrorKind::Storage))?;
        if turn.standing_changed {
            self.show_standing(&self.coordinator.view());
        }
        self.show_watched();
        self.performer.perform(turn.effects, &mut self.own);
        turn.answers.into_iter().for_each(|answer| answer());
        Ok(())
    }

    /// Tells the watch over the node of strangers' coins that approvals hang on.
    fn show_watched(&mut self) {
        let changes = self.coordinator.watched_changes();
        if std::mem::replace(&mut self.watched, changes) != changes {
            self.watching.send_replace(Arc::new(self.coordinator.watched().collect()));
        }
    }

    fn show_standing(&mut self, view: &GroupView) {
        self.standing.set(view);
        self.metrics.quarantined.set(view.quarantine.is_some().into());
        if self.suspected && view.quarantine.is_none() {
            self.suspected = false;
            // The next start would begin another quarantine, which is safe.
            if let Err(error) = self.store.forget_signs() {
                tracing::warn!(error = in_one_line(&error), "the store keeps the signs of its quarantine");
            }
        }
        self.metrics.stopped.set(view.halt.is_some().into());
    }

    fn show(&mut self, arrivals: &Arrivals) {
        let view = self.coordinator.view();
        self.show_standing(&view);
        let metrics = &self.metrics;
        metrics.pending_requests.set(arrivals.waiting_requests() as i64);
        metrics.active_sessions.set(view.live_sessions as i64);
        metrics.held_events.set(view.held_sessions as i64);
        metrics.wallet_sompi.set(i64::try_from(view.balance.0).unwrap_or(i64::MAX));
        metrics.wallet_utxos.set(view.coins as i64);
        metrics.storage_size_bytes.set(i64::try_from(self.store.size_bytes()).unwrap_or(i64::MAX));
        metrics.peers_connected.set(self.performer.gossip.peers().len() as i64);
    }
}

fn changes_standing(effect: &Effect) -> bool {
    let Effect::Note(note) = effect else { return false };
    matches!(
        note,
        Note::Halted { .. }
            | Note::Intervened(_)
            | Note::Quarantined { .. }
            | Note::GapClosed { .. }
            | Note::QuarantineLeft
            | Note::PredecessorMoved
    )
}

fn is_verdict(effect: &Effect) -> bool {
    matches!(effect, Effect::Note(Note::Approved { .. } | Note::Refused { .. }))
}

impl Turn {
    fn add(&mut self, step: Step, metrics: &Metrics) -> Option<Ignored> {
        let Step { writes, effects, ignored, alarms } = step;
        self.writes.extend(writes);
        self.standing_changed |= effects.iter().any(changes_standing);
        self.effects.extend(effects);
        if let Some(reason) = &ignored {
            metrics.ignored(reason);
            tracing::debug!(reason = reason.as_str(), "an input had no effect");
        }
        for alarm in alarms {
            metrics.alarm(&alarm);
            tracing::error!(?alarm, kind = alarm.as_str(), "an invariant is broken");
        }
        ignored
    }

    fn answer<T: Send + 'static>(&mut self, answer: tokio::sync::oneshot::Sender<T>, value: T) {
        // Who asked may have gone.
        self.answers.push(Box::new(move || drop(answer.send(value))));
    }
}
