//! A disk that went back in time: an old copy of a signer's store takes the place of the newer one. Until every coin that
//! a forgotten promise could spend has moved, that signer promises nothing but to move them.

use std::{cell::RefCell, collections::BTreeSet, fs, path::Path};

use futures::future::join_all;
use igra_tx::{
    ProposalKind,
    payload::{self, Link},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{AMOUNT, FUNDS, Plan, World};

const EVERYBODY: [usize; 3] = [0, 1, 2];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_on_an_old_copy_of_its_store_washes_and_pays_on_and_the_others_pay_meanwhile() {
    // A payment takes one coin; the others have to be swept.
    let mut world = World::start(Plan { coins: vec![FUNDS; 3], ..Plan::default() }).await;
    let old = keep_copies(&mut world, &[2]).await;
    let forgotten = pay_with_promises_of(&world, "one", &[2]).await;

    put_back(&mut world, &[2], &old).await;
    let tag = tag_of(&until_group(&world, 2, has_a_tag).await);
    let (meanwhile, tag) = tokio::join!(world.pay("two", 0), washed_with(&world, 2, tag));

    world.fleet.signers[1].stop().await.unwrap();
    let afterwards = world.pay("three", 0).await;
    let approvals = world.until("three", 0, |view| view["state"] == "paid").await;
    assert_eq!(approvals["transaction"], afterwards.as_str());
    world.fleet.signers[1].start().unwrap();
    for (id, transaction) in [("one", &forgotten), ("two", &meanwhile), ("three", &afterwards)] {
        for signer in EVERYBODY {
            assert_eq!(&world.paid_at(id, signer).await, transaction, "{id} at {signer}");
        }
    }
    paid_once(&world, &[forgotten, meanwhile, afterwards]).await;
    swept_under(&world, &tag).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_whose_stores_all_went_back_sweeps_and_pays_on_and_nothing_twice() {
    let mut world = World::start(Plan { coins: vec![FUNDS; 3], ..Plan::default() }).await;
    let old = keep_copies(&mut world, &EVERYBODY).await;
    let forgotten = pay_with_promises_of(&world, "one", &[0, 1]).await;

    put_back(&mut world, &EVERYBODY, &old).await;
    // Their signatures are in the chain. The third member's promise is with nobody, and the same payment's.
    let in_quarantine = world
        .eventually(async || {
            let mut found = Vec::new();
            for signer in EVERYBODY {
                let group = world.fleet.signers[signer].api.group().await;
                let group = group.map(|answer| answer.body).unwrap_or_default();
                if has_a_tag(&group) {
                    found.push((signer, tag_of(&group)));
                }
            }
            if found.len() >= 2 { Ok(found) } else { Err(format!("{found:?}")) }
        })
        .await;
    let washed = in_quarantine.into_iter().map(|(signer, tag)| washed_with(&world, signer, tag));
    let tags: BTreeSet<String> = join_all(washed).await.into_iter().collect();
    for signer in EVERYBODY {
        until_group(&world, signer, is_free).await;
    }

    // Whoever asked for it before may ask again.
    for signer in EVERYBODY {
        let again = world.post("one", signer).await;
        assert_eq!((&again["state"], &again["transaction"]), (&"paid".into(), &forgotten.clone().into()));
    }
    let afterwards = world.pay("two", 0).await;
    paid_once(&world, &[forgotten, afterwards]).await;
    for tag in tags {
        swept_under(&world, &tag).await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marked_backup_is_quarantined_and_the_marker_goes_when_the_coins_are_washed() {
    let mut world = World::start(Plan::default()).await;
    let before = world.pay("one", 0).await;
    world.fleet.signers[2].stop().await.unwrap();
    let marker = world.fleet.signers[2].data_dir.join("store/BACKUP");
    fs::write(&marker, "").unwrap();
    world.fleet.signers[2].start().unwrap();

    let group = until_group(&world, 2, has_a_tag).await;
    assert_eq!(group["quarantine"]["causes"], serde_json::json!(["backup"]));
    assert!(!world.fleet.signers[2].api.is_ready().await);
    until_group(&world, 2, is_free).await;
    world.ready().await;
    world
        .eventually(async || if marker.exists() { Err("the marker stays".to_owned()) } else { Ok(()) })
        .await;

    world.fleet.signers[1].stop().await.unwrap();
    let afterwards = world.pay("two", 2).await;
    paid_once(&world, &[before, afterwards]).await;
    world.stop().await;
}

/// The node shows these payments at the recipient, and no other.
async fn paid_once(world: &World, transactions: &[String]) {
    let mut found = world.coins_of_recipient().await;
    let mut expected: Vec<(String, u64)> = transactions.iter().map(|by| (by.clone(), AMOUNT.0)).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// Pays an event, not before these signers have promised something for it. Gives the transaction.
async fn pay_with_promises_of(world: &World, id: &str, signers: &[usize]) -> String {
    world.node.leave_transactions_out(true);
    world.post(id, 0).await;
    for signer in signers {
        world
            .until(id, *signer, |view| view["ownApprovals"].as_array().is_some_and(|own| !own.is_empty()))
            .await;
    }
    world.node.leave_transactions_out(false);
    world.paid_at(id, 0).await
}

/// Copies of the stores of signers, which are stopped for it.
async fn keep_copies(world: &mut World, signers: &[usize]) -> Vec<TempDir> {
    let mut copies = Vec::new();
    stop(world, signers).await;
    for signer in signers {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&world.fleet.signers[*signer].data_dir, copy.path());
        copies.push(copy);
    }
    start(world, signers).await;
    copies
}

/// What was copied becomes the stores again.
async fn put_back(world: &mut World, signers: &[usize], copies: &[TempDir]) {
    stop(world, signers).await;
    for (signer, copy) in signers.iter().zip(copies) {
        let store = &world.fleet.signers[*signer].data_dir;
        fs::remove_dir_all(store).unwrap();
        fs::create_dir(store).unwrap();
        copy_folder(copy.path(), store);
    }
    for signer in signers {
        world.fleet.signers[*signer].start().unwrap();
    }
}

async fn stop(world: &mut World, signers: &[usize]) {
    for signer in signers {
        world.fleet.signers[*signer].stop().await.unwrap();
    }
}

async fn start(world: &mut World, signers: &[usize]) {
    for signer in signers {
        world.fleet.signers[*signer].start().unwrap();
    }
    world.ready().await;
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (entry, target) = (entry.as_ref().unwrap(), to.join(entry.as_ref().unwrap().file_name()));
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Waits until a signer has left quarantine. Gives its last tag: each further sign of a loss asks for another one.
async fn washed_with(world: &World, signer: usize, first: String) -> String {
    let last = RefCell::new(first);
    let leaves = |group: &Value| {
        if has_a_tag(group) {
            last.replace(tag_of(group));
        }
        is_free(group)
    };
    until_group(world, signer, leaves).await;
    last.into_inner()
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

fn has_a_tag(group: &Value) -> bool {
    group["quarantine"]["tag"].is_string()
}

fn is_free(group: &Value) -> bool {
    group["group"].is_string() && group["quarantine"].is_null()
}

fn tag_of(group: &Value) -> String {
    group["quarantine"]["tag"].as_str().unwrap().to_owned()
}

/// A sweep that carries the tag is in a block of the node.
async fn swept_under(world: &World, tag: &str) {
    let rpc = world.node.rpc().await.unwrap();
    let mut low = rpc.get_block_dag_info().await.unwrap().pruning_point_hash;
    let (mut seen, mut links) = (BTreeSet::from([low]), Vec::new());
    loop {
        let blocks = rpc.get_blocks(Some(low), true, true).await.unwrap().blocks;
        let fresh: Vec<_> = blocks.into_iter().filter(|block| seen.insert(block.header.hash)).collect();
        let Some(last) = fresh.last() else { break };
        low = last.header.hash;
        let transactions = fresh.iter().flat_map(|block| &block.transactions);
        links.extend(transactions.filter_map(|transaction| payload::read(&transaction.payload)));
    }
    let carries = |link: &Link| link.tags.iter().any(|carried| carried.to_string() == tag);
    let swept = links.iter().any(|link| link.kind == ProposalKind::Sweep && carries(link));
    assert!(swept, "no sweep under {tag}: {links:?}");
}
