//! What a session was: its frames, and what was said about them.

use spinward_engine::words::{
    Action, Frame, FrameHeader, FrameKind, Intent, Report, ReportKind, TradingState, Verdict,
};
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    /// By a strategy of this core.
    Intent(usize, Intent),
    Verdict(Verdict),
    /// Risk's state changed to this.
    State(TradingState),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spoken {
    pub(crate) frame: u64,
    pub(crate) said: Said,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) frames: Vec<Frame>,
    pub(crate) spoken: Vec<Spoken>,
}

/// How much happened.
#[derive(Clone, Default, Debug)]
pub(crate) struct Totals {
    pub(crate) frames: u64,
    pub(crate) chained: u64,
    pub(crate) intents: u64,
    pub(crate) approved: u64,
    pub(crate) refused: u64,
    pub(crate) cancels: u64,
    pub(crate) replaces: u64,
    pub(crate) fills: u64,
    pub(crate) partial_fills: u64,
    pub(crate) venue_refusals: u64,
    pub(crate) state_changes: u64,
    pub(crate) commands: u64,
    /// Refusals by risk, by the name of their code.
    pub(crate) refusals: BTreeMap<&'static str, u64>,
}

/// A frame without its stamp, which is about time on the wall.
fn content(frame: &Frame) -> (FrameHeader, Vec<u8>) {
    (FrameHeader { stamp: 0, ..frame.header }, frame.bytes().to_vec())
}

impl Seen {
    /// The first difference between this and `other`, in words.
    pub(crate) fn difference(&self, other: &Seen) -> Option<String> {
        let frames = self.frames.len().max(other.frames.len());
        let frame =
            (0..frames).find(|at| self.frames.get(*at).map(content) != other.frames.get(*at).map(content));
        let spoken = self.spoken.len().max(other.spoken.len());
        let said = (0..spoken).find(|at| self.spoken.get(*at) != other.spoken.get(*at));
        // What was said comes of frames before what differs among the frames, so it is the cause if it is earlier.
        match (frame, said) {
            (_, Some(at)) if frame.is_none_or(|frame| self.frame_of(other, at) <= frame as u64 + 1) => {
                Some(format!(
                    "entry {at} of {} and {}:\n naive {:?}\n fast  {:?}",
                    self.spoken.len(),
                    other.spoken.len(),
                    self.spoken.get(at),
                    other.spoken.get(at)
                ))
            }
            (Some(at), _) => Some(format!(
                "frame {} of {} and {}:\n naive {:?}\n fast  {:?}",
                at + 1,
                self.frames.len(),
                other.frames.len(),
                self.frames.get(at).map(content),
                other.frames.get(at).map(content)
            )),
            (None, _) => None,
        }
    }

    fn frame_of(&self, other: &Seen, at: usize) -> u64 {
        let frames = [self, other].map(|seen| seen.spoken.get(at).map_or(u64::MAX, |spoken| spoken.frame));
        frames[0].min(frames[1])
    }

    pub(crate) fn add_to(&self, totals: &mut Totals) {
        totals.frames += self.frames.len() as u64;
        for frame in &self.frames {
            totals.chained += u64::from(frame.header.has_more());
            totals.commands += u64::from(frame.header.kind == FrameKind::Operator as u8);
            if frame.header.kind == FrameKind::Report as u8 {
                let report: Report = bytemuck::pod_read_unaligned(frame.bytes());
                totals.fills += u64::from(report.kind() == Some(ReportKind::Filled));
                let is_partial = report.kind() == Some(ReportKind::Filled) && report.leaves.lots() > 0;
                totals.partial_fills += u64::from(is_partial);
                let is_refusal = report.code_number != 0 && !report.is_from_risk();
                totals.venue_refusals += u64::from(is_refusal);
            }
        }
        for spoken in &self.spoken {
            match spoken.said {
                Said::Intent(_, intent) => {
                    totals.intents += 1;
                    totals.cancels += u64::from(intent.action() == Some(Action::Cancel));
                    totals.replaces += u64::from(intent.action() == Some(Action::Replace));
                }
                Said::Verdict(verdict) if verdict.is_approved() => totals.approved += 1,
                Said::Verdict(verdict) => {
                    totals.refused += 1;
                    *totals.refusals.entry(verdict.code().name()).or_default() += 1;
                }
                Said::State(_) => totals.state_changes += 1,
            }
        }
    }
}
