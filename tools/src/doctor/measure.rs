//! What a clock says of the host: flags can be set and not hold.
//!
//! All steps together take about six seconds, whatever the number of cores: each has a deadline.

mod clock;
mod disk;
mod hop;
mod judge;
mod socket;
mod spin;
mod stolen;
mod timer;

pub(crate) use judge::{CHECKS, judge};

use super::host::Host;
use super::subject::Subject;
use serde::Serialize;
use spinward_engine::words::Clock;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Everything measured.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Measured {
    /// One for each core.
    pub(crate) spin: Vec<spin::Spin>,
    /// One for each pair of cores.
    pub(crate) hops: Vec<hop::Hop>,
    /// One for each core.
    pub(crate) timer: Vec<timer::Timer>,
    pub(crate) clock: Option<clock::ClockRate>,
    /// The error's text if it could not be measured.
    pub(crate) fsync: Option<Result<disk::Fsync, String>>,
    pub(crate) socket: Option<Result<socket::Socket, String>>,
    /// Time stolen while all this was measured, one for each core.
    pub(crate) stolen: Vec<stolen::Stolen>,
}

/// Tells on the standard error what is going on.
pub(crate) struct Progress {
    is_quiet: bool,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new(is_quiet: bool) -> Self {
        Self { is_quiet, is_terminal: std::io::stderr().is_terminal() }
    }

    fn step(&mut self, text: &str) {
        if self.is_quiet {
            return;
        }
        // A terminal that is gone is no reason to end.
        let _ = if self.is_terminal {
            write!(std::io::stderr(), "\r\x1b[Kmeasuring {text} …")
        } else {
            writeln!(std::io::stderr(), "measuring {text} …")
        };
        let _ = std::io::stderr().flush();
    }

    fn clear(&mut self) {
        if self.is_terminal && !self.is_quiet {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

const SPIN: Duration = Duration::from_millis(1_500);
const HOPS: Duration = Duration::from_millis(1_500);
const TIMER: Duration = Duration::from_millis(1_000);
const FSYNC: Duration = Duration::from_millis(1_000);
const SOCKET: Duration = Duration::from_millis(500);

/// Measures what the subject uses.
pub(super) fn measure(host: &Host, subject: &Subject, progress: &mut Progress) -> Measured {
    // Cores this process may not use would be measured somewhere else.
    let cores: Vec<usize> = subject.cores.and(&subject.allowed).iter().collect();
    let clock = Clock::new();
    let mut measured = Measured::default();
    let rate = clock::Rate::begin(&clock);
    let before = stolen::read(host, &cores);
    progress.step(&format!("spin jitter of cores {} ({} s)", subject.cores, SPIN.as_secs_f32()));
    measured.spin = spin::measure(&clock, &cores, SPIN);
    progress.step("the distance between the cores");
    measured.hops = hop::measure(&clock, &cores, HOPS);
    progress.step("the timer");
    measured.timer = timer::measure(&cores, TIMER);
    progress.step("flushes to the disk of the sessions");
    measured.fsync = Some(disk::measure(&subject.sessions, FSYNC).map_err(|error| error.to_string()));
    progress.step("a socket of the loopback");
    measured.socket = Some(socket::measure(&cores, SOCKET).map_err(|error| error.to_string()));
    measured.stolen = stolen::since(host, &before);
    measured.clock = rate.end();
    progress.clear();
    measured
}

/// The value below which this share of a sorted list lies; 0 of nothing.
fn quantile(sorted: &[u64], share: f64) -> u64 {
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// Runs `work` on a thread pinned to each of the cores, all at once, and gives the results in the order of the cores.
/// A core that cannot be had gives nothing.
fn on_each<T: Send>(cores: &[usize], work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            cores.iter().map(|&core| scope.spawn(move || pin(core).then(|| work(core)))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
    })
}

/// Pins this thread; false if the core cannot be had.
fn pin(core: usize) -> bool {
    let mut set = rustix::thread::CpuSet::new();
    if core >= rustix::thread::CpuSet::MAX_CPU {
        return false;
    }
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_taken_from_the_list_itself() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!(quantile(&sorted, 0.5), 51);
        assert_eq!(quantile(&sorted, 0.99), 100);
        assert_eq!(quantile(&sorted, 1.0), 100);
        assert_eq!(quantile(&[], 0.5), 0);
    }

    #[test]
    fn a_core_that_cannot_be_had_gives_no_result() {
        assert_eq!(on_each(&[100_000], |core| core), [] as [usize; 0]);
    }
}
