//! A session that is loaded while it runs.

use crate::server::Server;
use crate::support::Program;
use std::path::PathBuf;
use std::process::{Child, Stdio};

/// The folder of the session that has just been started.
fn folder_of_running(program: &Program, session: &mut Child) -> PathBuf {
    loop {
        let found = std::fs::read_dir(program.path("sessions")).into_iter().flatten().flatten();
        if let Some(folder) =
            found.map(|entry| entry.path()).find(|folder| folder.join("manifest.toml").exists())
        {
            return folder;
        }
        assert_eq!(session.try_wait().unwrap(), None, "the session runs");
        std::thread::yield_now();
    }
}

#[test]
fn what_a_session_writes_is_on_the_server_while_it_runs_whoever_is_killed_meanwhile() {
    let program = Program::new();
    let Some(mut server) = Server::own("live") else { return };
    server.run(&program);
    program.run(&server.words("migrate", None)).with_code(0);
    let words = ["run", "--paper", "--duration", "12s", "--metrics", "off", "--quiet", "--json"];
    let mut session = program.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let folder = folder_of_running(&program, &mut session);
    let follow = |server: &Server| {
        let words = [&server.words("load", Some(&folder))[..], &["--follow", "--interval", "0.1"]].concat();
        program.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let rows = |server: &Server| server.number("SELECT count() FROM hft.market_data");
    let mut runs = || assert_eq!(session.try_wait().unwrap(), None, "the session runs on");

    // Rows come in small blocks; the loader is killed at some of them.
    let mut loader = follow(&server);
    let mut had = 0;
    for _ in 0..3 {
        while rows(&server) < had + 5_000 {
            runs();
            assert_eq!(loader.try_wait().unwrap(), None, "follows as long as the session runs");
        }
        loader.kill().unwrap();
        loader.wait().unwrap();
        had = rows(&server);
        loader = follow(&server);
    }
    // The server goes away and comes back.
    server.kill();
    runs();
    server.run(&program);
    assert!(loader.wait().unwrap().success(), "it ends by itself behind the session");
    assert!(session.wait().unwrap().success());

    let verified = program.run(&server.words("verify", Some(&folder))).with_code(0).json();
    assert_eq!(verified["is_equal"], true, "{verified}");
    assert_eq!(verified["tables"]["sessions"], 1, "its end, too: {verified}");
    let bars = "SELECT toInt64(sum(qty)) FROM hft.bars";
    let trades = "SELECT sum(qty) FROM hft.trades WHERE is_counted AND price > 0";
    assert_eq!(server.number(bars), server.number(trades), "views saw each trade once");
    let blocks = server.number("SELECT uniq(block) FROM hft.market_data");
    assert!(blocks > 10, "{blocks} blocks");
    // A load of the whole, later, has nothing to do.
    let again = program.run(&server.words("load", Some(&folder))).with_code(0).json();
    assert_eq!(again["load"]["rows"], 0, "{again}");
}
