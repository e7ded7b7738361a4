//! Sections of the engine: rings, cores, books, limits.

use crate::field::{choices, duration};
use crate::visit::{Section, Visitor};
use spinward_engine::book::BookConfig;
use spinward_engine::pipeline::{IdleStrategy, PipelineConfig, Role, StampMode};
use spinward_engine::risk::RiskConfig;
use std::time::Duration;

/// `[pipeline]`: sizes and manners of the rings. See [`PipelineConfig`] for units and ranges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PipelineSettings {
    /// Slots of the ingress ring, a power of two, 64 to 1,048,576.
    pub ingress_slots: usize,
    /// Slots of the event ring, a power of two, 64 to 65,536.
    pub event_slots: usize,
    /// Slots of the egress ring, a power of two, 64 to 65,536.
    pub egress_slots: usize,
    /// Most events that an agent handles in one turn, 1 to 4,096.
    pub burst: usize,
    /// Which latency stamps are taken.
    pub stamps: StampMode,
    /// Whether all memory is locked.
    pub lock_memory: bool,
}

impl Default for PipelineSettings {
    fn default() -> Self {
        let PipelineConfig {
            ingress_slots,
            event_slots,
            egress_slots,
            burst,
            stamps,
            lock_memory,
            gap_threshold: _,
            stall: _,
        } = PipelineConfig::default();
        Self { ingress_slots, event_slots, egress_slots, burst, stamps, lock_memory }
    }
}

impl Section for PipelineSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("ingress_slots", &mut self.ingress_slots);
        visitor.key("event_slots", &mut self.event_slots);
        visitor.key("egress_slots", &mut self.egress_slots);
        visitor.key("burst", &mut self.burst);
        visitor.key("stamps", &mut self.stamps);
        visitor.key("lock_memory", &mut self.lock_memory);
    }
}

/// How agents are put onto cores.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Preset {
    /// What suits the host: `fused`, spinning on isolated cores, else unpinned and yielding.
    #[default]
    Auto,
    /// All stages on one core.
    Fused,
    /// A core a stage.
    Split,
    /// As `[[topology.core]]` says.
    Custom,
}

impl Preset {
    pub(crate) const NAMES: [(&'static str, Preset); 4] = [
        ("auto", Preset::Auto),
        ("fused", Preset::Fused),
        ("split", Preset::Split),
        ("custom", Preset::Custom),
    ];
}

choices!(Preset:
    "auto" => Preset::Auto,
    "fused" => Preset::Fused,
    "split" => Preset::Split,
    "custom" => Preset::Custom,
);

/// One thread of a custom topology.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CoreSettings {
    /// The core it is pinned to; absent: left to the scheduler.
    pub core: Option<usize>,
    /// How it waits.
    pub idle: IdleStrategy,
    /// What it runs, in this order.
    pub agents: Vec<Role>,
}

impl Section for CoreSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.optional("core", &mut self.core);
        visitor.key("idle", &mut self.idle);
        visitor.required(
            "agents",
            "name what the core runs, like [\"sequencer\", \"tap\"]",
            &mut self.agents,
        );
    }
}

/// `[topology]`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TopologySettings {
    /// Which.
    pub preset: Preset,
    /// How the cores of `fused` and `split` wait. `auto` decides for itself, `custom` core by core.
    pub idle: IdleStrategy,
    /// Cores for `fused` and `split`, in the order in which they are used; empty: the isolated ones of the host, else all that are allowed.
    pub cores: Vec<usize>,
    /// The threads of `custom`.
    pub core: Vec<CoreSettings>,
}

impl Section for TopologySettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("preset", &mut self.preset);
        visitor.key("idle", &mut self.idle);
        visitor.key("cores", &mut self.cores);
        visitor.sections("core", &mut self.core);
    }
}

/// `[book]`: how large the books may grow. All memory is taken at start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BookSettings {
    /// Levels a side in the view that strategies see, 1–10.
    pub view_levels: usize,
    /// Instruments, configured and learnt, 1–2^20.
    pub instruments_max: usize,
    /// Live orders over all instruments (L3), 1–2^26.
    pub orders_max: usize,
    /// Price levels over all instruments and both sides, 1–2^26.
    pub levels_max: usize,
    /// Span of realized volatility: a whole multiple of the sample, at most 3,600 of them.
    pub volatility_window: Duration,
    /// Span between two samples of the mid.
    pub volatility_sample: Duration,
}

impl Default for BookSettings {
    fn default() -> Self {
        let book = BookConfig::default();
        Self {
            view_levels: book.view_levels,
            instruments_max: book.instruments_max,
            orders_max: book.orders_max,
            levels_max: book.levels_max,
            volatility_window: duration(book.volatility_window),
            volatility_sample: duration(book.volatility_sample),
        }
    }
}

impl Section for BookSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("view_levels", &mut self.view_levels);
        visitor.key("instruments_max", &mut self.instruments_max);
        visitor.key("orders_max", &mut self.orders_max);
        visitor.key("levels_max", &mut self.levels_max);
        visitor.key("volatility_window", &mut self.volatility_window);
        visitor.key("volatility_sample", &mut self.volatility_sample);
    }
}

/// `[risk]`: limits over all instruments and strategies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RiskSettings {
    /// Most orders open at once, 1–65,536.
    pub open_orders_max: usize,
    /// Most messages within the window, 1–1,000,000.
    pub message_rate_max: u32,
    /// The window.
    pub message_rate_window: Duration,
    /// How long an identical new order is a duplicate; 0 switches this off.
    pub duplicate_window: Duration,
    /// Greatest age of an instrument's last trusted view.
    pub stale_after: Duration,
    /// Executions remembered to recognise duplicates, 1–4,194,304.
    pub fill_memory: usize,
    /// Slots of the egress ring that only cancels may take.
    pub egress_cancel_reserve: usize,
    /// Slots that only cancels and refusals may take.
    pub egress_refusal_reserve: usize,
}

impl Default for RiskSettings {
    fn default() -> Self {
        let risk = RiskConfig::default();
        Self {
            open_orders_max: risk.open_orders_max,
            message_rate_max: risk.message_rate_max,
            message_rate_window: duration(risk.message_rate_window),
            duplicate_window: duration(risk.duplicate_window),
            stale_after: duration(risk.stale_after),
            fill_memory: risk.fill_memory,
            egress_cancel_reserve: risk.egress_cancel_reserve,
            egress_refusal_reserve: risk.egress_refusal_reserve,
        }
    }
}

impl Section for RiskSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("open_orders_max", &mut self.open_orders_max);
        visitor.key("message_rate_max", &mut self.message_rate_max);
        visitor.key("message_rate_window", &mut self.message_rate_window);
        visitor.key("duplicate_window", &mut self.duplicate_window);
        visitor.key("stale_after", &mut self.stale_after);
        visitor.key("fill_memory", &mut self.fill_memory);
        visitor.key("egress_cancel_reserve", &mut self.egress_cancel_reserve);
        visitor.key("egress_refusal_reserve", &mut self.egress_refusal_reserve);
    }
}
