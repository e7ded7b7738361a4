use crate::{FEED_SOURCE, builtin, from_text, parameters};
use spinward_engine::pipeline::PipelineConfig;
use spinward_engine::strategy::{ImbalanceTakerParameters, MarketMakerParameters};
use spinward_engine::words::{InstrumentId, Nanos, Price, Qty, Symbol};
use spinward_gateways::itch50::Itch50Config;
use spinward_gateways::paper::PaperConfig;
use spinward_gateways::simulation::Pace;
use spinward_gateways::synthetic::SyntheticConfig;
use spinward_recorder::JournalConfig;
use std::path::Path;

fn binance() -> crate::Settings {
    let text = include_str!("../../examples/binance-usdm-btcusdt.toml");
    from_text(Path::new("binance.toml"), text).unwrap().settings
}

#[test]
fn the_default_file_gives_each_crates_own_defaults() {
    let settings = builtin().settings;
    assert_eq!(settings.pipeline(), PipelineConfig::default());
    assert_eq!(settings.book(), Default::default());
    assert_eq!(settings.paper(), PaperConfig::default());
    assert_eq!((settings.journal(), settings.audit()), (JournalConfig::default(), JournalConfig::default()));
    assert_eq!(settings.synthetic(), SyntheticConfig::default());
    assert_eq!(settings.binance(), Default::default());
    let simulation = settings.simulation();
    assert_eq!(simulation.pace, Pace::Realtime);
    assert_eq!(simulation.duration, Some(Nanos::from_secs(10)));
    assert_eq!(simulation.messages_under_way_max, settings.pipeline.ingress_slots);
    assert_eq!(settings.metrics_address().unwrap().to_string(), "127.0.0.1:9184");
    assert_eq!(settings.operator_socket(Path::new("/s")).unwrap(), Path::new("/s/operator.sock"));
}

#[test]
fn midnight_is_new_yorks_in_winter_and_in_summer() {
    let seconds = |second| Nanos::from_secs(second);
    // 5 January 2026 12:00 UTC is 07:00 there; 6 July 2026 03:59 UTC is still the day before.
    assert_eq!(crate::midnight_before(seconds(1_767_614_400)), Some(seconds(1_767_589_200)));
    assert_eq!(crate::midnight_before(seconds(1_783_310_340)), Some(seconds(1_783_224_000)));
}

#[test]
fn the_default_exchange_is_the_gateways_own_but_for_its_addresses_and_accounts() {
    let built = builtin().settings.exchange();
    let own = spinward_gateways::exchange::server::ExchangeConfig::default();
    assert_eq!(built.core.accounts.len(), 2);
    assert_eq!(built.orders.to_string(), "127.0.0.1:26410");
    let mut same = built.clone();
    same.core.accounts.truncate(1);
    same.line_a = own.line_a.clone();
    same.line_b = own.line_b.clone();
    (same.retransmission, same.snapshot, same.replay, same.orders) =
        (own.retransmission, own.snapshot, own.replay, own.orders);
    same.control = None;
    assert_eq!(same, own);
}

#[test]
fn what_is_built_passes_each_crates_own_checks() {
    for settings in [builtin().settings, binance()] {
        let table = settings.instruments().unwrap();
        settings.pipeline().check().unwrap();
        settings.book().validate().unwrap();
        settings.risk().validate(&table).unwrap();
        settings.journal().validate().unwrap();
        settings.synthetic().check().unwrap();
        assert_eq!(settings.risk().egress_slots, settings.pipeline.egress_slots);
    }
}

#[test]
fn instruments_keep_their_order_and_their_exact_terms() {
    let settings = binance();
    let table = settings.instruments().unwrap();
    let id = table.find(FEED_SOURCE, &Symbol::new("BTCUSDT").unwrap()).unwrap();
    assert_eq!((id, settings.instrument_id("BTCUSDT")), (InstrumentId::new(0), Some(id)));
    let instrument = table.by_id(id).unwrap();
    assert_eq!((instrument.lot, instrument.price_decimals, instrument.qty_decimals), (1_000_000, 1, 3));
    let terms = instrument.terms.as_ref().unwrap();
    assert_eq!(terms.ticks.tick_at(Price::parse("61800").unwrap()).nanos(), 100_000_000);
    assert_eq!((terms.fees.maker.rate, terms.fees.taker.rate), (200_000, 500_000));
    assert_eq!((terms.price_max.to_string(), terms.expiry), ("4529764".to_owned(), Nanos::MAX));
    assert!(terms.calendar.is_open(Nanos::ZERO));
    // 10 lots of 0.001 BTC at 61,800.0 are 618 USDT.
    let notional = instrument.notional(Price::parse("61800").unwrap(), Qty::from_lots(10)).unwrap();
    assert_eq!(notional.to_string(), "618");
    assert_eq!(table.capacity(), settings.book.instruments_max);
}

#[test]
fn limits_follow_instruments_and_strategies() {
    let text = crate::DEFAULT_TOML.replacen("#position_max = 1000", "position_max = 700", 1);
    let settings = from_text(Path::new("x.toml"), &text).unwrap().settings;
    let risk = settings.risk();
    assert_eq!(risk.instruments.len(), 3);
    let first = risk.instruments[0].unwrap();
    assert_eq!((first.order_qty_max, first.position_max), (Qty::from_lots(500), Qty::from_lots(2_000)));
    let of = |strategy: usize| risk.strategies[strategy].instruments.iter().map(|i| i.position_max.lots());
    assert_eq!(of(0).collect::<Vec<_>>(), [700, 700, 700]);
    assert_eq!(of(1).collect::<Vec<_>>(), [2_000, 2_000, 2_000]);
}

#[test]
fn strategies_find_their_instruments_and_typed_parameters() {
    let settings = builtin().settings;
    let specs: Vec<_> = settings.strategies().collect();
    assert_eq!(specs[1].0.get(), 1);
    let maker: MarketMakerParameters = parameters(specs[0].1).unwrap();
    let taker: ImbalanceTakerParameters = parameters(specs[1].1).unwrap();
    assert_eq!((maker.quote_qty, taker.order_qty), (100, 100));
    assert!(maker.validate().is_ok() && taker.validate().is_ok());
    let ids: Vec<u32> = settings.instruments_of(specs[0].1).iter().map(|id| id.get()).collect();
    assert_eq!(ids, [0, 1, 2]);
    let unknown = settings.unknown_kinds(&["market-maker", "imbalance-takers"]);
    assert_eq!(unknown.len(), 1);
    assert!(unknown[0].to_string().contains("did you mean \"imbalance-takers\"?"), "{}", unknown[0]);
}

#[test]
fn the_itch_clock_starts_at_midnight_in_new_york() {
    let settings = from_text(Path::new("x"), include_str!("../../examples/itch50.toml")).unwrap().settings;
    let Itch50Config { source, midnight } = settings.itch50();
    // 2019-12-30 00:00 New York is 05:00 UTC: 18,260 days after the epoch.
    assert_eq!((source, midnight), (FEED_SOURCE, Some(Nanos::from_secs(18_260 * 86_400 + 5 * 3_600))));
    let table = settings.instruments().unwrap();
    let terms = table.iter().next().unwrap().terms.clone().unwrap();
    let open = Nanos::from_secs(18_260 * 86_400 + 14 * 3_600 + 1_800);
    assert!(terms.calendar.is_open(open) && !terms.calendar.is_open(Nanos::new(open.get() - 1)));
    assert_eq!(terms.ticks.tick_at(Price::parse("0.5").unwrap()).to_string(), "0.0001");
    assert_eq!(terms.ticks.tick_at(Price::parse("1").unwrap()).to_string(), "0.01");
}

#[test]
fn an_expired_contract_is_told_when_the_market_begins() {
    let text = crate::DEFAULT_TOML.replacen("#expiry", "expiry", 1);
    let settings = from_text(Path::new("x.toml"), &text).unwrap().settings;
    let expiry = Nanos::from_secs(1_797_445_800);
    assert_eq!(settings.expired(Nanos::new(expiry.get() - 1)), []);
    let problems = settings.expired(expiry);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].to_string().contains("instrument[0].expiry: AAAA expired at 2026-12-16T18:30:00Z"));
}
