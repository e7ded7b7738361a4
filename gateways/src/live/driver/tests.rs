//! The driver against the exchange, over a socket, with an engine that a test plays.

use super::*;
use crate::exchange::server::{AccountConfig, ExchangeConfig, ExchangeServer};
use crate::ouch::tests::rig::{config, table};
use spinward_engine::words::{Clock, CommandKind, Intent, RejectCode, ReportKind, TradingState, Verdict};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// A market without news.
struct Quiet;

impl MarketFeed for Quiet {
    fn peek(&mut self) -> Peek<'_> {
        Peek::NotYet
    }

    fn advance(&mut self) {}
}

/// Asks until an answer other than "nothing yet" comes that `is_it` wants; takes every message before it.
fn until<T>(
    driver: &mut LiveDriver,
    frame: &mut u64,
    done: impl Fn(u64) -> u64,
    is_it: impl Fn(&Next<'_>) -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE, "frame {frame}");
        let next = driver.next(done(*frame));
        let found = is_it(&next);
        if matches!(next, Next::Message(_)) {
            *frame += 1;
            driver.advance(*frame);
        }
        if let Some(found) = found {
            return found;
        }
    }
}

fn ends(next: &Next<'_>) -> Option<bool> {
    match next {
        Next::End => Some(true),
        Next::WaitForEngine => Some(false),
        Next::Message(_) | Next::Wait => None,
    }
}

#[test]
fn it_ends_when_the_engine_is_done_with_every_frame_and_has_heard_the_last_refusal() {
    let mut exchange = ExchangeConfig::default();
    exchange.core.accounts = vec![AccountConfig::new("ours", "secret").unwrap()];
    let exchange = ExchangeServer::start(&exchange).unwrap();
    let live = LiveConfig {
        ouch: config(),
        venue: exchange.addresses().orders,
        timer_interval: Nanos::from_millis(1),
        duration: None,
    };
    let mut driver =
        LiveDriver::new(&live, Box::new(Quiet), &table(), Carried::default(), Clock::new()).unwrap();
    let mut frame = 0;
    let may_trade = |next: &Next<'_>| match next {
        Next::Message(message) if message.kind == FrameKind::Operator => {
            let command: Command = bytemuck::try_pod_read_unaligned(message.bytes).ok()?;
            let is_normal = command.kind() == Some(CommandKind::SetState)
                && command.state_number == TradingState::Normal as u8;
            is_normal.then_some(())
        }
        Next::Message(_) | Next::Wait | Next::WaitForEngine | Next::End => None,
    };
    until(&mut driver, &mut frame, |frame| frame, may_trade);

    // The venue is found flat while the engine is a frame behind.
    driver.stop();
    assert!(!until(&mut driver, &mut frame, |frame| frame - 1, ends), "frame {frame} may bring an order");
    assert!(driver.failure_slot().get().is_none());
    // It refuses an order for that frame, and is to hear of it.
    let verdict = Verdict::on(&Intent::default(), RejectCode::Halted, 0, 0);
    driver.submit(&Outbound::Refusal { verdict, decided: Nanos::ZERO, frame });
    let refusal = |next: &Next<'_>| match next {
        Next::Message(message) if message.kind == FrameKind::Report => {
            let report: Report = bytemuck::try_pod_read_unaligned(message.bytes).ok()?;
            Some(report.kind())
        }
        Next::End => Some(None),
        Next::Message(_) | Next::Wait | Next::WaitForEngine => None,
    };
    assert_eq!(until(&mut driver, &mut frame, |frame| frame, refusal), Some(ReportKind::Rejected));
    // That frame is one more for the engine.
    assert!(!until(&mut driver, &mut frame, |frame| frame - 1, ends));
    assert!(until(&mut driver, &mut frame, |frame| frame, ends));
    exchange.stop().unwrap();
}
