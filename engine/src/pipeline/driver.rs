//! [`Driver`]: the world outside of the engine, as the sequencer sees it.

use crate::risk::Outbound;
use crate::words::{Command, Message, Nanos, Ticks};

/// What a driver has for the sequencer.
#[derive(Debug)]
pub enum Next<'a> {
    /// A message that may enter now. It stays the same until [`Driver::advance`].
    Message(Message<'a>),
    /// Nothing may enter yet: no data, or not yet time (pacing).
    Wait,
    /// Nothing may enter before the engine has got on (look-ahead of the simulation): ask again with a greater `done`.
    WaitForEngine,
    /// The session is over.
    End,
}

/// When an item of the egress ring was on its way out. 0 where no stamp was taken.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ExitStamps {
    /// Taken from the egress ring.
    pub taken: Ticks,
    /// Its cause was in the journal: [`Driver::submit`] began.
    pub released: Ticks,
    /// Its bytes stood ready; 0 if the driver does not tell ([`Driver::encoded`]).
    pub encoded: Ticks,
    /// [`Driver::submit`] returned.
    pub sent: Ticks,
}

/// Gives the engine its frames and takes its orders. One driver a session, polled by the sequencer's core: the simulation (feed, timer
/// and paper venue merged by simulated time), the journal (replay), and later live sessions.
pub trait Driver: Send {
    /// Takes what risk has sent: an order for the venue, or a refusal to be told to the strategy. Called in the order of the egress ring,
    /// after the frame that caused it is in the journal.
    fn submit(&mut self, outbound: &Outbound);

    /// When the bytes of what was submitted last stood ready to be sent; 0 if encoding and sending are not told apart.
    fn encoded(&self) -> Ticks {
        0
    }

    /// What was submitted last has left, with the stamps of its way: for whoever keeps them. Called unless stamps are off.
    fn submitted(&mut self, outbound: &Outbound, stamps: &ExitStamps) {
        let _ = (outbound, stamps);
    }

    /// The next message. The engine has finished every frame up to and including `done`, and all that those frames sent has been
    /// submitted.
    fn next(&mut self, done: u64) -> Next<'_>;

    /// The message given last has entered; `frame` is the number of its last frame.
    fn advance(&mut self, frame: u64);

    /// The time that a message from elsewhere (an operator's command) has if it enters now: not before any message already given.
    fn now(&self) -> Nanos;

    /// A message from elsewhere has entered at [`Driver::now`]; `frame` is the number of its last frame.
    fn entered(&mut self, frame: u64) {
        let _ = frame;
    }

    /// Ends the session early: no more market data; what is under way is still delivered, then [`Next::End`].
    fn stop(&mut self);
}

/// Where operators' commands wait for the sequencer.
pub trait Inbox: Send {
    /// The next one.
    fn poll(&mut self) -> Option<Command>;
}
