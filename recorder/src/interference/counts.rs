//! Reading `/proc` and `/sys`: proc(5). What is missing or unreadable counts as zero: kernels differ in what they tell.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// What the kernel counts for one thread.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct ThreadCounts {
    pub(super) involuntary_switches: u64,
    pub(super) voluntary_switches: u64,
    pub(super) minor_faults: u64,
    pub(super) major_faults: u64,
    pub(super) migrations: u64,
    pub(super) waited_ns: u64,
    pub(super) core: usize,
}

/// The folder of the thread of this process that has this name.
pub(super) fn task_named(proc: &Path, name: &str) -> Option<PathBuf> {
    let tasks = std::fs::read_dir(proc.join("self/task")).ok()?;
    let is_it = |task: &PathBuf| {
        read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end_matches('\n') == name)
    };
    tasks.flatten().map(|entry| entry.path()).find(is_it)
}

/// The number behind `key:` in a file of such lines.
fn number_of(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then_some(value)
    });
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

impl ThreadCounts {
    /// `None` if the thread is gone.
    pub(super) fn read(task: &Path) -> Option<Self> {
        let stat = read_to_string(task.join("stat")).ok()?;
        // The name, in parentheses, may hold anything; behind it come fields 3 and so on.
        let (_, behind) = stat.rsplit_once(')')?;
        let field = |number: usize| -> u64 {
            behind.split_whitespace().nth(number - 3).and_then(|field| field.parse().ok()).unwrap_or(0)
        };
        let status = read_to_string(task.join("status")).unwrap_or_default();
        let schedstat = read_to_string(task.join("schedstat")).unwrap_or_default();
        let sched = read_to_string(task.join("sched")).unwrap_or_default();
        Some(Self {
            involuntary_switches: number_of(&status, "nonvoluntary_ctxt_switches"),
            voluntary_switches: number_of(&status, "voluntary_ctxt_switches"),
            minor_faults: field(10),
            major_faults: field(12),
            migrations: number_of(&sched, "se.nr_migrations"),
            waited_ns: schedstat.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok()).unwrap_or(0),
            core: field(39) as usize,
        })
    }
}

/// What the kernel counts for one core.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct CoreCounts {
    pub(super) interrupts: BTreeMap<String, u64>,
    pub(super) softirqs: BTreeMap<String, u64>,
    pub(super) steal_ns: u64,
    pub(super) khz: u64,
}

/// The files that tell of all cores at once.
pub(super) struct CoreTables {
    interrupts: String,
    softirqs: String,
    stat: String,
    cpuinfo: String,
}

impl CoreTables {
    pub(super) fn read(proc: &Path) -> Self {
        let read = |name: &str| read_to_string(proc.join(name)).unwrap_or_default();
        Self {
            interrupts: read("interrupts"),
            softirqs: read("softirqs"),
            stat: read("stat"),
            cpuinfo: read("cpuinfo"),
        }
    }

    pub(super) fn of(&self, core: usize, sys: &Path) -> CoreCounts {
        let scaled =
            read_to_string(sys.join(format!("devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq")));
        CoreCounts {
            interrupts: column(&self.interrupts, core, interrupt_name),
            softirqs: column(&self.softirqs, core, |label, _| label.to_owned()),
            steal_ns: self.steal_ns(core),
            khz: scaled.ok().and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| self.khz(core)),
        }
    }

    /// Field 8 of the core's line, in ticks of the system.
    fn steal_ns(&self, core: usize) -> u64 {
        let name = format!("cpu{core}");
        let line = self.stat.lines().find(|line| line.split_whitespace().next() == Some(&name));
        let ticks: u64 = line
            .and_then(|line| line.split_whitespace().nth(8))
            .and_then(|field| field.parse().ok())
            .unwrap_or(0);
        ticks.saturating_mul(1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
    }

    /// Where there is no cpufreq, as on virtual machines: what the processor was started with.
    fn khz(&self, core: usize) -> u64 {
        let mut is_core = false;
        for line in self.cpuinfo.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            match key.trim() {
                "processor" => is_core = value.trim().parse() == Ok(core),
                "cpu MHz" if is_core => {
                    let (mhz, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), "0"));
                    let thousandths = format!("{fraction:0<3}");
                    let khz = thousandths.get(..3).and_then(|digits| digits.parse::<u64>().ok());
                    return mhz.parse::<u64>().unwrap_or(0) * 1_000 + khz.unwrap_or(0);
                }
                _ => {}
            }
        }
        0
    }
}

/// One core's column of `/proc/interrupts` or `/proc/softirqs`, by name; zeros left out, equal names added up.
fn column(text: &str, core: usize, name_of: impl Fn(&str, &str) -> String) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or("").split_whitespace().collect();
    let name = format!("CPU{core}");
    // Cores that are off have no column.
    let Some(index) = header.iter().position(|column| *column == name) else { return counts };
    for line in lines {
        let Some((label, rest)) = line.split_once(':') else { continue };
        // Lines like ERR have one number for all cores.
        let Some(count) = rest.split_whitespace().nth(index).and_then(|field| field.parse::<u64>().ok())
        else {
            continue;
        };
        if count > 0 {
            let mut description = rest.trim_start();
            for _ in 0..header.len() {
                let end = description.find(char::is_whitespace).unwrap_or(description.len());
                description = description.get(end..).unwrap_or("").trim_start();
            }
            *counts.entry(name_of(label.trim(), description)).or_insert(0) += count;
        }
    }
    counts
}

/// `eth0-rx (irq 41)` for a device, `Local timer interrupts (LOC)` for the processor's own.
fn interrupt_name(label: &str, description: &str) -> String {
    let description = description.trim();
    if !label.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("{description} ({label})");
    }
    // Chip, hardware number and kind of trigger, then the devices; the kind stands as `36-edge` or alone as `Level`.
    let words: Vec<&str> = description.split_whitespace().collect();
    let is_trigger = |word: &&str| {
        let word = word.to_ascii_lowercase();
        word.ends_with("edge") || word.ends_with("level") || word.ends_with("fasteoi")
    };
    let devices = match words.iter().position(is_trigger) {
        Some(at) => words.get(at + 1..).unwrap_or(&[]),
        None => words.last().map_or(&[][..], std::slice::from_ref),
    };
    if devices.is_empty() { format!("irq {label}") } else { format!("{} (irq {label})", devices.join(" ")) }
}

/// Whether [`interrupt_name`] gave this name to a device's interrupt.
pub(super) fn is_of_device(name: &str) -> bool {
    name.contains("irq ")
}

/// What has grown, and by how much.
pub(super) fn grown(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let growth = now
        .iter()
        .map(|(name, count)| (name.clone(), count.saturating_sub(before.get(name).copied().unwrap_or(0))));
    growth.filter(|(_, count)| *count > 0).collect()
}
