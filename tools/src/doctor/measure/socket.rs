//! How long a small message takes through the kernel's network stack: there and back over the loopback, both ends polling.

use super::{pin, quantile};
use serde::Serialize;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// What was seen.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Socket {
    pub(crate) trips: usize,
    /// One way: half of the round trip.
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) max_ns: u64,
}

/// About an order in a binary protocol, bytes.
const MESSAGE: usize = 64;
const TRIPS_MAX: usize = 5_000;

pub(super) fn measure(cores: &[usize], length: Duration) -> anyhow::Result<Socket> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (near, far) = (cores.first().copied(), cores.get(1).copied());
    let mut times = std::thread::scope(|scope| -> anyhow::Result<Vec<u64>> {
        let echo = scope.spawn(move || -> std::io::Result<()> {
            far.map(pin);
            let mut stream = TcpStream::connect(address)?;
            prepare(&stream)?;
            let mut message = [0; MESSAGE];
            // The other end closes when it has enough.
            while receive(&mut stream, &mut message)? {
                send(&mut stream, &message)?;
            }
            Ok(())
        });
        let times = scope.spawn(move || -> std::io::Result<Vec<u64>> {
            near.map(pin);
            let (mut stream, _) = listener.accept()?;
            prepare(&stream)?;
            let mut message = [0x5a; MESSAGE];
            let mut times = Vec::with_capacity(TRIPS_MAX);
            let start = Instant::now();
            while times.len() < TRIPS_MAX && start.elapsed() < length {
                let from = Instant::now();
                send(&mut stream, &message)?;
                if !receive(&mut stream, &mut message)? {
                    break;
                }
                times.push(u64::try_from(from.elapsed().as_nanos()).unwrap_or(u64::MAX) / 2);
            }
            Ok(times)
        });
        let panicked = |_| anyhow::anyhow!("a thread of the measurement panicked");
        let times = times.join().map_err(panicked)??;
        echo.join().map_err(panicked)??;
        Ok(times)
    })?;
    times.sort_unstable();
    Ok(Socket {
        trips: times.len(),
        p50_ns: quantile(&times, 0.5),
        p99_ns: quantile(&times, 0.99),
        max_ns: times.last().copied().unwrap_or(0),
    })
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)
}

/// Polls until the message is whole; false if the other end has closed.
fn receive(stream: &mut TcpStream, message: &mut [u8]) -> std::io::Result<bool> {
    let mut rest = message;
    while !rest.is_empty() {
        match stream.read(rest) {
            Ok(0) => return Ok(false),
            Ok(count) => rest = rest.get_mut(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn send(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    let mut rest = message;
    while !rest.is_empty() {
        match stream.write(rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_round_and_both_ends_end() {
        let socket = measure(&[], Duration::from_millis(50)).unwrap();
        assert!(socket.trips > 0);
        assert!(0 < socket.p50_ns && socket.p50_ns <= socket.p99_ns && socket.p99_ns <= socket.max_ns);
    }
}
