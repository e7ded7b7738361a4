//! [`step_aside`]: how a thread that nobody waits for keeps out of the pipeline's way.

use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};

/// Leaves the pipeline's cores to it, where there are others, and yields to the rest by so much niceness (0 to 19). Where the system refuses, the thread goes on as
/// it is.
pub(super) fn step_aside(pipeline: &[usize], nice: i32) {
    let _ = setpriority_process(Some(gettid()), nice);
    let Ok(mut allowed) = sched_getaffinity(None) else { return };
    for core in pipeline.iter().copied().filter(|core| *core < CpuSet::MAX_CPU) {
        allowed.unset(core);
    }
    if allowed.count() > 0 {
        let _ = sched_setaffinity(None, &allowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;

    #[test]
    fn it_leaves_the_pipelines_cores_unless_there_are_no_others() {
        let cores = |set: &CpuSet| (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect::<Vec<_>>();
        let before = getpriority_process(Some(gettid())).unwrap();
        let all = cores(&sched_getaffinity(None).unwrap());
        let (first, others) = all.split_first().unwrap();
        let after = |pipeline: Vec<usize>| {
            let thread = std::thread::spawn(move || {
                step_aside(&pipeline, 19);
                (sched_getaffinity(None).unwrap(), getpriority_process(Some(gettid())).unwrap())
            });
            let (allowed, nice) = thread.join().unwrap();
            assert_eq!(nice, 19);
            cores(&allowed)
        };
        assert_eq!(after(vec![*first, usize::MAX]), if others.is_empty() { &all } else { others });
        assert_eq!(after(all.clone()), all);
        assert_eq!(getpriority_process(Some(gettid())).unwrap(), before, "its own thread alone");
    }
}
