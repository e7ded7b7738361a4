//! [`Load`]: when frames arrive. Open loop: the times are settled before the run, so a pipeline that falls behind sees the queue that it caused, and the
//! latency from the *intended* time contains the wait in it.

use crate::error::LabError;
use crate::random::Random;
use spinward_engine::words::FrameKind;
use spinward_gateways::feed::Peek;
use spinward_gateways::file::{self, FileFormat, FileSpec};
use spinward_recorder::JournalReader;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the frames come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Load {
    /// As fast as the pipeline takes them.
    Max,
    /// So many a second, each at its intended time, whether the pipeline keeps up or not.
    Rate(u64),
    /// Groups of so many at once, each group this many nanoseconds after the one before.
    Bursts(usize, u64),
    /// Independent arrivals, so many a second in the mean, from a seed.
    Poisson {
        /// Mean, a second.
        rate: u64,
        /// From which all times follow.
        seed: u64,
    },
    /// The arrival times of a capture, nanoseconds since its first message, ascending. A longer run goes through them again.
    Replayed(Arc<Replay>),
    /// **The control, not a measurement**: closed loop. The next frame goes no sooner than the one before is done, this many a second at most, and its
    /// latency counts from when it was sent: a stall hides all the frames that it held back (coordinated omission).
    Closed(u64),
}

/// Arrival times of a capture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replay {
    /// Where from, and how much faster.
    pub name: String,
    /// Nanoseconds since the first message, ascending.
    pub offsets: Vec<u64>,
}

impl Load {
    /// Intended times of `count` frames, nanoseconds since the begin of the load, ascending; `None` where the pipeline's own pace decides.
    pub fn offsets(&self, count: usize) -> Option<Vec<u64>> {
        let second = 1_000_000_000u128;
        let even = |rate: u64| {
            // index · 10^9 < 2^94
            let at = move |index: usize| (index as u128 * second / u128::from(rate.max(1))) as u64;
            (0..count).map(at).collect()
        };
        match self {
            Load::Max | Load::Closed(_) => None,
            Load::Rate(rate) => Some(even(*rate)),
            Load::Bursts(size, gap_ns) => {
                Some((0..count).map(|index| (index / (*size).max(1)) as u64 * gap_ns).collect())
            }
            Load::Poisson { rate, seed } => {
                let mut random = Random::new(*seed);
                let mean_ns = 1e9 / (*rate).max(1) as f64;
                let mut time = 0.0;
                let mut next = || {
                    let now = time;
                    // The gaps of a Poisson process are exponential: the inverse of their distribution at an even number of (0, 1].
                    time -= mean_ns * random.unit().ln();
                    now as u64
                };
                Some((0..count).map(|_| next()).collect())
            }
            Load::Replayed(replay) => Some(replay.repeated(count)),
        }
    }

    /// Frames a second in the long run; `None` where the pipeline's own pace decides.
    pub fn rate(&self) -> Option<u64> {
        match self {
            Load::Max => None,
            Load::Rate(rate) | Load::Poisson { rate, .. } | Load::Closed(rate) => Some(*rate),
            Load::Bursts(size, gap_ns) => Some(*size as u64 * 1_000_000_000 / (*gap_ns).max(1)),
            Load::Replayed(replay) => {
                let span = replay.period();
                Some((replay.offsets.len() as u128 * 1_000_000_000 / u128::from(span.max(1))) as u64)
            }
        }
    }

    /// Frames of one burst; 1 where there are none.
    pub fn burst(&self) -> usize {
        match self {
            Load::Bursts(size, _) => (*size).max(1),
            Load::Max | Load::Rate(_) | Load::Poisson { .. } | Load::Replayed(_) | Load::Closed(_) => 1,
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Load::Max => f.write_str("as fast as it goes"),
            Load::Rate(rate) => write!(f, "open loop, {rate} frames/s, evenly"),
            Load::Bursts(size, gap) => write!(f, "open loop, bursts of {size}, {gap} ns apart"),
            Load::Poisson { rate, seed } => write!(f, "open loop, {rate} frames/s, Poisson, seed {seed}"),
            Load::Replayed(replay) => write!(f, "open loop, arrival times of {}", replay.name),
            Load::Closed(rate) => write!(f, "closed loop (control), at most {rate} frames/s"),
        }
    }
}

impl Replay {
    /// The time after which it begins anew: its length and one mean gap.
    fn period(&self) -> u64 {
        let length = self.offsets.last().copied().unwrap_or(0);
        length + (length / (self.offsets.len().max(2) as u64 - 1)).max(1)
    }

    fn repeated(&self, count: usize) -> Vec<u64> {
        let period = self.period();
        let turns = 0u64..;
        turns
            .flat_map(|turn| self.offsets.iter().map(move |offset| turn.saturating_mul(period) + offset))
            .take(if self.offsets.is_empty() { 0 } else { count })
            .collect()
    }

    /// Arrival times of market data in a capture, `speed` times faster: `itch50:FILE`, `binance:FILE[,FILE…]` or `session:FOLDER` (the journal
    /// of a session).
    ///
    /// # Errors
    /// [`LabError`]: no such kind, a file that cannot be read, fewer than two messages, a speed that is not above zero.
    pub fn open(source: &str, speed: f64) -> Result<Self, LabError> {
        if !(speed.is_finite() && speed > 0.0) {
            return Err(LabError::Usage(format!("speed {speed}: give a number above 0")));
        }
        let (kind, path) = source.split_once(':').unwrap_or((source, ""));
        let times = match kind {
            "itch50" => {
                let format = FileFormat::Itch50 { midnights: vec![spinward_engine::words::Nanos::ZERO] };
                file_times(format, path)?
            }
            "binance" => file_times(FileFormat::Binance, path)?,
            "session" => journal_times(Path::new(path))?,
            _ => {
                let what =
                    format!("capture {source:?}: give itch50:FILE, binance:FILE[,FILE…] or session:FOLDER");
                return Err(LabError::Usage(what));
            }
        };
        let [first, _, ..] = times.as_slice() else {
            return Err(LabError::Usage(format!("capture {source}: fewer than two market messages in it")));
        };
        let offsets = times.iter().map(|time| ((time - first).max(0) as f64 / speed) as u64).collect();
        Ok(Self { name: format!("{source}, {speed} times as fast"), offsets })
    }
}

fn file_times(format: FileFormat, paths: &str) -> Result<Vec<i64>, LabError> {
    let paths: Vec<PathBuf> = paths.split(',').map(PathBuf::from).collect();
    let mut feed = file::open(&FileSpec::new(format, paths)).map_err(|error| LabError::Usage(error.what))?;
    let mut times = Vec::new();
    loop {
        match feed.peek() {
            Peek::Message(message) => times.push(message.receive_time.get()),
            Peek::NotYet => {
                std::thread::yield_now();
                continue;
            }
            Peek::End => return Ok(times),
            Peek::Failed(error) => return Err(LabError::Usage(error.what.clone())),
        }
        feed.advance();
    }
}

fn journal_times(session: &Path) -> Result<Vec<i64>, LabError> {
    let mut reader =
        JournalReader::open(&session.join("journal")).map_err(|error| LabError::file(session, error))?;
    let mut times = Vec::new();
    while let Some(frame) = reader.next().map_err(|error| LabError::file(session, error))? {
        // A chained message arrived once.
        if frame.kind() == Some(FrameKind::Market) && !frame.has_more() {
            times.push(frame.receive_time.get());
        }
    }
    Ok(times)
}

#[cfg(test)]
mod tests;
