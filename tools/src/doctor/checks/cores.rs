//! Whose the cores are: pinned threads, isolation, siblings.

use crate::doctor::check::Check;
use crate::doctor::cores::Cores;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::Host;
use crate::doctor::subject::Subject;
use crate::host::with_mask;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "cores.pinned",
        severity: Severity::Critical,
        what: "every thread of the pipeline spins on a core of its own",
        why: "a thread that the scheduler moves or wakes pays microseconds to milliseconds and a cold cache each time",
        run: pinned,
    },
    Check {
        id: "cores.allowed",
        severity: Severity::Critical,
        what: "this process may use the cores",
        why: "isolated cores are not in the mask that a login shell hands down: without them `auto` falls back to unpinned threads",
        run: allowed,
    },
    Check {
        id: "cores.housekeeping",
        severity: Severity::Critical,
        what: "a core is left to the kernel, the side thread and the journal's flusher",
        why: "a pipeline on every core is interrupted by all that has nowhere else to go",
        run: housekeeping,
    },
    Check {
        id: "cores.isolated",
        severity: Severity::Critical,
        what: "the scheduler places nothing on the cores (isolcpus, or an isolated cpuset)",
        why: "one other runnable task takes the core for a whole slice, milliseconds",
        run: isolated,
    },
    Check {
        id: "cores.nohz_full",
        severity: Severity::Warning,
        what: "no timer tick on the cores (nohz_full)",
        why: "the tick stops the thread 100 to 1000 times a second for microseconds, tens of them in a virtual machine",
        run: nohz_full,
    },
    Check {
        id: "cores.rcu_nocbs",
        severity: Severity::Warning,
        what: "callbacks of RCU run elsewhere (rcu_nocbs)",
        why: "without it the core runs the kernel's deferred work in soft interrupts of unbounded length",
        run: rcu_nocbs,
    },
    Check {
        id: "cores.siblings",
        severity: Severity::Critical,
        what: "no other thread works on the same physical core (SMT)",
        why: "a busy sibling shares the core's units and its first-level cache: everything takes longer, at times that nobody chooses",
        run: siblings,
    },
    Check {
        id: "cores.cache",
        severity: Severity::Info,
        what: "the cores share a last-level cache",
        why: "a hop between stages costs 60 to 110 ns within a cache complex, 250 to 300 ns across",
        run: cache,
    },
];

fn pinned(_: &Host, subject: &Subject) -> Verdict {
    let loose = subject.threads.iter().filter(|thread| thread.core.is_none()).count();
    let idle = subject.threads.iter().filter(|thread| !thread.is_spinning).count();
    let all = subject.threads.len();
    let found =
        format!("{} of {all} pinned, {} of {all} spinning ({})", all - loose, all - idle, subject.topology);
    Verdict::judge(loose == 0 && idle == 0, found, "all pinned and spinning", || {
        let cores: Vec<String> = subject.cores.iter().map(|core| core.to_string()).collect();
        Mend::Config(format!(
            "[topology] preset = \"fused\", idle = \"spin\", cores = [{}] (or isolate cores: \"auto\" then pins to them)",
            cores.join(", ")
        ))
    })
}

fn allowed(host: &Host, subject: &Subject) -> Verdict {
    // Read again so that the finding names its source.
    host.read_lines("/proc/self/status", &["Cpus_allowed_list:"]);
    let isolated = host.core_list("/sys/devices/system/cpu/isolated").unwrap_or_default();
    let missing = subject.cores.or(&isolated).and(&subject.online).without(&subject.allowed);
    Verdict::judge(
        missing.is_empty(),
        format!("allowed {}", subject.allowed),
        format!("allowed {}", subject.cores.or(&isolated)),
        || {
            Mend::Advice(format!(
                "start it with `{}`, or by the unit spinward@.service (CPUAffinity=)",
                with_mask(&subject.online)
            ))
        },
    )
}

fn housekeeping(host: &Host, subject: &Subject) -> Verdict {
    host.read("/sys/devices/system/cpu/online");
    let rest = subject.rest();
    Verdict::judge(
        !rest.is_empty(),
        format!("pipeline {}, left over {rest}", subject.cores),
        "at least one core left over",
        || {
            Mend::Config(format!(
                "[topology] preset = \"custom\" with fewer threads than the {} cores of this host, or take a host with more cores",
                subject.online.count()
            ))
        },
    )
}

fn isolated(host: &Host, subject: &Subject) -> Verdict {
    let wanted = subject.cores.to_string();
    let booted = host.core_list("/sys/devices/system/cpu/isolated");
    let cpuset = host.core_list("/sys/fs/cgroup/cpuset.cpus.isolated");
    let mend = || subject.with_rest(|_| Mend::Boot(format!("isolcpus=managed_irq,domain,{}", subject.cores)));
    match (booted, cpuset) {
        (None, None) => Verdict::unknown("the kernel does not tell", wanted, mend()),
        (booted, cpuset) => {
            let isolated = booted.unwrap_or_default().or(&cpuset.unwrap_or_default());
            let is_good = subject.cores.without(&isolated).is_empty();
            Verdict::judge(is_good, isolated.to_string(), wanted, mend)
        }
    }
}

fn nohz_full(host: &Host, subject: &Subject) -> Verdict {
    let found = host.core_list("/sys/devices/system/cpu/nohz_full");
    let tickless = found.clone().unwrap_or_default();
    let text = match found {
        Some(cores) => cores.to_string(),
        None => {
            host.parameter("nohz_full");
            "none: the kernel is built without it".to_owned()
        }
    };
    let is_good = subject.cores.without(&tickless).is_empty();
    Verdict::judge(is_good, text, subject.cores.to_string(), || {
        subject.with_rest(|_| Mend::Boot(format!("nohz_full={}", subject.cores)))
    })
}

fn rcu_nocbs(host: &Host, subject: &Subject) -> Verdict {
    let Some(cores) =
        host.parameter("rcu_nocbs").or_else(|| host.read("/proc/cmdline").map(|_| String::new()))
    else {
        return Verdict::unknown(
            "no kernel command line",
            subject.cores.to_string(),
            Mend::advice("mount /proc to let it be read"),
        );
    };
    // Tickless cores hand their callbacks away as well.
    let tickless = host.core_list("/sys/devices/system/cpu/nohz_full").unwrap_or_default();
    let offloaded =
        if cores == "all" { subject.online.clone() } else { Cores::from_list(&cores) }.or(&tickless);
    let is_good = subject.cores.without(&offloaded).is_empty();
    Verdict::judge(is_good, offloaded.to_string(), subject.cores.to_string(), || {
        subject.with_rest(|_| Mend::Boot(format!("rcu_nocbs={}", subject.cores)))
    })
}

fn siblings(host: &Host, subject: &Subject) -> Verdict {
    let isolated = host.core_list("/sys/devices/system/cpu/isolated").unwrap_or_default();
    let mut is_known = false;
    let mut busy = Cores::default();
    let mut shared = Cores::default();
    for core in subject.cores.iter() {
        let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        let Some(group) = host.core_list(&path) else { continue };
        is_known = true;
        let others = group.and(&subject.online).without(&[core].into_iter().collect());
        shared = shared.or(&others.and(&subject.cores));
        // An isolated sibling that no thread is pinned to idles.
        busy = busy.or(&others.without(&isolated));
    }
    let wanted = "no sibling in use";
    if !is_known {
        return Verdict::unknown(
            "the kernel does not tell",
            wanted,
            Mend::advice("see `lscpu -e` for siblings"),
        );
    }
    let bad = busy.or(&shared);
    Verdict::judge(bad.is_empty(), format!("siblings in use: {bad}"), wanted, || {
        if shared.is_empty() {
            let offline: Vec<String> = busy
                .iter()
                .map(|core| format!("echo 0 > /sys/devices/system/cpu/cpu{core}/online"))
                .collect();
            Mend::command(offline.join("; "))
        } else {
            Mend::Config(format!(
                "[topology] cores: {shared} are siblings of each other, take one of each pair (`lscpu -e`), and switch the others off"
            ))
        }
    })
}

fn cache(host: &Host, subject: &Subject) -> Verdict {
    if subject.cores.count() < 2 {
        return Verdict::not_applicable("one core");
    }
    let mut domains: Vec<Cores> = Vec::new();
    for core in subject.cores.iter() {
        let path = format!("/sys/devices/system/cpu/cpu{core}/cache/index3/shared_cpu_list");
        let Some(domain) = host.core_list(&path) else {
            return Verdict::unknown(
                "the kernel does not tell",
                "one last-level cache",
                Mend::advice("see measured.hop for the distance between the cores"),
            );
        };
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    let text: Vec<String> = domains.iter().map(|domain| domain.and(&subject.cores).to_string()).collect();
    Verdict::judge(
        domains.len() == 1,
        format!("caches of {}", text.join(" | ")),
        "one last-level cache",
        || {
            let largest = domains.iter().max_by_key(|domain| domain.count()).cloned().unwrap_or_default();
            Mend::Config(format!("[topology] cores: take them from one cache, such as {largest}"))
        },
    )
}
