//! A proposal: an unsigned transaction offered for one or more events, or for the group itself.
//!
//! What every transaction of a group has in common is not in it: version 0, lock time 0, the native subnetwork, gas
//! 0, the sequence, and n counted signature operations an input. Nobody can propose anything else there.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{Group, GroupId, Sompi};

use crate::{Coin, EventKey, Outpoint, PayloadHash, ProposalId, Script, Tag, TransactionId, kaspa, payload};

/// Most events that one proposal pays.
pub const MAX_PAYMENTS: usize = 64;
/// Most coins that one proposal spends.
pub const MAX_INPUTS: usize = 64;

/// Fewest coins that a consolidation spends: fewer are not worth its fee.
pub const LEAST_CONSOLIDATED: usize = 8;

/// What a verified event asks for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Payment {
    pub event: EventKey,
    pub payload: PayloadHash,
    pub recipient: Script,
    pub amount: Sompi,
}

/// An output of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Output {
    pub script: Script,
    pub amount: Sompi,
}

/// What a proposal does with the events that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum ProposalKind {
    /// Output i pays event i.
    Pay,
    /// Pays nobody but the group, so that the events can never be paid.
    Void,
    /// Makes one coin of the group out of many. Names no event, like all that follow.
    Consolidate,
    /// Moves coins of the group under tags.
    Sweep,
    /// Moves coins to the group that the policy names as this one's successor.
    Migrate,
}

impl ProposalKind {
    pub const ALL: [Self; 5] = [Self::Pay, Self::Void, Self::Consolidate, Self::Sweep, Self::Migrate];

    /// Whether a proposal of this kind is for events; the others are internal to the group.
    pub fn names_events(self) -> bool {
        match self {
            Self::Pay | Self::Void => true,
            Self::Consolidate | Self::Sweep | Self::Migrate => false,
        }
    }
}

/// An unsigned transaction of a group. Any value can be made; only [`crate::check()`] says what one is worth.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    pub group: GroupId,
    pub kind: ProposalKind,
    /// In ascending order; none where the kind is internal.
    pub events: Vec<EventKey>,
    /// The coins spent, each as the proposer's node reports it, in ascending order of their outpoints.
    pub inputs: Vec<Coin>,
    /// Where it pays, one for each event in its order, then the group's change if there is any; else one alone.
    pub outputs: Vec<Output>,
    pub payload: Vec<u8>,
}

/// Why bytes are no proposal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("a proposal has at most {} bytes, not {found}", Proposal::MAX_BYTES)]
    TooLong { found: usize },
    #[error("the bytes are not the encoding of a proposal")]
    Malformed,
    #[error("a proposal has at most {most} {what}, not {found}")]
    TooMany { what: &'static str, most: usize, found: usize },
}

impl Proposal {
    /// Bytes of the longest encoding that [`Proposal::decode`] reads.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// The hash of everything in it.
    pub fn id(&self) -> ProposalId {
        ProposalId::of_encoded(&borsh::to_vec(self).expect("a vector takes all bytes"))
    }

    /// Kaspa's id of the transaction, the same before and after signing.
    pub fn transaction_id(&self) -> TransactionId {
        // The id does not cover the number of signature operations either.
        kaspa::transaction_id(&kaspa::transaction(self, &[], 0))
    }

    /// The outpoints that it spends.
    pub fn outpoints(&self) -> BTreeSet<Outpoint> {
        self.inputs.iter().map(|coin| coin.outpoint).collect()
    }

    /// Whether at most one of the two can ever be in the chain because they spend a coin in common.
    pub fn shares_input_with(&self, other: &Self) -> bool {
        let others = other.outpoints();
        self.inputs.iter().any(|coin| others.contains(&coin.outpoint))
    }

    /// Inputs less outputs, or `None` if that is below zero or a sum does not fit 64 bits.
    pub fn fee(&self) -> Option<Sompi> {
        let inputs = Sompi::checked_sum(self.inputs.iter().map(|coin| coin.amount))?;
        let outputs = Sompi::checked_sum(self.outputs.iter().map(|output| output.amount))?;
        inputs.checked_sub(outputs)
    }

    /// What goes back to the group: the one output after the payments, if it is the group's.
    pub fn change(&self, group: &Group) -> Option<&Output> {
        let [change] = self.outputs.get(self.payment_count()..)? else {
            return None;
        };
        (change.script == Script::of_wallet(group.wallet())).then_some(change)
    }

    /// The tags that it carries, if its payload is one of ours.
    pub fn tags(&self) -> BTreeSet<Tag> {
        payload::read(&self.payload).map(|link| link.tags).unwrap_or_default()
    }

    /// How many of the outputs are payments.
    pub(crate) fn payment_count(&self) -> usize {
        match self.kind {
            ProposalKind::Pay => self.events.len(),
            ProposalKind::Void | ProposalKind::Consolidate | ProposalKind::Sweep | ProposalKind::Migrate => 0,
        }
    }

    /// Reads a proposal from bytes that anybody may have sent: bounded before and after, no byte left over, so that
    /// encoding the result gives the same bytes. What the proposal is worth is [`crate::check()`]'s to say.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(DecodeError::TooLong { found: bytes.len() });
        }
        let proposal: Self = borsh::from_slice(bytes).map_err(|_| DecodeError::Malformed)?;
        proposal.refuse_oversize()?;
        Ok(proposal)
    }

    fn refuse_oversize(&self) -> Result<(), DecodeError> {
        let scripts = self
            .inputs
            .iter()
            .map(|coin| &coin.script)
            .chain(self.outputs.iter().map(|output| &output.script));
        let longest = scripts.map(|script| script.bytes.len()).max().unwrap_or(0);
        for (what, most, found) in [
            ("events", MAX_PAYMENTS, self.events.len()),
            ("inputs", MAX_INPUTS, self.inputs.len()),
            ("outputs", MAX_PAYMENTS + 1, self.outputs.len()),
            ("bytes of payload", payload::MAX_BYTES, self.payload.len()),
            ("bytes in one script", Script::MAX_BYTES, longest),
        ] {
            if found > most {
                return Err(DecodeError::TooMany { what, most, found });
            }
        }
        Ok(())
    }
}
