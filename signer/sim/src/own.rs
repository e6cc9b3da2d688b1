//! The group's own transactions on the chain: each sweep brings its coins a tag that they lack, and all of them
//! together cost no more than the policies allow.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::{Group, Sompi};
use igra_tx::{ProposalKind, SignedTransaction, Tag, TransactionId};

use crate::feed::policy;

/// What anybody asked for.
#[derive(Debug, Default)]
pub(crate) struct OwnTransactions {
    /// Tags that a member told the others.
    announced: BTreeSet<Tag>,
    /// A node does not show all of the chain, or shows it anew: its signer may take a coin for one that lacks a tag.
    pub unsure: bool,
}

impl OwnTransactions {
    pub fn announced(&mut self, tag: Option<[u8; 32]>) {
        self.announced.extend(tag.map(Tag::from_bytes));
    }

    /// Judges the group's transactions in the present chain, oldest first; so many members have all their records.
    pub fn judge(
        &self,
        group: &Group,
        sound: usize,
        payments: &[(u64, SignedTransaction)],
    ) -> Result<(), String> {
        let own: Vec<&SignedTransaction> = payments.iter().map(|(_, signed)| signed).collect();
        if !self.unsure {
            self.sweeps_are_needed(&own)?;
        }
        fees_are_bounded(group, sound, &own)
    }

    fn sweeps_are_needed(&self, own: &[&SignedTransaction]) -> Result<(), String> {
        let mut under: BTreeMap<TransactionId, BTreeSet<Tag>> = BTreeMap::new();
        let none = BTreeSet::new();
        for signed in own {
            let proposal = &signed.proposal;
            let above = |id: &TransactionId| under.get(id).unwrap_or(&none);
            let carries: BTreeSet<Tag> = proposal.tags().intersection(&self.announced).copied().collect();
            let creators = proposal.inputs.iter().map(|coin| above(&coin.outpoint.transaction));
            let idle = creators.filter(|creator| carries.is_subset(creator)).count();
            // One may help to pay for the others.
            if proposal.kind == ProposalKind::Sweep && (idle > 1 || idle == proposal.inputs.len()) {
                return Err(format!("{:?} sweeps coins under no tag that they lack", signed.id()));
            }
            let inherited = proposal.inputs.iter().flat_map(|coin| above(&coin.outpoint.transaction));
            let all = inherited.copied().chain(carries).collect();
            under.insert(signed.id(), all);
        }
        Ok(())
    }
}

/// Each was approved by q members, and a sound one approves no more than its policy's cap in a run.
fn fees_are_bounded(group: &Group, sound: usize, own: &[&SignedTransaction]) -> Result<(), String> {
    let others = usize::from(group.threshold().members()) - sound;
    let Some(needed) = usize::from(group.quorum().get()).checked_sub(others).filter(|needed| *needed > 0)
    else {
        return Ok(());
    };
    let internal = own.iter().filter(|signed| !signed.proposal.kind.names_events());
    let fees = internal.filter_map(|signed| signed.proposal.fee()).fold(Sompi::ZERO, Sompi::saturating_add);
    let most = Sompi(policy().internal.fees.max.0.saturating_mul(sound as u64) / needed as u64);
    if fees > most {
        return Err(format!("the group's own transactions cost {fees}, and {most} are allowed"));
    }
    Ok(())
}
