//! Metrics of `spinward exchange`: one table, read from one look at the exchange.

use super::family::{Kind, Metric, Out, render};
use super::server::Scraped;
use spinward_gateways::exchange::server::{ExchangeCounts, ExchangeProbe};
use std::sync::{Mutex, PoisonError};

/// What is asked for at a scrape.
pub(crate) struct ExchangeSources(Mutex<ExchangeProbe>);

impl ExchangeSources {
    pub(crate) const fn new(probe: ExchangeProbe) -> Self {
        Self(Mutex::new(probe))
    }

    fn counts(&self) -> Result<ExchangeCounts, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).counts().map_err(|error| error.to_string())
    }
}

impl Scraped for ExchangeSources {
    fn metrics(&self) -> String {
        match self.counts() {
            Ok(counts) => render(TABLE, &counts),
            Err(error) => format!("# {error}\n"),
        }
    }

    fn health(&self) -> Result<String, String> {
        let counts = self.counts()?;
        let (messages, accounts) = (counts.next_sequence - 1, counts.accounts_connected);
        Ok(format!("{messages} messages, {accounts} accounts logged in"))
    }
}

const fn counter(
    name: &'static str,
    help: &'static str,
    read: fn(&ExchangeCounts, Out<'_>),
) -> Metric<ExchangeCounts> {
    Metric { name, kind: Kind::Counter, help, read }
}

const fn gauge(
    name: &'static str,
    help: &'static str,
    read: fn(&ExchangeCounts, Out<'_>),
) -> Metric<ExchangeCounts> {
    Metric { name, kind: Kind::Gauge, help, read }
}

const LINES: [&str; 2] = ["a", "b"];

const PORTS: [&str; 3] = ["orders", "snapshot", "replay"];

/// Every metric of an exchange.
const TABLE: &[Metric<ExchangeCounts>] = &[
    // -- market
    counter("spinward_exchange_messages_total", "Messages of market data.", |s, out| {
        out(&[], s.next_sequence.saturating_sub(1) as f64);
    }),
    gauge(
        "spinward_exchange_messages_kept",
        "Messages of market data that can be asked for again.",
        |s, out| {
            out(&[], s.messages_kept as f64);
        },
    ),
    counter(
        "spinward_exchange_commands_total",
        "Commands of the matching engine, by whose they are.",
        |s, out| {
            let of_participants = s.core.participant_commands;
            out(&[("origin", "participants")], of_participants as f64);
            out(&[("origin", "others")], s.core.commands.saturating_sub(of_participants) as f64);
        },
    ),
    gauge(
        "spinward_exchange_orders_resting",
        "Orders that rest, by what they are: displayed, of accounts.",
        |s, out| {
            out(&[("what", "displayed")], s.orders_displayed as f64);
            out(&[("what", "accounts")], s.orders_of_accounts as f64);
        },
    ),
    // -- lines
    counter(
        "spinward_exchange_line_packets_total",
        "Packets of market data, by line and whether the system took them.",
        |s, out| {
            for ((line, sent), unsent) in LINES.iter().zip(s.wire.packets).zip(s.wire.unsent) {
                out(&[("line", line), ("outcome", "sent")], sent as f64);
                out(&[("line", line), ("outcome", "unsent")], unsent as f64);
            }
        },
    ),
    counter("spinward_exchange_line_bytes_total", "Bytes of these packets, by line.", |s, out| {
        for (line, bytes) in LINES.iter().zip(s.wire.bytes) {
            out(&[("line", line)], bytes as f64);
        }
    }),
    counter(
        "spinward_exchange_heartbeats_total",
        "Heartbeats of market data, and ends of the session.",
        |s, out| {
            out(&[], s.wire.heartbeats as f64);
        },
    ),
    counter(
        "spinward_exchange_retransmissions_total",
        "Requests for packets, by whether there was an answer.",
        |s, out| {
            out(&[("outcome", "answered")], s.wire.requests as f64);
            out(&[("outcome", "refused")], s.wire.requests_refused as f64);
        },
    ),
    counter(
        "spinward_exchange_snapshots_total",
        "Snapshots, and answers to which symbols a loss concerns.",
        |s, out| {
            out(&[("what", "snapshot")], s.wire.snapshots as f64);
            out(&[("what", "changes")], s.wire.changes_told as f64);
        },
    ),
    // -- sessions
    counter("spinward_exchange_connections_total", "Connections, by what became of them.", |s, out| {
        let wire = &s.wire;
        let outcomes = [
            ("taken", wire.connections),
            ("refused", wire.connections_refused),
            ("too_slow", wire.slow_dropped),
            ("closed", wire.closed),
        ];
        for (outcome, count) in outcomes {
            out(&[("outcome", outcome)], count as f64);
        }
    }),
    counter("spinward_exchange_logins_total", "Logins, by whether they were right.", |s, out| {
        out(&[("outcome", "accepted")], s.wire.logins as f64);
        out(&[("outcome", "rejected")], s.wire.logins_refused as f64);
    }),
    gauge("spinward_exchange_connections", "Connections now, by port.", |s, out| {
        for (port, count) in PORTS.iter().zip(s.connections) {
            out(&[("port", port)], count as f64);
        }
    }),
    gauge("spinward_exchange_accounts_connected", "Accounts that are logged in.", |s, out| {
        out(&[], s.accounts_connected as f64);
    }),
    gauge(
        "spinward_exchange_backlog",
        "What waits for connections: bytes, and messages to accounts.",
        |s, out| {
            out(&[("what", "bytes")], s.bytes_waiting as f64);
            out(&[("what", "messages")], s.messages_waiting as f64);
        },
    ),
    // -- orders
    counter("spinward_exchange_inbound_total", "Messages of accounts.", |s, out| {
        out(&[], s.core.inbound as f64);
    }),
    counter(
        "spinward_exchange_answers_total",
        "What accounts were told, or what was left unanswered.",
        |s, out| {
            let core = &s.core;
            let answers = [
                ("accepted", core.accepted),
                ("rejected", core.rejected),
                ("replaced", core.replaced),
                ("canceled", core.canceled),
                ("executed", core.executed),
                ("ignored", core.ignored),
                ("malformed", core.malformed),
            ];
            for (answer, count) in answers {
                out(&[("answer", answer)], count as f64);
            }
        },
    ),
    // -- faults
    counter(
        "spinward_exchange_packet_faults_total",
        "Packets that a fault struck, by kind and line.",
        |s, out| {
            let faults = &s.faults;
            let kinds = [
                ("drop", faults.dropped),
                ("duplicate", faults.duplicated),
                ("reorder", faults.reordered),
                ("corrupt", faults.corrupted),
                ("delay", faults.delayed),
                ("no_room_to_delay", faults.undelayed),
                ("stop", faults.stopped),
            ];
            for (kind, counts) in kinds {
                for (line, count) in LINES.iter().zip(counts) {
                    out(&[("fault", kind), ("line", line)], count as f64);
                }
            }
        },
    ),
    counter(
        "spinward_exchange_session_faults_total",
        "Faults of sessions and of the exchange, by kind.",
        |s, out| {
            let faults = &s.faults;
            let kinds = [
                ("unanswered_request", faults.unanswered),
                ("disconnect", faults.disconnected),
                ("freeze", faults.frozen),
                ("reject", faults.rejected),
                ("lose_ack", faults.acks_lost),
                ("slow", faults.slowed),
                ("slow_snapshots", faults.snapshots_slowed),
                ("restart", faults.restarts),
            ];
            for (kind, count) in kinds {
                out(&[("fault", kind)], count as f64);
            }
        },
    ),
    gauge(
        "spinward_exchange_held",
        "What faults hold back: packets of a line, answers to accounts.",
        |s, out| {
            for (line, held) in LINES.iter().zip(s.packets_held) {
                out(&[("what", line)], held as f64);
            }
            out(&[("what", "answers")], s.answers_held as f64);
        },
    ),
];

#[cfg(test)]
mod tests {
    #[test]
    fn names_follow_the_conventions_and_stand_once() {
        crate::metrics::family::check_names(super::TABLE);
    }
}
