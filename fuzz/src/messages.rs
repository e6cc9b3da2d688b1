//! The decoders of messages: seals and bodies.

use igra_core::messages::{self, Header, Message, MessageKind, Opened};
use igra_group::{Group, MemberIndex};

use super::{bounds::reads_back, keys};

const SIGNATURE_BYTES: usize = 64;

/// Bytes from the network: opened by the group as they are.
pub fn sealed(bytes: &[u8]) {
    let group = keys::group(2);
    let signature = || bytes[bytes.len() - SIGNATURE_BYTES..].try_into().expect("what opens has a signature");
    reads_back(
        bytes,
        |bytes| messages::open(&group, bytes).ok(),
        |Opened { header, body }| {
            messages::seal(header, body, |_| signature()).expect("what was opened is within bounds")
        },
    );
}

/// The same bytes under a genuine signature of the member that they name, so that reading does not end there.
pub fn resealed(bytes: &[u8]) {
    let group = keys::group(2);
    for member in group.indices() {
        let signed = [&seal_tag(&group), bytes].concat();
        let signature = keys::transport(&group, member, &signed);
        let bytes = [bytes, &signature].concat();
        sealed(&bytes);
        if let Ok(Opened { header, body }) = messages::open(&group, &bytes) {
            assert_eq!(header.member, member, "one member speaks for another");
            body_of(header.kind, &body);
        }
    }
}

/// What stands before the bytes of a message when they are signed.
fn seal_tag(group: &Group) -> Vec<u8> {
    let header = Header {
        network: group.network(),
        group: group.id(),
        member: MemberIndex(0),
        epoch: 0,
        sequence: 0,
        kind: MessageKind::Status,
    };
    let mut signed = Vec::new();
    let sealed = messages::seal(&header, &[], |bytes| {
        signed = bytes.to_vec();
        [0; SIGNATURE_BYTES]
    });
    let message = sealed.expect("an empty body fits").len() - SIGNATURE_BYTES;
    signed.truncate(signed.len() - message);
    signed
}

/// A body: its kind in the first byte.
pub fn body(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    let kind = MessageKind::ALL[usize::from(*kind) % MessageKind::ALL.len()];
    body_of(kind, body);
}

fn body_of(kind: MessageKind, body: &[u8]) {
    reads_back(
        body,
        |body| Message::decode(kind, body),
        |message| {
            assert_eq!(message.kind(), kind);
            message.encode()
        },
    );
}
