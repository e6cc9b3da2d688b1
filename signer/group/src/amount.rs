//! Amounts of money in sompi, the smallest unit of Kaspa.

use std::{fmt, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Sompi in one KAS.
pub const SOMPI_PER_KAS: u64 = 100_000_000;

/// An amount in sompi. Displayed in KAS with up to eight decimals; written in files as integer sompi.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(transparent)]
pub struct Sompi(pub u64);

/// Why a text is not an amount of KAS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an amount of KAS with at most 8 decimals, such as \"1500\" or \"0.5\"")]
pub struct AmountError(String);

impl Sompi {
    pub const ZERO: Self = Self(0);

    /// The sum, or `None` past 64 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum, or the largest amount.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The sum of all, or `None` past 64 bits.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// Reads KAS as an administrator writes it: digits, then at most eight decimals, no sign, no exponent.
    pub fn from_kas(text: &str) -> Result<Self, AmountError> {
        let bad = || AmountError(text.to_owned());
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 8 {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let fraction: u64 = format!("{decimals:0<8}").parse().map_err(|_| bad())?;
        whole
            .checked_mul(SOMPI_PER_KAS)
            .and_then(|sompi| sompi.checked_add(fraction))
            .map(Self)
            .ok_or_else(bad)
    }

    /// The amount in KAS without trailing zeros.
    pub fn to_kas(self) -> String {
        let (whole, fraction) = (self.0 / SOMPI_PER_KAS, self.0 % SOMPI_PER_KAS);
        match fraction {
            0 => whole.to_string(),
            _ => format!("{whole}.{fraction:08}").trim_end_matches('0').to_owned(),
        }
    }
}

impl fmt::Display for Sompi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KAS", self.to_kas())
    }
}

impl FromStr for Sompi {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::from_kas(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kas_with_more_than_eight_decimals_is_refused() {
        assert!(Sompi::from_kas("0.123456789").is_err());
    }

    #[test]
    fn forms_that_other_programs_take_are_refused() {
        for text in ["", "1e3", "-1", "+1", "1.", ".5", "1k", "0x10", "184467440738", " 1", "1_000"] {
            assert!(Sompi::from_kas(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_reads_back_from_its_text(sompi: u64) {
            prop_assert_eq!(Sompi::from_kas(&Sompi(sompi).to_kas()), Ok(Sompi(sompi)));
        }
    }
}
