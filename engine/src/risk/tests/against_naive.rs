//! The fast risk against the naive one, and both against a venue: the same verdicts, the same messages, limits that hold at the venue
//! itself, and never more messages under way than the ring has slots.

use super::desk::*;
use super::venue::Venue;
use crate::normalizer::Payload;
use crate::risk::naive::NaiveRisk;
use crate::risk::*;
use crate::strategy::IntentBatch;
use crate::words::*;
use proptest::prelude::*;

/// One thing that happens. The numbers are read as the world at that moment allows.
#[derive(Clone, Debug)]
enum Step {
    Quote {
        coin: bool,
        move_ticks: i64,
        shape: u8,
    },
    Status {
        number: u64,
        all: bool,
    },
    Intents(Vec<Wish>),
    /// The venue takes the next messages.
    Work(u8),
    /// The engine hears the next reports.
    Hear(u8),
    /// The venue executes part of an order.
    Trade {
        which: usize,
        part: i64,
    },
    /// The venue takes an order out by itself.
    Expire {
        which: usize,
    },
    /// The last fill is reported again.
    Again,
    Command {
        kind: u8,
        state: u8,
        owner: u8,
    },
    Timer,
    Wait(i64),
    /// A report that no venue would send.
    Nonsense {
        kind: u8,
        which: usize,
        lots: i64,
        cause: u64,
    },
}

#[derive(Clone, Debug)]
struct Wish {
    action: u8,
    second: bool,
    coin: bool,
    sell: bool,
    ticks: i64,
    lots: i64,
    which: usize,
    twist: u8,
}

fn wish() -> impl Strategy<Value = Wish> {
    let who = (0u8..10, any::<bool>(), any::<bool>(), any::<bool>());
    let what = (-60i64..60, -1i64..40, 0usize..50, 0u8..60);
    (who, what).prop_map(|((action, second, coin, sell), (ticks, lots, which, twist))| Wish {
        action,
        second,
        coin,
        sell,
        ticks,
        lots,
        which,
        twist,
    })
}

fn step(nonsense: bool) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), -30i64..30, 0u8..20)
            .prop_map(|(coin, move_ticks, shape)| Step::Quote { coin, move_ticks, shape }),
        1 => (0u64..9, any::<bool>()).prop_map(|(number, all)| Step::Status { number, all }),
        14 => prop::collection::vec(wish(), 1..8).prop_map(Step::Intents),
        8 => (1u8..12).prop_map(Step::Work),
        8 => (1u8..12).prop_map(Step::Hear),
        8 => (0usize..50, 1i64..80).prop_map(|(which, part)| Step::Trade { which, part }),
        1 => (0usize..50).prop_map(|which| Step::Expire { which }),
        1 => Just(Step::Again),
        4 => (0u8..24, 0u8..5, 0u8..4).prop_map(|(kind, state, owner)| Step::Command { kind, state, owner }),
        1 => Just(Step::Timer),
        3 => prop_oneof![0i64..2_000_000, 0i64..2_000_000_000].prop_map(Step::Wait),
        if nonsense { 8 } else { 1 } => (0u8..9, 0usize..50, -1i64..60, 0u64..40)
            .prop_map(move |(kind, which, lots, cause)| {
                if nonsense { Step::Nonsense { kind, which, lots, cause } } else { Step::Timer }
            }),
    ]
}

struct World {
    config: RiskConfig,
    fast: Risk,
    naive: NaiveRisk,
    venue: Venue,
    verdicts: VerdictBatch,
    mid: [i64; 2],
    numbers: [u64; 2],
    frame: u64,
    now: Nanos,
    /// The venue kept its contract so far.
    honest: bool,
    verdicts_seen: usize,
}

impl World {
    fn new(refuse_every: u64) -> Self {
        let mut config = config();
        config.fill_memory = 4096;
        config.message_rate_window = Nanos::from_millis(300);
        config.message_rate_max = 25;
        config.open_orders_max = 10;
        config.egress_slots = 96;
        config.egress_refusal_reserve = 48;
        Self {
            fast: Risk::new(&config, &instruments()).unwrap(),
            naive: NaiveRisk::new(&config, &instruments()).unwrap(),
            config,
            venue: Venue::new(refuse_every),
            verdicts: VerdictBatch::new(),
            mid: [5_001, 600_001],
            numbers: [0; 2],
            frame: 0,
            now: START,
            honest: true,
            verdicts_seen: 0,
        }
    }

    fn instrument(coin: bool) -> InstrumentId {
        if coin { COIN } else { SHARE }
    }

    fn price(&self, coin: bool, ticks: i64) -> Price {
        let tick = if coin { 100_000_000 } else { 10_000_000 };
        Price::from_nanos((self.mid[usize::from(coin)] + ticks) * tick)
    }

    /// The same event to both, and everything that must hold after it.
    fn give(
        &mut self,
        event: Event,
        payload: Payload,
        view: Option<&BookView>,
        intents: &[Intent],
    ) -> Result<(), TestCaseError> {
        self.frame += 1;
        self.now = self.now.after(Nanos::new(1));
        let event = Event { frame: self.frame, receive_time: self.now, ..event };
        let mut batches = Vec::new();
        for chunk in intents.chunks(8) {
            let mut batch = IntentBatch::new();
            chunk.iter().for_each(|intent| assert!(batch.push(*intent)));
            batches.push(batch);
        }
        let mut naive_verdicts = VerdictBatch::new();
        let (mut fast_sent, mut naive_sent): (Vec<Outbound>, Vec<Outbound>) = (Vec::new(), Vec::new());
        self.fast.on_event(&event, &payload, view, 3, batches.iter(), &mut self.verdicts, &mut fast_sent);
        self.naive.on_event(&event, &payload, view, 3, batches.iter(), &mut naive_verdicts, &mut naive_sent);
        prop_assert_eq!(self.verdicts.verdicts(), naive_verdicts.verdicts());
        prop_assert_eq!(&fast_sent, &naive_sent);
        prop_assert_eq!(self.fast.state(), self.naive.state());
        prop_assert_eq!(self.fast.under_way(), self.naive.under_way());
        let mut open: Vec<(OrderId, i64)> =
            self.fast.open_orders().map(|order| (order.order, order.leaves.lots())).collect();
        open.sort_unstable();
        prop_assert_eq!(open, self.naive.open_orders().collect::<Vec<_>>());
        self.verdicts_seen += self.verdicts.verdicts().len();
        self.venue.take(&fast_sent);
        self.check()
    }

    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert!(self.fast.under_way() <= self.config.egress_slots);
        for position in self.fast.positions() {
            let sum = self.naive.sum(Some(position.strategy), position.instrument);
            prop_assert_eq!(position.qty.lots(), sum.lots);
            prop_assert_eq!(i128::from(position.fees.nanos()), sum.fees);
            // What was made, less what is invested, is the cash that moved: to the last nano.
            let cash = i128::from(position.realized.nanos()) - i128::from(position.cost.nanos());
            prop_assert_eq!(cash, sum.cash);
        }
        if !self.honest {
            return Ok(());
        }
        prop_assert_eq!(self.fast.under_way(), self.venue.unanswered, "under way is what is unanswered");
        for (index, limits) in self.config.instruments.iter().enumerate() {
            let held = self.venue.held(None, InstrumentId::new(index as u32));
            prop_assert!(held.abs() <= limits.unwrap().position_max.lots());
        }
        for (index, limits) in self.config.strategies.iter().enumerate() {
            for allowed in &limits.instruments {
                let held = self.venue.held(Some(StrategyId::new(index as u16)), allowed.instrument);
                prop_assert!(held.abs() <= allowed.position_max.lots());
            }
        }
        Ok(())
    }

    fn intent(&mut self, wish: &Wish) -> Intent {
        let strategy = if wish.second { SECOND } else { FIRST };
        let mut intent = Intent {
            price: self.price(wish.coin, wish.ticks),
            qty: lots(wish.lots),
            decided: self.now,
            valid_until: Nanos::MAX,
            instrument: Self::instrument(wish.coin),
            strategy,
            action_number: Action::New as u8,
            side_number: if wish.sell { Side::Sell } else { Side::Buy } as u8,
            tif_number: TimeInForce::Day as u8,
            ..Intent::default()
        };
        let open: Vec<OpenOrder> = self.fast.open_orders().copied().collect();
        let target = open.get(wish.which % open.len().max(1)).filter(|_| wish.action >= 6);
        if let Some(target) = target {
            intent.strategy = target.order.strategy();
            intent.order = target.order;
            intent.instrument = target.instrument;
            intent.side_number = target.side as u8;
            intent.price = self.price(target.instrument == COIN, wish.ticks);
            let replaces = wish.action >= 8;
            intent.action_number = if replaces { Action::Replace } else { Action::Cancel } as u8;
        }
        let number = &mut self.numbers[intent.strategy.index()];
        *number += 1;
        let id = OrderId::compose(intent.strategy, *number);
        if target.is_some() {
            intent.new_order = id;
        } else {
            intent.order = id;
        }
        match wish.twist {
            0 => intent.action_number = wish.action,
            1 => intent.side_number ^= 3,
            2 => intent.tif_number = 0,
            3 => intent.strategy = if wish.second { FIRST } else { SECOND },
            4 => intent.instrument = InstrumentId::new(wish.which as u32 % 5),
            5 => intent.price = Price::from_nanos(intent.price.nanos() + 1),
            6 => intent.valid_until = self.now.after(Nanos::new(wish.ticks)),
            7 => intent.order = OrderId::compose(intent.strategy, wish.which as u64),
            8 => intent.qty = lots(wish.lots * 1_000_000_000_000),
            9 => intent.flags = wish.which as u8 % 8,
            10 => intent.price = Price::from_nanos(wish.ticks * 1_000_000_000_000),
            11..=15 => intent.flags = Intent::REDUCE_ONLY,
            16..=20 => intent.qty = lots(wish.lots + 65),
            _ => {}
        }
        intent
    }

    fn run(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let none = Payload::default();
        match step {
            Step::Quote { coin, move_ticks, shape } => {
                self.mid[usize::from(*coin)] += move_ticks / 10;
                self.quote(*coin, *shape)
            }
            Step::Status { number, all } => {
                let instrument = if *all { InstrumentId::ALL } else { SHARE };
                self.give(
                    Event { a: *number, ..Event::new(EventKind::Status, instrument) },
                    none,
                    None,
                    &[],
                )?;
                if number % 3 == 0 {
                    return Ok(());
                }
                // Trading goes on soon, or nothing would be tested.
                let trading = Event { a: 1, ..Event::new(EventKind::Status, InstrumentId::ALL) };
                self.give(trading, none, None, &[])
            }
            Step::Intents(wishes) => {
                let intents: Vec<Intent> = wishes.iter().map(|wish| self.intent(wish)).collect();
                self.give(Event::new(EventKind::Trade, SEEN), none, None, &intents)
            }
            Step::Work(count) => {
                (0..*count).for_each(|_| self.venue.work());
                Ok(())
            }
            Step::Hear(count) => (0..*count).try_for_each(|_| self.hear()),
            Step::Trade { which, part } => {
                self.venue.trade(*which, *part);
                self.check()
            }
            Step::Expire { which } => {
                self.venue.expire(*which);
                Ok(())
            }
            Step::Again => {
                self.venue.say_last_fill_again();
                Ok(())
            }
            Step::Command { kind, state, owner } => {
                // Kills are rare and resumes frequent, or nothing would be tested.
                let kind = if matches!(*kind, 1 | 3 | 4) { *kind } else { 2 };
                let state = TradingState::from_number(*state).unwrap_or(TradingState::Normal);
                let owner = ["operator", "operator", "desk", "risk"][usize::from(*owner) % 4];
                let command = Command::new(CommandKind::Kill, state, symbol(owner), "why");
                let command = Command { kind_number: kind, ..command };
                let event = Event::new(EventKind::Operator, InstrumentId::ALL);
                self.give(event, bytemuck::cast(command), None, &[])
            }
            Step::Timer => self.give(Event::new(EventKind::Timer, InstrumentId::ALL), none, None, &[]),
            Step::Wait(span) => {
                self.now = self.now.after(Nanos::new(*span));
                Ok(())
            }
            Step::Nonsense { kind, which, lots, cause } => self.nonsense(*kind, *which, *lots, *cause),
        }
    }

    fn quote(&mut self, coin: bool, shape: u8) -> Result<(), TestCaseError> {
        let (bid, ask) = match shape {
            0 => (Price::ZERO, self.price(coin, 1)),
            1 => (self.price(coin, -1), Price::ZERO),
            2 => (self.price(coin, 2), self.price(coin, -2)),
            _ => (self.price(coin, -1), self.price(coin, 1)),
        };
        let mut view = view_of(Self::instrument(coin), bid, ask, self.now);
        if shape > 0 {
            view.statistics.last_price = self.price(coin, 0);
        }
        view.flags |= if shape == 3 { BookView::QUARANTINED } else { 0 };
        let kind = if shape == 4 { EventKind::Gap } else { EventKind::Quote };
        let event = Event::new(kind, view.instrument);
        // A gap is sometimes told without a view.
        let view = (shape != 4 || coin).then_some(&view);
        self.give(event, Payload::default(), view, &[])
    }

    fn nonsense(&mut self, kind: u8, which: usize, qty: i64, cause: u64) -> Result<(), TestCaseError> {
        self.honest = false;
        let mut open: Vec<OrderId> = self.fast.open_orders().map(|order| order.order).collect();
        open.sort_unstable();
        let some = |at: usize| open.get(at % open.len().max(1)).copied();
        let order = some(which).filter(|_| !which.is_multiple_of(5));
        let order = order.unwrap_or(OrderId::compose(FIRST, which as u64));
        let new_order = some(which * 7 + 3).filter(|id| *id != order);
        let report = Report {
            order,
            new_order: new_order.unwrap_or(OrderId::compose(SECOND, 1_000_000 + self.frame)),
            exec: ExecId::new((1 << 40) | (self.frame / 2)),
            price: self.price(false, 0),
            qty: lots(qty),
            leaves: lots(qty),
            cause_frame: cause,
            instrument: SHARE,
            kind_number: kind,
            side_number: Side::Buy as u8,
            flags: if cause == 0 { Report::FROM_RISK } else { 0 },
            ..Report::default()
        };
        self.give(Event::new(EventKind::Report, SHARE), bytemuck::cast(report), None, &[])
    }

    fn hear(&mut self) -> Result<(), TestCaseError> {
        let Some(report) = self.venue.next_report() else { return Ok(()) };
        self.give(Event::new(EventKind::Report, report.instrument), bytemuck::cast(report), None, &[])
    }

    /// The venue works off everything: then nothing is under way, and what we think is open is what it has.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        while self.venue.is_busy() {
            self.venue.work();
            self.hear()?;
        }
        prop_assert_eq!(self.fast.under_way(), 0);
        let ours: Vec<(OrderId, i64)> = self.naive.open_orders().collect();
        prop_assert_eq!(ours, self.venue.open_orders());
        for position in self.fast.positions() {
            let held = self.venue.held(Some(position.strategy), position.instrument);
            prop_assert_eq!(position.qty.lots(), held, "positions are the sum of the fills");
        }
        Ok(())
    }

    fn session(&mut self, steps: &[Step]) -> Result<(), TestCaseError> {
        self.quote(false, 9)?;
        self.quote(true, 9)?;
        steps.iter().try_for_each(|step| self.run(step))
    }
}

proptest! {
    #[test]
    fn the_same_verdicts_as_the_naive_risk_and_limits_that_hold_at_the_venue(
        steps in prop::collection::vec(step(false), 1..150),
        refuse_every in 2u64..12,
    ) {
        let mut world = World::new(refuse_every);
        world.session(&steps)?;
        world.settle()?;
    }

    #[test]
    fn the_same_verdicts_as_the_naive_risk_whatever_the_venue_says(
        steps in prop::collection::vec(step(true), 1..150),
        refuse_every in 2u64..12,
    ) {
        World::new(refuse_every).session(&steps)?;
    }
}

#[test]
fn the_generated_sessions_reach_every_code_but_those_of_calendar_and_expiry() {
    use RejectCode as Code;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut seen = [0u64; RejectCode::EVERY.len()];
    for _ in 0..150 {
        let steps = prop::collection::vec(step(false), 100..150).new_tree(&mut runner).unwrap().current();
        let mut world = World::new(7);
        world.session(&steps).unwrap();
        let counters = world.fast.counters();
        let counted: u64 = counters.verdicts.iter().map(|counter| counter.value()).sum();
        assert_eq!(counted as usize, world.verdicts_seen);
        for (sum, counter) in seen.iter_mut().zip(&counters.verdicts) {
            *sum += counter.value();
        }
    }
    let missing: Vec<&str> = Code::EVERY
        .into_iter()
        .filter(|code| (*code as u16) < 100 && !matches!(code, Code::SessionClosed | Code::InstrumentExpired))
        .filter(|code| seen[code.index()] == 0)
        .map(Code::name)
        .collect();
    assert!(missing.is_empty(), "never reached: {missing:?}, of {seen:?}");
}
