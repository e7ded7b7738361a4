//! The chain of seals: each sealed segment has a digest (BLAKE3) over its header, its records and its seal, and its seal holds the digest of the
//! segment before. Whoever keeps the last digest can tell that nothing of the stream was removed, exchanged or altered.

use crate::format::{
    HEADER_WORDS, RECORD_BYTES_MAX, SEAL_COVERED_WORDS, SEGMENT_HEADER_BYTES, Seal, SegmentHeader,
    record_words,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// A digest of the chain.
pub type ChainDigest = [u8; 32];

/// What the first segment's seal has in the place of the digest before it.
pub(crate) const CHAIN_START: ChainDigest = [0; 32];

/// Bytes copied out of the segment before they are hashed.
const COPY_BYTES: usize = 1 << 16;

/// As people and files write a digest: 64 hexadecimal digits.
pub fn chain_text(digest: &ChainDigest) -> String {
    blake3::Hash::from_bytes(*digest).to_hex().to_string()
}

/// The digest of one segment, computed as its records come; and what else the seal says of all of them.
#[derive(Debug)]
pub(crate) struct ChainHasher {
    hasher: blake3::Hasher,
    copy: Vec<u8>,
    /// Offset up to which records are in.
    pub(crate) at: u64,
    pub(crate) times: TimeRange,
}

/// Least and greatest receive time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimeRange {
    pub(crate) least: i64,
    pub(crate) greatest: i64,
}

impl TimeRange {
    /// Of no record.
    pub(crate) const NONE: Self = Self { least: i64::MAX, greatest: i64::MIN };

    #[inline]
    pub(crate) fn add(&mut self, time: i64) {
        self.least = self.least.min(time);
        self.greatest = self.greatest.max(time);
    }
}

impl ChainHasher {
    pub(crate) fn new() -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            copy: Vec::with_capacity(COPY_BYTES + RECORD_BYTES_MAX),
            at: 0,
            times: TimeRange::NONE,
        }
    }

    /// Takes in the header (at the first call) and the records up to `end`, the end of a record that is published, but at most about `most` bytes.
    pub(crate) fn advance(&mut self, words: &[AtomicU64], end: u64, most: u64) {
        if self.at == 0 {
            copy(words, 0, HEADER_WORDS, &mut self.copy);
            self.at = SEGMENT_HEADER_BYTES as u64;
        }
        let stop = end.min(self.at.saturating_add(most));
        while self.at < stop {
            let first = (self.at / 8) as usize;
            let (count, time) = record_words(words, first);
            // Published records only; one of no length would be a broken segment, and hashing it for ever helps nobody.
            if count == 0 {
                break;
            }
            self.times.add(time);
            copy(words, first, count, &mut self.copy);
            self.at += count as u64 * 8;
            if self.copy.len() >= COPY_BYTES {
                self.hash_copy();
            }
        }
        self.hash_copy();
    }

    fn hash_copy(&mut self) {
        self.hasher.update(&self.copy);
        self.copy.clear();
    }

    /// The digest, all records being in; begins anew.
    pub(crate) fn finish(&mut self, seal: &Seal) -> ChainDigest {
        self.hasher.update(seal_bytes(seal).as_slice());
        let digest = *self.hasher.finalize().as_bytes();
        self.hasher.reset();
        (self.at, self.times) = (0, TimeRange::NONE);
        digest
    }
}

fn seal_bytes(seal: &Seal) -> [u8; SEAL_COVERED_WORDS * 8] {
    bytemuck::cast(seal.covered())
}

fn copy(words: &[AtomicU64], first: usize, count: usize, to: &mut Vec<u8>) {
    for word in words.iter().skip(first).take(count) {
        to.extend_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
    }
}

/// The digest of a segment as it lies in a file.
pub(crate) fn digest_of(bytes: &[u8], header: &SegmentHeader, seal: &Seal) -> ChainDigest {
    debug_assert_eq!(crate::format::word(bytes, 24), header.number);
    let mut hasher = blake3::Hasher::new();
    hasher.update(bytes.get(..HEADER_WORDS * 8).unwrap_or(bytes));
    hasher.update(bytes.get(SEGMENT_HEADER_BYTES..seal.end as usize).unwrap_or(&[]));
    hasher.update(seal_bytes(seal).as_slice());
    *hasher.finalize().as_bytes()
}
