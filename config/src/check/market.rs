//! The session's feed and simulation, calendars, instruments and strategies.

use super::Checker;
use crate::calendar::ALWAYS;
use crate::field::duration_text;
use crate::problem::did_you_mean;
use crate::settings::{FeedKind, VenueKind};
use crate::strategy::{IMBALANCE_TAKER, MARKET_MAKER, StrategySpec};
use serde::de::DeserializeOwned;
use spinward_engine::risk::STRATEGY_CORES_MAX;
use spinward_engine::strategy::{
    ImbalanceTakerParameters, MAX_IN_FLIGHT_MAX, MAX_OPEN_ORDERS_MAX, MarketMakerParameters, ParameterError,
    STRATEGIES_PER_CORE_MAX,
};
use spinward_engine::words::{MESSAGE_BYTES_MAX, NANOS_PER_UNIT, Symbol};
use spinward_gateways::binance::{PENDING_MESSAGES_MAX, SYMBOLS_MAX};
use spinward_gateways::synthetic::symbol_of;
use spinward_recorder::SESSION_NAME_MAX;
use std::collections::BTreeMap;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

impl Checker<'_> {
    pub(super) fn session(&mut self) {
        let session = &self.settings.session;
        if !is_name(&session.name) {
            self.refuse(
                "session.name",
                format!("{:?} cannot be part of a folder's name", session.name),
                format!("use 1 to {SESSION_NAME_MAX} letters, digits, \"-\" and \"_\""),
            );
        }
        if let Some(duration) = session.duration {
            self.positive("session.duration", duration);
        }
        if i64::try_from(session.seed).is_err() {
            self.refuse("session.seed", "the seed is out of range", format!("give 0 to {}", i64::MAX));
        }
    }

    pub(super) fn feed(&mut self) {
        let settings = self.settings;
        let feed = &settings.feed;
        match (feed.kind, feed.files.len()) {
            (FeedKind::Synthetic, 0) | (FeedKind::Itch50, 1) | (FeedKind::Binance | FeedKind::Pcap, 1..) => {}
            (FeedKind::Mold, 0) => {}
            (FeedKind::Mold, _) => self.refuse(
                "feed.files",
                "a feed on the network reads no files",
                "remove them, or set kind to \"pcap\"",
            ),
            (FeedKind::Synthetic, _) => self.refuse(
                "feed.files",
                "the synthetic market reads no files",
                "remove them, or set kind to \"itch50\", \"pcap\" or \"binance\"",
            ),
            (FeedKind::Itch50 | FeedKind::Binance | FeedKind::Pcap, 0) => self.refuse(
                "feed.files",
                format!("the feed {} has no file", feed.kind.name()),
                "name it: files = [\"…\"]",
            ),
            (FeedKind::Itch50, count) => {
                self.refuse("feed.files", format!("{count} files: itch50 reads one"), "keep one of them");
            }
        }
        match (feed.kind, feed.date) {
            (FeedKind::Itch50 | FeedKind::Pcap, None) if !settings.strategies.is_empty() => self.refuse(
                "feed.date",
                "the session's date is missing, so calendars and expiries cannot be kept",
                "write the date in New York, like date = 2019-12-30",
            ),
            (FeedKind::Binance, Some(_)) => {
                self.refuse("feed.date", "captures of Binance bring their own time", "remove the date");
            }
            (FeedKind::Itch50 | FeedKind::Pcap | FeedKind::Mold | FeedKind::Synthetic, _)
            | (FeedKind::Binance, None) => {}
        }
        if feed.kind == FeedKind::Pcap {
            if feed.lines.len() > 2 {
                let what = format!("{} lines; MoldUDP64 has A and B", feed.lines.len());
                self.refuse("feed.lines", what, "name one or two, or none to take the capture's own");
            }
        } else if feed.kind == FeedKind::Mold {
            if !(1..=2).contains(&feed.lines.len()) {
                let what = format!("{} lines; MoldUDP64 has A, or A and B", feed.lines.len());
                self.refuse("feed.lines", what, "write lines = [\"ADDRESS:PORT\", \"ADDRESS:PORT\"]");
            }
        } else if !feed.lines.is_empty() {
            let what = format!("the feed {} has no lines", feed.kind.name());
            self.refuse("feed.lines", what, "remove them, or set kind to \"mold\" or \"pcap\"");
        }
        self.synthetic();
        let binance = &feed.binance;
        self.in_range("feed.binance.symbols_max", binance.symbols_max as u64, 1..=SYMBOLS_MAX as u64);
        self.in_range("feed.binance.learned_lot_decimals", u64::from(binance.learned_lot_decimals), 0..=9);
        self.in_range(
            "feed.binance.pending_messages",
            binance.pending_messages as u64,
            1..=PENDING_MESSAGES_MAX as u64,
        );
        let least = 2 * MESSAGE_BYTES_MAX as u64;
        if binance.pending_bytes.0 < least {
            self.refuse(
                "feed.binance.pending_bytes",
                format!("{} bytes do not hold two messages", binance.pending_bytes.0),
                format!("give at least \"{least}B\""),
            );
        }
        if let Some(symbol) = &binance.snapshot_symbol
            && Symbol::new(symbol).is_none()
        {
            self.refuse("feed.binance.snapshot_symbol", format!("{symbol:?} is not a symbol"), SYMBOL_MEND);
        }
    }

    fn synthetic(&mut self) {
        let settings = self.settings;
        let synthetic = &settings.feed.synthetic;
        let path = |key: &str| format!("feed.synthetic.{key}");
        self.in_range(&path("symbols"), synthetic.symbols as u64, 1..=65_000);
        self.in_range(&path("zipf_quarters"), u64::from(synthetic.zipf_quarters), 0..=16);
        let least = synthetic.symbols.saturating_mul(12) as u64;
        self.in_range(&path("live_orders"), synthetic.live_orders as u64, least..=10_000_000);
        self.in_range(&path("rate"), u64::from(synthetic.rate), 1..=50_000_000);
        self.in_range(&path("burst_messages"), u64::from(synthetic.burst_messages), 1..=1_000_000);
        self.in_range(&path("spread"), u64::from(synthetic.spread), 0..=1_000);
        for (key, span) in [("quiet", synthetic.quiet), ("active", synthetic.active)] {
            if !(Duration::from_millis(1)..=HOUR).contains(&span) {
                self.refuse(
                    &path(key),
                    format!("{} is out of range", duration_text(span)),
                    "give \"1ms\" to \"1h\"",
                );
            }
        }
        if synthetic.wire_latency > Duration::from_secs(1) {
            let what = format!("{} is out of range", duration_text(synthetic.wire_latency));
            self.refuse(&path("wire_latency"), what, "give \"0ns\" to \"1s\"");
        }
        if settings.feed.kind != FeedKind::Synthetic {
            return;
        }
        if let Some(duration) = settings.session.duration
            && duration > HOUR * 24
        {
            let what = format!("{} is longer than a synthetic market lasts", duration_text(duration));
            self.refuse("session.duration", what, "give at most \"24h\"");
        }
        if settings.venue.kind == VenueKind::Exchange {
            return;
        }
        let made: Vec<String> =
            (0..synthetic.symbols.min(65_000)).map(|rank| symbol_of(rank).to_string()).collect();
        for (index, instrument) in settings.instruments.iter().enumerate() {
            if !made.contains(&instrument.symbol) && !made.is_empty() {
                let what = format!("the synthetic market has no {:?}", instrument.symbol);
                let last = made.last().map_or("", String::as_str);
                let mend = format!("use AAAA to {last} (feed.synthetic.symbols = {})", made.len());
                self.refuse(&format!("instrument[{index}].symbol"), what, mend);
            }
        }
    }

    pub(super) fn files(&mut self) {
        let settings = self.settings;
        for file in &settings.feed.files {
            if let Err(error) = std::fs::File::open(file) {
                let what = format!("cannot read {}: {error}", file.display());
                let mend = "correct the path (a relative one begins where the program is started)";
                self.refuse("feed.files", what, mend);
            }
        }
        if let Some(folder) = &settings.session.resume
            && !folder.is_dir()
        {
            let what = format!("{} is not a session's folder", folder.display());
            self.refuse(
                "session.resume",
                what,
                "name the folder of the session to carry on, or remove the key",
            );
        }
    }

    pub(super) fn simulation(&mut self) {
        let (simulation, paper) = (&self.settings.simulation, &self.settings.paper);
        self.positive("simulation.timer_interval", simulation.timer_interval);
        self.positive("simulation.refusal_latency", simulation.refusal_latency);
        let sizes = [
            ("simulation.refusals_max", simulation.refusals_max, 1 << 20),
            ("simulation.backlog_messages_max", simulation.backlog_messages_max, 1 << 20),
            ("paper.orders_max", paper.orders_max, 1_000_000),
            ("paper.messages_max", paper.messages_max, 1_000_000),
            ("paper.reports_max", paper.reports_max, 1_000_000),
            ("paper.taken_levels_max", paper.taken_levels_max, 1_000_000),
        ];
        for (key, value, most) in sizes {
            self.in_range(key, value as u64, 1..=most);
        }
        let bytes = simulation.backlog_bytes_max.0;
        if !(MESSAGE_BYTES_MAX as u64..=1 << 30).contains(&bytes) {
            self.refuse(
                "simulation.backlog_bytes_max",
                format!("{bytes} bytes are out of range"),
                format!("give \"{MESSAGE_BYTES_MAX}B\" to \"1GiB\""),
            );
        }
        let ways = [
            ("paper.place_latency", paper.place_latency, paper.place_jitter),
            ("paper.cancel_latency", paper.cancel_latency, paper.cancel_jitter),
            ("paper.replace_latency", paper.replace_latency, paper.replace_jitter),
            ("paper.report_latency", paper.report_latency, paper.report_jitter),
        ];
        for (key, latency, jitter) in ways {
            self.positive(key, latency);
            if latency.saturating_add(jitter) > HOUR {
                let what = format!(
                    "{} with {} of jitter is longer than an hour",
                    duration_text(latency),
                    duration_text(jitter)
                );
                self.refuse(key, what, "give less");
            }
        }
        self.in_range("paper.reject_ppm", u64::from(paper.reject_ppm), 0..=1_000_000);
    }

    pub(super) fn calendars(&mut self) {
        let calendars = &self.settings.calendars;
        for (index, calendar) in calendars.iter().enumerate() {
            let path = format!("calendar[{index}]");
            let is_double = calendars.iter().take(index).any(|other| other.name == calendar.name);
            if calendar.name == ALWAYS {
                let what = format!("{ALWAYS:?} is the calendar that is always open");
                self.refuse(&format!("{path}.name"), what, "choose another name");
            } else if is_double {
                self.refuse(
                    &format!("{path}.name"),
                    format!("{:?} stands twice", calendar.name),
                    "rename one",
                );
            }
            if let Err((key, wrong)) = calendar.expand() {
                self.refuse(&format!("{path}.{key}"), wrong.what, wrong.mend);
            }
        }
    }

    pub(super) fn instruments(&mut self) {
        let settings = self.settings;
        for (index, instrument) in settings.instruments.iter().enumerate() {
            let path = format!("instrument[{index}]");
            for (key, wrong) in instrument.problems() {
                self.refuse(&format!("{path}.{key}"), wrong.what, wrong.mend);
            }
            if settings.instruments.iter().take(index).any(|other| other.symbol == instrument.symbol) {
                let what = format!("{:?} stands twice", instrument.symbol);
                self.refuse(&format!("{path}.symbol"), what, "remove one of the two");
            }
            let names = || std::iter::once(ALWAYS).chain(settings.calendars.iter().map(|c| c.name.as_str()));
            if !names().any(|name| name == instrument.calendar) {
                let names: Vec<&str> = names().collect();
                self.refuse(
                    &format!("{path}.calendar"),
                    format!("no calendar is called {:?}", instrument.calendar),
                    did_you_mean(&instrument.calendar, names.iter().copied()),
                );
            }
            let is_shares = settings.feed.kind.is_itch50();
            if is_shares && instrument.lot.nanos != NANOS_PER_UNIT && instrument.lot.nanos > 0 {
                let what = format!("lot is {}, but ITCH counts single shares", instrument.lot);
                self.refuse(&format!("{path}.lot"), what, "write lot = 1");
            }
            if is_shares && instrument.symbol.len() > 8 {
                let what = format!("{:?} is longer than ITCH's 8 characters", instrument.symbol);
                self.refuse(
                    &format!("{path}.symbol"),
                    what,
                    "write the symbol as the directory message has it",
                );
            }
            let by = settings.strategies.iter().find(|s| s.instruments.contains(&instrument.symbol));
            if let Some(strategy) = by {
                self.traded(&path, index, &strategy.name);
            }
        }
    }

    /// What a traded instrument needs besides.
    fn traded(&mut self, path: &str, index: usize, strategy: &str) {
        let Some(instrument) = self.settings.instruments.get(index) else { return };
        let symbol = &instrument.symbol;
        if instrument.limits.is_none() {
            self.refuse(
                &format!("{path}.limits"),
                format!("{symbol} is traded by {strategy:?} and has no limits"),
                "add limits = { order_qty_max = …, order_notional_max = \"…\", position_max = …, collar_ppm = … } \
                 (quantities in lots)",
            );
        }
        if instrument.fees.is_none() {
            self.refuse(
                &format!("{path}.fees"),
                format!("{symbol} is traded by {strategy:?} and has no fees"),
                "add fees = { maker = \"0.0002\", taker = \"0.0005\" }; write \"0\" if there are none",
            );
        }
        if let (Some(expiry), Some(date)) = (instrument.expiry, self.settings.feed.date)
            && let Some(start) = crate::convert::midnight_new_york(date)
            && instrument.expiry_nanos() <= start
        {
            self.refuse(
                &format!("{path}.expiry"),
                format!("{symbol} expired at {expiry}, before the session of {date}"),
                "use the contract that was traded then, or take it from the strategies",
            );
        }
    }

    pub(super) fn strategies(&mut self) {
        let settings = self.settings;
        for (index, strategy) in settings.strategies.iter().enumerate() {
            self.strategy(index, strategy);
        }
        let mut by_core: BTreeMap<usize, usize> = BTreeMap::new();
        for (index, strategy) in settings.strategies.iter().enumerate() {
            let count = by_core.entry(strategy.core).or_default();
            *count += 1;
            if *count == STRATEGIES_PER_CORE_MAX + 1 {
                self.refuse(
                    &format!("strategy[{index}].core"),
                    format!("core {} has more than {STRATEGIES_PER_CORE_MAX} strategies", strategy.core),
                    format!("spread them over cores 0 to {}", STRATEGY_CORES_MAX - 1),
                );
            }
            let missing = (0..strategy.core.min(STRATEGY_CORES_MAX))
                .find(|core| settings.strategies.iter().all(|other| other.core != *core));
            if let Some(missing) = missing {
                self.refuse(
                    &format!("strategy[{index}].core"),
                    format!("strategy core {} is used and core {missing} is not", strategy.core),
                    format!("number strategy cores from 0 without a hole: use core = {missing}"),
                );
            }
            let before = index.checked_sub(1).and_then(|before| settings.strategies.get(before));
            if let Some(before) = before
                && strategy.core < before.core
            {
                self.refuse(
                    &format!("strategy[{index}].core"),
                    format!(
                        "core {} comes after core {} of {:?}: intents are merged core by core, and must come in the order of \
                         the strategies on any number of cores",
                        strategy.core, before.core, before.name
                    ),
                    "list the strategies by ascending core",
                );
            }
        }
        self.egress();
    }

    /// Everything that strategies may have under way at once must fit into the ring on the way out, so that it never overflows.
    fn egress(&mut self) {
        let settings = self.settings;
        let needed: usize = settings
            .strategies
            .iter()
            .map(|strategy| strategy.max_in_flight.saturating_add(strategy.max_open_orders))
            .fold(0, usize::saturating_add);
        let slots = settings.pipeline.egress_slots;
        if needed > slots {
            self.refuse(
                "pipeline.egress_slots",
                format!(
                    "{slots} slots do not hold the {needed} messages that the strategies may have under way"
                ),
                format!(
                    "use {} or more, or lower max_in_flight and max_open_orders",
                    needed.checked_next_power_of_two().unwrap_or(usize::MAX)
                ),
            );
        }
    }

    fn strategy(&mut self, index: usize, strategy: &StrategySpec) {
        let settings = self.settings;
        let path = format!("strategy[{index}]");
        if !is_name(&strategy.name) {
            self.refuse(
                &format!("{path}.name"),
                format!("{:?} is not a name", strategy.name),
                format!("use 1 to {SESSION_NAME_MAX} letters, digits, \"-\" and \"_\""),
            );
        }
        if settings.strategies.iter().take(index).any(|other| other.name == strategy.name) {
            self.refuse(&format!("{path}.name"), format!("{:?} stands twice", strategy.name), "rename one");
        }
        if strategy.kind.is_empty() {
            let mend = format!("write {MARKET_MAKER:?}, {IMBALANCE_TAKER:?} or a kind of your own");
            self.refuse(&format!("{path}.kind"), "the kind is empty", mend);
        }
        let key = format!("{path}.instruments");
        if strategy.instruments.is_empty() {
            self.refuse(
                &key,
                "it has no instruments and would never see an event",
                "name the symbols it trades",
            );
        }
        for (at, symbol) in strategy.instruments.iter().enumerate() {
            let known = settings.instruments.iter().map(|instrument| instrument.symbol.as_str());
            if !known.clone().any(|name| name == symbol) {
                let mend = match crate::problem::nearest(symbol, known) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("add an [[instrument]] with symbol = {symbol:?}"),
                };
                self.refuse(&key, format!("no instrument is called {symbol:?}"), mend);
            }
            if strategy.instruments.iter().take(at).any(|other| other == symbol) {
                self.refuse(&key, format!("{symbol:?} stands twice"), "name it once");
            }
        }
        if strategy.core >= STRATEGY_CORES_MAX {
            self.refuse(
                &format!("{path}.core"),
                format!("there is no strategy core {}", strategy.core),
                format!(
                    "give 0 to {}; the topology puts strategy cores onto cores of the host",
                    STRATEGY_CORES_MAX - 1
                ),
            );
        }
        self.positive(&format!("{path}.intent_ttl"), strategy.intent_ttl);
        self.in_range(
            &format!("{path}.max_in_flight"),
            strategy.max_in_flight as u64,
            1..=MAX_IN_FLIGHT_MAX as u64,
        );
        self.in_range(
            &format!("{path}.max_open_orders"),
            strategy.max_open_orders as u64,
            1..=MAX_OPEN_ORDERS_MAX as u64,
        );
        if let Some(position_max) = strategy.position_max
            && position_max <= 0
        {
            let what = format!("position_max is {position_max}");
            self.refuse(
                &format!("{path}.position_max"),
                what,
                "give a number of lots greater than 0, or remove it",
            );
        }
        match strategy.kind.as_str() {
            MARKET_MAKER => self.parameters(strategy, MarketMakerParameters::validate),
            IMBALANCE_TAKER => {
                self.parameters(strategy, ImbalanceTakerParameters::validate);
                self.taker_levels(strategy);
            }
            _ => {}
        }
    }

    fn parameters<P: DeserializeOwned>(
        &mut self,
        strategy: &StrategySpec,
        validate: impl Fn(&P) -> Result<(), ParameterError>,
    ) {
        match strategy.parameters.parse::<P>() {
            Err(error) => self.problems.extend(error.problems),
            Ok(parameters) => {
                if let Err(error) = validate(&parameters) {
                    let what = format!("{} is {}", error.key, error.value);
                    self.problems.push(strategy.parameters.problem(error.key, what, error.rule));
                }
            }
        }
    }

    /// The taker cannot weigh more levels than the view shows.
    fn taker_levels(&mut self, strategy: &StrategySpec) {
        let Ok(parameters) = strategy.parameters.parse::<ImbalanceTakerParameters>() else { return };
        let shown = self.settings.book.view_levels;
        if usize::from(parameters.levels) > shown {
            let what = format!("levels is {}, but the view shows {shown}", parameters.levels);
            let mend = format!("give 1 to {shown}, or raise book.view_levels");
            self.problems.push(strategy.parameters.problem("levels", what, mend));
        }
    }

    pub(super) fn unused(&mut self) {
        let settings = self.settings;
        for (index, calendar) in settings.calendars.iter().enumerate() {
            if settings.instruments.iter().all(|instrument| instrument.calendar != calendar.name) {
                let what = format!("no instrument uses the calendar {:?}", calendar.name);
                self.refuse(
                    &format!("calendar[{index}]"),
                    what,
                    "remove it, or name it in an [[instrument]]",
                );
            }
        }
        for (index, instrument) in settings.instruments.iter().enumerate() {
            if settings.strategies.iter().all(|strategy| !strategy.instruments.contains(&instrument.symbol)) {
                let what = format!("no strategy trades {}", instrument.symbol);
                self.refuse(
                    &format!("instrument[{index}]"),
                    what,
                    "name it in a [[strategy]], or ignore this",
                );
            }
        }
        if settings.strategies.is_empty() {
            let mend = "add a [[strategy]] to trade, or ignore this to build books only";
            self.refuse("strategy", "there are no strategies: no order will be sent", mend);
        }
        let open: usize =
            settings.strategies.iter().map(|s| s.max_open_orders).fold(0, usize::saturating_add);
        if open > settings.risk.open_orders_max {
            let what = format!(
                "strategies may have {open} orders open, risk allows {} and will refuse the rest",
                settings.risk.open_orders_max
            );
            self.refuse(
                "risk.open_orders_max",
                what,
                format!("raise it to {open}, or lower max_open_orders"),
            );
        }
    }
}

const SYMBOL_MEND: &str = "give 1 to 24 printable ASCII characters without spaces";

fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !name.is_empty() && name.len() <= SESSION_NAME_MAX && name.bytes().all(is_allowed)
}
