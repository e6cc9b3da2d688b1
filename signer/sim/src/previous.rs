//! A member that has not been upgraded yet: it says nothing of what version 2 of the messages added, and hears nothing
//! of it.

use igra_core::{
    MessageKind,
    messages::{self, Message},
    rules::Rules,
};
use igra_group::MemberIndex;

use crate::{fault::Fault, world::World};

impl<R: Rules> World<R> {
    /// Upgrades come with the calm, at the latest.
    fn is_previous(&self, member: MemberIndex) -> bool {
        self.chaos && self.scenario.previous.contains(&member)
    }

    /// What a member says, in its version; nothing where that version says nothing.
    pub(crate) fn as_said(&mut self, member: MemberIndex, kind: MessageKind, body: &[u8]) -> Option<Vec<u8>> {
        if !self.is_previous(member) {
            return Some(body.to_vec());
        }
        let message = Message::decode(kind, body);
        // Version 1 answers a hello with what it has, and no other hello.
        let answers = matches!(&message, Some(Message::Hello(hello)) if hello.standing.answer);
        if answers || is_new(kind) {
            return None;
        }
        let said = message.map_or(body.to_vec(), |message| without_additions(message).encode());
        if said != body {
            self.hit(Fault::PreviousVersion, member);
        }
        Some(said)
    }

    /// What a member hears, in its version: the same seal over what it can read.
    pub(crate) fn as_heard(&mut self, to: MemberIndex, sealed: Vec<u8>) -> Option<Vec<u8>> {
        if self.scenario.previous.is_empty() {
            return Some(sealed);
        }
        let Ok(messages::Opened { header, body }) = messages::open(&self.group, &sealed) else {
            return Some(sealed);
        };
        let Some(message) = Message::decode(header.kind, &body) else { return Some(sealed) };
        // What somebody is shown of his own words is what his coordinator meant to say, or it would take him for two.
        let grown = has_grown(header.kind);
        let changed = self.scenario.previous.contains(&to) || self.network.read_anew.contains(&sealed);
        if header.member == to && grown && changed {
            return None;
        }
        if !self.is_previous(to) {
            return Some(sealed);
        }
        if is_new(header.kind) {
            return None;
        }
        let read = without_additions(message).encode();
        if read == body {
            return Some(sealed);
        }
        self.hit(Fault::PreviousVersion, to);
        let keys = &self.signers[&header.member].keys;
        let anew = messages::seal(&header, &read, |bytes| keys.seal(bytes)).ok();
        self.network.read_anew.extend(anew.clone());
        anew
    }
}

/// Version 1 says less in such messages.
pub(crate) fn has_grown(kind: MessageKind) -> bool {
    matches!(kind, MessageKind::Hello | MessageKind::Refuse | MessageKind::Final)
}

/// Version 1 has no such messages.
fn is_new(kind: MessageKind) -> bool {
    matches!(kind, MessageKind::AskHistory | MessageKind::History)
}

fn without_additions(mut message: Message) -> Message {
    match &mut message {
        Message::Hello(hello) => hello.standing = Default::default(),
        Message::Refuse(refuse) => refuse.events.clear(),
        Message::Final(claim) => claim.ended = None,
        _unchanged => {}
    }
    message
}
