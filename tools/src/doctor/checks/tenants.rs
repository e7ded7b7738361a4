//! Who else lives on the cores: kernel threads, processes, work queues, the watchdog.

use super::few;
use crate::doctor::check::Check;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::Host;
use crate::doctor::subject::Subject;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "cores.kernel_threads",
        severity: Severity::Warning,
        what: "kernel threads that can be moved are not on the cores",
        why: "each of them preempts the pipeline when it has work; the few that belong to the core (migration, ksoftirqd) sleep on an isolated one",
        run: kernel_threads,
    },
    Check {
        id: "cores.processes",
        severity: Severity::Warning,
        what: "no other process may run on the cores",
        why: "daemons and shells share the core in slices of milliseconds",
        run: processes,
    },
    Check {
        id: "cores.workqueues",
        severity: Severity::Warning,
        what: "the kernel's unbound work runs elsewhere",
        why: "writeback, crypto and drivers queue work to any core in the mask",
        run: workqueues,
    },
    Check {
        id: "cores.watchdog",
        severity: Severity::Warning,
        what: "the lock-up watchdog does not run on the cores",
        why: "it wakes a thread of the highest priority on each core every few seconds",
        run: watchdog,
    },
];

fn kernel_threads(host: &Host, subject: &Subject) -> Verdict {
    let wanted = "none that can be moved";
    let kernel: Vec<_> = host.processes().iter().filter(|process| process.is_kernel).collect();
    if kernel.is_empty() {
        return Verdict::unknown(
            "no kernel thread is visible (a container?)",
            wanted,
            Mend::advice("run `spinward doctor` on the host itself, not in a container"),
        );
    }
    let bound = kernel.iter().filter(|thread| thread.is_bound).count();
    let names: Vec<String> = kernel
        .iter()
        .filter(|thread| !thread.is_bound && !thread.cores.and(&subject.cores).is_empty())
        .map(|thread| thread.name.clone())
        .collect();
    let found = match names.as_slice() {
        [] => format!("none ({bound} belong to their core or queue)"),
        [_, ..] => format!("{} may run there: {}", names.len(), few(&names)),
    };
    Verdict::judge(names.is_empty(), found, wanted, || {
        subject.with_rest(|rest| {
            Mend::Command(format!(
                "for thread in 2 $(pgrep -P 2); do taskset -p -c {rest} \"$thread\" >/dev/null 2>&1 || true; done"
            ))
        })
    })
}

fn processes(host: &Host, subject: &Subject) -> Verdict {
    let own = std::process::id();
    let all = host.processes();
    let wanted = "none";
    if all.is_empty() {
        return Verdict::unknown("no process table", wanted, Mend::advice("mount /proc to let it be read"));
    }
    let names: Vec<String> = all
        .iter()
        .filter(|process| !process.is_kernel && process.name != "spinward")
        .filter(|process| !(host.is_live() && process.pid == own))
        .filter(|process| !process.cores.and(&subject.cores).is_empty())
        .map(|process| process.name.clone())
        .collect();
    let found = match names.as_slice() {
        [] => "none".to_owned(),
        [_, ..] => format!("{} may run there: {}", names.len(), few(&names)),
    };
    Verdict::judge(names.is_empty(), found, wanted, || {
        subject.with_rest(|rest| {
            Mend::Once(format!(
                "mkdir -p /etc/systemd/system.conf.d && printf '[Manager]\\nCPUAffinity=%s\\n' '{rest}' > /etc/systemd/system.conf.d/90-spinward.conf"
            ))
        })
    })
}

fn workqueues(host: &Host, subject: &Subject) -> Verdict {
    const PATH: &str = "/sys/devices/virtual/workqueue/cpumask";
    let Some(mask) = host.core_mask(PATH) else {
        return Verdict::not_applicable("the kernel has no such mask");
    };
    let bad = mask.and(&subject.cores);
    Verdict::judge(bad.is_empty(), mask.to_string(), format!("without {}", subject.cores), || {
        subject.with_rest(|rest| Mend::Command(format!("echo {} > {PATH}", rest.mask())))
    })
}

fn watchdog(host: &Host, subject: &Subject) -> Verdict {
    match host.number("/proc/sys/kernel/watchdog") {
        None => Verdict::not_applicable("the kernel has no watchdog"),
        Some(0) => Verdict::good("off", format!("off, or without {}", subject.cores)),
        Some(_) => {
            let cores = host.core_list("/proc/sys/kernel/watchdog_cpumask").unwrap_or_default();
            let bad = cores.and(&subject.cores);
            let wanted = format!("off, or without {}", subject.cores);
            Verdict::judge(bad.is_empty(), format!("on {cores}"), wanted, || {
                subject.with_rest(|rest| Mend::sysctl("kernel.watchdog_cpumask", rest.to_string()))
            })
        }
    }
}
