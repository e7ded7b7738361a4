//! Kill, latch, resume, mass cancel.

use super::desk::*;
use crate::risk::*;
use crate::words::*;

fn resume(desk: &mut Desk, owner: &str) -> TradingState {
    desk.command(CommandKind::Resume, TradingState::Normal, owner);
    desk.risk.state()
}

fn working(desk: &mut Desk, count: i64) -> Vec<OrderId> {
    let ids = (0..count).map(|index| {
        let order = desk.buy("49.00", 1 + index % 5);
        let id = desk.pass(order);
        desk.accept(id);
        desk.wait(Nanos::from_millis(1));
        id
    });
    let ids = ids.collect();
    desk.taken();
    ids
}

#[test]
fn only_the_owner_or_the_operator_resumes() {
    let mut desk = Desk::new();
    desk.kill();
    let latch = *desk.risk.latch().unwrap();
    assert_eq!((latch.owner(), latch.reason(), latch.since), (symbol("desk"), "because", START));
    assert_eq!(resume(&mut desk, "intern"), TradingState::Halted);
    assert_eq!(desk.risk.counters().commands_refused.value(), 1);
    desk.command(CommandKind::SetState, TradingState::Normal, "desk");
    assert_eq!(desk.risk.state(), TradingState::Halted, "set-state cannot leave the kill state");
    assert_eq!(resume(&mut desk, "desk"), TradingState::Normal);
    assert!(desk.risk.latch().is_none());
    desk.kill();
    assert_eq!(resume(&mut desk, "operator"), TradingState::Normal);
    assert_eq!(desk.risk.counters().halts.value(), 2);
}

#[test]
fn a_kill_by_two_owners_is_resumed_by_the_operator_only() {
    let mut desk = Desk::new();
    desk.kill();
    desk.command(CommandKind::Kill, TradingState::Normal, "risk_officer");
    assert_eq!(resume(&mut desk, "desk"), TradingState::Halted);
    assert_eq!(resume(&mut desk, "risk_officer"), TradingState::Halted);
    assert_eq!(desk.risk.latch().unwrap().owner(), symbol("desk"));
    assert_eq!(resume(&mut desk, "operator"), TradingState::Normal);
}

#[test]
fn set_state_goes_anywhere_but_out_of_the_kill_state() {
    use TradingState as S;
    let mut desk = Desk::new();
    for state in [S::ReduceOnly, S::CancelOnly, S::ReduceOnly, S::Normal, S::CancelOnly, S::Normal, S::Halted]
    {
        desk.command(CommandKind::SetState, state, "desk");
        assert_eq!(desk.risk.state(), state);
        assert_eq!(desk.risk.counters().trading_state.value(), state as i64);
    }
    assert!(desk.risk.latch().is_some());
    for state in [S::Normal, S::ReduceOnly, S::CancelOnly] {
        desk.command(CommandKind::SetState, state, "operator");
        assert_eq!(desk.risk.state(), S::Halted);
    }
    assert_eq!(desk.risk.counters().commands_refused.value(), 3);
}

#[test]
fn a_command_that_cannot_be_read_is_counted_and_changes_nothing() {
    let mut desk = Desk::new();
    let good = Command::new(CommandKind::SetState, TradingState::CancelOnly, symbol("desk"), "");
    for bad in [Command { kind_number: 0, ..good }, Command { state_number: 4, ..good }] {
        desk.raw_command(&bad);
    }
    assert_eq!(desk.risk.counters().commands_refused.value(), 2);
    assert_eq!(desk.risk.state(), TradingState::Normal);
}

#[test]
fn a_kill_cancels_every_order_a_few_each_event() {
    let mut desk = Desk::new();
    let ids = working(&mut desk, 19);
    desk.kill();
    assert_eq!(desk.out.verdicts().len(), MASS_CANCELS_PER_EVENT);
    let verdict = desk.out.verdicts()[0];
    assert_eq!((verdict.strategy, verdict.order, verdict.is_approved()), (StrategyId::NONE, ids[0], true));
    desk.simple(EventKind::Trade, COIN, 0);
    desk.simple(EventKind::Timer, InstrumentId::ALL, 1);
    desk.simple(EventKind::Timer, InstrumentId::ALL, 2);
    let expected: Vec<(Action, OrderId)> = ids.iter().map(|id| (Action::Cancel, *id)).collect();
    assert_eq!(desk.taken(), expected, "each once, by id");
    assert_eq!(desk.risk.counters().mass_cancels.value(), 19);
    assert!(ids.iter().all(|id| desk.state_of(*id) == Some(OrderState::PendingCancel)));
    for id in &ids {
        desk.answer(ReportKind::Cancelled, *id, OrderId::NONE);
    }
    assert_eq!((desk.risk.open_orders().count(), desk.risk.under_way()), (0, 0));
}

#[test]
fn a_kill_leaves_out_what_is_being_cancelled_and_reaches_what_is_not_yet_accepted() {
    let mut desk = Desk::new();
    let ids = working(&mut desk, 2);
    desk.pass(desk.cancel_of(ids[0], Side::Buy));
    let order = desk.buy("49.50", 3);
    let unanswered = desk.pass(order);
    desk.taken();
    desk.kill();
    assert_eq!(desk.taken(), [(Action::Cancel, ids[1]), (Action::Cancel, unanswered)]);
    // The cancel overtook the order: the venue does not know it yet, then takes it.
    desk.answer(ReportKind::CancelRejected, unanswered, OrderId::NONE);
    assert!(desk.taken().is_empty());
    desk.accept(unanswered);
    assert_eq!(desk.taken(), [(Action::Cancel, unanswered)], "accepted after the kill: cancelled too");
}

#[test]
fn an_order_that_comes_of_a_replace_after_the_kill_is_cancelled_too() {
    let mut desk = Desk::new();
    let ids = working(&mut desk, 2);
    let first = desk.replace_of(ids[0], Side::Buy, "49.50", 3);
    let second = desk.replace_of(ids[1], Side::Buy, "49.51", 3);
    desk.pass(first);
    desk.pass(second);
    desk.taken();
    desk.kill();
    assert!(desk.taken().is_empty(), "both wait for their answer");
    desk.answer(ReportKind::Replaced, ids[0], first.new_order);
    assert_eq!(desk.taken(), [(Action::Cancel, first.new_order)]);
    desk.answer(ReportKind::ReplaceRejected, ids[1], second.new_order);
    assert_eq!(desk.taken(), [(Action::Cancel, ids[1])]);
}

#[test]
fn a_rejected_mass_cancel_is_tried_again_at_the_timer_and_not_before() {
    let mut desk = Desk::new();
    let ids = working(&mut desk, 1);
    desk.kill();
    desk.taken();
    for tick in 0..3 {
        desk.answer(ReportKind::CancelRejected, ids[0], OrderId::NONE);
        desk.simple(EventKind::Trade, SHARE, 0);
        assert!(desk.taken().is_empty());
        desk.simple(EventKind::Timer, InstrumentId::ALL, tick);
        assert_eq!(desk.taken(), [(Action::Cancel, ids[0])]);
    }
}

#[test]
fn cancel_all_cancels_what_is_there_and_trading_goes_on() {
    let mut desk = Desk::new();
    let ids = working(&mut desk, 3);
    desk.command(CommandKind::CancelAll, TradingState::Normal, "desk");
    assert_eq!(desk.taken().len(), ids.len());
    let order = desk.buy("50.00", 1);
    let later = desk.pass(order);
    desk.accept(later);
    desk.simple(EventKind::Timer, InstrumentId::ALL, 1);
    assert_eq!(desk.taken(), [(Action::New, later)]);
    assert_eq!(desk.state_of(later), Some(OrderState::Open));
}

#[test]
fn cancels_pass_in_every_state() {
    for state in [TradingState::ReduceOnly, TradingState::CancelOnly, TradingState::Halted] {
        let mut desk = Desk::new();
        let ids = working(&mut desk, 12);
        desk.simple(EventKind::Gap, SHARE, 0);
        desk.wait(Nanos::from_secs(200_000));
        desk.command(CommandKind::SetState, state, "desk");
        // The last ones, which a mass cancel has not reached yet.
        desk.pass(Intent { valid_until: Nanos::ZERO, ..desk.cancel_of(ids[11], Side::Buy) });
    }
}

#[test]
fn a_mass_cancel_waits_for_room_and_goes_on() {
    let mut tight = config();
    tight.egress_slots = 12;
    tight.egress_cancel_reserve = 4;
    tight.egress_refusal_reserve = 4;
    let mut desk = Desk::with(&tight);
    let ids = working(&mut desk, 10);
    for id in &ids[..8] {
        desk.pass(desk.cancel_of(*id, Side::Buy));
    }
    // Two refusals and eight cancels are under way: two more fit.
    let bad = desk.buy("50.005", 1);
    assert_eq!(desk.try_one(bad).0, RejectCode::OffTick);
    assert_eq!(desk.risk.state(), TradingState::Halted, "no slot was left for a refusal");
    assert_eq!(desk.risk.counters().refusals_unsent.value(), 1);
    assert_eq!(desk.risk.under_way(), 10);
    let order = desk.buy("50.00", 1);
    assert_eq!(desk.try_one(order).0, RejectCode::Halted);
    assert_eq!(desk.risk.latch().unwrap().owner(), RISK);
}

#[test]
fn an_egress_ring_that_takes_nothing_halts_and_the_order_never_was() {
    let mut desk = Desk::new();
    desk.ring.broken = true;
    let order = desk.buy("50.00", 1);
    assert_eq!(desk.try_one(order), (RejectCode::EgressFull, 0, 64));
    assert_eq!(desk.risk.state(), TradingState::Halted);
    assert_eq!(desk.risk.latch().unwrap().owner(), RISK);
    assert_eq!((desk.risk.open_orders().count(), desk.risk.under_way()), (0, 0));
    assert_eq!(desk.risk.counters().egress_failures.value(), 1 + 1, "the order, then its refusal");
}

#[test]
fn a_kill_on_a_full_ring_is_sent_when_it_empties() {
    let mut desk = Desk::new();
    let ids = working(&mut desk, 3);
    desk.ring.broken = true;
    desk.kill();
    assert_eq!(desk.out.verdicts().len(), 0);
    desk.ring.broken = false;
    desk.simple(EventKind::Trade, SHARE, 0);
    assert_eq!(desk.taken().len(), ids.len());
}
