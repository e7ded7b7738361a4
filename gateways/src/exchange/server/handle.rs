//! [`ExchangeServer`] starts an exchange on a thread of its own; [`RunningExchange`] is what one holds of it.

use super::config::{ExchangeConfig, ExchangeError};
use super::control::ControlError;
use super::run::Runner;
use super::stamps::WireSample;
use super::state::{ExchangeCounts, ExchangeState};
use crate::ouch50::ClOrdId;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What the handle asks of the thread.
pub(super) enum Request {
    State(Sender<ExchangeState>),
    Counts(Sender<ExchangeCounts>),
    Samples(Sender<Vec<WireSample>>),
    SamplesOf(Vec<(ClOrdId, u64)>, Sender<Vec<WireSample>>),
    Control(String, Sender<Result<String, ControlError>>),
    End,
    Abort,
}

/// Where the exchange is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addresses {
    /// OUCH over SoupBinTCP.
    pub orders: SocketAddr,
    /// Snapshots over SoupBinTCP.
    pub snapshot: SocketAddr,
    /// Market data over SoupBinTCP, from any message that is kept.
    pub replay: SocketAddr,
    /// Requests for packets (MoldUDP64, UDP).
    pub retransmission: SocketAddr,
    /// Where line A goes.
    pub line_a: Vec<SocketAddr>,
    /// Where line B goes.
    pub line_b: Vec<SocketAddr>,
    /// Where line A comes from.
    pub line_a_from: Option<SocketAddr>,
    /// Where line B comes from.
    pub line_b_from: Option<SocketAddr>,
}

/// Starts exchanges.
pub struct ExchangeServer;

impl ExchangeServer {
    /// Opens every socket, then the day, on a thread of its own. When it returns, everything listens.
    ///
    /// # Errors
    /// [`ExchangeError`]; nothing is open then.
    pub fn start(config: &ExchangeConfig) -> Result<RunningExchange, ExchangeError> {
        let (requests, inbox) = channel();
        let pipe = UnixStream::pair().and_then(|(ours, theirs)| {
            ours.set_nonblocking(true)?;
            theirs.set_nonblocking(true)?;
            Ok((ours, theirs))
        });
        let (wake, woken) = pipe.map_err(ExchangeError::Thread)?;
        let runner = Runner::new(config, inbox, woken)?;
        let addresses = runner.addresses()?;
        let thread = thread::Builder::new()
            .name("exchange".to_owned())
            .spawn(move || runner.run())
            .map_err(ExchangeError::Thread)?;
        Ok(RunningExchange { addresses, requests, wake, thread: Some(thread) })
    }
}

/// An exchange that runs. Dropped, it stops at once, without the end of the day.
pub struct RunningExchange {
    addresses: Addresses,
    requests: Sender<Request>,
    wake: UnixStream,
    thread: Option<JoinHandle<ExchangeState>>,
}

impl RunningExchange {
    /// Where it is, with the ports that the system chose.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    fn send(&self, request: Request) -> Result<(), ControlError> {
        send(&self.requests, &self.wake, request)
    }

    /// What may ask for counts from another thread.
    ///
    /// # Errors
    /// The system's, if it gives no file descriptor.
    pub fn probe(&self) -> std::io::Result<ExchangeProbe> {
        Ok(ExchangeProbe { requests: self.requests.clone(), wake: self.wake.try_clone()? })
    }

    fn wait<T>(&self, request: impl FnOnce(Sender<T>) -> Request) -> Result<T, ControlError> {
        let (answer, answered) = channel();
        self.send(request(answer))?;
        answered.recv().map_err(|_| ControlError::Stopped)
    }

    /// Books, orders, positions, money and counts, all at one moment between two turns.
    ///
    /// # Errors
    /// [`ControlError::Stopped`].
    pub fn ask(&self) -> Result<ExchangeState, ControlError> {
        self.wait(Request::State)
    }

    /// The wire-to-wire samples since the last time.
    ///
    /// # Errors
    /// [`ControlError::Stopped`].
    pub fn wire_samples(&self) -> Result<Vec<WireSample>, ControlError> {
        self.wait(Request::Samples)
    }

    /// The samples of orders whose names are no tags: each with the number of the message of market data that caused it. Arrivals of orders without a tag are
    /// forgotten then.
    ///
    /// # Errors
    /// [`ControlError::Stopped`].
    pub fn wire_samples_of(&self, causes: Vec<(ClOrdId, u64)>) -> Result<Vec<WireSample>, ControlError> {
        self.wait(|answer| Request::SamplesOf(causes, answer))
    }

    /// Carries out a line of the control language (see [`super::control`]) and gives the answer.
    ///
    /// # Errors
    /// [`ControlError`]; nothing was done then.
    pub fn control(&self, line: &str) -> Result<String, ControlError> {
        self.wait(|answer| Request::Control(line.to_owned(), answer))?
    }

    /// Whether it has stopped by itself (by `end` over its control socket).
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the day: closing crosses, system events, end of every session. Gives how it ended.
    ///
    /// # Errors
    /// [`ControlError::Stopped`] if its thread died.
    pub fn stop(mut self) -> Result<ExchangeState, ControlError> {
        // It may have stopped by itself.
        let _ = self.send(Request::End);
        let thread = self.thread.take().ok_or(ControlError::Stopped)?;
        thread.join().map_err(|_| ControlError::Stopped)
    }
}

/// Asks a running exchange for its counts, from any thread.
#[derive(Debug)]
pub struct ExchangeProbe {
    requests: Sender<Request>,
    wake: UnixStream,
}

/// An exchange that does not answer by then is not waited for.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

impl ExchangeProbe {
    /// Counts and lengths at one moment between two turns.
    ///
    /// # Errors
    /// [`ControlError::Stopped`], also if no answer comes within two seconds.
    pub fn counts(&self) -> Result<ExchangeCounts, ControlError> {
        let (answer, answered) = channel();
        send(&self.requests, &self.wake, Request::Counts(answer))?;
        answered.recv_timeout(PROBE_PATIENCE).map_err(|_| ControlError::Stopped)
    }
}

fn send(requests: &Sender<Request>, mut wake: &UnixStream, request: Request) -> Result<(), ControlError> {
    requests.send(request).map_err(|_| ControlError::Stopped)?;
    // A full pipe wakes it as well.
    let _ = wake.write(&[1]);
    Ok(())
}

impl Drop for RunningExchange {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.send(Request::Abort);
            let _ = thread.join();
        }
    }
}
