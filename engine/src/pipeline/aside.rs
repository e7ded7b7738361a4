//! [`keep_off`]: how a thread that is not of the pipeline leaves the pipeline's cores alone.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Takes these cores from the calling thread's, where it has others: a scheduler may put a thread beside one that spins, and then each waits for whole time slices of the
/// other. Threads that it starts afterwards inherit it. Where the system refuses, the thread goes on as it is.
pub fn keep_off(cores: &[usize]) {
    let Ok(mut allowed) = sched_getaffinity(None) else { return };
    for core in cores.iter().copied().filter(|core| *core < CpuSet::MAX_CPU) {
        allowed.unset(core);
    }
    if allowed.count() > 0 {
        let _ = sched_setaffinity(None, &allowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_leaves_the_cores_unless_there_are_no_others() {
        let cores = |set: &CpuSet| (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect::<Vec<_>>();
        let all = cores(&sched_getaffinity(None).unwrap());
        let (first, others) = all.split_first().unwrap();
        let after = |pipeline: Vec<usize>| {
            let thread = std::thread::spawn(move || {
                keep_off(&pipeline);
                sched_getaffinity(None).unwrap()
            });
            cores(&thread.join().unwrap())
        };
        assert_eq!(after(vec![*first, usize::MAX]), if others.is_empty() { &all } else { others });
        assert_eq!(after(all.clone()), all);
        assert_eq!(cores(&sched_getaffinity(None).unwrap()), all, "its own thread alone");
    }
}
