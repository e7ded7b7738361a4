//! A market of levels: Binance spot messages (depth diffs, trades, holes, snapshots) of a random walk.

use spinward_engine::words::Nanos;
use spinward_gateways::feed::{FeedMessage, MarketFeed, Peek};
use spinward_gateways::synthetic::symbol_of;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A lot is 0.001 units.
pub(crate) const LOT_NANOS: i64 = 1_000_000;
/// A tick is 0.01.
pub(crate) const TICK_NANOS: i64 = 10_000_000;

/// Messages in memory.
pub(crate) struct MemoryFeed {
    messages: Vec<(i64, String)>,
    at: usize,
}

impl MemoryFeed {
    pub(crate) fn new(messages: Vec<(i64, String)>) -> Self {
        Self { messages, at: 0 }
    }
}

impl MarketFeed for MemoryFeed {
    fn peek(&mut self) -> Peek<'_> {
        match self.messages.get(self.at) {
            Some((time, text)) => {
                Peek::Message(FeedMessage { receive_time: Nanos::new(*time), bytes: text.as_bytes() })
            }
            None => Peek::End,
        }
    }

    fn advance(&mut self) {
        self.at += 1;
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Levels of one symbol: price in ticks, quantity in lots.
struct Walk {
    symbol: String,
    middle: i64,
    update: u64,
    sides: [BTreeMap<i64, u64>; 2],
    /// Messages until a snapshot mends the hole.
    snapshot_in: Option<u32>,
}

fn levels(side: impl Iterator<Item = (i64, u64)>) -> String {
    let mut text = String::new();
    for (at, (price, qty)) in side.enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let (units, thousandths) = (qty / 1_000, qty % 1_000);
        write!(text, "{comma}[\"{}.{:02}\",\"{units}.{thousandths:03}\"]", price / 100, price % 100).unwrap();
    }
    text
}

impl Walk {
    fn new(rank: usize, draw: &mut Draw) -> Self {
        let middle = 5_000 + draw.below(20_000) as i64;
        let mut sides = [BTreeMap::new(), BTreeMap::new()];
        for distance in 1..40 {
            sides[0].insert(middle - distance, 1 + draw.below(5_000));
            sides[1].insert(middle + distance, 1 + draw.below(5_000));
        }
        Self { symbol: symbol_of(rank).to_string(), middle, update: 100, sides, snapshot_in: Some(0) }
    }

    fn snapshot(&self) -> String {
        let bids = levels(self.sides[0].iter().rev().map(|(price, qty)| (*price, *qty)));
        let asks = levels(self.sides[1].iter().map(|(price, qty)| (*price, *qty)));
        format!(
            r#"{{"stream":"{}@snapshot","data":{{"lastUpdateId":{},"bids":[{bids}],"asks":[{asks}]}}}}"#,
            self.symbol.to_lowercase(),
            self.update
        )
    }

    fn diff(&mut self, draw: &mut Draw) -> String {
        let mut changed = [BTreeMap::new(), BTreeMap::new()];
        self.middle += [0, 0, 0, 1, -1][draw.below(5) as usize];
        for _ in 0..1 + draw.below(4) {
            let side = draw.below(2) as usize;
            let distance = 1 + draw.below(12) as i64;
            let price = self.middle + if side == 0 { -distance } else { distance };
            let qty = if draw.below(4) == 0 { 0 } else { 1 + draw.below(5_000) };
            changed[side].insert(price, qty);
        }
        // Nothing stays on the wrong side of the middle.
        for price in self.sides[0].range(self.middle..).map(|(price, _)| *price) {
            changed[0].insert(price, 0);
        }
        for price in self.sides[1].range(..=self.middle).map(|(price, _)| *price) {
            changed[1].insert(price, 0);
        }
        for (side, changes) in self.sides.iter_mut().zip(&changed) {
            for (price, qty) in changes {
                side.insert(*price, *qty);
            }
            side.retain(|_, qty| *qty > 0);
        }
        let first = self.update + 1;
        self.update += 1 + draw.below(3);
        let [bids, asks] = changed.map(|side| levels(side.into_iter()));
        format!(
            r#"{{"stream":"{0}@depth","data":{{"e":"depthUpdate","E":5,"s":"{1}","U":{first},"u":{2},"b":[{bids}],"a":[{asks}]}}}}"#,
            self.symbol.to_lowercase(),
            self.symbol,
            self.update
        )
    }

    fn trade(&self, id: u64, draw: &mut Draw) -> String {
        let is_sell = draw.below(2) == 0;
        let best = if is_sell { self.sides[0].last_key_value() } else { self.sides[1].first_key_value() };
        let (price, qty) = best.map_or((self.middle, 1), |(price, qty)| (*price, 1 + draw.below(*qty)));
        format!(
            r#"{{"e":"trade","E":5,"s":"{}","t":{id},"p":"{}.{:02}","q":"{}.{:03}","T":4,"m":{is_sell},"M":true}}"#,
            self.symbol,
            price / 100,
            price % 100,
            qty / 1_000,
            qty % 1_000
        )
    }
}

/// About `count` messages of so many symbols at this mean rate.
pub(crate) fn messages(seed: u64, symbols: usize, rate: u32, count: u64) -> Vec<(i64, String)> {
    let mut draw = Draw(seed);
    let mut walks: Vec<Walk> = (0..symbols).map(|rank| Walk::new(rank, &mut draw)).collect();
    let mut time = 1_767_589_200_000_000_000;
    let mut messages = Vec::new();
    for id in 0..count {
        // Some at one instant.
        time += (draw.below(3) * draw.below(u64::from(2_000_000_000 / rate))) as i64;
        let walk = &mut walks[draw.below(symbols as u64) as usize];
        let text = match walk.snapshot_in {
            Some(0) => {
                walk.snapshot_in = None;
                walk.snapshot()
            }
            _ if draw.below(4) == 0 => walk.trade(id, &mut draw),
            _ if walk.snapshot_in.is_none() && draw.below(1_500) == 0 => {
                // A diff that is lost.
                let _ = walk.diff(&mut draw);
                walk.snapshot_in = Some(20);
                walk.diff(&mut draw)
            }
            _ => {
                walk.snapshot_in = walk.snapshot_in.map(|left| left - 1);
                walk.diff(&mut draw)
            }
        };
        messages.push((time, text));
    }
    messages
}
