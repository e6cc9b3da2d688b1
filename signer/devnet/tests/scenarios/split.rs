//! Members whose nodes show different coins promise different transactions for one event. No sum of those promises makes
//! a payment, and one transaction that shares a coin with each of them ends it.

use std::collections::{BTreeMap, BTreeSet};

use igra_config::TimingConfig;
use serde_json::Value;

use crate::world::{AMOUNT, FUNDS, Plan, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_between_members_who_see_different_coins_is_merged_and_paid_once() {
    let node = World::node().await;
    node.mine(10).await.unwrap();
    let other = node.fork().await.unwrap();
    let plan = Plan {
        // All three are needed, so that who promised one thing cannot be left aside.
        quorum: Some(3),
        own_nodes: BTreeMap::from([("alpha".to_owned(), other.rpc_url())]),
        timing: TimingConfig { view_timeout_cap_ms: 2_000, ..TimingConfig::default() },
        coins: vec![],
        ..Plan::default()
    };
    let world = World::start_on(node, plan).await;
    let address = world.fleet.address();
    let seen_by_most = world.node.unsent_payment(&address, FUNDS).await.unwrap();
    world.node.submit(&seen_by_most).await.unwrap();
    let seen_by_alpha = world.node.unsent_payment(&address, FUNDS).await.unwrap();
    other.submit(&seen_by_alpha).await.unwrap();
    other.mine(5).await.unwrap();

    world.post("one", 0).await;
    let alpha = world.until("one", 0, has_promised).await;
    let beta = world.until("one", 1, has_promised).await;
    let gamma = world.until("one", 2, has_promised).await;
    assert!(promises(&alpha).is_disjoint(&promises(&beta)), "no split: {alpha} {beta}");
    assert_eq!(promises(&beta), promises(&gamma), "{beta} {gamma}");

    other.connect(&world.node).await.unwrap();
    world
        .eventually(async || {
            // With a new block the other node hears of those before it.
            other.mine(1).await.unwrap();
            let coins = world.coins_of_group().await;
            if coins.len() == 2 { Ok(()) } else { Err(format!("{coins:?}")) }
        })
        .await;

    let transaction = world.paid_at("one", 0).await;
    for signer in [1, 2] {
        assert_eq!(world.paid_at("one", signer).await, transaction);
    }
    assert_eq!(world.coins_of_recipient().await, vec![(transaction.clone(), AMOUNT.0)]);
    // It took a coin that each of them had promised.
    let left = world.coins_of_group().await;
    assert_eq!(left.iter().map(|(by, _)| by.clone()).collect::<Vec<_>>(), vec![transaction]);
    other.stop().await.unwrap();
    world.stop().await;
}

fn has_promised(view: &Value) -> bool {
    !promises(view).is_empty()
}

fn promises(view: &Value) -> BTreeSet<String> {
    let promises = view["ownApprovals"].as_array().into_iter().flatten();
    promises.filter_map(|id| id.as_str().map(str::to_owned)).collect()
}
