//! Risk: intents in, verdicts and approved orders out. The single owner of trading state, open orders and positions.

mod approved;

pub use approved::{ApprovedOrder, Outbound};

use crate::words::Verdict;

/// Most strategy cores of one pipeline.
pub const STRATEGY_CORES_MAX: usize = 4;

/// Most cancels that a mass cancel adds to one event; the rest follow with the next events.
pub const MASS_CANCELS_PER_EVENT: usize = 8;

/// Most verdicts for one event.
pub const VERDICTS_PER_EVENT_MAX: usize =
    STRATEGY_CORES_MAX * crate::strategy::INTENTS_PER_EVENT_MAX + MASS_CANCELS_PER_EVENT;

/// What risk writes for one event.
#[derive(Debug)]
pub struct VerdictBatch {
    count: u32,
    verdicts: Box<[Verdict; VERDICTS_PER_EVENT_MAX]>,
}

impl VerdictBatch {
    /// Empty.
    pub fn new() -> Self {
        Self { count: 0, verdicts: Box::new([Verdict::default(); VERDICTS_PER_EVENT_MAX]) }
    }

    /// The verdicts, in the order of the intents (cores in turn, then mass cancels).
    #[inline]
    pub fn verdicts(&self) -> &[Verdict] {
        self.verdicts.get(..self.count as usize).unwrap_or(&[])
    }

    /// Makes it empty.
    #[inline]
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Adds one; false if it is full, which the sizes above rule out.
    #[inline]
    pub fn push(&mut self, verdict: Verdict) -> bool {
        match self.verdicts.get_mut(self.count as usize) {
            Some(slot) => {
                *slot = verdict;
                self.count += 1;
                true
            }
            None => false,
        }
    }
}

impl Default for VerdictBatch {
    fn default() -> Self {
        Self::new()
    }
}

/// The way out: implemented by the egress ring, and by a plain vector in tests.
pub trait Egress {
    /// Takes one item; false if there is no room. Risk keeps the number under way below the room, so false is a defect of the
    /// configuration and halts trading.
    fn send(&mut self, outbound: &Outbound) -> bool;
}

impl Egress for Vec<Outbound> {
    fn send(&mut self, outbound: &Outbound) -> bool {
        self.push(*outbound);
        true
    }
}
