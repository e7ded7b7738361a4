//! The pipeline against the same stages written down naively: function calls in a row, books in sorted maps, risk as its rules read.
//! Every generated session must give the same frames, the same intents and the same verdicts in both, whatever the topology, the sizes of
//! the rings and the burst.
//!
//! `PROPTEST_CASES=1000` runs more sessions than the default.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "naive_pipeline/fast.rs"]
mod fast;
#[path = "naive_pipeline/l2.rs"]
mod l2;
#[path = "naive_pipeline/market.rs"]
mod market;
#[path = "naive_pipeline/naive.rs"]
mod naive;
#[path = "naive_pipeline/replica.rs"]
mod replica;
#[path = "naive_pipeline/seen.rs"]
mod seen;
#[path = "naive_pipeline/session.rs"]
mod session;

use fast::{Manner, Script};
use naive::NaivePipeline;
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use seen::{Seen, Totals};
use session::Session;
use std::cell::RefCell;

/// Runs a property over generated sessions; what happened in all of them together.
fn over_sessions(cases: u32, property: impl Fn(&Session, &Manner, u64) -> (Option<String>, Seen)) -> Totals {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = ProptestConfig {
        cases: wanted.unwrap_or(cases),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    };
    let totals = RefCell::new(Totals::default());
    let inputs = (session::sessions(), fast::manners(), 20u64..2_000);
    let result = TestRunner::new(config).run(&inputs, |(session, manner, every)| {
        let (difference, seen) = property(&session, &manner, every);
        seen.add_to(&mut totals.borrow_mut());
        prop_assert!(difference.is_none(), "seed {}: {}", session.seed, difference.unwrap_or_default());
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => panic!("{why}\nof {input:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
    totals.into_inner()
}

#[test]
fn every_topology_gives_the_frames_intents_and_verdicts_of_a_naive_pipeline() {
    let totals = over_sessions(50, |session, manner, _| {
        let naive = NaivePipeline::simulate(session);
        let fast = fast::run(session, manner, None);
        (naive.difference(&fast), naive)
    });
    println!("{totals:#?}");
    let happened = [
        totals.chained,
        totals.intents,
        totals.approved,
        totals.refused,
        totals.cancels,
        totals.replaces,
        totals.fills,
        totals.partial_fills,
        totals.venue_refusals,
    ];
    assert!(happened.iter().all(|count| *count > 0), "the sessions are trivial: {totals:#?}");
}

#[test]
fn a_session_that_an_operator_disturbs_gives_the_naive_intents_and_verdicts_of_its_frames() {
    let totals = over_sessions(30, |session, manner, every| {
        let fast = fast::run(session, manner, Some(Script::new(every)));
        let naive = NaivePipeline::replay(session, &fast.frames);
        (naive.difference(&fast), naive)
    });
    println!("{totals:#?}");
    assert!(totals.commands > 0 && totals.state_changes > 0 && totals.fills > 0, "{totals:#?}");
}

#[test]
fn a_session_that_is_saved_and_loaded_anywhere_goes_on_as_if_it_had_not_been() {
    let totals = over_sessions(30, |session, _, every| {
        let naive = NaivePipeline::simulate(session);
        (replica::difference(session, &naive.frames, every), naive)
    });
    assert!(totals.intents > 0 && totals.fills > 0 && totals.replaces > 0, "{totals:#?}");
}

#[test]
fn a_state_that_is_cut_or_changed_is_refused_and_never_a_panic() {
    over_sessions(6, |session, _, every| {
        let naive = NaivePipeline::simulate(session);
        replica::assert_refused(session, &naive.frames, every);
        (None, naive)
    });
}
