//! The thread that looks at what disturbs the pipeline's threads.

use anyhow::Context;
use spinward_recorder::{InterferenceTotals, InterferenceWatch};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The running thread. Dropping it ends it.
pub(crate) struct WatchThread {
    totals: Arc<InterferenceTotals>,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WatchThread {
    /// Looks once each interval, and a last time at the end.
    pub(crate) fn start(mut watch: InterferenceWatch, interval: Duration) -> anyhow::Result<Self> {
        let totals = watch.totals();
        let (stop, stopped) = sync_channel(1);
        let look = move || {
            let mut has_failed = false;
            loop {
                let wait = stopped.recv_timeout(interval);
                if let Err(error) = watch.poll()
                    && !has_failed
                {
                    // The session goes on without: what is stored of latency is no part of it.
                    eprintln!("warning: {error}");
                    has_failed = true;
                }
                match wait {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("spinward-watch".to_owned())
            .spawn(look)
            .context("cannot start the thread that looks for interference")?;
        Ok(Self { totals, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn totals(&self) -> Arc<InterferenceTotals> {
        Arc::clone(&self.totals)
    }
}

impl Drop for WatchThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!(
                "warning: the thread that looks for interference panicked; the session itself is whole"
            );
        }
    }
}
