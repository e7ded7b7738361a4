//! [`OrderTap`]: what the tap stores of orders.

use super::depth::Queue;
use super::{ANSWER, Answer, DECISION, Decision, OrderWriter, StampTime};
use spinward_engine::pipeline::SlotView;
use spinward_engine::words::{EventKind, Intent, Report};

/// Writes a decision for each verdict and an answer for each report. Off the hot path: it runs after risk has sent.
#[derive(Debug)]
pub struct OrderTap {
    writer: OrderWriter,
    time: StampTime,
    normalizer: Queue,
    book: Queue,
    strategies: Vec<Queue>,
    risk: Queue,
    /// The frame in hand, and how many were ahead of it.
    frame: u64,
    ahead_normalizer: u32,
}

impl OrderTap {
    /// For a pipeline with so many strategy cores.
    pub fn new(writer: OrderWriter, time: StampTime, strategy_cores: usize) -> Self {
        Self {
            writer,
            time,
            normalizer: Queue::new(),
            book: Queue::new(),
            strategies: (0..strategy_cores).map(|_| Queue::new()).collect(),
            risk: Queue::new(),
            frame: 0,
            ahead_normalizer: 0,
        }
    }

    /// Looks at one slot.
    #[inline]
    pub(crate) fn slot(&mut self, slot: &SlotView<'_>) {
        let head = slot.head();
        if head.event.frame != self.frame {
            self.frame = head.event.frame;
            self.ahead_normalizer = self.normalizer.ahead(head.frame_stamp);
            if head.stamp.start != 0 {
                self.normalizer.push(head.stamp.start);
            }
        }
        if !slot.risk().batch.verdicts().is_empty() {
            self.decisions(slot);
        }
        if head.event.kind() == EventKind::Report {
            self.answer(slot);
        }
        if head.stamp.start != 0 {
            self.book.push(slot.book_stamp().start);
            for (queue, lane) in self.strategies.iter_mut().zip(slot.strategies()) {
                queue.push(lane.stamp.start);
            }
            self.risk.push(slot.risk().stamp.start);
        }
    }

    #[inline(never)]
    fn decisions(&mut self, slot: &SlotView<'_>) {
        let (head, book, risk) = (slot.head(), slot.book_stamp(), slot.risk());
        let strategies_done = slot.strategies().map(|lane| lane.stamp.done).max().unwrap_or(0);
        let event = bytemuck::cast(head.event);
        for verdict in risk.batch.verdicts() {
            // A cancel of risk itself was decided by no strategy; the first core stands for them.
            let has_decided = |intents: &[Intent]| {
                intents.iter().any(|i| (i.order, i.new_order) == (verdict.order, verdict.new_order))
            };
            let found = slot.strategies().enumerate().find(|(_, lane)| has_decided(lane.batch.intents()));
            let (lane, stamp) = match found.or_else(|| slot.strategies().enumerate().next()) {
                Some((lane, strategies)) => (lane, strategies.stamp),
                None => (0, Default::default()),
            };
            let decision = Decision {
                order: verdict.order,
                new_order: verdict.new_order,
                received: self.time.at(head.frame_stamp),
                normalizer: self.time.span(head.stamp),
                book: self.time.span(book),
                strategies: self.time.span(stamp),
                strategies_done: self.time.at(strategies_done),
                risk: self.time.span(risk.stamp),
                ahead_normalizer: self.ahead_normalizer,
                ahead_book: self.book.ahead(head.stamp.done),
                ahead_strategies: self.strategies.get(lane).map_or(0, |queue| queue.ahead(book.done)),
                ahead_risk: self.risk.ahead(strategies_done),
                event,
                instrument: verdict.instrument,
                strategy: verdict.strategy,
                code_number: verdict.code_number,
                action_number: verdict.action_number,
                lane: lane as u8, // below STRATEGY_CORES_MAX
                reserved: [0; 6],
            };
            self.writer.append(DECISION, head.event.receive_time, &decision);
        }
    }

    fn answer(&mut self, slot: &SlotView<'_>) {
        let head = slot.head();
        let report: Report = bytemuck::cast(head.payload);
        let strategies_done = slot.strategies().map(|lane| lane.stamp.done).max().unwrap_or(0);
        let answer = Answer {
            order: report.order,
            new_order: report.new_order,
            frame: head.event.frame,
            cause_frame: report.cause_frame,
            received: self.time.at(head.frame_stamp),
            normalizer_start: self.time.at(head.stamp.start),
            strategies_done: self.time.at(strategies_done),
            risk_done: self.time.at(slot.risk().stamp.done),
            instrument: report.instrument,
            code_number: report.code_number,
            kind_number: report.kind_number,
            flags: report.flags,
        };
        self.writer.append(ANSWER, head.event.receive_time, &answer);
    }

    /// The writer.
    pub(crate) fn finish(self) -> OrderWriter {
        self.writer
    }
}
