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
}

/// What is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Frame,
    /// Nothing yet; whether the interval is over.
    Wait {
        is_due: bool,
    },
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
        }))
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
    fn next(&mut self, frame: &mut Frame) -> Result<Found, JournalError> {
        match self.follower.poll()? {
            Followed::Frame(found) => {
                *frame = found.to_frame();
                Ok(Found::Frame)
            }
            Followed::End => Ok(Found::End),
            Followed::Wait => {
                std::thread::sleep(PAUSE);
                let is_due = self.given_at.elapsed() >= self.interval;
                if is_due {
                    self.given_at = Instant::now();
                }
                Ok(Found::Wait { is_due })
            }
        }
    }
}
