//! Whole pipelines under a load that is known beforehand: frames from memory, orders answered at once.

use crate::report::histogram;
use hdrhistogram::Histogram;
use spinward_engine::book::{BookConfig, BookStage};
use spinward_engine::normalizer::Normalizer;
use spinward_engine::pipeline::{
    Driver, FrameSink, HostCores, IdleStrategy, Next, Pipeline, PipelineConfig, SinkAnswer, SlotSink,
    SlotView, Stages, StampMode, Topology,
};
use spinward_engine::risk::{
    Collar, InstrumentLimits, Outbound, Risk, RiskConfig, StrategyInstrument, StrategyLimits,
};
use spinward_engine::strategy::{ImbalanceTaker, ImbalanceTakerParameters, StrategyRunner, StrategySlot};
use spinward_engine::words::{
    Action, Clock, EventKind, Fees, FrameKind, Instrument, InstrumentId, InstrumentTable, Message, Money,
    Nanos, Price, Qty, Report, ReportKind, SessionCalendar, SourceId, StrategyId, Symbol, TickTable, Ticks,
    TradingTerms,
};
use spinward_gateways::itch50::{Itch50Config, Itch50Decoder};
use spinward_gateways::synthetic::{SyntheticConfig, SyntheticFeed, symbol_of};
use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

/// A market in memory.
pub struct Market {
    /// Midnight of its day.
    pub midnight: Nanos,
    bytes: Vec<u8>,
    messages: Vec<(Nanos, u32, u16)>,
    /// Messages of the opening: the books are empty before.
    pub opening: usize,
    /// Orders that rest at once.
    pub live_orders: usize,
}

impl Market {
    /// Generates `count` messages behind the opening of the books.
    ///
    /// # Errors
    /// What the generator says of its settings.
    pub fn generate(config: &SyntheticConfig, count: usize) -> Result<Self, Box<dyn Error>> {
        let mut feed = SyntheticFeed::new(config)?;
        let opening = config.live_orders + config.symbols * 4;
        let mut market = Self {
            midnight: config.midnight,
            bytes: Vec::new(),
            messages: Vec::new(),
            opening,
            live_orders: config.live_orders,
        };
        while market.messages.len() < opening + count {
            let Some(message) = feed.next_message() else { break };
            market.messages.push((
                message.receive_time,
                u32::try_from(market.bytes.len())?,
                message.bytes.len() as u16, // an ITCH message has at most 50
            ));
            market.bytes.extend_from_slice(message.bytes);
        }
        Ok(market)
    }

    /// Few hot symbols: 50 of them, 20,000 live orders.
    pub fn hot(seed: u64) -> SyntheticConfig {
        SyntheticConfig {
            seed,
            symbols: 50,
            live_orders: 20_000,
            rate: 1_000_000,
            duration: None,
            ..SyntheticConfig::default()
        }
    }

    /// A full market: 8,000 symbols, 467,000 live orders.
    pub fn full(seed: u64) -> SyntheticConfig {
        SyntheticConfig { symbols: 8_000, live_orders: 467_000, ..Self::hot(seed) }
    }

    /// How many messages there are.
    pub fn count(&self) -> usize {
        self.messages.len()
    }

    /// Time and bytes of a message.
    pub fn message(&self, index: usize) -> Option<(Nanos, &[u8])> {
        let (time, offset, bytes) = *self.messages.get(index)?;
        let start = offset as usize;
        Some((time, self.bytes.get(start..start + usize::from(bytes))?))
    }
}

/// How the frames come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// As fast as the pipeline takes them.
    Max,
    /// So many a second, each at its intended time, whether the pipeline keeps up or not (open loop).
    Rate(u64),
    /// Groups of so many at once, each group this many nanoseconds after the one before.
    Bursts(usize, u64),
}

/// Gives frames from memory and answers orders at once.
pub struct MemoryDriver {
    market: Arc<Market>,
    clock: Clock,
    next: usize,
    load: Load,
    /// Ticks a second, and the first intended tick of the measured part.
    ticks_per_second: u64,
    begin: Option<Ticks>,
    /// Whether frames carry the intended time or the time of entry.
    stamps_entry: bool,
    answers: VecDeque<Report>,
    answer: [u8; 96],
    has_answer: bool,
    last_time: Nanos,
    exec: u64,
    round_trip: Histogram<u64>,
    results: SyncSender<Histogram<u64>>,
    is_over: bool,
    elapsed: SyncSender<u64>,
}

impl MemoryDriver {
    fn due(&self) -> Ticks {
        let Some(begin) = self.begin else { return 0 };
        let index = (self.next - self.market.opening) as u64;
        match self.load {
            Load::Max => 0,
            // index < 2^32, ticks_per_second < 2^34
            Load::Rate(rate) => begin + index * self.ticks_per_second / rate,
            Load::Bursts(size, gap_ns) => {
                begin + (index / size as u64) * (gap_ns * (self.ticks_per_second / 1_000_000) / 1_000)
            }
        }
    }
}

impl Driver for MemoryDriver {
    fn submit(&mut self, outbound: &Outbound) {
        let order = match outbound {
            Outbound::Order(order) => order,
            Outbound::Refusal { verdict, frame, .. } => {
                let kind = match Action::from_number(verdict.action_number) {
                    Some(Action::Cancel) => ReportKind::CancelRejected,
                    Some(Action::Replace) => ReportKind::ReplaceRejected,
                    Some(Action::New) | None => ReportKind::Rejected,
                };
                self.answers.push_back(Report {
                    order: verdict.order,
                    new_order: verdict.new_order,
                    cause_frame: *frame,
                    instrument: verdict.instrument,
                    code_number: verdict.code_number,
                    kind_number: kind as u8,
                    side_number: verdict.side_number,
                    flags: Report::FROM_RISK,
                    ..Report::default()
                });
                return;
            }
            Outbound::Vacant => return,
        };
        if self.begin.is_some() {
            let now = self.clock.ticks();
            self.round_trip.saturating_record(self.clock.nanos_between(order.frame_stamp(), now).max(1));
        }
        // The taker's orders are immediate: accepted, and cancelled unfilled, so that it never runs out of position.
        self.exec += 1;
        let report = Report {
            order: order.order(),
            price: order.price(),
            qty: order.qty(),
            leaves: order.qty(),
            venue_order: self.exec,
            cause_frame: order.frame(),
            instrument: order.instrument(),
            kind_number: ReportKind::Accepted as u8,
            side_number: order.side() as u8,
            ..Report::default()
        };
        self.answers.push_back(report);
        self.answers.push_back(Report {
            leaves: Qty::ZERO,
            kind_number: ReportKind::Cancelled as u8,
            ..report
        });
    }

    fn next(&mut self, done: u64) -> Next<'_> {
        if self.has_answer || !self.answers.is_empty() {
            if !self.has_answer
                && let Some(report) = self.answers.pop_front()
            {
                self.answer = bytemuck::cast(report);
                self.has_answer = true;
            }
            return Next::Message(Message {
                source: SourceId::new(1),
                kind: FrameKind::Report,
                receive_time: self.last_time,
                stamp: 0,
                bytes: &self.answer,
            });
        }
        if self.next == self.market.opening && self.begin.is_none() {
            // The opening must be digested before the clock runs.
            if done < self.market.opening as u64 {
                return Next::Wait;
            }
            self.begin = Some(self.clock.ticks() + self.ticks_per_second / 1_000);
        }
        let due = self.due();
        if due != 0 && self.clock.ticks() < due {
            return Next::Wait;
        }
        match self.market.message(self.next) {
            Some((time, bytes)) if !self.is_over => {
                self.last_time = time;
                let stamp = if self.stamps_entry { 0 } else { due };
                Next::Message(Message {
                    source: SourceId::new(0),
                    kind: FrameKind::Market,
                    receive_time: time,
                    stamp,
                    bytes,
                })
            }
            Some(_) | None => {
                if !self.is_over {
                    self.is_over = true;
                    let begin = self.begin.unwrap_or(0);
                    let _ = self.elapsed.try_send(self.clock.nanos_between(begin, self.clock.ticks()));
                    let _ = self.results.try_send(self.round_trip.clone());
                }
                Next::End
            }
        }
    }

    fn advance(&mut self, _: u64) {
        if self.has_answer {
            self.has_answer = false;
        } else {
            self.next += 1;
        }
    }

    fn now(&self) -> Nanos {
        self.last_time
    }

    fn stop(&mut self) {
        self.is_over = true;
    }
}

/// What a round measured.
#[derive(Clone, Debug)]
pub struct Round {
    /// Frame taken to order in the egress ring, of frames that an order came of.
    pub service: Histogram<u64>,
    /// Frame's stamp (entry or intended) to the order in the driver's hand, on the other core.
    pub round_trip: Histogram<u64>,
    /// Frame's stamp to the end of risk, first and last of each burst.
    pub burst: [Histogram<u64>; 2],
    /// Length of the measured part, nanoseconds.
    pub elapsed_ns: u64,
    /// Frames in it.
    pub frames: u64,
}

struct LatencySink {
    clock: Clock,
    service: Histogram<u64>,
    burst: [Histogram<u64>; 2],
    burst_size: usize,
    market_frames: u64,
    opening: u64,
    results: SyncSender<(Histogram<u64>, [Histogram<u64>; 2])>,
}

impl SlotSink for LatencySink {
    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer {
        let head = slot.head();
        if matches!(head.event.kind(), EventKind::Report | EventKind::Timer) {
            return SinkAnswer::Kept;
        }
        self.market_frames += 1;
        if self.market_frames <= self.opening {
            return SinkAnswer::Kept;
        }
        let risk = slot.risk();
        if risk.batch.verdicts().iter().any(|verdict| verdict.is_approved()) && head.stamp.start != 0 {
            self.service
                .saturating_record(self.clock.nanos_between(head.stamp.start, risk.stamp.done).max(1));
        }
        if self.burst_size > 1 {
            let index = (self.market_frames - self.opening - 1) as usize % self.burst_size;
            let which = if index == 0 { Some(0) } else { (index + 1 == self.burst_size).then_some(1) };
            if let Some(histogram) = which.and_then(|which| self.burst.get_mut(which)) {
                histogram
                    .saturating_record(self.clock.nanos_between(head.frame_stamp, risk.stamp.done).max(1));
            }
        }
        SinkAnswer::Kept
    }

    fn finish(&mut self) {
        let _ = self.results.try_send((self.service.clone(), self.burst.clone()));
    }
}

/// What a round is made of.
pub struct Setup {
    /// The frames.
    pub market: Arc<Market>,
    /// How they come.
    pub load: Load,
    /// Stamps: none for throughput.
    pub stamps: StampMode,
    /// Whether frames are stamped when they enter instead of with their intended time.
    pub stamps_entry: bool,
    /// Symbols that the taker trades, the most active ones; 0: nothing is traded.
    pub traded: usize,
    /// Most events of an agent's turn.
    pub burst: usize,
}

/// Runs one round on cores 0 (sequencer) and 1 (everything else).
///
/// # Errors
/// Whatever a part says of its settings.
pub fn round(
    setup: &Setup,
    clock: &Clock,
    journal: impl FrameSink + 'static,
) -> Result<Round, Box<dyn Error>> {
    let (results, round_trips) = sync_channel(1);
    let (elapsed, lengths) = sync_channel(1);
    let (sink_results, services) = sync_channel(1);
    let ticks_per_second = {
        let span = 1u64 << 32;
        span * 1_000_000_000 / clock.nanos_between(0, span).max(1)
    };
    let driver = MemoryDriver {
        market: Arc::clone(&setup.market),
        clock: clock.clone(),
        next: 0,
        load: setup.load,
        ticks_per_second,
        begin: None,
        stamps_entry: setup.stamps_entry,
        answers: VecDeque::with_capacity(4_096),
        answer: [0; 96],
        has_answer: false,
        last_time: Nanos::ZERO,
        exec: 0,
        round_trip: histogram()?,
        results,
        is_over: false,
        elapsed,
    };
    let burst_size = match setup.load {
        Load::Bursts(size, _) => size,
        Load::Max | Load::Rate(_) => 0,
    };
    let sink = LatencySink {
        clock: clock.clone(),
        service: histogram()?,
        burst: [histogram()?, histogram()?],
        burst_size,
        market_frames: 0,
        opening: setup.market.opening as u64,
        results: sink_results,
    };
    let host = HostCores { allowed: vec![0, 1], isolated: Vec::new() };
    let topology = Topology::fused(&[0, 1], 1, IdleStrategy::Spin);
    let config = PipelineConfig { stamps: setup.stamps, burst: setup.burst, ..PipelineConfig::default() };
    let pipeline = Pipeline::start(
        &config,
        &topology,
        &host,
        clock,
        stages(&setup.market, setup.traded)?,
        driver,
        None,
        journal,
        sink,
    )?;
    pipeline.join().ok_or("a thread panicked")?;
    let (service, burst) = services.recv()?;
    Ok(Round {
        service,
        round_trip: round_trips.recv()?,
        burst,
        elapsed_ns: lengths.recv()?,
        frames: (setup.market.count() - setup.market.opening) as u64,
    })
}

/// Decoder, books, one imbalance taker on the most active symbols, risk.
///
/// # Errors
/// Whatever a part says of its settings.
pub fn stages(market: &Market, traded: usize) -> Result<Stages, Box<dyn Error>> {
    let tick = Price::from_nanos(10_000_000);
    let mut table = InstrumentTable::with_capacity(16_384);
    for rank in 0..traded.max(1) {
        table.add(Instrument {
            id: InstrumentId::new(0),
            source: SourceId::new(0),
            symbol: Symbol::new(&symbol_of(rank).to_string()).ok_or("symbol")?,
            lot: 1_000_000_000,
            price_decimals: 4,
            qty_decimals: 0,
            terms: Some(TradingTerms {
                ticks: TickTable::uniform(tick).ok_or("tick")?,
                multiplier: 1_000_000_000,
                currency: Symbol::new("USD").ok_or("currency")?,
                fees: Fees::default(),
                calendar: SessionCalendar::always(),
                expiry: Nanos::MAX,
                price_min: Price::ZERO,
                price_max: Price::MAX,
            }),
        });
    }
    let ids: Vec<InstrumentId> = table.iter().map(|instrument| instrument.id).collect();
    let limits = InstrumentLimits {
        order_qty_max: Qty::from_lots(1_000),
        order_notional_max: Money::from_nanos(1_000_000_000_000_000),
        position_max: Qty::from_lots(100_000),
        collar: Collar { ppm: 50_000, ticks: 100 },
    };
    let risk = RiskConfig {
        instruments: ids.iter().map(|_| Some(limits)).collect(),
        strategies: vec![StrategyLimits {
            instruments: ids
                .iter()
                .map(|id| StrategyInstrument { instrument: *id, position_max: Qty::from_lots(100_000) })
                .collect(),
        }],
        open_orders_max: 1_024,
        message_rate_max: 20_000,
        message_rate_window: Nanos::from_millis(100),
        duplicate_window: Nanos::ZERO,
        stale_after: Nanos::from_secs(60),
        egress_slots: PipelineConfig::default().egress_slots,
        ..RiskConfig::default()
    };
    let taker = ImbalanceTaker::new(ImbalanceTakerParameters {
        order_qty: 100,
        position_limit: 1_000,
        levels: 5,
        entry_imbalance_ppm: 200_000,
        exit_imbalance_ppm: 0,
        max_spread_ticks: 10,
        cool_down_ms: 0,
        holding_time_ms: 1_000,
        pause_after_reject_ms: 0,
    })?;
    let slots = if traded == 0 {
        Vec::new()
    } else {
        vec![StrategySlot {
            id: StrategyId::new(0),
            name: "taker".to_owned(),
            strategy: Box::new(taker),
            instruments: ids,
            intent_ttl: Nanos::from_secs(1),
            max_in_flight: 128,
            max_open_orders: 128,
        }]
    };
    // Tables sized for the market, with room for twice its orders: what is not needed only spreads the rest over more pages.
    let book = BookConfig {
        orders_max: (market.live_orders * 2).next_power_of_two(),
        levels_max: (market.live_orders * 2).next_power_of_two(),
        ..BookConfig::default()
    };
    let decoder =
        Itch50Decoder::new(Itch50Config { midnight: Some(market.midnight), ..Itch50Config::default() });
    Ok(Stages {
        normalizer: Normalizer::new(vec![Box::new(decoder)], table.clone()),
        book: BookStage::new(&book)?,
        runners: vec![StrategyRunner::new(slots, table.clone())?],
        risk: Risk::new(&risk, &table)?,
    })
}
