//! Every query of `docs/queries.md`, run on a session, and its answer compared with what the session says itself.

use crate::server::Server;
use crate::setup::{configuration, run, session_of, text};
use crate::support::Program;
use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../../docs/queries.md");

/// Queries by their heading.
fn queries() -> BTreeMap<&'static str, &'static str> {
    PAGE.split("\n## ")
        .skip(1)
        .map(|section| {
            let (title, rest) = section.split_once('\n').unwrap();
            let query = rest.split_once("```sql\n").unwrap().1.split_once("```").unwrap().0;
            (title, query)
        })
        .collect()
}

#[test]
fn the_queries_of_the_page_give_what_the_session_says_itself() {
    let program = Program::new();
    let Some(server) = Server::start(&program, "queries") else { return };
    program.run(&server.words("migrate", None)).with_code(0);
    // Quick strategies below a low limit of messages: fills, and refusals for the rate.
    let config = configuration(
        &program,
        &[
            ("min_requote_interval_us = 100000", "min_requote_interval_us = 2000"),
            ("cool_down_ms = 500 ", "cool_down_ms = 5 "),
            ("message_rate_max = 250 ", "message_rate_max = 20 "),
        ],
    );
    let summary = run(&program, &["--config", text(&config), "--duration", "5s", "--pace", "max"]);
    let session = session_of(&program, &summary);
    let loaded = program.run(&server.words("load", Some(&session))).with_code(0).json();
    program.run(&server.words("verify", Some(&session))).with_code(0);
    let key = loaded["session"].as_str().unwrap();

    let queries = queries();
    assert!(queries.len() >= 12, "a dozen, and more");
    let mut answers = BTreeMap::new();
    for (title, query) in &queries {
        let answer = server.ask(&query.replace("{session:String}", &format!("'{key}'")));
        println!("## {title}\n{answer}\n");
        answers.insert(
            *title,
            answer
                .lines()
                .map(|line| line.split('\t').map(str::to_owned).collect())
                .collect::<Vec<Vec<String>>>(),
        );
    }
    let of = |title: &str| {
        answers.iter().find(|(other, _)| other.starts_with(title)).map(|(_, rows)| rows).unwrap()
    };
    let sum = |title: &str, column: usize| -> i64 {
        of(title).iter().map(|row| row[column].parse::<i64>().unwrap()).sum()
    };
    // A feed without gaps and a session without halts say nothing; every other query does.
    for (title, rows) in &answers {
        let may_be_empty = title.starts_with("Gaps") || title.starts_with("Trading halts");
        assert!(may_be_empty || !rows.is_empty(), "{title} says nothing");
    }
    let fills = summary["fills"].as_i64().unwrap();
    assert!(fills > 20, "{summary}");
    assert_eq!(sum("Profit and loss", 5), fills);
    assert_eq!(sum("Positions at the end", 4), fills);
    assert_eq!(sum("What the market did", 2), fills);
    let refused = summary["intents"].as_i64().unwrap() - summary["orders"].as_i64().unwrap();
    assert!(refused > 0, "the limit of messages was met: {summary}");
    assert_eq!(sum("Why risk refuses", 2), refused);
    assert_eq!(sum("Latency of each strategy", 2), summary["orders"].as_i64().unwrap());
    let net = |rows: &[Vec<String>], column: usize| -> f64 {
        rows.iter().map(|row| row[column].parse::<f64>().unwrap()).sum()
    };
    let net_nanos: i64 =
        summary["positions"].as_array().unwrap().iter().map(|row| row["net_nanos"].as_i64().unwrap()).sum();
    assert!((net(of("Positions at the end"), 3) - net_nanos as f64 / 1e9).abs() < 1e-6);
    let slowest = of("The slowest orders");
    assert_eq!(slowest.len(), 10);
    let longest: Vec<i64> = slowest.iter().map(|row| row[4].parse().unwrap()).collect();
    assert!(longest.is_sorted_by(|a, b| a >= b) && longest[0] > 0, "{longest:?}");
    let by_command = program.run(&["slowest", text(&session), "--count", "1", "--json"]).with_code(0).json();
    assert_eq!(by_command["slowest"][0]["total_ns"].as_i64(), Some(longest[0]), "as `spinward slowest` says");
}
