//! The bytes of a segment, as `docs/journal-format.md` describes them: encoding and checking, without files or memory maps.
//!
//! Everything is little-endian. A segment is a header page of 4096 bytes and records behind it, each a multiple of 8 bytes.

use crate::chain::{ChainDigest, TimeRange};
use crc32c::{crc32c, crc32c_append};
use std::sync::atomic::{AtomicU64, Ordering};

/// Version of the format that this code writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 2;

/// Bytes of the header page; the first record lies behind it.
pub const SEGMENT_HEADER_BYTES: usize = 4096;

/// Smallest segment: the header page and one page of records.
pub const SEGMENT_BYTES_MIN: u64 = 8192;

/// Largest segment.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 36;

/// Bytes of a record before its payload.
pub const RECORD_HEADER_BYTES: usize = 32;

/// Most payload bytes of a record.
pub const RECORD_PAYLOAD_BYTES_MAX: usize = 224;

/// Most bytes of a record.
pub const RECORD_BYTES_MAX: usize = RECORD_HEADER_BYTES + RECORD_PAYLOAD_BYTES_MAX;

// Words of the engine are written as they lie in memory.
const _: () =
    assert!(cfg!(target_endian = "little"), "the formats are little-endian, and so must the host be");

/// Pages are what a file system writes whole; a power cut loses whole pages.
pub(crate) const PAGE_BYTES: usize = 4096;

/// Where the seal lies in the header page.
pub(crate) const SEAL_OFFSET: usize = 128;
pub(crate) const HEADER_WORDS: usize = 8;
/// Words of a seal: CRC, what version 1 had too, the range of times, the digest of the segment before, its own digest.
pub(crate) const SEAL_WORDS: usize = 16;
/// Words of version 1's.
const SEAL_WORDS_1: usize = 6;
/// Words of a seal that its own digest is over.
pub(crate) const SEAL_COVERED_WORDS: usize = 11;
/// Where the digest lies of the segment before, and where the segment's own.
pub(crate) const SEAL_PREVIOUS_OFFSET: usize = SEAL_OFFSET + 64;
pub(crate) const SEAL_DIGEST_OFFSET: usize = SEAL_OFFSET + 96;
/// Upper half of a published header's or seal's CRC word.
const PUBLISHED: u64 = 1 << 32;

/// The kind of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamKind {
    /// Input frames.
    Journal,
    /// Verdicts, reports, changes of the trading state, digests.
    Audit,
    /// Stamps of decisions and answers.
    Orders,
    /// Stamps of the ways out.
    Exits,
}

impl StreamKind {
    pub(crate) const fn magic(self) -> [u8; 8] {
        match self {
            StreamKind::Journal => *b"SPWJRNL\0",
            StreamKind::Audit => *b"SPWAUDT\0",
            StreamKind::Orders => *b"SPWORDR\0",
            StreamKind::Exits => *b"SPWEXIT\0",
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            StreamKind::Journal => "a journal",
            StreamKind::Audit => "an audit stream",
            StreamKind::Orders => "a stream of orders' stamps",
            StreamKind::Exits => "a stream of orders' exits",
        }
    }

    /// Most payload bytes of one of its records.
    pub(crate) const fn payload_bytes_max(self) -> usize {
        match self {
            StreamKind::Journal => spinward_engine::words::FRAME_PAYLOAD_BYTES,
            StreamKind::Audit | StreamKind::Orders | StreamKind::Exits => RECORD_PAYLOAD_BYTES_MAX,
        }
    }
}

/// First 64 bytes of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    /// Of the format: 1 or 2. What is written has [`FORMAT_VERSION`].
    pub(crate) version: u32,
    pub(crate) segment_bytes: u64,
    pub(crate) number: u64,
    pub(crate) first_sequence: u64,
    pub(crate) session: u64,
    pub(crate) created: i64,
}

/// What stands in the first 64 bytes.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum HeaderCheck {
    /// Prepared, and not (wholly) published.
    Unused,
    /// A header, and the CRC that the records' CRCs go on from.
    Published(SegmentHeader, u32),
    Foreign([u8; 8]),
    Newer(u32),
    Corrupt(&'static str, usize),
}

impl SegmentHeader {
    /// The words to be stored; the last one publishes. Also gives the CRC that the records' CRCs go on from.
    pub(crate) fn encode(&self, kind: StreamKind) -> ([u64; HEADER_WORDS], u32) {
        let mut words = [
            u64::from_le_bytes(kind.magic()),
            u64::from(self.version) | (SEGMENT_HEADER_BYTES as u64) << 32,
            self.segment_bytes,
            self.number,
            self.first_sequence,
            self.session,
            self.created as u64,
            0,
        ]
        .map(u64::to_le);
        let crc = crc32c(bytemuck::cast_slice(words.split_last().map_or(&[], |(_, covered)| covered)));
        words[HEADER_WORDS - 1] = (PUBLISHED | u64::from(crc)).to_le();
        (words, crc)
    }

    /// Reads the header page (at least 4096 bytes).
    pub(crate) fn check(page: &[u8], kind: StreamKind) -> HeaderCheck {
        let mut magic = [0u8; 8];
        for (to, from) in magic.iter_mut().zip(page) {
            *to = *from;
        }
        if magic != [0; 8] && magic != kind.magic() {
            return HeaderCheck::Foreign(magic);
        }
        if word(page, 56) == 0 {
            return HeaderCheck::Unused;
        }
        if magic != kind.magic() {
            return HeaderCheck::Corrupt("the magic is gone", 0);
        }
        let version = word(page, 8) as u32;
        if version > FORMAT_VERSION {
            return HeaderCheck::Newer(version);
        }
        let crc = crc32c(page.get(..56).unwrap_or(&[]));
        if word(page, 56) != PUBLISHED | u64::from(crc) {
            return HeaderCheck::Corrupt("the header fails its CRC", 56);
        }
        let header = SegmentHeader {
            version,
            segment_bytes: word(page, 16),
            number: word(page, 24),
            first_sequence: word(page, 32),
            session: word(page, 40),
            created: word(page, 48) as i64,
        };
        if word(page, 8) >> 32 != SEGMENT_HEADER_BYTES as u64 || version == 0 {
            return HeaderCheck::Corrupt("version or header size that no version of the format has", 8);
        }
        if !is_segment_bytes(header.segment_bytes) {
            return HeaderCheck::Corrupt("a segment size that no version of the format has", 16);
        }
        if let Some(at) = nonzero(page, 64, SEAL_OFFSET) {
            return HeaderCheck::Corrupt("a reserved byte is not zero", at);
        }
        if let Some(at) = nonzero(page, SEAL_OFFSET + seal_words(version) * 8, SEGMENT_HEADER_BYTES) {
            return HeaderCheck::Corrupt("a reserved byte is not zero", at);
        }
        HeaderCheck::Published(header, crc)
    }
}

/// Whether segments may have this size.
pub(crate) fn is_segment_bytes(bytes: u64) -> bool {
    bytes.is_power_of_two() && (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes)
}

/// Words of a seal of this version.
fn seal_words(version: u32) -> usize {
    if version == 1 { SEAL_WORDS_1 } else { SEAL_WORDS }
}

/// What a sealed segment holds: written once, after all of its records are on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seal {
    /// Offset behind the last record.
    pub(crate) end: u64,
    pub(crate) last_sequence: u64,
    pub(crate) last_time: i64,
    pub(crate) records: u64,
    /// The stream was ended here by its writer.
    pub(crate) is_last: bool,
    /// What version 1 did not have.
    pub(crate) chained: Option<Chained>,
}

/// A segment's place in the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chained {
    pub(crate) times: TimeRange,
    /// Digest of the segment before; zeros in segment 0.
    pub(crate) previous: ChainDigest,
    /// Its own; zeros where it is not known yet.
    pub(crate) digest: ChainDigest,
}

impl Seal {
    /// Bytes of the file once it is sealed: whole pages, with room for the end marker if the segment has any.
    pub(crate) fn file_bytes(&self, segment_bytes: u64) -> u64 {
        self.end.saturating_add(8).next_multiple_of(PAGE_BYTES as u64).min(segment_bytes)
    }

    /// The words that the segment's digest is over, as they lie in memory; without a chain they end in zeros.
    pub(crate) fn covered(&self) -> [u64; SEAL_COVERED_WORDS] {
        let mut words = [0; SEAL_COVERED_WORDS];
        let own =
            [self.end, self.last_sequence, self.last_time as u64, self.records, u64::from(self.is_last)];
        let (times, previous) = self.chained.map_or(([0; 2], [0; 4]), |chained| {
            ([chained.times.least as u64, chained.times.greatest as u64], digest_words(&chained.previous))
        });
        for (to, from) in words.iter_mut().zip(own.into_iter().chain(times).chain(previous)) {
            *to = from.to_le();
        }
        words
    }

    /// The words to be stored at [`SEAL_OFFSET`]; the first one publishes.
    pub(crate) fn encode(&self, header_crc: u32) -> [u64; SEAL_WORDS] {
        let mut words = [0; SEAL_WORDS];
        let digest = self.chained.map_or([0; 4], |chained| digest_words(&chained.digest));
        for (to, from) in words.iter_mut().skip(1).zip(self.covered().into_iter().chain(digest)) {
            *to = from;
        }
        let crc = crc32c_append(
            header_crc,
            bytemuck::cast_slice(words.split_first().map_or(&[], |(_, covered)| covered)),
        );
        words[0] = (PUBLISHED | u64::from(crc)).to_le();
        words
    }

    /// Reads it from the header page of a segment of this version: `Ok(None)` if the segment is not sealed.
    pub(crate) fn check(page: &[u8], header_crc: u32, version: u32) -> Result<Option<Seal>, &'static str> {
        let published = word(page, SEAL_OFFSET);
        if published == 0 {
            return Ok(None);
        }
        let covered = page.get(SEAL_OFFSET + 8..SEAL_OFFSET + seal_words(version) * 8).unwrap_or(&[]);
        let flags = word(page, SEAL_OFFSET + 40);
        if published != PUBLISHED | u64::from(crc32c_append(header_crc, covered)) || flags > 1 {
            return Err("the seal fails its CRC");
        }
        Ok(Some(Seal {
            end: word(page, SEAL_OFFSET + 8),
            last_sequence: word(page, SEAL_OFFSET + 16),
            last_time: word(page, SEAL_OFFSET + 24) as i64,
            records: word(page, SEAL_OFFSET + 32),
            is_last: flags & 1 != 0,
            chained: (version > 1).then(|| Chained {
                times: TimeRange {
                    least: word(page, SEAL_OFFSET + 48) as i64,
                    greatest: word(page, SEAL_OFFSET + 56) as i64,
                },
                previous: digest_at(page, SEAL_PREVIOUS_OFFSET),
                digest: digest_at(page, SEAL_DIGEST_OFFSET),
            }),
        }))
    }
}

fn digest_words(digest: &ChainDigest) -> [u64; 4] {
    bytemuck::cast(*digest)
}

fn digest_at(page: &[u8], at: usize) -> ChainDigest {
    page.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
}

/// Words and receive time of the published record that begins at a word of a segment's memory; 0 words where none was published.
pub(crate) fn record_words(words: &[AtomicU64], first: usize) -> (usize, i64) {
    let at = |index: usize| words.get(index).map_or(0, |word| word.load(Ordering::Acquire));
    (at(first) as u32 as usize / 8, at(first + 2) as i64)
}

/// A record, its payload where it lies in the reader's buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) sequence: u64,
    pub(crate) receive_time: i64,
    pub(crate) source: u8,
    pub(crate) kind: u8,
    pub(crate) flags: u16,
    pub(crate) payload: &'a [u8],
}

/// What stands at a place where a record may begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecordCheck {
    /// The end marker: nothing was published here.
    End,
    /// A whole record of so many bytes.
    Valid(usize),
    /// Neither.
    Invalid(&'static str),
}

/// Word 3 of a record: source, kind, flags and payload bytes.
#[inline]
pub(crate) fn tag(source: u8, kind: u8, flags: u16, payload_bytes: u16) -> u64 {
    u64::from(source) | u64::from(kind) << 8 | u64::from(flags) << 16 | u64::from(payload_bytes) << 32
}

/// Looks at the bytes from `at` on. `seed` is the CRC of the segment's header.
pub(crate) fn check_record(bytes: &[u8], at: usize, seed: u32) -> RecordCheck {
    let Some(rest) = bytes.get(at..) else { return RecordCheck::Invalid("the file ends before it") };
    let Some(prefix) = rest.get(..8) else { return RecordCheck::Invalid("the file ends within it") };
    let prefix = word(prefix, 0);
    if prefix == 0 {
        return RecordCheck::End;
    }
    let (length, crc) = ((prefix as u32) as usize, (prefix >> 32) as u32);
    if !(RECORD_HEADER_BYTES..=RECORD_BYTES_MAX).contains(&length) || !length.is_multiple_of(8) {
        return RecordCheck::Invalid("its length is not that of a record");
    }
    let Some(record) = rest.get(..length) else { return RecordCheck::Invalid("the file ends within it") };
    if crc32c_append(seed, record.get(8..).unwrap_or(&[])) != crc {
        return RecordCheck::Invalid("the record fails its CRC");
    }
    let payload_bytes = usize::from((word(record, 24) >> 32) as u16);
    if RECORD_HEADER_BYTES + payload_bytes.next_multiple_of(8) != length {
        return RecordCheck::Invalid("its length and its payload's length disagree");
    }
    RecordCheck::Valid(length)
}

/// The record at `at`, which [`check_record`] found whole.
#[inline]
pub(crate) fn record_at(bytes: &[u8], at: usize) -> Record<'_> {
    let rest = bytes.get(at..).unwrap_or(&[]);
    let tag = word(rest, 24);
    let payload_bytes = usize::from((tag >> 32) as u16);
    Record {
        sequence: word(rest, 8),
        receive_time: word(rest, 16) as i64,
        source: tag as u8,
        kind: (tag >> 8) as u8,
        flags: (tag >> 16) as u16,
        payload: rest.get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + payload_bytes).unwrap_or(&[]),
    }
}

/// The little-endian word at a byte offset; 0 past the end.
#[inline]
pub(crate) fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |word| u64::from_le_bytes(*word))
}

/// First byte that is not zero within a range (cut at the end of `bytes`).
pub(crate) fn nonzero(bytes: &[u8], from: usize, to: usize) -> Option<usize> {
    let range = bytes.get(from..to.min(bytes.len()))?;
    range.iter().position(|&byte| byte != 0).map(|at| from + at)
}
