//! What every decoder owes (invariant 16 of docs/protocol.md): any bytes give an error or a value that encodes to the
//! same bytes, and the memory that it takes is bounded by their number.
#![allow(unsafe_code, reason = "an allocator that counts can only be written so")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// A target's name, and what it checks of any bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Bytes that a decoder may take whatever it reads: errors with their texts, and the one mebibyte of room that borsh
/// makes for plain bytes on the word of a length alone.
pub const AT_LEAST: usize = (1 << 20) + (64 << 10);
/// Bytes that a decoder may take for each byte that it reads: an empty list of four bytes is a vector of 24, and a
/// vector that grows holds old and new at once.
pub const FOR_EACH_BYTE: usize = 32;

/// Decodes, and holds the result and its cost against the promise.
pub fn reads_back<T>(
    bytes: &[u8],
    decode: impl FnOnce(&[u8]) -> Option<T>,
    encode: impl FnOnce(&T) -> Vec<u8>,
) {
    let (value, peak) = peak_of(|| decode(bytes));
    let most = AT_LEAST + FOR_EACH_BYTE * bytes.len();
    assert!(peak <= most, "{} bytes took {peak} bytes of memory, more than {most}", bytes.len());
    if let Some(value) = value {
        assert_eq!(encode(&value), bytes, "the value encodes to other bytes");
    }
}

/// What a piece of work returns, and how many bytes more than at its start it held at most, on this thread.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LIVE.set(0);
    PEAK.set(0);
    let value = work();
    (value, usize::try_from(PEAK.get()).unwrap_or(0))
}

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(change: isize) {
    // A thread that ends has given its counters back already.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + change);
        PEAK.with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(place, layout) }
    }
}
