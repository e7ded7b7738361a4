//! The core against a client that believes nothing but its messages, on generated requests; and the rules of OUCH one by one.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for the messages it is about")]

mod rules;

use super::*;
use crate::exchange::SelfTrade;
use crate::exchange::prng::Prng;
use crate::exchange::server::config::AccountConfig;
use crate::itch50::{Be16, Be32, Mpid, Stock};
use crate::ouch50::{
    AccountQuery, AppendageWriter, CancelOrder, ClOrdId, DisableOrderEntry, EnableOrderEntry, EnterOrder,
    Inbound, MESSAGE_BYTES_MAX, MassCancel, ModifyOrder, Option50, OuchPrice, ReplaceOrder,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NOW: Nanos = Nanos::from_secs(1_700_000_000);

/// A core with three accounts of different self-trade prevention, opened.
fn core() -> ExchangeCore {
    let account = |(user, self_trade): (&str, SelfTrade)| {
        let account = AccountConfig::new(user, "secret").unwrap();
        AccountConfig { self_trade, cancel_on_disconnect: user == "a", ..account }
    };
    let accounts =
        [("a", SelfTrade::CancelOldest), ("b", SelfTrade::CancelNewest), ("c", SelfTrade::Decrement)];
    let config = CoreConfig {
        accounts: accounts.map(account).to_vec(),
        participants: None,
        orders_max: 2_000,
        history_messages: 1 << 16,
        ..CoreConfig::default()
    };
    let mut core = ExchangeCore::new(&config).unwrap();
    core.open(NOW);
    core
}

fn send<'a>(core: &mut ExchangeCore, account: usize, message: impl Into<Inbound<'a>>) {
    send_with(core, account, message, &[]);
}

fn send_with<'a>(
    core: &mut ExchangeCore,
    account: usize,
    message: impl Into<Inbound<'a>>,
    options: &[Option50],
) {
    let mut appendage = AppendageWriter::new();
    options.iter().for_each(|option| assert!(appendage.push(option)));
    let mut bytes = [0; MESSAGE_BYTES_MAX];
    let length = message.into().encode(appendage.appendage(), &mut bytes);
    core.on_order(NOW, account, &bytes[..length]);
}

fn order(user_ref: u32, side: u8, shares: u32, cents: u64) -> EnterOrder {
    EnterOrder {
        user_ref: Be32::new(user_ref),
        side,
        quantity: Be32::new(shares),
        symbol: Stock::new("AAAA").unwrap(),
        price: OuchPrice::new(cents * 100),
        time_in_force: b'0',
        display: b'Y',
        capacity: b'P',
        sweep: b'N',
        cross_type: b'N',
        cl_ord_id: ClOrdId::default(),
    }
}

fn replace(original: u32, user_ref: u32, shares: u32, cents: u64) -> ReplaceOrder {
    ReplaceOrder {
        original: Be32::new(original),
        user_ref: Be32::new(user_ref),
        quantity: Be32::new(shares),
        price: OuchPrice::new(cents * 100),
        time_in_force: b'0',
        display: b'Y',
        sweep: b'N',
        cl_ord_id: ClOrdId::default(),
    }
}

/// What one who only reads its messages thinks of itself.
#[derive(Default)]
struct Believer {
    /// By number: symbol, whether a buy, open shares.
    orders: BTreeMap<u32, (u16, bool, u32)>,
    /// All orders there ever were: symbol, whether a buy.
    known: BTreeMap<u32, (u16, bool)>,
    fills: Vec<(u64, u32, u32, u64)>,
    positions: [i64; 4],
    cash: i128,
    seen: BTreeSet<u8>,
}

impl Believer {
    fn enter(&mut self, user_ref: u32, symbol: &Stock, side: u8, shares: u32) {
        let letters = bytemuck::bytes_of(symbol);
        let symbol = u16::from(letters[3] - b'A');
        self.orders.insert(user_ref, (symbol, side == b'B', shares));
        self.known.insert(user_ref, (symbol, side == b'B'));
    }

    fn take_off(&mut self, user_ref: u32, shares: u32) {
        let order = self.orders.get_mut(&user_ref).expect("a message about an order that does not live");
        order.2 = order.2.checked_sub(shares).expect("more shares are gone than there were");
        if order.2 == 0 {
            self.orders.remove(&user_ref);
        }
    }

    fn book(&mut self, user_ref: u32, shares: u32, price: u64, sign: i64) {
        let (symbol, is_buy) = self.known[&user_ref];
        let sign = if is_buy { sign } else { -sign };
        self.positions[usize::from(symbol)] += sign * i64::from(shares);
        self.cash -= i128::from(sign) * i128::from(shares) * i128::from(price);
    }

    fn read(&mut self, bytes: &[u8]) {
        self.seen.insert(bytes[0]);
        match Outbound::parse(bytes).unwrap().0 {
            Outbound::Accepted(m) => self.enter(m.user_ref.get(), &m.symbol, m.side, m.quantity.get()),
            Outbound::Replaced(m) => {
                self.orders.remove(&m.original.get()).expect("replaced an order that does not live");
                self.enter(m.user_ref.get(), &m.symbol, m.side, m.quantity.get());
            }
            Outbound::Canceled(m) => self.take_off(m.user_ref.get(), m.quantity.get()),
            Outbound::AiqCanceled(m) => {
                assert!(m.price.get() > 0 && m.prevented.get() <= m.decrement.get().max(m.prevented.get()));
                self.take_off(m.user_ref.get(), m.decrement.get());
            }
            Outbound::Executed(m) => {
                self.take_off(m.user_ref.get(), m.quantity.get());
                self.book(m.user_ref.get(), m.quantity.get(), m.price.get(), 1);
                let fill = (m.match_number.get(), m.user_ref.get(), m.quantity.get(), m.price.get());
                self.fills.push(fill);
            }
            Outbound::BrokenTrade(m) => {
                let is_it = |fill: &(u64, u32, u32, u64)| {
                    (fill.0, fill.1) == (m.match_number.get(), m.user_ref.get())
                };
                let at = self.fills.iter().position(is_it).expect("a trade that never was is broken");
                let (_, user_ref, shares, price) = self.fills.remove(at);
                self.book(user_ref, shares, price, -1);
            }
            Outbound::Modified(m) => {
                self.orders.get_mut(&m.user_ref.get()).expect("modified an order that does not live").2 =
                    m.quantity.get();
            }
            _ => {}
        }
    }

    fn check(&self, state: &AccountState) {
        let theirs: BTreeMap<_, _> = state
            .orders
            .iter()
            .map(|order| (order.user_ref, (order.symbol, order.side == Side::Buy, order.open)))
            .collect();
        assert_eq!(self.orders, theirs);
        assert_eq!((&self.positions[..], self.cash), (&state.holdings.positions[..], state.holdings.cash));
    }
}

/// One request or command of the operator, drawn: mostly what makes sense, now and then what does not.
fn step(core: &mut ExchangeCore, prng: &mut Prng, last: &mut [u32; 3]) {
    let account = prng.below(3) as usize;
    let pick = |prng: &mut Prng, from: &[u8]| from[prng.below(from.len() as u32) as usize];
    let older = last[account].saturating_sub(prng.below(30));
    let symbol = Stock::new(["AAAA", "AAAB", "ZZZZ"][[0, 0, 0, 0, 1, 1, 2][prng.below(7) as usize]]).unwrap();
    let cents = |prng: &mut Prng, symbol: Stock| {
        let middle = if symbol == Stock::new("AAAA").unwrap() { 22_300 } else { 9_500 };
        u64::from(middle - 10 + prng.below(20))
    };
    let kind = prng.below(1_000);
    let new = |last: &mut [u32; 3], prng: &mut Prng| {
        last[account] += prng.below(20).saturating_sub(17);
        if prng.below(30) > 0 {
            last[account] += 1;
        }
        Be32::new(last[account])
    };
    match kind {
        0..500 => {
            let price = match prng.below(40) {
                0 => OuchPrice::new(0),
                1 => OuchPrice::MARKET,
                2 => OuchPrice::new(u64::MAX),
                3 => OuchPrice::new(2_230_001),
                _ => OuchPrice::new(cents(prng, symbol) * 100),
            };
            let enter = EnterOrder {
                user_ref: new(last, prng),
                side: pick(prng, b"BBBBSSSTEX"),
                quantity: Be32::new([100, 100, 250, 1_000, 7, 0, 1_000_000][prng.below(7) as usize]),
                symbol,
                price,
                time_in_force: pick(prng, b"000000333365E?"),
                display: pick(prng, b"YYYYYYYYNNAZ?"),
                capacity: pick(prng, b"PPPPPPPPAROX"),
                sweep: pick(prng, b"NNNNNNNNNNY?"),
                cross_type: pick(prng, b"NNNNNNNNNNNNNNNNNNNCCOHSR"),
                cl_ord_id: ClOrdId::default(),
            };
            let option = match prng.below(20) {
                0..4 => vec![Option50::MaxFloor(Be32::new(100))],
                4 => vec![Option50::MinQty(enter.quantity)],
                5 => vec![Option50::MinQty(Be32::new(50))],
                6 => vec![Option50::PostOnly(b'P')],
                7 => vec![Option50::GroupId(Be16::new(1 + prng.below(2) as u16))],
                8 if prng.below(4) == 0 => vec![Option50::PriceType(b'M')],
                9 if prng.below(4) == 0 => vec![Option50::UserRefIndex(1)],
                _ => vec![],
            };
            send_with(core, account, &enter, &option);
        }
        500..640 => {
            let cents = cents(prng, Stock::new("AAAA").unwrap());
            let shares = [50, 100, 300, 600, 1_000_000][prng.below(5) as usize];
            let user_ref = new(last, prng).get();
            let message = ReplaceOrder {
                display: pick(prng, b"YYYYYYYYN"),
                time_in_force: pick(prng, b"00000003"),
                ..replace(older, user_ref, shares, cents)
            };
            send(core, account, &message);
        }
        640..820 => {
            let quantity = Be32::new([0, 0, 50, 100, 200][prng.below(5) as usize]);
            send(core, account, &CancelOrder { user_ref: Be32::new(older), quantity });
        }
        820..880 => {
            let quantity = Be32::new([0, 50, 100, 200, 900][prng.below(5) as usize]);
            let side = pick(prng, b"BSTE?");
            send(core, account, &ModifyOrder { user_ref: Be32::new(older), side, quantity });
        }
        880..890 => {
            let firm = if prng.below(4) == 0 { Mpid::new("ELSE").unwrap() } else { Mpid::default() };
            let symbol = if prng.below(2) == 0 { Stock::default() } else { symbol };
            let option = [Option50::Side(b'S'), Option50::GroupId(Be16::new(1))];
            let options = &option[..prng.below(3) as usize];
            let user_ref = new(last, prng);
            send_with(core, account, &MassCancel { user_ref, firm, symbol }, options);
        }
        890..896 => {
            let message = DisableOrderEntry { user_ref: new(last, prng), firm: Mpid::new("SPWX").unwrap() };
            send(core, account, &message);
        }
        896..930 => {
            let message = EnableOrderEntry { user_ref: new(last, prng), firm: Mpid::default() };
            send(core, account, &message);
        }
        930..940 => send(core, account, &AccountQuery {}),
        940..960 => {
            let bytes: Vec<u8> = (0..prng.below(60)).map(|_| prng.bits() as u8).collect();
            core.on_order(NOW, account, &bytes);
        }
        960..970 => core.on_disconnected(NOW, account),
        970..990 => {
            let symbol = prng.below(2) as u16;
            let phase = [Phase::Halted, Phase::Quoting, Phase::Continuous][prng.below(3) as usize];
            core.execute(NOW, &Command::Phase { symbol, phase });
            core.execute(NOW, &Command::Phase { symbol, phase: Phase::Quoting });
            core.execute(NOW, &Command::Cross { symbol, kind: CrossKind::Halt });
        }
        990..996 => {
            let match_number = u64::from(prng.below(core.engine().last_match() as u32 + 2));
            core.execute(NOW, &Command::Break { symbol: prng.below(2) as u16, match_number });
        }
        _ => core.set_late(prng.below(2) == 0),
    }
}

/// Runs so many steps from a seed; after each, those who read their messages believe what is.
fn session(seed: u64, steps: u32) -> BTreeSet<u8> {
    let (mut core, mut prng, mut last) = (core(), Prng::new(seed), [0; 3]);
    let mut believers: [(Believer, u64); 3] = Default::default();
    for at in 0..=steps {
        if at == steps {
            core.close(NOW);
        } else {
            step(&mut core, &mut prng, &mut last);
        }
        for (index, (believer, read)) in believers.iter_mut().enumerate() {
            let store = core.messages(index).unwrap();
            while let Some(message) = store.message(*read + 1) {
                *read += 1;
                believer.read(message);
            }
        }
        if at % 16 == 0 || at + 50 > steps {
            let state = core.state();
            assert_eq!(state.sums(), (vec![0; 4], 0));
            for ((believer, _), account) in believers.iter().zip(&state.accounts) {
                believer.check(account);
            }
        }
    }
    assert!(believers.iter().all(|(believer, _)| believer.orders.is_empty()), "the close leaves nothing");
    believers.into_iter().flat_map(|(believer, _)| believer.seen).collect()
}

#[test]
fn accounts_that_read_their_messages_know_their_orders_shares_and_money_and_every_answer_comes_up() {
    let steps = if std::env::var_os("SPINWARD_SOAK").is_some() { 400_000 } else { 20_000 };
    let seen = session(1, steps);
    let all: BTreeSet<u8> = b"SAUCDEBJPIMRXGKQ".iter().copied().collect();
    assert_eq!(seen, all, "missing: {:?}", all.difference(&seen).map(|b| char::from(*b)).collect::<String>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn on_any_requests_messages_and_accounts_agree(seed: u64) {
        session(seed, 300);
    }

    #[test]
    fn any_bytes_are_answered_or_ignored_without_a_panic_and_make_no_money(
        requests in proptest::collection::vec((0usize..4, proptest::collection::vec(any::<u8>(), 0..80)), 0..40),
        kinds in proptest::collection::vec(0usize..8, 40),
    ) {
        let mut core = core();
        for ((account, mut bytes), kind) in requests.into_iter().zip(kinds) {
            // Most begin like a message, so that its fields are read.
            if let Some(first) = bytes.first_mut() {
                *first = b"OUXMCDEQ"[kind];
            }
            core.on_order(NOW, account, &bytes);
        }
        prop_assert_eq!(core.state().sums(), (vec![0; 4], 0));
    }
}

#[test]
fn the_same_calls_give_the_same_market_data_and_messages() {
    let run = || {
        let (mut core, mut prng, mut last) = (core(), Prng::new(5), [0; 3]);
        (0..3_000).for_each(|_| step(&mut core, &mut prng, &mut last));
        let next = core.history().next_sequence();
        let market: Vec<Vec<u8>> =
            (1..next).map(|sequence| core.history().message(sequence).unwrap().to_vec()).collect();
        let store = core.messages(0).unwrap();
        let own: Vec<Vec<u8>> =
            (1..store.next_sequence()).map(|sequence| store.message(sequence).unwrap().to_vec()).collect();
        (market, own)
    };
    assert!(run() == run());
}
