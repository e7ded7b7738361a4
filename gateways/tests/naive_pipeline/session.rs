//! Generated sessions: market, venue, strategies and limits from a few numbers.

use crate::l2::{self, MemoryFeed};
use proptest::prelude::*;
use spinward_engine::book::BookConfig;
use spinward_engine::normalizer::Decoder;
use spinward_engine::risk::{Collar, InstrumentLimits, RiskConfig, StrategyInstrument, StrategyLimits};
use spinward_engine::strategy::{
    ImbalanceTaker, ImbalanceTakerParameters, MarketMaker, MarketMakerParameters, Strategy as Trading,
    StrategyRunner, StrategySlot,
};
use spinward_engine::words::{
    Clock, Fee, Fees, Instrument, InstrumentId, InstrumentTable, Money, Nanos, Price, Qty, SessionCalendar,
    StrategyId, Symbol, TickTable, TradingTerms,
};
use spinward_gateways::binance::{BinanceConfig, BinanceDecoder};
use spinward_gateways::feed::MarketFeed;
use spinward_gateways::itch50::{Itch50Config, Itch50Decoder};
use spinward_gateways::paper::{Latency, MarketBook, PaperConfig, PaperVenue};
use spinward_gateways::simulation::{Simulation, SimulationConfig, SourceIds};
use spinward_gateways::synthetic::{Arrivals, SyntheticConfig, SyntheticFeed, symbol_of};

/// What the market speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    /// ITCH 5.0: order by order.
    Itch { even: bool, directory: bool },
    /// Binance spot: levels, with holes and resyncs.
    Binance,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Maker { half_spread: i64, skew: i64, threshold: i64, requote_us: i64 },
    Taker { entry_ppm: i64, exit_ppm: i64, spread: i64, cool_ms: i64, hold_ms: i64 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    qty: i64,
    position: i64,
    ttl_us: i64,
    max_in_flight: usize,
    max_open_orders: usize,
    pause_ms: i64,
    /// Bits: which instruments; at least one is taken.
    instruments: u8,
}

/// The limits of risk; small ones refuse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    order_qty: i64,
    position: i64,
    strategy_position: i64,
    collar_ppm: u32,
    open_orders: usize,
    message_rate: u32,
    duplicate_us: i64,
    stale_ms: i64,
    egress_slots: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) seed: u64,
    protocol: Protocol,
    symbols: usize,
    rate: u32,
    messages: u64,
    paper: PaperConfig,
    simulation: SimulationConfig,
    strategies: Vec<Vec<Spec>>,
    limits: Limits,
    view_levels: usize,
}

fn a_latency() -> impl Strategy<Value = Latency> {
    (prop_oneof![1i64..50, 50i64..3_000], prop_oneof![Just(0i64), 1i64..2_000]).prop_map(|(base, jitter)| {
        Latency { base: Nanos::from_micros(base), jitter: Nanos::from_micros(jitter) }
    })
}

fn a_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => (1i64..4, prop_oneof![Just(0i64), 1i64..3_000], 0i64..3, prop_oneof![Just(0i64), 100i64..20_000])
            .prop_map(|(half_spread, skew, threshold, requote_us)| Kind::Maker {
                half_spread,
                skew,
                threshold,
                requote_us
            }),
        2 => (50_000i64..700_000, -400_000i64..40_000, 1i64..40, 0i64..20, 1i64..100).prop_map(
            |(entry_ppm, exit_ppm, spread, cool_ms, hold_ms)| Kind::Taker {
                entry_ppm,
                exit_ppm,
                spread,
                cool_ms,
                hold_ms
            }
        ),
    ]
}

prop_compose! {
    fn a_spec()(
        kind in a_kind(), qty in 1i64..200, position in 1i64..2_000,
        ttl_us in prop_oneof![1i64..500, 10_000i64..1_000_000],
        max_in_flight in 1usize..16, max_open_orders in 1usize..32,
        pause_ms in prop_oneof![1 => Just(0i64), 6 => 1i64..20], instruments in any::<u8>(),
    ) -> Spec {
        Spec { kind, qty, position, ttl_us, max_in_flight, max_open_orders, pause_ms, instruments }
    }
}

prop_compose! {
    fn limits()(
        order_qty in prop_oneof![6 => Just(1_000i64), 1 => 1i64..150],
        position in prop_oneof![4 => Just(100_000i64), 1 => 1i64..500],
        strategy_position in prop_oneof![4 => Just(100_000i64), 1 => 1i64..500],
        collar_ppm in prop_oneof![6 => Just(100_000u32), 1 => 10u32..500],
        open_orders in prop_oneof![4 => Just(256usize), 1 => 1usize..8],
        message_rate in prop_oneof![4 => Just(100_000u32), 1 => 1u32..200],
        duplicate_us in prop_oneof![Just(0i64), 1i64..5_000],
        stale_ms in prop_oneof![3 => Just(5_000i64), 1 => 1i64..20],
        // So few that refusals fill them halt the session, as they must.
        egress_slots in prop_oneof![6 => Just(1_024usize), 1 => Just(64usize), 1 => 4usize..16],
    ) -> Limits {
        Limits {
            order_qty, position, strategy_position, collar_ppm, open_orders, message_rate, duplicate_us, stale_ms,
            egress_slots,
        }
    }
}

prop_compose! {
    pub(crate) fn sessions()(
        seed in any::<u64>(),
        protocol in prop_oneof![
            3 => (any::<bool>(), any::<bool>()).prop_map(|(even, directory)| Protocol::Itch { even, directory }),
            1 => Just(Protocol::Binance),
        ],
        symbols in 1usize..5, rate in 2_000u32..60_000, messages in 2_000u64..12_000,
        place in a_latency(), cancel in a_latency(), replace in a_latency(), report in a_latency(),
        cancels_apart in any::<bool>(), reject_ppm in prop_oneof![Just(0u32), Just(50_000)],
        timer_ms in 1i64..50, refusal_us in prop_oneof![1i64..50, 50i64..2_000],
        strategies in prop::collection::vec(prop::collection::vec(a_spec(), 1..4), 1..4),
        limits in limits(), view_levels in 1usize..11,
    ) -> Session {
        Session {
            seed, protocol, symbols, rate, messages,
            paper: PaperConfig { place, cancel, replace, report, cancels_apart, seed, reject_ppm, ..PaperConfig::default() },
            simulation: SimulationConfig {
                timer_interval: Nanos::from_millis(timer_ms),
                refusal_latency: Nanos::from_micros(refusal_us),
                drain: Nanos::from_millis(20),
                backlog_bytes_max: 1 << 20,
                ..SimulationConfig::default()
            },
            strategies, limits, view_levels,
        }
    }
}

impl Session {
    pub(crate) fn strategy_cores(&self) -> usize {
        self.strategies.len()
    }

    pub(crate) fn egress_slots(&self) -> usize {
        self.limits.egress_slots
    }

    pub(crate) fn table(&self) -> InstrumentTable {
        let mut table = InstrumentTable::with_capacity(16);
        for rank in 0..self.symbols {
            let (lot, tick) = match self.protocol {
                Protocol::Itch { .. } => (1_000_000_000, 10_000_000),
                Protocol::Binance => (l2::LOT_NANOS, l2::TICK_NANOS),
            };
            let added = table.add(Instrument {
                id: InstrumentId::ALL,
                source: SourceIds::MARKET,
                symbol: symbol_of(rank),
                lot,
                price_decimals: 2,
                qty_decimals: 3,
                terms: Some(TradingTerms {
                    ticks: TickTable::uniform(Price::from_nanos(tick)).unwrap(),
                    multiplier: 1_000_000_000,
                    currency: Symbol::new("USD").unwrap(),
                    fees: Fees {
                        maker: Fee { rate: -20_000, per_lot: Money::ZERO },
                        taker: Fee { rate: 0, per_lot: Money::from_nanos(3_000_000) },
                    },
                    calendar: SessionCalendar::always(),
                    expiry: Nanos::MAX,
                    price_min: Price::from_nanos(tick),
                    price_max: Price::from_nanos(tick * 100_000_000),
                }),
            });
            assert!(added.is_some(), "the table has room");
        }
        table
    }

    pub(crate) fn decoder(&self) -> Box<dyn Decoder> {
        match self.protocol {
            Protocol::Itch { .. } => Box::new(Itch50Decoder::new(Itch50Config {
                source: SourceIds::MARKET,
                midnight: Some(SyntheticConfig::default().midnight),
            })),
            Protocol::Binance => Box::new(BinanceDecoder::new(&BinanceConfig::default()).unwrap()),
        }
    }

    fn feed(&self) -> Box<dyn MarketFeed> {
        match self.protocol {
            Protocol::Itch { even, directory } => {
                let bursts =
                    Arrivals::Bursts { quiet: Nanos::from_millis(20), active: Nanos::from_millis(10) };
                let config = SyntheticConfig {
                    seed: self.seed,
                    symbols: self.symbols,
                    live_orders: self.symbols * 120,
                    rate: self.rate,
                    arrivals: if even { Arrivals::Even } else { bursts },
                    burst_messages: 40,
                    duration: None,
                    messages_max: Some(self.messages),
                    directory,
                    ..SyntheticConfig::default()
                };
                Box::new(SyntheticFeed::new(&config).unwrap())
            }
            Protocol::Binance => {
                Box::new(MemoryFeed::new(l2::messages(self.seed, self.symbols, self.rate, self.messages)))
            }
        }
    }

    pub(crate) fn book(&self) -> BookConfig {
        BookConfig {
            view_levels: self.view_levels,
            instruments_max: 16,
            orders_max: 1 << 12,
            levels_max: 1 << 12,
            volatility_window: Nanos::from_millis(100),
            volatility_sample: Nanos::from_millis(10),
        }
    }

    pub(crate) fn runners(&self) -> Vec<StrategyRunner> {
        let table = self.table();
        let mut id = 0;
        let mut runners = Vec::new();
        for specs in &self.strategies {
            let mut slots = Vec::new();
            for spec in specs {
                slots.push(spec.slot(StrategyId::new(id), self));
                id += 1;
            }
            runners.push(StrategyRunner::new(slots, table.clone()).unwrap());
        }
        runners
    }

    pub(crate) fn risk(&self) -> RiskConfig {
        let limits = &self.limits;
        let instrument = InstrumentLimits {
            order_qty_max: Qty::from_lots(limits.order_qty),
            order_notional_max: Money::from_nanos(i64::MAX),
            position_max: Qty::from_lots(limits.position),
            collar: Collar { ppm: limits.collar_ppm, ticks: 0 },
        };
        let strategies = self.strategies.iter().flatten().map(|spec| StrategyLimits {
            instruments: spec
                .instruments(self.symbols)
                .into_iter()
                .map(|instrument| StrategyInstrument {
                    instrument,
                    position_max: Qty::from_lots(limits.strategy_position),
                })
                .collect(),
        });
        RiskConfig {
            instruments: vec![Some(instrument); self.symbols],
            strategies: strategies.collect(),
            open_orders_max: limits.open_orders,
            message_rate_max: limits.message_rate,
            message_rate_window: Nanos::from_millis(20),
            duplicate_window: Nanos::from_micros(limits.duplicate_us),
            stale_after: Nanos::from_millis(limits.stale_ms),
            fill_memory: 1 << 14,
            egress_slots: limits.egress_slots,
            egress_cancel_reserve: limits.egress_slots / 4,
            egress_refusal_reserve: limits.egress_slots / 4,
        }
    }

    /// The simulated world round a book. `under_way` is how many messages may be in the engine at once.
    pub(crate) fn simulation<B: MarketBook>(&self, book: B, under_way: usize) -> Simulation<B> {
        let venue = PaperVenue::new(&self.paper, self.decoder(), self.table(), book).unwrap();
        let config = SimulationConfig { messages_under_way_max: under_way, ..self.simulation.clone() };
        Simulation::new(&config, self.feed(), venue, Vec::new(), Clock::new()).unwrap()
    }
}

impl Spec {
    fn instruments(&self, symbols: usize) -> Vec<InstrumentId> {
        let chosen = (0..symbols as u32).filter(|bit| self.instruments >> bit & 1 != 0);
        let mut chosen: Vec<InstrumentId> = chosen.map(InstrumentId::new).collect();
        if chosen.is_empty() {
            chosen.push(InstrumentId::new(0));
        }
        chosen
    }

    fn slot(&self, id: StrategyId, session: &Session) -> StrategySlot {
        let strategy: Box<dyn Trading> = match self.kind {
            Kind::Maker { half_spread, skew, threshold, requote_us } => Box::new(
                MarketMaker::new(MarketMakerParameters {
                    quote_qty: self.qty,
                    position_limit: self.position,
                    half_spread_ticks: half_spread,
                    half_spread_ppm: 0,
                    skew_milliticks_per_lot: skew,
                    requote_threshold_ticks: threshold,
                    min_requote_interval_us: requote_us,
                    pause_after_reject_ms: self.pause_ms,
                })
                .unwrap(),
            ),
            Kind::Taker { entry_ppm, exit_ppm, spread, cool_ms, hold_ms } => Box::new(
                ImbalanceTaker::new(ImbalanceTakerParameters {
                    order_qty: self.qty,
                    position_limit: self.position,
                    levels: session.view_levels as u16,
                    entry_imbalance_ppm: entry_ppm,
                    exit_imbalance_ppm: exit_ppm,
                    max_spread_ticks: spread,
                    cool_down_ms: cool_ms,
                    holding_time_ms: hold_ms,
                    pause_after_reject_ms: self.pause_ms,
                })
                .unwrap(),
            ),
        };
        StrategySlot {
            id,
            name: format!("strategy-{id}"),
            strategy,
            instruments: self.instruments(session.symbols),
            intent_ttl: Nanos::from_micros(self.ttl_us),
            max_in_flight: self.max_in_flight,
            max_open_orders: self.max_open_orders,
        }
    }
}
