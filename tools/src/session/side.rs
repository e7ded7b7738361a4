//! The side thread: a tokio runtime of its own for metrics, the operator's socket and Ctrl-C. Nothing on it can hold up the pipeline.

use crate::failure::Failure;
use crate::metrics::{self, Sources};
use anyhow::Context;
use spinward_config::Settings;
use spinward_engine::pipeline::Progress;
use spinward_gateways::operator::{OperatorSender, OperatorServer, SessionView};
use spinward_recorder::SessionFolder;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Sockets, bound before the session starts so that what is wrong with them is told before anything runs.
pub(crate) struct Side {
    runtime: Runtime,
    listener: Option<TcpListener>,
    operator: Option<OperatorServer>,
}

/// What the side thread looks at and speaks to.
pub(crate) struct SideParts {
    pub(crate) sources: Arc<Sources>,
    pub(crate) sender: OperatorSender,
    pub(crate) progress: Arc<Progress>,
}

/// The running thread.
pub(crate) struct SideThread {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Side {
    pub(crate) fn bind(settings: &Settings, folder: &SessionFolder) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the side thread's runtime")?;
        let entered = runtime.enter();
        let listener = match settings.metrics_address() {
            Some(address) => {
                let listener = TcpListener::bind(address)
                    .with_context(|| {
                        format!("cannot serve metrics on {address}: is another session running? Give --metrics 127.0.0.1:0 or off")
                    })
                    .map_err(Failure::Usage)?;
                listener.set_nonblocking(true).context("cannot serve metrics")?;
                Some(listener)
            }
            None => None,
        };
        let operator = match settings.operator_socket(folder.path()) {
            Some(path) => Some(OperatorServer::bind(&path).map_err(Failure::usage)?),
            None => None,
        };
        drop(entered);
        Ok(Self { runtime, listener, operator })
    }

    pub(crate) fn start(self, parts: SideParts) -> Result<SideThread, Failure> {
        let (stop, stopped) = oneshot::channel::<()>();
        let Self { runtime, listener, operator } = self;
        if let Some(address) = listener.as_ref().and_then(|listener| listener.local_addr().ok()) {
            parts.sources.set_address(address);
        }
        let thread = std::thread::Builder::new()
            .name("spinward-side".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let SideParts { sources, sender, progress } = parts;
                    if let Some(listener) = listener {
                        let sources = Arc::clone(&sources);
                        tokio::spawn(metrics::serve(listener, sources));
                    }
                    if let Some(operator) = operator {
                        let session: Arc<dyn SessionView> = Arc::clone(&sources) as _;
                        tokio::spawn(operator.run(sender.with_session(session)));
                    }
                    tokio::spawn(metrics::watch_runtime(Arc::clone(&sources)));
                    tokio::spawn(async move {
                        if tokio::signal::ctrl_c().await.is_ok() {
                            progress.stop();
                        }
                    });
                    // The sender's end of the session; that it is gone means the same.
                    let _ = stopped.await;
                });
            })
            .context("cannot start the side thread")?;
        Ok(SideThread { stop, thread })
    }
}

impl SideThread {
    /// Ends it; the sockets are closed then.
    pub(crate) fn stop(self) {
        // It may have ended by itself.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            eprintln!("warning: the side thread panicked; the session itself is whole");
        }
    }
}
