//! The receive path: packets as full as a real feed fills them, over loopback UDP, at ever higher rates until one is dropped. Subjects: into the books, and through the whole pipeline
//! with its journal, both on one core while the sender has the other. Control: the same packets received and thrown away.

mod receivers;
mod sender;

use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::lab::Market;
use crate::measure::Role;
use receivers::{Received, bare, books, pipeline};
use sender::Packets;
use spinward_engine::words::Clock;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a packet's payload at most: one Ethernet frame, with room for headers of tunnels.
const PACKET_BYTES: usize = 1_400;

/// Rates that are tried, messages a second.
const RATES: [u64; 12] = [
    250_000, 500_000, 750_000, 1_000_000, 1_250_000, 1_500_000, 1_750_000, 2_000_000, 2_500_000, 3_000_000,
    4_000_000, 6_000_000,
];

/// Each for so many times as long as asked for: the kernel's buffer alone holds a tenth of a second.
const LENGTHS: f64 = 5.0;

/// Who keeps up is done so soon after the last packet was sent.
const BEHIND_MAX: Duration = Duration::from_millis(20);

/// A receiver: given where to say at which address it listens, until the stream's end.
type Run = fn(&Market, &Clock, &dyn Fn(SocketAddr)) -> Result<Received, LabError>;

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings, or a socket or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let Some(cores) = bench.two_cores() else {
        bench.skip("feed: sender and receiver spin on a core each, this host has one".to_owned());
        return Ok(());
    };
    let length = (bench.plan.seconds * LENGTHS).max(0.25);
    let most = RATES.iter().max().copied().unwrap_or(1);
    let count = (most as f64 * length) as usize;
    bench.configure("market", "hot: 50 symbols, 20000 orders, seed 7");
    bench.configure("packet_bytes", PACKET_BYTES);
    bench.configure("seconds", length);
    let clock = bench.clock.clone();
    bench.say("feed: the market");
    // Generated once for the highest rate; a lower one sends its first part.
    let market = Arc::new(Market::generate(&Market::hot(7), count)?);
    let packets = Arc::new(Packets::of(&market, PACKET_BYTES)?);
    bench.configure("messages_per_packet", packets.mean_messages().round());
    let receivers: [(&str, Role, Option<&str>, Run); 3] = [
        ("bare receive loop", Role::Control, None, bare),
        ("into the books", Role::Subject, Some("bare receive loop"), books),
        ("through the pipeline, journal on", Role::Subject, Some("bare receive loop"), pipeline),
    ];
    for round in 0..bench.plan.rounds {
        for (name, role, control, run) in receivers {
            bench.say(&format!("feed, {name}, round {} of {}", round + 1, bench.plan.rounds));
            let highest = highest(&market, &packets, &clock, cores, length, run)?;
            let Some(rate) = highest else {
                let lowest = RATES.first().copied().unwrap_or(0);
                bench.skip(format!("feed, {name}: packets were dropped at {lowest} messages/s already"));
                continue;
            };
            let title = format!("{name}: a message at the highest rate without a drop");
            let control =
                control.map(|control| format!("{control}: a message at the highest rate without a drop"));
            bench.sheet.mean(&title, role, control.as_deref(), 1_000_000_000, rate);
        }
        bench.end_round();
    }
    Ok(())
}

/// The highest of the rates up to which no message is missing and the receiver keeps up.
fn highest(
    market: &Arc<Market>,
    packets: &Arc<Packets>,
    clock: &Clock,
    cores: (usize, usize),
    length: f64,
    run: Run,
) -> Result<Option<u64>, LabError> {
    let mut best = None;
    for rate in RATES {
        let count = (rate as f64 * length) as usize;
        let shortened = market.shortened(count);
        let sent = sender::start(packets, shortened.count(), market.opening, rate, cores.0);
        let received = on_core(cores.1, || run(&shortened, clock, &|address| sent.begin(address)))??;
        let sent = sent.join()?;
        let is_whole = received.messages == sent.messages && received.dropped == 0;
        let behind = clock.nanos_between(sent.ended_at, received.ended_at);
        // A sender that did not keep its own pace proves nothing.
        let in_time = sent.ended_at.saturating_sub(sent.due_at);
        let is_paced = clock.nanos_between(0, in_time) < BEHIND_MAX.as_nanos() as u64;
        if !is_whole || !is_paced || u128::from(behind) > BEHIND_MAX.as_nanos() {
            break;
        }
        best = Some(rate);
    }
    Ok(best)
}
