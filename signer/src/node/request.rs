//! What the doors (the API, programs that hold a signer) may ask of the loop, and how they ask.

use std::time::Duration;

use igra_core::{GroupView, Ignored, Input, Intake, SessionView, VerifiedEvent};
use igra_tx::EventKey;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Questions in the queue; with more, doors say that the signer is busy.
pub const QUEUE: usize = 256;

/// How long a door waits for the loop.
const PATIENCE: Duration = Duration::from_secs(5);

/// One question with the place for its answer.
#[derive(Debug)]
pub enum Request {
    /// An event that a source verified here. Answered when what follows from it is on disk.
    Submit {
        event: Box<VerifiedEvent>,
        answer: oneshot::Sender<Intake>,
    },
    /// What the policy says to it now; nothing is kept.
    Simulate {
        event: Box<VerifiedEvent>,
        answer: oneshot::Sender<Intake>,
    },
    Session {
        key: EventKey,
        answer: oneshot::Sender<Option<SessionView>>,
    },
    /// In order of keys, those above `after`, at most `limit`.
    Sessions {
        after: Option<EventKey>,
        limit: usize,
        answer: oneshot::Sender<Vec<SessionView>>,
    },
    Group {
        answer: oneshot::Sender<GroupView>,
    },
    /// An administrator's input. Answered when what follows from it is on disk, or why nothing does.
    Order {
        input: Input,
        answer: oneshot::Sender<Result<(), Ignored>>,
    },
}

/// Why the loop gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Worth another try soon.
    #[error("too many requests wait")]
    Busy,
    #[error("the signer is stopping")]
    Stopping,
    /// The request may have been taken all the same.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
}

/// The doors' end of the queue to the loop.
#[derive(Clone, Debug)]
pub struct Door {
    requests: mpsc::Sender<Request>,
}

impl Door {
    /// A door, and the loop's end of it.
    pub fn new() -> (Self, mpsc::Receiver<Request>) {
        let (requests, queue) = mpsc::channel(QUEUE);
        (Self { requests }, queue)
    }

    /// See [`Request::Submit`].
    pub async fn submit(&self, event: VerifiedEvent) -> Result<Intake, NoAnswer> {
        self.ask(|answer| Request::Submit { event: Box::new(event), answer }).await
    }

    /// See [`Request::Simulate`].
    pub async fn simulate(&self, event: VerifiedEvent) -> Result<Intake, NoAnswer> {
        self.ask(|answer| Request::Simulate { event: Box::new(event), answer }).await
    }

    /// See [`Request::Session`].
    pub async fn session(&self, key: EventKey) -> Result<Option<SessionView>, NoAnswer> {
        self.ask(|answer| Request::Session { key, answer }).await
    }

    /// See [`Request::Sessions`].
    pub async fn sessions(
        &self,
        after: Option<EventKey>,
        limit: usize,
    ) -> Result<Vec<SessionView>, NoAnswer> {
        self.ask(|answer| Request::Sessions { after, limit, answer }).await
    }

    /// See [`Request::Group`].
    pub async fn group(&self) -> Result<GroupView, NoAnswer> {
        self.ask(|answer| Request::Group { answer }).await
    }

    /// See [`Request::Order`].
    pub async fn order(&self, input: Input) -> Result<Result<(), Ignored>, NoAnswer> {
        self.ask(|answer| Request::Order { input, answer }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(request(answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NoAnswer::Busy,
            mpsc::error::TrySendError::Closed(_) => NoAnswer::Stopping,
        })?;
        match timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(NoAnswer::Stopping),
            Err(_) => Err(NoAnswer::Late),
        }
    }
}
