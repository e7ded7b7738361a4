//! What makes the engine answer packets, and tells which packet each order came of.

use spinward_engine::pipeline::{Driver, Next};
use spinward_engine::risk::Outbound;
use spinward_engine::strategy::{Context, OrderRequest, Strategy};
use spinward_engine::words::{BookView, FrameKind, Nanos, Price, Qty, Side, Ticks, TimeInForce};
use spinward_gateways::live::LiveDriver;
use spinward_gateways::ouch::name_of;
use spinward_gateways::ouch50::ClOrdId;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Below the best bid, so that the order never trades: 10 ticks of a cent.
const BELOW: i64 = 100_000_000;

/// Orders of which causes are kept; a round has fewer.
const CAUSES_MAX: usize = 1 << 20;

/// Frames whose message is remembered: more than can be under way.
const FRAMES: usize = 1 << 16;

/// Sends an immediate order that cannot trade, at each so-many-th view.
pub(super) struct Probe {
    views: u64,
    every: u64,
}

impl Probe {
    pub(super) const fn new(every: u64) -> Self {
        Self { views: 0, every }
    }
}

impl Strategy for Probe {
    fn on_book(&mut self, context: &mut Context<'_>, view: &BookView) {
        let Some(best) = view.best_bid().filter(|_| view.is_tradable()) else { return };
        self.views += 1;
        if self.views.is_multiple_of(self.every) {
            // A refusal changes nothing: the next one tries again.
            let _ = context.new_order(OrderRequest {
                instrument: view.instrument,
                side: Side::Buy,
                price: Price::from_nanos(best.price.nanos() - BELOW),
                qty: Qty::from_lots(1),
                tif: TimeInForce::Ioc,
                post_only: false,
                reduce_only: false,
            });
        }
    }
}

/// The live driver, with the message of market data that caused each order kept beside it.
pub(super) struct CausedDriver {
    driver: LiveDriver,
    /// Market messages that have entered: the number of the last one in the stream, which is read from its beginning.
    messages: u64,
    is_market: bool,
    /// Frame and message, by the frame's number modulo [`FRAMES`].
    frames: Box<[(u64, u64)]>,
    causes: Vec<(ClOrdId, u64)>,
    results: SyncSender<Vec<(ClOrdId, u64)>>,
}

impl CausedDriver {
    /// And where the causes will be when it is dropped.
    pub(super) fn new(driver: LiveDriver) -> (Self, Receiver<Vec<(ClOrdId, u64)>>) {
        let (results, causes) = sync_channel(1);
        let driver = Self {
            driver,
            messages: 0,
            is_market: false,
            frames: vec![(0, 0); FRAMES].into_boxed_slice(),
            causes: Vec::with_capacity(CAUSES_MAX),
            results,
        };
        (driver, causes)
    }
}

impl Driver for CausedDriver {
    fn submit(&mut self, outbound: &Outbound) {
        self.driver.submit(outbound);
        if let Outbound::Order(order) = outbound
            && self.causes.len() < CAUSES_MAX
            && let Some((frame, message)) = self.frames.get(order.frame() as usize % FRAMES)
            && *frame == order.frame()
        {
            self.causes.push((name_of(order.order()), *message));
        }
    }

    fn encoded(&self) -> Ticks {
        self.driver.encoded()
    }

    fn next(&mut self, done: u64) -> Next<'_> {
        let next = self.driver.next(done);
        if let Next::Message(message) = &next {
            self.is_market = message.kind == FrameKind::Market;
        }
        next
    }

    fn advance(&mut self, frame: u64) {
        self.driver.advance(frame);
        if self.is_market {
            self.messages += 1;
            if let Some(place) = self.frames.get_mut(frame as usize % FRAMES) {
                *place = (frame, self.messages);
            }
        }
    }

    fn now(&self) -> Nanos {
        self.driver.now()
    }

    fn stop(&mut self) {
        self.driver.stop();
    }
}

impl Drop for CausedDriver {
    fn drop(&mut self) {
        // There is room for one, and this is the only one.
        let _ = self.results.try_send(std::mem::take(&mut self.causes));
    }
}
