//! Making blocks: simnet asks for no work.

use anyhow::{Context, bail};
use kaspa_addresses::{Address, Prefix};
use kaspa_consensus_core::{Hash, merkle::calc_hash_merkle_root, tx::Transaction};
use kaspa_rpc_core::{RpcRawBlock, api::rpc::RpcApi};

/// What a block holds besides the miner's reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// What the node's mempool offers.
    Mempool,
    Nothing,
}

/// Makes one block and gives it to the node.
pub(crate) async fn mine_one(
    rpc: &dyn RpcApi,
    reward_to: &Address,
    filling: Filling,
) -> anyhow::Result<Hash> {
    let template =
        rpc.get_block_template(reward_to.clone(), vec![]).await.context("could not get a block template")?;
    let mut block = template.block;
    if filling == Filling::Nothing {
        keep_the_reward_alone(&mut block)?;
    }
    // Two blocks of the same content must not be the same block.
    block.header.nonce = rand::random();
    give(rpc, block).await
}

fn keep_the_reward_alone(block: &mut RpcRawBlock) -> anyhow::Result<()> {
    block.transactions.truncate(1);
    let kept = block.transactions.iter().cloned().map(Transaction::try_from);
    let kept = kept.collect::<Result<Vec<_>, _>>().context("could not read the template's transactions")?;
    block.header.hash_merkle_root = calc_hash_merkle_root(kept.iter());
    Ok(())
}

/// Gives a block to the node, however old it is.
pub(crate) async fn give(rpc: &dyn RpcApi, block: RpcRawBlock) -> anyhow::Result<Hash> {
    let hash = kaspa_consensus_core::block::Block::try_from(block.clone())
        .context("could not read the block")?
        .hash();
    let report = rpc.submit_block(block, true).await.context("could not submit a block")?.report;
    if !report.is_success() {
        bail!("the node took no block: {report:?}");
    }
    Ok(hash)
}

/// An address of simnet, as text.
pub(crate) fn simnet_address(text: &str) -> anyhow::Result<Address> {
    let address = Address::try_from(text).with_context(|| format!("\"{text}\" is no kaspa address"))?;
    if address.prefix != Prefix::Simnet {
        bail!("{text} is no address of simnet, which begin with \"kaspasim:\"");
    }
    Ok(address)
}
