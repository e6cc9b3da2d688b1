//! Where the own node's history is missing: the one record of it, by DAA score.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{ChainUpdate, Coordinator, Row, Step, rules::Rules};

// So many are told apart; beyond, the oldest two become one.
const MOST_GAPS: usize = 16;

/// A part of the chain that the own node did not show at final depth; both ends may lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Gap {
    pub from: u64,
    pub to: u64,
    /// What was final in it is known all the same: from others, or by an administrator's word.
    pub closed: bool,
}

/// All of them, in the order of the chain, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Gaps(pub Vec<Gap>);

impl Gaps {
    pub(crate) fn add(&mut self, gap: Gap) {
        self.0.push(gap);
        self.0.sort_by_key(|gap| (gap.from, gap.to));
        let mut apart: Vec<Gap> = Vec::new();
        for gap in std::mem::take(&mut self.0) {
            match apart.last_mut().filter(|last| gap.from <= last.to) {
                Some(last) => *last = last.with(&gap),
                None => apart.push(gap),
            }
        }
        if apart.len() > MOST_GAPS {
            let second = apart.remove(1);
            apart[0] = apart[0].with(&second);
        }
        self.0 = apart;
    }

    /// The first of which it is not known yet what was final in it.
    pub(crate) fn open(&self) -> Option<Gap> {
        self.0.iter().find(|gap| !gap.closed).copied()
    }

    pub(crate) fn close(&mut self, closed: &Gap) {
        self.0.iter_mut().filter(|gap| *gap == closed).for_each(|gap| gap.closed = true);
    }

    pub(crate) fn close_all(&mut self) {
        self.0.iter_mut().for_each(|gap| gap.closed = true);
    }

    /// Whether a moment of the chain lies in one, closed or not.
    pub(crate) fn contains(&self, daa_score: u64) -> bool {
        self.touch(daa_score, daa_score)
    }

    /// Whether one, closed or not, reaches into an interval with both its ends.
    pub(crate) fn touch(&self, from: u64, to: u64) -> bool {
        self.0.iter().any(|gap| gap.from <= to && from <= gap.to)
    }
}

impl Gap {
    fn with(&self, later: &Self) -> Self {
        Self { from: self.from, to: self.to.max(later.to), closed: self.closed && later.closed }
    }
}

impl<R: Rules> Coordinator<R> {
    /// Notices where the node's answers do not follow on one another. What it showed before counts up to final depth
    /// only: whatever stood higher may have been undone unseen.
    pub(crate) fn note_gap(&mut self, update: &ChainUpdate, step: &mut Step) {
        let (from, to) = (self.final_point(), update.cursor_daa);
        if update.gapless || to <= from {
            return;
        }
        self.gaps.add(Gap { from, to, closed: false });
        step.writes.push(Row::gaps(&self.gaps));
        self.histories.clear();
        self.note_lost_history(step);
    }

    /// Up to where the own node's chain was followed at final depth, by DAA score.
    pub(crate) fn final_point(&self) -> u64 {
        self.chain.followed.saturating_sub(self.group.depths().final_)
    }

    /// Whether the own node has shown all of an interval, both ends included, at final depth.
    pub(crate) fn has_followed(&self, from: u64, to: u64) -> bool {
        to <= self.final_point() && !self.gaps.touch(from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(intervals: &[(u64, u64, bool)]) -> Gaps {
        let mut gaps = Gaps::default();
        for (from, to, closed) in intervals {
            gaps.add(Gap { from: *from, to: *to, closed: *closed });
        }
        gaps
    }

    #[test]
    fn gaps_that_meet_are_one_and_open_while_a_part_of_it_is() {
        assert_eq!(gaps(&[(50, 60, true), (10, 20, true), (15, 55, false)]), gaps(&[(10, 60, false)]));
        assert_eq!(
            gaps(&[(10, 20, true), (30, 40, false)]).open(),
            Some(Gap { from: 30, to: 40, closed: false })
        );
    }

    #[test]
    fn however_many_there_are_their_number_is_bounded_and_none_is_lost() {
        let many: Vec<(u64, u64, bool)> = (0..100).map(|at| (at * 10, at * 10 + 5, at != 3)).collect();
        let gaps = gaps(&many);
        assert_eq!(gaps.0.len(), MOST_GAPS);
        assert!(many.iter().all(|(from, to, _)| gaps.contains(*from) && gaps.contains(*to)));
        assert!(gaps.open().is_some_and(|gap| gap.from <= 30 && gap.to >= 35));
    }

    #[test]
    fn what_lies_between_gaps_is_in_none() {
        let gaps = gaps(&[(10, 20, false), (30, 40, true)]);
        assert_eq!(
            [9, 10, 20, 21, 35, 41].map(|daa| gaps.contains(daa)),
            [false, true, true, false, true, false]
        );
        assert!(gaps.touch(0, 10) && gaps.touch(15, 16) && !gaps.touch(21, 29) && !gaps.touch(41, 90));
    }
}
