//! Events that come together share transactions.

use std::collections::BTreeSet;

use igra_config::{BatchRule, PolicyFile};

use crate::world::{AMOUNT, Plan, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_events_at_once_are_paid_by_few_transactions() {
    let batch = BatchRule { wait_ms: Some(500), ..BatchRule::default() };
    let plan = Plan { policy: PolicyFile { batch, ..PolicyFile::default() }, ..Plan::default() };
    let world = World::start(plan).await;
    let ids: Vec<String> = (0..10).map(|number| format!("event-{number}")).collect();

    for (number, id) in ids.iter().enumerate() {
        world.post(id, number % 3).await;
    }

    let mut transactions = BTreeSet::new();
    for id in &ids {
        transactions.insert(world.paid_at(id, 0).await);
    }
    assert!(transactions.len() <= 3, "{} transactions for ten events", transactions.len());
    let coins = world.coins_of_recipient().await;
    assert_eq!(coins.len(), ids.len());
    assert!(coins.iter().all(|(by, amount)| *amount == AMOUNT.0 && transactions.contains(by)), "{coins:?}");
    world.stop().await;
}
