//! [`StageDigests`]: a running digest for each stage, the checkpoints of two sessions compared.
//!
//! Both sides (the session and its replay) feed the same records in the same order and take checkpoints after the same frames; equal
//! checkpoints mean the same output bit for bit.

use bytemuck::{Pod, Zeroable};
use spinward_engine::words::{BookView, Digest, Event, Intent, Report, Verdict};

/// The stages, in the order of the pipeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Normalized events.
    Events = 0,
    /// Book views.
    Views = 1,
    /// Intents of the strategies.
    Intents = 2,
    /// Verdicts of risk.
    Verdicts = 3,
    /// Reports of the venue and of risk, as the engine took them in.
    Reports = 4,
}

impl Stage {
    /// Every stage, in the order of the pipeline.
    pub const EVERY: [Stage; 5] =
        [Stage::Events, Stage::Views, Stage::Intents, Stage::Verdicts, Stage::Reports];

    /// Its name in messages and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Events => "events",
            Stage::Views => "views",
            Stage::Intents => "intents",
            Stage::Verdicts => "verdicts",
            Stage::Reports => "reports",
        }
    }
}

/// A digest as it stood: its value and how many records went into it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable, serde::Serialize)]
pub struct DigestValue {
    /// The hash.
    pub value: u64,
    /// Records so far.
    pub records: u64,
}

/// The digests of all stages as they stood after a frame.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable, serde::Serialize)]
pub struct DigestSnapshot {
    /// Normalized events.
    pub events: DigestValue,
    /// Book views.
    pub views: DigestValue,
    /// Intents.
    pub intents: DigestValue,
    /// Verdicts.
    pub verdicts: DigestValue,
    /// Reports.
    pub reports: DigestValue,
}

impl DigestSnapshot {
    /// That of one stage.
    pub fn of(&self, stage: Stage) -> DigestValue {
        match stage {
            Stage::Events => self.events,
            Stage::Views => self.views,
            Stage::Intents => self.intents,
            Stage::Verdicts => self.verdicts,
            Stage::Reports => self.reports,
        }
    }
}

/// A running digest for each stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StageDigests {
    /// Normalized events.
    pub events: Digest,
    /// Book views.
    pub views: Digest,
    /// Intents.
    pub intents: Digest,
    /// Verdicts.
    pub verdicts: Digest,
    /// Reports.
    pub reports: Digest,
}

/// Bytes of a view before its levels.
const VIEW_HEAD_BYTES: usize = std::mem::offset_of!(BookView, bids);

impl StageDigests {
    /// Of nothing.
    pub const fn new() -> Self {
        Self {
            events: Digest::new(),
            views: Digest::new(),
            intents: Digest::new(),
            verdicts: Digest::new(),
            reports: Digest::new(),
        }
    }

    /// Adds an event.
    #[inline]
    pub fn add_event(&mut self, event: &Event) {
        self.events.add(bytemuck::bytes_of(event));
    }

    /// Adds a view: its head and the levels in use, never the stale memory behind the counts.
    ///
    /// The record is four lanes, each the fold of every fourth word (a multiplication takes several cycles before the next may follow in
    /// one lane; four lanes overlap), and the number of words.
    #[inline]
    pub fn add_view(&mut self, view: &BookView) {
        let bytes = bytemuck::bytes_of(view);
        let mut lanes = Lanes::new();
        lanes.add(bytes.get(..VIEW_HEAD_BYTES).unwrap_or(bytes));
        lanes.add(bytemuck::cast_slice(view.bids()));
        lanes.add(bytemuck::cast_slice(view.asks()));
        self.views.add(bytemuck::bytes_of(&lanes.finish()));
    }

    /// Adds an intent.
    #[inline]
    pub fn add_intent(&mut self, intent: &Intent) {
        self.intents.add(bytemuck::bytes_of(intent));
    }

    /// Adds a verdict.
    #[inline]
    pub fn add_verdict(&mut self, verdict: &Verdict) {
        self.verdicts.add(bytemuck::bytes_of(verdict));
    }

    /// Adds a report.
    #[inline]
    pub fn add_report(&mut self, report: &Report) {
        self.reports.add(bytemuck::bytes_of(report));
    }

    /// As they stand.
    pub fn snapshot(&self) -> DigestSnapshot {
        let of = |digest: &Digest| DigestValue { value: digest.value(), records: digest.records() };
        DigestSnapshot {
            events: of(&self.events),
            views: of(&self.views),
            intents: of(&self.intents),
            verdicts: of(&self.verdicts),
            reports: of(&self.reports),
        }
    }
}

/// Four digests side by side over the words of one record, as [`Digest`] mixes them.
struct Lanes {
    lanes: [u64; 4],
    words: u64,
}

const K: u64 = 0x9E37_79B9_7F4A_7C15;

impl Lanes {
    #[inline]
    fn new() -> Self {
        // The first digits of π after those that `Digest` begins with.
        Self {
            lanes: [
                0x1319_8A2E_0370_7344,
                0xA409_3822_299F_31D0,
                0x082E_FA98_EC4E_6C89,
                0x4528_21E6_38D0_1377,
            ],
            words: 0,
        }
    }

    /// Adds whole words; parts of a view are multiples of 8 bytes.
    #[inline]
    fn add(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<8>();
        self.words += words.len() as u64;
        for four in words.chunks(4) {
            for (lane, word) in self.lanes.iter_mut().zip(four) {
                // u64·u64 < 2^128
                let product = u128::from(*lane ^ u64::from_le_bytes(*word)) * u128::from(K);
                *lane = product as u64 ^ (product >> 64) as u64;
            }
        }
    }

    #[inline]
    fn finish(self) -> [u64; 5] {
        let [a, b, c, d] = self.lanes;
        [a.to_le(), b.to_le(), c.to_le(), d.to_le(), self.words.to_le()]
    }
}

const _: () = assert!(VIEW_HEAD_BYTES.is_multiple_of(8));

/// The digests after a frame.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, serde::Serialize)]
pub struct Checkpoint {
    /// Everything up to and including this frame is in them.
    pub frame: u64,
    /// The digests.
    pub digests: DigestSnapshot,
}

/// What comparing two lists of checkpoints gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// Every checkpoint of both lists is in the other one and equal.
    Equal {
        /// How many.
        checkpoints: usize,
        /// The last one's frame.
        last_frame: u64,
    },
    /// The two differ.
    Diverged(Divergence),
    /// As far as both go they are equal, but one has checkpoints that the other has not.
    Incomplete {
        /// How many were compared.
        checkpoints: usize,
        /// The first frame that only one of them has a checkpoint for.
        frame: u64,
        /// True if it is the left list that lacks it.
        is_missing_left: bool,
    },
    /// There is not one frame that both have a checkpoint for: nothing was proved.
    NothingInCommon,
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Equal { checkpoints, last_frame } => {
                write!(f, "equal at {checkpoints} checkpoints, up to frame {last_frame}")
            }
            Self::Diverged(at) => write!(
                f,
                "{} differ at frame {} (equal up to frame {}): recorded {:016x} of {} records, now {:016x} of {}",
                at.stage.name(),
                at.frame,
                at.after_frame,
                at.left.value,
                at.left.records,
                at.right.value,
                at.right.records
            ),
            Self::Incomplete { checkpoints, frame, is_missing_left } => write!(
                f,
                "equal at {checkpoints} checkpoints, but only the {} has one at frame {frame}",
                if *is_missing_left { "replay" } else { "recording" }
            ),
            Self::NothingInCommon => f.write_str("not one checkpoint in common: nothing was compared"),
        }
    }
}

/// Where two sessions part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Divergence {
    /// The first checkpoint that differs: the cause lies after `after_frame` and not later than this frame.
    pub frame: u64,
    /// The last checkpoint that was equal; 0 if none was.
    pub after_frame: u64,
    /// The first stage of the pipeline that differs there: later ones may only follow it.
    pub stage: Stage,
    /// Of the left list.
    pub left: DigestValue,
    /// Of the right list.
    pub right: DigestValue,
}

/// Compares two lists of checkpoints, both ascending by frame.
pub fn compare(left: &[Checkpoint], right: &[Checkpoint]) -> Comparison {
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    let (mut checkpoints, mut after_frame) = (0, 0);
    let mut lone: Option<(u64, bool)> = None;
    loop {
        let (l, r) = match (lefts.peek(), rights.peek()) {
            (Some(l), Some(r)) => (**l, **r),
            (Some(l), None) => {
                lone = lone.or(Some((l.frame, false)));
                break;
            }
            (None, Some(r)) => {
                lone = lone.or(Some((r.frame, true)));
                break;
            }
            (None, None) => break,
        };
        if l.frame < r.frame {
            lone = lone.or(Some((l.frame, false)));
            lefts.next();
            continue;
        }
        if r.frame < l.frame {
            lone = lone.or(Some((r.frame, true)));
            rights.next();
            continue;
        }
        for stage in Stage::EVERY {
            let (left, right) = (l.digests.of(stage), r.digests.of(stage));
            if left != right {
                return Comparison::Diverged(Divergence { frame: l.frame, after_frame, stage, left, right });
            }
        }
        checkpoints += 1;
        after_frame = l.frame;
        lefts.next();
        rights.next();
    }
    match lone {
        _ if checkpoints == 0 => Comparison::NothingInCommon,
        Some((frame, is_missing_left)) => Comparison::Incomplete { checkpoints, frame, is_missing_left },
        None => Comparison::Equal { checkpoints, last_frame: after_frame },
    }
}

#[cfg(test)]
mod tests;
