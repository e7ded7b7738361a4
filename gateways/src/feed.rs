//! [`MarketFeed`]: recorded or generated market data, message by message, in the order of receive time.

use spinward_engine::words::Nanos;

/// One message of a feed.
#[derive(Clone, Copy, Debug)]
pub struct FeedMessage<'a> {
    /// When it was received; never decreases from one message to the next.
    pub receive_time: Nanos,
    /// The venue's bytes, without the framing of the file.
    pub bytes: &'a [u8],
}

/// Why a feed cannot go on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct FeedError {
    /// What is wrong, where (file, offset or line), and what to do.
    pub what: String,
}

/// What [`MarketFeed::peek`] finds.
#[derive(Debug)]
pub enum Peek<'a> {
    /// The next message; the same until [`MarketFeed::advance`].
    Message(FeedMessage<'a>),
    /// Not read from the disk yet; ask again.
    NotYet,
    /// There is no more.
    End,
    /// It cannot go on; the same answer from now on.
    Failed(&'a FeedError),
}

/// Market data that is polled: never blocks, never allocates or makes a system call after construction (what must be read from a
/// disk is read by a thread of the feed's own).
pub trait MarketFeed: Send {
    /// The next message.
    fn peek(&mut self) -> Peek<'_>;

    /// Goes on to the message after it.
    fn advance(&mut self);
}
