//! Maps for what was worked out or seen before: searches ask the same things millions of times.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map whose keys come from the search itself, so that a quick hash will do.
pub type Memo<K, V> = HashMap<K, V, BuildHasherDefault<Folding>>;

/// Folds each word into 64 bits by a product of 128.
#[derive(Clone, Copy, Default)]
pub struct Folding(u64);

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xa076_1d64_78bd_642f;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_u128(&mut self, word: u128) {
        // Fingerprints are hashes already.
        self.0 ^= word as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
