//! An order's life as steps: who waited, who worked, for how long, behind how many.

use serde::Serialize;
use spinward_engine::words::Nanos;
use spinward_recorder::{Answer, Decision, Life};

/// Waiting for somebody, or being worked on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepKind {
    Wait,
    Service,
}

/// One step. Times on the stamps' clock, nanoseconds since the epoch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) step: &'static str,
    pub(crate) kind: StepKind,
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    pub(crate) took_ns: u64,
    /// Waits in a ring: how many were ahead when it came; 1,024 is at least so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ahead: Option<u32>,
}

struct Steps {
    steps: Vec<Step>,
    at: Nanos,
}

impl Steps {
    /// From the step before to here. A stamp that was not taken gives no step; one that is earlier (the sequencer takes an order from the ring
    /// while risk is still at the rest of its event) one of no length.
    fn to(&mut self, step: &'static str, kind: StepKind, to: Nanos, ahead: Option<u32>) {
        if to == Nanos::ZERO || self.at == Nanos::ZERO {
            return;
        }
        let took_ns = u64::try_from(to.since(self.at).get()).unwrap_or(0);
        let (from_ns, to_ns) = (self.at.get(), to.get());
        self.steps.push(Step { step, kind, from_ns, to_ns, took_ns, ahead });
        self.at = to;
    }
}

/// Up to the end of risk.
fn up_to_risk(decision: &Decision) -> Steps {
    let mut steps = Steps { steps: Vec::new(), at: decision.received };
    if decision.is_stamped() {
        let stages = [
            (["normalizer queue", "normalizer"], decision.normalizer, decision.ahead_normalizer),
            (["book queue", "book"], decision.book, decision.ahead_book),
            (["strategy queue", "strategies"], decision.strategies, decision.ahead_strategies),
            (["risk queue", "risk"], decision.risk, decision.ahead_risk),
        ];
        for ([queue, stage], times, ahead) in stages {
            steps.to(queue, StepKind::Wait, times.start, Some(ahead));
            steps.to(stage, StepKind::Service, times.done, None);
        }
    } else {
        // Stamps `ends`: the two ends are all there is. Sessions of earlier versions have the second one only.
        let ahead = Some(decision.ahead_normalizer);
        steps.to("normalizer queue", StepKind::Wait, decision.normalizer.start, ahead);
        steps.to("decision", StepKind::Service, decision.risk.done, None);
    }
    steps
}

/// From the frame's stamp to sent, as far as there are stamps.
pub(crate) fn of_life(life: &Life) -> Vec<Step> {
    let mut steps = up_to_risk(&life.decision);
    if let Some(exit) = &life.exit {
        steps.to("egress queue", StepKind::Wait, exit.taken, Some(life.ahead_egress));
        steps.to("journal", StepKind::Wait, exit.released, None);
        steps.to("encode", StepKind::Service, exit.encoded, None);
        let last = if exit.encoded == Nanos::ZERO { "encode and send" } else { "send" };
        steps.to(last, StepKind::Service, exit.sent, None);
    }
    steps.steps
}

/// From sent to the strategy's hearing of the answer.
pub(crate) fn of_answer(life: &Life, answer: &Answer) -> Vec<Step> {
    let mut steps = Steps { steps: Vec::new(), at: life.exit.map_or(Nanos::ZERO, |exit| exit.sent) };
    steps.to("venue and back", StepKind::Wait, answer.received, None);
    steps.to("normalizer queue", StepKind::Wait, answer.normalizer_start, None);
    steps.to("to the strategy", StepKind::Service, answer.strategies_done, None);
    steps.steps
}

/// The longest one.
pub(crate) fn longest(steps: &[Step]) -> Option<&Step> {
    steps.iter().max_by_key(|step| step.took_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spinward_recorder::{Exit, StageTimes};

    fn life() -> Life {
        let times = |start, done| StageTimes { start: Nanos::new(start), done: Nanos::new(done) };
        let decision = Decision {
            received: Nanos::new(100),
            normalizer: times(110, 130),
            book: times(135, 185),
            strategies: times(185, 200),
            strategies_done: Nanos::new(200),
            risk: times(201, 220),
            ahead_book: 7,
            ..Decision::default()
        };
        let exit = Exit {
            taken: Nanos::new(215),
            released: Nanos::new(240),
            encoded: Nanos::new(245),
            sent: Nanos::new(260),
            ..Exit::default()
        };
        Life { receive_time: Nanos::ZERO, decision, exit: Some(exit), ahead_egress: 2 }
    }

    #[test]
    fn steps_follow_each_other_from_receipt_to_sent() {
        let steps = of_life(&life());
        let told: Vec<_> = steps.iter().map(|s| (s.step, s.took_ns, s.ahead)).collect();
        assert_eq!(
            told,
            [
                ("normalizer queue", 10, Some(0)),
                ("normalizer", 20, None),
                ("book queue", 5, Some(7)),
                ("book", 50, None),
                ("strategy queue", 0, Some(0)),
                ("strategies", 15, None),
                ("risk queue", 1, Some(0)),
                ("risk", 19, None),
                // Taken while risk was still at it.
                ("egress queue", 0, Some(2)),
                ("journal", 25, None),
                ("encode", 5, None),
                ("send", 15, None),
            ]
        );
        assert!(steps.windows(2).all(|pair| pair[0].to_ns == pair[1].from_ns));
        assert_eq!(longest(&steps).unwrap().step, "book");
        assert_eq!(of_life(&Life { exit: None, ..life() }).len(), 8, "up to the end of risk");
    }

    #[test]
    fn what_was_not_stamped_is_no_step() {
        let mut life = life();
        let start = life.decision.normalizer.start;
        (life.decision.normalizer, life.decision.book) =
            (StageTimes { start, done: Nanos::ZERO }, StageTimes::default());
        let told: Vec<_> = of_life(&life).iter().map(|s| (s.step, s.took_ns)).take(2).collect();
        assert_eq!(told, [("normalizer queue", 10), ("decision", 110)], "stamped at its ends");
        life.decision.normalizer = StageTimes::default();
        life.exit.as_mut().unwrap().encoded = Nanos::ZERO;
        let told: Vec<_> = of_life(&life).iter().map(|s| s.step).collect();
        assert_eq!(told, ["decision", "egress queue", "journal", "encode and send"]);
        life.decision.received = Nanos::ZERO;
        assert_eq!(of_life(&life), []);
    }

    #[test]
    fn an_answer_goes_on_where_the_order_left() {
        let answer = Answer {
            received: Nanos::new(1_260),
            normalizer_start: Nanos::new(1_270),
            strategies_done: Nanos::new(1_300),
            ..Answer::default()
        };
        let told: Vec<_> = of_answer(&life(), &answer).iter().map(|s| (s.step, s.took_ns)).collect();
        assert_eq!(told, [("venue and back", 1_000), ("normalizer queue", 10), ("to the strategy", 30)]);
    }
}
