//! The one table of metrics: name, kind, help with unit, and where the values come from.
//!
//! Names follow the Prometheus conventions: `_total` for counters, base units (`_seconds`, `_bytes`).

use super::family::{Kind, Metric, Out};
use super::sources::Sources;
use crate::cli::output::snake;
use crate::session::keeper::KeeperCounters;
use spinward_engine::risk::OrderState;
use spinward_engine::strategy::Refused;
use spinward_engine::words::{EventKind, FrameKind, RejectCode, ReportKind};
use spinward_recorder::InterferenceTotals;

const fn counter(name: &'static str, help: &'static str, read: fn(&Sources, Out<'_>)) -> Metric<Sources> {
    Metric { name, kind: Kind::Counter, help, read }
}

const fn gauge(name: &'static str, help: &'static str, read: fn(&Sources, Out<'_>)) -> Metric<Sources> {
    Metric { name, kind: Kind::Gauge, help, read }
}

const NANO: f64 = 1e-9;

/// Every metric there is.
pub(super) const TABLE: &[Metric<Sources>] = &[
    // -- sequencer
    counter("spinward_ingress_frames_total", "Frames put into the ingress ring.", |s, out| {
        out(&[], s.pipeline.sequencer.frames.value() as f64);
    }),
    counter("spinward_ingress_messages_total", "Messages put into the ingress ring, by kind.", |s, out| {
        for (kind, counter) in FrameKind::EVERY.iter().zip(&s.pipeline.sequencer.messages) {
            out(&[("kind", &snake(&kind))], counter.value() as f64);
        }
    }),
    gauge(
        "spinward_ingress_backlog_frames",
        "Frames in the ingress ring that the engine has not finished.",
        |s, out| {
            out(&[], s.pipeline.sequencer.backlog.value() as f64);
        },
    ),
    counter(
        "spinward_sequencer_waits_total",
        "Polls of the sequencer that could not go on, by reason.",
        |s, out| {
            let counters = &s.pipeline.sequencer;
            out(&[("reason", "ingress_full")], counters.ingress_full.value() as f64);
            out(&[("reason", "driver")], counters.waits.value() as f64);
            out(&[("reason", "journal")], counters.journal_waits.value() as f64);
        },
    ),
    counter("spinward_egress_items_total", "Orders and refusals taken from the egress ring.", |s, out| {
        out(&[], s.pipeline.sequencer.outbound.value() as f64);
    }),
    // -- plumbing
    counter("spinward_agent_items_total", "Items handled, by agent.", |s, out| {
        for (agent, counters) in &s.pipeline.agents {
            out(&[("agent", agent)], counters.items.value() as f64);
        }
    }),
    counter(
        "spinward_ring_full_total",
        "Polls that found the ring or segment behind full, by place.",
        |s, out| {
            for (agent, counters) in &s.pipeline.agents {
                out(&[("place", agent)], counters.blocked.value() as f64);
            }
            out(&[("place", "sequencer")], s.pipeline.sequencer.ingress_full.value() as f64);
            for (stream, appended, _) in &s.streams {
                out(&[("place", &format!("{stream}_segment"))], appended.no_segment.value() as f64);
            }
        },
    ),
    counter(
        "spinward_core_turns_total",
        "Turns of a core's duty cycle, by thread and whether some agent worked.",
        |s, out| {
            for core in &s.cores {
                out(&[("thread", &core.thread), ("turn", "busy")], core.counters.busy_turns.value() as f64);
                out(&[("thread", &core.thread), ("turn", "idle")], core.counters.idle_turns.value() as f64);
            }
        },
    ),
    // -- normalizer
    counter("spinward_normalizer_frames_total", "Frames taken by the normalizer.", |s, out| {
        out(&[], s.normalizer.frames.value() as f64);
    }),
    counter("spinward_normalizer_messages_total", "Whole messages decoded.", |s, out| {
        out(&[], s.normalizer.messages.value() as f64);
    }),
    counter("spinward_normalizer_bytes_total", "Payload bytes taken by the normalizer.", |s, out| {
        out(&[], s.normalizer.bytes.value() as f64);
    }),
    counter("spinward_events_total", "Normalized events, by kind.", |s, out| {
        for (kind, counter) in EventKind::EVERY.iter().zip(&s.normalizer.events) {
            out(&[("kind", &snake(&kind))], counter.value() as f64);
        }
    }),
    // -- books
    counter("spinward_book_events_total", "Events applied to books.", |s, out| {
        out(&[], s.book.events.value() as f64);
    }),
    counter("spinward_book_views_total", "Book views written.", |s, out| {
        out(&[], s.book.views.value() as f64);
    }),
    counter("spinward_book_anomalies_total", "What a book could not apply as told, by kind.", |s, out| {
        let book = &s.book;
        let kinds = [
            ("crossed_view", &book.crossed_views),
            ("unknown_order", &book.unknown_orders),
            ("duplicate_order", &book.duplicate_orders),
            ("excess_quantity", &book.excess_quantities),
            ("refused", &book.refused),
            ("unaddressed", &book.unaddressed),
            ("orders_full", &book.orders_full),
            ("levels_full", &book.levels_full),
            ("split_group", &book.split_groups),
        ];
        for (kind, counter) in kinds {
            out(&[("kind", kind)], counter.value() as f64);
        }
    }),
    gauge("spinward_book_orders", "Orders live in all order-by-order books.", |s, out| {
        out(&[], s.book.orders.value() as f64);
    }),
    gauge("spinward_book_levels", "Price levels in use in all books.", |s, out| {
        out(&[], s.book.levels.value() as f64);
    }),
    // -- strategies
    counter("spinward_strategy_hooks_total", "Calls of a strategy's hooks.", |s, out| {
        for strategy in s.runners.iter().flat_map(|runner| &runner.strategies) {
            let hooks = [
                ("book", &strategy.books),
                ("trade", &strategy.trades),
                ("report", &strategy.reports),
                ("timer", &strategy.timers),
                ("status", &strategy.statuses),
            ];
            for (hook, counter) in hooks {
                out(&[("strategy", &strategy.name), ("hook", hook)], counter.value() as f64);
            }
        }
    }),
    counter("spinward_strategy_intents_total", "Intents given, by strategy and action.", |s, out| {
        for strategy in s.runners.iter().flat_map(|runner| &runner.strategies) {
            let actions = [
                ("new", &strategy.new_orders),
                ("cancel", &strategy.cancels),
                ("replace", &strategy.replaces),
            ];
            for (action, counter) in actions {
                out(&[("strategy", &strategy.name), ("action", action)], counter.value() as f64);
            }
        }
    }),
    counter(
        "spinward_strategy_refused_total",
        "Wishes that the SDK refused before they became intents.",
        |s, out| {
            for strategy in s.runners.iter().flat_map(|runner| &runner.strategies) {
                for (reason, counter) in Refused::EVERY.iter().zip(&strategy.refused) {
                    let reason = snake(&reason);
                    out(&[("strategy", &strategy.name), ("reason", &reason)], counter.value() as f64);
                }
            }
        },
    ),
    gauge("spinward_strategy_in_flight", "New orders and replaces without an answer.", |s, out| {
        for strategy in s.runners.iter().flat_map(|runner| &runner.strategies) {
            out(&[("strategy", &strategy.name)], strategy.in_flight.value() as f64);
        }
    }),
    // -- risk
    counter(
        "spinward_risk_verdicts_total",
        "Verdicts on intents, by code; approved ones include mass cancels.",
        |s, out| {
            for (code, counter) in RejectCode::EVERY.iter().zip(&s.risk.verdicts) {
                out(&[("code", code.name())], counter.value() as f64);
            }
        },
    ),
    counter("spinward_orders_sent_total", "Messages sent to the venue, by action.", |s, out| {
        for (action, counter) in ["new", "cancel", "replace"].iter().zip(&s.risk.messages_sent) {
            out(&[("action", action)], counter.value() as f64);
        }
    }),
    counter("spinward_order_states_total", "Times that an order came into a state.", |s, out| {
        for (state, counter) in OrderState::EVERY.iter().zip(&s.risk.transitions) {
            out(&[("state", &snake(&state))], counter.value() as f64);
        }
    }),
    counter("spinward_reports_total", "Reports, by kind; refusals by risk included.", |s, out| {
        for (kind, counter) in ReportKind::EVERY.iter().zip(&s.risk.reports) {
            out(&[("kind", &snake(&kind))], counter.value() as f64);
        }
    }),
    counter("spinward_fills_total", "Fills counted into positions.", |s, out| {
        out(&[], s.risk.fills.value() as f64);
    }),
    counter("spinward_risk_commands_total", "Operator's commands, by whether they were obeyed.", |s, out| {
        out(&[("outcome", "obeyed")], s.risk.commands.value() as f64);
        out(&[("outcome", "refused")], s.risk.commands_refused.value() as f64);
    }),
    counter("spinward_risk_halts_total", "Times that trading was halted.", |s, out| {
        out(&[], s.risk.halts.value() as f64);
    }),
    counter("spinward_risk_mass_cancels_total", "Cancels sent because everything had to go.", |s, out| {
        out(&[], s.risk.mass_cancels.value() as f64);
    }),
    counter(
        "spinward_risk_anomalies_total",
        "What the venue told us and should not have, or what went beyond a range, by kind.",
        |s, out| {
            let risk = &s.risk;
            let kinds = [
                ("report_malformed", &risk.reports_malformed),
                ("report_unknown_order", &risk.reports_unknown_order),
                ("report_unexpected", &risk.reports_unexpected),
                ("report_mismatched", &risk.reports_mismatched),
                ("fill_duplicate", &risk.fills_duplicate),
                ("fill_unknown_order", &risk.fills_unknown_order),
                ("fill_unplaced", &risk.fills_unplaced),
                ("overflow", &risk.overflows),
                ("egress_failure", &risk.egress_failures),
                ("refusal_unsent", &risk.refusals_unsent),
                ("recovered_refused", &risk.recovered_refused),
            ];
            for (kind, counter) in kinds {
                out(&[("kind", kind)], counter.value() as f64);
            }
        },
    ),
    gauge("spinward_trading_state", "0 normal, 1 reduce only, 2 cancel only, 3 halted.", |s, out| {
        out(&[], s.risk.trading_state.value() as f64);
    }),
    gauge("spinward_open_orders", "Orders that are not gone.", |s, out| {
        out(&[], s.risk.open_orders.value() as f64);
    }),
    gauge(
        "spinward_messages_under_way",
        "Messages sent and refusals told that are not yet answered.",
        |s, out| {
            out(&[], s.risk.under_way.value() as f64);
        },
    ),
    // -- positions
    gauge("spinward_position_lots", "Position, signed lots.", |s, out| {
        for row in &s.positions.rows {
            out(&position_labels(s, row), row.qty.value() as f64);
        }
    }),
    gauge(
        "spinward_position_realized",
        "Realized profit before fees, in the instrument's currency.",
        |s, out| {
            for row in &s.positions.rows {
                out(&position_labels(s, row), row.realized.value() as f64 * NANO);
            }
        },
    ),
    gauge(
        "spinward_position_unrealized",
        "Unrealized profit at the mid, in the instrument's currency.",
        |s, out| {
            for row in &s.positions.rows {
                out(&position_labels(s, row), row.unrealized.value() as f64 * NANO);
            }
        },
    ),
    gauge("spinward_position_fees", "Fees paid, in the instrument's currency.", |s, out| {
        for row in &s.positions.rows {
            out(&position_labels(s, row), row.fees.value() as f64 * NANO);
        }
    }),
    // -- feed and venue on the network
    counter(
        "spinward_feed_packets_total",
        "Packets of a numbered feed that could be read, by line.",
        |s, out| {
            for (line, gauge) in ["a", "b", "retransmission"].iter().zip(&s.stream.packets) {
                out(&[("line", line)], gauge.value() as f64);
            }
        },
    ),
    counter(
        "spinward_feed_notices_total",
        "What happened to the stream of a numbered feed, by kind.",
        |s, out| {
            let stream = &s.stream;
            let duplicates = stream.duplicates.iter().map(|gauge| gauge.value()).sum::<i64>();
            out(&[("kind", "duplicate_message")], duplicates as f64);
            out(&[("kind", "malformed_packet")], stream.malformed.value() as f64);
            out(&[("kind", "foreign_packet")], stream.foreign.value() as f64);
            out(&[("kind", "gap")], stream.gaps.value() as f64);
            out(&[("kind", "request")], stream.requests.value() as f64);
            out(&[("kind", "lost_message")], stream.lost.value() as f64);
            out(&[("kind", "snapshot")], stream.snapshots.value() as f64);
            out(&[("kind", "kernel_drop")], stream.kernel_drops() as f64);
            out(&[("kind", "handover_full")], stream.handover_full.value() as f64);
        },
    ),
    gauge(
        "spinward_feed_kernel_wait_seconds",
        "From the kernel's receipt of a packet of market data to ours, by percentile; 100 is the longest.",
        |s, out| {
            for (name, share) in [("50", 0.5), ("99", 0.99), ("99.9", 0.999), ("100", 1.0)] {
                let wait = s.stream.kernel_waits.quantile(share).unwrap_or(0);
                out(&[("percentile", name)], wait as f64 * NANO);
            }
        },
    ),
    gauge(
        "spinward_feed_position",
        "Number of the message of a numbered feed that is told next; it stands still while a loss is mended.",
        |s, out| {
            out(&[], s.stream.position.value() as f64);
        },
    ),
    gauge(
        "spinward_gateway_state",
        "Order gateway: session 0 down, 1 catching up, 2 ready, 3 stopping, 4 over; breaker 0 closed, 1 open, 2 half-open.",
        |s, out| {
            out(&[("part", "session")], s.gateway.state.value() as f64);
            out(&[("part", "breaker")], s.gateway.breaker.value() as f64);
        },
    ),
    gauge(
        "spinward_gateway_orders",
        "Orders at the venue or under way, as the gateway has them.",
        |s, out| {
            out(&[], s.gateway.orders.value() as f64);
        },
    ),
    gauge(
        "spinward_gateway_limiter_room",
        "Messages that may leave before the venue's rule is met.",
        |s, out| {
            out(&[], s.gateway.limiter_room.value() as f64);
        },
    ),
    counter("spinward_gateway_messages_total", "Messages to and from the venue, by kind.", |s, out| {
        let gateway = &s.gateway;
        let kinds = [
            ("enter", &gateway.enters),
            ("replace", &gateway.replaces),
            ("cancel", &gateway.cancels),
            ("query", &gateway.queries),
            ("received", &gateway.messages),
        ];
        for (kind, counter) in kinds {
            out(&[("kind", kind)], counter.value() as f64);
        }
    }),
    counter("spinward_gateway_events_total", "What happened at the order gateway, by kind.", |s, out| {
        let gateway = &s.gateway;
        let kinds = [
            ("login", &gateway.logins),
            ("down", &gateway.downs),
            ("breaker_opened", &gateway.breaker_opened),
            ("refused_unavailable", &gateway.refused_unavailable),
            ("refused_limited", &gateway.refused_limited),
            ("refused_expired", &gateway.refused_expired),
            ("refused_other", &gateway.refused_other),
            ("late_answer", &gateway.late_answers),
            ("never_arrived", &gateway.never_arrived),
            ("unresolved", &gateway.unresolved),
            ("duplicate_execution", &gateway.duplicates),
            ("unexpected", &gateway.unexpected),
            ("malformed", &gateway.malformed),
            ("foreign_order", &gateway.foreign),
            ("broken_trade", &gateway.broken),
        ];
        for (kind, counter) in kinds {
            out(&[("kind", kind)], counter.value() as f64);
        }
    }),
    // -- paper venue and simulated time
    counter("spinward_paper_messages_total", "Messages that arrived at the paper venue.", |s, out| {
        out(&[], s.paper.messages.value() as f64);
    }),
    counter("spinward_paper_answers_total", "What the paper venue did with them.", |s, out| {
        out(&[("answer", "accepted")], s.paper.accepted.value() as f64);
        out(&[("answer", "replaced")], s.paper.replaced.value() as f64);
        out(&[("answer", "cancelled")], s.paper.cancelled.value() as f64);
        for (code, counter) in RejectCode::EVERY.iter().zip(&s.paper.refused) {
            out(&[("answer", code.name())], counter.value() as f64);
        }
    }),
    counter("spinward_paper_fills_total", "Fills given by the paper venue, by liquidity.", |s, out| {
        out(&[("liquidity", "maker")], s.paper.fills_as_maker.value() as f64);
        out(&[("liquidity", "taker")], s.paper.fills_as_taker.value() as f64);
    }),
    gauge("spinward_paper_open_orders", "Orders at rest at the paper venue.", |s, out| {
        out(&[], s.paper.orders_open.value() as f64);
    }),
    counter("spinward_simulation_messages_total", "Messages merged by simulated time, by kind.", |s, out| {
        let simulation = &s.simulation;
        out(&[("kind", "market")], simulation.market_messages.value() as f64);
        out(&[("kind", "timer")], simulation.timer_ticks.value() as f64);
        out(&[("kind", "report")], simulation.reports.value() as f64);
        out(&[("kind", "refusal")], simulation.refusals.value() as f64);
        out(&[("kind", "recovered")], simulation.recovered.value() as f64);
    }),
    counter(
        "spinward_simulation_waits_total",
        "Polls in which no message could be given yet, by reason.",
        |s, out| {
            let simulation = &s.simulation;
            out(&[("reason", "feed")], simulation.waits_for_feed.value() as f64);
            out(&[("reason", "engine")], simulation.waits_for_engine.value() as f64);
            out(&[("reason", "room")], simulation.waits_for_room.value() as f64);
            out(&[("reason", "venue")], simulation.waits_for_venue.value() as f64);
            out(&[("reason", "pace")], simulation.waits_for_pace.value() as f64);
        },
    ),
    // -- files
    counter("spinward_journal_records_total", "Records appended, by stream.", |s, out| {
        for (stream, appended, _) in &s.streams {
            out(&[("stream", stream)], appended.records.value() as f64);
        }
    }),
    counter("spinward_journal_bytes_total", "Bytes appended, headers included, by stream.", |s, out| {
        for (stream, appended, _) in &s.streams {
            out(&[("stream", stream)], appended.bytes.value() as f64);
        }
    }),
    counter(
        "spinward_journal_segments_prepared_total",
        "Segments reserved, mapped and prefaulted ahead of the writer.",
        |s, out| {
            for (stream, _, prepared) in &s.streams {
                out(&[("stream", stream)], prepared.segments_prepared.value() as f64);
            }
        },
    ),
    counter("spinward_journal_flushes_total", "Flushes to the disk.", |s, out| {
        for (stream, _, prepared) in &s.streams {
            out(&[("stream", stream)], prepared.flushes.value() as f64);
        }
    }),
    counter("spinward_journal_flush_seconds_total", "Time spent in flushes.", |s, out| {
        for (stream, _, prepared) in &s.streams {
            out(&[("stream", stream)], prepared.flush_ns.value() as f64 * NANO);
        }
    }),
    gauge(
        "spinward_journal_unflushed_seconds_max",
        "Longest time between two moments at which all was on the disk: what a power cut can cost.",
        |s, out| {
            for (stream, _, prepared) in &s.streams {
                out(&[("stream", stream)], prepared.unflushed_ns_max.value() as f64 * NANO);
            }
        },
    ),
    // -- compression and retention
    counter(
        "spinward_journal_compactions_total",
        "Sealed segments by whether they could be compressed.",
        |s, out| {
            out(&[("outcome", "compressed")], s.keeper.compressed.value() as f64);
            out(&[("outcome", "failed")], s.keeper.failed.value() as f64);
        },
    ),
    counter(
        "spinward_journal_compacted_bytes_total",
        "Bytes of compressed segments, before and after.",
        |s, out| {
            for (when, counter) in ["before", "after"].iter().zip(&s.keeper.bytes) {
                out(&[("when", when)], counter.value() as f64);
            }
        },
    ),
    gauge(
        "spinward_retention_sessions",
        "Sessions on disk at the last look, by what becomes of them.",
        |s, out| {
            for ((_, fate), gauge) in KeeperCounters::FATES.iter().zip(&s.keeper.sessions) {
                out(&[("fate", fate)], gauge.value() as f64);
            }
        },
    ),
    gauge("spinward_retention_bytes", "Bytes of all sessions on disk at the last look.", |s, out| {
        out(&[], s.keeper.bytes_kept.value() as f64);
    }),
    counter(
        "spinward_retention_removed_bytes_total",
        "Bytes of old sessions' streams that were removed.",
        |s, out| {
            out(&[], s.keeper.bytes_removed.value() as f64);
        },
    ),
    // -- ClickHouse
    counter("spinward_clickhouse_rows_total", "Rows that the server has acknowledged.", |s, out| {
        if let Some(rows) = &s.clickhouse {
            out(&[], rows.rows.value() as f64);
        }
    }),
    counter("spinward_clickhouse_inserts_total", "Inserts, by what became of them.", |s, out| {
        if let Some(rows) = &s.clickhouse {
            out(&[("outcome", "acknowledged")], rows.inserts.value() as f64);
            out(&[("outcome", "tried_again")], rows.retries.value() as f64);
        }
    }),
    counter(
        "spinward_clickhouse_troubles_total",
        "Times that the rows had to wait: server away, refusal, another schema; `/health` has the last one's text.",
        |s, out| {
            if let Some(rows) = &s.clickhouse {
                out(&[], rows.troubles.value() as f64);
            }
        },
    ),
    gauge("spinward_clickhouse_is_in_trouble", "1 while something keeps the rows waiting.", |s, out| {
        if let Some(rows) = &s.clickhouse {
            out(&[], f64::from(u8::from(rows.trouble().is_some())));
        }
    }),
    gauge(
        "spinward_clickhouse_lag_frames",
        "Frames in the journal of which the server may not have every row.",
        |s, out| {
            if let Some(rows) = &s.clickhouse {
                out(&[], rows.lag_frames() as f64);
            }
        },
    ),
    gauge("spinward_clickhouse_lag_seconds", "Age of the oldest of them, at most.", |s, out| {
        if let Some(rows) = &s.clickhouse {
            out(&[], rows.lag_seconds());
        }
    }),
    // -- snapshots
    counter("spinward_snapshots_total", "Snapshots of the engine's state, by outcome.", |s, out| {
        out(&[("outcome", "written")], s.snapshots.written.value() as f64);
        out(&[("outcome", "failed")], s.snapshots.failed.value() as f64);
    }),
    gauge("spinward_snapshot_bytes", "Size of the last snapshot.", |s, out| {
        out(&[], s.snapshots.bytes.value() as f64);
    }),
    gauge(
        "spinward_snapshot_duration_seconds",
        "Time that saving and writing the last snapshot took.",
        |s, out| {
            out(&[], s.snapshots.duration_ns.value() as f64 * NANO);
        },
    ),
    gauge(
        "spinward_snapshot_timestamp_seconds",
        "When the last snapshot was written, since 1970; 0: not yet.",
        |s, out| {
            out(&[], s.snapshots.at.value() as f64 * NANO);
        },
    ),
    gauge(
        "spinward_snapshot_lag_frames",
        "Frames of the session that the replica behind the snapshots has not taken; it takes them once an interval.",
        |s, out| {
            let taken = u64::try_from(s.snapshots.frame.value()).unwrap_or(0);
            out(&[], s.frames().saturating_sub(taken) as f64);
        },
    ),
    // -- latency
    gauge(
        "spinward_latency_seconds",
        "Latency by stage and percentile since the start; 100 is the longest.",
        |s, out| {
            for row in s.latency() {
                let stage = row.stage.replace('_', " ");
                // The label `quantile` is reserved for summaries, which need a sum that the histograms do not keep.
                let percentiles = [
                    ("50", row.p50_ns),
                    ("90", row.p90_ns),
                    ("99", row.p99_ns),
                    ("99.9", row.p999_ns),
                    ("100", row.max_ns),
                ];
                for (percentile, nanos) in percentiles {
                    out(&[("stage", &stage), ("percentile", percentile)], nanos as f64 * NANO);
                }
            }
        },
    ),
    counter(
        "spinward_order_records_total",
        "Records of the orders' stamps, by stream and whether there was room for them.",
        |s, out| {
            for (stream, appended, counters) in &s.orders {
                out(&[("stream", stream), ("outcome", "stored")], appended.records.value() as f64);
                out(&[("stream", stream), ("outcome", "dropped")], counters.dropped.value() as f64);
            }
        },
    ),
    // -- interference
    counter(
        "spinward_interference_total",
        "What disturbed a thread of the pipeline or its core, by kind.",
        |s, out| {
            for thread in &s.interference.threads {
                for (kind, counter) in InterferenceTotals::COUNTS.iter().zip(&thread.counts) {
                    out(&[("thread", &thread.thread), ("kind", kind)], counter.value() as f64);
                }
            }
        },
    ),
    counter("spinward_interference_seconds_total", "What it took from the thread, by kind.", |s, out| {
        for thread in &s.interference.threads {
            for (kind, counter) in InterferenceTotals::TIMES.iter().zip(&thread.times) {
                out(&[("thread", &thread.thread), ("kind", kind)], counter.value() as f64 * NANO);
            }
        }
    }),
    gauge("spinward_gap_seconds_max", "Longest that a thread's own loop was away.", |s, out| {
        for thread in &s.interference.threads {
            out(&[("thread", &thread.thread)], thread.gap_ns_max.value() as f64 * NANO);
        }
    }),
    gauge(
        "spinward_core_frequency_hertz",
        "Frequency of a thread's core, where the system tells.",
        |s, out| {
            for thread in s.interference.threads.iter().filter(|thread| thread.hertz.value() > 0) {
                out(&[("thread", &thread.thread)], thread.hertz.value() as f64);
            }
        },
    ),
    counter("spinward_interference_looks_total", "Looks at the threads from outside.", |s, out| {
        out(&[], s.interference.samples.value() as f64);
    }),
    counter("spinward_interference_look_seconds_total", "Time that these took.", |s, out| {
        out(&[], s.interference.sample_ns.value() as f64 * NANO);
    }),
    counter("spinward_faults_injected_total", "Faults put in on purpose; never while trading.", |s, out| {
        out(&[("fault", "stall")], s.pipeline.stalls.value() as f64);
    }),
    // -- side thread
    counter("spinward_side_ticks_total", "Turns of the side thread's own watch.", |s, out| {
        out(&[], s.side.ticks.value() as f64);
    }),
    gauge("spinward_side_delay_seconds_max", "Longest that a job has held the side thread.", |s, out| {
        out(&[], s.side.delay_ns_max.value() as f64 * NANO);
    }),
    counter("spinward_metrics_scrapes_total", "Scrapes answered.", |s, out| {
        out(&[], s.side.scrapes.value() as f64);
    }),
];

fn position_labels<'a>(
    sources: &'a Sources,
    row: &spinward_engine::risk::PositionGauge,
) -> [(&'static str, &'a str); 2] {
    [
        ("strategy", sources.strategy(row.strategy.index())),
        ("instrument", sources.instrument(row.instrument.index())),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_follow_the_conventions_and_stand_once() {
        crate::metrics::family::check_names(super::TABLE);
    }
}
