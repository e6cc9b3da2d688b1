//! Whose turn it is to propose. Views serve progress only: nothing about safety rests on them.

use std::collections::BTreeMap;

use igra_group::{Group, MemberIndex};

use crate::{Millis, Timing};

// Reports further ahead than this are taken for this far: no report can use up the numbers.
const FAR: u64 = 1 << 32;

/// The present view, and what others report of theirs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Views {
    pub view: u64,
    since: Millis,
    /// Views in a row that brought nothing.
    pub failures: u32,
    reported: BTreeMap<MemberIndex, u64>,
    /// Since when the oldest event that could be approved waits.
    pub waiting: Option<Millis>,
}

impl Views {
    pub(crate) fn proposer(&self, group: &Group) -> MemberIndex {
        proposer(group, self.view)
    }

    pub(crate) fn report(&mut self, member: MemberIndex, view: u64) {
        self.reported.insert(member, view.min(self.view.saturating_add(FAR)));
    }

    /// From a message that may be old.
    pub(crate) fn report_at_least(&mut self, member: MemberIndex, view: u64) {
        self.report(member, view.max(self.reported(member)));
    }

    pub(crate) fn reported(&self, member: MemberIndex) -> u64 {
        self.reported.get(&member).copied().unwrap_or(0)
    }

    /// Something moved, so the next view need not last longer.
    pub(crate) fn progress(&mut self) {
        self.failures = 0;
    }

    /// When the present view ends, if an event waits in it and others are not left behind.
    pub(crate) fn deadline(&self, group: &Group, timing: &Timing) -> Option<Millis> {
        let start = self.waiting.filter(|_| !self.is_far_ahead(group))?.max(self.since);
        Some(Millis(start.0.saturating_add(self.timeout(group, timing).0)))
    }

    /// The timeout grows by half with each view that brought nothing. Who is behind hurries: members whose views
    /// differ would otherwise pass by one another for ever once all timeouts have reached the cap.
    fn timeout(&self, group: &Group, timing: &Timing) -> Millis {
        if self.ahead(group) > self.view {
            return timing.view_timeout;
        }
        let mut timeout = timing.view_timeout.0;
        for _ in 0..self.failures {
            if timeout >= timing.view_timeout_cap.0 {
                break;
            }
            timeout += timeout / 2;
        }
        Millis(timeout.min(timing.view_timeout_cap.0))
    }

    /// More than a round ahead of what q members, this one among them, have reached: whoever waits alone for an event
    /// would otherwise run away from those that it needs later. The slowest of q honest members is never held back.
    fn is_far_ahead(&self, group: &Group) -> bool {
        let mut views: Vec<u64> = self.reported.values().copied().chain([self.view]).collect();
        views.sort_unstable_by(|a, b| b.cmp(a));
        let reached = views.get(usize::from(group.quorum().get()) - 1).copied().unwrap_or(0);
        self.view > reached.saturating_add(u64::from(group.threshold().members()))
    }

    /// The highest view that f + 1 members report at least: one of them does not lie.
    fn ahead(&self, group: &Group) -> u64 {
        self.reported_by_more_than(group.quorum().tolerates_lying(group.threshold())).unwrap_or(0)
    }

    /// The highest view that more than so many members report at least.
    fn reported_by_more_than(&self, members: u8) -> Option<u64> {
        let mut views: Vec<u64> = self.reported.values().copied().collect();
        views.sort_unstable_by(|a, b| b.cmp(a));
        views.get(usize::from(members)).copied()
    }

    /// Leaves a view that brought nothing. Whole rounds are skipped where others are that far ahead; the turn of no
    /// member is.
    pub(crate) fn time_out(&mut self, group: &Group, now: Millis) {
        let next = self.view.saturating_add(1);
        let round = u64::from(group.threshold().members());
        let rounds = self.ahead(group).saturating_sub(next) / round;
        self.failures = self.failures.saturating_add(1);
        self.enter(next.saturating_add(rounds * round), now);
    }

    /// Jumps to the highest view that n − q + 1 members report at least: one of them is neither stopped nor lying.
    /// True if it moved.
    pub(crate) fn jump(&mut self, group: &Group, now: Millis) -> bool {
        let spare = group.quorum().tolerates_stopped(group.threshold());
        let Some(justified) = self.reported_by_more_than(spare).filter(|view| *view > self.view) else {
            return false;
        };
        self.enter(justified, now);
        true
    }

    fn enter(&mut self, view: u64, now: Millis) {
        self.view = view;
        self.since = now;
    }
}

pub(crate) fn proposer(group: &Group, view: u64) -> MemberIndex {
    let members = u64::from(group.threshold().members());
    MemberIndex(u8::try_from(view % members).expect("a group has at most 15 members"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_kit::{TIMING, group};

    const NOW: Millis = Millis(5_000);

    fn waiting() -> Views {
        Views { waiting: Some(NOW), ..Views::default() }
    }

    #[test]
    fn each_member_has_its_turn() {
        let group = group(3, 2, None);
        let turns: Vec<u8> = (0..6).map(|view| proposer(&group, view).0).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn the_timeout_grows_by_half_up_to_the_cap_and_starts_anew_with_progress() {
        let (group, mut views) = (group(3, 2, None), waiting());
        let timeouts: Vec<u64> = (0..8)
            .map(|failures| {
                views.failures = failures;
                views.timeout(&group, &TIMING).0
            })
            .collect();
        assert_eq!(timeouts, [1_000, 1_500, 2_250, 3_375, 5_062, 7_593, 8_000, 8_000]);
        views.progress();
        assert_eq!(views.timeout(&group, &TIMING), TIMING.view_timeout);
    }

    #[test]
    fn nothing_ends_a_view_in_which_nothing_waits() {
        assert_eq!(Views::default().deadline(&group(3, 2, None), &TIMING), None);
    }

    #[test]
    fn who_waits_alone_stays_within_a_round_of_the_others() {
        let (group, mut views) = (group(4, 3, Some(3)), waiting());
        for _ in 0..100 {
            if views.deadline(&group, &TIMING).is_some() {
                views.time_out(&group, NOW);
            }
        }
        assert_eq!(views.view, 5);
        views.report(MemberIndex(1), 9_000);
        assert_eq!(views.deadline(&group, &TIMING), None, "one of them may lie");
        views.report(MemberIndex(2), 3);
        assert!(views.deadline(&group, &TIMING).is_some());
    }

    #[test]
    fn who_is_behind_hurries_and_skips_whole_rounds_only() {
        let group = group(3, 2, None);
        let mut views = Views { failures: 6, ..waiting() };
        views.report(MemberIndex(2), 8);
        assert_eq!(views.timeout(&group, &TIMING), TIMING.view_timeout);
        views.time_out(&group, NOW);
        assert_eq!(views.view, 7);
        views.time_out(&group, NOW);
        assert_eq!(views.view, 8);
    }

    #[test]
    fn where_one_may_lie_one_report_does_not_end_the_back_off() {
        let group = group(4, 3, Some(3));
        let mut views = Views { failures: 2, ..waiting() };
        views.report(MemberIndex(1), 9_000);
        assert_eq!(views.timeout(&group, &TIMING), Millis(2_250));
        views.time_out(&group, NOW);
        assert_eq!(views.view, 1);
    }

    #[test]
    fn one_report_moves_nobody_and_the_lower_of_two_does_where_one_may_be_stopped() {
        let group = group(3, 2, Some(2));
        let mut views = waiting();
        views.report(MemberIndex(1), 9);
        assert!(!views.jump(&group, NOW));
        views.report(MemberIndex(2), 4);
        assert!(views.jump(&group, NOW));
        assert_eq!(views.view, 4);
    }

    #[test]
    fn no_report_uses_up_the_numbers() {
        let group = group(3, 2, None);
        let mut views = waiting();
        views.report(MemberIndex(1), u64::MAX);
        for _ in 0..100 {
            views.time_out(&group, NOW);
            views.report(MemberIndex(1), u64::MAX);
        }
        assert!(views.view < u64::MAX / 2);
    }
}
