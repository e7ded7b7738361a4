//! Recorded market data from files, plain or `.gz`: [`open`] gives a [`MarketFeed`].
//!
//! ```text
//! files ─▶ reader thread "spinward-file": read, inflate, frame ─▶ full blocks ─▶ FileFeed (peek, advance)
//!                        ▲                                                            │
//!                        └───────────────────── empty blocks ◀────────────────────────┘
//! ```
//!
//! All checks of the framing are made by the reader thread; what is left for the pipeline's thread is an index and a slice. A file
//! that is cut or holds garbage gives everything before the fault first, then a [`FeedError`] that says where.
//!
//! Never: a frame, an event, a look into the message beyond its time.

mod block;
mod framing;
mod reader;
mod capture;

use crate::feed::{FeedError, FeedMessage, MarketFeed, Peek, StreamCounters};
use block::{Block, BlockEnd};
use capture::CaptureStream;
use crossbeam_queue::ArrayQueue;
use framing::{FRAMING_BYTES_MAX, Framing};
use reader::{Content, FileSource, Reader};
use spinward_engine::counters::Counter;
use spinward_engine::words::{MESSAGE_BYTES_MAX, Nanos};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// How messages lie in the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileFormat {
    /// NASDAQ TotalView-ITCH 5.0: a two-byte big-endian length before each message; a zero length ends the file. The receive time is
    /// the message's own time stamp.
    Itch50 {
        /// Midnight in New York at the start of the day, UTC: one for each file, or one for all.
        midnights: Vec<Nanos>,
    },
    /// Lines `<local ns> <raw json>`. The receive time is the local time.
    Binance,
    /// pcap or pcapng of MoldUDP64: the messages of lines A and B in their order, each once, with the [`Notice`](crate::notice::Notice)s of what the
    /// capture lacks between them. The receive time is that of the capture. A fragment of IP is an error.
    MoldCapture {
        /// Where lines A and B are sent to; other datagrams are not looked at. None: the first two destinations; a third is an error.
        lines: Vec<SocketAddrV4>,
    },
}

/// What to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSpec {
    /// How messages lie in the files.
    pub format: FileFormat,
    /// The files, one after the other as one feed.
    pub paths: Vec<PathBuf>,
    /// Bytes of one block, at least [`BLOCK_BYTES_MIN`]. Default 2 MiB.
    pub block_bytes: usize,
    /// Blocks in circulation, 2–64: the feed keeps one until the next is there. Default 4.
    pub blocks: usize,
}

/// Smallest block: the longest message fits.
pub const BLOCK_BYTES_MIN: usize = MESSAGE_BYTES_MAX + FRAMING_BYTES_MAX;

/// Largest block.
pub const BLOCK_BYTES_MAX: usize = 1 << 30;

impl FileSpec {
    /// With default memory.
    pub fn new(format: FileFormat, paths: Vec<PathBuf>) -> Self {
        Self { format, paths, block_bytes: 2 << 20, blocks: 4 }
    }
}

/// What the reader thread of a [`FileFeed`] counts. It reads ahead of the pipeline.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct FileCounters {
    /// Files read to their end.
    pub files: Counter,
    /// Messages framed.
    pub messages: Counter,
    /// Bytes of messages.
    pub bytes: Counter,
    /// Messages whose time was before that of the message before them; they were given that one's.
    pub time_corrections: Counter,
    /// Captures: the stream in them.
    pub stream: Arc<StreamCounters>,
}

/// Opens the files.
///
/// # Errors
/// [`FeedError`] if there is no file, one cannot be opened or is no regular file, or the memory is out of range. What is wrong inside of
/// a file comes later, from [`MarketFeed::peek`].
pub fn open(spec: &FileSpec) -> Result<Box<dyn MarketFeed>, FeedError> {
    FileFeed::open(spec).map(|feed| Box::new(feed) as Box<dyn MarketFeed>)
}

/// The feed.
pub struct FileFeed {
    current: Block,
    /// Index of the next message in `current`.
    next: usize,
    full: Arc<ArrayQueue<Block>>,
    empty: Arc<ArrayQueue<Block>>,
    is_stopped: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    /// Told if the reader thread is gone without a last block.
    lost: FeedError,
    counters: Arc<FileCounters>,
}

fn refused(what: String) -> FeedError {
    FeedError { what }
}

impl FileFeed {
    /// Opens the files and starts the reader thread.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(spec: &FileSpec) -> Result<Self, FeedError> {
        if !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&spec.block_bytes) {
            return Err(refused(format!(
                "block_bytes is {}; give {BLOCK_BYTES_MIN} to {BLOCK_BYTES_MAX}",
                spec.block_bytes
            )));
        }
        if !(2..=64).contains(&spec.blocks) {
            return Err(refused(format!("blocks is {}; give 2 to 64", spec.blocks)));
        }
        Self::with_memory(spec)
    }

    /// Without the check of the memory: tests use blocks of some bytes.
    fn with_memory(spec: &FileSpec) -> Result<Self, FeedError> {
        if spec.paths.is_empty() {
            return Err(refused("no file to read; name at least one".to_owned()));
        }
        let mut sources = Vec::with_capacity(spec.paths.len());
        for (index, path) in spec.paths.iter().enumerate() {
            let content = match &spec.format {
                FileFormat::MoldCapture { .. } => Content::Capture,
                FileFormat::Binance => Content::Framed(Framing::Lines),
                FileFormat::Itch50 { midnights } => {
                    let of_file = if midnights.len() == 1 { midnights.first() } else { midnights.get(index) };
                    let Some(&midnight) = of_file.filter(|_| midnights.len() <= spec.paths.len()) else {
                        return Err(refused(format!(
                            "{} midnights for {} files; give one, or one for each file",
                            midnights.len(),
                            spec.paths.len()
                        )));
                    };
                    Content::Framed(Framing::Prefixed { midnight })
                }
            };
            sources.push(FileSource::open(path, content)?);
        }
        let stream = match &spec.format {
            FileFormat::MoldCapture { lines } => Some(CaptureStream::new(lines)?),
            FileFormat::Itch50 { .. } | FileFormat::Binance => None,
        };
        let full = Arc::new(ArrayQueue::new(spec.blocks));
        let empty = Arc::new(ArrayQueue::new(spec.blocks));
        for _ in 0..spec.blocks {
            // As many places as blocks: this cannot fail.
            let _ = empty.push(Block::new(spec.block_bytes));
        }
        let is_stopped = Arc::new(AtomicBool::new(false));
        let counters = Arc::<FileCounters>::default();
        let reader = Reader::new(
            sources,
            spec.block_bytes,
            Arc::clone(&full),
            Arc::clone(&empty),
            Arc::clone(&is_stopped),
            Arc::clone(&counters),
            stream,
        );
        let thread = std::thread::Builder::new()
            .name("spinward-file".to_owned())
            .spawn(move || reader.run())
            .map_err(|error| refused(format!("cannot start the thread spinward-file: {error}")))?;
        Ok(Self {
            current: Block::new(0),
            next: 0,
            full,
            empty,
            is_stopped,
            reader: Some(thread),
            lost: refused("the thread spinward-file died; its panic message is on standard error".to_owned()),
            counters,
        })
    }

    /// What its reader counts.
    pub fn counters(&self) -> Arc<FileCounters> {
        Arc::clone(&self.counters)
    }

    /// Takes the next block in place of the one that is used up; false if there is none. Blocks may be without messages.
    fn take_block(&mut self) -> bool {
        let Some(block) = self.full.pop() else { return false };
        let used = std::mem::replace(&mut self.current, block);
        self.next = 0;
        if !used.is_placeholder() {
            // As many places as blocks: this cannot fail.
            let _ = self.empty.push(used);
        }
        true
    }

    #[cold]
    fn is_reader_gone(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished) && self.full.is_empty()
    }
}

impl MarketFeed for FileFeed {
    #[inline]
    fn peek(&mut self) -> Peek<'_> {
        while self.next >= self.current.entries.len() {
            if self.current.end.is_some() {
                break;
            }
            if !self.take_block() {
                return if self.is_reader_gone() { Peek::Failed(&self.lost) } else { Peek::NotYet };
            }
        }
        match self.current.message(self.next) {
            Some((receive_time, bytes)) => Peek::Message(FeedMessage { receive_time, bytes }),
            None => match &self.current.end {
                Some(BlockEnd::Failed(error)) => Peek::Failed(error),
                Some(BlockEnd::End) | None => Peek::End,
            },
        }
    }

    #[inline]
    fn advance(&mut self) {
        if self.next < self.current.entries.len() {
            self.next += 1;
        }
    }

    fn stream(&self) -> Option<Arc<StreamCounters>> {
        Some(Arc::clone(&self.counters.stream))
    }
}

impl Drop for FileFeed {
    fn drop(&mut self) {
        // SYNC POINT: file-feed-stop. Written here, read by the reader thread between two blocks and while it waits.
        self.is_stopped.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            reader.thread().unpark();
            // A panic of the reader was already told by `peek`.
            let _ = reader.join();
        }
    }
}

#[cfg(test)]
mod tests;
