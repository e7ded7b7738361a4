//! The life of the gap at the front of the stream.

use super::RequestConfig;
use spinward_engine::words::Nanos;

/// Where it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gap {
    /// There is none.
    None,
    /// The other line may have it.
    Waiting {
        /// The next message when it began.
        at: u64,
        /// Until then.
        until: Nanos,
    },
    /// It was asked for.
    Requested {
        /// The next message when it was.
        at: u64,
        /// One past the last message asked for.
        end: u64,
        /// How often, without progress.
        attempts: u32,
        /// An answer is to be here by then.
        until: Nanos,
    },
}

/// What to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Nothing yet.
    Wait,
    /// Ask, for so many messages at most.
    Request {
        /// At most.
        messages_max: u16,
    },
    /// It is lost.
    GiveUp,
}

impl Gap {
    /// When there is something to do.
    pub(super) const fn deadline(&self) -> Option<Nanos> {
        match self {
            Self::None => None,
            Self::Waiting { until, .. } | Self::Requested { until, .. } => Some(*until),
        }
    }

    /// The request was for `count` messages from `first` on.
    pub(super) const fn asked(&mut self, first: u64, count: u64) {
        if let Self::Requested { end, .. } = self {
            *end = first.saturating_add(count);
        }
    }

    /// The message `next` is missing at `now`.
    pub(super) fn advance(
        &mut self,
        now: Nanos,
        next: u64,
        reorder_within: Nanos,
        request: Option<&RequestConfig>,
    ) -> Step {
        let attempts = match *self {
            Self::None if reorder_within > Nanos::ZERO => return self.wait(now, next, reorder_within),
            Self::None => 0,
            // What was waited for came; this is another gap, or the rest of it.
            Self::Waiting { at, .. } if at < next => return self.wait(now, next, reorder_within),
            Self::Waiting { until, .. } if now < until => return Step::Wait,
            Self::Waiting { .. } => 0,
            // All that was asked for is here, and more is missing right behind it: the rest of a large gap.
            Self::Requested { end, .. } if next == end => 0,
            // It is another gap.
            Self::Requested { end, .. } if next > end => {
                *self = Self::None;
                return self.advance(now, next, reorder_within, request);
            }
            // Part of the answer is here: the rest has as long again, counting anew.
            Self::Requested { at, end, .. } if next > at => {
                let until = now.after(request.map_or(Nanos::ZERO, |request| request.answer_within));
                *self = Self::Requested { at: next, end, attempts: 0, until };
                return Step::Wait;
            }
            Self::Requested { until, .. } if now < until => return Step::Wait,
            Self::Requested { attempts, .. } => attempts,
        };
        match request {
            Some(request) if attempts < request.attempts => {
                *self = Self::Requested {
                    at: next,
                    end: u64::MAX,
                    attempts: attempts + 1,
                    until: now.after(request.answer_within),
                };
                Step::Request { messages_max: request.messages_max }
            }
            Some(_) | None => Step::GiveUp,
        }
    }

    fn wait(&mut self, now: Nanos, next: u64, span: Nanos) -> Step {
        *self = Self::Waiting { at: next, until: now.after(span) };
        Step::Wait
    }
}
