//! The command line. `--help` of each command is its reference.

pub(crate) mod bench;
pub(crate) mod book;
pub(crate) mod clickhouse;
pub(crate) mod config;
pub(crate) mod control;
pub(crate) mod doctor;
pub(crate) mod exchange;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod export_dbn;
mod export_npz;
pub(crate) mod journal;
pub(crate) mod output;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod slowest;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// High-frequency trading in the manner of the LMAX disruptor: market data in, risk-checked orders out, everything journaled,
/// every session replayable bit for bit.
///
/// Exit codes: 0 good, 1 the check failed, 2 bad usage or configuration.
#[derive(Parser, Debug)]
#[command(name = "spinward", version, max_term_width = 110, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a session: feed → books → strategies → risk → venue, journaled and measured.
    ///
    /// Without arguments: an exchange over sockets of loopback, two demo strategies that trade on it, 10 seconds; in the end both ends must agree. With --paper: the
    /// same market in process and in simulated time, a function of its seed.
    Run(RunArgs),
    /// Run the same code over a session's journal and compare every digest.
    Replay(ReplayArgs),
    /// Show one order's life: when each stage had it, what it waited for, what caused it, what became of it.
    Explain(ExplainArgs),
    /// List the slowest orders of a session and what happened around them.
    Slowest(SlowestArgs),
    /// Look into a session's journal.
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Write a session's tables as files: events, books, trades, orders, fills, verdicts, latency.
    ///
    /// The journal is run again through the same decoder, books, strategies and risk, and every verdict compared with the audit's.
    Export(export::ExportArgs),
    /// Load sessions into ClickHouse and ask what they say there.
    #[command(subcommand, name = "clickhouse")]
    ClickHouse(clickhouse::ClickHouseCommand),
    /// Build the books of one symbol or of all from a capture and write every change of its best bid and offer.
    Book(BookArgs),
    /// Be the exchange: market data over UDP, orders over TCP, participants, faults on request.
    ///
    /// Runs until it is told to end: by --duration, a signal, or `spinward control --socket exchange.sock end`.
    Exchange(exchange::ExchangeArgs),
    /// Check, show or begin a configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Command a running session (kill, resume, cancel-all, state, status) or a running exchange (faults, halts, …: docs/exchange.md).
    Control(ControlArgs),
    /// Check and measure whether this host is fit to trade with a configuration; every finding with the command that mends it.
    ///
    /// Changes nothing. Exit codes: 0 no critical check failed, 1 one did, 2 bad usage or configuration.
    Doctor(doctor::DoctorArgs),
    /// Measure: suites beside their controls, sweeps over rates, comparisons and reports of runs.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

#[derive(Args, Debug, Default)]
pub(crate) struct RunArgs {
    /// Configuration file; without it the built-in one (see `spinward config init`).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Market data: `synthetic`, `itch50:FILE`, `pcap:FILE[,FILE…]` or `binance:FILE[,FILE…]`, files plain or gzip; `mold:ADDR[,ADDR]` (lines A and B of MoldUDP64).
    #[arg(long, value_name = "FEED")]
    pub(crate) feed: Option<String>,
    /// Where orders go: `exchange` (one of the session's own over sockets on loopback, which is the market too; `[exchange]` of the configuration says what it
    /// is like), `paper` (in process), or `ouch:ADDR` (with the feed mold). With --feed and without this: `paper`.
    #[arg(long, value_name = "VENUE")]
    pub(crate) venue: Option<String>,
    /// Orders go to the paper venue: `--venue paper`.
    #[arg(long, conflicts_with = "venue")]
    pub(crate) paper: bool,
    /// Date of an ITCH file (YYYY-MM-DD, New York), for times since the epoch.
    #[arg(long, value_name = "DATE")]
    pub(crate) date: Option<String>,
    /// Simulated time (venue paper) against the clock: `realtime`, `xN` (N times faster) or `max` (as fast as the pipeline goes).
    #[arg(long, value_name = "PACE")]
    pub(crate) pace: Option<String>,
    /// Agents on cores: `auto`, `fused`, `split`, or `custom` (the core map of the configuration).
    #[arg(long, value_name = "NAME")]
    pub(crate) topology: Option<String>,
    /// How a core waits: `spin`, `spin-hint`, `yield` or `park`.
    #[arg(long, value_name = "IDLE")]
    pub(crate) idle: Option<String>,
    /// Length of the session in market time: `10s`, `5m`, `2h`.
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<String>,
    /// Seed of the synthetic market and of the simulated venue.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Name of the session, part of its folder's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Folder in which sessions are kept.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) sessions: Option<PathBuf>,
    /// Begin with the positions, open orders and kill latch that this earlier session ended (or died) with; `latest` takes the newest.
    #[arg(long, value_name = "SESSION")]
    pub(crate) resume: Option<PathBuf>,
    /// Write the session's rows to this ClickHouse server while it runs: http://user:password@host:8123, or `off`.
    #[arg(long, value_name = "URL")]
    pub(crate) clickhouse: Option<String>,
    /// Where to serve Prometheus metrics: an address such as 127.0.0.1:9184, or `off`.
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<String>,
    /// Examine the host first (`spinward doctor`) and refuse to start, with exit code 1, if a critical check fails.
    #[arg(long)]
    pub(crate) require_tuned: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// No live line.
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// Folder of the session, or `latest`.
    pub(crate) session: PathBuf,
    /// Begin at the last good snapshot instead of the first frame: the digests must be the same.
    #[arg(long, conflicts_with_all = ["topology", "idle"])]
    pub(crate) from_snapshot: bool,
    /// Topology to replay in; any gives the same digests.
    #[arg(long, value_name = "NAME")]
    pub(crate) topology: Option<String>,
    /// How a core waits.
    #[arg(long, value_name = "IDLE")]
    pub(crate) idle: Option<String>,
    /// Folder in which sessions are kept, for `latest`.
    #[arg(long, value_name = "FOLDER", default_value = "sessions")]
    pub(crate) sessions: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// Folder of the session, or `latest`.
    pub(crate) session: PathBuf,
    /// The order: its id, or strategy and number, like 281474976710681, 1:25 or imbalance-taker:25.
    #[arg(value_name = "ORDER")]
    pub(crate) order: String,
    /// Folder in which sessions are kept, for `latest`.
    #[arg(long, value_name = "FOLDER", default_value = "sessions")]
    pub(crate) sessions: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SlowestArgs {
    /// Folder of the session, or `latest`.
    pub(crate) session: PathBuf,
    /// How many.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub(crate) count: usize,
    /// Folder in which sessions are kept, for `latest`.
    #[arg(long, value_name = "FOLDER", default_value = "sessions")]
    pub(crate) sessions: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, ValueEnum, Debug, PartialEq, Eq)]
pub(crate) enum BookFormat {
    /// NASDAQ TotalView-ITCH 5.0, messages with a two-byte length.
    Itch50,
    /// Binance captures: lines of local time and raw JSON.
    Binance,
    /// pcap or pcapng of MoldUDP64 with ITCH 5.0.
    Pcap,
}

#[derive(Args, Debug)]
pub(crate) struct BookArgs {
    /// Format of the files.
    #[arg(long, value_enum)]
    pub(crate) format: BookFormat,
    /// The venue's symbol, or `*` for every one.
    #[arg(long)]
    pub(crate) symbol: String,
    /// Where to write the CSV; `-` is the standard output.
    #[arg(long, value_name = "CSV")]
    pub(crate) out: PathBuf,
    /// ITCH: date of the session (YYYY-MM-DD, New York), for times since the epoch; without it times count from midnight.
    #[arg(long, value_name = "DATE")]
    pub(crate) date: Option<String>,
    /// pcap: where a line is sent to (ADDRESS:PORT); once or twice. Without it: the first two destinations in the capture.
    #[arg(long, value_name = "LINE")]
    pub(crate) line: Vec<std::net::SocketAddrV4>,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The captures, in order.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Check a configuration against the schema and this host; exit code 2 if it is refused.
    Check(ConfigArgs),
    /// Print the configuration as it is understood, defaults filled in.
    Show(ConfigArgs),
    /// Print a commented configuration to begin with.
    Init {
        /// Where to write it; without it, the standard output. An existing file is not touched.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    /// The file; without it the built-in configuration.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ControlArgs {
    /// Socket of the session, or of the exchange.
    #[arg(long, value_name = "SOCKET", default_value = "sessions/operator.sock")]
    pub(crate) socket: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The command and its words: `kill OWNER REASON…`, `resume OWNER`, `cancel-all OWNER`,
    /// `state reduce-only|cancel-only|normal OWNER`, `status`. To an exchange: `drop a 1%`, `disconnect trader`, `restart 1s`, `halt AAAA`, `status`, …
    #[arg(required = true, trailing_var_arg = true)]
    pub(crate) words: Vec<String>,
}
