//! Sets of up to 32 small numbers.

use std::ops::{BitAnd, BitOr, Not};

/// A set of transactions, events or tags, each by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mask(pub u32);

impl Mask {
    pub const NONE: Self = Self(0);

    pub fn one(number: usize) -> Self {
        Self(1 << number)
    }

    pub fn of(numbers: impl IntoIterator<Item = usize>) -> Self {
        numbers.into_iter().fold(Self::NONE, |sum, number| sum | Self::one(number))
    }

    pub fn has(self, number: usize) -> bool {
        self.0 >> number & 1 == 1
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// One more than the highest number in it.
    pub fn top(self) -> u8 {
        (32 - self.0.leading_zeros()) as u8
    }

    pub fn each(self) -> impl Iterator<Item = usize> + Clone {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let next = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(next)
        })
    }
}

impl BitOr for Mask {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Mask {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Mask {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}
