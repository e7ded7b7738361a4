//! Two engines on one exchange: each has at its own end what the exchange says of its account.

use crate::floor::{Floor, agree, configure, free_lines, summary_of};
use crate::matrix::{QUICK, busy_exchange, interrupt};
use crate::session::{PATIENCE, Session};
use crate::setup::{latest, replay, text};
use crate::support::Program;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn two_engines_trade_on_one_exchange_and_each_agrees_with_it() {
    let floor = Floor::with(busy_exchange(9), &QUICK);
    // The second one has lines of its own: other destinations of the same packets.
    let lines = free_lines();
    for (line, to) in ["a", "b"].into_iter().zip(lines) {
        floor.exchange.control(&format!("line {line} {to}")).unwrap();
    }
    let other = Program::new();
    let user = [("user = \"trader\"                # ouch", "user = \"second\"                # ouch")];
    let config = configure(&other, &floor.exchange, &[&QUICK[..], &user].concat());
    let feed = format!("mold:{},{}", lines[0], lines[1]);
    let words = |config, feed, venue| {
        [
            ["run", "--duration", "1h", "--metrics", "127.0.0.1:0", "--quiet", "--json", "--idle", "park"]
                .as_slice(),
            &["--config", config, "--feed", feed, "--venue", venue],
        ]
        .concat()
    };
    let start = |program: &Program, words: &[&str]| {
        let mut command = program.command(words);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Session::of(child, &program.path("sessions"))
    };
    let mut first = start(&floor.program, &words(text(&floor.config), &floor.feed, &floor.venue));
    let mut second = start(&other, &words(text(&config), &feed, &floor.venue));
    let deadline = Instant::now() + PATIENCE * 2;
    let executions = |user: &str| floor.exchange.ask().unwrap().account(user).unwrap().holdings.executions;
    while ["trader", "second"].into_iter().any(|user| executions(user) < 20) {
        (first.check(), second.check());
        assert!(
            Instant::now() < deadline,
            "{} and {} executions",
            executions("trader"),
            executions("second")
        );
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let (first, second) = (interrupt(first), interrupt(second));
    let (first, second) = (summary_of(first, 0), summary_of(second, 0));
    let state = floor.exchange.ask().unwrap();
    for (user, program, summary) in [("trader", &floor.program, &first), ("second", &other, &second)] {
        agree(&state, user, summary);
        assert_eq!(
            summary["fills"].as_u64().unwrap(),
            state.account(user).unwrap().holdings.executions,
            "{user}"
        );
        replay(program, latest(program).unwrap().path(), "fused");
    }
}
