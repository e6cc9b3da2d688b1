//! Administrators ask that an event is never paid: before its payment is in the chain that works, afterwards it does not.

use igra_devnet::Seen;

use crate::world::{AMOUNT, FUNDS, Plan, World, transaction};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_no_block_took_yet_is_voided_and_never_made() {
    let world = World::start(Plan::default()).await;
    world.node.leave_transactions_out(true);
    world.post("one", 0).await;
    let payment = transaction(&world.until("one", 0, |view| view["state"] == "submitted").await);

    cancel(&world, &[0, 1]).await;
    world
        .eventually(async || match world.node.transaction(&payment).await.unwrap() {
            Seen::Unknown => Ok(()),
            seen => Err(format!("{seen:?}")),
        })
        .await;
    world.node.leave_transactions_out(false);

    let void = transaction(&world.until("one", 0, |view| view["state"] == "void").await);
    for signer in [1, 2] {
        assert_eq!(transaction(&world.until("one", signer, |view| view["state"] == "void").await), void);
    }
    assert_ne!(void, payment);
    assert_eq!(world.coins_of_recipient().await, vec![]);
    let left = world.coins_of_group().await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].0, void);
    assert!(left[0].1 < FUNDS.0 && left[0].1 > FUNDS.0 - igra_group::SOMPI_PER_KAS, "{left:?}");
    for signer in [0, 1, 2] {
        let again = world.post("one", signer).await;
        assert_eq!((&again["state"], &again["transaction"]), (&"void".into(), &void.clone().into()));
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_is_in_the_chain_stays_paid_whoever_cancels_it() {
    let world = World::start(Plan::default()).await;
    world.post("one", 0).await;
    let payment = transaction(&world.until("one", 0, |view| view["state"] == "accepted").await);
    world.until("one", 1, |view| view["state"] == "accepted").await;

    cancel(&world, &[0, 1]).await;

    for signer in [0, 1, 2] {
        assert_eq!(world.paid_at("one", signer).await, payment);
    }
    assert_eq!(world.coins_of_recipient().await, vec![(payment, AMOUNT.0)]);
    world.stop().await;
}

async fn cancel(world: &World, signers: &[usize]) {
    for signer in signers {
        let api = &world.fleet.signers[*signer].api;
        let answer = api.cancel(&World::key("one"), "sent by mistake").await.unwrap();
        assert!(answer.status.is_success(), "{} {}", answer.status, answer.body);
    }
}
