//! [`Gate`]: holds the first message and the end back, so that everything between can be measured, and nothing else.

use spinward_engine::pipeline::{Driver, Next};
use spinward_engine::risk::Outbound;
use spinward_engine::words::Nanos;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the test and the gate tell each other.
#[derive(Default)]
pub(crate) struct Signals {
    /// Test: messages may come.
    pub(crate) begin: AtomicBool,
    /// Gate: the session is over, all that was under way is delivered.
    pub(crate) is_over: AtomicBool,
    /// Test: the end may come.
    pub(crate) end: AtomicBool,
}

/// A driver behind a gate.
pub(crate) struct Gate<D> {
    pub(crate) driver: D,
    pub(crate) signals: Arc<Signals>,
}

impl<D: Driver> Driver for Gate<D> {
    fn submit(&mut self, outbound: &Outbound) {
        self.driver.submit(outbound);
    }

    fn next(&mut self, done: u64) -> Next<'_> {
        if !self.signals.begin.load(Ordering::Acquire) {
            return Next::Wait;
        }
        match self.driver.next(done) {
            Next::End if self.signals.end.load(Ordering::Acquire) => Next::End,
            Next::End => {
                self.signals.is_over.store(true, Ordering::Release);
                Next::Wait
            }
            next @ (Next::Message(_) | Next::Wait | Next::WaitForEngine) => next,
        }
    }

    fn advance(&mut self, frame: u64) {
        self.driver.advance(frame);
    }

    fn now(&self) -> Nanos {
        self.driver.now()
    }

    fn entered(&mut self, frame: u64) {
        self.driver.entered(frame);
    }

    fn stop(&mut self) {
        self.driver.stop();
    }
}
