//! The gateway against the exchange, over a wire that is cut in every place.

pub(crate) mod rig;

use super::*;
use proptest::prelude::*;
use rig::{Rig, config};
use spinward_engine::words::{Nanos, ReportKind, Side, TimeInForce, TradingState};

fn kinds(rig: &Rig) -> Vec<ReportKind> {
    rig.ledger.reports.iter().map(|report| report.kind().unwrap()).collect()
}

#[test]
fn risk_may_send_when_the_stream_is_read_to_its_end_and_not_before() {
    let mut rig = Rig::new(&config());
    assert_eq!((rig.state, rig.gateway.state()), (TradingState::CancelOnly, GatewayState::Down));
    let early = rig.enter(Side::Buy, 100, 10, TimeInForce::Day);
    assert_eq!(kinds(&rig), [ReportKind::Rejected], "order {early} is refused at once");
    rig.ready();
    assert_eq!((rig.state, rig.gateway.state()), (TradingState::Normal, GatewayState::Ready));
    rig.cut();
    assert_eq!(rig.state, TradingState::CancelOnly);
    rig.ready();
    rig.agree();
}

#[test]
fn orders_that_the_venue_got_and_orders_that_it_never_got_are_told_apart_after_the_connection_is_lost() {
    let mut rig = Rig::new(&config());
    rig.ready();
    let arrived = rig.enter(Side::Buy, 100, 10, TimeInForce::Day);
    rig.venue_reads();
    let lost = rig.enter(Side::Buy, 101, 10, TimeInForce::Day);
    rig.cut();
    rig.pass(50);
    assert_eq!(rig.ledger.pending(), 2, "both stay pending while nobody knows");
    rig.ready();
    rig.pass(50);
    assert_eq!(kinds(&rig), [ReportKind::Accepted, ReportKind::Rejected]);
    assert!(rig.ledger.open.contains_key(&arrived) && !rig.ledger.open.contains_key(&lost));
    rig.agree();
}

#[test]
fn an_order_that_never_arrived_is_known_for_that_though_a_later_number_arrived_and_its_answer_was_lost() {
    let mut rig = Rig::new(&config());
    rig.ready();
    let arrived = rig.enter(Side::Buy, 100, 10, TimeInForce::Day);
    rig.venue_reads();
    let lost = [99, 98].map(|dollars| rig.enter(Side::Buy, dollars, 10, TimeInForce::Day));
    rig.cut();
    // The venue reads the marker of the next connection, which is cut before we hear of it.
    while !rig.is_marked() {
        rig.pass(10);
    }
    rig.venue_reads();
    rig.cut();
    rig.ready();
    rig.pass(3_000);
    assert_eq!(kinds(&rig), [ReportKind::Accepted, ReportKind::Rejected, ReportKind::Rejected]);
    assert!(
        rig.ledger.open.contains_key(&arrived) && lost.iter().all(|id| !rig.ledger.open.contains_key(id))
    );
    rig.agree();
}

#[test]
fn a_venue_that_does_not_answer_opens_the_breaker_and_an_answer_to_a_question_closes_it() {
    let mut config = config();
    config.breaker.failures_max = 2;
    config.answer_within = Nanos::from_millis(100);
    let mut rig = Rig::new(&config);
    rig.ready();
    rig.enter(Side::Buy, 100, 10, TimeInForce::Day);
    // The venue reads nothing, and the connection stays.
    for _ in 0..40 {
        rig.now = rig.now.after(Nanos::from_millis(10));
        rig.act(|gateway, now, out| gateway.on_time(now, out));
    }
    assert_eq!((rig.gateway.breaker(), rig.state), (BreakerState::Open, TradingState::CancelOnly));
    rig.enter(Side::Buy, 100, 10, TimeInForce::Day);
    assert_eq!(kinds(&rig), [ReportKind::Rejected], "no order leaves, the first one stays pending");
    rig.pass(2_000);
    assert_eq!((rig.gateway.breaker(), rig.state), (BreakerState::Closed, TradingState::Normal));
    assert_eq!(rig.gateway.counters().breaker_opened.value(), 1);
    rig.agree();
}

#[test]
fn the_venues_rule_refuses_orders_and_keeps_the_last_messages_for_cancels() {
    let mut config = config();
    config.limiter =
        LimiterConfig { rule: LimitRule::Window { messages: 5, span: Nanos::from_secs(1) }, reserve: 2 };
    let mut rig = Rig::new(&config);
    rig.ready();
    rig.pass(1_100);
    let orders: Vec<u64> = (0..5).map(|_| rig.enter(Side::Buy, 100, 10, TimeInForce::Day)).collect();
    rig.pass(20);
    assert_eq!(rig.ledger.open.len(), 3);
    rig.cancel(orders[0]);
    rig.cancel(orders[1]);
    rig.cancel(orders[2]);
    rig.pass(20);
    assert_eq!(rig.ledger.open.len(), 1, "two cancels use the reserve, the third is refused");
    let counters = rig.gateway.counters();
    assert_eq!((counters.refused_limited.value(), counters.cancels.value()), (3, 2));
    rig.agree();
}

#[test]
fn a_stop_cancels_everything_and_says_that_the_venue_is_flat_only_when_the_venue_said_so() {
    let mut rig = Rig::new(&config());
    rig.ready();
    for shares in 1..=10 {
        rig.enter(Side::Buy, 100, shares, TimeInForce::Day);
    }
    rig.pass(20);
    let unanswered = rig.enter(Side::Buy, 99, 1, TimeInForce::Day);
    rig.act(|gateway, now, out| gateway.stop(now, out));
    rig.enter(Side::Buy, 98, 1, TimeInForce::Day);
    assert_eq!(rig.stopped, None);
    assert!(rig.ledger.pending() == 1, "{unanswered} was under way");
    rig.pass(200);
    assert_eq!(rig.stopped, Some(StopOutcome { is_flat: true, open_orders: 0 }));
    rig.agree();
    assert_eq!(rig.venue.state().account("ours").unwrap().orders.len(), 0);
}

#[test]
fn a_stop_without_a_venue_says_after_its_time_which_orders_may_still_stand() {
    let mut rig = Rig::new(&config());
    rig.ready();
    rig.enter(Side::Buy, 100, 10, TimeInForce::Day);
    rig.pass(20);
    rig.is_unreachable = true;
    rig.cut();
    rig.act(|gateway, now, out| gateway.stop(now, out));
    rig.pass(4_900);
    assert_eq!(rig.stopped, None);
    rig.pass(200);
    assert_eq!(rig.stopped, Some(StopOutcome { is_flat: false, open_orders: 1 }));
    assert_eq!(rig.ledger.open.len(), 1, "it is not said to be gone");
}

#[test]
fn a_stop_over_a_lost_connection_connects_again_and_cancels() {
    let mut rig = Rig::new(&config());
    rig.ready();
    rig.enter(Side::Buy, 100, 10, TimeInForce::Day);
    rig.pass(20);
    rig.act(|gateway, now, out| gateway.stop(now, out));
    rig.cut();
    rig.pass(2_000);
    assert_eq!(rig.stopped, Some(StopOutcome { is_flat: true, open_orders: 0 }));
    rig.agree();
}

#[test]
fn orders_of_a_stranger_on_our_account_are_cancelled_before_anything_is_sent() {
    let mut rig = Rig::new(&config());
    rig.ready();
    rig.enter(Side::Buy, 100, 10, TimeInForce::Day);
    rig.pass(20);
    // A process that knows nothing of the day.
    rig.ledger = rig::Ledger::default();
    rig.gateway = OuchGateway::new(&config(), &rig::table(), Carried::default()).unwrap();
    rig.cut();
    rig.act(|gateway, now, out| gateway.start(now, out));
    rig.ready();
    rig.pass(50);
    assert_eq!(rig.venue.state().account("ours").unwrap().orders.len(), 0);
    assert_eq!(kinds(&rig), [], "the engine hears nothing of orders that are not its own");
    rig.enter(Side::Buy, 100, 10, TimeInForce::Day);
    rig.pass(20);
    rig.agree();
}

#[test]
fn a_duplicate_execution_and_a_fill_without_an_acknowledgement_are_counted_once() {
    // Told by hand: the exchange does neither.
    use crate::itch50::{Be32, Be64};
    use crate::ouch50::{Appendage, Executed, OuchPrice, Outbound};
    let mut rig = Rig::new(&config());
    rig.ready();
    let order = rig.enter(Side::Buy, 100, 10, TimeInForce::Day);
    let user_ref = rig.gateway.core.desk.find(spinward_engine::words::OrderId::new(order)).unwrap().user_ref;
    rig.to_venue.clear();
    let executed = |number: u64| Executed {
        timestamp: Be64::new(1),
        user_ref: Be32::new(user_ref),
        quantity: Be32::new(4),
        price: OuchPrice::new(1_000_000),
        liquidity: b'A',
        match_number: Be64::new(number),
    };
    for number in [7, 7, 8] {
        let mut bytes = [0; 64];
        let length = Outbound::from(&executed(number)).encode(Appendage::EMPTY, &mut bytes);
        let mut packet = [0; 80];
        let total = crate::soup::Packet::Sequenced(&bytes[..length]).encode(&mut packet);
        rig.act(|gateway, now, out| gateway.on_bytes(now, &packet[..total], out));
    }
    assert_eq!(kinds(&rig), [ReportKind::Accepted, ReportKind::Filled, ReportKind::Filled]);
    assert_eq!((rig.ledger.position, rig.gateway.counters().duplicates.value()), (8, 1));
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Deed {
    Enter(bool, i64, i64, u8),
    Cancel(usize),
    Replace(usize, i64, i64),
    They(bool, i64, i64, bool),
    VenueReads,
    VenueWrites,
    WeRead,
    Cut,
    Pass(i64),
    Restart,
    LoseAnswers,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (any::<bool>(), 98i64..103, 1i64..30, 0u8..3).prop_map(|(buys, at, qty, tif)| Deed::Enter(buys, at, qty, tif)),
        4 => any::<usize>().prop_map(Deed::Cancel),
        3 => (any::<usize>(), 98i64..103, 1i64..30).prop_map(|(which, at, qty)| Deed::Replace(which, at, qty)),
        5 => (any::<bool>(), 98i64..103, 1i64..40, any::<bool>()).prop_map(|(buys, at, qty, ioc)| Deed::They(buys, at, qty, ioc)),
        4 => Just(Deed::VenueReads),
        4 => Just(Deed::VenueWrites),
        4 => Just(Deed::WeRead),
        2 => Just(Deed::Cut),
        1 => Just(Deed::LoseAnswers),
        2 => (1i64..400).prop_map(Deed::Pass),
        1 => Just(Deed::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(300), ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_sent_cut_lost_and_restarted_both_ends_agree_in_the_end(deeds in proptest::collection::vec(deed(), 0..120)) {
        let config = config();
        let mut rig = Rig::new(&config);
        rig.ready();
        for deed in deeds {
            let side = |buys: bool| if buys { Side::Buy } else { Side::Sell };
            let open = |which: usize| {
                let count = rig.ledger.open.len();
                (count > 0).then(|| *rig.ledger.open.keys().nth(which % count).unwrap())
            };
            match deed {
                Deed::Enter(buys, at, qty, tif) => {
                    rig.enter(side(buys), at, qty, [TimeInForce::Day, TimeInForce::Ioc, TimeInForce::Fok][usize::from(tif)]);
                }
                Deed::Cancel(which) => {
                    if let Some(id) = open(which) {
                        rig.cancel(id);
                    }
                }
                Deed::Replace(which, at, qty) => {
                    if let Some(id) = open(which) {
                        rig.replace(id, at, qty);
                    }
                }
                Deed::They(buys, at, qty, ioc) => {
                    rig.they(side(buys), at, qty, if ioc { TimeInForce::Ioc } else { TimeInForce::Day });
                }
                Deed::VenueReads => rig.venue_reads(),
                Deed::VenueWrites => rig.venue_writes(),
                Deed::WeRead => rig.we_read(),
                Deed::Cut => rig.cut(),
                Deed::LoseAnswers => {
                    rig.venue_writes();
                    rig.cut();
                }
                Deed::Pass(millis) => rig.pass(millis),
                Deed::Restart => rig.restart(&config),
            }
        }
        rig.ready();
        rig.pass(3_000);
        rig.agree();
        // And all of it again by whoever comes next.
        rig.restart(&config);
        rig.ready();
        rig.pass(100);
        rig.agree();
        prop_assert_eq!(rig.gateway.counters().unexpected.value(), 0);
    }
}
