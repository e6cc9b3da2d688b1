//! Three signers as processes of their own, a real node, one event: it is paid once, whoever falls silent.

use igra_group::Sompi;

use crate::world::{AMOUNT, Plan, World, transaction};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_signers_pay_an_event() {
    let world = World::start(Plan::default()).await;

    let transaction = world.pay("one", 0).await;

    assert_eq!(world.coins_of_recipient().await, vec![(transaction, AMOUNT.0)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_event_again_is_the_same_payment_and_another_amount_is_a_replay() {
    let world = World::start(Plan::default()).await;
    let transaction = world.pay("one", 0).await;

    let again = world.fleet.signers[1].api.post_event(&world.request("one", AMOUNT)).await.unwrap();
    let other =
        world.fleet.signers[1].api.post_event(&world.request("one", Sompi(AMOUNT.0 + 1))).await.unwrap();

    assert!(again.status.is_success(), "{}", again.body);
    assert_eq!(other.status.as_u16(), 409, "{}", other.body);
    assert_eq!(world.coins_of_recipient().await, vec![(transaction, AMOUNT.0)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_killed_before_it_answers_is_not_missed_and_catches_up() {
    let mut world = World::start(Plan::default()).await;
    world.fleet.signers[2].kill().await.unwrap();

    let transaction = world.pay("one", 0).await;

    assert_eq!(world.coins_of_recipient().await, vec![(transaction.clone(), AMOUNT.0)]);
    world.fleet.signers[2].start().unwrap();
    assert_eq!(world.paid_at("one", 2).await, transaction);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_gossip_the_streams_carry_the_payment() {
    let world =
        World::start(Plan { environment: vec![("IGRA_TEST_DROP_GOSSIP", "1")], ..Plan::default() }).await;

    let transaction = world.pay("one", 0).await;

    assert_eq!(world.coins_of_recipient().await, vec![(transaction, AMOUNT.0)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_above_the_threshold_pays_after_its_certificate() {
    let world = World::start(Plan { quorum: Some(3), ..Plan::default() }).await;

    let transaction = world.pay("one", 0).await;

    assert_eq!(world.coins_of_recipient().await, vec![(transaction, AMOUNT.0)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_a_reorganisation_undoes_is_paid_all_the_same_and_once() {
    let world = World::start(Plan::default()).await;
    world.post("one", 0).await;
    let first = transaction(&world.until("one", 0, |view| view["state"] == "accepted").await);
    let before = world.accepting_block(&first).await.expect("the node has what its signer saw");

    world.node.reorg(10, &[]).await.unwrap();
    let paid = world.paid_at("one", 0).await;

    assert_eq!(first, paid);
    assert_ne!(
        world.accepting_block(&first).await,
        Some(before),
        "the reorganisation did not reach the payment"
    );
    assert_eq!(world.coins_of_recipient().await, vec![(paid, AMOUNT.0)]);
    world.stop().await;
}
