//! What this process finds on its host: its cores, and those that it may not use.

use crate::doctor::Cores;
use spinward_engine::pipeline::{HostCores, Topology};

/// The cores this process may use, and which of them are isolated.
pub(crate) fn cores() -> HostCores {
    let allowed = match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..rustix::thread::CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect(),
        Err(_) => vec![0],
    };
    let isolated = std::fs::read_to_string("/sys/devices/system/cpu/isolated")
        .map(|list| parse_core_list(&list))
        .unwrap_or_default();
    HostCores { allowed, isolated }
}

/// Reads the kernel's list format: `2-5,8,10-11`. What is not a number or a range is passed over.
pub(crate) fn parse_core_list(list: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in list.trim().split(',') {
        match part.split_once('-') {
            Some((first, last)) => {
                if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
                    cores.extend(first..=last);
                }
            }
            None => cores.extend(part.parse::<usize>()),
        }
    }
    cores
}

/// What to say of isolated cores that lie idle because this process may not use them (a login shell's mask does not have them any more), while threads
/// of the pipeline are left to the scheduler. `None` if there are no such cores or no such threads.
pub(crate) fn unused_isolation(host: &HostCores, topology: &Topology) -> Option<String> {
    let loose = topology.cores.iter().filter(|spec| spec.core.is_none()).count();
    let out_of_reach = out_of_reach(host).filter(|_| loose > 0)?;
    Some(format!(
        "{loose} of {} threads are not pinned (topology {}): cores {out_of_reach} are isolated, but not in this process's affinity mask ({}). \
         Start it with `{}`, or by the unit spinward@.service (CPUAffinity=), or give `[topology] cores`; see docs/tuning.md, step 4",
        topology.cores.len(),
        topology.name,
        set(&host.allowed),
        with_mask(&set(&host.allowed).or(&out_of_reach)),
    ))
}

/// Isolated cores outside of this process's affinity mask.
pub(crate) fn out_of_reach(host: &HostCores) -> Option<Cores> {
    let cores = set(&host.isolated).without(&set(&host.allowed));
    (!cores.is_empty()).then_some(cores)
}

/// The command that gives a process these cores.
pub(crate) fn with_mask(cores: &Cores) -> String {
    format!("taskset -c {cores} spinward …")
}

fn set(cores: &[usize]) -> Cores {
    cores.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_core_lists_are_read() {
        assert_eq!(parse_core_list("2-4,7\n"), [2, 3, 4, 7]);
        assert_eq!(parse_core_list("\n"), [] as [usize; 0]);
        assert_eq!(parse_core_list("0"), [0]);
    }

    #[test]
    fn isolated_cores_out_of_reach_are_told_where_threads_are_left_to_the_scheduler() {
        let host = |allowed: &str, isolated: &str| HostCores {
            allowed: parse_core_list(allowed),
            isolated: parse_core_list(isolated),
        };
        let told = |host: HostCores| unused_isolation(&host, &Topology::auto(&host, 1));
        let text = told(host("0-1,6-15", "2-5")).unwrap();
        assert!(
            text.starts_with("2 of 2 threads are not pinned (topology auto): cores 2-5 are isolated"),
            "{text}"
        );
        assert!(text.contains("mask (0-1,6-15)") && text.contains("`taskset -c 0-15 spinward …`"), "{text}");
        assert_eq!(told(host("0-15", "2-5")), None, "pinned to them");
        assert_eq!(told(host("0-15", "")), None, "there are none");
        let pinned = host("0-1,6-15", "2-5");
        let fused = Topology::fused(&[6, 7], 1, spinward_engine::pipeline::IdleStrategy::Spin);
        assert_eq!(unused_isolation(&pinned, &fused), None, "pinned elsewhere on purpose");
    }
}
