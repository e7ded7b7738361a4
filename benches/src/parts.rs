//! The stages that the suites run: decoder, books, one imbalance taker, risk.

use crate::error::LabError;
use crate::market::Market;
use spinward_engine::book::{BookConfig, BookStage};
use spinward_engine::normalizer::Normalizer;
use spinward_engine::pipeline::{PipelineConfig, Stages};
use spinward_engine::risk::{Collar, InstrumentLimits, Risk, RiskConfig, StrategyInstrument, StrategyLimits};
use spinward_engine::strategy::{
    ImbalanceTaker, ImbalanceTakerParameters, Strategy, StrategyRunner, StrategySlot,
};
use spinward_engine::words::{
    Fees, Instrument, InstrumentId, InstrumentTable, Money, Nanos, Price, Qty, SessionCalendar, SourceId,
    StrategyId, Symbol, TickTable, TradingTerms,
};
use spinward_gateways::itch50::{Itch50Config, Itch50Decoder};
use spinward_gateways::synthetic::symbol_of;

/// The instruments that the taker trades: the `traded` most active symbols, at least one.
///
/// # Errors
/// A part refuses its settings.
pub fn instruments(traded: usize) -> Result<InstrumentTable, LabError> {
    let tick = TickTable::uniform(Price::from_nanos(10_000_000));
    let (ticks, currency) =
        tick.zip(Symbol::new("USD")).ok_or_else(|| LabError::failed("the tick table was refused"))?;
    let mut table = InstrumentTable::with_capacity(16_384);
    for rank in 0..traded.max(1) {
        table.add(Instrument {
            id: InstrumentId::new(0),
            source: SourceId::new(0),
            symbol: symbol_of(rank),
            lot: 1_000_000_000,
            price_decimals: 4,
            qty_decimals: 0,
            terms: Some(TradingTerms {
                ticks: ticks.clone(),
                multiplier: 1_000_000_000,
                currency,
                fees: Fees::default(),
                calendar: SessionCalendar::always(),
                expiry: Nanos::MAX,
                price_min: Price::ZERO,
                price_max: Price::MAX,
            }),
        });
    }
    Ok(table)
}

/// Limits for one strategy on these instruments.
pub fn risk_config(table: &InstrumentTable) -> RiskConfig {
    let limits = InstrumentLimits {
        order_qty_max: Qty::from_lots(1_000),
        order_notional_max: Money::from_nanos(1_000_000_000_000_000),
        position_max: Qty::from_lots(100_000),
        collar: Collar { ppm: 50_000, ticks: 100 },
    };
    let position_max = Qty::from_lots(100_000);
    RiskConfig {
        instruments: table.iter().map(|_| Some(limits)).collect(),
        strategies: vec![StrategyLimits {
            instruments: table
                .iter()
                .map(|instrument| StrategyInstrument { instrument: instrument.id, position_max })
                .collect(),
        }],
        open_orders_max: 1_024,
        // Never reached: what is refused measures nothing.
        message_rate_max: 4_096,
        message_rate_window: Nanos::from_millis(1),
        duplicate_window: Nanos::ZERO,
        stale_after: Nanos::from_secs(60),
        egress_slots: PipelineConfig::default().egress_slots,
        ..RiskConfig::default()
    }
}

/// Tables sized for the market, with room for twice its orders: what is not needed only spreads the rest over more pages.
pub fn book_config(market: &Market) -> BookConfig {
    let room = (market.live_orders * 2).next_power_of_two();
    BookConfig { orders_max: room, levels_max: room, ..BookConfig::default() }
}

/// The ITCH decoder of a market's day.
pub fn decoder(market: &Market) -> Itch50Decoder {
    Itch50Decoder::new(Itch50Config { midnight: Some(market.midnight), ..Itch50Config::default() })
}

/// Decoder, books, one imbalance taker on the `traded` most active symbols (0: none), risk.
///
/// # Errors
/// A part refuses its settings.
pub fn stages(market: &Market, traded: usize) -> Result<Stages, LabError> {
    let table = instruments(traded)?;
    let taker = ImbalanceTaker::new(ImbalanceTakerParameters {
        order_qty: 100,
        position_limit: 1_000,
        levels: 5,
        entry_imbalance_ppm: 800_000,
        exit_imbalance_ppm: 0,
        max_spread_ticks: 1,
        cool_down_ms: 0,
        holding_time_ms: 1_000,
        pause_after_reject_ms: 0,
    })
    .map_err(LabError::failed)?;
    let strategy: Option<Box<dyn Strategy>> = (traded > 0).then(|| Box::new(taker) as Box<dyn Strategy>);
    assemble(decoder(market), &book_config(market), &table, strategy)
}

/// Decoder, books, one strategy on all instruments of the table (or none), risk.
///
/// # Errors
/// A part refuses its settings.
pub fn assemble(
    decoder: Itch50Decoder,
    book: &BookConfig,
    table: &InstrumentTable,
    strategy: Option<Box<dyn Strategy>>,
) -> Result<Stages, LabError> {
    let slots = strategy.into_iter().map(|strategy| StrategySlot {
        id: StrategyId::new(0),
        name: "probe".to_owned(),
        strategy,
        instruments: table.iter().map(|instrument| instrument.id).collect(),
        intent_ttl: Nanos::from_secs(1),
        max_in_flight: 128,
        max_open_orders: 128,
    });
    Ok(Stages {
        normalizer: Normalizer::new(vec![Box::new(decoder)], table.clone()),
        book: BookStage::new(book).map_err(LabError::failed)?,
        runners: vec![StrategyRunner::new(slots.collect(), table.clone()).map_err(LabError::failed)?],
        risk: Risk::new(&risk_config(table), table).map_err(LabError::failed)?,
    })
}
