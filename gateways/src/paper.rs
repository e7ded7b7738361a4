//! The paper venue: our orders against the recorded market.
//!
//! Enters: the bytes of the recorded feed (decoded here a second time, by the same code as in the engine) and our order messages. Leaves:
//! [`Report`](spinward_engine::words::Report)s with the time at which we hear of them. Never: a clock, a thread, an allocation after
//! construction, a draw that depends on when it was polled. Everything is a function of the bytes, the messages and the seed.
//!
//! # Time
//! The venue lives on the *receive* time of the recorded market, not on the venue's own stamps: the local clock of a capture may be behind
//! the venue's by seconds (1.27 s in one of ours), so the two cannot be mixed, and an order is decided on receive time. So the way of the feed
//! from the venue to us is contained in `place`: it is the time from our seeing the market to our order acting on it.
//!
//! A new order acts `place` after its decision, a cancel `cancel`, a replace `replace`; what the venue says is heard `report` after the act. Each
//! span is a fixed part plus a uniform jitter, drawn from the seed by the order's id and the action, so that neither polling nor the orders
//! before it can change a draw. **An order-entry session keeps its order**: a later message never overtakes an earlier one, whatever the
//! spans, and so do the reports ([`PaperConfig::cancels_apart`] gives cancels a session of their own, on which they still never overtake the
//! message that made their order). An order that arrives at `t` acts after all market messages with a receive time up to and including `t`.
//!
//! # Taking
//! The marketable part of an order matches the displayed levels of the recorded book, best first, each at its own price. What it has taken is
//! remembered by instrument, side and price and is not there a second time: `available = recorded − taken`, where `taken` is held at the recorded
//! quantity when that falls, and is forgotten when the level is empty at the end of an event group. What others add is available at once. So what we
//! take of a level never exceeds what was ever added to it (a decrease is assumed to come from what we had left over, which is the
//! assumption against us). One order takes at most [`LEVELS_PER_ORDER_MAX`] levels; the rest of it is cancelled. The recorded market does not react to us.
//!
//! Day: the rest of the order comes to rest. IOC: the rest is cancelled. FOK: all at once, else `NotFillable`. Post-only: `WouldMatch` if it
//! could take anything.
//!
//! # Resting
//! Our order stands behind what is displayed at its level when it joins (`ahead`). Orders of our own are served by price, then by time.
//! - **Order by order (L3), exact.** `ahead` is the quantity of the orders of that level that came before ours: their executions, reductions and
//!   deletions lower it. An execution of an order that came *after* ours, or at a worse price, would have been ours: we are filled from its quantity.
//!   A hidden execution at our price fills us if nothing is ahead, and one at a worse price always.
//! - **Levels (L2), estimated.** A trade at our price lowers `ahead` first, the rest of it fills us; at a worse price all of it does. At the end of
//!   a group in which the level changed, `ahead = min(ahead, quantity of the level)`: what leaves without a trade is assumed to have been behind us.
//! - **Crossed.** If at the end of a group the opposite side stands at our price or beyond, we are filled from what is available there, at our price.
//!
//! A trade whose aggressor is unknown counts against the side that it touches (at or below the best bid: buyers were hit; at or above the best offer:
//! sellers), else it fills nobody. Auctions (cross prints, executions that are not
//! printable) fill nobody. After a resync of an L3 book our orders stand at the back.
//!
//! # Refusals
//! | case | answer |
//! |---|---|
//! | drawn by the fault setting | `Simulated` |
//! | `valid_until` before the arrival (not for cancels) | `IntentExpired` |
//! | quantity not positive, unknown instrument, id in use, replace on the other side or for another instrument | `VenueOther` |
//! | market halted, paused, quote-only or closed, our data quarantined (nothing to match against), session over, no room | `VenueUnavailable` |
//! | it would match an order of our own: the incoming one is refused whole | `VenueOther` |
//! | cancel or replace of an order that is not there (any more) | `TooLate` |
//!
//! A refused replace leaves its order as it was. Cancels act in every state of the market. While a market does not trade nothing is matched; while our
//! data is quarantined nothing is crossed, but trades (facts) still fill. A closed market cancels its resting orders.
//!
//! Every message gets exactly one first answer; fills and the `Cancelled` of a remainder come besides. Fees are risk's, by the maker flag.

mod acting;
mod config;
mod desk;
mod draw;

mod market;
mod matching;
mod message;
mod resting;
mod shelf;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod venue;
mod wire;

pub use acting::LEVELS_PER_ORDER_MAX;
pub use config::{Latency, PaperConfig, PaperConfigError};
pub use market::{MarketBook, MarketOrder, StageBook};
pub(crate) use message::OrderMessage;
pub use venue::{PaperCounters, PaperVenue};
