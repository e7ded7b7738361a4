//! What this process finds on its host: cores, and what goes into the manifest.

use spinward_engine::pipeline::HostCores;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_core_lists_are_read() {
        assert_eq!(parse_core_list("2-4,7\n"), [2, 3, 4, 7]);
        assert_eq!(parse_core_list("\n"), [] as [usize; 0]);
        assert_eq!(parse_core_list("0"), [0]);
    }
}
