//! What the virtual chain accepted since a block: the transactions that spend coins of the group.

use std::{collections::BTreeSet, time::Duration};

use igra_core::{AcceptedBlock, AcceptedTransaction, BlockId};
use igra_group::Wallet;
use igra_tx::{Outpoint, Script, kaspa};
use kaspa_consensus_core::{
    Hash,
    tx::{ScriptPublicKey, TransactionOutpoint},
};
use kaspa_grpc_client::GrpcClient;
use kaspa_rpc_core::{
    GetVirtualChainFromBlockV2Response, RpcAcceptedTransactionIds, RpcBlock,
    RpcChainBlockAcceptedTransactions, RpcDataVerbosityLevel, RpcOptionalTransaction,
    RpcOptionalTransactionInput, RpcTransaction, api::rpc::RpcApi,
};

use super::{NodeError, error::Refusal, rpc::Line};

const METHOD: &str = "get_virtual_chain_from_block_v2";

/// An answer holds up to some thousand blocks with their transactions.
const LIMIT: Duration = Duration::from_secs(15);

/// How a node tells that a transaction spends a coin of the group.
pub(super) struct Spending {
    script: ScriptPublicKey,
    redeem_script: Vec<u8>,
}

/// From one place on the virtual chain to a later one.
pub(super) struct Advance {
    /// Blocks that left the chain.
    pub removed: Vec<BlockId>,
    /// Only blocks that accepted something of the group.
    pub added: Vec<AcceptedBlock>,
    /// The last block that joined the chain; none if the cursor is the node's last block, or the node is behind it.
    pub last: Option<BlockId>,
}

impl Spending {
    pub(super) fn by(wallet: &Wallet) -> Self {
        Self {
            script: kaspa::script_public_key(&Script::of_wallet(wallet)),
            redeem_script: wallet.redeem_script(),
        }
    }

    /// Whoever spends a coin of the group pushes the redeem script last. That its bytes stand at the end says nothing:
    /// anybody can push them within something longer, and so would make a stranger's transaction one of the group's.
    fn reveals_redeem_script(&self, signature_script: &[u8]) -> bool {
        kaspa::last_push(signature_script).is_some_and(|pushed| pushed == self.redeem_script)
    }
}

/// What comes after `cursor`, in bounded bites: ask again until nothing is added.
pub(super) async fn advance(
    line: &Line<'_>,
    cursor: BlockId,
    spending: &Spending,
) -> Result<Advance, NodeError> {
    let start = Hash::from_bytes(*cursor.as_bytes());
    let level = Some(RpcDataVerbosityLevel::High);
    let call =
        |client: GrpcClient| async move { client.get_virtual_chain_from_block_v2(start, level, None).await };
    match line.ask(METHOD, LIMIT, call).await {
        Ok(answer) => read(&answer, spending),
        // This call fails where any accepted transaction has a script that makes no address, and any miner can put
        // one there. Nobody may stop a group in that way, so the blocks are read one by one instead. So they are where
        // the answer is too large to come in time.
        Err(error) if error.refusal() == Some(Refusal::Unprintable) => walk(line, start, spending).await,
        Err(NodeError::Silent { .. }) => walk(line, start, spending).await,
        Err(error) => Err(error),
    }
}

fn read(answer: &GetVirtualChainFromBlockV2Response, spending: &Spending) -> Result<Advance, NodeError> {
    let blocks = answer.added_chain_block_hashes.iter().zip(answer.chain_block_accepted_transactions.iter());
    let mut added = Vec::new();
    for (hash, accepted) in blocks {
        added.extend(read_block(*hash, accepted, spending)?);
    }
    Ok(Advance {
        removed: answer.removed_chain_block_hashes.iter().map(block_id).collect(),
        added,
        last: answer.added_chain_block_hashes.last().map(block_id),
    })
}

fn read_block(
    hash: Hash,
    accepted: &RpcChainBlockAcceptedTransactions,
    spending: &Spending,
) -> Result<Option<AcceptedBlock>, NodeError> {
    let mut transactions = Vec::new();
    for transaction in &accepted.accepted_transactions {
        transactions.extend(read_transaction(transaction, spending)?);
    }
    if transactions.is_empty() {
        return Ok(None);
    }
    let daa_score = accepted.chain_block_header.daa_score.ok_or_else(|| lacks("daa score"))?;
    Ok(Some(AcceptedBlock { block: block_id(&hash), daa_score, transactions }))
}

fn read_transaction(
    transaction: &RpcOptionalTransaction,
    spending: &Spending,
) -> Result<Option<AcceptedTransaction>, NodeError> {
    let mut spends = Vec::new();
    for input in transaction.inputs.iter().filter(|input| spends_group(input, spending)) {
        spends.push(outpoint_of(input).ok_or_else(|| lacks("outpoint"))?);
    }
    if spends.is_empty() {
        return Ok(None);
    }
    let id = transaction
        .verbose_data
        .as_ref()
        .and_then(|data| data.transaction_id)
        .ok_or_else(|| lacks("transaction id"))?;
    let payload = transaction.payload.clone().ok_or_else(|| lacks("payload"))?;
    Ok(Some(AcceptedTransaction { id: kaspa::from_hash(id), spends, payload }))
}

fn spends_group(input: &RpcOptionalTransactionInput, spending: &Spending) -> bool {
    let entry = input.verbose_data.as_ref().and_then(|data| data.utxo_entry.as_ref());
    match entry.and_then(|entry| entry.script_public_key.as_ref()) {
        Some(spent) => *spent == spending.script,
        None => input.signature_script.as_ref().is_some_and(|bytes| spending.reveals_redeem_script(bytes)),
    }
}

fn outpoint_of(input: &RpcOptionalTransactionInput) -> Option<Outpoint> {
    let outpoint = input.previous_outpoint.as_ref()?;
    Some(kaspa::from_outpoint(TransactionOutpoint::new(outpoint.transaction_id?, outpoint.index?)))
}

/// The same answer from calls that show no addresses: ids by chain block, then the bodies from the merged blocks.
async fn walk(line: &Line<'_>, start: Hash, spending: &Spending) -> Result<Advance, NodeError> {
    let call =
        |client: GrpcClient| async move { client.get_virtual_chain_from_block(start, true, None).await };
    let answer = line.ask("get_virtual_chain_from_block", LIMIT, call).await?;
    let mut advance = Advance {
        removed: answer.removed_chain_block_hashes.iter().map(block_id).collect(),
        added: vec![],
        last: None,
    };
    for accepted in &answer.accepted_transaction_ids {
        advance.added.extend(walk_block(line, accepted, spending).await?);
        advance.last = Some(block_id(&accepted.accepting_block_hash));
    }
    Ok(advance)
}

async fn walk_block(
    line: &Line<'_>,
    accepted: &RpcAcceptedTransactionIds,
    spending: &Spending,
) -> Result<Option<AcceptedBlock>, NodeError> {
    let ids: BTreeSet<Hash> = accepted.accepted_transaction_ids.iter().copied().collect();
    let hash = accepted.accepting_block_hash;
    let chain_block = block(line, hash).await?;
    let data = chain_block.verbose_data.as_ref().ok_or_else(|| lacks("merged blocks"))?;
    let mut transactions = Vec::new();
    for merged in data.merge_set_blues_hashes.iter().chain(&data.merge_set_reds_hashes) {
        let bodies = block(line, *merged).await?.transactions;
        transactions.extend(bodies.iter().filter_map(|body| walk_transaction(body, &ids, spending)));
    }
    // A transaction may stand in several merged blocks.
    let mut seen = BTreeSet::new();
    transactions.retain(|transaction: &AcceptedTransaction| seen.insert(transaction.id));
    let daa_score = chain_block.header.daa_score;
    Ok((!transactions.is_empty()).then(|| AcceptedBlock { block: block_id(&hash), daa_score, transactions }))
}

async fn block(line: &Line<'_>, hash: Hash) -> Result<RpcBlock, NodeError> {
    line.ask("get_block", LIMIT, |client: GrpcClient| async move { client.get_block(hash, true).await }).await
}

fn walk_transaction(
    body: &RpcTransaction,
    ids: &BTreeSet<Hash>,
    spending: &Spending,
) -> Option<AcceptedTransaction> {
    let id = body.verbose_data.as_ref()?.transaction_id;
    let ours = body.inputs.iter().filter(|input| spending.reveals_redeem_script(&input.signature_script));
    let spends: Vec<Outpoint> =
        ours.map(|input| kaspa::from_outpoint(input.previous_outpoint.into())).collect();
    let accepted = ids.contains(&id) && !spends.is_empty();
    accepted.then(|| AcceptedTransaction { id: kaspa::from_hash(id), spends, payload: body.payload.clone() })
}

pub(super) fn block_id(hash: &Hash) -> BlockId {
    BlockId::from_bytes(hash.as_bytes())
}

fn lacks(field: &'static str) -> NodeError {
    NodeError::Incomplete { method: METHOD, field }
}
