//! One command into the exchange's matching engine. Control: the naive engine (one vector of orders, the test oracle) on the same commands; the two must say
//! the same. Beside it what the synthetic feed is made of besides: market data, and the participants who think of the commands.

use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::measure::Role;
use hdrhistogram::Histogram;
use spinward_engine::words::{Clock, Symbol};
use spinward_gateways::exchange::{
    Command, Engine, EngineConfig, ItchWriter, MessageSink, Mix, NaiveEngine, OrderId, OrderRef, Output,
    Participants, ParticipantsConfig, Phase, Price4, Sink, SymbolRules,
};
use std::collections::HashMap;
use std::hint::black_box;

/// Commands for so many symbols, with books of so many orders.
const MARKETS: [(&str, u16, u32); 2] = [("8 symbols", 8, 120), ("1000 symbols", 1_000, 40)];

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings, a thread failed, or the engines did not agree.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let count = bench.plan.operations();
    let few = (count / 1_000).max(100);
    bench.configure("market", "8 symbols of 120 orders, 1000 symbols of 40; whole-market mix; seed 7");
    bench.configure("naive", "a thousandth of the commands, other ones in each round");
    let clock = bench.clock.clone();
    for (name, symbols, orders) in MARKETS {
        let commands = Commands::generate(symbols, orders, count)?;
        let mut control = Control::new(&commands)?;
        for round in 0..bench.plan.rounds {
            bench.say(&format!("exchange, {name}, round {} of {}", round + 1, bench.plan.rounds));
            let (found, naive) = on_core(bench.core(), || -> Result<_, LabError> {
                Ok((measure(&clock, &commands)?, control.round(&clock, &commands, few)?))
            })??;
            let naive_flat = format!("{name}, command: naive");
            bench.sheet.mean(
                &format!("{name}, commands back to back"),
                Role::Subject,
                Some(&naive_flat),
                found.flat_ns,
                found.flat,
            );
            let one_by_one = format!("{name}, command by command");
            bench.sheet.latency(&one_by_one, Role::Subject, Some(&naive_flat), &found.each)?;
            bench.sheet.latency(&naive_flat, Role::Control, None, &naive)?;
            let whole = format!("{name}, participants, engine and ITCH, by command");
            bench.sheet.mean(&whole, Role::Part, None, found.whole_ns, count as u64);
            let whole = format!("{name}, participants, engine and ITCH, by message");
            bench.sheet.mean(&whole, Role::Part, None, found.whole_ns, found.messages);
            bench.end_round();
        }
    }
    Ok(())
}

/// What participants did, beforehand.
struct Commands {
    engine: EngineConfig,
    participants: ParticipantsConfig,
    opening: Vec<Command>,
    rest: Vec<Command>,
}

impl Commands {
    fn generate(symbols: u16, orders: u32, count: usize) -> Result<Self, LabError> {
        // $7 to $399.
        let prices: Vec<Price4> =
            (0..u32::from(symbols)).map(|n| Price4::new((700 + n * 9_973 % 39_200) * 100)).collect();
        let rules = |&reference: &Price4| SymbolRules { reference, ..SymbolRules::default() };
        let engine = EngineConfig {
            symbols: prices.iter().map(rules).collect(),
            orders_max: (usize::from(symbols) * orders as usize * 2).next_power_of_two(),
        };
        let participants = ParticipantsConfig {
            seed: 7,
            orders,
            mix: Mix::MARKET,
            spread: 10,
            ..ParticipantsConfig::new(prices)
        };
        let mut all = Self { engine, participants, opening: Vec::new(), rest: Vec::new() };
        let mut market = all.market()?;
        all.opening = std::mem::take(&mut market.opening);
        for _ in 0..count {
            let command = market.next();
            market.engine.execute(&command, &mut Nowhere);
            all.rest.push(command);
        }
        Ok(all)
    }

    /// The books filled, the participants about to begin.
    fn market(&self) -> Result<Live, LabError> {
        let mut engine = Engine::new(&self.engine).map_err(LabError::failed)?;
        let mut participants = Participants::new(&self.participants).map_err(LabError::failed)?;
        let mut opening = Vec::new();
        for symbol in 0..self.engine.symbols.len() as u16 {
            let mut next = Some(Command::Phase { symbol, phase: Phase::Continuous });
            while let Some(command) = next {
                engine.execute(&command, &mut Nowhere);
                opening.push(command);
                next = participants.fill(&engine, symbol);
            }
        }
        Ok(Live { engine, participants, opening })
    }
}

/// A market that is traded on.
struct Live {
    engine: Engine,
    participants: Participants,
    opening: Vec<Command>,
}

impl Live {
    #[inline]
    fn next(&mut self) -> Command {
        black_box(self.participants.wait());
        self.participants.next(&self.engine)
    }
}

/// Looks at outputs and keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    #[inline]
    fn take(&mut self, output: &Output) {
        black_box(output);
    }
}

/// Counts messages.
#[derive(Default)]
struct Written(u64);

impl MessageSink for Written {
    #[inline]
    fn message(&mut self, bytes: &[u8]) {
        black_box(bytes);
        self.0 += 1;
    }
}

struct MarketData {
    writer: ItchWriter,
    written: Written,
}

impl Sink for MarketData {
    #[inline]
    fn take(&mut self, output: &Output) {
        self.writer.write(output, &mut self.written);
    }
}

struct Found {
    flat: u64,
    flat_ns: u64,
    each: Histogram<u64>,
    whole_ns: u64,
    messages: u64,
}

/// Half of the commands back to back, the other half one by one; then as many as they are thought of and told.
fn measure(clock: &Clock, commands: &Commands) -> Result<Found, LabError> {
    let mut engine = Engine::new(&commands.engine).map_err(LabError::failed)?;
    for command in &commands.opening {
        engine.execute(command, &mut Nowhere);
    }
    let (flat, each) = commands.rest.split_at(commands.rest.len() / 2);
    let begin = clock.ticks();
    for command in flat {
        engine.execute(black_box(command), &mut Nowhere);
    }
    let flat_ns = clock.nanos_between(begin, clock.ticks());
    let mut times = histogram()?;
    for command in each {
        let start = clock.ticks();
        engine.execute(black_box(command), &mut Nowhere);
        times.saturating_record(clock.nanos_between(start, clock.ticks()).max(1));
    }
    drop(engine);
    let mut market = commands.market()?;
    let name = Symbol::new("AAAA").ok_or_else(|| LabError::failed("the symbol was refused"))?;
    let names = (1..=commands.engine.symbols.len() as u16).map(|locate| (locate, name));
    let mut out = MarketData { writer: ItchWriter::new(names), written: Written::default() };
    let begin = clock.ticks();
    for number in 0..commands.rest.len() as u64 {
        let command = market.next();
        out.writer.at(number);
        market.engine.execute(&command, &mut out);
    }
    let whole_ns = clock.nanos_between(begin, clock.ticks());
    Ok(Found { flat: flat.len() as u64, flat_ns, each: times, whole_ns, messages: out.written.0 })
}

/// The naive engine, a fast one that is asked the same, and the handles of the one by the other's.
struct Control {
    naive: NaiveEngine,
    fast: Engine,
    handles: HashMap<OrderId, OrderId>,
    next: usize,
}

impl Control {
    fn new(commands: &Commands) -> Result<Self, LabError> {
        let mut control = Self {
            naive: NaiveEngine::new(&commands.engine).map_err(LabError::failed)?,
            fast: Engine::new(&commands.engine).map_err(LabError::failed)?,
            handles: HashMap::new(),
            next: 0,
        };
        let clock = Clock::new();
        for command in &commands.opening {
            control.step(&clock, command)?;
        }
        Ok(control)
    }

    /// The next `few` commands; what each took the naive engine.
    fn round(&mut self, clock: &Clock, commands: &Commands, few: usize) -> Result<Histogram<u64>, LabError> {
        let mut times = histogram()?;
        let rest = commands.rest.get(self.next..).unwrap_or_default();
        for command in rest.iter().take(few) {
            times.saturating_record(self.step(clock, command)?.max(1));
            self.next += 1;
        }
        Ok(times)
    }

    /// Nanoseconds of the naive engine.
    fn step(&mut self, clock: &Clock, command: &Command) -> Result<u64, LabError> {
        let translated = self.translated(command);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        self.fast.execute(command, &mut ours);
        let start = clock.ticks();
        self.naive.execute(black_box(&translated), &mut theirs);
        let nanos = clock.nanos_between(start, clock.ticks());
        for output in ours.iter().zip(&theirs) {
            self.learn(output);
        }
        let is_same = ours.iter().map(plain).eq(theirs.iter().map(plain));
        if is_same { Ok(nanos) } else { Err(LabError::failed(format!("the engines differ at {command:?}"))) }
    }

    /// New handles come with these two outputs.
    fn learn(&mut self, outputs: (&Output, &Output)) {
        if let (
            Output::Rested { order } | Output::Replaced { order, .. },
            Output::Rested { order: other } | Output::Replaced { order: other, .. },
        ) = outputs
        {
            self.handles.insert(order.id, other.id);
        }
    }

    fn translated(&self, command: &Command) -> Command {
        let of = |id: OrderId| self.handles.get(&id).copied().unwrap_or_default();
        match *command {
            Command::Cancel { account, id, leave } => Command::Cancel { account, id: of(id), leave },
            Command::Replace { owner, id, price, shares } => {
                Command::Replace { owner, id: of(id), price, shares }
            }
            Command::Enter(_)
            | Command::CancelAll { .. }
            | Command::Phase { .. }
            | Command::Cross { .. }
            | Command::Imbalance { .. }
            | Command::Band { .. }
            | Command::Break { .. } => *command,
        }
    }
}

/// An output without handles: those are the engine's own.
fn plain(output: &Output) -> Output {
    let mut output = *output;
    let clear = |order: &mut OrderRef| order.id = OrderId::NONE;
    match &mut output {
        Output::Accepted { order, .. }
        | Output::Rested { order }
        | Output::Shown { order, .. }
        | Output::Crossed { order, .. }
        | Output::Cancelled { order, .. } => clear(order),
        Output::Traded { maker, taker, .. } => {
            clear(maker);
            clear(taker);
        }
        Output::Replaced { order, old, .. } => {
            clear(order);
            clear(old);
        }
        Output::Rejected { .. }
        | Output::CrossDone { .. }
        | Output::PhaseChanged { .. }
        | Output::Imbalance { .. }
        | Output::Broken { .. } => {}
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_are_given_the_same_commands_and_say_the_same() {
        let commands = Commands::generate(8, 24, 3_000).unwrap();
        assert!(commands.opening.len() >= 8 * 24 && commands.rest.len() == 3_000);
        let mut control = Control::new(&commands).unwrap();
        let clock = Clock::new();
        // Round after round it goes on where it was, to the end of the commands.
        for expected in [1_000, 1_000, 1_000, 0] {
            assert_eq!(control.round(&clock, &commands, 1_000).unwrap().len(), expected);
        }
        let taken = commands.rest.iter().filter(|command| matches!(command, Command::Replace { .. })).count();
        assert!(taken > 100, "handles were translated");
        // An engine that was told something else is found out.
        let commands = Commands::generate(8, 24, 3_000).unwrap();
        let mut control = Control::new(&commands).unwrap();
        let phase = Command::Phase { symbol: 0, phase: Phase::Halted };
        control.naive.execute(&phase, &mut Nowhere);
        assert!(control.round(&clock, &commands, 3_000).is_err());
    }

    #[test]
    fn what_participants_do_beforehand_is_what_they_do_again() {
        let commands = Commands::generate(8, 24, 1_000).unwrap();
        let mut market = commands.market().unwrap();
        for expected in &commands.rest {
            let command = market.next();
            assert_eq!(command, *expected);
            market.engine.execute(&command, &mut Nowhere);
        }
        let found = measure(&Clock::new(), &commands).unwrap();
        assert_eq!((found.flat, found.each.len()), (500, 500));
        assert!((900..1_100).contains(&found.messages), "{}", found.messages);
    }
}
