//! A member that asks without end delays nobody but itself.

use super::*;
use crate::{
    Row, UnixSeconds,
    answers::{FORGOTTEN_A_MS, MOST_UNFORGOTTEN},
    messages::AskHistory,
    records::EventRecord,
};

/// All that there is, from somebody who has nothing.
fn digest() -> Message {
    let (from, to) = (EventKey::from_bytes([0; 32]), EventKey::from_bytes([0xff; 32]));
    Message::Digest(Digest { view: 0, from, to, entries: Vec::new(), answer: false })
}

/// A member that knows many events, from its records.
fn knowing_many() -> Signer {
    let mut signer = Signer::new(1, Q3);
    for id in 0..500 {
        let record = EventRecord { event: event(id), seen: UnixSeconds(1_000_000) };
        let row = Row::event(&key(&record.event), &record, true);
        signer.rows.insert((row.family, row.key), row.value.unwrap());
    }
    signer.restart();
    signer
}

/// How much is said, and how often nothing, when a member asks as often as that at once.
fn asks(signer: &mut Signer, from: u8, message: &Message, times: usize) -> (usize, usize) {
    let steps: Vec<crate::Step> = (0..times).map(|_| signer.hear(from, message)).collect();
    let refused = steps.iter().filter(|step| step.ignored() == Some(Ignored::AskedTooMuch)).count();
    (steps.iter().map(|step| step.effects.len()).sum(), refused)
}

#[test]
fn a_member_that_asks_without_end_is_answered_so_much_at_once_and_then_so_much_a_second() {
    let mut signer = knowing_many();
    let most = MOST_UNFORGOTTEN as usize;
    let (said, refused) = asks(&mut signer, 0, &digest(), 1_000);
    assert!((most..most + 300).contains(&said) && refused > 900, "{said} messages, {refused} refused");

    let steady = FORGOTTEN_A_MS as usize * 1_000;
    signer.now.monotonic.0 += 1_000;
    let (said, refused) = asks(&mut signer, 0, &digest(), 1_000);
    assert!((steady - 300..steady + 300).contains(&said) && refused > 900, "{said}, {refused} refused");
}

#[test]
fn what_one_member_asks_takes_nothing_from_another() {
    let mut signer = knowing_many();
    asks(&mut signer, 0, &digest(), 200);
    let (said, refused) = asks(&mut signer, 2, &digest(), 1);
    assert!(said >= 200 && refused == 0, "{said} messages, {refused} refused");
}

#[test]
fn greetings_and_questions_about_the_past_and_proposals_offered_again_have_the_same_limit() {
    let (mut signer, _, proposal) = approved(Q2);
    let greeting = Hello { standing: Standing { heard: Vec::new(), answer: false }, ..signer.hello() };
    let history = Message::AskHistory(AskHistory { from: 0, to: 0, after: None });
    for message in [propose(0, &proposal), Message::Hello(greeting), history] {
        assert!(asks(&mut signer, 0, &message, 1).0 > 0, "{:?}", message.kind());
        signer.mind.charge(MemberIndex(0), 2 * MOST_UNFORGOTTEN as usize);
        assert_eq!(asks(&mut signer, 0, &message, 10).0, 0, "{:?}", message.kind());
        signer.now.monotonic.0 += 10_000;
    }
}
