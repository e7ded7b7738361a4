//! Who receives: nobody in particular, the books, the pipeline.

use crate::error::LabError;
use crate::lab::{Market, stages};
use crate::session::Journal;
use crate::straight::{NoProbe, Straight, Upto};
use spinward_engine::pipeline::{
    Driver, HostCores, IdleStrategy, Next, NoTap, Pipeline, PipelineConfig, StampMode, Topology,
};
use spinward_engine::risk::Outbound;
use spinward_engine::words::{Clock, FrameKind, Message, Nanos, SourceId, Ticks};
use spinward_gateways::feed::{MarketFeed, Peek};
use spinward_gateways::live::{MoldFeed, MoldFeedConfig};
use spinward_gateways::mold::{Downstream, Kind};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::mpsc::{SyncSender, sync_channel};

/// What came.
#[derive(Clone, Copy)]
pub(super) struct Received {
    pub(super) messages: u64,
    /// By the kernel.
    pub(super) dropped: u64,
    pub(super) ended_at: Ticks,
}

fn any() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)
}

/// Receives and counts.
pub(super) fn bare(_: &Market, clock: &Clock, begin: &dyn Fn(SocketAddr)) -> Result<Received, LabError> {
    // The same buffer in the kernel as the feed has.
    let feed = MoldFeedConfig::new(any(), None);
    let socket = UdpSocket::bind(any()).map_err(LabError::failed)?;
    feed.line.fit_buffer(&socket);
    socket.set_nonblocking(true).map_err(LabError::failed)?;
    begin(socket.local_addr().map_err(LabError::failed)?);
    let mut packet = [0; 2_048];
    let mut messages = 0;
    loop {
        match socket.recv(&mut packet) {
            Ok(length) => {
                let packet = Downstream::parse(packet.get(..length).unwrap_or_default());
                let packet = packet.map_err(LabError::failed)?;
                if packet.kind() == Kind::EndOfSession {
                    return Ok(Received { messages, dropped: 0, ended_at: clock.ticks() });
                }
                messages += u64::from(packet.count());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(LabError::failed(error)),
        }
    }
}

fn feed() -> Result<(MoldFeed, SocketAddr), LabError> {
    let feed = MoldFeed::new(&MoldFeedConfig::new(any(), None)).map_err(LabError::failed)?;
    let address = feed.addresses().into_iter().flatten().next();
    Ok((feed, address.ok_or_else(|| LabError::failed("the line has no address"))?))
}

/// What the feed's receiver says of the stream at its end.
fn outcome(feed: &MoldFeed, messages: u64, ended_at: Ticks) -> Received {
    let counters = feed.counters();
    // The notice of the end is a message, too.
    let lost = u64::try_from(counters.lost.value()).unwrap_or(0);
    Received { messages: messages.saturating_sub(1), dropped: counters.kernel_drops() + lost, ended_at }
}

/// The feed, its messages decoded and applied to the books by straight calls.
pub(super) fn books(
    market: &Market,
    clock: &Clock,
    begin: &dyn Fn(SocketAddr),
) -> Result<Received, LabError> {
    let (mut feed, address) = feed()?;
    let mut stages = Straight::new(market, 0)?;
    begin(address);
    let mut messages = 0;
    loop {
        match feed.peek() {
            Peek::Message(message) => {
                stages.message(message.receive_time, message.bytes, 0, Upto::Book, &mut NoProbe);
                messages += 1;
                feed.advance();
            }
            Peek::NotYet => {}
            Peek::End => return Ok(outcome(&feed, messages, clock.ticks())),
            Peek::Failed(error) => return Err(LabError::failed(error)),
        }
    }
}

/// A feed without a venue.
struct FeedDriver {
    feed: MoldFeed,
    clock: Clock,
    messages: u64,
    time: Nanos,
    results: SyncSender<Received>,
}

impl Driver for FeedDriver {
    fn submit(&mut self, _: &Outbound) {}

    fn next(&mut self, _: u64) -> Next<'_> {
        let ended = outcome(&self.feed, self.messages, 0);
        match self.feed.peek() {
            Peek::Message(message) => Next::Message(Message {
                source: SourceId::new(0),
                kind: FrameKind::Market,
                receive_time: message.receive_time,
                stamp: 0,
                bytes: message.bytes,
            }),
            Peek::NotYet => Next::Wait,
            Peek::End | Peek::Failed(_) => {
                // There is room for one; asked again there is nothing new to say.
                let _ = self.results.try_send(Received { ended_at: self.clock.ticks(), ..ended });
                Next::End
            }
        }
    }

    fn advance(&mut self, _: u64) {
        self.messages += 1;
        self.feed.advance();
    }

    fn now(&self) -> Nanos {
        self.time
    }

    fn stop(&mut self) {}
}

/// The feed through the pipeline with its journal, all on the core of the caller.
pub(super) fn pipeline(
    market: &Market,
    clock: &Clock,
    begin: &dyn Fn(SocketAddr),
) -> Result<Received, LabError> {
    let (feed, address) = feed()?;
    let (results, received) = sync_channel(1);
    let driver = FeedDriver { feed, clock: clock.clone(), messages: 0, time: Nanos::ZERO, results };
    let journal = Journal::new("feed", market.count())?;
    // Its only thread inherits the core.
    let mut topology = Topology::fused(&[0], 1, IdleStrategy::Spin);
    for spec in &mut topology.cores {
        spec.core = None;
    }
    let pipeline = Pipeline::start(
        &PipelineConfig { stamps: StampMode::Off, burst: 16, ..PipelineConfig::default() },
        &topology,
        &HostCores { allowed: vec![0], isolated: Vec::new() },
        clock,
        stages(market, 0)?,
        driver,
        None,
        journal.sink()?,
        NoTap,
    )
    .map_err(LabError::failed)?;
    begin(address);
    pipeline.join().ok_or_else(|| LabError::failed("a thread of the pipeline panicked"))?;
    received.recv().map_err(LabError::failed)
}
