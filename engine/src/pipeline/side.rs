//! [`SideCore`]: a thread beside the pipeline's, run as they are: named, pinned, waiting as it is told, its turns counted and its gaps noted.

use super::agent::{Agent, CoreContext, Poll, StampMode};
use super::gap::{GapLog, GapWatch};
use super::idle::IdleStrategy;
use super::runtime::{CoreCounters, CoreReport, run_core};
use super::topology::CoreSpec;
use crate::words::{Clock, Nanos};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Where such a thread runs and how it waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SideCore {
    /// Its name, at most 15 bytes.
    pub name: &'static str,
    /// The core it is pinned to; `None` leaves it to the scheduler.
    pub core: Option<usize>,
    /// How it waits when a turn found nothing to do.
    pub idle: IdleStrategy,
    /// A longer turn is a gap; 0 switches the watch off.
    pub gap_threshold: Nanos,
}

/// What a turn did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Some work.
    Worked,
    /// There was none.
    Idle,
    /// There will be none any more: the thread ends.
    Over,
}

struct Step<F>(F);

impl<F: FnMut() -> Turn + Send> Agent for Step<F> {
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        match (self.0)() {
            Turn::Worked => {
                core.end();
                Poll::Worked
            }
            Turn::Idle => Poll::Idle,
            Turn::Over => Poll::Done,
        }
    }
}

impl SideCore {
    /// Starts it: `step` is called turn after turn, on the thread. Gives its report and the thread.
    ///
    /// # Errors
    /// The system makes no thread.
    pub fn start(
        &self,
        step: impl FnMut() -> Turn + Send + 'static,
    ) -> std::io::Result<(CoreReport, JoinHandle<()>)> {
        let clock = Clock::new();
        let spec = CoreSpec { core: self.core, idle: self.idle, roles: Vec::new() };
        let counters = Arc::<CoreCounters>::default();
        let gaps = Arc::new(GapLog::new());
        let watch = GapWatch::new(self.gap_threshold, self.idle, &clock, Arc::clone(&gaps));
        let report = CoreReport {
            thread: self.name.to_owned(),
            spec: spec.clone(),
            counters: Arc::clone(&counters),
            gaps,
        };
        let context = CoreContext::new(clock, StampMode::Ends);
        let handle = std::thread::Builder::new()
            .name(self.name.to_owned())
            .spawn(move || run_core(&spec, vec![Box::new(Step(step))], context, watch, &counters))?;
        Ok((report, handle))
    }
}
