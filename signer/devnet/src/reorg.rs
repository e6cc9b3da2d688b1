//! A reorganisation: a second node learns all blocks but the last ones, makes a heavier branch of its own, and the first
//! node is given that branch.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use kaspa_addresses::Address;
use kaspa_consensus_core::{BlueWorkType, Hash, block::Block, tx::Transaction};
use kaspa_rpc_core::{RpcBlock, RpcRawBlock, RpcTransaction, api::rpc::RpcApi};

use crate::{
    Reorganisation,
    daemon::{Daemon, DaemonOptions},
    miner::{Filling, give, mine_one},
    ports::free_port,
};

/// Blocks by which the new branch may exceed the old one before it must have won.
const MOST_EXTRA: usize = 50;

/// What the second node must have in common with the first.
pub(crate) struct Branch {
    pub coinbase_maturity: u64,
    pub reward_to: Address,
}

impl Branch {
    /// See [`crate::Node::reorg`].
    pub(crate) async fn replace(
        &self,
        rpc: &dyn RpcApi,
        depth: usize,
        instead: &[Transaction],
    ) -> anyhow::Result<Reorganisation> {
        let removed = last_chain_blocks(rpc, depth).await?;
        let folder = tempfile::tempdir()?;
        let options = DaemonOptions {
            data: folder.path().to_owned(),
            rpc: None,
            p2p: free_port()?,
            coinbase_maturity: self.coinbase_maturity,
        };
        let second = Daemon::start(&options).await?;
        let grown = self.grow(rpc, second.rpc().as_ref(), &removed, instead).await;
        second.stop().await?;
        let grown = grown?;
        for block in &grown {
            give(rpc, block.clone()).await?;
        }
        let winner = Block::try_from(grown.last().context("the branch has no blocks")?.clone())?.hash();
        if rpc.get_sink().await?.sink != winner {
            bail!("the heavier branch did not become the virtual chain");
        }
        Ok(Reorganisation { removed: removed.len(), added: grown.len() })
    }

    /// The blocks of a branch without `removed` that is heavier than the first node's chain.
    async fn grow(
        &self,
        first: &dyn RpcApi,
        second: &dyn RpcApi,
        removed: &BTreeSet<Hash>,
        instead: &[Transaction],
    ) -> anyhow::Result<Vec<RpcRawBlock>> {
        copy_without(first, second, removed).await?;
        for transaction in instead {
            second.submit_transaction(RpcTransaction::from(transaction), false).await?;
        }
        let to_beat = work_of(first).await?;
        let mut grown = Vec::new();
        while grown.len() <= removed.len() || work_of(second).await? <= to_beat {
            if grown.len() > removed.len() + MOST_EXTRA {
                bail!("the branch grew to {} blocks and is not heavier yet", grown.len());
            }
            let hash = mine_one(second, &self.reward_to, Filling::Mempool).await?;
            grown.push(raw(second.get_block(hash, true).await?)?);
        }
        Ok(grown)
    }
}

/// The last `depth` blocks of the virtual chain.
async fn last_chain_blocks(rpc: &dyn RpcApi, depth: usize) -> anyhow::Result<BTreeSet<Hash>> {
    let mut cursor = rpc.get_block_dag_info().await?.pruning_point_hash;
    let mut chain = Vec::new();
    loop {
        let added = rpc.get_virtual_chain_from_block(cursor, false, None).await?.added_chain_block_hashes;
        let Some(last) = added.last() else {
            break;
        };
        cursor = *last;
        chain.extend(added);
    }
    if depth == 0 || depth >= chain.len() {
        bail!("a reorganisation of {depth} blocks, on a chain of {}", chain.len());
    }
    Ok(chain.split_off(chain.len() - depth).into_iter().collect())
}

/// Gives the second node every block of the first but `removed` and what builds on them.
pub(crate) async fn copy_without(
    first: &dyn RpcApi,
    second: &dyn RpcApi,
    removed: &BTreeSet<Hash>,
) -> anyhow::Result<()> {
    let mut left_out = removed.clone();
    let mut low = first.get_block_dag_info().await?.pruning_point_hash;
    let mut seen = BTreeSet::from([low]);
    loop {
        let answer = first.get_blocks(Some(low), true, true).await?;
        let fresh: Vec<RpcBlock> =
            answer.blocks.into_iter().filter(|block| seen.insert(block.header.hash)).collect();
        let Some(last) = fresh.last() else {
            return Ok(());
        };
        low = last.header.hash;
        for block in fresh {
            let hash = block.header.hash;
            let builds_on_removed =
                block.header.direct_parents().iter().any(|parent| left_out.contains(parent));
            if builds_on_removed || left_out.contains(&hash) {
                left_out.insert(hash);
                continue;
            }
            give(second, raw(block)?).await?;
        }
    }
}

async fn work_of(rpc: &dyn RpcApi) -> anyhow::Result<BlueWorkType> {
    let sink = rpc.get_sink().await?.sink;
    Ok(rpc.get_block(sink, false).await?.header.blue_work)
}

fn raw(block: RpcBlock) -> anyhow::Result<RpcRawBlock> {
    Ok(RpcRawBlock::from(&Block::try_from(block)?))
}
