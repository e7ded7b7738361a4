//! Captures to messages: pcap frames through MoldUDP64 into blocks, by the clock of the capture.

use super::block::{Block, Entry};
use super::reader::{FileSource, Reader, Stopped};
use crate::feed::FeedError;
use crate::mold::{self, Line, Receiver, ReceiverAction, ReceiverConfig};
use crate::notice::Notice;
use crate::pcap::{PcapReader, Transport, decode};
use spinward_engine::words::Nanos;
use std::net::SocketAddrV4;

/// Most bytes that one packet can let out: its own, and all that waited for it.
const RELEASED_BYTES_MAX: usize = (64 << 10) + WINDOW_MESSAGES * MESSAGE_BYTES;

const WINDOW_MESSAGES: usize = 8_192;
const MESSAGE_BYTES: usize = 64;

/// The stream of a capture, over all of its files.
pub(super) struct CaptureStream {
    receiver: Receiver,
    /// Where lines A and B are sent to.
    lines: [Option<SocketAddrV4>; 2],
    /// Lines were named: other datagrams are not ours.
    are_named: bool,
    now: Nanos,
}

impl CaptureStream {
    pub(super) fn new(lines: &[SocketAddrV4]) -> Result<Self, FeedError> {
        if lines.len() > 2 {
            return Err(FeedError { what: format!("{} lines; MoldUDP64 has A and B", lines.len()) });
        }
        let receiver = Receiver::new(ReceiverConfig {
            // What was sent before the capture is not missed.
            next_sequence: None,
            window_messages: WINDOW_MESSAGES,
            message_bytes_max: MESSAGE_BYTES,
            // Nobody answers.
            request: None,
            // Silence of a line says nothing: a capture may be of one.
            silence_max: Nanos::MAX,
            ..ReceiverConfig::default()
        })
        .map_err(|error| FeedError { what: error.to_string() })?;
        let line = |index: usize| lines.get(index).copied();
        Ok(Self {
            receiver,
            lines: [line(0), line(1)],
            are_named: !lines.is_empty(),
            now: Nanos::new(i64::MIN),
        })
    }

    /// Which line a destination is. `Ok(None)`: not ours.
    fn line(&mut self, destination: SocketAddrV4) -> Result<Option<Line>, SocketAddrV4> {
        for (place, line) in self.lines.iter_mut().zip([Line::A, Line::B]) {
            match place {
                Some(known) if *known == destination => return Ok(Some(line)),
                None if !self.are_named => {
                    *place = Some(destination);
                    return Ok(Some(line));
                }
                Some(_) | None => {}
            }
        }
        if self.are_named { Ok(None) } else { Err(destination) }
    }
}

/// Reads one file to its end.
pub(super) fn read(
    reader: &mut Reader,
    source: &mut FileSource,
    stream: &mut CaptureStream,
) -> Result<Result<(), FeedError>, Stopped> {
    let path = source.path().display().to_string();
    let failed = |what: String| Ok(Err(FeedError { what: format!("{path}: {what}") }));
    let mut frames = match PcapReader::new(source.bytes()) {
        Ok(frames) => frames,
        Err(error) => return failed(error.to_string()),
    };
    let mut room = Room { block: reader.vacant_block()?, filled: 0, time: Nanos::ZERO };
    let outcome = loop {
        let frame = match frames.next_frame() {
            Ok(Some(frame)) => frame,
            Ok(None) => break Ok(()),
            Err(error) => break Err(format!("{error}; everything before was given")),
        };
        let place = format_args!("frame {}", frame.index + 1).to_string();
        let datagram = match decode(&frame) {
            Ok(Transport::Udp(datagram)) => datagram,
            Ok(Transport::Tcp(_) | Transport::Other) => continue,
            Err(error) => break Err(format!("{place}: {error}; everything before was given")),
        };
        let line = match stream.line(datagram.destination) {
            Ok(Some(line)) => line,
            Ok(None) => continue,
            Err(third) => {
                let [a, b] = stream.lines.map(|line| line.map_or_else(String::new, |line| line.to_string()));
                break Err(format!(
                    "{place}: datagrams to {third}, besides {a} and {b}: which are lines A and B? Name them: feed.lines = [\"{a}\", \"{b}\"]"
                ));
            }
        };
        if room.rest() < RELEASED_BYTES_MAX {
            let full = std::mem::replace(&mut room.block, reader.vacant_block()?);
            room.filled = 0;
            reader.finish(full);
        }
        // A capture's clock may step back; receive times do not.
        stream.now = stream.now.max(frame.time);
        room.time = stream.now;
        stream.receiver.on_packet(line, stream.now, datagram.payload, &mut |action| room.take(&action));
        reader.on_capture(stream.receiver.counters());
    };
    reader.finish(room.block);
    match outcome {
        Ok(()) => Ok(Ok(())),
        Err(what) => failed(what),
    }
}

/// What still waits when the capture ends will have no answer: told as lost, and then itself.
pub(super) fn end(reader: &mut Reader, stream: &mut CaptureStream) -> Result<(), Stopped> {
    let mut room = Room { block: reader.vacant_block()?, filled: 0, time: stream.now };
    // Each gap has its time, one behind the other; silent lines have none.
    while let Some(at) = stream.receiver.wake_at().filter(|at| *at < Nanos::MAX) {
        stream.receiver.on_time(at, &mut |action| room.take(&action));
    }
    reader.on_capture(stream.receiver.counters());
    reader.finish(room.block);
    Ok(())
}

/// A block that is being filled.
struct Room {
    block: Block,
    filled: usize,
    time: Nanos,
}

impl Room {
    fn rest(&self) -> usize {
        self.block.data.len() - self.filled
    }

    fn take(&mut self, action: &ReceiverAction<'_>) {
        match *action {
            ReceiverAction::Message { bytes, .. } => self.put(bytes),
            ReceiverAction::Lost { first, next } => self.put(&Notice::Lost { first, next }.encode()),
            ReceiverAction::Malformed { line, error: _ } => {
                self.put(&Notice::Malformed { line: line as u8 }.encode());
            }
            ReceiverAction::EndOfSession { next_sequence } => {
                self.put(&Notice::EndOfSession { next: next_sequence }.encode());
            }
            ReceiverAction::Session(_)
            | ReceiverAction::Request(_)
            | ReceiverAction::LineDown(_)
            | ReceiverAction::LineUp(_) => {}
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        // There is room: looked at before every packet.
        let Some(to) = self.block.data.get_mut(self.filled..end) else { return };
        to.copy_from_slice(bytes);
        // < 2^30 and < 2^16
        let entry = Entry { receive_time: self.time, start: self.filled as u32, bytes: bytes.len() as u32 };
        self.block.entries.push(entry);
        self.filled = end;
    }
}

const _: () =
    assert!(RELEASED_BYTES_MAX < super::BLOCK_BYTES_MIN && MESSAGE_BYTES <= mold::MESSAGE_BYTES_MAX);

#[cfg(test)]
mod tests;
