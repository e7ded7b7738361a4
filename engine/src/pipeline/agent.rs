//! [`Agent`]: a stage with its rings, polled in turn with its neighbours on one core. Who runs it is configuration.

use super::stall::Stalling;
use crate::memory::await_reads;
use crate::words::{Clock, Ticks};

/// What a poll did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Poll {
    /// Work was done.
    Worked,
    /// There was nothing to do.
    Idle,
    /// There will never be anything to do again; the agent can be dropped.
    Done,
}

/// Something that is polled.
pub(super) trait Agent: Send {
    /// Does a bounded amount of work and returns.
    fn poll(&mut self, core: &mut CoreContext) -> Poll;

    /// After [`Poll::Done`]: hands over what is to outlive the pipeline. Dropping the agent drops its rings' producers.
    fn finish(self: Box<Self>) {}
}

/// Which stamps are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StampMode {
    /// At the start and the end of every stage: service time and queue wait apart. Costs some 12 ns each.
    #[default]
    All,
    /// When the frame entered, when the normalizer had it in hand, and when risk was done with it.
    Ends,
    /// None.
    Off,
}

/// When a stage had an event in hand. 0 where no stamp was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StageStamp {
    /// When it began.
    pub start: Ticks,
    /// When it was done.
    pub done: Ticks,
}

/// The stamps of one core. Agents on one core run in turn, so the end of one is the start of the next: while work flows, one reading a
/// stage is enough.
#[derive(Debug)]
pub(super) struct CoreContext {
    clock: Clock,
    mode: Mode,
    last: Ticks,
    is_fresh: bool,
    /// The fault of the agent that is being polled, if it has one.
    stalling: Option<Box<Stalling>>,
}

/// A [`StampMode`], or the detour of an agent with an injected fault: so that the others pay nothing for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Plain(StampMode),
    Stalled(StampMode),
}

impl CoreContext {
    /// For a core.
    pub(super) fn new(clock: Clock, mode: StampMode) -> Self {
        Self { clock, mode: Mode::Plain(mode), last: 0, is_fresh: false, stalling: None }
    }

    /// The clock of the stamps.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The last stamp taken.
    #[inline]
    pub(super) fn last(&self) -> Ticks {
        self.last
    }

    /// From now to [`CoreContext::disarm`] the fault strikes.
    pub(super) fn arm(&mut self, stalling: Option<Box<Stalling>>) {
        let (Mode::Plain(mode) | Mode::Stalled(mode)) = self.mode;
        self.mode = Mode::Stalled(mode);
        self.stalling = stalling;
    }

    /// Back to normal; gives the fault back.
    pub(super) fn disarm(&mut self) -> Option<Box<Stalling>> {
        let (Mode::Plain(mode) | Mode::Stalled(mode)) = self.mode;
        self.mode = Mode::Plain(mode);
        self.stalling.take()
    }

    /// The normalizer has a frame in hand: the first end of the way through the stages. What the frame took to come from the other core is waiting, not work,
    /// so the stamp is taken when its bytes are here.
    #[inline]
    pub(super) fn taken(&mut self) -> Ticks {
        let (Mode::Plain(mode) | Mode::Stalled(mode)) = self.mode;
        // No stage of the frame before has stamped its end if only the ends are stamped: what was read last is older than that.
        if mode == StampMode::Ends || (mode == StampMode::All && !self.is_fresh) {
            await_reads();
            self.read();
        }
        let start = self.start();
        if mode == StampMode::Ends { self.last } else { start }
    }

    /// Start of an inner stage.
    #[inline]
    pub(super) fn start(&mut self) -> Ticks {
        match self.mode {
            Mode::Plain(StampMode::All) => self.fresh(),
            Mode::Plain(StampMode::Ends | StampMode::Off) => 0,
            Mode::Stalled(mode) => self.start_stalled(mode),
        }
    }

    /// End of an inner stage.
    #[inline]
    pub(super) fn done(&mut self) -> Ticks {
        match self.mode {
            Mode::Plain(StampMode::All) => self.read(),
            Mode::Plain(StampMode::Ends | StampMode::Off) => 0,
            Mode::Stalled(mode) => self.done_stalled(mode),
        }
    }

    /// One of the two ends: always read unless stamps are off.
    #[inline]
    pub(super) fn end(&mut self) -> Ticks {
        match self.mode {
            Mode::Plain(StampMode::All | StampMode::Ends)
            | Mode::Stalled(StampMode::All | StampMode::Ends) => self.read(),
            Mode::Plain(StampMode::Off) | Mode::Stalled(StampMode::Off) => 0,
        }
    }

    #[inline]
    fn fresh(&mut self) -> Ticks {
        if !self.is_fresh {
            self.last = self.clock.ticks();
            self.is_fresh = true;
        }
        self.last
    }

    #[cold]
    fn start_stalled(&mut self, mode: StampMode) -> Ticks {
        let start = if mode == StampMode::All { self.fresh() } else { 0 };
        if let Some(stalling) = &mut self.stalling {
            stalling.at_start(&self.clock);
        }
        start
    }

    #[cold]
    fn done_stalled(&mut self, mode: StampMode) -> Ticks {
        if let Some(stalling) = &mut self.stalling {
            stalling.at_end(&self.clock);
        }
        if mode == StampMode::All { self.read() } else { 0 }
    }

    #[inline]
    fn read(&mut self) -> Ticks {
        self.last = self.clock.ticks();
        self.is_fresh = true;
        self.last
    }

    /// Called when time has passed that belongs to no stage: the next start is read anew.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.is_fresh = false;
    }
}
