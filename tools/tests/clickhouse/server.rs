//! A server for a test: a database of its own on the server given, or a server of its own.

use crate::support::Program;
use spinward_recorder::ClickHouse;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Launcher and library, if `tools/setup/clickhouse` has been run here. Nothing is fetched by a test.
fn installed() -> Option<[PathBuf; 2]> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let home = cache.join("spinward/clickhouse-26.7.3-stable.1");
    let files = ["launcher-1", "libchdb.so"].map(|name| home.join(name));
    files.iter().all(|file| file.exists()).then_some(files)
}

/// A server, and a database on it that no other test has.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) database: String,
    child: Option<Child>,
    ports: [u16; 2],
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    /// `None`, and a loud line, if there is none to be had.
    pub(crate) fn start(program: &Program, database: &str) -> Option<Self> {
        if let Ok(url) = std::env::var("CLICKHOUSE_URL") {
            let database = format!("{database}_{}", std::process::id());
            let server = Self { url, database, child: None, ports: [0; 2] };
            return Some(server);
        }
        let mut server = Self::own(database)?;
        server.run(program);
        Some(server)
    }

    /// One of its own, whatever the environment says: it will be killed.
    pub(crate) fn own(database: &str) -> Option<Self> {
        if installed().is_none() {
            println!(
                "SKIPPED: a test of `spinward clickhouse` needs tools/setup/clickhouse, or CLICKHOUSE_URL"
            );
            return None;
        }
        let ports = [free_port(), free_port()];
        let url = format!("http://127.0.0.1:{}", ports[0]);
        Some(Self { url, database: database.to_owned(), child: None, ports })
    }

    /// Starts it, on the data that an earlier start left.
    pub(crate) fn run(&mut self, program: &Program) {
        let [launcher, library] = installed().unwrap();
        let child = Command::new(launcher)
            .arg(library)
            .arg(program.path("server"))
            .args(self.ports.map(|port| port.to_string()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        while self.client().query("SELECT 1").is_err() {
            let child = self.child.as_mut().unwrap();
            assert_eq!(child.try_wait().unwrap(), None, "the server starts");
            std::thread::yield_now();
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn client(&self) -> ClickHouse {
        ClickHouse::new(&self.url, &self.database).unwrap()
    }

    /// Asks; `hft.` stands for the test's database.
    #[track_caller]
    pub(crate) fn ask(&self, sql: &str) -> String {
        let sql = sql.replace("hft.", &format!("{}.", self.database));
        match self.client().query(&sql) {
            Ok(answer) => answer.trim().to_owned(),
            Err(error) => panic!("{sql}\n{error}"),
        }
    }

    #[track_caller]
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let answer = self.ask(sql);
        answer.parse().unwrap_or_else(|error| panic!("{sql}\n{answer:?}: {error}"))
    }

    /// The words of `spinward clickhouse WHAT …` for this server.
    pub(crate) fn words<'a>(&'a self, what: &'a str, session: Option<&'a Path>) -> Vec<&'a str> {
        let mut words = vec!["clickhouse", what];
        words.extend(session.map(crate::setup::text));
        words.extend(["--url", &self.url, "--database", &self.database, "--json"]);
        words
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.is_none() {
            // On a server that is not ours nothing is left behind.
            let _ = self.client().query(&format!("DROP DATABASE IF EXISTS {} SYNC", self.database));
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
