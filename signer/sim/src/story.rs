//! A run in words: one line for each step of a signer that changed anything.

use igra_core::{Effect, Input, Note, Step, messages};
use igra_group::{Group, MemberIndex};

use crate::keys::name;

/// What came in.
pub(crate) fn input(group: &Group, input: &Input) -> String {
    match input {
        Input::Event(_) => "an event at the door".to_owned(),
        Input::Verified { from, .. } => format!("evidence from {} verified", name(*from)),
        Input::VerifyFailed { from, .. } => format!("evidence from {} proves nothing", name(*from)),
        Input::Received(sealed) => match messages::open(group, sealed) {
            Ok(opened) => format!("{} from {}", opened.header.kind.as_str(), name(opened.header.member)),
            Err(error) => format!("bytes that are no message: {error}"),
        },
        Input::PeerUp(member) => format!("{} is up", name(*member)),
        Input::PeerDown(member) => format!("{} is down", name(*member)),
        Input::Signed(partial) => format!("signed {:?}", partial.proposal),
        Input::SignFailed { reason, .. } => format!("could not sign: {reason}"),
        Input::Chain(update) => format!("chain at {}", update.virtual_daa),
        Input::Wallet(update) => format!("{} coins", update.coins.len()),
        Input::NodeDown => "node down".to_owned(),
        Input::Submitted { transaction, outcome } => format!("node on {transaction:?}: {outcome:?}"),
        Input::Policy(_) => "another policy".to_owned(),
        Input::Tick => "time".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What came of it, if anything did.
pub(crate) fn step(told: &str, step: &Step) -> Option<String> {
    let mut came = Vec::new();
    for effect in &step.effects {
        match effect {
            Effect::Note(Note::Submitted { .. }) => {}
            Effect::Note(note) => came.push(note_in_words(note)),
            Effect::Verify { .. } => came.push("asks its verifier".to_owned()),
            Effect::Sign { .. } => came.push("asks its key".to_owned()),
            Effect::Submit { transaction, .. } => came.push(format!("submits {:?}", transaction.id())),
            Effect::SubmitRaw { transaction, .. } => came.push(format!("hands in {transaction:?} again")),
            Effect::Draw => came.push("draws a random number".to_owned()),
            Effect::Send { .. } | Effect::Relay { .. } => {}
        }
    }
    came.extend(step.ignored.iter().map(|reason| format!("ignored: {}", reason.as_str())));
    let quiet = came.is_empty() && step.writes.is_empty() && !told.starts_with("node on");
    let line = if came.is_empty() { told.to_owned() } else { format!("{told} → {}", came.join("; ")) };
    (!quiet).then(|| shortened(&line))
}

/// Anything, short and with members' names.
pub(crate) fn shown(thing: &impl std::fmt::Debug) -> String {
    shortened(&format!("{thing:?}"))
}

fn note_in_words(note: &Note) -> String {
    match note {
        Note::EventTaken { event, amount, .. } => format!("takes event {event:?} over {amount}"),
        Note::Proposed { kind, proposal, view, events } => {
            format!("proposes {proposal:?} to {kind:?} for {events:?} in view {view}")
        }
        Note::Refused { proposal, code, detail, .. } => {
            format!("refuses {proposal:?}: {} ({detail})", code.as_str())
        }
        Note::PeerRefused { from, proposal, code, .. } => {
            format!("{} refuses {proposal:?}: {}", name(*from), code.as_str())
        }
        Note::Approved { kind, proposal, promise, events } => {
            format!("approves {proposal:?} to {kind:?} for {events:?} as promise {promise}")
        }
        Note::PeerApproved { from, proposal } => format!("{} approves {proposal:?}", name(*from)),
        Note::Certified { proposal } => format!("has q approvals of {proposal:?}"),
        Note::PartialMade { proposal } => format!("signs {proposal:?}"),
        Note::Assembled { proposal, transaction, .. } => {
            format!("has {transaction:?}, whole, from {proposal:?}")
        }
        Note::Accepted { transaction, daa_score, .. } => {
            format!("sees {transaction:?} accepted at {daa_score}")
        }
        Note::Reorganised { transaction, .. } => format!("sees {transaction:?} undone"),
        Note::Settled { transaction, .. } => format!("sees {transaction:?} settled"),
        Note::Final { transaction, .. } => format!("sees {transaction:?} final"),
        Note::Dead { proposal, by } => format!("knows {proposal:?} dead by {by:?}"),
        Note::Deposited { amount, .. } => format!("sees a deposit of {amount}"),
        Note::ViewMoved { view, proposer } => format!("goes to view {view}, {} proposes", name(*proposer)),
        other => format!("{other:?}"),
    }
}

/// `ProposalId(0123456789ab…)` as `proposal 012345`, and members by their names.
pub(crate) fn shortened(line: &str) -> String {
    let mut line = line.to_owned();
    for (long, short) in [
        ("EventKey(", ""),
        ("ProposalId(", "proposal "),
        ("TransactionId(", "transaction "),
        ("PolicyDigest(", "policy "),
    ] {
        while let Some(at) = line.find(long) {
            let Some(end) = line[at..].find(')') else { break };
            let name = line[at + long.len()..at + end].trim_end_matches('…');
            let name: String = name.chars().take(6).collect();
            line.replace_range(at..=at + end, &format!("{short}{name}"));
        }
    }
    for member in 0..5 {
        line = line.replace(&format!("MemberIndex({member})"), name(MemberIndex(member)));
    }
    line
}
