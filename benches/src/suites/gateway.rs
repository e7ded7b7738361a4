//! What the order gateway does with an order between risk and the socket: life table, limiter, breaker, OUCH, SoupBinTCP. Control: a copy of the bytes that come of it.

mod venue;

use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::lab::{Market, TRADED};
use crate::measure::Role;
use crate::parts::instruments;
use crate::straight::{Probe, Straight, Upto};
use hdrhistogram::Histogram;
use spinward_engine::risk::{ApprovedOrder, Outbound};
use spinward_engine::words::Clock;
use std::hint::black_box;
use venue::Desk;

/// Orders between two visits of the venue, which answers all of them.
const BATCH: usize = 256;

/// Keeps the orders that risk approves.
struct Orders(Vec<ApprovedOrder>);

impl Probe for Orders {
    const LOOKS_AT_RISK: bool = false;

    fn sent(&mut self, outbound: &Outbound) {
        if let Outbound::Order(order) = outbound {
            self.0.push(*order);
        }
    }
}

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let count = bench.plan.operations();
    bench.configure("market", "hot: 50 symbols, 20000 orders, seed 7");
    bench.configure("traded", TRADED);
    bench.configure("batch", BATCH);
    let market = Market::generate(&Market::hot(7), count)?;
    let orders = approved(&market)?;
    bench.configure("orders", orders.len());
    let clock = bench.clock.clone();
    for round in 0..bench.plan.rounds {
        bench.say(&format!("gateway, round {} of {}", round + 1, bench.plan.rounds));
        let found = on_core(bench.core(), || measure(&clock, &orders))??;
        let (flat, copied) = ("order to bytes, back to back", "memcpy of the bytes");
        bench.sheet.mean(flat, Role::Subject, Some(copied), found.flat_ns, found.count);
        bench.sheet.mean(copied, Role::Control, None, found.copied_ns, found.count);
        bench.sheet.latency("order to bytes, one by one", Role::Subject, None, &found.each)?;
        bench.end_round();
    }
    Ok(())
}

/// What risk approves over the market.
fn approved(market: &Market) -> Result<Vec<ApprovedOrder>, LabError> {
    let mut stages = Straight::new(market, TRADED)?;
    let mut orders = Orders(Vec::new());
    for index in 0..market.count() {
        let Some((time, bytes)) = market.message(index) else { break };
        stages.message(time, bytes, 0, Upto::Risk, &mut orders);
    }
    if orders.0.len() < 2 * BATCH {
        return Err(LabError::Usage("too few orders came of the market: give more --seconds".to_owned()));
    }
    Ok(orders.0)
}

struct Found {
    count: u64,
    flat_ns: u64,
    copied_ns: u64,
    each: Histogram<u64>,
}

/// Batch by batch: one back to back, the next one by one.
fn measure(clock: &Clock, orders: &[ApprovedOrder]) -> Result<Found, LabError> {
    let mut desk = Desk::open(&instruments(TRADED)?)?;
    let mut found = Found { count: 0, flat_ns: 0, copied_ns: 0, each: histogram()? };
    let mut copy = [0u8; 128];
    for (index, batch) in orders.chunks_exact(BATCH).enumerate() {
        if index.is_multiple_of(2) {
            let begin = clock.ticks();
            batch.iter().for_each(|order| desk.submit(black_box(order)));
            found.flat_ns += clock.nanos_between(begin, clock.ticks());
            found.count += batch.len() as u64;
            let begin = clock.ticks();
            for bytes in desk.sent() {
                if let Some(to) = copy.get_mut(..bytes.len()) {
                    to.copy_from_slice(black_box(bytes));
                }
                black_box(&copy);
            }
            found.copied_ns += clock.nanos_between(begin, clock.ticks());
        } else {
            for order in batch {
                let begin = clock.ticks();
                desk.submit(black_box(order));
                found.each.saturating_record(clock.nanos_between(begin, clock.ticks()).max(1));
            }
        }
        desk.settle(batch.len())?;
    }
    Ok(found)
}
