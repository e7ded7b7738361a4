//! [`step_aside`]: how a thread that nobody waits for keeps out of the pipeline's way.

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use spinward_engine::pipeline::keep_off;

/// Leaves the pipeline's cores to it, where there are others, and yields to the rest by so much niceness (0 to 19). Where the system refuses, the thread goes on as
/// it is.
pub(super) fn step_aside(pipeline: &[usize], nice: i32) {
    let _ = setpriority_process(Some(gettid()), nice);
    keep_off(pipeline);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;

    #[test]
    fn it_is_the_nicer_and_nobody_else_is() {
        let nice = || getpriority_process(Some(gettid())).unwrap();
        let before = nice();
        let thread = std::thread::spawn(move || {
            step_aside(&[], 19);
            nice()
        });
        assert_eq!(thread.join().unwrap(), 19);
        assert_eq!(nice(), before);
    }
}
