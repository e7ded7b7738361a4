//! [`ItchWriter`]: outputs of the engine as ITCH 5.0 messages.
//!
//! | output | message |
//! |---|---|
//! | `Shown` | `A`, or `F` if attributed |
//! | `Traded` | `E`; `P` if the resting shares were not displayed |
//! | `Crossed` | `C`, not printable, for its displayed shares |
//! | `CrossDone` | `Q` |
//! | `Cancelled` | `X`, `D` when nothing is displayed any more; nothing for shares that were not |
//! | `Replaced` | `X`, `U` or `D` |
//! | `PhaseChanged` | `H`: `T` continuous, `H` halted, `Q` in a call; nothing when closed (a system event tells that) |
//! | `Imbalance` | `I` |
//! | `Broken` | `B` |
//! | `Accepted` `Rejected` `Rested` | nothing: they are between the owner and the venue |

use super::words::{Change, CrossKind, Indication, Output, Phase, Price4};
use crate::itch50::{
    AddOrder, AddOrderAttributed, Be16, Be32, Be48, Be64, BrokenTrade, CrossTrade, Head, Imbalance,
    MESSAGE_BYTES_MAX, Message, Mpid, MwcbLevels, OrderCancel, OrderDelete, OrderExecuted,
    OrderExecutedAtPrice, OrderReplace, ParticipantPosition, Price4 as WirePrice, Price8, RegSho, Stock,
    StockDirectory, SystemEvent, SystemEventCode, Trade, TradingAction,
};
use spinward_engine::words::{Side, Symbol};

/// Takes messages as they are made.
pub trait MessageSink {
    /// One whole message, at most [`MESSAGE_BYTES_MAX`] bytes.
    fn message(&mut self, bytes: &[u8]);
}

impl MessageSink for Vec<Vec<u8>> {
    fn message(&mut self, bytes: &[u8]) {
        self.push(bytes.to_vec());
    }
}

/// Participants that sign their orders, by account.
const PARTICIPANTS: [&str; 4] = ["SPWA", "SPWB", "SPWC", "SPWD"];

/// Makes market data. Knows the names of the symbols and the time, nothing of books.
pub struct ItchWriter {
    names: Box<[(Be16, Stock)]>,
    participants: [Mpid; PARTICIPANTS.len()],
    now: Be48,
}

impl ItchWriter {
    /// With each symbol's locate and name, by index. A name of more than 8 letters is written blank.
    pub fn new(names: impl IntoIterator<Item = (u16, Symbol)>) -> Self {
        let name = |(locate, symbol): (u16, Symbol)| {
            (Be16::new(locate), Stock::new(symbol.as_str()).unwrap_or_default())
        };
        Self {
            names: names.into_iter().map(name).collect(),
            participants: PARTICIPANTS.map(|name| Mpid::new(name).unwrap_or_default()),
            now: Be48::new(0),
        }
    }

    /// Sets the time of what is written next: nanoseconds since midnight, below 2^48.
    #[inline]
    pub fn at(&mut self, nanos_since_midnight: u64) {
        self.now = Be48::new(nanos_since_midnight);
    }

    #[inline]
    fn name(&self, symbol: u16) -> (Head, Stock) {
        let (locate, stock) = self.names.get(usize::from(symbol)).copied().unwrap_or_default();
        (Head { locate, tracking: Be16::new(0), timestamp: self.now }, stock)
    }

    /// What market data says of an output: no message or one.
    #[inline]
    pub fn write(&self, output: &Output, sink: &mut impl MessageSink) {
        match *output {
            Output::Accepted { .. } | Output::Rejected { .. } | Output::Rested { .. } => {}
            Output::Shown { order, symbol, side, price, shares, attributed } => {
                let (head, stock) = self.name(symbol);
                let (reference, shares) = (Be64::new(order.reference), Be32::new(shares));
                let (side, price) = (letter_of(side), wire(price));
                if attributed {
                    let attribution = self.participants[order.owner.account as usize % PARTICIPANTS.len()];
                    send(
                        sink,
                        &AddOrderAttributed { head, reference, side, shares, stock, price, attribution },
                    );
                } else {
                    send(sink, &AddOrder { head, reference, side, shares, stock, price });
                }
            }
            Output::Traded { symbol, maker, price, shares, match_number, displayed, .. } => {
                let (head, stock) = self.name(symbol);
                let (shares, match_number) = (Be32::new(shares), Be64::new(match_number));
                if displayed {
                    let reference = Be64::new(maker.reference);
                    send(sink, &OrderExecuted { head, reference, shares, match_number });
                } else {
                    // Since 2010 the reference is 0, since 2014 the side is always B.
                    let reference = Be64::new(0);
                    let price = wire(price);
                    send(sink, &Trade { head, reference, side: b'B', shares, stock, price, match_number });
                }
            }
            Output::Crossed { symbol, order, price, displayed, match_number, .. } => {
                if displayed > 0 {
                    send(
                        sink,
                        &OrderExecutedAtPrice {
                            head: self.name(symbol).0,
                            reference: Be64::new(order.reference),
                            shares: Be32::new(displayed),
                            match_number: Be64::new(match_number),
                            printable: b'N',
                            price: wire(price),
                        },
                    );
                }
            }
            Output::CrossDone { symbol, kind, price, shares, match_number } => {
                let (head, stock) = self.name(symbol);
                let (shares, match_number) = (Be64::new(shares), Be64::new(match_number));
                let cross_type = cross_letter(kind);
                send(sink, &CrossTrade { head, shares, stock, price: wire(price), match_number, cross_type });
            }
            Output::Cancelled { symbol, order, displayed, displayed_left, .. } => {
                self.gone(symbol, order.reference, displayed, displayed_left, sink);
            }
            Output::Replaced { symbol, order, old, price, old_displayed, change, .. } => match change {
                Change::Reduced { displayed } => {
                    self.gone(symbol, old.reference, old_displayed - displayed, displayed, sink);
                }
                Change::Entered => self.gone(symbol, old.reference, old_displayed, 0, sink),
                Change::Moved { displayed } => send(
                    sink,
                    &OrderReplace {
                        head: self.name(symbol).0,
                        original: Be64::new(old.reference),
                        reference: Be64::new(order.reference),
                        shares: Be32::new(displayed),
                        price: wire(price),
                    },
                ),
            },
            Output::PhaseChanged { symbol, phase } => {
                let state = match phase {
                    Phase::Closed => return,
                    Phase::Continuous => b'T',
                    Phase::Halted => b'H',
                    Phase::PreOpen | Phase::Quoting => b'Q',
                };
                self.trading(symbol, state, sink);
            }
            Output::Imbalance { symbol, kind, indication } => {
                self.imbalance(symbol, kind, &indication, sink);
            }
            Output::Broken { symbol, match_number } => {
                let head = self.name(symbol).0;
                send(sink, &BrokenTrade { head, match_number: Be64::new(match_number) });
            }
        }
    }

    fn gone(&self, symbol: u16, reference: u64, displayed: u32, left: u32, sink: &mut impl MessageSink) {
        let (head, reference) = (self.name(symbol).0, Be64::new(reference));
        match (displayed, left) {
            (0, _) => {}
            (_, 0) => send(sink, &OrderDelete { head, reference }),
            _ => send(sink, &OrderCancel { head, reference, shares: Be32::new(displayed) }),
        }
    }

    fn imbalance(&self, symbol: u16, kind: CrossKind, indication: &Indication, sink: &mut impl MessageSink) {
        let (head, stock) = self.name(symbol);
        let direction = match indication.side {
            _ if indication.paired == 0 && indication.imbalance == 0 => b'O',
            None => b'N',
            Some(side) => letter_of(side),
        };
        send(
            sink,
            &Imbalance {
                head,
                paired_shares: Be64::new(indication.paired),
                imbalance_shares: Be64::new(indication.imbalance),
                direction,
                stock,
                far_price: wire(indication.far),
                near_price: wire(indication.near),
                reference_price: wire(indication.reference),
                cross_type: cross_letter(kind),
                price_variation: variation(indication),
            },
        );
    }

    /// A system event.
    pub fn system_event(&self, code: SystemEventCode, sink: &mut impl MessageSink) {
        let head = Head { timestamp: self.now, ..Head::default() };
        send(sink, &SystemEvent { head, event: code as u8 });
    }

    /// The levels of the market-wide circuit breaker: 7, 13 and 20 % below 6,000.
    pub fn decline_levels(&self, sink: &mut impl MessageSink) {
        let head = Head { timestamp: self.now, ..Head::default() };
        let level = |units: u64| Price8::new(units * 100_000_000);
        let (level_1, level_2, level_3) = (level(5_580), level(5_220), level(4_800));
        send(sink, &MwcbLevels { head, level_1, level_2, level_3 });
    }

    /// A symbol's entry in the directory.
    pub fn directory(&self, symbol: u16, sink: &mut impl MessageSink) {
        let (head, stock) = self.name(symbol);
        let message = StockDirectory {
            head,
            stock,
            market_category: b'Q',
            financial_status: b'N',
            round_lot_size: Be32::new(100),
            round_lots_only: b'N',
            issue_classification: b'C',
            issue_subtype: *b"Z ",
            authenticity: b'T',
            short_sale_threshold: b'N',
            ipo_flag: b'N',
            luld_tier: b'1',
            etp_flag: b'N',
            etp_leverage: Be32::new(0),
            inverse: b'N',
        };
        send(sink, &message);
    }

    /// A symbol's trading state, by its letter.
    pub fn trading(&self, symbol: u16, state: u8, sink: &mut impl MessageSink) {
        let (head, stock) = self.name(symbol);
        send(sink, &TradingAction { head, stock, state, reserved: b' ', reason: Mpid::default() });
    }

    /// A symbol has no short sale restriction.
    pub fn short_sale(&self, symbol: u16, sink: &mut impl MessageSink) {
        let (head, stock) = self.name(symbol);
        send(sink, &RegSho { head, stock, action: b'0' });
    }

    /// A market maker's state in a symbol.
    pub fn position(&self, symbol: u16, sink: &mut impl MessageSink) {
        let (head, stock) = self.name(symbol);
        let mpid = self.participants[0];
        send(sink, &ParticipantPosition { head, mpid, stock, primary: b'Y', mode: b'N', state: b'A' });
    }
}

#[inline]
fn send<'a>(sink: &mut impl MessageSink, message: impl Into<Message<'a>>) {
    let mut bytes = [0; MESSAGE_BYTES_MAX];
    let length = message.into().encode(&mut bytes);
    sink.message(bytes.get(..length).unwrap_or_default());
}

const fn wire(price: Price4) -> WirePrice {
    WirePrice::new(price.units())
}

const fn letter_of(side: Side) -> u8 {
    match side {
        Side::Buy => b'B',
        Side::Sell => b'S',
    }
}

const fn cross_letter(kind: CrossKind) -> u8 {
    match kind {
        CrossKind::Opening => b'O',
        CrossKind::Halt => b'H',
        CrossKind::Closing => b'C',
    }
}

/// How far the near price lies from the reference: `L` below 1 %, `1` to `9` whole per cents, `A` `B` `C` from 10, 20 and 30 %, blank without a price.
fn variation(indication: &Indication) -> u8 {
    let (near, reference) = (indication.near.units(), indication.reference.units());
    if near == 0 || reference == 0 {
        return b' ';
    }
    match u64::from(near.abs_diff(reference)) * 100 / u64::from(reference) {
        0 => b'L',
        percent @ 1..=9 => b'0' + percent as u8,
        10..=19 => b'A',
        20..=29 => b'B',
        _ => b'C',
    }
}
