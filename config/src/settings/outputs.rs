//! Sections of what leaves the session beside orders: journal, metrics, the operator's socket.

use crate::field::{Bytes, Field, choices};
use crate::problem::Wrong;
use crate::visit::{Section, Visitor};
use spinward_recorder::{Durability, JournalConfig};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use toml::Value;
use toml::de::DeValue;

/// `[journal]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalSettings {
    /// Size of a segment: a power of two, 8 KiB to 64 GiB.
    pub segment_bytes: Bytes,
    /// Segments kept ready ahead of the writer, 1–64.
    pub segments_ahead: usize,
    /// When a frame is safe. With `sync` no order is sent before the frame that caused it is on the disk.
    pub durability: Durability,
    /// When a verdict is safe. With `sync` no order is sent before its own record is on the disk.
    pub audit_durability: Durability,
    /// With `process`: how often what is written is forced to the disk all the same.
    pub flush_interval: Duration,
    /// Bytes ahead of the writer that are made writable again after each flush.
    pub prefault_bytes: Bytes,
    /// Whether sealed segments are compressed beside the session.
    pub compact: Compaction,
    /// How long a segment must have been sealed for that.
    pub compact_after: Duration,
    /// Streams of exported sessions are removed so many days after their end; absent: never.
    pub keep_days: Option<u32>,
    /// … and the oldest of them until all sessions together have at most so many bytes; absent: any number.
    pub keep_bytes: Option<Bytes>,
    /// How often a replica's state is written as a snapshot, 100 ms to 24 h; 0: never.
    pub snapshot_interval: Duration,
}

/// Whether sealed segments are compressed while sessions run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compaction {
    /// By a thread of low priority.
    #[default]
    Background,
    /// `spinward journal compact` does it.
    Off,
}

choices!(Compaction: "background" => Compaction::Background, "off" => Compaction::Off);

impl Compaction {
    /// Whether they are.
    pub fn is_on(self) -> bool {
        self == Self::Background
    }
}

impl Default for JournalSettings {
    fn default() -> Self {
        let JournalConfig { segment_bytes, segments_ahead, durability, flush_interval, prefault_bytes } =
            JournalConfig::default();
        Self {
            segment_bytes: Bytes(segment_bytes),
            segments_ahead,
            durability,
            audit_durability: durability,
            flush_interval,
            prefault_bytes: Bytes(prefault_bytes),
            compact: Compaction::default(),
            compact_after: Duration::from_secs(600),
            keep_days: None,
            keep_bytes: None,
            snapshot_interval: Duration::from_secs(60),
        }
    }
}

impl Section for JournalSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("segment_bytes", &mut self.segment_bytes);
        visitor.key("segments_ahead", &mut self.segments_ahead);
        visitor.key("durability", &mut self.durability);
        visitor.key("audit_durability", &mut self.audit_durability);
        visitor.key("flush_interval", &mut self.flush_interval);
        visitor.key("prefault_bytes", &mut self.prefault_bytes);
        visitor.key("compact", &mut self.compact);
        visitor.key("compact_after", &mut self.compact_after);
        visitor.optional("keep_days", &mut self.keep_days);
        visitor.optional("keep_bytes", &mut self.keep_bytes);
        visitor.key("snapshot_interval", &mut self.snapshot_interval);
    }
}

/// A TCP address, or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address(pub Option<SocketAddr>);

impl Address {
    pub(crate) fn from_text(text: &str) -> Result<Self, Wrong> {
        if text == "off" {
            return Ok(Self(None));
        }
        text.parse().map(|address| Self(Some(address))).map_err(|_| {
            Wrong::new(
                format!("{text:?} is not an address"),
                "write numbers and a port, like \"127.0.0.1:9184\" or \"[::1]:9184\", or \"off\"",
            )
        })
    }
}

impl Default for Address {
    fn default() -> Self {
        Self(Some(SocketAddr::from(([127, 0, 0, 1], 9184))))
    }
}

impl Field for Address {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        Self::from_text(&String::parse(value)?)
    }
    fn write(&self) -> Value {
        Value::String(self.0.map_or_else(|| "off".to_owned(), |address| address.to_string()))
    }
}

/// `[metrics]`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MetricsSettings {
    /// Where `/metrics` and `/health` are served.
    pub address: Address,
}

impl Section for MetricsSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("address", &mut self.address);
    }
}

/// Path of a Unix socket, or off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SocketPath(pub Option<PathBuf>);

impl Field for SocketPath {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let path = PathBuf::parse(value)?;
        Ok(Self((path.as_os_str() != "off").then_some(path)))
    }
    fn write(&self) -> Value {
        let path = self.0.as_ref().map(|path| path.to_string_lossy().into_owned());
        Value::String(path.unwrap_or_else(|| "off".to_owned()))
    }
}

/// `[operator]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperatorSettings {
    /// Where kill, resume and cancel-all are taken. A relative path lies in the session's own folder.
    pub socket: SocketPath,
}

impl Default for OperatorSettings {
    fn default() -> Self {
        Self { socket: SocketPath(Some("operator.sock".into())) }
    }
}

impl Section for OperatorSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("socket", &mut self.socket);
    }
}
