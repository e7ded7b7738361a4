//! [`JournalFollower`]: reads a journal while it is written, for exports and displays. Never blocks and never disturbs the writer.

use crate::error::JournalError;
use crate::format::{
    FORMAT_VERSION, HeaderCheck, RECORD_BYTES_MAX, RecordCheck, SEGMENT_HEADER_BYTES, Seal, SegmentHeader,
    StreamKind, check_record, record_at,
};
use crate::journal::FrameRef;
use crate::segment::file_name;
use crate::stored::{self, is_compressed, read_up_to};
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes read at once.
const WINDOW_BYTES: usize = 1 << 16;

/// What a follower has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Followed<'a> {
    /// The next frame.
    Frame(FrameRef<'a>),
    /// Nothing more yet. If the writer was killed it stays so, also if the next record is damaged: [`verify`](crate::verify) tells.
    Wait,
    /// The writer has ended the journal.
    End,
}

/// Reads a journal from frame 1 on, as far as it is written.
///
/// A record is taken when its CRC is right, so a record that is being written is not there yet: the writer stores its body first and the word
/// with its length last.
#[derive(Debug)]
pub struct JournalFollower {
    folder: PathBuf,
    open: Option<Open>,
    /// What was read of the open segment, from `window_at` on.
    window: Vec<u8>,
    window_at: usize,
    at: usize,
    last_sequence: u64,
    is_ended: bool,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: Source,
    header: SegmentHeader,
    seed: u32,
}

/// Where a segment's bytes come from.
#[derive(Debug)]
enum Source {
    File(File),
    /// It lay compressed, so it is whole.
    Memory(Cursor<Vec<u8>>),
}

impl Source {
    fn read_from(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        fn read(source: &mut (impl Read + Seek), at: u64, buffer: &mut [u8]) -> io::Result<usize> {
            source.seek(SeekFrom::Start(at))?;
            read_up_to(source, buffer)
        }
        match self {
            Self::File(file) => read(file, at, buffer),
            Self::Memory(bytes) => read(bytes, at, buffer),
        }
    }
}

impl JournalFollower {
    /// For a folder whose journal may not be there yet. Reads nothing.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            open: None,
            window: Vec::with_capacity(WINDOW_BYTES),
            window_at: 0,
            at: SEGMENT_HEADER_BYTES,
            last_sequence: 0,
            is_ended: false,
        }
    }

    /// Number of the last frame given; 0 before the first.
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// The next frame, if it is there.
    ///
    /// # Errors
    /// A file cannot be read, is no segment of a journal, or is newer than this program.
    pub fn poll(&mut self) -> Result<Followed<'_>, JournalError> {
        loop {
            if self.is_ended {
                return Ok(Followed::End);
            }
            if self.open.is_none() {
                match self.open_segment(0)? {
                    Some(open) if open.header.first_sequence == 1 => self.open = Some(open),
                    Some(_) | None => return Ok(Followed::Wait),
                }
            }
            if let Some(length) = self.record_here()? {
                let at = self.at - self.window_at;
                self.at += length;
                let record = record_at(&self.window, at);
                self.last_sequence = record.sequence;
                return Ok(Followed::Frame(FrameRef::new(record)));
            }
            if !self.go_on()? {
                return Ok(if self.is_ended { Followed::End } else { Followed::Wait });
            }
        }
    }

    /// Length of the whole record at the place reached, which then lies in the window.
    fn record_here(&mut self) -> Result<Option<usize>, JournalError> {
        let Some(seed) = self.open.as_ref().map(|open| open.seed) else { return Ok(None) };
        for is_fresh in [false, true] {
            if is_fresh {
                self.fill()?;
            }
            let Some(at) = self.at.checked_sub(self.window_at) else { continue };
            // Near the end of the window a record may be cut; what is there may also be older than the file by now.
            if !is_fresh && self.window.len() < at + RECORD_BYTES_MAX {
                continue;
            }
            if let RecordCheck::Valid(length) = check_record(&self.window, at, seed)
                && record_at(&self.window, at).sequence == self.last_sequence + 1
            {
                return Ok(Some(length));
            }
        }
        Ok(None)
    }

    /// Reads the window anew from the place reached.
    fn fill(&mut self) -> Result<(), JournalError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        self.window.resize(WINDOW_BYTES, 0);
        self.window_at = self.at;
        let count = open
            .file
            .read_from(self.at as u64, &mut self.window)
            .map_err(|error| JournalError::io("read", &open.path, error))?;
        self.window.truncate(count);
        Ok(())
    }

    /// There is no record here. Goes on to the next segment, if there is one that begins with the next record: it is taken into use only after
    /// the last record here was written.
    fn go_on(&mut self) -> Result<bool, JournalError> {
        let Some(open) = &mut self.open else { return Ok(false) };
        let number = open.header.number;
        let mut page = vec![0u8; SEGMENT_HEADER_BYTES];
        let count =
            open.file.read_from(0, &mut page).map_err(|error| JournalError::io("read", &open.path, error))?;
        if count == page.len()
            && let Ok(Some(seal)) = Seal::check(&page, open.seed, open.header.version)
            && seal.is_last
            && seal.end == self.at as u64
        {
            self.is_ended = true;
            return Ok(false);
        }
        match self.open_segment(number + 1)? {
            Some(next) if next.header.first_sequence == self.last_sequence + 1 => {
                self.open = Some(next);
                self.at = SEGMENT_HEADER_BYTES;
                self.window.clear();
                self.window_at = 0;
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    /// The segment, if it is in use.
    fn open_segment(&self, number: u64) -> Result<Option<Open>, JournalError> {
        let mut path = self.folder.join(file_name(number));
        let file = match stored::open(&mut path) {
            Ok(file) => file,
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut file = if is_compressed(&path) {
            let mut bytes = Vec::new();
            stored::read(&mut path, &mut bytes, self.last_sequence)?;
            Source::Memory(Cursor::new(bytes))
        } else {
            Source::File(file)
        };
        let mut page = vec![0u8; SEGMENT_HEADER_BYTES];
        let count = file.read_from(0, &mut page).map_err(|error| JournalError::io("read", &path, error))?;
        if count < page.len() {
            return Ok(None);
        }
        match SegmentHeader::check(&page, StreamKind::Journal) {
            HeaderCheck::Published(header, seed) => Ok(Some(Open { path, file, header, seed })),
            // Seen half way, or damaged: both are "not yet".
            HeaderCheck::Unused | HeaderCheck::Corrupt(..) => Ok(None),
            HeaderCheck::Foreign(found) => {
                Err(JournalError::Foreign { path, wanted: StreamKind::Journal.name(), found })
            }
            HeaderCheck::Newer(version) => {
                Err(JournalError::NewerVersion { path, version, known: FORMAT_VERSION })
            }
        }
    }
}
