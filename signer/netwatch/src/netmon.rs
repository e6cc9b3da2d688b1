//! Watches the machine's addresses.

use std::{fmt, time::Duration};

use n0_watcher::{Direct, Watchable};
use tokio::{task::JoinHandle, time};

pub use crate::interfaces::State;

/// Between two looks. A pod's address never changes while it lives, and a laptop can wait this long.
const INTERVAL: Duration = Duration::from_secs(30);

/// Looks at the addresses now and then, until dropped.
#[derive(Debug)]
pub struct Monitor {
    state: Watchable<State>,
    looking: JoinHandle<()>,
}

/// That the addresses cannot be watched. It never happens here; iroh's interface wants the type.
#[derive(Debug)]
pub struct Error;

impl Monitor {
    /// Starts a task, so it must be called inside a tokio runtime.
    pub async fn new() -> Result<Self, Error> {
        let state = Watchable::new(State::read());
        let looking = tokio::spawn(look_again(state.clone()));
        Ok(Self { state, looking })
    }

    /// The state now, and each later one that differs.
    pub fn interface_state(&self) -> Direct<State> {
        self.state.watch()
    }

    /// Looks at once.
    pub async fn network_change(&self) -> Result<(), Error> {
        look(&self.state);
        Ok(())
    }
}

async fn look_again(state: Watchable<State>) {
    let mut interval = time::interval(INTERVAL);
    loop {
        interval.tick().await;
        look(&state);
    }
}

fn look(state: &Watchable<State>) {
    // `set` answers Err when nothing changed.
    let _ = state.set(State::read());
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("could not watch the machine's addresses")
    }
}

impl std::error::Error for Error {}
