//! Crashes at every write: what is on disk afterwards is what it would be without them.

use super::*;

type Rows = std::collections::BTreeMap<(Family, Vec<u8>), Vec<u8>>;

const STEPS: usize = 7;

/// The life of an event at one member, input by input.
fn step(signer: &mut Signer, number: usize) {
    let (event, proposal) = (event(1), proposal_from(signer, &event(1), 10));
    let coins = [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas));
    let _ = match number {
        0 => signer.wallet(coins.to_vec()),
        1 => signer.take(Input::Event(event)),
        2 => signer.hear(0, &propose(0, &proposal)),
        3 => signer.hear(0, &approve(signer, 0, 1, &proposal)),
        4 => signer.hear(2, &approve(signer, 2, 1, &proposal)),
        5 => signer.accept(1, 200, 205, &[&proposal]),
        STEPS.. | 6 => signer.take(Input::Chain(tip_at(230))),
    };
}

/// What counts afterwards: everything but how often it started.
fn kept(signer: &Signer) -> Rows {
    let rows = signer.rows.iter().filter(|((family, _), _)| *family != Family::Meta);
    rows.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[test]
fn invariant_13_a_crash_before_or_after_any_write_changes_nothing_up_to_repeats() {
    for quorum in [Q2, Q3] {
        let mut whole = Signer::new(1, quorum);
        (0..STEPS).for_each(|number| step(&mut whole, number));
        assert_eq!(whole.mind.session(&key(&event(1))).unwrap().state, SessionState::Paid);
        for crash in 0..STEPS {
            for lost in [false, true] {
                let mut signer = Signer::new(1, quorum);
                (0..crash).for_each(|number| step(&mut signer, number));
                let before = signer.rows.clone();
                step(&mut signer, crash);
                if lost {
                    signer.rows = before;
                }
                signer.restart();
                // Whoever sent something does so again, from the beginning.
                (0..STEPS).for_each(|number| step(&mut signer, number));
                assert_eq!(kept(&signer), kept(&whole), "quorum {quorum}, crash at {crash}, lost: {lost}");
                assert_eq!(signer.mind.view().promise, 1);
            }
        }
    }
}
