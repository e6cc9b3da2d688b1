//! One state of the search: what each honest member remembers, what is out there, and the chain.

use crate::mask::Mask;

/// Most honest members that a search follows one by one.
pub const MEMBERS: usize = 4;
/// Most deposits of a universe.
pub const DEPOSITS: usize = 2;

/// An honest member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Proposals that its store says it approved, less those that it knows dead.
    pub promised: Mask,
    /// Approvals that it ever sent. They stay out there whatever its store forgets.
    pub approved: Mask,
    /// Partials that it ever sent, likewise.
    pub signed: Mask,
    /// Events for which it has a tombstone from the scan that ended its quarantine.
    pub tombstones: Mask,
    /// Its present tag, counted from 1; 0 without one.
    pub tag: u8,
    pub quarantined: bool,
    /// It has a reason of its own to void: it denies for good, or its administrator cancelled.
    pub against: bool,
    /// It approved a move to the successor group, or saw one when it left quarantine.
    pub moved: bool,
}

/// The successor group. That it does not pay twice itself is shown without it, so it is one member here, whose node may
/// see as little as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Successor {
    /// It pays from now on.
    pub begun: bool,
    /// Events of which it saw the end when it began.
    pub tombstones: Mask,
    pub promised: Mask,
    pub signed: Mask,
}

/// A state of the whole group and its chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub members: [Member; MEMBERS],
    pub successor: Successor,
    /// Accepted, and not final yet.
    pub accepted: Mask,
    pub final_: Mask,
    /// By deposit: what the chain took before it.
    pub before: [Mask; DEPOSITS],
    /// How many tags have been drawn.
    pub drawn: u8,
    pub rollbacks: u8,
    pub past_deadline: bool,
    /// A cancel that everybody sees.
    pub cancelled: bool,
}

impl State {
    /// Accepted or final.
    pub fn chain(&self) -> Mask {
        self.accepted | self.final_
    }

    /// 128 bits that tell states apart: the search is exhaustive but for a collision among them.
    pub fn fingerprint(&self) -> u128 {
        let mut hash = Hash::default();
        for member in &self.members {
            hash.take(member.promised.0, member.approved.0);
            hash.take(member.signed.0, member.small());
        }
        hash.take(self.accepted.0, self.final_.0);
        hash.take(self.before[0].0, self.before[1].0);
        let new = &self.successor;
        hash.take(new.promised.0, new.signed.0);
        let flags = u32::from(self.past_deadline) | u32::from(self.cancelled) << 1;
        let flags = flags | u32::from(new.begun) << 2 | new.tombstones.0 << 16;
        hash.take(u32::from(self.drawn) << 8 | u32::from(self.rollbacks), flags);
        hash.end()
    }
}

impl Member {
    fn small(&self) -> u32 {
        let flags = u32::from(self.quarantined) | u32::from(self.against) << 1 | u32::from(self.moved) << 2;
        self.tombstones.0 << 16 | u32::from(self.tag) << 8 | flags
    }
}

/// Two 64-bit lanes, each folding a product of 128 bits.
struct Hash(u64, u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f)
    }
}

impl Hash {
    fn take(&mut self, high: u32, low: u32) {
        let word = u64::from(high) << 32 | u64::from(low);
        self.0 = folded(self.0 ^ word, 0xa076_1d64_78bd_642f) ^ word.rotate_left(23);
        self.1 = folded(self.1 ^ word.rotate_left(32), 0xe703_7ed1_a0b4_28db) ^ word;
    }

    fn end(self) -> u128 {
        let (one, two) = (folded(self.0, 0x8ebc_6af0_9c88_c6e3), folded(self.1, 0x5899_65cc_7537_4cc3));
        u128::from(one) << 64 | u128::from(two)
    }
}

fn folded(one: u64, two: u64) -> u64 {
    let product = u128::from(one) * u128::from(two);
    (product >> 64) as u64 ^ product as u64
}
