//! Which memory and which card lie near the cores.

use crate::doctor::check::Check;
use crate::doctor::cores::Cores;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::Host;
use crate::doctor::subject::Subject;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "numa.cores",
        severity: Severity::Warning,
        what: "all cores lie in one memory node",
        why: "a ring between two nodes crosses the socket's link with every slot",
        run: cores,
    },
    Check {
        id: "numa.memory",
        severity: Severity::Warning,
        what: "their node has memory free",
        why: "what does not fit comes from another, slower node, or after the kernel has thrown its cache away",
        run: memory,
    },
    Check {
        id: "numa.nic",
        severity: Severity::Warning,
        what: "the network card hangs on the same node",
        why: "each packet crosses the socket's link, and comes from memory instead of the cache",
        run: nic,
    },
    Check {
        id: "numa.balancing",
        severity: Severity::Warning,
        what: "the kernel does not move memory between nodes by itself",
        why: "it unmaps pages to see who faults on them: faults on the hot path",
        run: balancing,
    },
];

/// Rings, books and prefaulted journal of a large configuration, kB.
const FREE_KB: u64 = 1 << 20;

/// Number and cores of each node.
fn nodes(host: &Host) -> Vec<(usize, Cores)> {
    let mut nodes: Vec<(usize, Cores)> = host
        .list("/sys/devices/system/node")
        .iter()
        .filter_map(|name| name.strip_prefix("node")?.parse().ok())
        .filter_map(|node| {
            Some((node, host.core_list(&format!("/sys/devices/system/node/node{node}/cpulist"))?))
        })
        .collect();
    nodes.sort_by_key(|(node, _)| *node);
    nodes
}

/// The nodes that the cores of the subject lie in.
fn used(host: &Host, subject: &Subject) -> Vec<(usize, Cores)> {
    let mut nodes = nodes(host);
    nodes.retain(|(_, cores)| !cores.and(&subject.cores).is_empty());
    nodes
}

fn cores(host: &Host, subject: &Subject) -> Verdict {
    let all = nodes(host);
    if all.len() < 2 {
        return Verdict::not_applicable("one node");
    }
    let used = used(host, subject);
    let text: Vec<String> =
        used.iter().map(|(node, cores)| format!("node {node}: {}", cores.and(&subject.cores))).collect();
    Verdict::judge(used.len() == 1, text.join("; "), "one node", || {
        let choice: Vec<String> =
            all.iter().map(|(node, cores)| format!("node {node} has {cores}")).collect();
        Mend::Config(format!("[topology] cores: take them from one node ({})", choice.join("; ")))
    })
}

fn memory(host: &Host, subject: &Subject) -> Verdict {
    let wanted = format!("at least {} MiB free", FREE_KB >> 10);
    let mut least: Option<(usize, u64)> = None;
    for (node, _) in used(host, subject) {
        let path = format!("/sys/devices/system/node/node{node}/meminfo");
        let line = host.read_lines(&path, &[&format!("Node {node} MemFree:")]);
        let free =
            line.and_then(|line| line.split_whitespace().nth(3).and_then(|word| word.parse::<u64>().ok()));
        if let Some(free) = free
            && least.is_none_or(|(_, known)| free < known)
        {
            least = Some((node, free));
        }
    }
    match least {
        None => {
            Verdict::unknown("the kernel does not tell", wanted, Mend::advice("see `numactl --hardware`"))
        }
        Some((node, free)) => {
            Verdict::judge(free >= FREE_KB, format!("node {node}: {} MiB free", free >> 10), wanted, || {
                Mend::command("sync; echo 1 > /proc/sys/vm/drop_caches")
            })
        }
    }
}

fn nic(host: &Host, subject: &Subject) -> Verdict {
    if subject.interfaces.is_empty() {
        return Verdict::not_applicable("no network card");
    }
    if nodes(host).len() < 2 {
        return Verdict::not_applicable("one node");
    }
    let used = used(host, subject);
    let mut found = Vec::new();
    let mut bad = Vec::new();
    for interface in &subject.interfaces {
        let node = host.number(&format!("/sys/class/net/{interface}/device/numa_node"));
        // The kernel says −1 where firmware says nothing.
        let Some(node) = node.and_then(|node| usize::try_from(node).ok()) else { continue };
        found.push(format!("{interface}: node {node}"));
        if used.iter().any(|(own, _)| *own != node) {
            bad.push(node);
        }
    }
    let nodes_text: Vec<String> = used.iter().map(|(node, _)| node.to_string()).collect();
    let wanted = format!("node {}", nodes_text.join(", "));
    if found.is_empty() {
        return Verdict::unknown(
            "the firmware does not tell",
            wanted,
            Mend::advice("see the mainboard's manual for the slot's socket, and `lspci -vv`"),
        );
    }
    Verdict::judge(bad.is_empty(), found.join("; "), wanted, || {
        let cores = bad
            .first()
            .and_then(|node| host.core_list(&format!("/sys/devices/system/node/node{node}/cpulist")))
            .unwrap_or_default();
        Mend::Config(format!("[topology] cores: take them from the card's node ({cores}), or move the card"))
    })
}

fn balancing(host: &Host, _: &Subject) -> Verdict {
    match host.number("/proc/sys/kernel/numa_balancing") {
        None => Verdict::not_applicable("the kernel has none"),
        Some(value) => {
            Verdict::judge(value == 0, value.to_string(), "0", || Mend::sysctl("kernel.numa_balancing", "0"))
        }
    }
}
