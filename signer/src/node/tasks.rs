//! Tasks beside the loop that a signer cannot do without: none may end before the signer does.

use std::{collections::HashMap, future::Future};

use tokio::task::{Id, JoinError, JoinSet};

/// Named tasks. Dropped, they are aborted.
#[derive(Default)]
pub(super) struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    pub(super) fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits until one has ended or panicked, and says which.
    pub(super) async fn ended(&mut self) -> &'static str {
        let Some(ended) = self.running.join_next_with_id().await else { return std::future::pending().await };
        let id = ended.map_or_else(|error: JoinError| error.id(), |(id, ())| id);
        self.names.get(&id).copied().unwrap_or("a task")
    }

    /// Waits until all have ended.
    pub(super) async fn all_ended(&mut self) {
        while self.running.join_next().await.is_some() {}
    }

    pub(super) async fn abort(&mut self) {
        self.running.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_that_panics_or_ends_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("the steady one", std::future::pending());
        tasks.spawn("the broken one", async { panic!("on purpose") });
        assert_eq!(tasks.ended().await, "the broken one");
        tasks.spawn("the short one", async {});
        assert_eq!(tasks.ended().await, "the short one");
        tasks.abort().await;
    }
}
