//! Settings of the kernel that reach every core.

use super::few;
use crate::doctor::check::Check;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::Host;
use crate::doctor::subject::Subject;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "kernel.rt_throttling",
        severity: Severity::Warning,
        what: "real-time threads are not throttled",
        why: "a thread with real-time priority that spins is stopped for 50 ms of every second by default",
        run: rt_throttling,
    },
    Check {
        id: "kernel.stat_interval",
        severity: Severity::Warning,
        what: "the kernel gathers memory statistics rarely (vm.stat_interval)",
        why: "by default a worker wakes on each core every second to fold its counters",
        run: stat_interval,
    },
    Check {
        id: "kernel.mitigations",
        severity: Severity::Info,
        what: "mitigations of processor flaws are a decision",
        why: "they make system calls and branches dearer; the hot path makes no system call, so little is gained on a host that others share",
        run: mitigations,
    },
];

/// Seconds between two gatherings on a tuned host; the common advice is 120.
const STAT_INTERVAL_MIN: i64 = 60;

fn rt_throttling(host: &Host, _: &Subject) -> Verdict {
    match host.number("/proc/sys/kernel/sched_rt_runtime_us") {
        None => Verdict::not_applicable("the kernel has none"),
        Some(value) => Verdict::judge(value < 0, value.to_string(), "-1", || {
            Mend::sysctl("kernel.sched_rt_runtime_us", "-1")
        }),
    }
}

fn stat_interval(host: &Host, _: &Subject) -> Verdict {
    match host.number("/proc/sys/vm/stat_interval") {
        None => Verdict::not_applicable("the kernel has none"),
        Some(value) => Verdict::judge(
            value >= STAT_INTERVAL_MIN,
            format!("{value} s"),
            format!("{STAT_INTERVAL_MIN} s or more"),
            || Mend::sysctl("vm.stat_interval", "120"),
        ),
    }
}

fn mitigations(host: &Host, _: &Subject) -> Verdict {
    const FOLDER: &str = "/sys/devices/system/cpu/vulnerabilities";
    let names = host.list(FOLDER);
    if names.is_empty() {
        return Verdict::not_applicable("the kernel lists none");
    }
    let active: Vec<String> = names
        .into_iter()
        .filter(|name| {
            host.read(&format!("{FOLDER}/{name}")).is_some_and(|text| text.contains("Mitigation:"))
        })
        .collect();
    let found =
        if active.is_empty() { "none active".to_owned() } else { format!("active: {}", few(&active)) };
    Verdict::judge(active.is_empty(), found, "none, where no foreign code runs", || {
        Mend::advice(
            "on a host that runs your own code only: kernel parameter mitigations=off; else leave them",
        )
    })
}
