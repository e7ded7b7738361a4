//! What must hold across keys, and what one key may hold. Every problem is found, none hides another.

mod engine;
mod market;
mod receive;
mod venue;
mod exchange;

use crate::problem::Problem;
use crate::settings::Settings;
use spinward_engine::pipeline::HostCores;

/// Problems of settings, gathered with their places.
struct Checker<'s> {
    settings: &'s Settings,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn refuse(&mut self, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        self.problems.push(self.settings.problem(key, what, mend));
    }

    fn in_range(&mut self, key: &str, value: u64, range: std::ops::RangeInclusive<u64>) {
        if !range.contains(&value) {
            self.refuse(
                key,
                format!("{value} is out of range"),
                format!("give {} to {}", range.start(), range.end()),
            );
        }
    }
}

impl Settings {
    /// What is wrong with the settings by themselves, whatever the host. Empty after [`load`](crate::load).
    pub fn check(&self) -> Vec<Problem> {
        let mut checker = Checker { settings: self, problems: Vec::new() };
        checker.session();
        checker.feed();
        checker.receive();
        checker.venue();
        checker.simulation();
        checker.pipeline();
        checker.topology();
        checker.book();
        checker.risk();
        checker.journal();
        checker.latency();
        checker.calendars();
        checker.instruments();
        checker.strategies();
        checker.exchange();
        let mut problems = checker.problems;
        problems.sort();
        problems.dedup();
        problems
    }

    /// All of [`Settings::check`], and whether this host has what they ask for: its cores, and files that can be read.
    pub fn validate(&self, host: &HostCores) -> Vec<Problem> {
        let mut problems = self.check();
        let mut checker = Checker { settings: self, problems: Vec::new() };
        checker.host(host);
        checker.receive_host(host);
        checker.files();
        checker.sockets();
        problems.extend(checker.problems);
        problems.sort();
        problems.dedup();
        problems
    }

    /// What is allowed, but probably not meant.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut checker = Checker { settings: self, problems: Vec::new() };
        checker.unused();
        checker.faults();
        checker.problems
    }
}

#[cfg(test)]
mod tests;
