//! [`Fingerprint`]: what a latency depends on besides the program. It stands in every measurement, so that two of them are compared only
//! where that means something.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// What the system did not tell.
const UNKNOWN: &str = "unknown";

/// The machine and how it was set up, as text. `unknown` where the system does not tell, `none` where it says that there is none.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The machine's own name.
    pub host: String,
    /// Model name of the processor.
    pub cpu: String,
    /// Revision of its microcode.
    pub microcode: String,
    /// Cores that are online, in the kernel's list format, such as `0-15`.
    pub cores: String,
    /// Simultaneous multithreading: `on`, `off`, `forceoff`, `notsupported`, `notimplemented`.
    pub smt: String,
    /// `none`, or what the machine runs on.
    pub hypervisor: String,
    /// Release of the kernel.
    pub kernel: String,
    /// The command line that the kernel was started with.
    pub kernel_command_line: String,
    /// Cores isolated from the scheduler (`isolcpus`).
    pub isolated: String,
    /// Cores without a timer tick (`nohz_full`).
    pub nohz_full: String,
    /// Frequency governors, each once.
    pub governor: String,
    /// Clock source of the kernel.
    pub clock_source: String,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub huge_pages: String,
}

impl Fingerprint {
    /// This machine.
    pub fn current() -> Self {
        Self::read(Path::new("/"))
    }

    /// From the `proc` and `sys` trees below `root`.
    pub fn read(root: &Path) -> Self {
        let text =
            |path: &str| std::fs::read_to_string(root.join(path)).ok().map(|text| text.trim().to_owned());
        let known =
            |found: Option<String>| found.filter(|text| !text.is_empty()).unwrap_or(UNKNOWN.to_owned());
        // The kernel writes an empty list, or `(null)`, for no cores at all.
        let list = |path: &str| match text(path).as_deref() {
            Some("" | "(null)") => "none".to_owned(),
            Some(list) => list.to_owned(),
            None => UNKNOWN.to_owned(),
        };
        let cpuinfo = text("proc/cpuinfo").unwrap_or_default();
        let cpu = |key: &str| {
            let line = cpuinfo.lines().find_map(|line| line.split_once(':').filter(|(k, _)| k.trim() == key));
            line.map(|(_, value)| value.trim().to_owned())
        };
        Self {
            host: known(text("proc/sys/kernel/hostname")),
            cpu: known(cpu("model name")),
            microcode: known(cpu("microcode")),
            cores: list("sys/devices/system/cpu/online"),
            smt: known(text("sys/devices/system/cpu/smt/control")),
            hypervisor: hypervisor(&text, cpu("flags")),
            kernel: known(text("proc/sys/kernel/osrelease")),
            kernel_command_line: known(text("proc/cmdline")),
            isolated: list("sys/devices/system/cpu/isolated"),
            nohz_full: list("sys/devices/system/cpu/nohz_full"),
            governor: governors(root),
            clock_source: known(text("sys/devices/system/clocksource/clocksource0/current_clocksource")),
            huge_pages: known(text("sys/kernel/mm/transparent_hugepage/enabled").map(|all| chosen(&all))),
        }
    }

    /// Every field by its name, in the order of the struct.
    pub fn fields(&self) -> [(&'static str, &str); 13] {
        [
            ("host", &self.host),
            ("cpu", &self.cpu),
            ("microcode", &self.microcode),
            ("cores", &self.cores),
            ("smt", &self.smt),
            ("hypervisor", &self.hypervisor),
            ("kernel", &self.kernel),
            ("kernel_command_line", &self.kernel_command_line),
            ("isolated", &self.isolated),
            ("nohz_full", &self.nohz_full),
            ("governor", &self.governor),
            ("clock_source", &self.clock_source),
            ("huge_pages", &self.huge_pages),
        ]
    }

    /// Names and values of the fields in which two differ: name, here, there.
    pub fn differences<'a>(&'a self, other: &'a Self) -> Vec<(&'static str, &'a str, &'a str)> {
        let pairs = self.fields().into_iter().zip(other.fields());
        pairs.filter(|((_, a), (_, b))| a != b).map(|((name, a), (_, b))| (name, a, b)).collect()
    }
}

/// All fields in one line, `name=value` with `; ` between: for the comment of an interval log.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.fields().into_iter().enumerate() {
            let gap = if index == 0 { "" } else { "; " };
            write!(f, "{gap}{name}={}", value.replace(['\n', '\r'], " "))?;
        }
        Ok(())
    }
}

/// What the machine runs on: said by Xen, by the firmware, or at least by the processor.
fn hypervisor(text: &impl Fn(&str) -> Option<String>, flags: Option<String>) -> String {
    if let Some(kind) = text("sys/hypervisor/type").filter(|kind| !kind.is_empty()) {
        return kind;
    }
    match flags {
        None => UNKNOWN.to_owned(),
        Some(flags) if !flags.split_whitespace().any(|flag| flag == "hypervisor") => "none".to_owned(),
        Some(_) => {
            let firmware: Vec<String> = ["sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name"]
                .into_iter()
                .filter_map(text)
                .filter(|name| !name.is_empty())
                .collect();
            if firmware.is_empty() { "some, by the processor's flag".to_owned() } else { firmware.join(" ") }
        }
    }
}

/// The governors of all cores, each once; `none` without frequency scaling.
fn governors(root: &Path) -> String {
    let Ok(cores) = std::fs::read_dir(root.join("sys/devices/system/cpu")) else { return UNKNOWN.to_owned() };
    let mut found: Vec<String> = cores
        .flatten()
        .filter_map(|core| std::fs::read_to_string(core.path().join("cpufreq/scaling_governor")).ok())
        .map(|governor| governor.trim().to_owned())
        .collect();
    found.sort();
    found.dedup();
    if found.is_empty() { "none".to_owned() } else { found.join(" ") }
}

/// The word in brackets: `always [madvise] never`.
fn chosen(choices: &str) -> String {
    let word = choices.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(word, _)| word);
    word.unwrap_or(choices).to_owned()
}

#[cfg(test)]
mod tests;
