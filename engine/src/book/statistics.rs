//! The formulas over the top of a book. Integers; each function says how it rounds. What a trusted quote is: both sides exist, the bid is below the
//! offer, and the book is not quarantined.

use super::head::Bbo;
use crate::words::{Price, Qty, round_div};

const UNIT: i64 = 1_000_000_000;

/// `(bid + ask) / 2`, toward minus infinity.
#[inline]
pub(super) fn mid(bid: Price, ask: Price) -> Price {
    let (bid, ask) = (bid.nanos(), ask.nanos());
    // Common bits plus half of the others: the sum itself could overflow.
    Price::from_nanos((bid & ask) + ((bid ^ ask) >> 1))
}

/// `(ask·bid_qty + bid·ask_qty) / (bid_qty + ask_qty)`, nearest, halves away from zero. Both quantities are greater than zero.
#[inline]
pub(super) fn microprice(bbo: &Bbo) -> Price {
    let (bid, ask) = (bbo.bid.nanos(), bbo.ask.nanos());
    let (bid_qty, total) = (bbo.bid_qty.lots(), bbo.bid_qty.lots() + bbo.ask_qty.lots());
    // The same as bid + spread·bid_qty / total, which fits 64 bits in all but strange books.
    let product = ask.checked_sub(bid).and_then(|spread| spread.checked_mul(bid_qty));
    match product {
        Some(product) if product >= 0 && bid >= 0 && total > 0 => {
            let (product, total) = (product as u64, total as u64);
            let (whole, rest) = (product / total, product % total);
            // bid ≥ 0, so a half away from zero is a half up; whole ≤ spread, so the sum is at most ask. total ≤ 2^59.
            Price::from_nanos(bid + whole as i64 + i64::from(rest * 2 >= total))
        }
        _ => microprice_wide(bbo),
    }
}

#[cold]
fn microprice_wide(bbo: &Bbo) -> Price {
    let (bid_qty, ask_qty) = (i128::from(bbo.bid_qty.lots()), i128::from(bbo.ask_qty.lots()));
    // 2 · 2^63 · 2^58 < 2^127; a weighted mean lies between bid and ask, so it fits an i64.
    let sum = i128::from(bbo.ask.nanos()) * bid_qty + i128::from(bbo.bid.nanos()) * ask_qty;
    Price::from_nanos(round_div(sum, bid_qty + ask_qty) as i64)
}

/// `(bid − ask) / (bid + ask)` in units of 1e-9, toward zero. 0 when both are 0; neither is negative, both below 2^62.
#[inline]
pub(super) fn imbalance(bid: i64, ask: i64) -> i64 {
    let (difference, total) = (bid - ask, bid + ask);
    if total <= 0 {
        return 0;
    }
    match difference.checked_mul(UNIT) {
        Some(product) => product / total,
        // |difference| ≤ total, so the quotient is within ±1e9.
        None => (i128::from(difference) * i128::from(UNIT) / i128::from(total)) as i64,
    }
}

/// Order-flow imbalance between two states of the best bid and offer, in lots (Cont, Kukanov & Stoikov 2014, eq. 2). An empty bid is a bid of 0
/// lots below every price, an empty offer one above every price. Each term is at most 2^58.
#[inline]
pub(super) fn order_flow(before: &Bbo, after: &Bbo) -> i64 {
    let bid = improvement((before.bid.nanos(), before.bid_qty), (after.bid.nanos(), after.bid_qty));
    let ask = improvement((!before.ask.nanos(), before.ask_qty), (!after.ask.nanos(), after.ask_qty));
    bid - ask
}

/// `+q` if the side improved, the difference if its price stayed, `−previous` if it fell back. Prices ranked: larger is better.
#[inline]
fn improvement(before: (i64, Qty), after: (i64, Qty)) -> i64 {
    let (old, new) = (before.1.lots(), after.1.lots());
    // A side without quantity contributes 0 whichever way its price is compared, so only the other term has to be kept. Masks, not branches: nobody
    // can predict a best price.
    let gained = new & -i64::from((old == 0) | (after.0 >= before.0));
    let lost = old & -i64::from((new == 0) | (after.0 <= before.0));
    gained - lost
}

/// Sign of the aggressor by the quote rule: above the middle of the quote a buyer, below it a seller. `None` at the middle, or without a quote to be
/// trusted: the tick rule decides (Lee & Ready 1991).
#[inline]
pub(super) fn quote_rule(price: Price, bid: Price, ask: Price) -> Option<i8> {
    let doubled = i128::from(price.nanos()) * 2;
    match doubled.cmp(&(i128::from(bid.nanos()) + i128::from(ask.nanos()))) {
        std::cmp::Ordering::Greater => Some(1),
        std::cmp::Ordering::Less => Some(-1),
        std::cmp::Ordering::Equal => None,
    }
}
