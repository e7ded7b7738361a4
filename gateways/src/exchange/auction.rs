//! Crosses: one price for everybody.

use super::engine::Engine;
use super::ladder::Kind;
use super::words::{CrossKind, Indication, Output, Price4, Sink};
use spinward_engine::words::Side;

/// Shares that orders of one limit want.
#[derive(Clone, Copy, Default)]
pub(super) struct Point {
    price: Price4,
    buys: u64,
    sells: u64,
}

impl Engine {
    /// What a cross would do now.
    pub(super) fn indicate(&mut self, symbol: u16, kind: CrossKind) -> Indication {
        let near = self.clear(symbol, kinds(kind));
        let far = match kind {
            CrossKind::Opening => self.clear(symbol, &[Kind::OnOpen]).near,
            CrossKind::Closing => self.clear(symbol, &[Kind::OnClose]).near,
            CrossKind::Halt => Price4::NONE,
        };
        Indication { far, ..near }
    }

    /// Price and volume of a cross of these orders.
    fn clear(&mut self, symbol: u16, kinds: &[Kind]) -> Indication {
        let reference = self.symbols[usize::from(symbol)].reference;
        let mut points = std::mem::take(&mut self.points);
        points.clear();
        points.push(Point { price: reference, ..Point::default() });
        // Without a limit: wanted at every price.
        let (mut buys, mut sells) = (0, 0);
        for side in [Side::Buy, Side::Sell] {
            for &kind in kinds {
                let mut at = self.books.first(symbol, side, kind);
                while let Some(slot) = at {
                    at = self.books.after(slot);
                    let order = self.books.order(slot);
                    let shares = u64::from(order.open());
                    match (order.price, side) {
                        (Price4::NONE, Side::Buy) => buys += shares,
                        (Price4::NONE, Side::Sell) => sells += shares,
                        (price, Side::Buy) => points.push(Point { price, buys: shares, sells: 0 }),
                        (price, Side::Sell) => points.push(Point { price, buys: 0, sells: shares }),
                    }
                }
            }
        }
        points.sort_unstable_by_key(|point| point.price);
        // From the lowest price up, buys with lower limits fall away and sells come in.
        buys += points.iter().map(|point| point.buys).sum::<u64>();
        let mut best: Option<(Merit, Indication)> = None;
        for level in points.chunk_by(|a, b| a.price == b.price) {
            let Some(&Point { price, .. }) = level.first() else { continue };
            sells += level.iter().map(|point| point.sells).sum::<u64>();
            let merit = Merit {
                unpaired: u64::MAX - buys.min(sells),
                imbalance: buys.abs_diff(sells),
                distance: price.units().abs_diff(reference.units()),
            };
            if best.is_none_or(|(found, _)| merit < found) {
                let side = match buys.cmp(&sells) {
                    std::cmp::Ordering::Less => Some(Side::Sell),
                    std::cmp::Ordering::Equal => None,
                    std::cmp::Ordering::Greater => Some(Side::Buy),
                };
                let paired = buys.min(sells);
                let near = if paired > 0 { price } else { Price4::NONE };
                let indication = Indication {
                    paired,
                    imbalance: merit.imbalance,
                    side,
                    near,
                    far: Price4::NONE,
                    reference,
                };
                best = Some((merit, indication));
            }
            buys -= level.iter().map(|point| point.buys).sum::<u64>();
        }
        self.points = points;
        best.map_or(Indication::default(), |(_, indication)| indication)
    }

    /// Matches, and tells of every part and of the whole.
    pub(super) fn run_cross(&mut self, symbol: u16, kind: CrossKind, out: &mut impl Sink) {
        let Indication { paired, near, .. } = self.clear(symbol, kinds(kind));
        for side in [Side::Buy, Side::Sell] {
            let mut wanted = paired;
            while wanted > 0 {
                let Some(slot) = self.first_of(symbol, side, kinds(kind)) else { break };
                wanted -= u64::from(self.fill_in_cross(slot, near, wanted, out));
            }
        }
        if paired > 0 {
            self.symbols[usize::from(symbol)].reference = near;
        }
        let match_number = self.next_match();
        out.take(&Output::CrossDone { symbol, kind, price: near, shares: paired, match_number });
    }

    /// The best order of these kinds; of one price the first kind's.
    fn first_of(&self, symbol: u16, side: Side, kinds: &[Kind]) -> Option<u32> {
        let firsts = kinds.iter().filter_map(|&kind| self.books.first(symbol, side, kind));
        firsts.min_by_key(|&slot| self.books.key(slot))
    }

    /// Gives an order at most `wanted` shares; how many it took.
    fn fill_in_cross(&mut self, slot: u32, price: Price4, wanted: u64, out: &mut impl Sink) -> u32 {
        let named = self.named(slot);
        let match_number = self.next_match();
        let order = self.books.order_mut(slot);
        let shares = u32::try_from(wanted).unwrap_or(u32::MAX).min(order.open());
        let displayed = shares.min(order.shown);
        order.shown -= displayed;
        order.reserve -= shares - displayed;
        let order = *order;
        out.take(&Output::Crossed {
            symbol: order.symbol,
            order: named,
            side: order.side,
            price,
            shares,
            displayed,
            left: order.open(),
            match_number,
        });
        if order.open() == 0 {
            self.books.remove(slot);
        } else if order.kind == Kind::Shown && order.shown == 0 {
            self.refresh(slot, out);
        }
        shares
    }
}

/// Smaller is better, from the first field on; the lowest price is looked at first, so it wins what is equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Merit {
    unpaired: u64,
    imbalance: u64,
    distance: u32,
}

/// Which orders take part.
const fn kinds(cross: CrossKind) -> &'static [Kind] {
    match cross {
        CrossKind::Opening => &[Kind::Shown, Kind::Hidden, Kind::OnOpen],
        CrossKind::Halt => &[Kind::Shown, Kind::Hidden],
        CrossKind::Closing => &[Kind::Shown, Kind::Hidden, Kind::OnClose],
    }
}
