//! [`Host`]: where the checks read. This machine, or one that was recorded.

use super::cores::Cores;
use super::record::{Answer, RecordError, Tree};
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Flag of a task: it is the kernel's own.
pub(crate) const PF_KTHREAD: u64 = 0x0020_0000;
/// Flag of a task: its cores cannot be changed.
const PF_NO_SETAFFINITY: u64 = 0x0400_0000;

/// A tool that has not answered by then is taken as failed: the whole examination has ten seconds.
const TOOL_PATIENCE: Duration = Duration::from_millis(800);

/// A task of the process table (main threads only).
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) is_kernel: bool,
    /// Its cores are set by the kernel for good.
    pub(crate) is_bound: bool,
    /// Where it may run.
    pub(crate) cores: Cores,
}

/// One mounted file system.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    /// Major and minor number of its device, `8:1`.
    pub(crate) device: String,
    pub(crate) point: String,
    pub(crate) options: Vec<String>,
    pub(crate) kind: String,
}

/// A machine to read from. Remembers what was read, for the record and for each finding's sources.
pub(crate) struct Host {
    /// `None`: this machine.
    recorded: Option<Tree>,
    seen: RefCell<Tree>,
    sources: RefCell<Vec<(String, bool)>>,
    processes: OnceCell<Vec<Process>>,
}

impl Host {
    /// This machine.
    pub(crate) fn live() -> Self {
        Self::of(None)
    }

    /// A recorded one.
    pub(crate) fn recorded(text: &str) -> Result<Self, RecordError> {
        Ok(Self::of(Some(Tree::parse(text)?)))
    }

    fn of(recorded: Option<Tree>) -> Self {
        Self { recorded, seen: RefCell::default(), sources: RefCell::default(), processes: OnceCell::new() }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.recorded.is_none()
    }

    /// Everything read so far, as a record.
    pub(crate) fn record(&self) -> String {
        self.seen.borrow().to_text()
    }

    /// Begins a new list of sources.
    pub(crate) fn forget_sources(&self) {
        self.sources.borrow_mut().clear();
    }

    /// What has answered since; if nothing has, what was asked. Paths that differ in numbers only are joined.
    pub(crate) fn sources(&self) -> Vec<String> {
        let sources = self.sources.borrow();
        let has_answer = sources.iter().any(|(_, is_there)| *is_there);
        let mut patterns: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for (source, _) in sources.iter().filter(|(_, is_there)| *is_there || !has_answer) {
            let same = patterns.entry(pattern(source)).or_default();
            if !same.contains(&source) {
                same.push(source);
            }
        }
        patterns
            .into_iter()
            .map(|(pattern, same)| match same.as_slice() {
                [only] => (*only).clone(),
                [] | [_, _, ..] => pattern,
            })
            .collect()
    }

    fn note(&self, source: &str, is_there: bool) {
        self.sources.borrow_mut().push((source.to_owned(), is_there));
    }

    /// A file's text without trailing white space.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        self.read_with(path, |text| text.trim_end().to_owned())
    }

    /// Of a file, the first line that begins with each of these words.
    pub(crate) fn read_lines(&self, path: &str, beginnings: &[&str]) -> Option<String> {
        self.read_with(path, |text| {
            let lines: Vec<&str> = beginnings
                .iter()
                .filter_map(|beginning| text.lines().find(|line| line.trim_start().starts_with(beginning)))
                .map(str::trim_end)
                .collect();
            lines.join("\n")
        })
    }

    /// Several checks may want different lines of one file: the record keeps all of them.
    fn read_with(&self, path: &str, shorten: impl Fn(&str) -> String) -> Option<String> {
        let text = match &self.recorded {
            Some(tree) => tree.files.get(path).cloned(),
            None => std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        };
        self.note(path, text.is_some());
        let text = shorten(&text?);
        let mut seen = self.seen.borrow_mut();
        let kept = seen.files.entry(path.to_owned()).or_default();
        for line in text.lines() {
            if !kept.lines().any(|known| known == line) {
                if !kept.is_empty() {
                    kept.push('\n');
                }
                kept.push_str(line);
            }
        }
        Some(text)
    }

    /// The names in a folder; none if it is not there.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let Some(tree) = &self.recorded else {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let mut names: Vec<String> =
                entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.sort();
            return names;
        };
        tree.list(folder)
    }

    /// Where a symbolic link points to.
    pub(crate) fn link(&self, path: &str) -> Option<String> {
        let target = match &self.recorded {
            Some(tree) => tree.links.get(path).cloned(),
            None => std::fs::read_link(path).ok().map(|target| target.to_string_lossy().into_owned()),
        };
        self.note(path, target.is_some());
        let target = target?;
        self.seen.borrow_mut().links.insert(path.to_owned(), target.clone());
        Some(target)
    }

    /// Asks a tool.
    pub(crate) fn ask(&self, words: &[&str]) -> Answer {
        let name = words.join(" ");
        let answer = match &self.recorded {
            Some(tree) => tree.answers.get(&name).cloned().unwrap_or(Answer::Missing),
            None => ask(words),
        };
        self.note(&format!("$ {name}"), answer != Answer::Missing);
        self.seen.borrow_mut().answers.insert(name, answer.clone());
        answer
    }

    /// A file that holds a list of cores.
    pub(crate) fn core_list(&self, path: &str) -> Option<Cores> {
        self.read(path).map(|text| Cores::from_list(&text))
    }

    /// A file that holds a mask of cores.
    pub(crate) fn core_mask(&self, path: &str) -> Option<Cores> {
        self.read(path).and_then(|text| Cores::from_mask(&text))
    }

    /// A file that holds a number.
    pub(crate) fn number(&self, path: &str) -> Option<i64> {
        self.read(path)?.trim().parse().ok()
    }

    /// The value of a parameter of the kernel's command line; empty if it has none.
    pub(crate) fn parameter(&self, key: &str) -> Option<String> {
        let line = self.read("/proc/cmdline")?;
        let own = line.split(" -- ").next().unwrap_or_default();
        own.split_whitespace().rev().find_map(|word| match word.split_once('=') {
            Some((name, value)) => (name == key).then(|| value.to_owned()),
            None => (word == key).then(String::new),
        })
    }

    /// The process table; empty where it cannot be read.
    pub(crate) fn processes(&self) -> &[Process] {
        let processes = self.processes.get_or_init(|| self.read_processes());
        self.note("/proc/*/stat", !processes.is_empty());
        processes
    }

    fn read_processes(&self) -> Vec<Process> {
        let pids: Vec<u32> = self.list("/proc").iter().filter_map(|name| name.parse().ok()).collect();
        let mut processes = Vec::with_capacity(pids.len());
        for pid in pids {
            // A process may end between the two reads: then it is passed over.
            let stat = self.read_with(&format!("/proc/{pid}/stat"), |text| until_flags(text).to_owned());
            let status = self.read_lines(&format!("/proc/{pid}/status"), &["Cpus_allowed_list:"]);
            let (Some(stat), Some(status)) = (stat, status) else { continue };
            let Some((name, flags)) = name_and_flags(&stat) else { continue };
            if stat.contains(") Z ") {
                continue; // dead, and waiting to be asked how
            }
            processes.push(Process {
                pid,
                name,
                is_kernel: flags & PF_KTHREAD != 0,
                is_bound: flags & PF_NO_SETAFFINITY != 0,
                cores: Cores::from_list(status.split_once(':').map_or("", |(_, list)| list)),
            });
        }
        processes
    }

    /// The file system that a path lies on.
    pub(crate) fn mount_of(&self, path: &str) -> Option<Mount> {
        let mut best: Option<Mount> = None;
        self.read_with("/proc/self/mountinfo", |text| {
            let mut line_of_best = "";
            for line in text.lines() {
                let Some(mount) = mount(line) else { continue };
                let is_above = mount.point == "/"
                    || path == mount.point
                    || path.strip_prefix(&mount.point).is_some_and(|rest| rest.starts_with('/'));
                // Of several on one point the last hides the others.
                if is_above && best_length(line_of_best).is_none_or(|length| mount.point.len() >= length) {
                    line_of_best = line;
                }
            }
            line_of_best.to_owned()
        })
        .into_iter()
        .for_each(|line| best = mount(&line));
        best
    }
}

fn best_length(line: &str) -> Option<usize> {
    mount(line).map(|mount| mount.point.len())
}

/// One line of `mountinfo`: proc(5).
fn mount(line: &str) -> Option<Mount> {
    let (own, of_kind) = line.split_once(" - ")?;
    let own: Vec<&str> = own.split(' ').collect();
    let mut of_kind = of_kind.split(' ');
    let kind = of_kind.next()?.to_owned();
    let superblock = of_kind.nth(1).unwrap_or_default();
    let options = own.get(5)?.split(',').chain(superblock.split(','));
    Some(Mount {
        device: (*own.get(2)?).to_owned(),
        point: (*own.get(4)?).to_owned(),
        options: options.map(str::to_owned).collect(),
        kind,
    })
}

/// Name and flags of `/proc/N/stat`: a name may hold spaces and brackets.
fn name_and_flags(stat: &str) -> Option<(String, u64)> {
    let (_, rest) = stat.split_once('(')?;
    let (name, rest) = rest.rsplit_once(") ")?;
    Some((name.to_owned(), rest.split(' ').nth(6)?.parse().ok()?))
}

/// `/proc/N/stat` up to the flags: the rest are times and addresses.
fn until_flags(stat: &str) -> &str {
    let Some(name_end) = stat.rfind(") ") else { return stat };
    let end = stat.match_indices(' ').map(|(at, _)| at).filter(|at| *at > name_end).nth(7);
    end.and_then(|end| stat.get(..end)).unwrap_or(stat)
}

/// A source with its numbers taken out of the path: `/proc/irq/*/smp_affinity_list`.
fn pattern(source: &str) -> String {
    if !source.starts_with('/') {
        return source.to_owned();
    }
    let parts = source.split('/').map(|part| {
        let stem = part.trim_end_matches(|c: char| c.is_ascii_digit());
        if stem.len() == part.len() { part.to_owned() } else { format!("{stem}*") }
    });
    parts.collect::<Vec<_>>().join("/")
}

fn ask(words: &[&str]) -> Answer {
    let [program, arguments @ ..] = words else { return Answer::Missing };
    // Tools of root lie in folders that a plain user's path has not.
    let path = std::env::var("PATH").unwrap_or_default();
    let spawned = Command::new(program)
        .args(arguments)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Answer::Missing,
        Err(error) => return Answer::Failed(error.to_string()),
    };
    // The tools asked print far less than a pipe holds, so they end without being read.
    match wait(&mut child) {
        Some(true) => Answer::Output(drain(child.stdout.take())),
        Some(false) => Answer::Failed(drain(child.stderr.take())),
        None => {
            // It may have ended by itself in the meantime.
            let _ = child.kill();
            let _ = child.wait();
            Answer::Failed(format!("no answer within {} ms", TOOL_PATIENCE.as_millis()))
        }
    }
}

/// Whether it ended well; `None` if it has not ended in time.
fn wait(child: &mut Child) -> Option<bool> {
    let start = Instant::now();
    while start.elapsed() < TOOL_PATIENCE {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) => std::thread::sleep(Duration::from_millis(2)),
            Err(_) => return None,
        }
    }
    None
}

fn drain(pipe: Option<impl Read>) -> String {
    let mut text = String::new();
    if let Some(mut pipe) = pipe {
        // What is no text is no answer.
        let _ = pipe.read_to_string(&mut text);
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_and_latest_mount_holds_a_path() {
        let text = "# spinward host 1\n== /proc/self/mountinfo\n\
            20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
            21 20 0:50 / /var rw - tmpfs tmpfs rw\n\
            22 20 259:3 / /var rw,noatime shared:3 - xfs /dev/nvme0n1p3 rw,discard\n\
            23 20 0:51 / /variable rw - tmpfs tmpfs rw\n";
        let host = Host::recorded(text).unwrap();
        let mount = host.mount_of("/var/lib/spinward").unwrap();
        assert_eq!((mount.kind.as_str(), mount.device.as_str()), ("xfs", "259:3"));
        assert!(
            mount.options.contains(&"discard".to_owned()) && mount.options.contains(&"noatime".to_owned())
        );
        assert_eq!(host.mount_of("/srv").unwrap().kind, "ext4");
    }

    #[test]
    fn sources_that_differ_in_numbers_only_are_joined() {
        let text = "# spinward host 1\n== /sys/devices/system/cpu/cpu0/online\n1\n\
            == /sys/devices/system/cpu/cpu1/online\n1\n== /proc/swaps\nFilename";
        let host = Host::recorded(text).unwrap();
        host.read("/sys/devices/system/cpu/cpu0/online");
        host.read("/proc/absent");
        assert_eq!(host.sources(), ["/sys/devices/system/cpu/cpu0/online"]);
        host.read("/sys/devices/system/cpu/cpu1/online");
        assert_eq!(host.sources(), ["/sys/devices/system/cpu/cpu*/online"]);
        host.forget_sources();
        host.read("/proc/absent");
        assert_eq!(host.sources(), ["/proc/absent"]);
    }

    #[test]
    fn a_tool_that_does_not_exist_is_told_from_one_that_fails() {
        assert_eq!(ask(&["spinward-no-such-tool"]), Answer::Missing);
        assert!(matches!(ask(&["false"]), Answer::Failed(_)));
        assert_eq!(ask(&["echo", "a", "b"]), Answer::Output("a b".to_owned()));
    }

    #[test]
    fn the_last_of_two_equal_kernel_parameters_counts_and_those_of_init_do_not() {
        let text = "# spinward host 1\n== /proc/cmdline\nnosmt isolcpus=1 isolcpus=2-3 -- isolcpus=9\n";
        let host = Host::recorded(text).unwrap();
        assert_eq!(host.parameter("isolcpus").as_deref(), Some("2-3"));
        assert_eq!(host.parameter("nosmt").as_deref(), Some(""));
        assert_eq!(host.parameter("nohz_full"), None);
    }
}
