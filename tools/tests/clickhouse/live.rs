//! A session that writes its rows to the server itself.

use crate::server::Server;
use crate::setup::session_of;
use crate::support::Program;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// A block each 50 ms; and however busy the machine is, the end of the session waits.
const IN_SMALL_BLOCKS: [(&str, &str); 2] =
    [("batch_time = \"1s\"", "batch_time = \"50ms\""), ("catch_up = \"30s\"", "catch_up = \"30min\"")];

/// Words of a session that writes to this server.
fn words<'a>(server: &'a Server, url: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let first = ["run", "--paper", "--clickhouse", url, "--metrics", "off", "--quiet", "--json", "--config"];
    [&first[..], &[server.database.as_str()], rest].concat()
}

/// The built-in configuration with this server's database, in a file named as that.
fn configure(program: &Program, server: &Server, changes: &[(&str, &str)]) {
    let mut config = program.run(&["config", "init"]).with_code(0).out;
    let database = format!("database = \"{}\"", server.database);
    for (from, to) in [("database = \"hft\"", database.as_str())].iter().chain(changes) {
        assert_eq!(config.matches(from).count(), 1, "{from:?} stands once in the built-in configuration");
        config = config.replacen(from, to, 1);
    }
    std::fs::write(program.path(&server.database), config).unwrap();
}

/// A server of its own that runs, with its tables, for sessions that write to it in small blocks; `None`, said loudly, without one.
fn own(name: &str) -> Option<(Program, Server)> {
    let program = Program::new();
    let mut server = Server::own(name)?;
    server.run(&program);
    program.run(&server.words("migrate", None)).with_code(0);
    configure(&program, &server, &IN_SMALL_BLOCKS);
    Some((program, server))
}

/// The end of a session, from its standard output.
fn summary(session: Child) -> Value {
    let output = session.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
}

/// A session that writes to this server with these options.
fn start(program: &Program, server: &Server, url: &str, options: &[&str]) -> Child {
    let mut command = program.command(&words(server, url, options));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The writer says that the server has all of the session, and a look of our own finds it so. Gives that look.
fn all_there(program: &Program, server: &Server, summary: &Value) -> Value {
    let end = &summary["clickhouse"];
    assert_eq!((end["is_whole"].as_bool(), end["is_verified"].as_bool()), (Some(true), Some(true)), "{end}");
    assert_eq!(end["trouble"], Value::Null);
    let session = session_of(program, summary);
    let verified = program.run(&server.words("verify", Some(&session))).with_code(0).json();
    assert_eq!(verified["is_equal"], true, "{verified}");
    assert_eq!(verified["tables"]["market_data"], summary["events"], "{verified}");
    verified
}

fn exported(program: &Program, summary: &Value) -> (PathBuf, Option<String>) {
    let session = session_of(program, summary);
    let mark = std::fs::read_to_string(session.join("exported")).ok();
    (session, mark)
}

#[test]
fn a_server_that_is_killed_and_stopped_under_a_session_has_every_row_once_when_the_session_has_ended() {
    let Some((program, mut server)) = own("live") else { return };
    let url = server.url.clone();
    let mut session = start(&program, &server, &url, &["--duration", "15s", "--pace", "realtime"]);
    let rows = |server: &Server| server.number("SELECT count() FROM hft.market_data");
    let mut had = 0;
    // Blocks come each 50 ms, so a kill meets some of them on their way.
    for _ in 0..4 {
        while rows(&server) < had + 3_000 {
            assert_eq!(session.try_wait().unwrap(), None, "the session runs");
        }
        server.kill();
        assert_eq!(session.try_wait().unwrap(), None, "the session does not notice");
        server.run(&program);
        had = rows(&server);
    }
    let summary = summary(session);
    let verified = all_there(&program, &server, &summary);
    let (folder, mark) = exported(&program, &summary);
    assert!(mark.unwrap().trim_end().ends_with(&format!("{}/live, verified", &server.url[7..])));
    assert_eq!(verified["tables"]["fills"], summary["fills"]);
    assert_eq!(verified["tables"]["risk_log"], summary["intents"]);
    assert_eq!(verified["tables"]["sessions"], 1);
    let bars = "SELECT toInt64(sum(qty)) FROM hft.bars";
    let trades = "SELECT sum(qty) FROM hft.trades WHERE is_counted AND price > 0";
    assert_eq!(server.number(bars), server.number(trades), "views saw each trade once");
    let again = program.run(&server.words("load", Some(&folder))).with_code(0).json();
    assert_eq!(again["load"]["rows"], 0, "{again}");
}

/// How long a server is away: a minute with `SPINWARD_SOAK`.
fn away() -> Duration {
    Duration::from_secs(if std::env::var_os("SPINWARD_SOAK").is_some() { 60 } else { 1 })
}

#[test]
fn a_server_that_comes_back_from_an_old_backup_gets_again_what_it_had_lost_once_its_schema_is_mended() {
    let Some((program, mut server)) = own("backup") else { return };
    server.ask("ALTER TABLE hft.fills MODIFY COLUMN qty Int32");
    server.kill();
    let (data, backup) = (program.path("server"), program.path("copy"));
    copy(&data, &backup);
    server.run(&program);
    server.ask("ALTER TABLE hft.fills MODIFY COLUMN qty Int64");

    let url = server.url.clone();
    let duration = format!("{}s", 10 + away().as_secs());
    let mut session = start(&program, &server, &url, &["--duration", &duration, "--pace", "realtime"]);
    let rows = |server: &Server| server.number("SELECT count() FROM hft.market_data");
    while rows(&server) < 5_000 {
        assert_eq!(session.try_wait().unwrap(), None, "the session runs");
    }
    server.kill();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&backup, &data).unwrap();
    std::thread::park_timeout(away());
    server.run(&program);
    let mut said = BufReader::new(session.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told = said.find(|line| line.contains("fills.qty is Int32")).expect("it is told");
    assert!(told.contains("run `spinward clickhouse migrate`, or mend the table"), "{told}");
    assert_eq!(rows(&server), 0, "nothing is written to a schema that is not this program's");
    server.ask("ALTER TABLE hft.fills MODIFY COLUMN qty Int64");
    assert!(said.any(|line| line == "ClickHouse is back"));
    let summary = summary(session);
    all_there(&program, &server, &summary);
}

/// Files and folders.
fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_session_whose_server_never_comes_is_whole_and_says_how_to_load_it() {
    let program = Program::new();
    let Some(mut server) = Server::own("late") else { return };
    configure(&program, &server, &[("catch_up = \"30s\"", "catch_up = \"100ms\"")]);
    // The login of a command line is in no manifest.
    let url = server.url.replace("http://", "http://default:@");
    let session = start(&program, &server, &url, &["--duration", "1s", "--pace", "max"]);
    let summary = summary(session);
    let end = &summary["clickhouse"];
    assert_eq!((end["rows"].as_u64(), end["is_whole"].as_bool()), (Some(0), Some(false)), "{end}");
    assert!(end["trouble"].as_str().unwrap().contains("cannot reach ClickHouse at"), "{end}");
    let (folder, mark) = exported(&program, &summary);
    assert_eq!(mark, None);
    let manifest = std::fs::read_to_string(folder.join("manifest.toml")).unwrap();
    assert!(!manifest.contains("default:@") && manifest.contains(&server.url), "{manifest}");

    server.run(&program);
    program.run(&server.words("migrate", None)).with_code(0);
    program.run(&server.words("load", Some(&folder))).with_code(0);
    let verified = program.run(&server.words("verify", Some(&folder))).with_code(0).json();
    assert_eq!(verified["tables"]["market_data"], summary["events"], "{verified}");
}

#[test]
fn a_session_is_refused_while_a_column_differs_and_goes_on_when_its_rows_are_refused_for_a_while() {
    let Some((program, server)) = own("older") else { return };
    server.ask("ALTER TABLE hft.fills MODIFY COLUMN qty Int32");
    let url = server.url.clone();
    let refused = program.run(&words(&server, &url, &[])).with_code(2);
    assert!(refused.err.contains(".fills.qty is Int32, this program writes Int64"), "{}", refused.err);
    assert!(!program.path("sessions").exists(), "nothing was begun");
    server.ask("ALTER TABLE hft.fills MODIFY COLUMN qty Int64");

    let mut session = start(&program, &server, &url, &["--duration", "8s", "--pace", "realtime"]);
    while server.number("SELECT count() FROM hft.market_data") == 0 {
        assert_eq!(session.try_wait().unwrap(), None, "the session runs");
    }
    // A server that refuses the rows for a while.
    server.ask("ALTER TABLE hft.market_data ADD CONSTRAINT none CHECK sequence < 0");
    let pause = || std::thread::park_timeout(std::time::Duration::from_millis(500));
    // What was under way when it began to refuse may still come.
    pause();
    let stuck = server.number("SELECT max(sequence) FROM hft.market_data");
    pause();
    assert_eq!(
        server.number("SELECT max(sequence) FROM hft.market_data"),
        stuck,
        "nothing is written past it"
    );
    server.ask("ALTER TABLE hft.market_data DROP CONSTRAINT none");
    let summary = summary(session);
    all_there(&program, &server, &summary);
}
