//! OUCH 5.0, rule by rule.

use super::*;

/// New messages of an account: type letters, and the last one whole.
fn said(core: &ExchangeCore, account: usize, from: &mut u64) -> (String, Vec<u8>) {
    let store = core.messages(account).unwrap();
    let (mut letters, mut last) = (String::new(), Vec::new());
    while let Some(message) = store.message(*from) {
        letters.push(char::from(message[0]));
        last = message.to_vec();
        *from += 1;
    }
    (letters, last)
}

fn next_number(core: &ExchangeCore, account: usize) -> u32 {
    core.state().accounts[account].next_user_ref
}

fn open(core: &ExchangeCore, account: usize) -> Vec<(u32, u32)> {
    core.state().accounts[account].orders.iter().map(|order| (order.user_ref, order.open)).collect()
}

#[test]
fn a_number_counts_once_whether_its_order_was_taken_or_rejected() {
    let (mut core, mut from) = (core(), 2);
    send(&mut core, 0, &order(5, b'B', 100, 22_000));
    send(&mut core, 0, &order(5, b'B', 100, 22_000));
    send(&mut core, 0, &order(4, b'B', 100, 22_000));
    send(&mut core, 0, &order(6, b'?', 100, 22_000));
    send(&mut core, 0, &order(6, b'B', 100, 22_000));
    assert_eq!(said(&core, 0, &mut from).0, "AJ");
    assert_eq!((next_number(&core, 0), core.state().core.ignored), (7, 3));
}

#[test]
fn a_replace_of_an_order_that_is_not_there_is_ignored_and_its_number_stays_free() {
    let (mut core, mut from) = (core(), 2);
    send(&mut core, 0, &replace(1, 2, 100, 22_000));
    assert_eq!((said(&core, 0, &mut from).0.as_str(), next_number(&core, 0)), ("", 1));
}

#[test]
fn a_replace_with_values_that_cannot_be_takes_the_order_out_and_its_number_stays_free() {
    for bad in [replace(1, 2, 1_000_000, 22_000), replace(1, 2, 100, 0), replace(1, 2, 0, 22_000), {
        ReplaceOrder { price: OuchPrice::new(2_200_001), ..replace(1, 2, 100, 22_000) }
    }] {
        let (mut core, mut from) = (core(), 2);
        send(&mut core, 0, &order(1, b'B', 100, 22_000));
        send(&mut core, 0, &bad);
        assert_eq!((said(&core, 0, &mut from).0.as_str(), next_number(&core, 0)), ("AC", 2), "{bad:?}");
        assert_eq!(open(&core, 0), []);
    }
}

#[test]
fn a_replace_that_cannot_be_now_is_rejected_and_leaves_the_order_as_it_was() {
    let (mut core, mut from) = (core(), 2);
    send(&mut core, 0, &order(1, b'B', 100, 22_000));
    core.execute(NOW, &Command::Phase { symbol: 0, phase: Phase::Halted });
    send(&mut core, 0, &replace(1, 2, 50, 21_900));
    let (letters, last) = said(&core, 0, &mut from);
    assert_eq!((letters.as_str(), next_number(&core, 0)), ("AJ", 3));
    assert_eq!(u16::from_be_bytes([last[13], last[14]]), 7, "halted");
    assert_eq!(open(&core, 0), [(1, 100)]);
}

#[test]
fn quantities_of_cancels_and_replaces_count_what_was_executed() {
    let (mut core, mut from) = (core(), 2);
    send(&mut core, 0, &order(1, b'B', 500, 22_000));
    send(&mut core, 1, &order(1, b'S', 200, 22_000));
    // 500 of the chain, 200 executed: reduced to 350 means that 150 are open.
    send(&mut core, 0, &CancelOrder { user_ref: Be32::new(1), quantity: Be32::new(350) });
    assert_eq!(open(&core, 0), [(1, 150)]);
    send(&mut core, 0, &CancelOrder { user_ref: Be32::new(1), quantity: Be32::new(350) });
    assert_eq!(said(&core, 0, &mut from).0, "AEC");
    send(&mut core, 0, &replace(1, 2, 600, 21_900));
    assert_eq!(open(&core, 0), [(2, 400)]);
    let (letters, replaced) = said(&core, 0, &mut from);
    assert_eq!((letters.as_str(), &replaced[18..22]), ("U", &400u32.to_be_bytes()[..]));
    // No more than was executed: nothing is left.
    send(&mut core, 0, &CancelOrder { user_ref: Be32::new(2), quantity: Be32::new(150) });
    assert_eq!((open(&core, 0), said(&core, 0, &mut from).0.as_str()), (vec![], "C"));
}

#[test]
fn a_reduction_keeps_the_place_in_the_queue_and_the_letter_of_a_sale_can_change() {
    let (mut core, mut from) = (core(), 2);
    send(&mut core, 0, &order(1, b'S', 300, 22_400));
    send(&mut core, 1, &order(1, b'S', 300, 22_400));
    send(&mut core, 0, &ModifyOrder { user_ref: Be32::new(1), side: b'T', quantity: Be32::new(100) });
    let (letters, modified) = said(&core, 0, &mut from);
    assert_eq!((letters.as_str(), modified[13], &modified[14..18]), ("AM", b'T', &[0, 0, 0, 100][..]));
    assert_eq!(core.state().symbols[0].asks[0].account, Some(0));
    // A sale becomes no purchase, and nothing grows.
    send(&mut core, 0, &ModifyOrder { user_ref: Be32::new(1), side: b'B', quantity: Be32::new(50) });
    send(&mut core, 0, &ModifyOrder { user_ref: Be32::new(1), side: b'S', quantity: Be32::new(200) });
    assert_eq!((said(&core, 0, &mut from).0.as_str(), open(&core, 0)), ("", vec![(1, 100)]));
}

#[test]
fn an_order_with_its_whole_quantity_as_minimum_trades_whole_or_not() {
    let (mut core, mut from) = (core(), 2);
    send(&mut core, 1, &order(1, b'S', 300, 22_400));
    for (user_ref, shares) in [(1, 400), (2, 300)] {
        let fok = EnterOrder { time_in_force: b'3', ..order(user_ref, b'B', shares, 22_400) };
        send_with(&mut core, 0, &fok, &[Option50::MinQty(Be32::new(shares))]);
    }
    assert_eq!(said(&core, 0, &mut from).0, "ACAE");
    assert_eq!(core.state().accounts[0].holdings.positions[0], 300);
}

#[test]
fn an_iceberg_is_restated_with_its_new_number_when_it_shows_its_next_part() {
    let (mut core, mut from) = (core(), 2);
    send_with(&mut core, 0, &order(1, b'S', 300, 22_400), &[Option50::MaxFloor(Be32::new(100))]);
    send(&mut core, 1, &order(1, b'B', 100, 22_400));
    let (letters, restated) = said(&core, 0, &mut from);
    assert_eq!(letters, "AER");
    let appendage = Outbound::parse(&restated).unwrap().1;
    let told = appendage.find(|option| match option {
        Option50::SecondaryReference(reference) => Some(reference.get()),
        _ => None,
    });
    let shown = core.state().symbols[0].asks[0];
    assert_eq!((told, shown.displayed, shown.open), (Some(shown.reference), 100, 200));
}

#[test]
fn self_trade_prevention_tells_what_it_prevented() {
    // Account, and of the last message: type, shares taken off, shares prevented, price, strategy.
    for (account, strategy, letters) in [(0, b'O', "AAD"), (1, b'W', "AAD"), (2, b'D', "AADD")] {
        let (mut core, mut from) = (core(), 2);
        send(&mut core, account, &order(1, b'S', 100, 22_400));
        send(&mut core, account, &order(2, b'B', 250, 22_410));
        let (told, last) = said(&core, account, &mut from);
        assert_eq!((told.as_str(), last[31], last[17]), (letters, strategy, b'Q'));
        assert_eq!(u64::from_be_bytes(last[22..30].try_into().unwrap()), 2_240_000, "{account}");
        assert_eq!(u32::from_be_bytes(last[18..22].try_into().unwrap()), 100);
        let left = [vec![(2, 250)], vec![(1, 100)], vec![(2, 150)]];
        assert_eq!(open(&core, account), left[account]);
    }
}

#[test]
fn a_late_cancel_of_an_order_for_the_close_is_pending_and_a_late_reduction_refused() {
    let (mut core, mut from) = (core(), 2);
    let on_close = EnterOrder { cross_type: b'C', ..order(1, b'B', 300, 22_400) };
    send(&mut core, 0, &on_close);
    core.set_late(true);
    send(&mut core, 0, &CancelOrder { user_ref: Be32::new(1), quantity: Be32::new(100) });
    send(&mut core, 0, &CancelOrder { user_ref: Be32::new(1), quantity: Be32::new(0) });
    send(&mut core, 0, &EnterOrder { user_ref: Be32::new(2), ..on_close });
    assert_eq!((said(&core, 0, &mut from).0.as_str(), open(&core, 0)), ("AIPJ", vec![(1, 300)]));
    core.close(NOW);
    assert_eq!(said(&core, 0, &mut from).0, "CS");
}

#[test]
fn a_firm_whose_order_entry_is_disabled_enters_nothing_and_can_cancel() {
    let (mut core, mut from) = (core(), 2);
    send(&mut core, 0, &order(1, b'B', 300, 22_000));
    send(&mut core, 0, &DisableOrderEntry { user_ref: Be32::new(2), firm: Mpid::new("SPWX").unwrap() });
    send(&mut core, 0, &order(3, b'B', 300, 22_000));
    send(&mut core, 0, &replace(1, 4, 100, 22_000));
    send(&mut core, 0, &CancelOrder { user_ref: Be32::new(1), quantity: Be32::new(0) });
    send(&mut core, 0, &EnableOrderEntry { user_ref: Be32::new(5), firm: Mpid::new("SPWX").unwrap() });
    send(&mut core, 0, &order(6, b'B', 300, 22_000));
    assert_eq!(said(&core, 0, &mut from).0, "AGJJCKA");
}

#[test]
fn a_broken_trade_is_given_back_on_both_sides() {
    let (mut core, mut from) = (core(), 2);
    send(&mut core, 0, &order(1, b'S', 100, 22_400));
    send(&mut core, 1, &order(1, b'B', 100, 22_400));
    let match_number = core.engine().last_match();
    core.execute(NOW, &Command::Break { symbol: 0, match_number });
    core.execute(NOW, &Command::Break { symbol: 0, match_number });
    assert_eq!(said(&core, 0, &mut from).0, "AEB");
    let state = core.state();
    assert!(
        state.accounts.iter().all(|account| account.holdings.cash == 0 && account.holdings.executions == 0)
    );
}

#[test]
fn an_account_whose_store_is_full_is_refused_first_and_loses_its_orders_at_last() {
    let accounts = vec![AccountConfig::new("a", "secret").unwrap()];
    let config =
        CoreConfig { accounts, participants: None, account_messages: 4_096, ..CoreConfig::default() };
    let mut core = ExchangeCore::new(&config).unwrap();
    core.open(NOW);
    let mut user_ref = 0;
    let mut enter = |core: &mut ExchangeCore| {
        user_ref += 1;
        send(core, 0, &order(user_ref, b'B', 100, 22_000));
    };
    (0..5_000).for_each(|_| enter(&mut core));
    let state = core.state();
    let orders = state.accounts[0].orders.len();
    assert!((500..800).contains(&orders) && state.core.rejected > 1_000, "{orders} {:?}", state.core);
    assert!(core.accounts[0].is_full);
    core.on_disconnected(NOW, 0);
    assert_eq!((core.state().accounts[0].orders.len(), core.state().symbols[0].bids.len()), (0, 0));
}
