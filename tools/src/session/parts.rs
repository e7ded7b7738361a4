//! The stages of a session, made from its settings: the same for a live session and for its replay.

use super::registry::Registry;
use super::world;
use crate::failure::Failure;
use anyhow::Context;
use spinward_config::{ConfigError, FeedKind, Settings};
use spinward_engine::book::{BookConfig, BookStage};
use spinward_engine::normalizer::{Decoder, Normalizer};
use spinward_engine::pipeline::{HostCores, Stages};
use spinward_engine::risk::Risk;
use spinward_engine::strategy::{StrategyRunner, StrategySlot};
use spinward_engine::words::{InstrumentTable, Nanos};
use spinward_gateways::binance::BinanceDecoder;
use spinward_gateways::feed::MarketFeed;
use spinward_gateways::file::{self, FileFormat, FileSpec};
use spinward_gateways::itch50::Itch50Decoder;
use spinward_gateways::live::MoldFeed;
use spinward_gateways::notice::NoticeDecoder;
use spinward_gateways::synthetic::SyntheticFeed;

/// Everything wrong with settings that only shows on this host, with these strategies registered.
pub(crate) fn check(settings: &Settings, registry: &Registry, host: &HostCores) -> Result<(), ConfigError> {
    let mut problems = settings.validate(host);
    problems.extend(settings.unknown_kinds(&registry.names()));
    if problems.is_empty() {
        for spec in &settings.strategies {
            if let Err(error) = registry.make(spec) {
                problems.extend(error.problems);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
}

/// The decoder of the session's market data. Engine and venue have one each.
pub(crate) fn decoder(settings: &Settings) -> Result<Box<dyn Decoder>, Failure> {
    Ok(match settings.feed.kind {
        FeedKind::Synthetic | FeedKind::Itch50 => Box::new(Itch50Decoder::new(settings.itch50())),
        FeedKind::Pcap | FeedKind::Mold => {
            let itch50 = settings.itch50();
            Box::new(NoticeDecoder::new(Itch50Decoder::new(itch50), itch50.source))
        }
        FeedKind::Binance => Box::new(BinanceDecoder::new(&settings.binance()).map_err(Failure::usage)?),
    })
}

/// The session's market data.
pub(crate) fn feed(settings: &Settings) -> Result<Box<dyn MarketFeed>, Failure> {
    let files = |format| {
        file::open(&FileSpec::new(format, settings.feed.files.clone()))
            .context("--feed (feed.files)")
            .map_err(Failure::Usage)
    };
    match settings.feed.kind {
        FeedKind::Synthetic => {
            Ok(Box::new(SyntheticFeed::new(&settings.synthetic()).map_err(Failure::usage)?))
        }
        FeedKind::Itch50 => {
            files(FileFormat::Itch50 { midnights: vec![settings.itch50().midnight.unwrap_or(Nanos::ZERO)] })
        }
        FeedKind::Binance => files(FileFormat::Binance),
        FeedKind::Mold => {
            let config = settings.mold(world::password(settings)?);
            let feed = MoldFeed::new(&config).map_err(Failure::usage)?;
            for notice in feed.notices() {
                eprintln!("warning: {notice}");
            }
            Ok(Box::new(feed))
        }
        FeedKind::Pcap => files(FileFormat::MoldCapture { lines: settings.feed_lines() }),
    }
}

/// The instruments that the configuration knows.
pub(crate) fn instruments(settings: &Settings) -> Result<InstrumentTable, Failure> {
    settings.instruments().map_err(Failure::usage)
}

/// Sizes of the books.
pub(crate) fn book(settings: &Settings) -> BookConfig {
    settings.book()
}

/// Every stage.
pub(crate) fn stages(settings: &Settings, registry: &Registry) -> Result<Stages, Failure> {
    let table = instruments(settings)?;
    let mut cores: Vec<Vec<StrategySlot>> = (0..settings.strategy_cores()).map(|_| Vec::new()).collect();
    for (id, spec) in settings.strategies() {
        let slot = StrategySlot {
            id,
            name: spec.name.clone(),
            strategy: registry.make(spec).map_err(Failure::usage)?,
            instruments: settings.instruments_of(spec),
            intent_ttl: Nanos::new(i64::try_from(spec.intent_ttl.as_nanos()).unwrap_or(i64::MAX)),
            max_in_flight: spec.max_in_flight,
            max_open_orders: spec.max_open_orders,
        };
        if let Some(core) = cores.get_mut(spec.core) {
            core.push(slot);
        }
    }
    let runners = cores
        .into_iter()
        .map(|slots| StrategyRunner::new(slots, table.clone()).map_err(Failure::usage))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Stages {
        risk: Risk::new(&settings.risk(), &table).map_err(Failure::usage)?,
        book: BookStage::new(&book(settings)).map_err(Failure::usage)?,
        runners,
        normalizer: Normalizer::new(vec![decoder(settings)?], table),
    })
}

/// The stages without strategies: enough for events, books and trades.
pub(crate) fn market_stages(settings: &Settings) -> Result<Stages, Failure> {
    let table = instruments(settings)?;
    Ok(Stages {
        risk: Risk::new(&settings.risk(), &table).map_err(Failure::usage)?,
        book: BookStage::new(&book(settings)).map_err(Failure::usage)?,
        runners: Vec::new(),
        normalizer: Normalizer::new(vec![decoder(settings)?], table),
    })
}
