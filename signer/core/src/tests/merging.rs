//! Catching up: what is pushed, in whatever order, grouping and number, brings the same; and it stays bounded.

use proptest::prelude::*;

use super::*;
use crate::{Row, SessionView, UnixSeconds, messages::MAX_SEALED_BYTES, records::EventRecord};

/// Something that catching up may bring.
#[derive(Clone, Debug)]
enum Pushed {
    Event(u64),
    From(u8, Message),
}

/// Everything that there is to know about three events: two proposals of one event, all promises and partials.
fn everything() -> Vec<Pushed> {
    let signer = Signer::new(1, Q3);
    let mut all: Vec<Pushed> = (1..=3).map(Pushed::Event).collect();
    for (place, (id, kas)) in [(1, 10), (1, 20), (2, 30)].into_iter().enumerate() {
        let proposal = proposal_from(&signer, &event(id), kas);
        all.push(Pushed::From(
            0,
            Message::Body(crate::messages::Body { proposal: borsh::to_vec(&proposal).unwrap() }),
        ));
        for member in [0, 2] {
            all.push(Pushed::From(member, approve(&signer, member, place as u64 + 1, &proposal)));
            let signatures = partial(&signer.group, MemberIndex(member), &proposal).signatures;
            all.push(Pushed::From(
                member,
                Message::Partial(PartialMessage { proposal: proposal.id(), signatures }),
            ));
        }
    }
    all
}

fn deliver(signer: &mut Signer, pushed: &Pushed) {
    let _ = match pushed {
        Pushed::Event(id) => signer.take(Input::Verified { from: MemberIndex(0), event: event(*id) }),
        Pushed::From(member, message) => signer.hear(*member, message),
    };
}

/// What came too early was dropped, and is asked for and pushed again until nothing is lacking.
fn settle(signer: &mut Signer) -> Vec<SessionView> {
    for _ in 0..4 {
        everything().iter().for_each(|pushed| deliver(signer, pushed));
    }
    signer.mind.sessions(None, 100)
}

/// A signer that takes part in nothing while it catches up, so that the order in which it would approve plays no part.
fn onlooker() -> Signer {
    let mut signer = Signer::new(1, Q3);
    signer.take(Input::NodeDown);
    signer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn invariant_15_pushes_in_any_order_and_number_bring_the_same(
        order in prop::collection::vec(0usize..18, 0..40),
    ) {
        let all = everything();
        let mut one = onlooker();
        order.iter().filter_map(|place| all.get(*place)).for_each(|pushed| deliver(&mut one, pushed));
        let mut other = onlooker();

        let (settled, expected) = (settle(&mut one), settle(&mut other));

        prop_assert_eq!(&settled, &expected);
        let rows = one.rows.len();
        prop_assert_eq!(settle(&mut one), expected, "once more changes nothing");
        prop_assert_eq!(one.rows.len(), rows);
    }
}

#[test]
fn everything_is_known_once_it_was_pushed() {
    let views = settle(&mut onlooker());
    let approvals: Vec<usize> = views.iter().map(|view| view.approvals.len()).collect();
    assert_eq!(views.len(), 3);
    assert_eq!(approvals.iter().sum::<usize>(), 4, "{views:?}");
}

/// How two members told one another all.
#[derive(Debug)]
struct Talk {
    messages: usize,
    longest: usize,
    most_effects: usize,
}

/// Two members meet and say what they have to say until neither says anything more, as fast as a transport takes it from
/// one member; verifiers answer at once.
fn meet(members: &mut [Signer; 2]) -> Talk {
    let mut talk = Talk { messages: 0, longest: 0, most_effects: 0 };
    let mut said = std::collections::VecDeque::new();
    for who in [0, 1] {
        let peer = members[1 - who].me;
        let step = members[who].take(Input::PeerUp(peer));
        said.extend(step.effects.into_iter().map(|effect| (who, effect)));
    }
    while let Some((who, effect)) = said.pop_front() {
        let (by, answer) = match effect {
            Effect::Send { kind, body, .. } => {
                (talk.messages, talk.longest) = (talk.messages + 1, talk.longest.max(body.len()));
                let from = members[who].me.0;
                let passed = talk.messages as u64 % 2;
                members.iter_mut().for_each(|member| member.now.monotonic.0 += passed);
                (1 - who, members[1 - who].hear(from, &Message::decode(kind, &body).unwrap()))
            }
            Effect::Verify { from, evidence } => {
                let id = u64::from_le_bytes(evidence.bytes.try_into().unwrap());
                (who, members[who].take(Input::Verified { from, event: event(id) }))
            }
            _ => continue,
        };
        talk.most_effects = talk.most_effects.max(answer.effects.len());
        said.extend(answer.effects.into_iter().map(|effect| (by, effect)));
    }
    talk
}

/// A member that knows so many events, from its records.
fn knowing(me: u8, events: std::ops::Range<u64>) -> Signer {
    let mut signer = Signer::new(me, Q3);
    for id in events {
        let record = EventRecord { event: event(id), seen: UnixSeconds(1_000_000) };
        let row = Row::event(&key(&record.event), &record, true);
        signer.rows.insert((row.family, row.key), row.value.unwrap());
    }
    signer.restart();
    signer.take(Input::NodeDown);
    signer
}

fn catches_up(events: u64) {
    let away = knowing(2, events..events + 3);
    let mut members = [knowing(0, 0..events), away];
    let mut meetings = 0;
    let mut worst = Talk { messages: 0, longest: 0, most_effects: 0 };
    while members.iter().any(|member| member.mind.sessions.len() < events as usize + 3) {
        let talk = meet(&mut members);
        worst = if talk.messages > worst.messages { talk } else { worst };
        meetings += 1;
        assert!(meetings <= 3, "{worst:?}");
    }
    println!("{events} events in {meetings} meetings: {worst:?}");
    assert!(worst.longest <= MAX_SEALED_BYTES && worst.most_effects <= 250, "{worst:?}");
    assert!(worst.messages < 5 * events as usize + 100, "{worst:?}");
}

#[test]
fn a_member_that_was_away_for_many_events_catches_up_in_bounded_messages() {
    catches_up(450);
}

#[test]
#[ignore = "takes minutes without optimisation; prints its figures"]
fn a_member_that_was_away_for_a_hundred_thousand_events_catches_up() {
    catches_up(100_000);
}

#[test]
fn waiting_events_are_told_of_before_accepted_ones() {
    let mut signer = knowing(1, 0..1_000);
    let all: Vec<EventKey> = signer.mind.sessions.keys().copied().collect();
    let waiting: BTreeSet<EventKey> = all.iter().copied().skip(7).step_by(100).collect();
    signer.mind.pending = waiting.clone();
    signer.take(Input::PeerUp(MemberIndex(0)));
    signer.mind.catch_up = Default::default();

    let step = signer.after(1);

    let told: Vec<BTreeSet<EventKey>> = step
        .sent()
        .into_iter()
        .filter_map(|(_, message)| match message {
            Message::Digest(digest) => Some(digest.entries.into_iter().map(|entry| entry.event).collect()),
            _ => None,
        })
        .collect();
    let (first, rest) = told.split_at(waiting.len());
    assert_eq!(first.iter().flatten().copied().collect::<BTreeSet<_>>(), waiting);
    assert!(rest.len() <= 17, "and then a bounded number of others");
}

#[test]
fn page_after_page_all_are_told_of_however_many_wait() {
    let mut signer = knowing(1, 0..1_000);
    signer.take(Input::PeerUp(MemberIndex(0)));
    let mut told = BTreeSet::new();
    for _ in 0..12 {
        for (_, message) in signer.after(60_000).sent() {
            if let Message::Digest(digest) = message {
                told.extend(digest.entries.into_iter().map(|entry| entry.event));
            }
        }
    }
    assert_eq!(told.len(), 1_000);
}
