//! Sections of the world outside: the session, its feed, simulated time and the paper venue.

use crate::field::{Bytes, Field, choices, duration};
use crate::problem::Wrong;
use crate::settings::ReceiveSettings;
use crate::visit::{Section, Visitor};
use jiff::civil::{Date, Time};
use spinward_engine::words::{Decimal, NANOS_PER_UNIT, Nanos, parse_decimal};
use spinward_gateways::binance::BinanceConfig;
use spinward_gateways::paper::PaperConfig;
use spinward_gateways::simulation::{self, SimulationConfig};
use spinward_gateways::synthetic::{Arrivals, SyntheticConfig};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;
use toml::Value;
use toml::de::DeValue;

/// `[session]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionSettings {
    /// Part of the session folder's name: letters, digits, `-` and `_`, at most 64.
    pub name: String,
    /// Where session folders are made.
    pub folder: PathBuf,
    /// An earlier session's folder whose positions and open orders are carried over.
    pub resume: Option<PathBuf>,
    /// How long it lasts, in the market's time; absent: until the feed ends.
    pub duration: Option<Duration>,
    /// Every draw of chance of the session comes from it.
    pub seed: u64,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { name: "session".to_owned(), folder: "sessions".into(), resume: None, duration: None, seed: 1 }
    }
}

impl Section for SessionSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("name", &mut self.name);
        visitor.key("folder", &mut self.folder);
        visitor.optional("resume", &mut self.resume);
        visitor.optional("duration", &mut self.duration);
        visitor.key("seed", &mut self.seed);
    }
}

/// Where the market comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FeedKind {
    /// Generated ITCH 5.0.
    #[default]
    Synthetic,
    /// A file of NASDAQ TotalView-ITCH 5.0 messages, each with a 2-byte length.
    Itch50,
    /// Captures of Binance web sockets, in order.
    Binance,
    /// Captures of a network (pcap, pcapng) with ITCH 5.0 in MoldUDP64, in order.
    Pcap,
    /// ITCH 5.0 in MoldUDP64, as it comes.
    Mold,
}

impl FeedKind {
    pub(crate) const NAMES: [(&'static str, FeedKind); 5] = [
        ("synthetic", FeedKind::Synthetic),
        ("itch50", FeedKind::Itch50),
        ("binance", FeedKind::Binance),
        ("pcap", FeedKind::Pcap),
        ("mold", FeedKind::Mold),
    ];

    /// Whether its messages are ITCH 5.0.
    pub const fn is_itch50(self) -> bool {
        match self {
            Self::Synthetic | Self::Itch50 | Self::Pcap | Self::Mold => true,
            Self::Binance => false,
        }
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

choices!(FeedKind:
    "synthetic" => FeedKind::Synthetic,
    "itch50" => FeedKind::Itch50,
    "binance" => FeedKind::Binance,
    "pcap" => FeedKind::Pcap,
    "mold" => FeedKind::Mold,
);

/// An address and a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoint(pub SocketAddrV4);

impl Endpoint {
    pub(crate) fn from_text(text: &str) -> Result<Self, Wrong> {
        text.parse().map(Self).map_err(|_| {
            Wrong::new(
                format!("{text:?} is not an address"),
                "write an IPv4 address in numbers and a port, like \"233.54.12.111:26477\"",
            )
        })
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))
    }
}

impl Field for Endpoint {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        Self::from_text(&String::parse(value)?)
    }
    fn write(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// `[feed]`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeedSettings {
    /// Which.
    pub kind: FeedKind,
    /// The files; none for `synthetic`, one for `itch50`.
    pub files: Vec<PathBuf>,
    /// `mold`: where lines A and B are received, addresses of this host or groups. `pcap`: where they are sent to; none: the first two destinations of
    /// the capture.
    pub lines: Vec<Endpoint>,
    /// `itch50`, `pcap` and `synthetic`: the session's date in New York (ITCH tells only the time of day). The synthetic market has a default.
    pub date: Option<Date>,
    /// `mold`: where lost packets are asked for.
    pub retransmission: Option<Endpoint>,
    /// `mold`: where snapshots are fetched, with the login of `[venue]`.
    pub snapshot: Option<Endpoint>,
    /// `[feed.receive]`
    pub receive: ReceiveSettings,
    /// `[feed.synthetic]`
    pub synthetic: SyntheticSettings,
    /// `[feed.binance]`
    pub binance: BinanceSettings,
}

/// As on the command line.
impl std::fmt::Display for FeedSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.name())?;
        for (index, file) in self.files.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { ':' } else { ',' }, file.display())?;
        }
        if self.kind == FeedKind::Mold {
            for (index, line) in self.lines.iter().enumerate() {
                write!(f, "{}{}", if index == 0 { ':' } else { ',' }, line.0)?;
            }
        }
        Ok(())
    }
}

impl Section for FeedSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("kind", &mut self.kind);
        visitor.key("files", &mut self.files);
        visitor.key("lines", &mut self.lines);
        visitor.optional("retransmission", &mut self.retransmission);
        visitor.optional("snapshot", &mut self.snapshot);
        visitor.optional("date", &mut self.date);
        visitor.section("receive", &mut self.receive);
        visitor.section("synthetic", &mut self.synthetic);
        visitor.section("binance", &mut self.binance);
    }
}

/// How the synthetic market's messages lie in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ArrivalKind {
    /// In clusters in active stretches, quiet stretches between.
    #[default]
    Bursts,
    /// In clusters all the time.
    Clusters,
    /// Each the same time after the one before.
    Even,
}

choices!(ArrivalKind:
    "bursts" => ArrivalKind::Bursts,
    "clusters" => ArrivalKind::Clusters,
    "even" => ArrivalKind::Even,
);

/// `[feed.synthetic]`: see [`SyntheticConfig`] for the meaning of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyntheticSettings {
    /// How many symbols, 1–65,000: `AAAA`, `AAAB`, …, the most active first.
    pub symbols: usize,
    /// Unevenness of activity over symbols in quarters of an exponent, 0–16; 4 is Zipf's law.
    pub zipf_quarters: u32,
    /// Displayed orders that rest in all books together, at least 12 a symbol, at most 10 million.
    pub live_orders: usize,
    /// Commands of participants per second in the long-run mean, 1–50,000,000; about as many messages come of them.
    pub rate: u32,
    /// How they lie in time.
    pub arrivals: ArrivalKind,
    /// Mean length of a quiet stretch, 1 ms to 1 h.
    pub quiet: Duration,
    /// Mean length of an active stretch, 1 ms to 1 h.
    pub active: Duration,
    /// Mean number of commands in a cluster, 1–1,000,000.
    pub burst_messages: u32,
    /// Usual spread in 1/100,000 of the price, 0–1,000; never less than a tick.
    pub spread: u32,
    /// When the market begins, New York.
    pub start: Time,
    /// From the venue's time of a message to its receive time, at most 1 s.
    pub wire_latency: Duration,
    /// Whether the stock directory comes first.
    pub directory: bool,
}

impl Default for SyntheticSettings {
    fn default() -> Self {
        let synthetic = SyntheticConfig::default();
        let (quiet, active) = match synthetic.arrivals {
            Arrivals::Bursts { quiet, active } => (quiet, active),
            Arrivals::Even | Arrivals::Clusters => (Nanos::from_millis(600), Nanos::from_millis(200)),
        };
        Self {
            symbols: synthetic.symbols,
            zipf_quarters: synthetic.zipf_quarters,
            live_orders: synthetic.live_orders,
            rate: synthetic.rate,
            arrivals: ArrivalKind::Bursts,
            quiet: duration(quiet),
            active: duration(active),
            burst_messages: synthetic.burst_messages,
            spread: synthetic.spread,
            start: Time::constant(9, 30, 0, 0),
            wire_latency: duration(synthetic.wire_latency),
            directory: synthetic.directory,
        }
    }
}

impl Section for SyntheticSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("symbols", &mut self.symbols);
        visitor.key("zipf_quarters", &mut self.zipf_quarters);
        visitor.key("live_orders", &mut self.live_orders);
        visitor.key("rate", &mut self.rate);
        visitor.key("arrivals", &mut self.arrivals);
        visitor.key("quiet", &mut self.quiet);
        visitor.key("active", &mut self.active);
        visitor.key("burst_messages", &mut self.burst_messages);
        visitor.key("spread", &mut self.spread);
        visitor.key("start", &mut self.start);
        visitor.key("wire_latency", &mut self.wire_latency);
        visitor.key("directory", &mut self.directory);
    }
}

/// `[feed.binance]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BinanceSettings {
    /// Most symbols, 1–8,192.
    pub symbols_max: usize,
    /// Whose the snapshots are that do not say so.
    pub snapshot_symbol: Option<String>,
    /// Lot of symbols that are not configured: 10^-n units, n 0–9.
    pub learned_lot_decimals: u8,
    /// Bytes of diffs that wait for a snapshot.
    pub pending_bytes: Bytes,
    /// Number of diffs that wait, 1–16,000.
    pub pending_messages: usize,
}

impl Default for BinanceSettings {
    fn default() -> Self {
        let binance = BinanceConfig::default();
        Self {
            symbols_max: binance.symbols_max,
            snapshot_symbol: None,
            learned_lot_decimals: binance.learned_lot_decimals,
            pending_bytes: Bytes(binance.pending_bytes as u64),
            pending_messages: binance.pending_messages,
        }
    }
}

impl Section for BinanceSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("symbols_max", &mut self.symbols_max);
        visitor.optional("snapshot_symbol", &mut self.snapshot_symbol);
        visitor.key("learned_lot_decimals", &mut self.learned_lot_decimals);
        visitor.key("pending_bytes", &mut self.pending_bytes);
        visitor.key("pending_messages", &mut self.pending_messages);
    }
}

/// How fast recorded or generated time runs: `max`, `realtime` or `xN` (times as fast as recorded; N may have decimals).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace(pub simulation::Pace);

impl Pace {
    pub(crate) fn from_text(text: &str) -> Result<Self, Wrong> {
        let wrong = || {
            Wrong::new(
                format!("{text:?} is not a pace"),
                "use max, realtime, or x and how many times as fast, like x10 or x0.5",
            )
        };
        match text {
            "max" => Ok(Self(simulation::Pace::Max)),
            "realtime" => Ok(Self(simulation::Pace::Realtime)),
            _ => {
                let digits = text.strip_prefix('x').ok_or_else(wrong)?;
                let nanos = parse_decimal(digits.as_bytes()).map_err(|_| wrong())?;
                if nanos <= 0 {
                    return Err(wrong());
                }
                let shared = greatest_common_divisor(nanos, NANOS_PER_UNIT);
                let numerator = u32::try_from(nanos / shared).map_err(|_| wrong())?;
                let denominator = u32::try_from(NANOS_PER_UNIT / shared).map_err(|_| wrong())?;
                Ok(Self(simulation::Pace::Times { numerator, denominator }))
            }
        }
    }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl Field for Pace {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        Self::from_text(&String::parse(value)?)
    }
    fn write(&self) -> Value {
        Value::String(match self.0 {
            simulation::Pace::Max => "max".to_owned(),
            simulation::Pace::Realtime => "realtime".to_owned(),
            simulation::Pace::Times { numerator, denominator } => {
                // u32·1e9 < 2^62; the denominator divides 1e9, as it was read.
                let nanos = i64::from(numerator) * NANOS_PER_UNIT / i64::from(denominator).max(1);
                format!("x{}", Decimal { nanos, decimals: 0 })
            }
        })
    }
}

/// `[simulation]`: simulated time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SimulationSettings {
    /// How fast.
    pub pace: Pace,
    /// From one timer tick to the next, in the market's time.
    pub timer_interval: Duration,
    /// From a refusal by risk to the strategy's hearing of it.
    pub refusal_latency: Duration,
    /// How long after the end of the market messages of ours are still answered.
    pub drain: Duration,
    /// Most refusals under way, 1–1,048,576.
    pub refusals_max: usize,
    /// Most market messages that the paper venue has yet to see, 1–1,048,576.
    pub backlog_messages_max: usize,
    /// Their bytes, at most 1 GiB.
    pub backlog_bytes_max: Bytes,
}

impl Default for SimulationSettings {
    fn default() -> Self {
        let simulation = SimulationConfig::default();
        Self {
            pace: Pace(simulation::Pace::Realtime),
            timer_interval: duration(simulation.timer_interval),
            refusal_latency: duration(simulation.refusal_latency),
            drain: duration(simulation.drain),
            refusals_max: simulation.refusals_max,
            backlog_messages_max: simulation.backlog_messages_max,
            backlog_bytes_max: Bytes(simulation.backlog_bytes_max as u64),
        }
    }
}

impl Section for SimulationSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("pace", &mut self.pace);
        visitor.key("timer_interval", &mut self.timer_interval);
        visitor.key("refusal_latency", &mut self.refusal_latency);
        visitor.key("drain", &mut self.drain);
        visitor.key("refusals_max", &mut self.refusals_max);
        visitor.key("backlog_messages_max", &mut self.backlog_messages_max);
        visitor.key("backlog_bytes_max", &mut self.backlog_bytes_max);
    }
}

/// `[paper]`: the venue that matches our orders against the market. Each latency is a fixed part plus a uniform jitter from the seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaperSettings {
    /// Decision to act of a new order.
    pub place_latency: Duration,
    /// At most this much more.
    pub place_jitter: Duration,
    /// Decision to act of a cancel.
    pub cancel_latency: Duration,
    /// At most this much more.
    pub cancel_jitter: Duration,
    /// Decision to act of a replace.
    pub replace_latency: Duration,
    /// At most this much more.
    pub replace_jitter: Duration,
    /// Act to our hearing of it.
    pub report_latency: Duration,
    /// At most this much more.
    pub report_jitter: Duration,
    /// Whether cancels overtake other orders' messages.
    pub cancels_apart: bool,
    /// Of a million new orders and replaces, so many are refused by chance.
    pub reject_ppm: u32,
    /// Most orders that rest at once, 1–1,000,000.
    pub orders_max: usize,
    /// Most messages under way at once, 1–1,000,000.
    pub messages_max: usize,
    /// Most reports under way at once, 1–1,000,000.
    pub reports_max: usize,
    /// Most levels whose taken quantity is remembered, 1–1,000,000.
    pub taken_levels_max: usize,
}

impl Default for PaperSettings {
    fn default() -> Self {
        let paper = PaperConfig::default();
        Self {
            place_latency: duration(paper.place.base),
            place_jitter: duration(paper.place.jitter),
            cancel_latency: duration(paper.cancel.base),
            cancel_jitter: duration(paper.cancel.jitter),
            replace_latency: duration(paper.replace.base),
            replace_jitter: duration(paper.replace.jitter),
            report_latency: duration(paper.report.base),
            report_jitter: duration(paper.report.jitter),
            cancels_apart: paper.cancels_apart,
            reject_ppm: paper.reject_ppm,
            orders_max: paper.orders_max,
            messages_max: paper.messages_max,
            reports_max: paper.reports_max,
            taken_levels_max: paper.taken_levels_max,
        }
    }
}

impl Section for PaperSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("place_latency", &mut self.place_latency);
        visitor.key("place_jitter", &mut self.place_jitter);
        visitor.key("cancel_latency", &mut self.cancel_latency);
        visitor.key("cancel_jitter", &mut self.cancel_jitter);
        visitor.key("replace_latency", &mut self.replace_latency);
        visitor.key("replace_jitter", &mut self.replace_jitter);
        visitor.key("report_latency", &mut self.report_latency);
        visitor.key("report_jitter", &mut self.report_jitter);
        visitor.key("cancels_apart", &mut self.cancels_apart);
        visitor.key("reject_ppm", &mut self.reject_ppm);
        visitor.key("orders_max", &mut self.orders_max);
        visitor.key("messages_max", &mut self.messages_max);
        visitor.key("reports_max", &mut self.reports_max);
        visitor.key("taken_levels_max", &mut self.taken_levels_max);
    }
}
