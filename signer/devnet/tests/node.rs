//! The development network's own promises: a real kaspad pays from the faucet, reorganises, and goes on where it stopped.

use igra_devnet::{Node, NodeOptions, Seen, up::fresh_address};
use igra_group::Sompi;

const TEN: Sompi = Sompi(10 * igra_group::SOMPI_PER_KAS);
const TWENTY: Sompi = Sompi(20 * igra_group::SOMPI_PER_KAS);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_funded_address_holds_its_coin() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let address = fresh_address();

    let transaction = node.fund(&address, TEN).await.unwrap();

    let coins = node.utxos(&address).await.unwrap();
    assert_eq!(coins.len(), 1);
    assert_eq!((coins[0].transaction.as_str(), coins[0].amount_sompi), (transaction.as_str(), TEN.0));
    assert!(node.state().await.unwrap().synced);
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reorganisation_with_a_rival_undoes_a_payment_for_good() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let rival = node.unsent_payment(&fresh_address(), TWENTY).await.unwrap();
    let paid = node.fund(&fresh_address(), TEN).await.unwrap();

    let done = node.reorg(2, std::slice::from_ref(&rival)).await.unwrap();
    node.mine(2).await.unwrap();

    assert_eq!(done.removed, 2);
    assert!(!matches!(node.transaction(&paid).await.unwrap(), Seen::Accepted(_)));
    assert!(matches!(node.transaction(&rival.id().to_string()).await.unwrap(), Seen::Accepted(_)));
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_reorganisation_without_rival_another_block_accepts_the_payment() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let paid = node.fund(&fresh_address(), TEN).await.unwrap();
    let Seen::Accepted(before) = node.transaction(&paid).await.unwrap() else {
        panic!("the payment was not accepted");
    };

    node.reorg(3, &[]).await.unwrap();
    assert!(!matches!(node.transaction(&paid).await.unwrap(), Seen::Accepted(_)));
    node.mine(2).await.unwrap();

    let Seen::Accepted(after) = node.transaction(&paid).await.unwrap() else {
        panic!("the payment did not come back");
    };
    assert_ne!(before.block, after.block);
    assert_eq!(before.outputs, after.outputs);
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_started_again_goes_on_where_it_stopped() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let address = fresh_address();
    let paid = node.fund(&address, TEN).await.unwrap();
    let url = node.rpc_url();

    let node = Node::start(node.stop().await.unwrap()).await.unwrap();

    assert_eq!(node.rpc_url(), url);
    assert!(matches!(node.transaction(&paid).await.unwrap(), Seen::Accepted(_)));
    assert_eq!(node.utxos(&address).await.unwrap().len(), 1);
    node.stop().await.unwrap();
}
