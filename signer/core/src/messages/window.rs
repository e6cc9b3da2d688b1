//! Which messages of each member were seen already: the highest epoch, and a window of sequences in it.

use std::collections::BTreeMap;

use igra_group::MemberIndex;

use super::Heard;

// Sequences this far behind the highest are taken as seen.
const WIDTH: u64 = 1024;

/// What the window says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    New,
    Duplicate,
    OldEpoch,
}

/// The duplicate windows of all members.
#[derive(Clone, Debug, Default)]
pub(crate) struct Windows(BTreeMap<MemberIndex, Window>);

#[derive(Clone, Debug, Default)]
struct Window {
    epoch: u64,
    highest: u64,
    seen: [u64; (WIDTH / 64) as usize],
}

impl Windows {
    /// Judges a message and remembers it. The signature must have been verified.
    pub(crate) fn take(&mut self, member: MemberIndex, epoch: u64, sequence: u64) -> Seen {
        let known = self.0.get(&member).map(|window| window.epoch);
        if known.is_some_and(|known| epoch < known) {
            return Seen::OldEpoch;
        }
        if known != Some(epoch) {
            self.0.insert(member, Window { epoch, highest: sequence, seen: [0; (WIDTH / 64) as usize] });
        }
        let window = self.0.get_mut(&member).expect("a window of this epoch was just made sure of");
        if window.mark(sequence) { Seen::New } else { Seen::Duplicate }
    }

    pub(crate) fn epoch(&self, member: MemberIndex) -> u64 {
        self.heard(member).epoch
    }

    /// The last message of a member.
    pub(crate) fn heard(&self, member: MemberIndex) -> Heard {
        let last = |window: &Window| Heard { epoch: window.epoch, sequence: window.highest };
        self.0.get(&member).map(last).unwrap_or_default()
    }
}

impl Window {
    /// True where the sequence is new.
    fn mark(&mut self, sequence: u64) -> bool {
        if sequence > self.highest {
            self.slide(sequence);
        }
        if self.highest - sequence >= WIDTH {
            return false;
        }
        let (word, mask) = place(sequence);
        let new = self.seen[word] & mask == 0;
        self.seen[word] |= mask;
        new
    }

    fn slide(&mut self, to: u64) {
        if to - self.highest >= WIDTH {
            self.seen = [0; (WIDTH / 64) as usize];
        } else {
            for passed in self.highest + 1..=to {
                let (word, mask) = place(passed);
                self.seen[word] &= !mask;
            }
        }
        self.highest = to;
    }
}

fn place(sequence: u64) -> (usize, u64) {
    let at = sequence % WIDTH;
    ((at / 64) as usize, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: MemberIndex = MemberIndex(1);

    #[test]
    fn a_sequence_counts_once_in_any_order() {
        let mut windows = Windows::default();
        assert_eq!(windows.take(MEMBER, 1, 5), Seen::New);
        for sequence in [3, 9, 4, 1_200] {
            assert_eq!(windows.take(MEMBER, 1, sequence), Seen::New, "{sequence}");
            assert_eq!(windows.take(MEMBER, 1, sequence), Seen::Duplicate, "{sequence}");
        }
    }

    #[test]
    fn what_lies_behind_the_window_is_a_duplicate() {
        let mut windows = Windows::default();
        windows.take(MEMBER, 1, 5_000);
        assert_eq!(windows.take(MEMBER, 1, 5_000 - WIDTH), Seen::Duplicate);
        assert_eq!(windows.take(MEMBER, 1, 5_001 - WIDTH), Seen::New);
    }

    #[test]
    fn a_jump_forgets_what_it_passes() {
        let mut windows = Windows::default();
        windows.take(MEMBER, 1, 7);
        windows.take(MEMBER, 1, 7 + WIDTH);
        assert_eq!(windows.take(MEMBER, 1, 7 + WIDTH), Seen::Duplicate);
        windows.take(MEMBER, 1, u64::MAX);
        assert_eq!(windows.take(MEMBER, 1, u64::MAX - 1), Seen::New);
    }

    #[test]
    fn an_epoch_that_was_left_never_comes_back() {
        let mut windows = Windows::default();
        windows.take(MEMBER, 4, 1);
        assert_eq!(windows.take(MEMBER, 5, 1), Seen::New);
        assert_eq!(windows.take(MEMBER, 4, 2), Seen::OldEpoch);
    }
}
