//! What the messages say: one struct per kind, read strictly.

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{ConfigDigest, MemberIndex};
use igra_tx::{EventKey, Outpoint, ProposalId, ProposalKind, Signature, TransactionId};

use super::{MessageKind, added};
use crate::{Evidence, PolicyDigest, RefusalCode};

/// Most events of one [`History`]; the rest follows page by page.
pub const MAX_HISTORY_EVENTS: usize = 500;

/// Most entries of one [`Digest`]; the rest follows page by page.
pub const MAX_DIGEST_ENTRIES: usize = 100;

/// A body that reads as its kind says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Hello(Hello),
    Status(Status),
    Announce(Announce),
    Propose(Propose),
    Approve(Approve),
    Refuse(Refuse),
    Certificate(Certificate),
    Partial(PartialMessage),
    Final(FinalClaim),
    Hint(Hint),
    Digest(Digest),
    Body(Body),
    AskHistory(AskHistory),
    History(History),
}

/// First words to a peer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Hello {
    /// The sender's highest promise number.
    pub promise: u64,
    /// The highest promise number it saw of each member, in script order.
    pub seen: Vec<u64>,
    pub view: u64,
    pub config: ConfigDigest,
    pub policy: PolicyDigest,
    /// The sender's software version, for people.
    pub software: String,
    /// The sender's tag, where its disk may have gone back in time.
    pub tag: Option<[u8; 32]>,
    /// Added in version 2.
    #[borsh(serialize_with = "added::write", deserialize_with = "added::read")]
    pub standing: Standing,
}

/// What the sender of a [`Hello`] had heard when it said it; empty from a member of version 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Standing {
    /// The last message heard of each member, in script order; the sender's own is its last one.
    pub heard: Vec<Heard>,
    /// It answers another hello, and is not answered.
    pub answer: bool,
}

/// One of a member's messages, by where it stands among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Heard {
    pub epoch: u64,
    pub sequence: u64,
}

/// Where the sender stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Status {
    pub view: u64,
}

/// An event with its evidence, for each member to verify by itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Announce {
    /// What the sender's verifier made of the evidence; a hint only.
    pub event: EventKey,
    pub evidence: Evidence,
}

/// A proposal by the proposer of a view.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Propose {
    pub view: u64,
    /// The encoded proposal.
    pub proposal: Vec<u8>,
}

/// A durable promise to sign a proposal; carries the partial at once where quorum and threshold are equal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Approve {
    pub proposal: ProposalId,
    pub events: Vec<EventKey>,
    pub config: ConfigDigest,
    pub promise: u64,
    pub view: u64,
    pub signatures: Option<Vec<Signature>>,
}

/// Why the sender does not approve a proposal now.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Refuse {
    pub proposal: ProposalId,
    pub view: u64,
    pub code: RefusalCode,
    pub detail: String,
    pub outpoints: Vec<Outpoint>,
    /// The events that it is about; none where it is about the transaction. Added in version 2.
    #[borsh(serialize_with = "added::write", deserialize_with = "added::read")]
    pub events: Vec<EventKey>,
}

/// q approvals of one proposal: the others' as they sealed them, the sender's own by this seal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Certificate {
    pub proposal: ProposalId,
    pub approvals: Vec<Vec<u8>>,
}

/// The sender's signatures over all inputs of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PartialMessage {
    pub proposal: ProposalId,
    pub signatures: Vec<Signature>,
}

/// The sender's node showed a transaction at final depth. A hint: the own node decides, but where its history has a gap.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FinalClaim {
    pub event: EventKey,
    pub transaction: TransactionId,
    /// Added in version 2; without it this is no more than a hint.
    #[borsh(serialize_with = "added::write", deserialize_with = "added::read")]
    pub ended: Option<Ended>,
}

/// What a transaction at final depth ended: the event, or else promises for it whose coins it spends.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ended {
    /// How it names the event, if it does.
    pub kind: Option<ProposalKind>,
    /// Of the block that accepted it.
    pub daa_score: u64,
    pub spends: Vec<Outpoint>,
}

/// The sender's node took the transaction. A hint: it delays the own submission, no more.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Hint {
    pub transaction: TransactionId,
}

/// What the sender has of the live events from one key to another.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Digest {
    pub view: u64,
    /// The range of keys that this page covers, both ends included.
    pub from: EventKey,
    pub to: EventKey,
    /// In ascending order of keys.
    pub entries: Vec<Entry>,
    /// The answer to a digest is not answered by another.
    pub answer: bool,
}

/// What the sender has of one live event.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Entry {
    pub event: EventKey,
    pub proposals: Vec<KnownProposal>,
}

/// What the sender has of one proposal; members as bits, the first in the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KnownProposal {
    pub proposal: ProposalId,
    pub body: bool,
    pub approvals: u16,
    pub partials: u16,
}

/// The encoded proposal that somebody lacks; it proves itself by its hash.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Body {
    pub proposal: Vec<u8>,
}

/// Asks what ended in an interval of the chain of which the sender's node showed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AskHistory {
    /// By DAA score, both ends included.
    pub from: u64,
    pub to: u64,
    /// Only what comes after this event; none: from the first on.
    pub after: Option<EventKey>,
}

/// A page of what ended in an interval of the chain that the sender's own node showed without a gap; who cannot say that
/// does not answer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct History {
    /// What was asked for.
    pub asked: AskHistory,
    /// The page covers the events up to this one; none: all that are left.
    pub upto: Option<EventKey>,
    /// The group moves to its successor, as far as the sender knows.
    pub moved: bool,
    /// In ascending order of events.
    pub ended: Vec<EndedEvent>,
}

/// An event that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct EndedEvent {
    pub event: EventKey,
    pub transaction: TransactionId,
    pub kind: ProposalKind,
    /// Of the block that accepted it.
    pub daa_score: u64,
}

/// Why bytes are no body of their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    #[error("the bytes are no body of this kind")]
    Malformed,
    #[error("the body goes on after all that is known of its kind: a newer version wrote it")]
    Newer,
}

impl Message {
    /// Reads a body of the given kind; every byte must be used.
    pub fn decode(kind: MessageKind, bytes: &[u8]) -> Option<Self> {
        Self::read(kind, bytes).ok()
    }

    /// The same with the reason where it does not read.
    ///
    /// # Errors
    /// A body that is cut, that says something impossible, or that a newer version wrote.
    pub fn read(kind: MessageKind, bytes: &[u8]) -> Result<Self, Unread> {
        Ok(match kind {
            MessageKind::Hello => Self::Hello(read(bytes)?),
            MessageKind::Status => Self::Status(read(bytes)?),
            MessageKind::Announce => Self::Announce(read(bytes)?),
            MessageKind::Propose => Self::Propose(read(bytes)?),
            MessageKind::Approve => Self::Approve(read(bytes)?),
            MessageKind::Refuse => Self::Refuse(read(bytes)?),
            MessageKind::Certificate => Self::Certificate(read(bytes)?),
            MessageKind::Partial => Self::Partial(read(bytes)?),
            MessageKind::Final => Self::Final(read(bytes)?),
            MessageKind::Hint => Self::Hint(read(bytes)?),
            MessageKind::Digest => Self::Digest(read(bytes)?),
            MessageKind::Body => Self::Body(read(bytes)?),
            MessageKind::AskHistory => Self::AskHistory(read(bytes)?),
            MessageKind::History => Self::History(read(bytes)?),
        })
    }

    /// The body's bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(body) => write(body),
            Self::Status(body) => write(body),
            Self::Announce(body) => write(body),
            Self::Propose(body) => write(body),
            Self::Approve(body) => write(body),
            Self::Refuse(body) => write(body),
            Self::Certificate(body) => write(body),
            Self::Partial(body) => write(body),
            Self::Final(body) => write(body),
            Self::Hint(body) => write(body),
            Self::Digest(body) => write(body),
            Self::Body(body) => write(body),
            Self::AskHistory(body) => write(body),
            Self::History(body) => write(body),
        }
    }

    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Hello(_) => MessageKind::Hello,
            Self::Status(_) => MessageKind::Status,
            Self::Announce(_) => MessageKind::Announce,
            Self::Propose(_) => MessageKind::Propose,
            Self::Approve(_) => MessageKind::Approve,
            Self::Refuse(_) => MessageKind::Refuse,
            Self::Certificate(_) => MessageKind::Certificate,
            Self::Partial(_) => MessageKind::Partial,
            Self::Final(_) => MessageKind::Final,
            Self::Hint(_) => MessageKind::Hint,
            Self::Digest(_) => MessageKind::Digest,
            Self::Body(_) => MessageKind::Body,
            Self::AskHistory(_) => MessageKind::AskHistory,
            Self::History(_) => MessageKind::History,
        }
    }
}

/// A member's bit in a [`KnownProposal`].
pub(crate) fn bit(member: MemberIndex) -> u16 {
    1u16.checked_shl(member.0.into()).unwrap_or(0)
}

fn read<T: BorshDeserialize>(mut bytes: &[u8]) -> Result<T, Unread> {
    let value = T::deserialize(&mut bytes).map_err(|_| Unread::Malformed)?;
    if bytes.is_empty() { Ok(value) } else { Err(Unread::Newer) }
}

fn write<T: BorshSerialize>(body: &T) -> Vec<u8> {
    borsh::to_vec(body).expect("a vector takes all bytes")
}
