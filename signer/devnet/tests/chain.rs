//! The signer's Kaspa edge against a real node: what it tells of accepted and undone transactions, of coins, and of a
//! node that goes away.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use igra_core::{AcceptedTransaction, BlockId, ChainUpdate, Input, SubmitOutcome, WalletUpdate};
use igra_devnet::{Node, NodeOptions, up::fresh_address};
use igra_group::{
    Depths, Digest, Group, Member, MemberIndex, MemberKey, Network, SignatureScheme, Sompi, TransportId,
};
use igra_signer::chain::{Beginning, BreakerSettings, Chain, ChainMetrics, Submission};
use igra_tx::{
    ChainView, Draft, EventKey, FeeLimits, FeeRate, Partial, PayloadHash, Payment, Purpose, Script, SigHash,
    Signature, SignedTransaction, kaspa,
};
use kaspa_addresses::Address;
use kaspa_consensus_core::{Hash, merkle::calc_hash_merkle_root, tx::Transaction};
use kaspa_rpc_core::RpcDataVerbosityLevel;
use secp256k1::{Keypair, Message, SECP256K1, rand::thread_rng};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

const FUNDS: Sompi = Sompi(100 * igra_group::SOMPI_PER_KAS);
const AMOUNT: Sompi = Sompi(10 * igra_group::SOMPI_PER_KAS);
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spend_of_the_group_is_told_when_accepted_undone_and_accepted_again() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();
    let mut edge = Edge::watch(&node, &owners, None);
    node.fund(&owners.address(), FUNDS).await.unwrap();
    let wallet = edge.wallet_with_coins().await;
    let transaction = owners.pay(&wallet);
    let submitter = edge.chain.submitter();

    assert_eq!(submitter.submit(&signed(&transaction)).await, SubmitOutcome::InMempool);
    assert_eq!(submitter.submit(&signed(&transaction)).await, SubmitOutcome::InMempool);
    node.mine(2).await.unwrap();
    let (accepted, block) = edge.accepted(&transaction).await;
    assert_eq!(
        accepted.spends,
        transaction.proposal.inputs.iter().map(|coin| coin.outpoint).collect::<Vec<_>>()
    );
    assert_eq!(accepted.payload, transaction.proposal.payload);
    assert!(accepted.by_group);
    assert_eq!(accepted.signers, owners.first_two());
    let change = transaction.proposal.outputs.last().unwrap().amount;
    assert_eq!(accepted.pays, [(1, change)]);
    assert_eq!(kaspa::decode(&accepted.body).unwrap(), transaction.to_kaspa());
    assert_eq!(submitter.submit(&signed(&transaction)).await, SubmitOutcome::Known);

    node.reorg(3, &[]).await.unwrap();
    edge.removed(block).await;
    node.mine(2).await.unwrap();
    let (_, again) = edge.accepted(&transaction).await;
    assert_ne!(block, again);
    edge.chain.shutdown().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_starts_at_an_old_cursor_is_told_what_it_missed() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();
    let mut first = Edge::watch(&node, &owners, None);
    node.fund(&owners.address(), FUNDS).await.unwrap();
    let wallet = first.wallet_with_coins().await;
    let transaction = owners.pay(&wallet);
    let cursor = first.cursor.expect("a wallet comes after a place on the chain");
    assert_eq!(first.chain.submitter().submit(&signed(&transaction)).await, SubmitOutcome::InMempool);
    first.chain.shutdown().await;
    node.mine(20).await.unwrap();

    let mut second = Edge::watch(&node, &owners, Some(cursor));

    assert_eq!(second.accepted(&transaction).await.0.payload, transaction.proposal.payload);
    second.chain.shutdown().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_the_node_does_not_know_is_told_as_a_restart() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();

    let mut edge = Edge::watch(&node, &owners, Some(BlockId::from_bytes([7; 32])));

    let update = edge.chain_update(|update| update.restarted).await;
    assert_eq!(update.cursor, genesis());
    assert!(update.gapless, "the node remembers the chain from its first block on");
    let sink = node.state().await.unwrap().sink;
    edge.chain_update(|update| update.gapless && update.cursor.to_string() == sink).await;
    edge.chain.shutdown().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_is_told_of_every_coin_that_the_group_ever_had() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();
    let mut first = Edge::watch(&node, &owners, None);
    node.fund(&owners.address(), FUNDS).await.unwrap();
    let wallet = first.wallet_with_coins().await;
    let transaction = owners.pay(&wallet);
    assert_eq!(first.chain.submitter().submit(&signed(&transaction)).await, SubmitOutcome::InMempool);
    first.chain.shutdown().await;
    node.mine(20).await.unwrap();

    let mut second = Edge::watch(&node, &owners, None);

    let beginning = second.chain_update(|_| true).await;
    assert_eq!((beginning.cursor, beginning.gapless, beginning.restarted), (genesis(), true, false));
    let deposit = second.deposit().await;
    assert_eq!(deposit.id, transaction.proposal.inputs[0].outpoint.transaction);
    assert_eq!(deposit.pays.iter().map(|(_, amount)| *amount).collect::<Vec<_>>(), [FUNDS]);
    assert_eq!((deposit.by_group, deposit.signers), (false, vec![]));
    second.wallet_with_coins().await;
    let spend =
        second.told.iter().find(|told| told.id == transaction.id()).expect("it is told before the coins are");
    assert_eq!((spend.by_group, &spend.signers), (true, &owners.first_two()));
    second.ready().await;
    second.chain.shutdown().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_that_a_reorganisation_removed_can_be_handed_in_again() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();
    let mut edge = Edge::watch(&node, &owners, None);
    let payment = node.unsent_payment(&owners.address(), FUNDS).await.unwrap();
    let rpc = node.rpc().await.unwrap();
    rpc.submit_transaction((&payment).into(), false).await.unwrap();
    node.handed_over(&payment);
    node.mine(2).await.unwrap();
    let deposit = edge.deposit().await;
    let (transaction, body) = (deposit.id, deposit.body);
    let again = Submission::Body { transaction, body };

    assert_eq!(edge.chain.submitter().submit(&again).await, SubmitOutcome::Known);
    let Submission::Body { body, .. } = again else { unreachable!("it was made as a body") };
    let other = Submission::Body { transaction: igra_tx::TransactionId::from_bytes([7; 32]), body };
    assert!(matches!(edge.chain.submitter().submit(&other).await, SubmitOutcome::Refused(_)));
    edge.chain.shutdown().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_who_takes_the_coins_of_an_undone_deposit_is_told_of() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();
    let mut edge = Edge::watch(&node, &owners, None);
    let elsewhere = node.state().await.unwrap().faucet;
    let rival = node.unsent_payment(&elsewhere, FUNDS).await.unwrap();
    node.fund(&owners.address(), FUNDS).await.unwrap();
    let deposit = edge.deposit().await;

    node.reorg(2, std::slice::from_ref(&rival)).await.unwrap();
    node.mine(2).await.unwrap();

    let is_rival = |told: &&AcceptedTransaction| told.id == kaspa::transaction_id(&rival);
    let find = |update: &ChainUpdate| {
        update.added.iter().flat_map(|block| &block.transactions).find(is_rival).cloned()
    };
    let update = edge.chain_update(|update| find(update).is_some()).await;
    let told = find(&update).expect("the update was chosen for it");
    assert_eq!((told.by_group, told.pays, told.body), (false, vec![], vec![]));
    assert!(told.spends.iter().any(|outpoint| deposit.spends.contains(outpoint)));
    edge.chain.shutdown().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_higher_fee_replaces_what_waits_and_is_handed_in_where_nothing_waits() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();
    let mut edge = Edge::watch(&node, &owners, None);
    node.fund(&owners.address(), FUNDS).await.unwrap();
    let wallet = edge.wallet_with_coins().await;
    let submitter = edge.chain.submitter();
    let at = |rate| owners.pay(&WalletUpdate { fee_rate: FeeRate::new(rate), ..wallet.clone() });
    let replacing = |transaction| Submission::Signed { transaction, replaces: true };

    assert_eq!(submitter.submit(&replacing(at(100))).await, SubmitOutcome::InMempool, "nothing to replace");
    assert!(matches!(submitter.submit(&signed(&at(200))).await, SubmitOutcome::Conflict(_)));
    assert_eq!(submitter.submit(&replacing(at(200))).await, SubmitOutcome::InMempool);
    assert_eq!(submitter.submit(&replacing(at(200))).await, SubmitOutcome::InMempool, "the same once more");
    let cheaper = submitter.submit(&replacing(at(150))).await;
    assert!(matches!(cheaper, SubmitOutcome::Conflict(_)), "{cheaper:?}");
    node.mine(2).await.unwrap();

    edge.accepted(&at(200)).await;
    edge.chain.shutdown().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_goes_away_is_told_once_and_its_return_is_noticed() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();
    let mut edge = Edge::watch(&node, &owners, None);
    edge.until(|input| matches!(input, Input::Wallet(wallet) if wallet.synced)).await;
    edge.ready().await;

    let options = node.stop().await.unwrap();
    edge.until(|input| matches!(input, Input::NodeDown)).await;
    assert!(!edge.chain.health().get().is_ready());
    let node = Node::start(options).await.unwrap();

    edge.until(|input| matches!(input, Input::Wallet(wallet) if wallet.synced)).await;
    edge.ready().await;
    edge.chain.shutdown().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_endpoint_serves_where_the_first_is_away() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();
    let endpoints = ["grpc://127.0.0.1:1".to_owned(), node.rpc_url()];

    let mut edge = Edge::watch_endpoints(&endpoints, &owners, None);

    edge.until(|input| matches!(input, Input::Wallet(wallet) if wallet.synced)).await;
    assert_eq!(edge.chain.health().get().endpoint, node.rpc_url());
    edge.chain.shutdown().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_with_a_script_that_makes_no_address_does_not_stop_the_watch() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();
    let mut edge = Edge::watch(&node, &owners, None);
    node.fund(&owners.address(), FUNDS).await.unwrap();
    let wallet = edge.wallet_with_coins().await;
    let transaction = owners.pay(&wallet);
    let before = edge.cursor.expect("a wallet comes after a place on the chain");
    assert_eq!(edge.chain.submitter().submit(&signed(&transaction)).await, SubmitOutcome::InMempool);

    mine_unprintable(&node).await;
    node.mine(3).await.unwrap();

    assert_eq!(edge.accepted(&transaction).await.0.payload, transaction.proposal.payload);
    let (rpc, level) = (node.rpc().await.unwrap(), Some(RpcDataVerbosityLevel::High));
    let short_way =
        rpc.get_virtual_chain_from_block_v2(Hash::from_bytes(*before.as_bytes()), level, None).await;
    assert!(short_way.is_err(), "the block did not bar the short way, so this test shows nothing");
    edge.chain.shutdown().await;
    node.stop().await.unwrap();
}

/// Mines a block whose miner asks to be paid to a script without an address. The next block's coinbase pays it.
async fn mine_unprintable(node: &Node) {
    const SCRIPT_AT: usize = 16;
    let rpc = node.rpc().await.unwrap();
    let faucet = Address::try_from(node.state().await.unwrap().faucet).unwrap();
    let mut block = rpc.get_block_template(faucet, vec![]).await.unwrap().block;
    // After blue score and subsidy: the script's version (two bytes), its length (one), and its bytes.
    let payload = &mut block.transactions[0].payload;
    let end = SCRIPT_AT + 3 + usize::from(payload[SCRIPT_AT + 2]);
    payload.splice(SCRIPT_AT..end, [0, 0, 1, 0x51]);
    let transactions =
        block.transactions.iter().cloned().map(Transaction::try_from).collect::<Result<Vec<_>, _>>().unwrap();
    block.header.hash_merkle_root = calc_hash_merkle_root(transactions.iter());
    assert!(rpc.submit_block(block, false).await.unwrap().report.is_success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_takes_calls_and_never_answers_is_left_for_the_next() {
    let node = Node::start(NodeOptions::default()).await.unwrap();
    let owners = Owners::new();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints = [format!("grpc://{}", silent.local_addr().unwrap()), node.rpc_url()];

    let mut edge = Edge::watch_endpoints(&endpoints, &owners, None);

    edge.until(|input| matches!(input, Input::NodeDown)).await;
    edge.until(|input| matches!(input, Input::Wallet(wallet) if wallet.synced)).await;
    assert_eq!(edge.chain.health().get().endpoint, node.rpc_url());
    edge.chain.shutdown().await;
    node.stop().await.unwrap();
}

/// The first block of the chain.
fn genesis() -> BlockId {
    BlockId::from_bytes(kaspa::params(Network::Simnet).genesis.hash.as_bytes())
}

fn signed(transaction: &SignedTransaction) -> Submission {
    Submission::Signed { transaction: transaction.clone(), replaces: false }
}

/// A chain edge with its inputs, as the loop would take them.
struct Edge {
    chain: Chain,
    inputs: mpsc::Receiver<Input>,
    cursor: Option<BlockId>,
    /// What was told of as accepted.
    told: Vec<AcceptedTransaction>,
}

impl Edge {
    fn watch(node: &Node, owners: &Owners, cursor: Option<BlockId>) -> Self {
        Self::watch_endpoints(&[node.rpc_url()], owners, cursor)
    }

    fn watch_endpoints(endpoints: &[String], owners: &Owners, cursor: Option<BlockId>) -> Self {
        let (sender, inputs) = mpsc::channel(64);
        let breaker = BreakerSettings { open_for: Duration::from_millis(200), ..BreakerSettings::default() };
        let metrics = ChainMetrics::default();
        let chain =
            Chain::spawn_with(breaker, endpoints, &owners.group, Beginning::at(cursor), sender, metrics);
        Self { chain, inputs, cursor, told: vec![] }
    }

    /// Takes inputs until one fits.
    async fn until(&mut self, fits: impl Fn(&Input) -> bool) -> Input {
        let start = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(start.elapsed());
            let input = timeout(left, self.inputs.recv())
                .await
                .expect("no such input came in time")
                .expect("the edge runs");
            if let Input::Chain(update) = &input {
                self.cursor = Some(update.cursor);
                self.told.extend(update.added.iter().flat_map(|block| block.transactions.clone()));
            }
            if fits(&input) {
                return input;
            }
        }
    }

    async fn chain_update(&mut self, fits: impl Fn(&ChainUpdate) -> bool) -> ChainUpdate {
        match self.until(|input| matches!(input, Input::Chain(update) if fits(update))).await {
            Input::Chain(update) => update,
            other => panic!("not a chain update: {other:?}"),
        }
    }

    async fn wallet_with_coins(&mut self) -> WalletUpdate {
        match self
            .until(
                |input| matches!(input, Input::Wallet(wallet) if wallet.synced && !wallet.coins.is_empty()),
            )
            .await
        {
            Input::Wallet(wallet) => wallet,
            other => panic!("not a wallet update: {other:?}"),
        }
    }

    async fn accepted(&mut self, transaction: &SignedTransaction) -> (AcceptedTransaction, BlockId) {
        let id = transaction.id();
        let find = |update: &ChainUpdate| {
            let of_block = |block: &igra_core::AcceptedBlock| {
                let found = block.transactions.iter().find(|accepted| accepted.id == id);
                found.map(|accepted| (accepted.clone(), block.block))
            };
            update.added.iter().find_map(of_block)
        };
        let update = self.chain_update(|update| find(update).is_some()).await;
        find(&update).expect("the update was chosen for it")
    }

    /// The first payment to the group that comes.
    async fn deposit(&mut self) -> AcceptedTransaction {
        let find = |update: &ChainUpdate| {
            let mut transactions = update.added.iter().flat_map(|block| &block.transactions);
            transactions.find(|accepted| !accepted.by_group && !accepted.pays.is_empty()).cloned()
        };
        let update = self.chain_update(|update| find(update).is_some()).await;
        find(&update).expect("the update was chosen for it")
    }

    /// Waits until the edge says that it is ready, which it does when the loop was told of the coins.
    async fn ready(&self) {
        let ready = async {
            while !self.chain.health().get().is_ready() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, ready).await.expect("the edge is ready in time");
    }

    async fn removed(&mut self, block: BlockId) {
        self.chain_update(|update| update.removed.contains(&block)).await;
    }
}

/// A group of 2 of 3 whose keys all are here.
struct Owners {
    group: Group,
    keys: BTreeMap<MemberIndex, Keypair>,
    /// Whom they pay.
    recipient: String,
}

impl Owners {
    fn new() -> Self {
        let pairs: Vec<Keypair> = (0..3).map(|_| Keypair::new(SECP256K1, &mut thread_rng())).collect();
        let member = |(at, pair): (usize, &Keypair)| Member {
            name: at.to_string(),
            key: MemberKey::from_bytes(
                SignatureScheme::Schnorr,
                pair.x_only_public_key().0.serialize().to_vec(),
            )
            .unwrap(),
            transport: TransportId(Digest([at as u8; 32])),
        };
        let members = pairs.iter().enumerate().map(member).collect();
        let depths = Depths { coin: 0, deposit: 0, settled: 5, final_: 10 };
        let dust = Group::DEFAULT_DUST;
        let group =
            Group::new(Network::Simnet, SignatureScheme::Schnorr, 2, None, members, depths, dust).unwrap();
        let index = |at: usize| group.index_by_name(&at.to_string()).unwrap();
        let keys = pairs.into_iter().enumerate().map(|(at, pair)| (index(at), pair)).collect();
        Self { group, keys, recipient: fresh_address() }
    }

    fn address(&self) -> String {
        self.group.wallet().address().to_string()
    }

    /// Those who sign payments.
    fn first_two(&self) -> Vec<MemberIndex> {
        self.keys.keys().take(2).copied().collect()
    }

    /// A payment signed by two of the owners.
    fn pay(&self, wallet: &WalletUpdate) -> SignedTransaction {
        let coins = wallet.coins.iter().map(|coin| (coin.outpoint, coin.clone())).collect();
        let (virtual_daa, fee_rate) = (wallet.virtual_daa, wallet.fee_rate);
        let view = ChainView { virtual_daa, coins, own: BTreeSet::new(), fee_rate };
        let recipient = Script::of_address(Network::Simnet, &self.recipient).unwrap();
        let payment = Payment {
            event: EventKey::derive(Network::Simnet, "request", "test", b"one"),
            payload: PayloadHash::derive(&recipient, AMOUNT, b""),
            recipient,
            amount: AMOUNT,
        };
        let limits = FeeLimits { max_sompi_per_gram: u64::MAX, max: Sompi(u64::MAX) };
        let (payments, tags, avoid) = ([payment], BTreeSet::new(), BTreeSet::new());
        let (purpose, limits) = (Purpose::Pay(&payments), &limits);
        let draft = Draft { purpose, tags: &tags, limits, avoid: &avoid, must_share: &[] };
        let proposal = igra_tx::draft(&self.group, &view, &draft).unwrap();
        let partials: BTreeMap<MemberIndex, Partial> = self
            .keys
            .iter()
            .take(2)
            .map(|(member, key)| {
                let sign =
                    |hash: &SigHash| Signature(*key.sign_schnorr(Message::from_digest(hash.0)).as_ref());
                (*member, igra_tx::sign(&self.group, &proposal, *member, sign).unwrap())
            })
            .collect();
        igra_tx::combine(&self.group, &proposal, &partials).unwrap()
    }
}
