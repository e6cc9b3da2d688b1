//! Sealed messages: what one member says, signed by its transport key, so that anybody may carry it.
//!
//! A seal is opened in a fixed order — size, version, group, member, signature, kind — and only then does the
//! coordinator look at its epoch and sequence. Nothing of a message is believed before its signature holds.
//!
//! Members of this version and of the one before work together:
//! - The envelope does not change. A kind that is not known is ignored as `unknown_kind`, and kinds are never reused.
//! - A body only ever grows at its end, by fields that are `added`: absent where they say nothing.
//! - Bytes after the last field that is known here are those of a newer version: the message is ignored as
//!   `newer_version`. It is not malformed, and whatever matters in it comes by other messages too.
//! - What the others cannot do without goes into a kind of its own, or waits a version.
//!

mod added;
mod body;
mod window;

use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_dalek::{Signature, VerifyingKey};
use igra_group::{Group, GroupId, MemberIndex, Network};

pub(crate) use body::bit;
pub use body::{
    Announce, Approve, AskHistory, Body, Certificate, Digest, Ended, EndedEvent, Entry, FinalClaim, Heard,
    Hello, Hint, History, KnownProposal, MAX_DIGEST_ENTRIES, MAX_HISTORY_EVENTS, Message, PartialMessage,
    Propose, Refuse, Standing, Status, Unread,
};
pub(crate) use window::{Seen, Windows};

/// Most bytes of one sealed message; the gossip limit of the fleet is a little above.
pub const MAX_SEALED_BYTES: usize = 60_000;

/// Most bytes of a body, so that its seal stays within [`MAX_SEALED_BYTES`].
pub const MAX_BODY_BYTES: usize = MAX_SEALED_BYTES - HEADER_BYTES - SIGNATURE_BYTES;

/// The version of the envelope.
pub const VERSION: u8 = 1;

const SEAL_TAG: &[u8] = b"igra.dev 2026 sealed message v1";
// Version, network, group, member, epoch, sequence, kind, body length.
const HEADER_BYTES: usize = 1 + 1 + 32 + 1 + 8 + 8 + 1 + 4;
const SIGNATURE_BYTES: usize = 64;

/// What a message is about; decides how its body reads. Numbers are part of the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum MessageKind {
    Hello,
    Status,
    Announce,
    Propose,
    Approve,
    Refuse,
    Certificate,
    Partial,
    Final,
    Hint,
    Digest,
    Body,
    AskHistory,
    History,
}

/// Who says it, to which group, and as which of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    pub network: Network,
    pub group: GroupId,
    pub member: MemberIndex,
    pub epoch: u64,
    pub sequence: u64,
    pub kind: MessageKind,
}

/// A message whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub header: Header,
    pub body: Vec<u8>,
}

/// A body that no seal can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a body of {0} bytes is above the limit of {MAX_BODY_BYTES}")]
pub struct TooLarge(pub usize);

/// Why bytes are no message to this group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("{0} bytes are too few or too many for a sealed message")]
    Size(usize),
    #[error("version {0} is not spoken here")]
    Version(u8),
    #[error("another network or group")]
    OtherGroup,
    #[error("the group has no member {0}")]
    UnknownMember(u8),
    #[error("the signature is not the member's")]
    Signature,
    #[error("message kind {0} is not known here")]
    UnknownKind(u8),
}

/// Seals a body; `sign` gives the Ed25519 signature of the member's transport key over the bytes it gets.
pub fn seal(header: &Header, body: &[u8], sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<Vec<u8>, TooLarge> {
    if body.len() > MAX_BODY_BYTES {
        return Err(TooLarge(body.len()));
    }
    let mut bytes = vec![VERSION];
    borsh::to_writer(&mut bytes, &(header, body)).expect("a vector takes all bytes");
    let signature = sign(&signed_bytes(&bytes));
    bytes.extend_from_slice(&signature);
    Ok(bytes)
}

/// Opens sealed bytes for a group. Epoch and sequence are the caller's to judge.
pub fn open(group: &Group, bytes: &[u8]) -> Result<Opened, OpenError> {
    if bytes.len() < HEADER_BYTES + SIGNATURE_BYTES || bytes.len() > MAX_SEALED_BYTES {
        return Err(OpenError::Size(bytes.len()));
    }
    let (message, signature) = bytes.split_at(bytes.len() - SIGNATURE_BYTES);
    if message[0] != VERSION {
        return Err(OpenError::Version(message[0]));
    }
    let envelope = Envelope::read(message)?;
    if envelope.network != borsh_byte(group.network()) || envelope.group != group.id() {
        return Err(OpenError::OtherGroup);
    }
    let member = MemberIndex(envelope.member);
    let Some(known) = group.member(member) else {
        return Err(OpenError::UnknownMember(envelope.member));
    };
    verify(&known.transport.0.0, message, signature)?;
    let kind = borsh::from_slice(&[envelope.kind]).map_err(|_| OpenError::UnknownKind(envelope.kind))?;
    let Envelope { epoch, sequence, body, .. } = envelope;
    let header = Header { network: group.network(), group: group.id(), member, epoch, sequence, kind };
    Ok(Opened { header, body: body.to_vec() })
}

/// The bytes before the signature, taken apart but not yet believed.
struct Envelope<'a> {
    network: u8,
    group: GroupId,
    member: u8,
    epoch: u64,
    sequence: u64,
    kind: u8,
    body: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(message: &'a [u8]) -> Result<Self, OpenError> {
        let size = OpenError::Size(message.len());
        let (mut head, body) = message[1..].split_at_checked(HEADER_BYTES - 1).ok_or(size)?;
        type Fields = (u8, GroupId, u8, u64, u64, u8, u32);
        let (network, group, member, epoch, sequence, kind, length) =
            Fields::deserialize(&mut head).map_err(|_| size)?;
        if usize::try_from(length) != Ok(body.len()) {
            return Err(size);
        }
        Ok(Self { network, group, member, epoch, sequence, kind, body })
    }
}

fn verify(transport: &[u8; 32], message: &[u8], signature: &[u8]) -> Result<(), OpenError> {
    let key = VerifyingKey::from_bytes(transport).map_err(|_| OpenError::Signature)?;
    let signature = Signature::from_slice(signature).map_err(|_| OpenError::Signature)?;
    key.verify_strict(&signed_bytes(message), &signature).map_err(|_| OpenError::Signature)
}

fn signed_bytes(message: &[u8]) -> Vec<u8> {
    [SEAL_TAG, message].concat()
}

fn borsh_byte(network: Network) -> u8 {
    borsh::to_vec(&network).expect("a vector takes all bytes")[0]
}

impl MessageKind {
    pub const ALL: [Self; 14] = [
        Self::Hello,
        Self::Status,
        Self::Announce,
        Self::Propose,
        Self::Approve,
        Self::Refuse,
        Self::Certificate,
        Self::Partial,
        Self::Final,
        Self::Hint,
        Self::Digest,
        Self::Body,
        Self::AskHistory,
        Self::History,
    ];

    /// A label for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Status => "status",
            Self::Announce => "announce",
            Self::Propose => "propose",
            Self::Approve => "approve",
            Self::Refuse => "refuse",
            Self::Certificate => "certificate",
            Self::Partial => "partial",
            Self::Final => "final",
            Self::Hint => "hint",
            Self::Digest => "digest",
            Self::Body => "body",
            Self::AskHistory => "ask_history",
            Self::History => "history",
        }
    }
}

impl OpenError {
    /// A label for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Size(_) => "size",
            Self::Version(_) => "version",
            Self::OtherGroup => "other_group",
            Self::UnknownMember(_) => "unknown_member",
            Self::Signature => "signature",
            Self::UnknownKind(_) => "unknown_kind",
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod version_tests;
