//! The queue between the socket and the sequencer.

use crossbeam_queue::ArrayQueue;
use spinward_engine::words::Command;
use std::fmt;
use std::sync::Arc;

/// A queue with room for `capacity` commands (at least 1): the sequencer's end, and the socket's.
pub fn operator_queue(capacity: usize) -> (OperatorInbox, OperatorSender) {
    let queue = Arc::new(ArrayQueue::new(capacity.max(1)));
    (
        OperatorInbox { queue: Arc::clone(&queue) },
        OperatorSender { queue, session: None, turn: Arc::default() },
    )
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

/// What a session says of itself. Asked on the side thread.
pub trait SessionView: Send + Sync {
    /// The answer to `status` (line ends become spaces).
    fn status(&self) -> String;

    /// How many of the operators' commands risk has obeyed, and how many it has refused.
    fn outcomes(&self) -> Outcomes;
}

/// What became of the commands so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcomes {
    /// Obeyed.
    pub obeyed: u64,
    /// Refused.
    pub refused: u64,
}

/// The socket's end; also for a program that gives commands itself.
#[derive(Clone)]
pub struct OperatorSender {
    queue: Arc<ArrayQueue<Command>>,
    session: Option<Arc<dyn SessionView>>,
    /// Held from a command that can be refused to its outcome: outcomes are told by counting.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

impl OperatorSender {
    /// The same, answering for this session.
    #[must_use]
    pub fn with_session(self, session: Arc<dyn SessionView>) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Puts a command into the queue.
    ///
    /// # Errors
    /// The command, if there is no room.
    pub fn send(&self, command: Command) -> Result<(), Command> {
        self.queue.push(command)
    }

    pub(super) fn status(&self) -> String {
        let text = self.session.as_ref().map_or_else(
            || format!("{} of {} commands wait for the session", self.queue.len(), self.queue.capacity()),
            |session| session.status(),
        );
        text.split(['\r', '\n']).collect::<Vec<_>>().join(" ")
    }

    /// `None` if nobody tells.
    pub(super) fn outcomes(&self) -> Option<Outcomes> {
        self.session.as_ref().map(|session| session.outcomes())
    }
}

impl fmt::Debug for OperatorSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorSender").field("queue", &self.queue).finish_non_exhaustive()
    }
}
