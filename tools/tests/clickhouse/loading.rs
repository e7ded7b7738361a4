//! Schema, exactly-once loading, verification.

use crate::server::Server;
use crate::setup::{latest, run, session_of};
use crate::support::Program;
use spinward_recorder::segments;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

#[test]
fn a_schema_is_made_once_and_a_column_that_differs_is_named_before_anything_is_written() {
    let program = Program::new();
    let Some(server) = Server::start(&program, "schema") else { return };
    let summary = run(&program, &["--duration", "100ms", "--pace", "max"]);
    let session = session_of(&program, &summary);
    let refused = program.run(&server.words("load", Some(&session))).with_code(2);
    assert!(refused.err.contains("schema.instruments is not there"), "{}", refused.err);
    let first = program.run(&server.words("migrate", None)).with_code(0).json();
    assert_eq!((first["new"].as_u64(), first["mismatch"].is_null()), (Some(2), true), "{first}");
    let again = program.run(&server.words("migrate", None)).with_code(0).json();
    assert_eq!(again["new"], 0);
    let other = [&server.words("migrate", None)[..], &["--cluster", "desk"]].concat();
    let refused = program.run(&other).with_code(2);
    assert!(refused.err.contains("was run with another text"), "{}", refused.err);

    server.ask("ALTER TABLE hft.fills MODIFY COLUMN qty Int32");
    let refused = program.run(&server.words("load", Some(&session))).with_code(2);
    assert!(refused.err.contains(".fills.qty is Int32, this program writes Int64"), "{}", refused.err);
    let status = program.run(&server.words("status", None)).with_code(1).json();
    assert!(status["mismatch"].as_str().unwrap().contains("fills.qty"), "{status}");
    server.ask("ALTER TABLE hft.fills MODIFY COLUMN qty Int64");
    server.ask("ALTER TABLE hft.trades ADD COLUMN note String");
    let refused = program.run(&server.words("verify", Some(&session))).with_code(2);
    assert!(refused.err.contains("has a column note (String)"), "{}", refused.err);
    server.ask("ALTER TABLE hft.trades DROP COLUMN note");
    assert_eq!(server.number("SELECT count() FROM hft.market_data"), 0, "nothing was written by then");
    program.run(&server.words("load", Some(&session))).with_code(0);
    let status = program.run(&server.words("status", None)).with_code(0).json();
    assert_eq!(status["sessions"][0]["is_whole"], true, "{status}");
}

/// Rows and views of a server, for comparison with another time.
fn picture(server: &Server) -> String {
    let mut picture = String::new();
    for table in ["market_data", "trades", "orders", "fills", "risk_log", "latency", "positions", "health"] {
        picture += &server.ask(&format!(
            "SELECT '{table}', count(), sum(cityHash64(*)) FROM (SELECT * EXCEPT loaded FROM hft.{table})"
        ));
        picture.push('\n');
    }
    picture += &server.ask("SELECT count(), sum(cityHash64(*)) FROM hft.bars");
    picture.push('\n');
    picture += &server.ask("SELECT sum(orders), max(longest) FROM hft.latency_by_minute");
    picture
}

#[test]
fn a_load_and_a_server_killed_in_the_middle_of_inserts_leave_every_row_exactly_once() {
    let program = Program::new();
    let Some(mut server) = Server::own("hft") else { return };
    server.run(&program);
    let summary = run(&program, &["--duration", "20s", "--pace", "max"]);
    let session = session_of(&program, &summary);
    program.run(&server.words("migrate", None)).with_code(0);
    let start = |server: &Server| {
        program
            .command(&server.words("load", Some(&session)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let rows = |server: &Server| server.number("SELECT count() FROM hft.market_data");

    // The loader dies while it inserts.
    let mut loader = start(&server);
    while rows(&server) == 0 {
        assert_eq!(loader.try_wait().unwrap(), None, "killed before its end");
    }
    loader.kill().unwrap();
    loader.wait().unwrap();
    let had = rows(&server);

    // The server dies under the next one, and comes back: the loader waits for it and goes on.
    let mut loader = start(&server);
    while rows(&server) == had {
        assert_eq!(loader.try_wait().unwrap(), None, "the server is killed before its end");
    }
    server.kill();
    server.run(&program);
    assert!(loader.wait().unwrap().success());

    let mark = std::fs::read_to_string(session.join("exported")).unwrap();
    assert!(mark.trim_end().ends_with("/hft, verified"), "compared at its end, and marked: {mark}");

    let verified = program.run(&server.words("verify", Some(&session))).with_code(0).json();
    assert_eq!(verified["is_equal"], true, "{verified}");
    assert_eq!(verified["tables"]["market_data"], summary["events"], "{verified}");
    assert_eq!(verified["tables"]["fills"], summary["fills"]);
    assert_eq!(verified["tables"]["risk_log"], summary["intents"]);
    let whole = picture(&server);
    let bars = "SELECT toInt64(sum(qty)) FROM hft.bars";
    let trades = "SELECT sum(qty) FROM hft.trades WHERE is_counted AND price > 0";
    assert_eq!(server.number(bars), server.number(trades), "views saw each trade once");
    let latency = server.number("SELECT sum(orders) FROM hft.latency_by_minute");
    assert_eq!(
        latency,
        server.number("SELECT count() FROM hft.latency WHERE code = 'approved' AND total_ns > 0")
    );

    // Loaded once more: nothing new, nothing doubled, not even after a restart.
    server.kill();
    server.run(&program);
    let again = program.run(&server.words("load", Some(&session))).with_code(0).json();
    assert_eq!(again["load"]["rows"], 0, "{again}");
    assert_eq!(picture(&server), whole);

    // A row that is changed, doubled or lost is found, with its column.
    server.ask("ALTER TABLE hft.fills UPDATE qty = qty + 1 WHERE sequence = 1 SETTINGS mutations_sync = 2");
    let wrong = program.run(&server.words("verify", Some(&session))).with_code(1).json();
    assert_eq!(wrong["differences"][0]["what"], "qty", "{wrong}");
    assert_eq!(wrong["differences"].as_array().unwrap().len(), 1);
    server.ask("ALTER TABLE hft.trades DELETE WHERE sequence = 2 SETTINGS mutations_sync = 2");
    let wrong = program.run(&server.words("verify", Some(&session))).with_code(1).json();
    assert!(wrong["differences"].to_string().contains("\"rows\""), "{wrong}");
    assert_eq!(std::fs::read_to_string(session.join("exported")).unwrap(), mark, "one line for one server");
}

/// A session that runs until it is killed, with frames in its journal.
fn start(program: &Program) -> (Child, PathBuf) {
    let before = latest(program);
    let words = ["run", "--paper", "--duration", "1h", "--metrics", "off", "--quiet"];
    let mut running = program.command(&words).stderr(Stdio::null()).spawn().unwrap();
    loop {
        let found = latest(program).filter(|folder| before.as_ref() != Some(folder));
        if let Some(folder) = found
            && segments(&folder.journal())
                .is_ok_and(|all| all.first().is_some_and(|first| first.first_sequence.is_some()))
        {
            return (running, folder.path().to_owned());
        }
        assert_eq!(running.try_wait().unwrap(), None, "the session runs");
    }
}

#[test]
fn a_session_is_marked_as_exported_only_when_all_of_it_is_there_and_was_compared() {
    let program = Program::new();
    let Some(server) = Server::start(&program, "marks") else { return };
    program.run(&server.words("migrate", None)).with_code(0);
    let marked = |session: &Path| session.join("exported").exists();

    // One that runs, and one that was killed: only whoever says so gets it marked.
    let (mut running, session) = start(&program);
    let loaded = program.run(&server.words("load", Some(&session))).with_code(0).json();
    assert_eq!((&loaded["is_whole"], &loaded["is_marked"]), (&false.into(), &false.into()), "{loaded}");
    running.kill().unwrap();
    running.wait().unwrap();
    program.run(&server.words("load", Some(&session))).with_code(0);
    program.run(&server.words("verify", Some(&session))).with_code(0);
    assert!(!marked(&session), "it has no end");
    program.run(&[&server.words("load", Some(&session))[..], &["--killed"]].concat()).with_code(0);
    assert!(marked(&session), "somebody says that nothing more will come");
    let (mut running, session) = start(&program);
    program.run(&[&server.words("load", Some(&session))[..], &["--killed"]].concat());
    assert!(!marked(&session), "it runs, whatever is said");
    running.kill().unwrap();
    running.wait().unwrap();

    // One that has ended, and a row that is not what it was.
    let summary = run(&program, &["--duration", "200ms", "--pace", "max", "--seed", "2"]);
    let session = session_of(&program, &summary);
    server.ask("ALTER TABLE hft.trades ADD CONSTRAINT none CHECK sequence < 0");
    let refused = program.run(&server.words("load", Some(&session))).with_code(1);
    assert!(refused.err.contains("ClickHouse refused"), "{}", refused.err);
    assert!(!marked(&session), "the load was broken off");
    server.ask("ALTER TABLE hft.trades DROP CONSTRAINT none");
    program.run(&server.words("load", Some(&session))).with_code(0);
    assert!(marked(&session), "loaded by two, compared in the end");
    std::fs::remove_file(session.join("exported")).unwrap();
    server.ask("ALTER TABLE hft.trades UPDATE qty = qty + 1 WHERE sequence = 1 SETTINGS mutations_sync = 2");
    let wrong = program.run(&server.words("load", Some(&session))).with_code(1).json();
    assert_eq!((&wrong["load"]["rows"], &wrong["is_marked"]), (&0.into(), &false.into()), "{wrong}");
    assert!(!marked(&session) && wrong["differences"][0]["what"] == "qty", "{wrong}");
}
