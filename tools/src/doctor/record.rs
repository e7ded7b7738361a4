//! A recorded host: the files that the checks read and the answers of the tools they asked, in one text.
//!
//! ```text
//! # spinward host 1
//! == /proc/cmdline
//! isolcpus=2-5 nohz_full=2-5
//! == /sys/class/net/eth0/device -> ../../../0000:3b:00.0
//! == $ ethtool -c eth0
//! Coalesce parameters for eth0:
//! == $! pmc -u -b 0 GET CURRENT_DATA_SET
//! could not connect
//! ```
//!
//! A path or command that is not listed does not exist. Folders are what the paths make of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const HEADER: &str = "# spinward host 1";

/// What a tool answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It ended well; its standard output.
    Output(String),
    /// It failed; its standard error.
    Failed(String),
    /// There is no such tool.
    Missing,
}

impl Answer {
    pub(crate) fn output(self) -> Option<String> {
        match self {
            Answer::Output(text) => Some(text),
            Answer::Failed(_) | Answer::Missing => None,
        }
    }
}

/// Files, links and answers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) links: BTreeMap<String, String>,
    pub(crate) answers: BTreeMap<String, Answer>,
}

/// Why a text is no recorded host.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(
        "line 1: not a recorded host; make one with `spinward doctor --record`, it begins with {HEADER:?}"
    )]
    Header,
    #[error(
        "line {line}: a section must be `== /path`, `== /path -> target`, `== $ command` or `== $! command`"
    )]
    Section { line: usize },
    #[error("line {line}: {name} stands twice")]
    Twice { line: usize, name: String },
}

impl Tree {
    /// Reads the text.
    pub(crate) fn parse(text: &str) -> Result<Self, RecordError> {
        let mut lines = text.lines().enumerate().peekable();
        if lines.next().is_none_or(|(_, first)| first.trim_end() != HEADER) {
            return Err(RecordError::Header);
        }
        let mut tree = Self::default();
        let mut names = BTreeSet::new();
        while let Some((index, line)) = lines.next() {
            let Some(name) = line.strip_prefix("== ") else {
                continue; // comments before the first section
            };
            let line = index + 1;
            let mut body = String::new();
            while let Some((_, text)) = lines.next_if(|(_, text)| !text.starts_with("== ")) {
                if !body.is_empty() {
                    body.push('\n');
                }
                body.push_str(text);
            }
            let name = name.trim();
            if !names.insert(name.to_owned()) {
                return Err(RecordError::Twice { line, name: name.to_owned() });
            }
            if let Some(command) = name.strip_prefix("$! ") {
                tree.answers.insert(command.to_owned(), Answer::Failed(body));
            } else if let Some(command) = name.strip_prefix("$ ") {
                tree.answers.insert(command.to_owned(), Answer::Output(body));
            } else if let Some((path, target)) = name.split_once(" -> ") {
                tree.links.insert(path.to_owned(), target.to_owned());
            } else if name.starts_with('/') {
                tree.files.insert(name.to_owned(), body);
            } else {
                return Err(RecordError::Section { line });
            }
        }
        Ok(tree)
    }

    /// Writes the text, without what tells whose host it is: names of processes and parameters of the kernel that no check looks at.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        // Writing to a String does not fail.
        for (path, body) in &self.files {
            let _ = writeln!(text, "== {path}\n{}", scrubbed(path, body));
        }
        for (path, target) in &self.links {
            let _ = writeln!(text, "== {path} -> {target}");
        }
        for (command, answer) in &self.answers {
            let _ = match answer {
                Answer::Output(body) => writeln!(text, "== $ {command}\n{}", scrubbed(command, body)),
                Answer::Failed(body) => writeln!(text, "== $! {command}\n{body}"),
                Answer::Missing => Ok(()),
            };
        }
        text
    }

    /// The names directly below a folder.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let folder = format!("{}/", folder.trim_end_matches('/'));
        let names: BTreeSet<&str> = self
            .files
            .keys()
            .chain(self.links.keys())
            .filter_map(|path| path.strip_prefix(&folder))
            .filter_map(|rest| rest.split('/').next())
            .collect();
        names.into_iter().map(str::to_owned).collect()
    }
}

/// Parameters of the kernel that say how a host is tuned.
const PARAMETERS: [&str; 28] = [
    "isolcpus",
    "nohz_full",
    "rcu_nocbs",
    "rcu_nocb_poll",
    "irqaffinity",
    "kthread_cpus",
    "nosmt",
    "maxcpus",
    "idle",
    "processor.max_cstate",
    "intel_idle.max_cstate",
    "intel_pstate",
    "amd_pstate",
    "cpufreq.default_governor",
    "clocksource",
    "tsc",
    "skew_tick",
    "mitigations",
    "transparent_hugepage",
    "hugepages",
    "hugepagesz",
    "default_hugepagesz",
    "numa_balancing",
    "nosoftlockup",
    "nowatchdog",
    "nmi_watchdog",
    "pcie_aspm",
    "threadirqs",
];

/// Programs that checks look for by name.
pub(crate) const DAEMONS: [&str; 7] =
    ["irqbalance", "chronyd", "ptp4l", "phc2sys", "ntpd", "ntpsec", "systemd-timesyn"];

fn scrubbed(name: &str, body: &str) -> String {
    if name == "/proc/cmdline" {
        let own = body.split(" -- ").next().unwrap_or_default();
        let known = own.split_whitespace().filter(|word| {
            let key = word.split('=').next().unwrap_or_default();
            PARAMETERS.contains(&key)
        });
        return known.collect::<Vec<_>>().join(" ");
    }
    if name.starts_with("/proc/") && name.ends_with("/stat") {
        return scrubbed_stat(body).unwrap_or_else(|| body.to_owned());
    }
    if name == "chronyc -c tracking" {
        // Its first two fields are the server.
        return body
            .split(',')
            .enumerate()
            .map(|(index, field)| if index < 2 { "" } else { field })
            .collect::<Vec<_>>()
            .join(",");
    }
    body.to_owned()
}

/// `/proc/N/stat` with the name of a user's program masked.
fn scrubbed_stat(body: &str) -> Option<String> {
    let (pid, rest) = body.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let flags: u64 = rest.split(' ').nth(6)?.parse().ok()?;
    let is_told = flags & super::host::PF_KTHREAD != 0 || DAEMONS.contains(&name);
    (!is_told).then(|| format!("{pid} (process) {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut tree = Tree::default();
        tree.files.insert("/sys/class/net/eth0/operstate".into(), "up".into());
        tree.files.insert("/proc/stat".into(), "cpu0 1 2\ncpu1 3 4".into());
        tree.links.insert("/sys/class/net/eth0/device".into(), "../../0000:3b:00.0".into());
        tree.answers.insert("ethtool -c eth0".into(), Answer::Output("rx-usecs: 0".into()));
        tree.answers.insert("ethtool -g eth0".into(), Answer::Failed("netlink error".into()));
        assert_eq!(Tree::parse(&tree.to_text()), Ok(tree.clone()));
        assert_eq!(tree.list("/sys/class/net"), ["eth0"]);
        assert_eq!(tree.list("/sys/class/net/eth0"), ["device", "operstate"]);
    }

    #[test]
    fn what_tells_whose_host_it_is_is_not_recorded() {
        let mut tree = Tree::default();
        tree.files.insert("/proc/cmdline".into(), "root=UUID=secret isolcpus=2 -- isolcpus=9 token".into());
        tree.files.insert("/proc/7/stat".into(), "7 (my (odd) bot) S 1 7 7 0 -1 4194304 0".into());
        tree.files.insert("/proc/8/stat".into(), "8 (chronyd) S 1 8 8 0 -1 4194304 0".into());
        let read = Tree::parse(&tree.to_text()).unwrap();
        assert_eq!(read.files["/proc/cmdline"], "isolcpus=2");
        assert_eq!(read.files["/proc/7/stat"], "7 (process) S 1 7 7 0 -1 4194304 0");
        assert!(read.files["/proc/8/stat"].contains("chronyd"));
    }

    #[test]
    fn a_broken_record_is_refused_with_its_line() {
        assert_eq!(Tree::parse("== /proc/stat\n"), Err(RecordError::Header));
        let odd = format!("{HEADER}\n# a comment\n== proc/stat\n");
        assert_eq!(Tree::parse(&odd), Err(RecordError::Section { line: 3 }));
        let twice = format!("{HEADER}\n== /a\n1\n== /a\n2\n");
        assert_eq!(Tree::parse(&twice), Err(RecordError::Twice { line: 4, name: "/a".into() }));
    }
}
