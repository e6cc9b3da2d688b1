//! What the virtual chain accepted since a block: the transactions that concern the group or its predecessor.

use std::{collections::BTreeSet, time::Duration};

use igra_core::{AcceptedBlock, AcceptedTransaction, BlockId};
use igra_tx::{Outpoint, kaspa};
use kaspa_consensus_core::{
    Hash,
    tx::{Transaction, UtxoEntry},
};
use kaspa_grpc_client::GrpcClient;
use kaspa_rpc_core::{
    GetVirtualChainFromBlockV2Response, RpcAcceptedTransactionIds, RpcBlock,
    RpcChainBlockAcceptedTransactions, RpcDataVerbosityLevel, RpcOptionalTransaction,
    RpcOptionalTransactionInput, RpcTransaction, api::rpc::RpcApi,
};

use super::{NodeError, concern::Concern, error::Refusal, rpc::Line};

const METHOD: &str = "get_virtual_chain_from_block_v2";

/// An answer holds up to some thousand blocks with their transactions.
const LIMIT: Duration = Duration::from_secs(15);

/// From one place on the virtual chain to a later one.
pub(super) struct Advance {
    /// Blocks that left the chain.
    pub removed: Vec<BlockId>,
    /// Only blocks that accepted something of the group or of its predecessor.
    pub added: Vec<AcceptedBlock>,
    /// The last block that joined the chain; none if the cursor is the node's last block, or the node is behind it.
    pub last: Option<Place>,
    /// How many blocks joined the chain.
    pub blocks: usize,
}

/// A block of the virtual chain.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub block: BlockId,
    pub daa_score: u64,
}

/// What comes after `cursor`, in bounded bites: ask again until nothing is added.
pub(super) async fn advance(
    line: &Line<'_>,
    cursor: BlockId,
    concern: &Concern,
) -> Result<Advance, NodeError> {
    let start = Hash::from_bytes(*cursor.as_bytes());
    let level = Some(RpcDataVerbosityLevel::Full);
    let call =
        |client: GrpcClient| async move { client.get_virtual_chain_from_block_v2(start, level, None).await };
    match line.ask(METHOD, LIMIT, call).await {
        Ok(answer) => read(&answer, concern),
        // This call fails where any accepted transaction has a script that makes no address, and any miner can put
        // one there. Nobody may stop a group in that way, so the blocks are read one by one instead. So they are where
        // the answer is too large to come in time.
        Err(error) if error.refusal() == Some(Refusal::Unprintable) => walk(line, start, concern).await,
        Err(NodeError::Silent { .. }) => walk(line, start, concern).await,
        Err(error) => Err(error),
    }
}

fn read(answer: &GetVirtualChainFromBlockV2Response, concern: &Concern) -> Result<Advance, NodeError> {
    let blocks = answer.added_chain_block_hashes.iter().zip(answer.chain_block_accepted_transactions.iter());
    let (mut added, mut last) = (Vec::new(), None);
    for (hash, accepted) in blocks {
        added.extend(read_block(*hash, accepted, concern)?);
        last = Some((hash, accepted));
    }
    let last = last.map(|(hash, accepted)| place(hash, accepted)).transpose()?;
    Ok(Advance {
        removed: answer.removed_chain_block_hashes.iter().map(block_id).collect(),
        added,
        last,
        blocks: answer.added_chain_block_hashes.len(),
    })
}

fn place(hash: &Hash, accepted: &RpcChainBlockAcceptedTransactions) -> Result<Place, NodeError> {
    let daa_score = accepted.chain_block_header.daa_score.ok_or_else(|| lacks("daa score"))?;
    Ok(Place { block: block_id(hash), daa_score })
}

fn read_block(
    hash: Hash,
    accepted: &RpcChainBlockAcceptedTransactions,
    concern: &Concern,
) -> Result<Option<AcceptedBlock>, NodeError> {
    let mut transactions = Vec::new();
    for transaction in &accepted.accepted_transactions {
        transactions.extend(read_transaction(transaction, concern)?);
    }
    if transactions.is_empty() {
        return Ok(None);
    }
    let Place { block, daa_score } = place(&hash, accepted)?;
    Ok(Some(AcceptedBlock { block, daa_score, transactions }))
}

fn read_transaction(
    shown: &RpcOptionalTransaction,
    concern: &Concern,
) -> Result<Option<AcceptedTransaction>, NodeError> {
    // Nearly all transactions are strangers', and are not worth a copy.
    if !concerns(shown, concern) {
        return Ok(None);
    }
    let spent: Vec<Option<UtxoEntry>> = shown.inputs.iter().map(spent_by).collect();
    let transaction = Transaction::try_from(shown.clone()).map_err(|_| lacks("whole transaction"))?;
    Ok(concern.tell(&transaction, &spent))
}

fn concerns(shown: &RpcOptionalTransaction, concern: &Concern) -> bool {
    let mut outputs = shown.outputs.iter().filter_map(|output| output.script_public_key.as_ref());
    outputs.any(|script| concern.is_known(script))
        || shown.inputs.iter().any(|input| spends_known(input, concern) || spends_watched(input, concern))
}

fn spends_known(input: &RpcOptionalTransactionInput, concern: &Concern) -> bool {
    let entry = input.verbose_data.as_ref().and_then(|data| data.utxo_entry.as_ref());
    match entry.and_then(|entry| entry.script_public_key.as_ref()) {
        Some(spent) => concern.is_known(spent),
        None => input.signature_script.as_ref().is_some_and(|bytes| concern.reveals_redeem_script(bytes)),
    }
}

fn spends_watched(input: &RpcOptionalTransactionInput, concern: &Concern) -> bool {
    let shown = input.previous_outpoint.as_ref();
    let outpoint = shown.and_then(|shown| Some((shown.transaction_id?, shown.index?)));
    outpoint.is_some_and(|(transaction, index)| {
        concern.watched.contains(&Outpoint { transaction: kaspa::from_hash(transaction), index })
    })
}

fn spent_by(input: &RpcOptionalTransactionInput) -> Option<UtxoEntry> {
    UtxoEntry::try_from(input.verbose_data.as_ref()?.utxo_entry.clone()?).ok()
}

/// The same answer from calls that show no addresses: ids by chain block, then the bodies from the merged blocks.
async fn walk(line: &Line<'_>, start: Hash, concern: &Concern) -> Result<Advance, NodeError> {
    let call =
        |client: GrpcClient| async move { client.get_virtual_chain_from_block(start, true, None).await };
    let answer = line.ask("get_virtual_chain_from_block", LIMIT, call).await?;
    let mut advance = Advance {
        removed: answer.removed_chain_block_hashes.iter().map(block_id).collect(),
        added: vec![],
        last: None,
        blocks: answer.accepted_transaction_ids.len(),
    };
    for accepted in &answer.accepted_transaction_ids {
        let (last, transactions) = walk_block(line, accepted, concern).await?;
        let Place { block, daa_score } = last;
        if !transactions.is_empty() {
            advance.added.push(AcceptedBlock { block, daa_score, transactions });
        }
        advance.last = Some(last);
    }
    Ok(advance)
}

async fn walk_block(
    line: &Line<'_>,
    accepted: &RpcAcceptedTransactionIds,
    concern: &Concern,
) -> Result<(Place, Vec<AcceptedTransaction>), NodeError> {
    let ids: BTreeSet<Hash> = accepted.accepted_transaction_ids.iter().copied().collect();
    let hash = accepted.accepting_block_hash;
    let chain_block = block(line, hash).await?;
    let data = chain_block.verbose_data.as_ref().ok_or_else(|| lacks("merged blocks"))?;
    let mut transactions = Vec::new();
    for merged in data.merge_set_blues_hashes.iter().chain(&data.merge_set_reds_hashes) {
        let bodies = block(line, *merged).await?.transactions;
        transactions.extend(bodies.iter().filter_map(|body| walk_transaction(body, &ids, concern)));
    }
    // A transaction may stand in several merged blocks.
    let mut seen = BTreeSet::new();
    transactions.retain(|transaction: &AcceptedTransaction| seen.insert(transaction.id));
    Ok((Place { block: block_id(&hash), daa_score: chain_block.header.daa_score }, transactions))
}

/// Where a block that the node knows stands.
pub(super) async fn place_of(line: &Line<'_>, hash: Hash) -> Result<Place, NodeError> {
    let call = |client: GrpcClient| async move { client.get_block(hash, false).await };
    let found = line.ask("get_block", LIMIT, call).await?;
    Ok(Place { block: block_id(&hash), daa_score: found.header.daa_score })
}

async fn block(line: &Line<'_>, hash: Hash) -> Result<RpcBlock, NodeError> {
    line.ask("get_block", LIMIT, |client: GrpcClient| async move { client.get_block(hash, true).await }).await
}

/// This way the coins that an input spends are not shown, so who signed stays unknown.
fn walk_transaction(
    shown: &RpcTransaction,
    ids: &BTreeSet<Hash>,
    concern: &Concern,
) -> Option<AcceptedTransaction> {
    let pays = shown.outputs.iter().any(|output| concern.is_known(&output.script_public_key));
    let spends = || shown.inputs.iter().any(|input| concern.reveals_redeem_script(&input.signature_script));
    let watched = || {
        let mut outpoints =
            shown.inputs.iter().map(|input| kaspa::from_outpoint(input.previous_outpoint.into()));
        outpoints.any(|outpoint| concern.watched.contains(&outpoint))
    };
    if !ids.contains(&shown.verbose_data.as_ref()?.transaction_id) || !(pays || spends() || watched()) {
        return None;
    }
    let transaction = Transaction::try_from(shown.clone()).ok()?;
    concern.tell(&transaction, &vec![None; transaction.inputs.len()])
}

pub(super) fn block_id(hash: &Hash) -> BlockId {
    BlockId::from_bytes(hash.as_bytes())
}

fn lacks(field: &'static str) -> NodeError {
    NodeError::Incomplete { method: METHOD, field }
}
