//! A payment that blocks leave out because others pay more: it is replaced by itself with a higher fee.

use igra_config::{FeeRule, PolicyFile};
use igra_devnet::Seen;

use crate::world::{AMOUNT, FUNDS, Plan, World, transaction};

/// Sompi for each gram; the least is 100.
const OTHERS_PAY: u64 = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_pays_too_little_for_a_while_is_replaced_by_one_that_pays_more() {
    let fee = FeeRule { replace_after_ms: Some(1_000), ..FeeRule::default() };
    let plan = Plan { policy: PolicyFile { fee, ..PolicyFile::default() }, ..Plan::default() };
    let world = World::start(plan).await;
    // A ripe coin for each of the others.
    world.node.mine(60).await.unwrap();
    world.node.leave_transactions_out(true);
    world.post("one", 0).await;
    let first = transaction(&world.until("one", 0, |view| view["state"] == "submitted").await);
    let low = fee_of(&world, &first).await.expect("it waits in the mempool");

    world.node.crowd(40, OTHERS_PAY).await.unwrap();
    world
        .eventually(async || match world.node.fee_rate().await.unwrap() {
            asked if asked > 110.0 => Ok(()),
            asked => Err(format!("the node asks for {asked} sompi for each gram")),
        })
        .await;
    world
        .eventually(async || match world.node.transaction(&first).await.unwrap() {
            Seen::Unknown => Ok(()),
            seen => Err(format!("{seen:?}")),
        })
        .await;
    world.node.leave_transactions_out(false);

    let paid = world.paid_at("one", 0).await;
    assert_ne!(paid, first);
    for signer in [1, 2] {
        assert_eq!(world.paid_at("one", signer).await, paid);
    }
    assert_eq!(world.coins_of_recipient().await, vec![(paid, AMOUNT.0)]);
    let left: u64 = world.coins_of_group().await.iter().map(|(_, amount)| amount).sum();
    let high = FUNDS.0 - AMOUNT.0 - left;
    assert!(high > low, "{high} is not more than {low}");
    world.stop().await;
}

/// In sompi; none for a transaction that does not wait.
async fn fee_of(world: &World, transaction: &str) -> Option<u64> {
    let rpc = world.node.rpc().await.unwrap();
    let entry = rpc.get_mempool_entry(transaction.parse().unwrap(), true, false).await;
    entry.ok().map(|entry| entry.fee)
}
