use crate::{DEFAULT_TOML, Settings, from_text};
use spinward_engine::pipeline::{HostCores, IdleStrategy};
use std::path::Path;

fn host(cores: usize) -> HostCores {
    HostCores { allowed: (0..cores).collect(), isolated: Vec::new() }
}

/// The built-in file with one text replaced gives exactly this problem: at the line where the text stands, with this key, saying
/// this and how to mend it.
#[track_caller]
fn refused(from: &str, to: &str, key: &str, what: &str, mend: &str) {
    assert_eq!(refused_among_others(from, to, key, what, mend), 1, "{to}");
}

/// The same where other problems follow from it; gives how many there are.
#[track_caller]
fn refused_among_others(from: &str, to: &str, key: &str, what: &str, mend: &str) -> usize {
    let at = DEFAULT_TOML.find(from).unwrap_or_else(|| panic!("{from:?} is not in the default file"));
    let text = DEFAULT_TOML.replacen(from, to, 1);
    let error = from_text(Path::new("x.toml"), &text).expect_err(to);
    let problem = error.problems.iter().find(|problem| problem.key == key);
    let problem = problem.unwrap_or_else(|| panic!("nothing about {key}:\n{error}"));
    assert!(problem.what.contains(what) && problem.mend.contains(mend), "{problem}");
    let line = DEFAULT_TOML[..at].matches('\n').count() + 1;
    let lines = line..=line + from.matches('\n').count().max(to.matches('\n').count());
    let found = problem.line().unwrap_or(0);
    // What is missing is told at its table.
    let header =
        DEFAULT_TOML[..at].rfind("\n[").map_or(0, |table| DEFAULT_TOML[..=table].matches('\n').count() + 1);
    let is_told_there = what.contains("missing") && found == header;
    assert!(is_told_there || lines.contains(&found), "line {found}, not {lines:?}: {problem}");
    error.problems.len()
}

#[test]
fn rings_that_are_no_power_of_two_and_bursts_out_of_range_are_refused() {
    refused(
        "ingress_slots = 1024",
        "ingress_slots = 5000",
        "pipeline.ingress_slots",
        "5000 slots are not a power of two",
        "4096 or 8192",
    );
    refused(
        "event_slots = 64",
        "event_slots = 131072",
        "pipeline.event_slots",
        "out of the range 64 to 65536",
        "use 65536",
    );
    refused("event_slots = 64", "event_slots = 0", "pipeline.event_slots", "0 slots", "use 64");
    refused("burst = 1 ", "burst = 0 ", "pipeline.burst", "0 is out of range", "1 to 16");
    refused("burst = 1 ", "burst = 17 ", "pipeline.burst", "17", "1 to 16");
}

#[test]
fn unknown_keys_are_refused_with_the_one_that_was_meant() {
    refused(
        "view_levels = 5",
        "view_level = 5",
        "book.view_level",
        "unknown key",
        "did you mean \"view_levels\"?",
    );
    refused(
        "multiplier = 1 ",
        "multiplyer = 1 ",
        "instrument[0].multiplyer",
        "unknown key",
        "\"multiplier\"",
    );
    refused(
        "quote_qty = 100",
        "quote_qty = 100\nquote_quantity = 5",
        "strategy[0].parameters.quote_quantity",
        "unknown parameter",
        "",
    );
}

#[test]
fn ticks_lots_and_multipliers_must_be_positive_and_price_limits_on_the_grid() {
    refused("tick = \"0.01\"    ", "tick = \"0\"", "instrument[0].tick", "tick is 0", "greater than 0");
    refused(
        "tick = \"0.01\"    ",
        "tick = \"-0.01\"",
        "instrument[0].tick",
        "tick is -0.01",
        "greater than 0",
    );
    refused("tick = \"0.01\"    ", "tick = 0.01 ", "instrument[0].tick", "binary float", "\"0.01\"");
    refused("lot = 1       ", "lot = 0       ", "instrument[0].lot", "lot is 0", "greater than 0");
    refused("lot = 1       ", "lot = \"0.5\" ", "instrument[0].lot", "single shares", "lot = 1");
    refused("multiplier = 1 ", "multiplier = -1 ", "instrument[0].multiplier", "is -1", "greater than 0");
    refused(
        "#price_min = \"1\" ",
        "price_min = \"1.005\" ",
        "instrument[0].price_min",
        "off the tick 0.01",
        "use 1 or 1.01",
    );
    refused(
        "#price_min = \"1\" ",
        "price_max = \"1\"\nprice_min = \"2\" ",
        "instrument[0].price_min",
        "not below price_max 1",
        "lower one",
    );
}

#[test]
fn tick_bands_must_ascend_on_their_own_grid_and_exclude_a_tick() {
    let bands = |bands: &str| format!("tick_band = [{bands}] #");
    let line = "tick = \"0.01\"    ";
    let refuse = |text: &str, key: &str, what: &str, mend: &str| refused(line, &bands(text), key, what, mend);
    refuse(
        "{from = \"1\", tick = \"0.01\"}, {from = \"0\", tick = \"0.1\"}",
        "instrument[0].tick_band",
        "ascend",
        "lowest",
    );
    refuse("{from = \"0\", tick = \"0\"}", "instrument[0].tick_band[0].tick", "tick is 0", "greater than 0");
    refuse(
        "{from = \"0.05\", tick = \"0.1\"}",
        "instrument[0].tick_band[0].from",
        "off its tick",
        "multiple",
    );
    refuse("", "instrument[0].tick", "tick is missing", "write the price step");
    refused(
        line,
        "tick = \"0.01\"\ntick_band = [{from = \"0\", tick = \"0.01\"}] #",
        "instrument[0].tick",
        "both given",
        "one of them",
    );
}

#[test]
fn a_traded_instrument_needs_limits_fees_currency_and_calendar() {
    let limits = "limits = { order_qty_max = 500, order_notional_max = 500000, position_max = 2000, collar_ppm = 50000, collar_ticks = 50 }";
    let without = DEFAULT_TOML.replacen(limits, "", 1);
    let error = from_text(Path::new("x.toml"), &without).unwrap_err();
    let problem = &error.problems[0];
    assert_eq!((error.problems.len(), problem.key.as_str()), (1, "instrument[0].limits"), "{error}");
    assert!(problem.what.contains("AAAA is traded by \"maker\" and has no limits"), "{problem}");
    let header = DEFAULT_TOML.find("[[instrument]]").map(|at| DEFAULT_TOML[..at].matches('\n').count() + 1);
    assert_eq!(problem.line(), header);

    let each = |to: &str, key: &str, what: &str, mend: &str| refused(limits, to, key, what, mend);
    each(
        "limits = { order_notional_max = 1, position_max = 1, collar_ppm = 1 }",
        "instrument[0].limits.order_qty_max",
        "order_qty_max is missing",
        "largest order in lots",
    );
    each(
        "limits = { order_qty_max = 1, order_notional_max = 1, position_max = 1 }",
        "instrument[0].limits.collar_ppm",
        "collar is missing",
        "collar_ticks",
    );
    each(
        "limits = { order_qty_max = 1, order_notional_max = \"0\", position_max = 1, collar_ticks = 1 }",
        "instrument[0].limits.order_notional_max",
        "is 0",
        "greater than 0",
    );
    each(
        "limits = { order_qty_max = 1, order_notional_max = 1, position_max = -3, collar_ticks = 1 }",
        "instrument[0].limits.position_max",
        "is -3",
        "lots greater than 0",
    );
    refused(
        "taker = \"0.00003\", maker_per_lot",
        "taker = 3, maker_per_lot",
        "instrument[0].fees.taker",
        "whole notional",
        "part",
    );
    refused("currency = \"USD\"  ", "# ", "instrument[0].currency", "currency is missing", "like \"USD\"");
    refused("calendar = \"nasdaq\"  ", "# ", "instrument[0].calendar", "calendar is missing", "\"always\"");
    refused(
        "calendar = \"nasdaq\"  ",
        "calendar = \"nasdak\"  ",
        "instrument[0].calendar",
        "no calendar",
        "\"nasdaq\"",
    );
}

#[test]
fn calendars_are_expanded_when_they_are_read() {
    refused(
        "\"America/New_York\"",
        "\"America/New_Yorck\"",
        "calendar[0].time_zone",
        "unknown",
        "\"America/New_York\"",
    );
    refused_among_others(
        "name = \"nasdaq\"",
        "name = \"always\"",
        "calendar[0].name",
        "always open",
        "another name",
    );
    refused(
        "close = \"16:00\" }",
        "close = \"16:00\" }, { days = \"mon\", open = \"15:00\", close = \"17:00\" }",
        "calendar[0].sessions[1]",
        "overlaps",
        "before",
    );
    refused(
        "days = \"mon-fri\"",
        "days = \"mon-fry\"",
        "calendar[0].sessions[0].days",
        "no list of days",
        "mon-fri",
    );
}

#[test]
fn names_stand_once_and_name_what_is_there() {
    refused_among_others(
        "symbol = \"AAAB\"",
        "symbol = \"AAAA\"",
        "instrument[1].symbol",
        "stands twice",
        "remove",
    );
    refused("name = \"taker\"", "name = \"maker\"", "strategy[1].name", "stands twice", "rename");
    refused("name = \"taker\"", "name = \"a b\"", "strategy[1].name", "not a name", "letters");
    refused(
        "instruments = [\"AAAA\", \"AAAB\", \"AAAC\"] #",
        "instruments = [\"AAAA\", \"AAAB\", \"AAAC\", \"ZZ\"] #",
        "strategy[0].instruments",
        "no instrument is called \"ZZ\"",
        "add an [[instrument]]",
    );
    refused(
        "instruments = [\"AAAA\", \"AAAB\", \"AAAC\"] #",
        "instruments = [\"AAAA\", \"AAAB\", \"AAAC\", \"AAAC\"] #",
        "strategy[0].instruments",
        "stands twice",
        "once",
    );
    refused("name = \"synthetic\"", "name = \"../x\"", "session.name", "folder", "letters");
}

#[test]
fn strategies_stand_on_cores_without_holes_within_their_limits() {
    refused(
        "core = 0\n\n[strategy.parameters]\norder_qty",
        "core = 2\n\n[strategy.parameters]\norder_qty",
        "strategy[1].core",
        "core 1 is not",
        "core = 1",
    );
    refused(
        "intent_ttl = \"10ms\"",
        "intent_ttl = \"0ms\"",
        "strategy[0].intent_ttl",
        "no time",
        "greater than 0",
    );
    refused("max_in_flight = 32", "max_in_flight = 0", "strategy[0].max_in_flight", "0", "1 to 65536");
    refused("#position_max = 1000", "position_max = 0", "strategy[0].position_max", "is 0", "greater than 0");
    refused(
        "half_spread_ticks = 1 ",
        "half_spread_ticks = 0 ",
        "strategy[0].parameters.half_spread_ticks",
        "is 0",
        "must be positive",
    );
    refused(
        "\nlevels = 5      ",
        "\nlevels = 6      ",
        "strategy[1].parameters.levels",
        "shows 5",
        "book.view_levels",
    );
}

#[test]
fn strategies_are_listed_by_ascending_core() {
    let text =
        DEFAULT_TOML.replacen("core = 0                       #", "core = 1                       #", 1);
    let error = from_text(Path::new("x.toml"), &text).unwrap_err();
    let problem = &error.problems[0];
    assert_eq!((error.problems.len(), problem.key.as_str()), (1, "strategy[1].core"), "{error}");
    let is_told = problem.what.contains("core 0 comes after core 1 of \"maker\"");
    assert!(is_told && problem.mend.contains("ascending core"), "{problem}");
}

#[test]
fn all_that_strategies_may_have_under_way_must_fit_into_the_egress_ring() {
    let text = DEFAULT_TOML.replacen("max_open_orders = 32", "max_open_orders = 900", 1);
    assert!(from_text(Path::new("x.toml"), &text).is_ok());
    let text = DEFAULT_TOML.replacen("max_open_orders = 32", "max_open_orders = 5000", 1);
    let error = from_text(Path::new("x.toml"), &text).unwrap_err();
    let problem = &error.problems[0];
    assert_eq!((error.problems.len(), problem.key.as_str()), (1, "pipeline.egress_slots"), "{error}");
    assert!(
        problem.what.contains("do not hold the 5064 messages") && problem.mend.contains("8192"),
        "{problem}"
    );
}

#[test]
fn spans_sizes_and_addresses_are_checked() {
    refused(
        "place_latency = \"500us\"",
        "place_latency = \"0us\"",
        "paper.place_latency",
        "no time",
        "greater than 0",
    );
    refused(
        "place_latency = \"500us\"",
        "place_latency = \"2h\"",
        "paper.place_latency",
        "longer than an hour",
        "less",
    );
    refused(
        "cancel_latency = \"500us\"",
        "cancel_latency = \"500\"",
        "paper.cancel_latency",
        "not a span",
        "200us",
    );
    refused("reject_ppm = 0 ", "reject_ppm = 1000001 ", "paper.reject_ppm", "1000001", "0 to 1000000");
    refused(
        "timer_interval = \"100ms\"",
        "timer_interval = \"0s\"",
        "simulation.timer_interval",
        "no time",
        "greater",
    );
    refused("pace = \"realtime\"", "pace = \"10x\"", "simulation.pace", "not a pace", "x10");
    refused("view_levels = 5", "view_levels = 11", "book.view_levels", "11", "1 to 10");
    refused(
        "volatility_window = \"1min\"",
        "volatility_window = \"1.5s\"",
        "book.volatility_window",
        "whole samples",
        "multiple",
    );
    refused(
        "segment_bytes = \"64MiB\"",
        "segment_bytes = \"60MiB\"",
        "journal.segment_bytes",
        "power of two",
        "64MiB",
    );
    for (wrong, said) in
        [("\"disk\"", "not a durability"), ("\"flush=0ms\"", "not a durability"), ("7", "integer")]
    {
        let changed = format!("\ndurability = {wrong}");
        refused("\ndurability = \"process\"", &changed, "journal.durability", said, "flush=20ms");
    }
    refused(
        "flush_delay = \"0ns\"",
        "flush_delay = \"11s\"",
        "faults.flush_delay",
        "out of range",
        "at most 10s",
    );
    refused("\"127.0.0.1:9184\"", "\"localhost\"", "metrics.address", "not an address", "127.0.0.1:9184");
    refused(
        "egress_cancel_reserve = 256",
        "egress_cancel_reserve = 4000",
        "risk.egress_cancel_reserve",
        "leave no slot",
        "egress_slots",
    );
    refused(
        "interference_interval = \"100ms\"",
        "interference_interval = \"1ms\"",
        "latency.interference_interval",
        "1ms",
        "10ms to 1min, or 0ns",
    );
    refused(
        "snapshot_interval = \"1min\"",
        "snapshot_interval = \"10ms\"",
        "journal.snapshot_interval",
        "10ms",
        "100ms to 24h, or 0ns",
    );
    refused("gap_threshold = \"10us\"", "gap_threshold = \"10ns\"", "latency.gap_threshold", "10ns", "1us");
    refused("stall_stage = \"off\"", "stall_stage = \"tap\"", "faults.stall_stage", "that can stall", "book");
    refused("duration = \"10s\"", "duration = \"25h\"", "session.duration", "longer", "24h");
    refused("live_orders = 4000", "live_orders = 95", "feed.synthetic.live_orders", "95", "96 to");
    refused(
        "live_orders = 4000",
        "live_orders = 16000000",
        "feed.synthetic.live_orders",
        "16000000",
        "10000000",
    );
    refused("spread = 10 ", "spread = 1001 ", "feed.synthetic.spread", "1001", "0 to 1000");
}

#[test]
fn feeds_have_the_files_that_they_read() {
    refused("files = []", "files = [\"a\"]", "feed.files", "reads no files", "remove");
    let itch = DEFAULT_TOML.replacen("kind = \"synthetic\"", "kind = \"itch50\"", 1);
    let error = from_text(Path::new("x.toml"), &itch).unwrap_err();
    let keys: Vec<&str> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["feed.date", "feed.files"], "{error}");
    let expired = itch
        .replacen("files = []", "files = [\"a\"]", 1)
        .replacen("#date = 2026-01-05", "date = 2026-01-05", 1)
        .replacen("#expiry = 2026-12-16T13:30:00-05:00", "expiry = 2026-01-02T16:00:00-05:00", 1);
    let error = from_text(Path::new("x.toml"), &expired).unwrap_err();
    assert!(error.to_string().contains("AAAA expired at 2026-01-02T21:00:00Z"), "{error}");
    assert_eq!(error.problems.len(), 1, "{error}");
}

#[test]
fn a_venue_on_the_network_needs_an_address_a_login_and_a_feed_on_the_network() {
    let others = refused_among_others(
        "kind = \"exchange\"",
        "kind = \"ouch\"",
        "venue.kind",
        "the market of synthetic",
        "mold",
    );
    assert_eq!(others, 3, "besides: where it is, and the login");
    refused("limit_reserve = 100 ", "limit_reserve = 1000", "venue.limit_reserve", "1000 of 1000", "fewer");
    refused(
        "limit_messages = 1000 ",
        "limit_messages = 0",
        "venue.limit_messages",
        "0 is out of range",
        "1 to",
    );
    refused(
        "breaker_open_max = \"30s\"",
        "breaker_open_max = \"1ms\"",
        "venue.breaker_open_max",
        "shorter",
        "breaker_open",
    );
    refused("user = \"trader\"", "user = \"a trader\"", "venue.user", "not of SoupBinTCP", "6 letters");
    let lines = "lines = [\"127.0.0.1:1\", \"127.0.0.1:2\", \"127.0.0.1:3\"]";
    refused("lines = []", lines, "feed.lines", "has no lines", "mold");
}

#[test]
fn how_packets_are_received_is_held_to_its_ranges_and_to_the_cores_there_are() {
    refused(
        "buffer_bytes = \"8MiB\"",
        "buffer_bytes = \"1KiB\"",
        "feed.receive.buffer_bytes",
        "1024",
        "4096 to",
    );
    refused("busy_poll = \"0us\"", "busy_poll = \"20ms\"", "feed.receive.busy_poll", "20ms", "50us");
    refused("busy_poll = \"0us\"", "busy_poll = \"1500ns\"", "feed.receive.busy_poll", "whole", "50us");
    refused("#core = 3    ", "core = 3     ", "feed.receive.core", "the sequencer", "by = \"thread\"");
    refused("by = \"sequencer\"", "by = \"threads\"", "feed.receive.by", "threads", "thread");
    let mut settings = crate::builtin().settings;
    settings.feed.kind = crate::FeedKind::Mold;
    settings.feed.lines = vec![crate::Endpoint::default()];
    settings.feed.receive.by = crate::ReceiveBy::Thread;
    settings.feed.receive.idle = IdleStrategy::Spin;
    let host = HostCores { allowed: vec![0, 1], isolated: vec![0, 1] };
    let told = |settings: &Settings| {
        let problems = settings.validate(&host);
        problems
            .iter()
            .map(ToString::to_string)
            .filter(|told| told.contains("feed.receive"))
            .collect::<Vec<_>>()
    };
    let problems = told(&settings);
    assert!(problems.len() == 1 && problems[0].contains("3 spinning threads for 2 core(s)"), "{problems:?}");
    settings.feed.receive.core = Some(1);
    assert!(told(&settings)[0].contains("pinned to core 1 already"));
    settings.feed.receive.core = Some(7);
    assert!(told(&settings)[0].contains("core 7 does not exist"));
    settings.feed.receive = crate::ReceiveSettings { by: crate::ReceiveBy::Thread, ..Default::default() };
    assert_eq!(told(&settings), Vec::<String>::new());
}

#[test]
fn a_stage_that_stalls_on_purpose_is_warned_of_and_one_that_is_not_there_refused() {
    let text = DEFAULT_TOML.replacen("stall_stage = \"off\"", "stall_stage = \"book\"", 1);
    let loaded = from_text(Path::new("x.toml"), &text).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(
        loaded.warnings[0].to_string().contains("book stalls for 50us at every event number 1000 on purpose")
    );
    let off = "stall_stage = \"off\"";
    refused(off, "stall_stage = \"strategies-3\"", "faults.stall_stage", "no strategies-3", "\"off\"");
    refused("stall_length = \"50us\"", "stall_length = \"2s\"", "faults.stall_length", "2s", "1s");
    refused("stall_every = 1000", "stall_every = 0", "faults.stall_every", "0", "1 to");
}

#[test]
fn an_exchange_that_cannot_be_is_refused() {
    let key = |name: &str| format!("exchange.{name}");
    refused("session = \"SPINWARD\"", "session = \"ELEVENCHARS\"", &key("session"), "ELEVENCHARS", "1 to 10");
    refused("rate = 1000 ", "rate = 50000001 ", &key("rate"), "out of range", "50000000");
    refused("book_orders = 120", "book_orders = 11", &key("book_orders"), "11", "12 to");
    refused("spread = 54", "spread = 1001", &key("spread"), "1001", "0 to 1000");
    refused("ttl = 1 ", "ttl = 0 ", &key("ttl"), "0", "1 to 255");
    refused("26400\"]", "0\"]", &key("line_a"), "port 0", "the port");
    refused("26402\"", "26402x\"", &key("retransmission"), "26402x", "a port");
    refused("\"127.0.0.1:26410\"", "\"[::1]:26410\"", &key("orders"), "not an IPv4", "like");
    refused("packet_bytes = 1472", "packet_bytes = 71", &key("packet_bytes"), "71", "72 to 65507");
    refused("heartbeat = \"1s\"", "heartbeat = \"2h\"", &key("heartbeat"), "2h", "1h");
    refused(
        "history_messages = 1048576",
        "history_messages = 1000",
        &key("history_messages"),
        "1000",
        "65536",
    );
    refused("account_messages = 1048576", "account_messages = 10", &key("account_messages"), "10", "4096");
    refused("account_bytes = \"64MiB\"", "account_bytes = \"1KiB\"", &key("account_bytes"), "1024", "262144");
    refused("faults = []", "faults = [\"explode\"]", &key("faults"), "unknown command", "drop a 1%");
    refused("price = 95", "price = \"95.00001\"", &key("symbol[1].price"), "OUCH", "0.0001");
    refused("price = 95", "price = \"95.001\"", &key("symbol[1].price"), "off the grid", "whole cents");
    refused(
        "#lower = \"150\"",
        "lower = \"199999\"\nupper = \"5\"",
        &key("symbol[0].lower"),
        "above",
        "exchange",
    );
    refused(
        "self_trade = \"allow\"",
        "self_trade = \"never\"",
        &key("account[0].self_trade"),
        "never",
        "allow",
    );
    refused("user = \"second\"", "user = \"seventh\"", &key("account[1].user"), "seventh", "1 to 6");
    refused("firm = \"SPWX\"", "firm = \"FIRMA\"", &key("account[0].firm"), "FIRMA", "1 to 4");
}

/// The built-in file with this topology.
fn topology(text: &str) -> crate::Settings {
    let start = DEFAULT_TOML.find("[topology]").unwrap();
    let end = DEFAULT_TOML.find("[book]").unwrap();
    let text = format!("{}{text}\n{}", &DEFAULT_TOML[..start], &DEFAULT_TOML[end..]);
    from_text(Path::new("x.toml"), &text).unwrap_or_else(|error| panic!("{error}")).settings
}

#[track_caller]
fn not_here(text: &str, cores: usize, key: &str, what: &str, mend: &str) {
    let problems = topology(text).validate(&host(cores));
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = &problems[0];
    assert!(problem.key == key && problem.what.contains(what) && problem.mend.contains(mend), "{problem}");
    let header = DEFAULT_TOML[..DEFAULT_TOML.find("[topology]").unwrap()].matches('\n').count() + 1;
    assert!(
        problem.line().is_some_and(|line| line >= header && line <= header + text.matches('\n').count()),
        "{problem}"
    );
    assert!(topology(text).topology(&host(cores)).is_err());
}

const TWO: &str = "[[topology.core]]\ncore = 0\nidle = \"spin\"\nagents = [\"sequencer\", \"tap\"]\n[[topology.core]]\ncore = 1\nidle = \"spin\"\nagents = [\"normalizer\", \"book\", \"strategies-0\", \"risk\", \"journal\"]\n";

#[test]
fn a_topology_that_the_host_cannot_run_is_refused_with_the_mend() {
    let custom = format!("[topology]\npreset = \"custom\"\n{TWO}");
    let settings = topology(&custom);
    assert_eq!(settings.validate(&host(2)), []);
    assert_eq!(settings.topology(&host(2)).unwrap().cores.len(), 2);
    not_here(
        &custom.replacen("core = 1", "core = 7", 1),
        2,
        "topology.core[1].core",
        "core 7 does not exist",
        "use one of 0, 1",
    );
    not_here(
        &custom.replacen("core = 1", "core = 0", 1),
        2,
        "topology.core[0].core",
        "two spinning threads",
        "\"park\"",
    );
    not_here(
        &custom.replacen("core = 0\n", "", 1).replacen("core = 1\n", "", 1),
        1,
        "topology.core",
        "2 spinning threads for 1 core",
        "\"yield\"",
    );
    not_here(&custom.replacen(", \"risk\"", "", 1), 2, "topology.core", "no core runs risk", "add \"risk\"");
    not_here(
        &custom.replacen("\"tap\"", "\"tap\", \"book\"", 1),
        2,
        "topology.core[0].agents",
        "book runs twice",
        "once",
    );
    not_here(
        &custom.replacen("\"risk\"", "\"risk\", \"strategies-1\"", 1),
        2,
        "topology.core",
        "has 2 strategy cores",
        "exactly strategies-0",
    );
    not_here(
        &custom.replacen("\"risk\"", "\"risk\", \"strategies-2\"", 1),
        2,
        "topology.core[1].agents",
        "without strategies-1",
        "hole",
    );
    not_here(
        "[topology]\npreset = \"split\"\nidle = \"spin\"\n",
        2,
        "topology.preset",
        "7 spinning threads for 2",
        "\"fused\"",
    );
    not_here(
        "[topology]\npreset = \"fused\"\ncores = [0, 5]\n",
        2,
        "topology.cores",
        "core 5 does not exist",
        "use one of 0, 1",
    );
}

#[test]
fn topologies_that_fit_pass_on_any_number_of_cores() {
    for cores in [1, 2, 3, 8, 16] {
        for text in [
            "[topology]\n",
            "[topology]\npreset = \"fused\"\n",
            "[topology]\npreset = \"split\"\nidle = \"park\"\n",
        ] {
            assert_eq!(topology(text).validate(&host(cores)), [], "{text} on {cores}");
        }
    }
}

#[test]
fn presets_and_cores_that_do_not_go_together_are_refused() {
    refused(
        "#[[topology.core]]",
        "[[topology.core]]\nagents = [] #",
        "topology.core",
        "\"custom\" only",
        "preset = \"custom\"",
    );
    refused(
        "preset = \"auto\"",
        "preset = \"custom\"",
        "topology.preset",
        "without cores",
        "[[topology.core]]",
    );
    refused("cores = []", "cores = [1]", "topology.cores", "\"split\" only", "remove");
    refused("preset = \"auto\"", "preset = \"fuesd\"", "topology.preset", "not a choice", "\"fused\"");
}

#[test]
fn files_that_are_not_there_are_told_before_the_start() {
    let text = include_str!("../../examples/binance-usdm-btcusdt.toml").replacen("../shared", "/nowhere", 1);
    let settings = from_text(Path::new("x.toml"), &text).unwrap().settings;
    let problems = settings.validate(&host(2));
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].to_string().starts_with("x.toml:11:9: feed.files: cannot read /nowhere/data"),
        "{}",
        problems[0]
    );
}

#[test]
fn a_configuration_without_strategies_is_allowed_with_a_warning() {
    let loaded = from_text(Path::new("x.toml"), "[session]\nname = \"books\"\n").unwrap();
    assert_eq!(loaded.settings.validate(&host(2)), []);
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].what.contains("no order will be sent"));
    assert_eq!(loaded.settings.strategy_cores(), 1);
}

#[test]
fn what_is_kept_and_what_goes_to_clickhouse_is_checked() {
    let compact = "compact = \"background\"";
    refused(compact, "compact = \"later\"", "journal.compact", "\"later\"", "background");
    refused(
        "segment_bytes = \"64MiB\"",
        "segment_bytes = \"2GiB\"",
        "journal.segment_bytes",
        "compressed in memory",
        "at most \"1GiB\"",
    );
    refused("#keep_days = 30", "keep_days = 0", "journal.keep_days", "0 is out of range", "1 to 36500");
    refused(
        "#keep_bytes = \"500GiB\"",
        "keep_bytes = \"0B\"",
        "journal.keep_bytes",
        "nothing would be kept",
        "give a size",
    );
    for (url, what, mend) in [
        ("https://db", "it must begin with http://", "http://HOST:8123"),
        ("http://desk:secret@db", "the manifest of each session would show it", "password_file"),
    ] {
        let changed = format!("url = \"{url}\"");
        refused("url = \"off\"", &changed, "clickhouse.url", what, mend);
    }
    refused("\"hft\"", "\"hft; DROP\"", "clickhouse.database", "not the name of a database", "letters");
    refused(
        "batch_rows = 131072",
        "batch_rows = 999",
        "clickhouse.batch_rows",
        "999 is out of range",
        "1000 to 1048576",
    );
    refused("batch_time = \"1s\"", "batch_time = \"1ms\"", "clickhouse.batch_time", "1ms", "10ms to 1h");
    refused("catch_up = \"30s\"", "catch_up = \"2h\"", "clickhouse.catch_up", "2h", "at most 1h");
    let passwords = "#password_file = \"clickhouse.password\" # its password: the first line of a file\n#password_env = \"CLICKHOUSE_PASSWORD\"";
    let both = "password_file = \"a\"\npassword_env = \"B\"";
    refused(passwords, both, "clickhouse.password_env", "two places", "keep");
}
