#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for the outputs it is about")]

mod agreement;
mod ledger;
mod rebuilt;
mod rules;

use super::*;
use spinward_engine::words::Side;

/// Two symbols that differ in everything.
fn two_symbols(orders_max: usize) -> EngineConfig {
    let first = SymbolRules { reference: Price4::new(1_000_000), ..SymbolRules::default() };
    let second = SymbolRules {
        ticks: TickTable::new(&[
            TickBand { from: Price4::NONE, tick: 1 },
            TickBand { from: Price4::new(10_000), tick: 50 },
            TickBand { from: Price4::new(1_000_000), tick: 100 },
        ])
        .unwrap(),
        lot: 10,
        reference: Price4::new(10_000),
        lower: Price4::new(9_000),
        upper: Price4::new(2_000_000),
    };
    EngineConfig { symbols: vec![first, second], orders_max }
}

/// An engine of one symbol, a cent's tick from $1 on.
fn one_symbol(phase: Phase) -> Engine {
    let config = EngineConfig { symbols: vec![SymbolRules::default()], orders_max: 1_000 };
    let mut engine = Engine::new(&config).unwrap();
    engine.execute(&Command::Phase { symbol: 0, phase }, &mut Vec::new());
    engine
}

/// The outputs of one command.
fn told(engine: &mut Engine, command: Command) -> Vec<Output> {
    let mut out = Vec::new();
    engine.execute(&command, &mut out);
    out
}

fn limit(side: Side, account: u32, token: u32, cents: u32, shares: u32) -> NewOrder {
    NewOrder::limit(0, side, Owner { account, token }, Price4::new(cents * 100), shares)
}
