//! Rings, cores, books, limits of the whole.

use super::Checker;
use crate::field::duration_text;
use crate::settings::Preset;
use spinward_engine::book::{
    BOOK_INSTRUMENTS_LIMIT, BOOK_LEVELS_LIMIT, BOOK_ORDERS_LIMIT, VOLATILITY_SAMPLES_LIMIT,
};
use spinward_engine::pipeline::{BATCH_MAX, HostCores, Role, Topology, TopologyError};
use spinward_engine::risk::{FILL_MEMORY_MAX, MESSAGE_RATE_MAX, OPEN_ORDERS_MAX, STRATEGY_CORES_MAX};
use spinward_engine::words::VIEW_LEVELS_MAX;
use spinward_recorder::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use std::time::Duration;

const RING_LEAST: usize = 64;

/// Looking takes some tenths of a millisecond.
const SNAPSHOT_LEAST: Duration = Duration::from_millis(100);
const SNAPSHOT_MOST: Duration = Duration::from_secs(24 * 3600);
const INTERFERENCE_LEAST: Duration = Duration::from_millis(10);
const INTERFERENCE_MOST: Duration = Duration::from_secs(60);

/// Below a microsecond every other turn would be a gap.
const GAP_LEAST: Duration = Duration::from_micros(1);
const GAP_MOST: Duration = Duration::from_secs(1);

impl Checker<'_> {
    pub(super) fn pipeline(&mut self) {
        let pipeline = &self.settings.pipeline;
        let rings = [
            ("ingress_slots", pipeline.ingress_slots, 1usize << 20),
            ("event_slots", pipeline.event_slots, 1 << 16),
            ("egress_slots", pipeline.egress_slots, 1 << 16),
        ];
        let burst = pipeline.burst;
        for (name, slots, most) in rings {
            if slots.is_power_of_two() && (RING_LEAST..=most).contains(&slots) {
                continue;
            }
            let near = slots.clamp(RING_LEAST, most);
            let above = near.next_power_of_two();
            let mend = if above == near {
                format!("use {above}")
            } else {
                format!("use a power of two: {} or {above}", above / 2)
            };
            let what = if slots.is_power_of_two() {
                format!("{slots} slots are out of the range {RING_LEAST} to {most}")
            } else {
                format!("{slots} slots are not a power of two from {RING_LEAST} to {most}")
            };
            self.refuse(&format!("pipeline.{name}"), what, mend);
        }
        self.in_range("pipeline.burst", burst as u64, 1..=BATCH_MAX as u64);
    }

    pub(super) fn topology(&mut self) {
        let topology = &self.settings.topology;
        match (topology.preset, topology.core.is_empty()) {
            (Preset::Custom, true) => self.refuse(
                "topology.preset",
                "custom without cores",
                "add a [[topology.core]] for each thread, or use \"auto\", \"fused\" or \"split\"",
            ),
            (Preset::Auto | Preset::Fused | Preset::Split, false) => self.refuse(
                "topology.core",
                "[[topology.core]] is read by the preset \"custom\" only",
                "set preset = \"custom\", or remove the cores",
            ),
            (Preset::Custom, false) | (Preset::Auto | Preset::Fused | Preset::Split, true) => {}
        }
        if !topology.cores.is_empty() && matches!(topology.preset, Preset::Custom | Preset::Auto) {
            self.refuse(
                "topology.cores",
                "`cores` is read by the presets \"fused\" and \"split\" only",
                "remove it, or choose one of these",
            );
        }
        for (index, core) in topology.cores.iter().enumerate() {
            if topology.cores.iter().take(index).any(|other| other == core) {
                self.refuse("topology.cores", format!("core {core} stands twice"), "name each core once");
            }
        }
    }

    pub(super) fn host(&mut self, host: &HostCores) {
        let settings = self.settings;
        if settings.topology.preset == Preset::Custom && settings.topology.core.is_empty() {
            // Already told.
            return;
        }
        for (index, core) in settings.topology.cores.iter().enumerate() {
            if !host.allowed.contains(core) {
                self.no_such_core("topology.cores", *core, &host.allowed);
                if index + 1 == settings.topology.cores.len() {
                    return;
                }
            }
        }
        let topology = settings.topology_of(host);
        if let Err(error) = topology.check(host) {
            return self.topology_error(&topology, error);
        }
        let (cores, wanted) = (topology.strategy_cores(), settings.strategy_cores());
        if settings.topology.preset == Preset::Custom && cores != wanted {
            let agents: Vec<String> = (0..wanted).map(|core| Role::Strategies(core).to_string()).collect();
            let what = format!("the topology has {cores} strategy cores, the strategies use {wanted}");
            self.refuse("topology.core", what, format!("put exactly {} onto cores", agents.join(", ")));
        }
    }

    pub(super) fn no_such_core(&mut self, key: &str, core: usize, allowed: &[usize]) {
        let allowed: Vec<String> = allowed.iter().map(usize::to_string).collect();
        let what = format!("core {core} does not exist, or this process may not run on it");
        self.refuse(key, what, format!("use one of {} (see `taskset -p $$`)", allowed.join(", ")));
    }

    fn topology_error(&mut self, topology: &Topology, error: TopologyError) {
        let place = |is_it: &dyn Fn(usize) -> bool, key: &str| {
            let found = (0..topology.cores.len()).find(|index| is_it(*index));
            match (self.settings.topology.preset, found) {
                (Preset::Custom, Some(index)) => format!("topology.core[{index}].{key}"),
                (Preset::Custom | Preset::Auto | Preset::Fused | Preset::Split, _) => {
                    "topology.preset".to_owned()
                }
            }
        };
        let runs = |role: Role| {
            move |index: usize| topology.cores.get(index).is_some_and(|c| c.roles.contains(&role))
        };
        let pinned =
            |core: usize| move |index: usize| topology.cores.get(index).is_some_and(|c| c.core == Some(core));
        match error {
            TopologyError::NoSuchCore { core, allowed } => {
                let key = place(&pinned(core), "core");
                self.no_such_core(&key, core, &allowed);
            }
            TopologyError::SharedCore { core } => {
                let key = place(&pinned(core), "core");
                self.refuse(
                    &key,
                    format!("two spinning threads are pinned to core {core}"),
                    "put their agents on one thread, or set idle = \"yield\" or \"park\" for one of them",
                );
            }
            TopologyError::OverSubscribed { threads, cores } => {
                let key = match self.settings.topology.preset {
                    Preset::Custom => "topology.core",
                    Preset::Auto | Preset::Fused | Preset::Split => "topology.preset",
                };
                self.refuse(
                    key,
                    format!("{threads} spinning threads for {cores} core(s) would stop each other for milliseconds"),
                    format!("use preset = \"fused\", or idle \"yield\" or \"park\" on all but {cores} of them"),
                );
            }
            TopologyError::Missing { role } => self.refuse(
                "topology.core",
                format!("no core runs {role}"),
                format!("add \"{role}\" to the agents of one core"),
            ),
            TopologyError::Twice { role } => {
                let key = place(&runs(role), "agents");
                self.refuse(&key, format!("{role} runs twice"), "name it on one core, once");
            }
            TopologyError::StrategyCores { found, missing } => {
                let key = place(&runs(Role::Strategies(found)), "agents");
                self.refuse(
                    &key,
                    format!("strategies-{found} without strategies-{missing}"),
                    format!("number the strategy cores from 0 without a hole, at most {STRATEGY_CORES_MAX}"),
                );
            }
            error @ (TopologyError::UnknownRole { .. } | TopologyError::RingSize { .. }) => {
                self.refuse("topology", error.to_string(), "correct it");
            }
        }
    }

    pub(super) fn book(&mut self) {
        let book = &self.settings.book;
        let sizes = [
            ("view_levels", book.view_levels, VIEW_LEVELS_MAX),
            ("instruments_max", book.instruments_max, BOOK_INSTRUMENTS_LIMIT),
            ("orders_max", book.orders_max, BOOK_ORDERS_LIMIT),
            ("levels_max", book.levels_max, BOOK_LEVELS_LIMIT),
        ];
        for (name, value, most) in sizes {
            self.in_range(&format!("book.{name}"), value as u64, 1..=most as u64);
        }
        let (window, sample) = (book.volatility_window.as_nanos(), book.volatility_sample.as_nanos());
        if sample == 0 {
            self.positive("book.volatility_sample", Duration::ZERO);
        } else if window == 0
            || !window.is_multiple_of(sample)
            || window / sample > VOLATILITY_SAMPLES_LIMIT as u128
        {
            let text = duration_text(book.volatility_sample);
            self.refuse(
                "book.volatility_window",
                format!(
                    "{} is not 1 to {VOLATILITY_SAMPLES_LIMIT} whole samples of {text}",
                    duration_text(book.volatility_window)
                ),
                "give a multiple of volatility_sample",
            );
        }
        let count = self.settings.instruments.len();
        if count > book.instruments_max {
            self.refuse(
                "book.instruments_max",
                format!("{} is fewer than the {count} instruments configured", book.instruments_max),
                format!("give at least {count}, and more if the feed brings others"),
            );
        }
    }

    pub(super) fn positive(&mut self, key: &str, span: Duration) {
        if span.is_zero() {
            self.refuse(key, "no time at all", "give a span greater than 0, like \"1ms\"");
        }
    }

    pub(super) fn risk(&mut self) {
        let risk = &self.settings.risk;
        let slots = self.settings.pipeline.egress_slots;
        self.in_range("risk.open_orders_max", risk.open_orders_max as u64, 1..=OPEN_ORDERS_MAX as u64);
        self.in_range(
            "risk.message_rate_max",
            u64::from(risk.message_rate_max),
            1..=u64::from(MESSAGE_RATE_MAX),
        );
        self.in_range("risk.fill_memory", risk.fill_memory as u64, 1..=FILL_MEMORY_MAX as u64);
        self.positive("risk.message_rate_window", risk.message_rate_window);
        self.positive("risk.stale_after", risk.stale_after);
        let reserves = [
            ("risk.egress_cancel_reserve", risk.egress_cancel_reserve),
            ("risk.egress_refusal_reserve", risk.egress_refusal_reserve),
        ];
        for (key, value) in reserves {
            self.in_range(key, value as u64, 1..=1 << 16);
        }
        let reserved = risk.egress_cancel_reserve.saturating_add(risk.egress_refusal_reserve);
        if reserved >= slots {
            self.refuse(
                "risk.egress_cancel_reserve",
                format!("both reserves together ({reserved}) leave no slot of the egress ring ({slots}) for orders"),
                "lower the reserves, or raise pipeline.egress_slots",
            );
        }
    }

    pub(super) fn journal(&mut self) {
        let journal = &self.settings.journal;
        let bytes = journal.segment_bytes.0;
        if !bytes.is_power_of_two() || !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) {
            self.refuse(
                "journal.segment_bytes",
                format!("{bytes} bytes are not a power of two from 8 KiB to 64 GiB"),
                "use a power of two, like \"64MiB\"",
            );
        }
        self.in_range("journal.segments_ahead", journal.segments_ahead as u64, 1..=64);
        self.positive("journal.flush_interval", journal.flush_interval);
        let interval = journal.snapshot_interval;
        if !interval.is_zero() && !(SNAPSHOT_LEAST..=SNAPSHOT_MOST).contains(&interval) {
            self.refuse(
                "journal.snapshot_interval",
                format!("{} is out of range", duration_text(interval)),
                "give 100ms to 24h, or 0ns to take no snapshots",
            );
        }
    }

    pub(super) fn latency(&mut self) {
        let interval = self.settings.latency.interference_interval;
        if !interval.is_zero() && !(INTERFERENCE_LEAST..=INTERFERENCE_MOST).contains(&interval) {
            self.refuse(
                "latency.interference_interval",
                format!("{} is out of range", duration_text(interval)),
                "give 10ms to 1min, or 0ns to switch it off",
            );
        }
        let threshold = self.settings.latency.gap_threshold;
        if !threshold.is_zero() && !(GAP_LEAST..=GAP_MOST).contains(&threshold) {
            self.refuse(
                "latency.gap_threshold",
                format!("{} is out of range", duration_text(threshold)),
                "give 1us to 1s, or 0ns to switch it off",
            );
        }
        let faults = &self.settings.faults;
        if faults.stall_length.is_zero() || faults.stall_length > Duration::from_secs(1) {
            let what = format!("{} is out of range", duration_text(faults.stall_length));
            self.refuse("faults.stall_length", what, "give 1ns to 1s");
        }
        self.in_range("faults.stall_every", faults.stall_every, 1..=i64::MAX as u64);
        if faults.flush_delay > Duration::from_secs(10) {
            let what = format!("{} is out of range", duration_text(faults.flush_delay));
            self.refuse("faults.flush_delay", what, "give at most 10s, or 0ns for none");
        }
        let cores = self.settings.strategy_cores();
        if let Some(Role::Strategies(core)) = faults.stall_stage.0
            && core >= cores
        {
            let what = format!("there is no strategies-{core}: the strategies use {cores} core(s)");
            self.refuse("faults.stall_stage", what, "name a stage that there is, or \"off\"");
        }
    }

    /// A fault is never left on unnoticed.
    pub(super) fn faults(&mut self) {
        let faults = &self.settings.faults;
        if let Some(role) = faults.stall_stage.0 {
            let what = format!(
                "{role} stalls for {} at every event number {} on purpose",
                duration_text(faults.stall_length),
                faults.stall_every
            );
            self.refuse("faults.stall_stage", what, "set it to \"off\" unless you test the measuring itself");
        }
        if !faults.flush_delay.is_zero() {
            let what = format!("every flush takes {} longer on purpose", duration_text(faults.flush_delay));
            self.refuse(
                "faults.flush_delay",
                what,
                "set it to \"0ns\" unless you test what a slow disk does",
            );
        }
    }
}
