//! Tags of members in quarantine: the group's transactions carry those that are served here.

use std::collections::{BTreeMap, BTreeSet};

use igra_group::MemberIndex;
use igra_tx::Tag;

use crate::{Coordinator, rules::Rules};

/// The tags that the others ask for, by member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served(BTreeMap<MemberIndex, Asked>);

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    wanted: Option<Tag>,
    served: Option<Tag>,
    /// DAA score at which the last new one was taken, kept when the member leaves quarantine.
    since: Option<u64>,
}

impl Served {
    /// What a member's hello says of its tag.
    pub(crate) fn ask(&mut self, member: MemberIndex, tag: Option<Tag>) {
        self.0.entry(member).or_default().wanted = tag;
    }

    /// Takes what is due. A member gets one new tag per final depth, however many it asks for: each costs the group a
    /// sweep of every coin.
    pub(crate) fn refresh(&mut self, tip_daa: u64, final_depth: u64) -> bool {
        let mut changed = false;
        for asked in self.0.values_mut() {
            let early = asked.since.is_some_and(|since| tip_daa < since.saturating_add(final_depth));
            match asked.wanted {
                None => asked.served = None,
                Some(_) if asked.served == asked.wanted || early => {}
                Some(tag) => {
                    (asked.served, asked.since, changed) = (Some(tag), Some(tip_daa), true);
                }
            }
        }
        changed
    }
}

impl<R: Rules> Coordinator<R> {
    /// The tags that the group's transactions carry, as far as this signer knows: its own, and one of each other member
    /// in quarantine.
    pub(crate) fn served_tags(&self) -> BTreeSet<Tag> {
        self.served.0.values().filter_map(|asked| asked.served).chain(self.own_tag()).collect()
    }

    pub(crate) fn refresh_tags(&mut self) {
        let final_depth = self.group.depths().final_;
        if self.served.refresh(self.chain.tip_daa, final_depth) {
            self.stir_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINAL: u64 = 30;

    fn tag(number: u8) -> Tag {
        Tag::from_bytes([number; 32])
    }

    fn served(served: &Served) -> Vec<Tag> {
        served.0.values().filter_map(|asked| asked.served).collect()
    }

    #[test]
    fn a_member_gets_one_new_tag_per_final_depth_however_often_it_leaves_and_comes_back() {
        let mut tags = Served::default();
        for (asked, daa, expected) in [
            (Some(1), 100, vec![1]),
            (Some(2), 110, vec![1]),
            (None, 111, vec![]),
            (Some(3), 112, vec![]),
            (Some(3), 129, vec![]),
            (Some(3), 130, vec![3]),
            (Some(4), 159, vec![3]),
            (Some(4), 160, vec![4]),
        ] {
            tags.ask(MemberIndex(1), asked.map(tag));
            tags.refresh(daa, FINAL);
            assert_eq!(served(&tags), expected.into_iter().map(tag).collect::<Vec<_>>(), "at {daa}");
        }
    }
}
