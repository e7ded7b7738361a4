//! Memory that stays where it is.

use crate::cli::output;
use crate::doctor::check::Check;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::Host;
use crate::doctor::subject::Subject;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "memory.swap",
        severity: Severity::Critical,
        what: "nothing can be swapped out",
        why: "one page of a ring or a book that comes back from disk takes milliseconds",
        run: swap,
    },
    Check {
        id: "memory.lock_limit",
        severity: Severity::Critical,
        what: "the process may lock all its memory",
        why: "without it `pipeline.lock_memory = true` does not start, and pages can be taken away",
        run: lock_limit,
    },
    Check {
        id: "memory.locked",
        severity: Severity::Warning,
        what: "the configuration locks memory",
        why: "an unlocked page that the kernel reclaims or moves is a fault on the hot path",
        run: locked,
    },
    Check {
        id: "memory.thp",
        severity: Severity::Warning,
        what: "transparent huge pages only where a program asks",
        why: "`always` makes the kernel collapse pages behind the program's back, under its memory lock; `never` takes them from those who ask",
        run: thp,
    },
    Check {
        id: "memory.thp_defrag",
        severity: Severity::Warning,
        what: "the kernel does not compact memory to make huge pages in a page fault",
        why: "direct compaction in a fault takes milliseconds",
        run: thp_defrag,
    },
    Check {
        id: "memory.huge_pages",
        severity: Severity::Warning,
        what: "the allocator of the process takes huge pages",
        why: "with small pages each lookup in a large book misses the TLB and walks the page table (docs/measurements.md)",
        run: huge_pages,
    },
    Check {
        id: "memory.compaction",
        severity: Severity::Info,
        what: "no proactive compaction",
        why: "a kernel thread moves pages in the background, and each move stops all who use the page",
        run: compaction,
    },
];

fn swap(host: &Host, _: &Subject) -> Verdict {
    let Some(text) = host.read("/proc/swaps") else {
        return Verdict::not_applicable("a kernel without swap");
    };
    let names: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Verdict::judge(names.is_empty(), found, "none", || {
        Mend::once("swapoff -a && sed -i.before-spinward -E '/\\sswap\\s/ s/^[^#]/#&/' /etc/fstab")
    })
}

/// Bit of a capability set: may lock any amount (capabilities(7)).
const CAP_IPC_LOCK: u64 = 1 << 14;

fn lock_limit(host: &Host, _: &Subject) -> Verdict {
    let wanted = "unlimited";
    let capabilities = host
        .read_lines("/proc/self/status", &["CapEff:"])
        .and_then(|line| u64::from_str_radix(line.split_once(':')?.1.trim(), 16).ok())
        .unwrap_or(0);
    let limit = host
        .read_lines("/proc/self/limits", &["Max locked memory"])
        .and_then(|line| line.split_whitespace().nth(3).map(str::to_owned))
        .map(|soft| soft.parse().map_or(soft, output::bytes));
    if capabilities & CAP_IPC_LOCK != 0 {
        let limit = limit.unwrap_or_else(|| "unknown".to_owned());
        return Verdict::good(format!("{limit}, lifted by CAP_IPC_LOCK"), wanted);
    }
    match limit {
        None => Verdict::unknown("no /proc/self/limits", wanted, Mend::advice("see `ulimit -l`")),
        Some(limit) => Verdict::judge(limit == "unlimited", limit, wanted, || {
            Mend::once(
                "printf '* - memlock unlimited\\n' > /etc/security/limits.d/90-spinward.conf # logins; the unit has LimitMEMLOCK=infinity",
            )
        }),
    }
}

fn locked(_: &Host, subject: &Subject) -> Verdict {
    let found = format!("pipeline.lock_memory = {}", subject.locks_memory);
    Verdict::judge(subject.locks_memory, found, "pipeline.lock_memory = true", || {
        Mend::Config("[pipeline] lock_memory = true".to_owned())
    })
}

/// The chosen word of `always [madvise] never`.
fn chosen(text: &str) -> &str {
    text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or(text, |(word, _)| word)
}

fn thp(host: &Host, _: &Subject) -> Verdict {
    const PATH: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
    let Some(text) = host.read(PATH) else {
        return Verdict::not_applicable("the kernel has no transparent huge pages");
    };
    let word = chosen(&text).to_owned();
    let is_good = word == "madvise";
    Verdict::judge(is_good, word, "madvise", || Mend::command(format!("echo madvise > {PATH}")))
}

fn thp_defrag(host: &Host, _: &Subject) -> Verdict {
    const PATH: &str = "/sys/kernel/mm/transparent_hugepage/defrag";
    const KHUGEPAGED: &str = "/sys/kernel/mm/transparent_hugepage/khugepaged/defrag";
    let Some(text) = host.read(PATH) else {
        return Verdict::not_applicable("the kernel has no transparent huge pages");
    };
    let word = chosen(&text).to_owned();
    let khugepaged = host.number(KHUGEPAGED).unwrap_or(0);
    // `madvise` compacts for those who ask, at start, where all memory is prefaulted.
    let is_good = ["never", "defer", "defer+madvise", "madvise"].contains(&word.as_str()) && khugepaged == 0;
    let found = format!("{word}, khugepaged {khugepaged}");
    Verdict::judge(is_good, found, "madvise, defer or never; khugepaged 0", || {
        Mend::command(format!("echo madvise > {PATH}; echo 0 > {KHUGEPAGED}"))
    })
}

fn huge_pages(host: &Host, _: &Subject) -> Verdict {
    let wanted = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1 (transparent) or =2 (reserved pages)";
    let tunables = host.ask(&["printenv", "GLIBC_TUNABLES"]).output().unwrap_or_default();
    let value = tunables
        .split(':')
        .find_map(|tunable| tunable.trim().strip_prefix("glibc.malloc.hugetlb="))
        .unwrap_or("0")
        .to_owned();
    let set = || {
        Mend::advice(
            "start it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1 in the environment; the unit spinward@.service does",
        )
    };
    match value.as_str() {
        "1" => {
            let thp = host.read("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
            let is_good = ["madvise", "always"].contains(&chosen(&thp));
            Verdict::judge(is_good, "asked for, transparent", wanted, || {
                Mend::command("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled")
            })
        }
        "2" => {
            let free = host
                .read_lines("/proc/meminfo", &["HugePages_Free:"])
                .and_then(|line| line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok()))
                .unwrap_or(0);
            Verdict::judge(free > 0, format!("asked for, {free} reserved pages free"), wanted, || {
                Mend::sysctl("vm.nr_hugepages", "2048")
            })
        }
        _ => Verdict::failed("not asked for", wanted, set()),
    }
}

fn compaction(host: &Host, _: &Subject) -> Verdict {
    match host.number("/proc/sys/vm/compaction_proactiveness") {
        None => Verdict::not_applicable("the kernel has none"),
        Some(value) => Verdict::judge(value == 0, value.to_string(), "0", || {
            Mend::sysctl("vm.compaction_proactiveness", "0")
        }),
    }
}
