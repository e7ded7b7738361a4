//! [`Durability`]: when a record of a stream is safe. What each level costs is printed by `spinward bench journal`; what it saves is in
//! `docs/durability.md`.

use std::time::Duration;

/// When a record is safe, and from what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// In the page cache when `append` returns: a killed process loses nothing. Flushed at [`JournalConfig::flush_interval`](crate::JournalConfig::flush_interval).
    Process,
    /// On the disk at most this much later (and the time of a flush): a group of records with each flush.
    Flush(Duration),
    /// Flushed at once, again and again; whoever must not act before asks how far it is (`durable`).
    Sync,
}

impl Durability {
    /// Reads `process`, `sync` or `flush=20ms` (`ns`, `us`, `ms`, `s`).
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no durability: write \"process\", \"flush=20ms\" or \"sync\"");
        match text {
            "process" => return Ok(Self::Process),
            "sync" => return Ok(Self::Sync),
            _ => {}
        }
        let span = text.strip_prefix("flush=").ok_or_else(wrong)?;
        let digits = span.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = span.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let nanos = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            _ => return Err(wrong()),
        };
        let span = number.checked_mul(nanos).map(Duration::from_nanos).ok_or_else(wrong)?;
        if span.is_zero() || span > Duration::from_secs(3600) {
            return Err(format!("{text:?}: give more than 0 and at most 3600s, or \"sync\""));
        }
        Ok(Self::Flush(span))
    }
}

impl std::fmt::Display for Durability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Process => f.write_str("process"),
            Self::Sync => f.write_str("sync"),
            Self::Flush(span) => {
                let nanos = span.as_nanos();
                let (divisor, unit) = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")]
                    .into_iter()
                    .find(|(divisor, _)| nanos.is_multiple_of(*divisor))
                    .unwrap_or((1, "ns"));
                write!(f, "flush={}{unit}", nanos / divisor)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_they_are_written_and_anything_else_is_refused() {
        for text in ["process", "sync", "flush=20ms", "flush=1s", "flush=1500us", "flush=7ns"] {
            assert_eq!(Durability::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Durability::parse("flush=1000ms"), Ok(Durability::Flush(Duration::from_secs(1))));
        for text in
            ["", "Sync", "flush", "flush=", "flush=ms", "flush=0ms", "flush=2h", "flush=99999s", "flush=-1s"]
        {
            assert!(Durability::parse(text).unwrap_err().contains(text), "{text}");
        }
    }
}
