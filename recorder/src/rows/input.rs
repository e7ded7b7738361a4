//! [`Input`]: the frames of a journal that is there, or of one that is being written.

use crate::cut::Cut;
use crate::error::JournalError;
use crate::follow::{Followed, JournalFollower};
use crate::journal::JournalReader;
use crate::manifest::Manifest;
use crate::session::SessionFolder;
use spinward_engine::words::Frame;
use std::path::Path;
use std::time::{Duration, Instant};

/// From one look at a journal that has nothing new to the next.
const PAUSE: Duration = Duration::from_millis(2);

/// Frames between two looks at the clock while there is always another one.
const FRAMES_PER_CLOCK: u32 = 1 << 10;

/// How long the manifest may still say nothing of the end when the journal has ended.
const MANIFEST_PATIENCE: Duration = Duration::from_secs(30);

/// Where frames come from.
pub(super) enum Input {
    There(Box<JournalReader>),
    Growing(Box<Growing>),
}

pub(super) struct Growing {
    follower: JournalFollower,
    folder: SessionFolder,
    interval: Duration,
    given_at: Instant,
    /// Frames until the clock is looked at.
    until_clock: u32,
}

/// What is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Frame,
    /// Nothing yet.
    Wait,
    End,
}

impl Input {
    pub(super) fn there(journal: &Path) -> Result<Self, JournalError> {
        Ok(Self::There(Box::new(JournalReader::open(journal)?)))
    }

    pub(super) fn growing(folder: &SessionFolder, interval: Duration) -> Self {
        let follower = JournalFollower::new(&folder.journal());
        Self::Growing(Box::new(Growing {
            follower,
            folder: folder.clone(),
            interval,
            given_at: Instant::now(),
            until_clock: FRAMES_PER_CLOCK,
        }))
    }

    /// Whether what was made of the frames so far has waited for an interval. Of a journal that is there it never has.
    #[inline]
    pub(super) fn is_due(&mut self) -> bool {
        match self {
            Self::There(_) => false,
            Self::Growing(growing) => growing.is_due(),
        }
    }

    /// The next frame, into `frame`.
    #[inline]
    pub(super) fn next(&mut self, frame: &mut Frame) -> Result<Found, JournalError> {
        match self {
            Self::There(reader) => Ok(match reader.next()? {
                Some(found) => {
                    *frame = found.to_frame();
                    Found::Frame
                }
                None => Found::End,
            }),
            Self::Growing(growing) => growing.next(frame),
        }
    }

    /// The torn tail that was cut. A journal that grows has none: what is not whole yet is not there yet.
    pub(super) fn cut(&self) -> Option<Cut> {
        match self {
            Self::There(reader) => reader.cut().cloned(),
            Self::Growing(_) => None,
        }
    }

    /// Of a session that ran while it was read: its manifest, now that it has ended. It is written behind the journal; a session that was killed between the two
    /// leaves it as it was.
    pub(super) fn last_manifest(&self) -> Option<Manifest> {
        let Self::Growing(growing) = self else { return None };
        let began = Instant::now();
        loop {
            let manifest = Manifest::read(&growing.folder.manifest()).ok();
            if manifest.as_ref().is_some_and(|manifest| manifest.ended.is_some())
                || began.elapsed() >= MANIFEST_PATIENCE
            {
                return manifest;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Growing {
    #[inline]
    fn is_due(&mut self) -> bool {
        self.until_clock = self.until_clock.saturating_sub(1);
        if self.until_clock > 0 {
            return false;
        }
        self.until_clock = FRAMES_PER_CLOCK;
        let is_due = self.given_at.elapsed() >= self.interval;
        if is_due {
            self.given_at = Instant::now();
        }
        is_due
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Found, JournalError> {
        match self.follower.poll()? {
            Followed::Frame(found) => {
                *frame = found.to_frame();
                Ok(Found::Frame)
            }
            Followed::End => Ok(Found::End),
            Followed::Wait => {
                std::thread::sleep(PAUSE);
                self.until_clock = 0;
                Ok(Found::Wait)
            }
        }
    }
}
