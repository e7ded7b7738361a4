//! The reader thread: files to blocks.

use super::FileCounters;
use super::block::{Block, BlockEnd};
use super::capture::{self, CaptureStream};
use super::framing::{FRAMING_BYTES_MAX, Framing, Input};
use crate::feed::FeedError;
use crate::mold::ReceiverCounters;
use crossbeam_queue::ArrayQueue;
use flate2::bufread::MultiGzDecoder;
use spinward_engine::words::{MESSAGE_BYTES_MAX, Nanos};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the reader rests when every block is full: far shorter than the blocks last, and nothing has to wake it.
const REST: Duration = Duration::from_micros(200);

/// Bytes read from the disk at once for a `.gz`.
const COMPRESSED_BYTES: usize = 256 << 10;

/// First two bytes of a gzip file (RFC 1952 §2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What a file holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// Messages, one after the other.
    Framed(Framing),
    /// Packets of a network.
    Capture,
}

/// An open file.
pub(super) struct FileSource {
    path: PathBuf,
    content: Content,
    bytes: Box<dyn Read + Send>,
    is_gzip: bool,
}

impl FileSource {
    /// Opens it and looks at its first bytes.
    pub(super) fn open(path: &Path, content: Content) -> Result<Self, FeedError> {
        let failed = |what: &str| FeedError { what: format!("{}: {what}", path.display()) };
        let file =
            File::open(path).map_err(|error| failed(&format!("cannot open it: {error}; check the path")))?;
        let metadata = file.metadata().map_err(|error| failed(&format!("cannot look at it: {error}")))?;
        if !metadata.is_file() {
            return Err(failed("not a regular file; write the data to a file first"));
        }
        let mut file = BufReader::with_capacity(COMPRESSED_BYTES, file);
        let start = file.fill_buf().map_err(|error| failed(&format!("cannot read it: {error}")))?;
        let is_gzip = start.starts_with(&GZIP_MAGIC);
        let bytes: Box<dyn Read + Send> =
            if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        Ok(Self { path: path.to_owned(), content, bytes, is_gzip })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is left of it, inflated.
    pub(super) fn bytes(&mut self) -> &mut (dyn Read + Send) {
        &mut self.bytes
    }

    /// Fills `room` as far as the file goes; what was read, and the error that ended it.
    fn fill(&mut self, room: &mut [u8]) -> (usize, Option<io::Error>) {
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.bytes.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (filled, Some(error)),
            }
        }
        (filled, None)
    }

    fn read_failed(&self, error: &io::Error, offset: u64) -> FeedError {
        let what = match (self.is_gzip, error.kind()) {
            (true, io::ErrorKind::UnexpectedEof) => "the gzip data is cut".to_owned(),
            (true, io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
                format!("the gzip data is damaged: {error}")
            }
            _ => format!("cannot read it: {error}"),
        };
        FeedError {
            what: format!(
                "{}: {what}, after {offset} bytes of {}; everything before was given. Fetch the file again",
                self.path.display(),
                if self.is_gzip { "inflated data" } else { "data" },
            ),
        }
    }

    fn framing_failed(&self, framing: Framing, what: &str, offset: u64, line: u64) -> FeedError {
        let place = match framing {
            Framing::Prefixed { .. } => String::new(),
            Framing::Lines => format!("line {line}, "),
        };
        let inflated = if self.is_gzip { " of the inflated data" } else { "" };
        FeedError {
            what: format!(
                "{}: {place}offset {offset}{inflated}: {what}. Everything before was given; fetch the file again, or cut it there",
                self.path.display(),
            ),
        }
    }
}

/// The thread's work.
pub(super) struct Reader {
    sources: Vec<FileSource>,
    message_bytes_max: usize,
    /// The begun message at the end of the last block.
    carried: Vec<u8>,
    last_time: Nanos,
    full: Arc<ArrayQueue<Block>>,
    empty: Arc<ArrayQueue<Block>>,
    is_stopped: Arc<AtomicBool>,
    counters: Arc<FileCounters>,
    /// Of captures.
    stream: Option<CaptureStream>,
}

/// The feed was dropped: nobody wants any more.
pub(super) struct Stopped;

impl Reader {
    pub(super) fn new(
        sources: Vec<FileSource>,
        block_bytes: usize,
        full: Arc<ArrayQueue<Block>>,
        empty: Arc<ArrayQueue<Block>>,
        is_stopped: Arc<AtomicBool>,
        counters: Arc<FileCounters>,
        stream: Option<CaptureStream>,
    ) -> Self {
        Self {
            sources,
            message_bytes_max: block_bytes.saturating_sub(FRAMING_BYTES_MAX).min(MESSAGE_BYTES_MAX),
            carried: Vec::with_capacity(block_bytes),
            last_time: Nanos::new(i64::MIN),
            full,
            empty,
            is_stopped,
            counters,
            stream,
        }
    }

    /// Reads all files, or until the feed is dropped.
    pub(super) fn run(mut self) {
        for mut source in std::mem::take(&mut self.sources) {
            match self.read_source(&mut source) {
                Ok(Ok(())) => self.counters.files.add(1),
                Ok(Err(error)) => return self.end(BlockEnd::Failed(error)),
                Err(Stopped) => return,
            }
        }
        if let Some(mut stream) = self.stream.take()
            && let Err(Stopped) = capture::end(&mut self, &mut stream)
        {
            return;
        }
        self.end(BlockEnd::End);
    }

    fn read_source(&mut self, source: &mut FileSource) -> Result<Result<(), FeedError>, Stopped> {
        match (source.content, self.stream.take()) {
            (Content::Capture, Some(mut stream)) => {
                let outcome = capture::read(self, source, &mut stream);
                self.stream = Some(stream);
                outcome
            }
            // A capture has its stream.
            (Content::Capture, None) => Ok(Ok(())),
            (Content::Framed(framing), _) => self.read_file(source, framing),
        }
    }

    fn end(&mut self, end: BlockEnd) {
        if let Ok(mut block) = self.vacant_block() {
            block.end = Some(end);
            self.give(block);
        }
    }

    fn read_file(
        &mut self,
        source: &mut FileSource,
        framing: Framing,
    ) -> Result<Result<(), FeedError>, Stopped> {
        // Of the first carried byte.
        let (mut offset, mut line) = (0u64, 1u64);
        self.carried.clear();
        let mut is_last = false;
        loop {
            let mut block = self.vacant_block()?;
            let carried = self.carried.len();
            if let Some(front) = block.data.get_mut(..carried) {
                front.copy_from_slice(&self.carried);
            }
            let room = block.data.get_mut(carried..).unwrap_or(&mut []);
            let room_bytes = room.len();
            let (count, read_error) = if is_last { (0, None) } else { source.fill(room) };
            is_last |= count < room_bytes && read_error.is_none();
            let data = block.data.get(..carried + count).unwrap_or(&[]);
            let input = Input { data, is_last, message_bytes_max: self.message_bytes_max };
            let framed = framing.split(input, &mut block.entries);
            self.carried.clear();
            self.carried.extend_from_slice(data.get(framed.consumed..).unwrap_or(&[]));
            let is_done = is_last && framed.consumed == data.len();
            offset += framed.consumed as u64;
            line += framed.lines;
            self.mend_times(&mut block);
            self.give(block);
            if let Some(fault) = framed.fault {
                return Ok(Err(source.framing_failed(framing, &fault.what, offset, line)));
            }
            if let Some(error) = read_error {
                return Ok(Err(source.read_failed(&error, offset + self.carried.len() as u64)));
            }
            if is_done {
                return Ok(Ok(()));
            }
        }
    }

    /// Receive times never go back.
    fn mend_times(&mut self, block: &mut Block) {
        let mut bytes = 0;
        for entry in &mut block.entries {
            if entry.receive_time < self.last_time {
                entry.receive_time = self.last_time;
                self.counters.time_corrections.add(1);
            }
            self.last_time = entry.receive_time;
            bytes += u64::from(entry.bytes);
        }
        self.counters.messages.add(block.entries.len() as u64);
        self.counters.bytes.add(bytes);
    }

    /// Gives a block that was filled elsewhere.
    pub(super) fn finish(&mut self, mut block: Block) {
        self.mend_times(&mut block);
        self.give(block);
    }

    /// Shows what the receiver of a capture counts.
    pub(super) fn on_capture(&self, counters: &ReceiverCounters) {
        self.counters.stream.show(counters);
    }

    pub(super) fn vacant_block(&self) -> Result<Block, Stopped> {
        loop {
            // SYNC POINT: file-feed-stop.
            if self.is_stopped.load(Ordering::Acquire) {
                return Err(Stopped);
            }
            if let Some(mut block) = self.empty.pop() {
                block.entries.clear();
                block.end = None;
                return Ok(block);
            }
            std::thread::park_timeout(REST);
        }
    }

    fn give(&self, block: Block) {
        // As many places as blocks: this cannot fail.
        let _ = self.full.push(block);
    }
}
