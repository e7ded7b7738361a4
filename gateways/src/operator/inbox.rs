//! The queue between the socket and the sequencer.

use crossbeam_queue::ArrayQueue;
use spinward_engine::words::Command;
use std::fmt;
use std::sync::Arc;

/// A queue with room for `capacity` commands (at least 1): the sequencer's end, and the socket's.
pub fn operator_queue(capacity: usize) -> (OperatorInbox, OperatorSender) {
    let queue = Arc::new(ArrayQueue::new(capacity.max(1)));
    (OperatorInbox { queue: Arc::clone(&queue) }, OperatorSender { queue, status: None })
}

/// The sequencer's end. Polling takes a few loads when there is nothing: no lock, no system call, no allocation.
#[derive(Debug)]
pub struct OperatorInbox {
    queue: Arc<ArrayQueue<Command>>,
}

impl OperatorInbox {
    /// The oldest command that has not been taken.
    #[inline]
    pub fn poll(&self) -> Option<Command> {
        self.queue.pop()
    }
}

/// The socket's end; also for a program that gives commands itself.
#[derive(Clone)]
pub struct OperatorSender {
    queue: Arc<ArrayQueue<Command>>,
    status: Option<Arc<dyn Fn() -> String + Send + Sync>>,
}

impl OperatorSender {
    /// The same, answering `status` with this text (line ends become spaces). Called on the side thread.
    #[must_use]
    pub fn with_status(self, status: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Puts a command into the queue.
    ///
    /// # Errors
    /// The command, if there is no room.
    pub fn send(&self, command: Command) -> Result<(), Command> {
        self.queue.push(command)
    }

    pub(super) fn status(&self) -> String {
        let text = self.status.as_ref().map_or_else(
            || format!("{} of {} commands wait for the session", self.queue.len(), self.queue.capacity()),
            |status| status(),
        );
        text.split(['\r', '\n']).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for OperatorSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorSender").field("queue", &self.queue).finish_non_exhaustive()
    }
}
