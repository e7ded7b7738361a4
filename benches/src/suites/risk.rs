//! One event through risk, with what the taker wants of it. Control: the naive risk, which is the test oracle; both get the same input, and must say the
//! same.

use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::lab::Market;
use crate::lab::TRADED;
use crate::measure::Role;
use crate::parts::{instruments, risk_config};
use crate::straight::{Probe, RiskInput, Straight, Upto};
use hdrhistogram::Histogram;
use spinward_engine::risk::naive::NaiveRisk;
use spinward_engine::risk::{Outbound, Risk, VerdictBatch};
use spinward_engine::words::Clock;

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings, a thread failed, or the two did not agree.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let count = bench.plan.operations() / 2;
    bench.configure("market", "hot: 50 symbols, 20000 orders, seed 7");
    bench.configure("strategy", format!("imbalance taker on {TRADED} symbols"));
    bench.configure("warm_up", "opening of the books");
    let market = Market::generate(&Market::hot(7), count)?;
    let clock = bench.clock.clone();
    for round in 0..bench.plan.rounds {
        bench.say(&format!("risk, round {} of {}", round + 1, bench.plan.rounds));
        let found = on_core(bench.core(), || measure(&market, &clock))??;
        if found.disagreements > 0 {
            let what = format!("risk and naive risk differ in {} verdicts", found.disagreements);
            return Err(LabError::Failed(what));
        }
        for (index, title) in ["event without an intent", "event with an intent"].into_iter().enumerate() {
            let naive = format!("{title}: naive");
            if let (Some(ours), Some(theirs)) = (found.ours.get(index), found.theirs.get(index)) {
                bench.sheet.latency(title, Role::Subject, Some(&naive), ours)?;
                bench.sheet.latency(&naive, Role::Control, None, theirs)?;
            }
        }
        bench.end_round();
    }
    Ok(())
}

/// Two risks beside the one of the stages, given what that one was given.
struct Both<'a> {
    clock: &'a Clock,
    risk: Risk,
    naive: NaiveRisk,
    verdicts: [VerdictBatch; 2],
    sent: Vec<Outbound>,
    ours: [Histogram<u64>; 2],
    theirs: [Histogram<u64>; 2],
    disagreements: u64,
    is_on: bool,
}

impl Probe for Both<'_> {
    const LOOKS_AT_RISK: bool = true;

    fn risk(&mut self, input: &RiskInput<'_>, verdicts: &VerdictBatch) {
        let [mine, naive] = &mut self.verdicts;
        let RiskInput { event, payload, view, intents } = *input;
        self.sent.clear();
        let start = self.clock.ticks();
        self.risk.on_event(event, payload, view, 1, intents.iter(), mine, &mut self.sent);
        let middle = self.clock.ticks();
        self.sent.clear();
        let again = self.clock.ticks();
        self.naive.on_event(event, payload, view, 1, intents.iter(), naive, &mut self.sent);
        let end = self.clock.ticks();
        for of in [mine, naive] {
            self.disagreements += u64::from(of.verdicts() != verdicts.verdicts());
        }
        let has_intent = usize::from(intents.iter().any(|batch| !batch.intents().is_empty()));
        if let (Some(ours), Some(theirs), true) =
            (self.ours.get_mut(has_intent), self.theirs.get_mut(has_intent), self.is_on)
        {
            ours.saturating_record(self.clock.nanos_between(start, middle).max(1));
            theirs.saturating_record(self.clock.nanos_between(again, end).max(1));
        }
    }
}

struct Found {
    ours: [Histogram<u64>; 2],
    theirs: [Histogram<u64>; 2],
    disagreements: u64,
}

fn measure(market: &Market, clock: &Clock) -> Result<Found, LabError> {
    let mut stages = Straight::new(market, TRADED)?;
    let table = instruments(TRADED)?;
    let config = risk_config(&table);
    let mut both = Both {
        clock,
        risk: Risk::new(&config, &table).map_err(LabError::failed)?,
        naive: NaiveRisk::new(&config, &table).map_err(LabError::failed)?,
        verdicts: [VerdictBatch::new(), VerdictBatch::new()],
        sent: Vec::with_capacity(1_024),
        ours: [histogram()?, histogram()?],
        theirs: [histogram()?, histogram()?],
        disagreements: 0,
        is_on: false,
    };
    for index in 0..market.count() {
        let Some((time, bytes)) = market.message(index) else { break };
        both.is_on = index >= market.opening;
        stages.message_all(time, bytes, 1, Upto::Risk, &mut both);
    }
    Ok(Found { ours: both.ours, theirs: both.theirs, disagreements: both.disagreements })
}
