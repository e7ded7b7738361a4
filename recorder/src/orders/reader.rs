//! Reading orders back: decisions and answers, exits, and both joined.

use super::depth::DEPTH_MAX;
use super::{ANSWER, Answer, DECISION, Decision, EXIT, Exit};
use crate::cut::Cut;
use crate::error::JournalError;
use crate::format::StreamKind;
use crate::reader::RecordReader;
use bytemuck::Pod;
use spinward_engine::words::Nanos;
use std::collections::VecDeque;
use std::path::Path;

/// One record of the stream of orders. `receive_time` is that of the frame.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum OrderRecord {
    /// A verdict of risk.
    Decision {
        /// Of the frame that caused it.
        receive_time: Nanos,
        /// What led to it.
        decision: Decision,
    },
    /// A report that came back.
    Answer {
        /// Of the frame that brought it.
        receive_time: Nanos,
        /// When the stages had it.
        answer: Answer,
    },
}

fn pod<T: Pod>(bytes: &[u8]) -> Option<T> {
    bytemuck::try_pod_read_unaligned(bytes).ok()
}

/// Reads `latency/orders` from its first record to its end.
#[derive(Debug)]
pub struct OrderReader {
    records: RecordReader,
}

impl OrderReader {
    /// As [`JournalReader::open`](crate::JournalReader::open).
    ///
    /// # Errors
    /// As there.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        Ok(Self { records: RecordReader::open(folder, StreamKind::Orders)? })
    }

    /// The next record; `None` at the end, whole or cut.
    ///
    /// # Errors
    /// As [`JournalReader::next`](crate::JournalReader::next); also a kind or size that is none of this format.
    #[expect(clippy::should_implement_trait, reason = "of one shape with JournalReader::next")]
    pub fn next(&mut self) -> Result<Option<OrderRecord>, JournalError> {
        let Some(record) = self.records.next()? else { return Ok(None) };
        let (kind, bytes) = (record.kind, record.payload.len());
        let receive_time = Nanos::new(record.receive_time);
        let read = match kind {
            DECISION => pod(record.payload).map(|decision| OrderRecord::Decision { receive_time, decision }),
            ANSWER => pod(record.payload).map(|answer| OrderRecord::Answer { receive_time, answer }),
            _ => None,
        };
        match read {
            Some(read) => Ok(Some(read)),
            None => Err(self.records.corrupt_record(bytes, unknown(kind, bytes))),
        }
    }

    /// What was cut off at the end; `None` before the end is reached, and if nothing was.
    pub fn cut(&self) -> Option<&Cut> {
        self.records.cut()
    }
}

fn unknown(kind: u8, bytes: usize) -> String {
    format!("no record of orders has kind {kind} and {bytes} payload bytes")
}

/// Reads `latency/exits` from its first record to its end.
#[derive(Debug)]
pub struct ExitReader {
    records: RecordReader,
}

impl ExitReader {
    /// As [`JournalReader::open`](crate::JournalReader::open).
    ///
    /// # Errors
    /// As there.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        Ok(Self { records: RecordReader::open(folder, StreamKind::Exits)? })
    }

    /// The next one; `None` at the end, whole or cut.
    ///
    /// # Errors
    /// As [`OrderReader::next`].
    #[expect(clippy::should_implement_trait, reason = "of one shape with JournalReader::next")]
    pub fn next(&mut self) -> Result<Option<Exit>, JournalError> {
        let Some(record) = self.records.next()? else { return Ok(None) };
        let (kind, bytes) = (record.kind, record.payload.len());
        match (kind, pod(record.payload)) {
            (EXIT, Some(exit)) => Ok(Some(exit)),
            (_, Some(_) | None) => Err(self.records.corrupt_record(bytes, unknown(kind, bytes))),
        }
    }
}

/// A decision and its way out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Life {
    /// Receive time of the frame that caused it.
    pub receive_time: Nanos,
    /// Up to the end of risk.
    pub decision: Decision,
    /// From there on; `None` if it was dropped, the session was killed before, or stamps were off.
    pub exit: Option<Exit>,
    /// Items ahead of it in the egress ring when risk was done; 1,024: at least so many.
    pub ahead_egress: u32,
}

impl Life {
    /// The last stamp there is: sent, or the end of risk.
    pub fn ended(&self) -> Nanos {
        match self.exit {
            Some(exit) if exit.sent != Nanos::ZERO => exit.sent,
            Some(_) | None => self.decision.risk.done,
        }
    }

    /// From the frame's stamp to [`Life::ended`], nanoseconds; `None` if it has no stamps.
    pub fn length_ns(&self) -> Option<u64> {
        let ended = self.ended();
        if self.decision.received == Nanos::ZERO || ended == Nanos::ZERO {
            return None;
        }
        u64::try_from(ended.since(self.decision.received).get()).ok()
    }
}

/// Decisions with their exits, in the order of the session; answers between them.
#[derive(Debug)]
pub struct Lives {
    orders: OrderReader,
    exits: Option<ExitReader>,
    /// The next exit that has not found its decision.
    exit: Option<Exit>,
    /// When the last ones were taken.
    taken: VecDeque<Nanos>,
}

/// One item of [`Lives`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum LifeRecord {
    /// A decision, with its exit.
    Life(Life),
    /// A report.
    Answer {
        /// Receive time of its frame.
        receive_time: Nanos,
        /// When the stages had it.
        answer: Answer,
    },
}

impl Lives {
    /// Opens both streams; exits may be missing.
    ///
    /// # Errors
    /// As [`OrderReader::open`].
    pub fn open(orders: &Path, exits: &Path) -> Result<Self, JournalError> {
        let exits = if exits.is_dir() { Some(ExitReader::open(exits)?) } else { None };
        let mut lives =
            Self { orders: OrderReader::open(orders)?, exits, exit: None, taken: VecDeque::new() };
        lives.next_exit()?;
        Ok(lives)
    }

    fn next_exit(&mut self) -> Result<(), JournalError> {
        self.exit = match &mut self.exits {
            Some(exits) => exits.next()?,
            None => None,
        };
        Ok(())
    }

    /// The next one; `None` at the end.
    ///
    /// # Errors
    /// As [`OrderReader::next`].
    #[expect(clippy::should_implement_trait, reason = "of one shape with JournalReader::next")]
    pub fn next(&mut self) -> Result<Option<LifeRecord>, JournalError> {
        let (receive_time, decision) = match self.orders.next()? {
            None => return Ok(None),
            Some(OrderRecord::Answer { receive_time, answer }) => {
                return Ok(Some(LifeRecord::Answer { receive_time, answer }));
            }
            Some(OrderRecord::Decision { receive_time, decision }) => (receive_time, decision),
        };
        // Both streams have the order of the verdicts; either may lack some.
        while self.exit.is_some_and(|exit| exit.frame < decision.frame()) {
            self.take_exit()?;
        }
        let first = self.taken.partition_point(|taken| *taken <= decision.risk.done);
        let ahead_egress = (self.taken.len() - first) as u32; // at most DEPTH_MAX
        let is_its_own = |exit: &Exit| {
            (exit.frame, exit.order, exit.new_order, exit.action_number)
                == (decision.frame(), decision.order, decision.new_order, decision.action_number)
        };
        let exit = self.exit.filter(is_its_own);
        if exit.is_some() {
            self.take_exit()?;
        }
        Ok(Some(LifeRecord::Life(Life { receive_time, decision, exit, ahead_egress })))
    }

    fn take_exit(&mut self) -> Result<(), JournalError> {
        if let Some(exit) = self.exit {
            if self.taken.len() >= DEPTH_MAX {
                self.taken.pop_front();
            }
            self.taken.push_back(exit.taken);
        }
        self.next_exit()
    }

    /// What was cut off at the end of the orders; `None` before the end is reached, and if nothing was.
    pub fn cut(&self) -> Option<&Cut> {
        self.orders.cut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appender::Identity;
    use crate::orders::{OrderWriter, StageTimes};
    use crate::preparer::{JournalConfig, Preparer};
    use spinward_engine::words::OrderId;

    fn decision(frame: u64, order: u64, done: i64) -> Decision {
        let risk = StageTimes { start: Nanos::new(done - 10), done: Nanos::new(done) };
        let event = [frame, 0, 0, 0, 0, 0, 0, 0];
        Decision {
            order: OrderId::new(order),
            received: Nanos::new(done - 100),
            risk,
            event,
            ..Decision::default()
        }
    }

    fn exit(frame: u64, order: u64, taken: i64) -> Exit {
        let sent = Nanos::new(taken + 5);
        Exit { frame, order: OrderId::new(order), taken: Nanos::new(taken), sent, ..Exit::default() }
    }

    #[test]
    fn decisions_find_their_exits_although_some_were_dropped_on_either_side() {
        let folder = tempfile::tempdir().unwrap();
        let (orders, exits) = (folder.path().join("orders"), folder.path().join("exits"));
        let config = JournalConfig { segment_bytes: 8192, prefault_bytes: 8192, ..JournalConfig::default() };
        let preparer = Preparer::manual();
        let mut writer = OrderWriter::orders(&orders, &config, &preparer, Identity::new()).unwrap();
        for (frame, order, done) in
            [(1, 10, 1_000), (2, 20, 2_000), (2, 21, 2_000), (3, 30, 3_000), (5, 50, 5_000)]
        {
            writer.append(DECISION, Nanos::new(frame), &decision(frame as u64, order, done));
        }
        writer.append(ANSWER, Nanos::new(9), &Answer { frame: 9, ..Answer::default() });
        writer.finish().unwrap();
        // Of frame 2 the first one is missing; the decision of frame 4 is. The sequencer is held up until 9,000.
        let mut writer = OrderWriter::exits(&exits, &config, &preparer, Identity::new()).unwrap();
        for (frame, order, taken) in
            [(1, 10, 1_100), (2, 21, 9_000), (3, 30, 9_001), (4, 40, 9_002), (5, 50, 9_003)]
        {
            writer.append(EXIT, Nanos::new(frame), &exit(frame as u64, order, taken));
        }
        writer.finish().unwrap();

        let mut lives = Lives::open(&orders, &exits).unwrap();
        let mut told = Vec::new();
        let mut answers = 0;
        while let Some(record) = lives.next().unwrap() {
            match record {
                LifeRecord::Life(life) => told.push((
                    life.decision.order.get(),
                    life.exit.map(|exit| exit.taken.get()),
                    life.ahead_egress,
                    life.length_ns(),
                )),
                LifeRecord::Answer { .. } => answers += 1,
            }
        }
        assert_eq!(
            told,
            [
                (10, Some(1_100), 0, Some(205)),
                (20, None, 0, Some(100)),
                (21, Some(9_000), 0, Some(7_105)),
                (30, Some(9_001), 1, Some(6_106)),
                (50, Some(9_003), 3, Some(4_108)),
            ]
        );
        assert_eq!(answers, 1);
    }
}
