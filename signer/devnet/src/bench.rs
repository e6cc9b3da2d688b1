//! `igra-devnet bench`: how long a group of 2 of 3 takes from an event to its submitted transaction on this machine,
//! beside the floor: what checking, one synced write, signing, one hop and submitting take by themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    future::Future,
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use igra_config::{BatchRule, PolicyFile, TimingConfig};
use igra_group::{
    Depths, Digest, Group, Member, MemberIndex, MemberKey, Network, SignatureScheme, Sompi, TransportId,
};
use igra_tx::{
    ChainView, Coin, Draft, EventKey, FeeLimits, FeeRate, Outpoint, PayloadHash, Payment, Proposal, Purpose,
    Script, SigHash, Signature, Terms, TransactionId,
};
use kaspa_grpc_client::GrpcClient;
use kaspa_rpc_core::{RpcTransaction, api::rpc::RpcApi};
use secp256k1::{Keypair, Message, SECP256K1, rand::thread_rng};
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    ApiClient, Fleet, FleetOptions, Node, NodeOptions, Seen,
    load::{self, LoadReport},
    phases::Phases,
    progress::Progress,
    signer_binary,
    up::fresh_address,
};

const READY_WITHIN: Duration = Duration::from_secs(60);
const SUBMITTED_WITHIN: Duration = Duration::from_secs(30);

/// Each event gets a coin of its own, so that none waits for change.
const COIN: Sompi = Sompi(50 * igra_group::SOMPI_PER_KAS);
const AMOUNT: Sompi = Sompi(10 * igra_group::SOMPI_PER_KAS);

/// How often each part of the floor is measured.
const FLOOR_RUNS: usize = 40;

/// Most coins for one run under load: where each payment goes alone, as many as that are used.
const MOST_BATCHES: u32 = 600;

/// About what an approval with its partial takes on disk.
const WRITE_BYTES: usize = 4096;

/// What the command line says.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    pub events: usize,
    /// Events a second, one run for each.
    pub load: Vec<u32>,
    /// How long each of those runs lasts.
    pub load_seconds: u32,
    /// How long an event waits for company, in milliseconds.
    pub batch_wait: u64,
    pub signer_bin: Option<PathBuf>,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p95: f64,
}

/// What one event after the other took.
struct Measured {
    whole: Percentiles,
    /// Mean milliseconds from being taken to each phase, as the signer that took them measured.
    phases: Vec<(String, f64)>,
}

/// Measures, prints a table to standard error and JSON to standard output, and stops what it started.
pub async fn run(options: BenchOptions, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let mut stop = pin!(stop);
    let signer_bin = signer_binary(options.signer_bin.clone())?;
    let node = Node::start(NodeOptions {
        block_interval: Some(Duration::from_millis(500)),
        ..NodeOptions::default()
    })
    .await?;
    let mut fleet = None;
    let measured = tokio::select! {
        measured = measure(&options, signer_bin, &node, &mut fleet) => measured,
        () = &mut stop => Ok(()),
    };
    if let Some(fleet) = fleet {
        fleet.stop().await?;
    }
    node.stop().await?;
    measured
}

async fn measure(
    options: &BenchOptions,
    signer_bin: PathBuf,
    node: &Node,
    started: &mut Option<Fleet>,
) -> anyhow::Result<()> {
    let events = options.events;
    if events == 0 {
        bail!("no events, nothing to measure");
    }
    if options.load.contains(&0) {
        bail!("a load of 0 events a second measures nothing");
    }
    let progress = Progress::start();
    let recipient = fresh_address();
    let fleet = started.insert(Fleet::start(fleet_options(options, signer_bin, node, &recipient)).await?);
    fleet.await_ready(READY_WITHIN).await?;
    // A batch takes a coin, and its change is too young for the next one.
    let batches: u32 = options.load.iter().map(|rate| (rate * options.load_seconds).min(MOST_BATCHES)).sum();
    let coins = events + batches as usize;
    for _ in 0..coins {
        node.fund(&fleet.address(), COIN).await?;
    }
    fleet.await_coins(coins, READY_WITHIN).await?;
    let memory = fleet.signers.iter().filter_map(|signer| signer.memory_kib()).max();
    progress.say(format!("a group of 2 of 3 is ready, with {events} coins"));
    let floor = floor(fleet, node).await?;
    progress.say("the floor is measured");
    let (mut times, signer) = (Vec::new(), &fleet.signers[0].api);
    let before = Phases::read(&signer.metrics().await?);
    for at in 0..events {
        times.push(one(signer, node, &recipient, at).await?);
    }
    let phases = Phases::read(&signer.metrics().await?).since(&before);
    let mut load = Vec::new();
    for rate in &options.load {
        load.push(load::run(fleet, node, &recipient, *rate, options.load_seconds, &progress).await?);
    }
    let measured = Measured { whole: percentiles(times), phases };
    report(events, &measured, &floor, memory, &load);
    Ok(())
}

fn fleet_options(options: &BenchOptions, signer_bin: PathBuf, node: &Node, recipient: &str) -> FleetOptions {
    let batch = BatchRule { wait_ms: Some(options.batch_wait), ..BatchRule::default() };
    FleetOptions {
        threshold: 2,
        members: 3,
        quorum: None,
        kaspa_node: node.rpc_url(),
        own_nodes: BTreeMap::new(),
        allow: vec![recipient.to_owned()],
        policy: PolicyFile { batch, ..PolicyFile::default() },
        folder: None,
        signer_bin,
        environment: vec![],
        timing: TimingConfig::default(),
        log_level: "warn".to_owned(),
        predecessor: None,
    }
}

/// From the request to the moment the node has the transaction, whichever signer handed it over.
async fn one(signer: &ApiClient, node: &Node, recipient: &str, at: usize) -> anyhow::Result<Duration> {
    let body = ApiClient::request(Fleet::SOURCE, &format!("bench-{at}"), recipient, AMOUNT);
    let start = Instant::now();
    let receipt = signer.post_event(&body).await?;
    if !receipt.status.is_success() {
        bail!("the event was not taken: {} {}", receipt.status, receipt.body);
    }
    let event = receipt.body["event"].as_str().context("the receipt names no event")?.to_owned();
    loop {
        let view = signer.event(&event).await?.body;
        if let Some(transaction) = view["transaction"].as_str()
            && node.transaction(transaction).await? != Seen::Unknown
        {
            return Ok(start.elapsed());
        }
        if start.elapsed() > SUBMITTED_WITHIN {
            bail!("event {at} was not submitted in time: {view}");
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// The parts of the floor by name.
async fn floor(fleet: &Fleet, node: &Node) -> anyhow::Result<Vec<(&'static str, Percentiles)>> {
    let (group, key, member) = sample_group()?;
    let (proposal, view, payment) = sample(&group)?;
    let limits = FeeLimits { max_sompi_per_gram: u64::MAX, max: Sompi(u64::MAX) };
    let payments = [payment];
    let terms = Terms { payments: &payments, successor: None, limits: &limits };
    let check = repeat(|| Ok(igra_tx::check(&group, &view, &proposal, &terms)?))?;
    let sign = repeat(|| {
        let signature = |hash: &SigHash| Signature(*key.sign_schnorr(Message::from_digest(hash.0)).as_ref());
        igra_tx::sign(&group, &proposal, member, signature)?;
        Ok(())
    })?;
    let mut file = File::create(fleet.folder().join("floor"))?;
    let write = repeat(|| {
        file.write_all(&[0x1d; WRITE_BYTES])?;
        Ok(file.sync_data()?)
    })?;
    Ok(vec![
        ("check", check),
        ("synced write", write),
        ("sign", sign),
        ("hop", hop()?),
        ("submit", submit(node).await?),
    ])
}

/// A group like the fleet's, with the key of one of its members.
fn sample_group() -> anyhow::Result<(Group, Keypair, MemberIndex)> {
    let keys: Vec<Keypair> = (0..3).map(|_| Keypair::new(SECP256K1, &mut thread_rng())).collect();
    let member = |(at, key): (usize, &Keypair)| {
        let public = key.x_only_public_key().0.serialize().to_vec();
        let transport = TransportId(Digest([at as u8; 32]));
        let key = MemberKey::from_bytes(SignatureScheme::Schnorr, public)?;
        anyhow::Ok(Member { name: at.to_string(), key, transport })
    };
    let members = keys.iter().enumerate().map(member).collect::<anyhow::Result<_>>()?;
    let (depths, dust) = (Depths::default(), Group::DEFAULT_DUST);
    let group = Group::new(Network::Simnet, SignatureScheme::Schnorr, 2, None, members, depths, dust)?;
    let index = group.index_by_name("0").context("the group was made with a member of this name")?;
    Ok((group, keys[0], index))
}

/// A proposal as the group would make it, with what its check needs.
fn sample(group: &Group) -> anyhow::Result<(Proposal, ChainView, Payment)> {
    let script = Script::of_wallet(group.wallet());
    let outpoint = Outpoint { transaction: TransactionId::from_bytes([7; 32]), index: 0 };
    let coin = Coin { outpoint, amount: COIN, script, daa_score: 0, coinbase: false };
    let coins = BTreeMap::from([(outpoint, coin)]);
    let view = ChainView { virtual_daa: 1_000_000, coins, own: BTreeSet::new(), fee_rate: FeeRate::new(100) };
    let recipient = Script::of_address(Network::Simnet, &fresh_address())?;
    let event = EventKey::derive(Network::Simnet, "request", Fleet::SOURCE, b"floor");
    let payload = PayloadHash::derive(&recipient, AMOUNT, b"");
    let payment = Payment { event, payload, recipient, amount: AMOUNT };
    let limits = FeeLimits { max_sompi_per_gram: u64::MAX, max: Sompi(u64::MAX) };
    let (purpose, tags) = (Purpose::Pay(std::slice::from_ref(&payment)), &BTreeSet::new());
    let draft = Draft { purpose, tags, limits: &limits, avoid: &BTreeSet::new(), must_share: &[] };
    let proposal = igra_tx::draft(group, &view, &draft)?;
    Ok((proposal, view, payment))
}

/// One way over loopback: half of a round trip of a small message.
fn hop() -> anyhow::Result<Percentiles> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut here = TcpStream::connect(listener.local_addr()?)?;
    let (mut there, _) = listener.accept()?;
    here.set_nodelay(true)?;
    there.set_nodelay(true)?;
    let echo = std::thread::spawn(move || {
        let mut reader = there.try_clone()?;
        std::io::copy(&mut reader, &mut there)
    });
    let mut message = [0x1d; 512];
    let both_ways = repeat(|| {
        here.write_all(&message)?;
        Ok(std::io::Read::read_exact(&mut here, &mut message)?)
    })?;
    drop(here);
    echo.join().map_err(|_| anyhow::anyhow!("the echo broke down"))??;
    Ok(Percentiles { p50: both_ways.p50 / 2.0, p95: both_ways.p95 / 2.0 })
}

/// Handing one transaction to the node over gRPC.
async fn submit(node: &Node) -> anyhow::Result<Percentiles> {
    let client = GrpcClient::connect(node.rpc_url()).await?;
    let to = fresh_address();
    let mut times = Vec::new();
    for _ in 0..FLOOR_RUNS {
        let payment = node.unsent_payment(&to, AMOUNT).await?;
        let transaction = RpcTransaction::from(&payment);
        let start = Instant::now();
        client.submit_transaction(transaction, false).await?;
        times.push(start.elapsed());
        node.handed_over(&payment);
        node.mine(1).await?;
    }
    client.disconnect().await?;
    Ok(percentiles(times))
}

fn repeat(mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Percentiles> {
    let mut times = Vec::new();
    for _ in 0..FLOOR_RUNS {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed());
    }
    Ok(percentiles(times))
}

pub(crate) fn percentiles(mut times: Vec<Duration>) -> Percentiles {
    times.sort();
    let at = |part: f64| {
        let index = ((times.len() as f64 * part).ceil() as usize).clamp(1, times.len()) - 1;
        times[index].as_secs_f64() * 1000.0
    };
    Percentiles { p50: at(0.5), p95: at(0.95) }
}

fn report(
    events: usize,
    measured: &Measured,
    floor: &[(&'static str, Percentiles)],
    memory_kib: Option<u64>,
    load: &[LoadReport],
) {
    let sum = |of: fn(&Percentiles) -> f64| floor.iter().map(|(_, part)| of(part)).sum::<f64>();
    let whole = Percentiles { p50: sum(|part| part.p50), p95: sum(|part| part.p95) };
    eprintln!("\n{:<28}{:>10}{:>10}", "ms", "p50", "p95");
    for (name, part) in floor {
        eprintln!("  {name:<26}{:>10.2}{:>10.2}", part.p50, part.p95);
    }
    eprintln!("{:<28}{:>10.2}{:>10.2}", "floor", whole.p50, whole.p95);
    for (phase, mean) in &measured.phases {
        eprintln!("  {:<26}{mean:>10.2}", format!("taken → {phase}, mean"));
    }
    eprintln!("{:<28}{:>10.2}{:>10.2}", "event in → submitted", measured.whole.p50, measured.whole.p95);
    eprintln!("{:<28}{:>10.2}", "times the floor", measured.whole.p50 / whole.p50);
    for run in load {
        let (rate, times) = (run.rate, &run.times);
        let name = format!("at {rate} events a second");
        let late = match run.late {
            0 => String::new(),
            late => format!(", {late} not submitted"),
        };
        let (p50, p95, throughput) = (times.p50, times.p95, run.throughput);
        eprintln!("{name:<28}{p50:>10.2}{p95:>10.2}  {throughput:>8.1} a second{late}");
    }
    let parts: BTreeMap<_, _> = floor.iter().copied().collect();
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let result = json!({
        "events": events,
        "eventToSubmittedMs": measured.whole,
        "phasesMeanMs": measured.phases.iter().cloned().collect::<BTreeMap<_, _>>(),
        "floorMs": whole,
        "floorPartsMs": parts,
        "signerMemoryKib": memory_kib,
        "load": load,
        "profile": profile,
    });
    println!("{result}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_taken_from_the_sorted_times() {
        let times = (1..=100).rev().map(Duration::from_millis).collect();

        assert_eq!(percentiles(times), Percentiles { p50: 50.0, p95: 95.0 });
    }

    #[test]
    fn one_time_is_every_percentile() {
        assert_eq!(percentiles(vec![Duration::from_millis(3)]), Percentiles { p50: 3.0, p95: 3.0 });
    }
}
