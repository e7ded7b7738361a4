//! [`RecordReader`]: the records of a stream in order, each checked; and the decision whether damage is a torn tail or corruption.
//!
//! Reads with read(2), never by a memory map: an input error is an error and not a SIGBUS, and a segment that is truncated meanwhile is
//! no danger.

use crate::chain::{CHAIN_START, ChainDigest, TimeRange, digest_of};
use crate::cut::{Cut, CutCause};
use crate::error::JournalError;
use crate::format::{
    FORMAT_VERSION, HeaderCheck, PAGE_BYTES, RECORD_HEADER_BYTES, Record, RecordCheck, SEAL_DIGEST_OFFSET,
    SEAL_OFFSET, SEAL_PREVIOUS_OFFSET, SEGMENT_HEADER_BYTES, Seal, SegmentHeader, StreamKind, check_record,
    nonzero, record_at, word,
};
use crate::segment::file_name;
use crate::stored::{self, is_compressed, segments_of};
use std::path::{Path, PathBuf};

mod seek;
pub(crate) use seek::Seek;

/// Reads a stream from its first record to its last.
#[derive(Debug)]
pub(crate) struct RecordReader {
    kind: StreamKind,
    folder: PathBuf,
    segments: Vec<(u64, PathBuf)>,
    open: Open,
    /// Memory of the segment before, to be used again.
    spare: Vec<u8>,
    at: usize,
    records_here: u64,
    times_here: TimeRange,
    last_sequence: u64,
    end: Option<End>,
    /// Whether each segment's digest is computed.
    is_proving: bool,
    /// Of the last sealed segment.
    chain: Option<ChainDigest>,
    pub(crate) segments_used: u64,
    pub(crate) segments_compressed: u64,
    /// Segments whose digest was computed.
    pub(crate) segments_chained: u64,
    /// Session and time of creation, as the first segment has them.
    pub(crate) identity: Option<(u64, i64)>,
}

/// The segment that is being read, all of it.
#[derive(Debug)]
struct Open {
    index: usize,
    path: PathBuf,
    bytes: Vec<u8>,
    header: SegmentHeader,
    seed: u32,
    seal: Option<Seal>,
}

#[derive(Debug)]
enum End {
    /// Nothing follows; whether the writer said so.
    Clean(bool),
    Cut(Cut),
}

/// What the file of a segment holds.
enum Loaded {
    Used(Open),
    /// Prepared only, or cut within its header page; the bytes that it has.
    Unused(PathBuf, Vec<u8>),
}

/// What comes after the open segment.
enum Follower {
    /// A segment that begins with the next record.
    GoesOn(Box<Open>),
    /// A segment in use that begins with a later record.
    Elsewhere(PathBuf),
    /// A segment without a header, and others in use behind it.
    Headless(PathBuf),
    /// Only segments without a header, as prepared ones are: the first one, with what it holds. Or none.
    Nothing(Option<(PathBuf, Stray)>),
}

/// Bytes in a segment without a header.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stray {
    /// Offset behind the last byte that is not zero; 0 for a segment as prepared.
    bytes: usize,
}

impl Stray {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1) }
    }

    /// Records without their header: its page was lost. Only header words: killed while the header was stored.
    fn cause(self) -> CutCause {
        if self.bytes > SEGMENT_HEADER_BYTES { CutCause::LostPages } else { CutCause::Torn }
    }
}

/// What the segments behind one are.
#[derive(PartialEq, Eq)]
enum Behind {
    Unused,
    Used,
    Sealed,
}

impl RecordReader {
    pub(crate) fn open(folder: &Path, kind: StreamKind) -> Result<Self, JournalError> {
        Self::open_at(folder, kind, false, None)
    }

    /// Computes each sealed segment's digest, too, and compares it with its seal.
    pub(crate) fn open_proving(folder: &Path, kind: StreamKind) -> Result<Self, JournalError> {
        Self::open_at(folder, kind, true, None)
    }

    /// Begins with the segment that holds what is sought; everything before it is neither read nor checked.
    pub(crate) fn open_from(folder: &Path, kind: StreamKind, from: Seek) -> Result<Self, JournalError> {
        Self::open_at(folder, kind, false, Some(from))
    }

    fn open_at(
        folder: &Path,
        kind: StreamKind,
        is_proving: bool,
        from: Option<Seek>,
    ) -> Result<Self, JournalError> {
        let segments = segments_of(folder)?;
        let Some((first, path)) = segments.first() else {
            return Err(JournalError::Empty { folder: folder.to_owned() });
        };
        if *first != 0 {
            return Err(JournalError::MissingSegment { path: folder.join(file_name(0)), last_sequence: 0 });
        }
        let header = SegmentHeader {
            version: FORMAT_VERSION,
            segment_bytes: 0,
            number: 0,
            first_sequence: 1,
            session: 0,
            created: 0,
        };
        let open = Open { index: 0, path: path.clone(), bytes: Vec::new(), header, seed: 0, seal: None };
        let mut reader = Self {
            kind,
            folder: folder.to_owned(),
            segments,
            open,
            spare: Vec::new(),
            at: SEGMENT_HEADER_BYTES,
            records_here: 0,
            times_here: TimeRange::NONE,
            last_sequence: 0,
            end: None,
            is_proving,
            chain: None,
            segments_used: 0,
            segments_compressed: 0,
            segments_chained: 0,
            identity: None,
        };
        match from.map(|from| reader.first_wanted(from)).transpose()? {
            Some(index) if index > 0 => reader.enter_at(index)?,
            Some(_) | None => reader.enter_first()?,
        }
        Ok(reader)
    }

    /// The next record; `None` at the end, whole or cut.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, JournalError> {
        loop {
            if self.end.is_some() {
                return Ok(None);
            }
            let limit = self.open.seal.map_or(self.open.header.segment_bytes, |seal| seal.end) as usize;
            let check = if self.at >= limit {
                RecordCheck::End
            } else {
                check_record(&self.open.bytes, self.at, self.open.seed)
            };
            match check {
                RecordCheck::Valid(length) => {
                    let at = self.at;
                    let record = record_at(&self.open.bytes, at);
                    if record.sequence != self.last_sequence + 1 {
                        let what = format!(
                            "record {} in the place of record {}",
                            record.sequence,
                            self.last_sequence + 1
                        );
                        return Err(self.corrupt(at, what));
                    }
                    if record.payload.len() > self.kind.payload_bytes_max() {
                        return Err(self.corrupt(at, "a payload longer than its kind allows".to_owned()));
                    }
                    self.last_sequence = record.sequence;
                    self.records_here += 1;
                    self.times_here.add(record.receive_time);
                    self.at += length;
                    return Ok(Some(record_at(&self.open.bytes, at)));
                }
                RecordCheck::End => self.segment_ended("nothing was published there")?,
                RecordCheck::Invalid(what) => self.segment_ended(what)?,
            }
        }
    }

    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Whether the writer ended the stream; false before the end was reached.
    pub(crate) fn is_ended_by_writer(&self) -> bool {
        matches!(self.end, Some(End::Clean(true)))
    }

    pub(crate) fn cut(&self) -> Option<&Cut> {
        match &self.end {
            Some(End::Cut(cut)) => Some(cut),
            Some(End::Clean(_)) | None => None,
        }
    }

    /// Version of the format; `None` if no segment was ever used.
    pub(crate) fn version(&self) -> Option<u32> {
        self.identity.map(|_| self.open.header.version)
    }

    /// Digest of the last sealed segment that was read to its end.
    pub(crate) fn chain(&self) -> Option<ChainDigest> {
        self.chain
    }

    /// Segments that were prepared and never used, as a kill leaves them.
    pub(crate) fn segments_unused(&self) -> u64 {
        (self.segments.len() as u64).saturating_sub(self.segments_used)
    }

    /// An error about the record that was given last, `length` bytes long: for readers that find its content senseless.
    pub(crate) fn corrupt_record(&self, payload_bytes: usize, what: String) -> JournalError {
        let length = RECORD_HEADER_BYTES + payload_bytes.next_multiple_of(8);
        self.corrupt(self.at.saturating_sub(length), what)
    }

    fn corrupt(&self, offset: usize, what: String) -> JournalError {
        corrupt(&self.open.path, offset, what, self.last_sequence)
    }

    /// No whole record stands at `at`. Goes on to the next segment, ends, cuts, or refuses.
    fn segment_ended(&mut self, what: &'static str) -> Result<(), JournalError> {
        match self.open.seal {
            Some(seal) if self.at as u64 == seal.end => self.sealed_segment_ended(seal),
            Some(seal) => self.sealed_segment_broke(seal, what),
            None => self.open_segment_ended(what),
        }
    }

    fn open_segment_ended(&mut self, what: &str) -> Result<(), JournalError> {
        let at = self.at;
        let follower = self.follower()?;
        let is_odd = match &follower {
            Follower::GoesOn(open) => open.header.version > 1 && open.seal.is_some(),
            Follower::Elsewhere(_) | Follower::Headless(_) => true,
            Follower::Nothing(_) => false,
        };
        if is_odd && self.has_grown()? {
            return Ok(());
        }
        match follower {
            Follower::GoesOn(_) if is_odd => {
                let what = "its seal is gone: the segment behind it is sealed".to_owned();
                return Err(self.corrupt(SEAL_OFFSET, what));
            }
            Follower::GoesOn(open) => self.begin(*open),
            // Records are missing between the two. Zeros, and nothing sealed behind: a power cut. Anything else: damage.
            Follower::Elsewhere(_) | Follower::Headless(_) if self.is_lost_page(at)? => {
                self.cut_at(at, CutCause::LostPages);
            }
            Follower::Headless(path) if at >= self.open.bytes.len() => {
                return Err(corrupt(&path, 0, "its header is gone".to_owned(), self.last_sequence));
            }
            Follower::Elsewhere(_) | Follower::Headless(_) => return Err(self.corrupt(at, self.broken(what))),
            Follower::Nothing(next) => {
                if let Some(behind) = self.record_behind(at) {
                    if !self.is_lost_page(at)? {
                        let what = format!("{}; a whole record follows at byte {behind}", self.broken(what));
                        return Err(self.corrupt(at, what));
                    }
                    self.cut_at(at, CutCause::LostPages);
                } else if (self.open.bytes.len() as u64) < self.open.header.segment_bytes {
                    self.cut_at(at, CutCause::ShortFile);
                } else if nonzero(&self.open.bytes, at, self.open.bytes.len()).is_some() {
                    self.cut_at(at, CutCause::Torn);
                } else if let Some((path, stray)) = next.filter(|(_, stray)| stray.bytes > 0) {
                    self.cut_before(path, stray.bytes, stray.cause());
                } else {
                    self.end = Some(End::Clean(false));
                }
            }
        }
        Ok(())
    }

    /// Reads the segment in hand once more: of a session that runs, there may be more of it, or its seal, than when it was read.
    fn has_grown(&mut self) -> Result<bool, JournalError> {
        let Loaded::Used(open) = self.load(self.open.index)? else { return Ok(false) };
        let is_more = matches!(check_record(&open.bytes, self.at, open.seed), RecordCheck::Valid(_));
        let has_grown = open.seal.is_some() || is_more;
        if has_grown {
            self.open = open;
        }
        Ok(has_grown)
    }

    fn sealed_segment_ended(&mut self, seal: Seal) -> Result<(), JournalError> {
        if seal.last_sequence != self.last_sequence || seal.records != self.records_here {
            let what = format!(
                "the seal tells of {} records up to {}, there are {} up to {}",
                seal.records, seal.last_sequence, self.records_here, self.last_sequence
            );
            return Err(self.corrupt(SEAL_OFFSET, what));
        }
        if let Some(behind) = nonzero(&self.open.bytes, self.at, self.open.bytes.len()) {
            return Err(self.corrupt(behind, "a byte behind the sealed end is not zero".to_owned()));
        }
        self.link(seal)?;
        let next = self.segments.get(self.open.index + 1);
        if seal.is_last {
            // Prepared segments whose removal a power cut undid are nothing.
            if let Some((_, path)) = next
                && self.behind(self.open.index)? != Behind::Unused
            {
                let what = "a segment behind the one that ends the stream".to_owned();
                return Err(corrupt(path, 0, what, self.last_sequence));
            }
            self.end = Some(End::Clean(true));
            return Ok(());
        }
        match self.follower()? {
            Follower::GoesOn(open) => self.begin(*open),
            Follower::Elsewhere(path) => {
                let what = format!("it does not begin with record {}", self.last_sequence + 1);
                return Err(corrupt(&path, 32, what, self.last_sequence));
            }
            Follower::Headless(path) => {
                if self.behind(self.open.index)? == Behind::Sealed {
                    return Err(corrupt(&path, 0, "its header is gone".to_owned(), self.last_sequence));
                }
                self.cut_before(path, 0, CutCause::LostPages);
            }
            // It was taken into use before this one was sealed: its header never came to the disk.
            Follower::Nothing(Some((path, stray))) => {
                self.cut_before(path, stray.bytes, CutCause::LostPages);
            }
            Follower::Nothing(None) => return Err(self.missing()),
        }
        Ok(())
    }

    /// All records of a sealed segment were read: its place in the chain.
    fn link(&mut self, seal: Seal) -> Result<(), JournalError> {
        let Some(chained) = seal.chained else { return Ok(()) };
        if chained.times != self.times_here {
            let what = "the seal tells of other receive times than the records have".to_owned();
            return Err(self.corrupt(SEAL_OFFSET + 48, what));
        }
        let previous = if self.open.header.number == 0 { Some(CHAIN_START) } else { self.chain };
        if previous.is_some_and(|previous| previous != chained.previous) {
            let what = match self.open.header.number.checked_sub(1) {
                Some(before) => format!(
                    "it was sealed behind another segment {}: one of the two was exchanged or altered, or one between them removed",
                    file_name(before)
                ),
                None => "it is sealed as if a segment lay before it".to_owned(),
            };
            return Err(self.corrupt(SEAL_PREVIOUS_OFFSET, what));
        }
        if self.is_proving {
            if digest_of(&self.open.bytes, &self.open.header, &seal) != chained.digest {
                let what = "its bytes are not those that were sealed: it was altered".to_owned();
                return Err(self.corrupt(SEAL_DIGEST_OFFSET, what));
            }
            self.segments_chained += 1;
        }
        self.chain = Some(chained.digest);
        Ok(())
    }

    /// A record before the sealed end is not whole: damage, unless the very end of the stream was cut off the file.
    fn sealed_segment_broke(&mut self, seal: Seal, what: &str) -> Result<(), JournalError> {
        let here = self.open.bytes.len();
        let is_cut = here < self.at + 8 || self.at + self.length_at(self.at) > here;
        if (here as u64) < seal.end && is_cut && self.open.index + 1 >= self.segments.len() {
            self.cut_at(self.at, CutCause::ShortFile);
            return Ok(());
        }
        Err(self.corrupt(self.at, self.broken(what)))
    }

    fn length_at(&self, at: usize) -> usize {
        word(&self.open.bytes, at) as u32 as usize
    }

    fn broken(&self, what: &str) -> String {
        format!("no whole record {} ({what})", self.last_sequence + 1)
    }

    fn missing(&self) -> JournalError {
        let path = self.folder.join(file_name(self.open.header.number + 1));
        JournalError::MissingSegment { path, last_sequence: self.last_sequence }
    }

    fn cut_at(&mut self, at: usize, cause: CutCause) {
        let bytes = &self.open.bytes;
        let lost = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| (last + 1).saturating_sub(at));
        let (path, last_sequence) = (self.open.path.clone(), self.last_sequence);
        self.end = Some(End::Cut(Cut { path, offset: at as u64, bytes: lost as u64, last_sequence, cause }));
    }

    fn cut_before(&mut self, path: PathBuf, bytes: usize, cause: CutCause) {
        let last_sequence = self.last_sequence;
        self.end = Some(End::Cut(Cut { path, offset: 0, bytes: bytes as u64, last_sequence, cause }));
    }

    /// A whole record of a later number somewhere behind `at`.
    fn record_behind(&self, at: usize) -> Option<usize> {
        let bytes = &self.open.bytes;
        let mut from = at + 8;
        while let Some(found) = nonzero(bytes, from, bytes.len()) {
            let candidate = found / 8 * 8;
            if matches!(check_record(bytes, candidate, self.open.seed), RecordCheck::Valid(_))
                && record_at(bytes, candidate).sequence > self.last_sequence
            {
                return Some(candidate);
            }
            from = candidate + 8;
        }
        None
    }

    /// Whether the damage at `at` is what a power cut does: from there (or, if the record reaches into the next page, from that page's
    /// start) to the end of the page there is nothing but zeros, and no segment behind was sealed (which is done in order, after a flush).
    fn is_lost_page(&self, at: usize) -> Result<bool, JournalError> {
        let bytes = &self.open.bytes;
        let page_end = (at / PAGE_BYTES + 1) * PAGE_BYTES;
        let is_zero = |from: usize, to: usize| from < bytes.len() && nonzero(bytes, from, to).is_none();
        let crosses = at + self.length_at(at) > page_end;
        Ok((is_zero(at, page_end) || (crosses && is_zero(page_end, page_end + PAGE_BYTES)))
            && self.behind(self.open.index)? != Behind::Sealed)
    }

    /// What the segments behind `index` are.
    fn behind(&self, index: usize) -> Result<Behind, JournalError> {
        let mut behind = Behind::Unused;
        for (_, path) in self.segments.get(index + 1..).unwrap_or(&[]) {
            let (page, _) = stored::read_page(&mut path.clone())?;
            if page.len() < SEGMENT_HEADER_BYTES {
                continue;
            }
            match SegmentHeader::check(&page, self.kind) {
                HeaderCheck::Unused => {}
                HeaderCheck::Published(header, crc)
                    if matches!(Seal::check(&page, crc, header.version), Ok(Some(_))) =>
                {
                    return Ok(Behind::Sealed);
                }
                HeaderCheck::Published(..)
                | HeaderCheck::Foreign(_)
                | HeaderCheck::Newer(_)
                | HeaderCheck::Corrupt(..) => behind = Behind::Used,
            }
        }
        Ok(behind)
    }

    fn follower(&mut self) -> Result<Follower, JournalError> {
        let index = self.open.index + 1;
        if self.segments.get(index).is_none() {
            // A session that runs has made more of them.
            self.segments = segments_of(&self.folder)?;
        }
        let Some((number, _)) = self.segments.get(index) else { return Ok(Follower::Nothing(None)) };
        if *number != self.open.header.number + 1 {
            return Err(self.missing());
        }
        match self.load(index)? {
            Loaded::Used(open) if open.header.first_sequence == self.last_sequence + 1 => {
                Ok(Follower::GoesOn(Box::new(open)))
            }
            Loaded::Used(open) => Ok(Follower::Elsewhere(open.path)),
            Loaded::Unused(path, bytes) => {
                let stray = Stray::of(&bytes);
                self.spare = bytes;
                if self.behind(index)? != Behind::Unused {
                    return Ok(Follower::Headless(path));
                }
                Ok(Follower::Nothing(Some((path, stray))))
            }
        }
    }

    fn enter_first(&mut self) -> Result<(), JournalError> {
        match self.load(0)? {
            Loaded::Used(open) => {
                if open.header.first_sequence != 1 {
                    let what = format!("the stream begins with record {}, not 1", open.header.first_sequence);
                    return Err(corrupt(&open.path, 32, what, 0));
                }
                self.begin(open);
            }
            Loaded::Unused(path, bytes) => {
                if self.behind(0)? != Behind::Unused {
                    return Err(corrupt(&path, 0, "its header is gone".to_owned(), 0));
                }
                let stray = Stray::of(&bytes);
                if bytes.len() < SEGMENT_HEADER_BYTES {
                    self.cut_before(path, stray.bytes, CutCause::ShortFile);
                } else if stray.bytes > 0 {
                    self.cut_before(path, stray.bytes, stray.cause());
                } else {
                    self.end = Some(End::Clean(false));
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, open: Open) {
        let before = std::mem::replace(&mut self.open, open);
        self.spare = before.bytes;
        self.at = SEGMENT_HEADER_BYTES;
        self.records_here = 0;
        self.times_here = TimeRange::NONE;
        self.segments_used += 1;
        self.segments_compressed += u64::from(is_compressed(&self.open.path));
        self.identity.get_or_insert((self.open.header.session, self.open.header.created));
    }

    /// Reads a segment and checks its header.
    fn load(&mut self, index: usize) -> Result<Loaded, JournalError> {
        let Some((number, mut path)) = self.segments.get(index).cloned() else {
            return Ok(Loaded::Unused(self.folder.clone(), Vec::new()));
        };
        let mut bytes = std::mem::take(&mut self.spare);
        stored::read(&mut path, &mut bytes, self.last_sequence)?;
        let foreign = |found| JournalError::Foreign { path: path.clone(), wanted: self.kind.name(), found };
        let wrong = |offset, what: &str| corrupt(&path, offset, what.to_owned(), self.last_sequence);
        if bytes.len() < SEGMENT_HEADER_BYTES {
            let magic = self.kind.magic();
            let is_zero = nonzero(&bytes, 0, bytes.len()).is_none();
            if !is_zero && bytes.iter().zip(&magic).any(|(found, ours)| found != ours) {
                return Err(foreign(word(&padded(&bytes), 0).to_le_bytes()));
            }
            return Ok(Loaded::Unused(path, bytes));
        }
        let (header, seed) = match SegmentHeader::check(&bytes, self.kind) {
            HeaderCheck::Unused => return Ok(Loaded::Unused(path, bytes)),
            HeaderCheck::Foreign(found) => return Err(foreign(found)),
            HeaderCheck::Newer(version) => {
                return Err(JournalError::NewerVersion { path, version, known: FORMAT_VERSION });
            }
            HeaderCheck::Corrupt(what, offset) => return Err(wrong(offset, what)),
            HeaderCheck::Published(header, seed) => (header, seed),
        };
        if header.number != number {
            return Err(wrong(24, "its number is not that of its name"));
        }
        let here = &self.open.header;
        if let Some((session, _)) = self.identity
            && (session, here.segment_bytes, here.version)
                != (header.session, header.segment_bytes, header.version)
        {
            return Err(wrong(40, "it belongs to another session"));
        }
        if bytes.len() as u64 > header.segment_bytes {
            return Err(wrong(header.segment_bytes as usize, "the file is longer than the segment"));
        }
        let seal = Seal::check(&bytes, seed, header.version).map_err(|what| wrong(SEAL_OFFSET, what))?;
        if let Some(seal) = seal
            && !(SEGMENT_HEADER_BYTES as u64..=header.segment_bytes).contains(&seal.end)
        {
            return Err(wrong(SEAL_OFFSET + 8, "the sealed end lies outside of the segment"));
        }
        Ok(Loaded::Used(Open { index, path, bytes, header, seed, seal }))
    }
}

fn corrupt(path: &Path, offset: usize, what: String, last_sequence: u64) -> JournalError {
    JournalError::Corrupt { path: path.to_owned(), offset: offset as u64, what, last_sequence }
}

fn padded(bytes: &[u8]) -> [u8; 8] {
    let mut eight = [0u8; 8];
    for (to, from) in eight.iter_mut().zip(bytes) {
        *to = *from;
    }
    eight
}
