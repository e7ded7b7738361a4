//! [`ExitDriver`]: what the sequencer stores of orders, as a driver round the real one.

use super::{EXIT, Exit, OrderWriter, StampTime};
use spinward_engine::pipeline::{Driver, ExitStamps, Next};
use spinward_engine::risk::Outbound;
use spinward_engine::words::{Nanos, OrderId, Ticks};
use std::sync::mpsc::SyncSender;

/// Exits kept until the driver has sent all that there was: storing one must not delay the next.
const WAITING_MAX: usize = 256;

/// A driver whose orders' ways out are stored. Everything else is the driver's own.
#[derive(Debug)]
pub struct ExitDriver<D> {
    driver: D,
    // Apart from the driver, so that its end can be seen whatever the driver is.
    store: Option<Store>,
}

#[derive(Debug)]
struct Store {
    writer: Option<OrderWriter>,
    time: StampTime,
    waiting: Vec<(Outbound, ExitStamps)>,
    ended: SyncSender<OrderWriter>,
}

impl<D> ExitDriver<D> {
    /// Stores into `writer`, and hands it to `ended` (a channel with room for one) when the driver goes: finishing it blocks.
    pub fn new(driver: D, writer: OrderWriter, time: StampTime, ended: SyncSender<OrderWriter>) -> Self {
        let waiting = Vec::with_capacity(WAITING_MAX);
        Self { driver, store: Some(Store { writer: Some(writer), time, waiting, ended }) }
    }

    /// Only passes on.
    pub fn without_store(driver: D) -> Self {
        Self { driver, store: None }
    }
}

impl Store {
    #[inline(never)]
    fn write(&mut self) {
        if let Some(writer) = &mut self.writer {
            for (outbound, stamps) in &self.waiting {
                let (receive_time, exit) = exit(outbound, stamps, &self.time);
                writer.append(EXIT, receive_time, &exit);
            }
        }
        self.waiting.clear();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.write();
        if let Some(writer) = self.writer.take() {
            // There is room for one, and nobody to miss it if the session was dropped.
            let _ = self.ended.try_send(writer);
        }
    }
}

fn exit(outbound: &Outbound, stamps: &ExitStamps, time: &StampTime) -> (Nanos, Exit) {
    let (order, new_order, frame, decided, action_number, is_refusal) = match outbound {
        Outbound::Vacant => (OrderId::NONE, OrderId::NONE, 0, Nanos::ZERO, 0, 0),
        Outbound::Order(order) => {
            (order.order(), order.new_order(), order.frame(), order.decided(), order.action() as u8, 0)
        }
        Outbound::Refusal { verdict, decided, frame } => {
            (verdict.order, verdict.new_order, *frame, *decided, verdict.action_number, 1)
        }
    };
    let exit = Exit {
        order,
        new_order,
        frame,
        taken: time.at(stamps.taken),
        released: time.at(stamps.released),
        encoded: time.at(stamps.encoded),
        sent: time.at(stamps.sent),
        action_number,
        is_refusal,
        reserved: [0; 6],
    };
    (decided, exit)
}

impl<D: Driver> Driver for ExitDriver<D> {
    #[inline]
    fn submit(&mut self, outbound: &Outbound) {
        self.driver.submit(outbound);
    }

    #[inline]
    fn encoded(&self) -> Ticks {
        self.driver.encoded()
    }

    #[inline]
    fn submitted(&mut self, outbound: &Outbound, stamps: &ExitStamps) {
        self.driver.submitted(outbound, stamps);
        if let Some(store) = &mut self.store {
            if store.waiting.len() >= WAITING_MAX {
                store.write();
            }
            store.waiting.push((*outbound, *stamps));
        }
    }

    #[inline]
    fn next(&mut self, done: u64) -> Next<'_> {
        // The sequencer asks for the next message once the egress ring is empty.
        if let Some(store) = &mut self.store
            && !store.waiting.is_empty()
        {
            store.write();
        }
        self.driver.next(done)
    }

    #[inline]
    fn advance(&mut self, frame: u64) {
        self.driver.advance(frame);
    }

    fn now(&self) -> Nanos {
        self.driver.now()
    }

    fn entered(&mut self, frame: u64) {
        self.driver.entered(frame);
    }

    fn stop(&mut self) {
        self.driver.stop();
    }
}
