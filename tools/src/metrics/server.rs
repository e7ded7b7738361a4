//! `/metrics` and `/health` over HTTP/1.1: two fixed answers, so the few lines stand here.

use super::sources::Sources;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, timeout};

/// What can be scraped.
pub(crate) trait Scraped: Send + Sync + 'static {
    /// The text exposition format.
    fn metrics(&self) -> String;

    /// A line that says how it does; the error says why it does not work.
    fn health(&self) -> Result<String, String>;
}

/// Longest request head that is read.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// How long a client may take for its request, and for taking the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Turns of the watch.
const TICK: Duration = Duration::from_millis(100);

/// Answers until the runtime ends.
pub(crate) async fn serve<S: Scraped>(listener: TcpListener, sources: Arc<S>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let sources = Arc::clone(&sources);
                tokio::spawn(async move {
                    // A client that goes away or is too slow has only itself to answer to.
                    let _ = timeout(PATIENCE, answer(stream, &*sources)).await;
                });
            }
            // Out of file descriptors, for one: there may be some again.
            Err(_) => tokio::time::sleep(TICK).await,
        }
    }
}

/// Measures how late the runtime is for its own timer: what some job has held the thread.
pub(crate) async fn watch_runtime(sources: Arc<Sources>) {
    let mut due = Instant::now() + TICK;
    let mut ticks = interval_at(due, TICK);
    loop {
        ticks.tick().await;
        let late = Instant::now().saturating_duration_since(due);
        let late = i64::try_from(late.as_nanos()).unwrap_or(i64::MAX);
        sources.side.ticks.add(1);
        if late > sources.side.delay_ns_max.value() {
            sources.side.delay_ns_max.set(late);
        }
        due = Instant::now() + TICK;
    }
}

async fn answer(mut stream: TcpStream, sources: &impl Scraped) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut part = [0u8; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut part).await?;
        if count == 0 || head.len() + count > HEAD_BYTES_MAX {
            return Ok(());
        }
        head.extend(part.iter().take(count));
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (status, kind, body) = match (method, path.split('?').next().unwrap_or("")) {
        ("GET", "/metrics") => ("200 OK", "text/plain; version=0.0.4; charset=utf-8", sources.metrics()),
        ("GET", "/health") => match sources.health() {
            Ok(how) => ("200 OK", "text/plain; charset=utf-8", format!("ok {how}\n")),
            Err(why) => ("503 Service Unavailable", "text/plain; charset=utf-8", format!("{why}\n")),
        },
        ("GET", _) => ("404 Not Found", "text/plain; charset=utf-8", "try /metrics or /health\n".to_owned()),
        _ => ("405 Method Not Allowed", "text/plain; charset=utf-8", "GET only\n".to_owned()),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
