//! The strategy SDK, the runner and the strategies that come with it: events and views in, intents out.

use crate::words::Intent;

/// Most intents that the strategies of one core may give for one event.
pub const INTENTS_PER_EVENT_MAX: usize = 8;

/// What the strategies of one core write for one event.
#[derive(Debug)]
pub struct IntentBatch {
    count: u32,
    intents: Box<[Intent; INTENTS_PER_EVENT_MAX]>,
}

impl IntentBatch {
    /// Empty.
    pub fn new() -> Self {
        Self { count: 0, intents: Box::new([Intent::default(); INTENTS_PER_EVENT_MAX]) }
    }

    /// The intents, in the order in which they were given.
    #[inline]
    pub fn intents(&self) -> &[Intent] {
        self.intents.get(..self.count as usize).unwrap_or(&[])
    }

    /// Makes it empty.
    #[inline]
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Adds one; false if it is full.
    #[inline]
    pub fn push(&mut self, intent: Intent) -> bool {
        match self.intents.get_mut(self.count as usize) {
            Some(slot) => {
                *slot = intent;
                self.count += 1;
                true
            }
            None => false,
        }
    }
}

impl Default for IntentBatch {
    fn default() -> Self {
        Self::new()
    }
}
