//! A group moves to another one: what the old one paid is not paid again, and the new one pays nothing before it is safe.

use igra_config::PredecessorConfig;
use igra_devnet::Fleet;
use serde_json::{Value, json};

use crate::world::{AMOUNT, FUNDS, Plan, World};

const EVERYBODY: [usize; 3] = [0, 1, 2];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_moves_to_another_one_which_pays_nothing_before_that_and_nothing_again() {
    let mut world = World::start(Plan { coins: vec![FUNDS; 3], ..Plan::default() }).await;
    let paid = world.pay("one", 0).await;
    let predecessor = Some(PredecessorConfig::of(&world.fleet.group));
    let old = world.replace_group(Plan { predecessor, coins: vec![], ..Plan::default() }).await;

    // It has coins and an event, and waits.
    world.node.fund(&world.fleet.address(), FUNDS).await.unwrap();
    for signer in EVERYBODY {
        until_group(&world, signer, |group| group["spendableSompi"].as_str() == Some(&FUNDS.0.to_string()))
            .await;
    }
    world.post("two", 0).await;
    for signer in EVERYBODY {
        world.until("two", signer, |view| view["state"] == "verified").await;
        let group = until_group(&world, signer, |group| group["predecessor"].is_object()).await;
        let awaited = group["predecessor"]["awaited"].as_array().unwrap();
        assert!(awaited.contains(&json!({"awaited": "migration"})), "{awaited:?}");
        assert_eq!(group["predecessor"]["address"], old.address());
        assert_eq!(group["promise"], 0);
    }

    move_to(&old, &world.fleet.address());
    for signer in EVERYBODY {
        until_group(&world, signer, |group| group["predecessor"]["begun"].is_number()).await;
    }
    assert_eq!(world.node.utxos(&old.address()).await.unwrap().len(), 0);

    let new = world.paid_at("two", 0).await;
    for signer in EVERYBODY {
        let again = world.post("one", signer).await;
        assert_eq!((&again["state"], &again["transaction"]), (&"paid".into(), &paid.clone().into()));
    }
    // Whoever knows the old address only still may pay there, and the old group pays nothing.
    old.signers[0].api.post_event(&world.request("three", AMOUNT)).await.unwrap();
    world.node.fund(&old.address(), FUNDS).await.unwrap();
    let third = world.pay("three", 1).await;
    let mut found = world.coins_of_recipient().await;
    let mut expected = [paid, new, third].map(|transaction| (transaction, AMOUNT.0));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    old.stop().await.unwrap();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_closes_no_gate_that_was_open() {
    let mut world = World::start(Plan::default()).await;
    let predecessor = Some(PredecessorConfig::of(&world.fleet.group));
    let old = world.replace_group(Plan { predecessor, coins: vec![], ..Plan::default() }).await;
    move_to(&old, &world.fleet.address());
    for signer in EVERYBODY {
        until_group(&world, signer, |group| group["predecessor"]["begun"].is_number()).await;
    }
    old.stop().await.unwrap();
    for signer in EVERYBODY {
        world.fleet.signers[signer].stop().await.unwrap();
    }
    for signer in EVERYBODY {
        world.fleet.signers[signer].start().unwrap();
    }
    world.ready().await;
    let begun = until_group(&world, 0, |group| group["predecessor"].is_object()).await;
    assert!(begun["predecessor"]["begun"].is_number(), "{begun}");
    world.pay("one", 0).await;
    world.stop().await;
}

/// The old group's policy names its successor.
fn move_to(old: &Fleet, successor: &str) {
    old.change_policy(|policy| policy.successor = Some(successor.to_owned())).unwrap();
}

/// Waits until a signer's view of the group fits.
async fn until_group(world: &World, signer: usize, fits: impl Fn(&Value) -> bool) -> Value {
    let api = &world.fleet.signers[signer].api;
    world
        .eventually(async || {
            let view = api.group().await.map(|answer| answer.body).unwrap_or_default();
            if fits(&view) { Ok(view) } else { Err(view.to_string()) }
        })
        .await
}
