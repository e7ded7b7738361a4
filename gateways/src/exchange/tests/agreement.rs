//! The fast engine and the naive one, on generated commands of all kinds.

use super::ledger::Ledger;
use super::rebuilt::Rebuilt;
use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// A command, but for handles: those are the n-th order that came to rest.
#[derive(Clone, Copy, Debug)]
enum Step {
    Enter(NewOrder),
    Cancel { pick: usize, stranger: bool, leave: u32 },
    Replace { pick: usize, stranger: bool, price: Price4, shares: u32 },
    Other(Command),
}

fn a_price() -> impl Strategy<Value = Price4> {
    let near = prop_oneof![Just(1_000_000u32), Just(10_000u32)];
    prop_oneof![
        20 => (near.clone(), 0u32..20).prop_map(|(at, tick)| at - 1_000 + tick * 100),
        6 => (near, 0u32..400).prop_map(|(at, tick)| (at + tick * 100).saturating_sub(20_000)),
        3 => (1u32..400).prop_map(|dollars| dollars * 50_000),
        1 => 0u32..12_000,
        1 => Just(0u32),
        1 => any::<u32>(),
    ]
    .prop_map(Price4::new)
}

fn some_shares() -> impl Strategy<Value = u32> {
    prop_oneof![12 => (1u32..30).prop_map(|lots| lots * 10), 3 => 1u32..200, 1 => Just(0u32), 1 => 900_000u32..1_100_000]
}

fn a_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn an_order() -> impl Strategy<Value = NewOrder> {
    let display = prop_oneof![
        8 => Just(Display::Full),
        3 => (0u32..12).prop_map(|lots| Display::Reserve(lots * 10)),
        2 => Just(Display::Hidden),
    ];
    let lifetime = prop_oneof![
        14 => Just(Lifetime::Day),
        2 => Just(Lifetime::Ioc),
        2 => Just(Lifetime::Fok),
        2 => Just(Lifetime::OnOpen),
        2 => Just(Lifetime::OnClose),
    ];
    let self_trade = prop_oneof![
        3 => Just(SelfTrade::Allow),
        1 => Just(SelfTrade::CancelNewest),
        1 => Just(SelfTrade::CancelOldest),
        1 => Just(SelfTrade::Decrement),
    ];
    let price = prop_oneof![9 => a_price(), 1 => Just(Price4::NONE)];
    let what = (prop_oneof![10 => 0u16..2, 1 => Just(2u16)], a_side(), 0u32..4, price, some_shares());
    (what, display, lifetime, self_trade, 0u8..12).prop_map(
        |((symbol, side, account, price, shares), display, lifetime, self_trade, bits)| NewOrder {
            symbol,
            side,
            owner: Owner { account, token: 0 },
            price,
            shares,
            display: if bits < 10 && lifetime != Lifetime::Day { Display::Full } else { display },
            lifetime,
            post_only: bits == 0,
            self_trade,
            attributed: bits == 1,
        },
    )
}

fn another() -> impl Strategy<Value = Command> {
    let phase = prop_oneof![
        1 => Just(Phase::Closed),
        3 => Just(Phase::PreOpen),
        4 => Just(Phase::Continuous),
        2 => Just(Phase::Halted),
        3 => Just(Phase::Quoting),
    ];
    let kind = prop_oneof![
        4 => Just(CrossKind::Opening),
        4 => Just(CrossKind::Halt),
        1 => Just(CrossKind::Closing),
    ];
    prop_oneof![
        6 => (0u16..2, phase).prop_map(|(symbol, phase)| Command::Phase { symbol, phase }),
        4 => (0u16..3, kind.clone()).prop_map(|(symbol, kind)| Command::Cross { symbol, kind }),
        3 => (0u16..2, kind).prop_map(|(symbol, kind)| Command::Imbalance { symbol, kind }),
        1 => (0u16..3, a_price(), a_price()).prop_map(|(symbol, lower, upper)| Command::Band { symbol, lower, upper }),
        1 => (0u16..2).prop_map(|symbol| Command::Band { symbol, lower: Price4::NONE, upper: Price4::MAX }),
        1 => (0u16..3, 0u64..20).prop_map(|(symbol, match_number)| Command::Break { symbol, match_number }),
        1 => (0u32..4).prop_map(|account| Command::CancelAll { account }),
    ]
}

fn a_step() -> impl Strategy<Value = Step> {
    // Mostly orders of the last few, which are likelier to be alive.
    let pick = prop_oneof![6 => 0usize..12, 1 => 0usize..200];
    prop_oneof![
        60 => an_order().prop_map(Step::Enter),
        12 => (pick.clone(), 0u8..20, some_shares())
            .prop_map(|(pick, bits, shares)| Step::Cancel { pick, stranger: bits == 0, leave: if bits < 10 { 0 } else { shares } }),
        14 => (pick, 0u8..20, a_price(), some_shares())
            .prop_map(|(pick, bits, price, shares)| Step::Replace { pick, stranger: bits == 0, price, shares }),
        8 => another().prop_map(Step::Other),
    ]
}

/// Both engines, and the handles of the one by the other's.
struct Pair {
    fast: Engine,
    naive: NaiveEngine,
    to_naive: HashMap<OrderId, OrderId>,
    /// What came to rest: handle and owner's account.
    rested: Vec<(OrderId, u32)>,
    ledger: Ledger,
    rebuilt: Rebuilt,
    token: u32,
}

impl Pair {
    fn new(config: &EngineConfig) -> Self {
        Self {
            fast: Engine::new(config).unwrap(),
            naive: NaiveEngine::new(config).unwrap(),
            to_naive: HashMap::from([(OrderId::NONE, OrderId::NONE)]),
            rested: Vec::new(),
            ledger: Ledger::default(),
            rebuilt: Rebuilt::new(2, 1_024),
            token: 0,
        }
    }

    fn picked(&self, pick: usize) -> (OrderId, u32) {
        let back = pick % self.rested.len().max(1);
        self.rested.iter().rev().nth(back).copied().unwrap_or((OrderId::NONE, 0))
    }

    fn step(&mut self, step: Step) -> Vec<Output> {
        self.token += 1;
        let owner = |account| Owner { account, token: self.token };
        let account_of = |account: u32, stranger: bool| if stranger { account + 1 } else { account };
        let command = match step {
            Step::Enter(order) => Command::Enter(NewOrder { owner: owner(order.owner.account), ..order }),
            Step::Cancel { pick, stranger, leave } => {
                let (id, account) = self.picked(pick);
                Command::Cancel { account: account_of(account, stranger), id, leave }
            }
            Step::Replace { pick, stranger, price, shares } => {
                let (id, account) = self.picked(pick);
                Command::Replace { owner: owner(account_of(account, stranger)), id, price, shares }
            }
            Step::Other(command) => command,
        };
        let translated = match command {
            Command::Cancel { account, id, leave } => {
                Command::Cancel { account, id: self.to_naive[&id], leave }
            }
            Command::Replace { owner, id, price, shares } => {
                Command::Replace { owner, id: self.to_naive[&id], price, shares }
            }
            other => other,
        };
        let (mut fast, mut naive) = (Vec::new(), Vec::new());
        self.fast.execute(&command, &mut fast);
        self.naive.execute(&translated, &mut naive);
        assert_eq!(fast.len(), naive.len(), "{command:?}\n{fast:#?}\n{naive:#?}");
        for (ours, theirs) in fast.iter().zip(&naive) {
            self.learn(ours, theirs);
            assert_eq!(self.translate(*ours), *theirs, "{command:?}");
        }
        for output in &fast {
            self.ledger.add(output);
        }
        self.ledger.check(&self.fast);
        self.rebuilt.follow(&fast, &self.fast, &[0, 1]);
        assert_eq!(self.rebuilt.defects(), 0);
        let count: usize = (0..2).map(|symbol| self.fast.orders(symbol).count()).sum();
        assert_eq!(self.naive.resting().1, count);
        fast
    }

    /// New handles come with these two outputs.
    fn learn(&mut self, ours: &Output, theirs: &Output) {
        let (order, other) = match (ours, theirs) {
            (Output::Rested { order }, Output::Rested { order: other }) => (order, other),
            (
                Output::Replaced { order, change: Change::Moved { .. }, .. },
                Output::Replaced { order: other, .. },
            ) => (order, other),
            _ => return,
        };
        assert!(self.to_naive.insert(order.id, other.id).is_none(), "a handle is used once");
        self.rested.push((order.id, order.owner.account));
    }

    fn translate(&self, mut output: Output) -> Output {
        let change = |order: &mut OrderRef| order.id = self.to_naive[&order.id];
        match &mut output {
            Output::Accepted { order, .. }
            | Output::Rested { order }
            | Output::Shown { order, .. }
            | Output::Crossed { order, .. }
            | Output::Cancelled { order, .. } => change(order),
            Output::Traded { maker, taker, .. } => {
                change(maker);
                change(taker);
            }
            Output::Replaced { order, old, .. } => {
                change(order);
                change(old);
            }
            Output::Rejected { .. }
            | Output::CrossDone { .. }
            | Output::PhaseChanged { .. }
            | Output::Imbalance { .. }
            | Output::Broken { .. } => {}
        }
        output
    }
}

proptest! {
    #[test]
    fn the_fast_engine_agrees_with_the_naive_one_and_with_the_book_of_its_market_data_and_keeps_shares_and_money(
        steps in proptest::collection::vec(a_step(), 1..400),
        starts in proptest::array::uniform2(prop_oneof![Just(Phase::PreOpen), Just(Phase::Continuous)]),
        orders_max in prop_oneof![Just(30usize), Just(500)],
    ) {
        let mut pair = Pair::new(&two_symbols(orders_max));
        for (symbol, phase) in (0u16..).zip(starts) {
            pair.step(Step::Other(Command::Phase { symbol, phase }));
        }
        for step in steps {
            pair.step(step);
        }
    }
}

/// The agreement above would prove little of outputs that never come.
#[test]
fn the_generated_commands_bring_about_every_output_and_every_reason() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut kinds: HashMap<String, u64> = HashMap::new();
    for round in 0..60 {
        let steps = proptest::collection::vec(a_step(), 300).new_tree(&mut runner).unwrap().current();
        let mut pair = Pair::new(&two_symbols(if round % 2 == 0 { 30 } else { 500 }));
        for symbol in 0..2 {
            let phase = if round % 3 == 0 { Phase::PreOpen } else { Phase::Continuous };
            pair.step(Step::Other(Command::Phase { symbol, phase }));
        }
        for step in steps {
            for output in pair.step(step) {
                let name = match output {
                    Output::Rejected { reason, .. } => format!("Rejected {reason:?}"),
                    Output::Cancelled { reason, .. } => format!("Cancelled {reason:?}"),
                    Output::PhaseChanged { phase, .. } => format!("Phase {phase:?}"),
                    Output::CrossDone { kind, shares, .. } => format!("Cross {kind:?} {}", shares > 0),
                    Output::Replaced { change: Change::Reduced { .. }, .. } => "Reduced".to_owned(),
                    Output::Replaced { change: Change::Moved { .. }, .. } => "Moved".to_owned(),
                    Output::Replaced { change: Change::Entered, .. } => "Entered".to_owned(),
                    Output::Traded { displayed, .. } => format!("Traded {displayed}"),
                    other => format!("{other:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
                };
                *kinds.entry(name).or_default() += 1;
            }
        }
    }
    use {CancelReason as C, Reject as R};
    let reasons = [
        R::UnknownSymbol,
        R::Closed,
        R::Halted,
        R::WrongPhase,
        R::InvalidShares,
        R::OddLot,
        R::InvalidPrice,
        R::OffTick,
        R::OutsideBand,
        R::InvalidDisplay,
        R::InvalidCombination,
        R::PostOnlyWouldTake,
        R::BookFull,
        R::UnknownOrder,
        R::NotReplaceable,
        R::BookCrossed,
        R::UnknownTrade,
    ];
    let cancels =
        [C::Requested, C::Immediate, C::SelfTrade, C::Disconnected, C::OutsideBand, C::NotCrossed, C::Closed];
    let mut wanted: Vec<String> = reasons.iter().map(|reason| format!("Rejected {reason:?}")).collect();
    wanted.extend(cancels.iter().map(|reason| format!("Cancelled {reason:?}")));
    let others = [
        "Phase Closed",
        "Phase PreOpen",
        "Phase Continuous",
        "Phase Halted",
        "Phase Quoting",
        "Cross Opening true",
        "Cross Halt true",
        "Cross Closing true",
        "Reduced",
        "Moved",
        "Entered",
        "Traded true",
        "Traded false",
        "Accepted",
        "Rested",
        "Shown",
        "Crossed",
        "Imbalance",
        "Broken",
    ];
    wanted.extend(others.map(str::to_owned));
    let missing: Vec<&String> = wanted.iter().filter(|name| !kinds.contains_key(*name)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}; seen: {kinds:?}");
}
