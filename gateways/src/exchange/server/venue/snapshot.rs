//! A snapshot in the manner of GLIMPSE 5.0: the market as it is, in messages of ITCH, and where the stream goes on.

use super::ExchangeCore;
use crate::exchange::{MessageSink, OrderRef, Output, Phase};
use crate::itch50::MESSAGE_BYTES_MAX;
use crate::soup::{Numeric, SequencedStore};
use spinward_engine::words::{Nanos, Side};

/// Type of the snapshot's last message (GLIMPSE 5.0 §1.7): the letter, then 20 digits, padded with spaces on the left.
pub const SNAPSHOT_END: u8 = b'G';

/// Bytes of the last message.
const END_BYTES: usize = 21;

/// The number of the first message of market data that a snapshot does not have in it; `None` if this is not its last message.
pub fn snapshot_end(message: &[u8]) -> Option<u64> {
    match message.split_first_chunk::<1>() {
        Some(([SNAPSHOT_END], digits)) => Numeric::<20>::from_bytes(digits.try_into().ok()?).get(),
        _ => None,
    }
}

struct Into<'a>(&'a mut SequencedStore);

impl MessageSink for Into<'_> {
    fn message(&mut self, bytes: &[u8]) {
        // Made with room for all.
        let _ = self.0.push(bytes);
    }
}

impl ExchangeCore {
    /// The directory, each symbol's trading state, every displayed order by priority, and the number of the message that follows. A book that is
    /// rebuilt from it has the same queues; icebergs show the part they show.
    pub fn snapshot(&mut self, now: Nanos) -> SequencedStore {
        self.at(now);
        let sides = [Side::Buy, Side::Sell];
        let shown = |symbol| sides.map(|side| self.engine.displayed_orders(symbol, side) as usize);
        let orders: usize = self.symbols().flat_map(shown).sum();
        let messages = orders + 2 * self.listings.len() + 1;
        let mut store = SequencedStore::new(*self.session(), messages, messages * MESSAGE_BYTES_MAX);
        for symbol in self.symbols() {
            self.writer.directory(symbol, &mut Into(&mut store));
        }
        for symbol in self.symbols() {
            let state = match self.engine.phase(symbol) {
                Phase::Continuous => b'T',
                Phase::PreOpen | Phase::Quoting => b'Q',
                Phase::Closed | Phase::Halted => b'H',
            };
            self.writer.trading(symbol, state, &mut Into(&mut store));
            for side in sides {
                for order in self.engine.queue(symbol, side) {
                    let named = OrderRef { id: order.id, reference: order.reference, owner: order.owner };
                    let (price, shares, attributed) = (order.price, order.displayed, order.attributed);
                    let output = Output::Shown { order: named, symbol, side, price, shares, attributed };
                    self.writer.write(&output, &mut Into(&mut store));
                }
            }
        }
        let mut end = [SNAPSHOT_END; END_BYTES];
        // Twenty digits hold every u64.
        let next = Numeric::<20>::new(self.history.next_sequence()).unwrap_or(Numeric::BLANK);
        if let Some(digits) = end.get_mut(1..) {
            digits.copy_from_slice(next.bytes());
        }
        let _ = store.push(&end);
        store
    }
}
