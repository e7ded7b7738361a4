//! Market data from the sockets to a book: our receiver, decoder and book stage.

use crate::trader::PATIENCE;
use spinward_engine::book::{BookConfig, BookOutput, BookStage};
use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta};
use spinward_engine::words::{EventKind, InstrumentId, InstrumentTable, Nanos, Side, SourceId};
use spinward_gateways::exchange::server::{BookOrder, ExchangeState};
use spinward_gateways::itch50::{Itch50Config, Itch50Decoder};
use spinward_gateways::mold::{Line, Receiver, ReceiverAction, ReceiverConfig};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Books of messages.
pub(crate) struct Books {
    decoder: Itch50Decoder,
    instruments: InstrumentTable,
    batch: EventBatch,
    stage: BookStage,
    view: BookOutput,
    messages: u64,
}

impl Books {
    pub(crate) fn new() -> Self {
        let config = BookConfig {
            instruments_max: 64,
            orders_max: 1 << 15,
            levels_max: 1 << 15,
            ..BookConfig::default()
        };
        Self {
            decoder: Itch50Decoder::new(Itch50Config::default()),
            instruments: InstrumentTable::with_capacity(64),
            batch: EventBatch::new(),
            stage: BookStage::new(&config).unwrap(),
            view: BookOutput::vacant(),
            messages: 0,
        }
    }

    pub(crate) fn message(&mut self, bytes: &[u8]) {
        self.messages += 1;
        let meta = MessageMeta { frame: self.messages, receive_time: Nanos::ZERO, source: SourceId::new(0) };
        self.batch.clear();
        self.decoder.decode(&meta, bytes, &mut self.instruments, &mut self.batch);
        for event in self.batch.events() {
            assert_ne!(event.kind(), EventKind::Malformed, "{bytes:02x?}");
            self.stage.on_event(event, &mut self.view);
        }
    }

    /// Every order of every queue is as the exchange has it.
    pub(crate) fn check(&self, state: &ExchangeState) {
        let counters = self.stage.counters();
        let defects = [&counters.unknown_orders, &counters.duplicate_orders, &counters.excess_quantities];
        assert_eq!(defects.map(|counter| counter.value()), [0; 3]);
        for (index, symbol) in state.symbols.iter().enumerate() {
            let id = InstrumentId::new(index as u32);
            for (side, expected) in [(Side::Buy, &symbol.bids), (Side::Sell, &symbol.asks)] {
                let mut ours = Vec::new();
                for level in self.stage.levels(id, side) {
                    for order in self.stage.queue(id, side, level.price) {
                        ours.push((order.reference, level.price.nanos(), order.qty.lots()));
                    }
                }
                let theirs = |o: &BookOrder| {
                    (o.reference, i64::from(o.price.units()) * 100_000, i64::from(o.displayed))
                };
                let expected: Vec<_> = expected.iter().map(theirs).collect();
                assert!(ours == expected, "{} {side:?}\nours   {ours:?}\ntheirs {expected:?}", symbol.name);
            }
        }
    }
}

/// Sockets of both lines, and of answers.
pub(crate) struct Feed {
    pub(crate) lines: [UdpSocket; 2],
    pub(crate) requests: UdpSocket,
    pub(crate) receiver: Receiver,
    pub(crate) books: Books,
    /// Messages before this one are in the books already, by a snapshot.
    pub(crate) from: u64,
    pub(crate) lost: Vec<(u64, u64)>,
    pub(crate) ended_at: Option<u64>,
    pub(crate) start: Instant,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self::with(ReceiverConfig::default())
    }

    pub(crate) fn with(config: ReceiverConfig) -> Self {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        Self {
            lines: [socket(), socket()],
            requests: socket(),
            receiver: Receiver::new(config).unwrap(),
            books: Books::new(),
            from: 0,
            lost: Vec::new(),
            ended_at: None,
            start: Instant::now(),
        }
    }

    pub(crate) fn addresses(&self) -> [SocketAddr; 2] {
        [0, 1].map(|line: usize| self.lines[line].local_addr().unwrap())
    }

    /// Takes what has come; gives whether anything did.
    pub(crate) fn poll(&mut self, retransmission: SocketAddr) -> bool {
        let now = Nanos::new(self.start.elapsed().as_nanos() as i64 + 1);
        let Self { lines, requests, receiver, books, lost, ended_at, from, .. } = self;
        let mut asked = Vec::new();
        let mut act = |action: ReceiverAction<'_>| match action {
            ReceiverAction::Message { sequence, bytes } if sequence >= *from => books.message(bytes),
            ReceiverAction::Message { .. } => {}
            ReceiverAction::Request(request) => asked.push(*request),
            ReceiverAction::Lost { first, next } => lost.push((first, next)),
            ReceiverAction::EndOfSession { next_sequence } => *ended_at = Some(next_sequence),
            ReceiverAction::Session(_)
            | ReceiverAction::LineDown(_)
            | ReceiverAction::LineUp(_)
            | ReceiverAction::Malformed { .. } => {}
        };
        let mut any = false;
        let mut buffer = [0; 65_536];
        let sources = [(&lines[0], Line::A), (&lines[1], Line::B), (&*requests, Line::Retransmission)];
        for (socket, line) in sources {
            while let Ok((length, _)) = socket.recv_from(&mut buffer) {
                any = true;
                receiver.on_packet(line, now, &buffer[..length], &mut act);
            }
        }
        receiver.on_time(now, &mut act);
        for request in asked {
            requests.send_to(&request, retransmission).unwrap();
        }
        any
    }

    /// Until all messages before this one are told.
    pub(crate) fn follow(&mut self, next: u64, retransmission: SocketAddr) {
        let start = Instant::now();
        while self.receiver.next_sequence().is_none_or(|ours| ours < next) {
            if !self.poll(retransmission) {
                std::thread::sleep(Duration::from_micros(200));
            }
            let counters = self.receiver.counters();
            assert!(
                start.elapsed() < PATIENCE,
                "at {:?} of {next}: {counters:?}",
                self.receiver.next_sequence()
            );
        }
        assert_eq!(self.receiver.next_sequence(), Some(next));
    }

    /// Until the session is over.
    pub(crate) fn follow_to_end(&mut self, retransmission: SocketAddr) -> u64 {
        let start = Instant::now();
        loop {
            if let Some(next) = self.ended_at {
                return next;
            }
            if !self.poll(retransmission) {
                std::thread::sleep(Duration::from_micros(200));
            }
            assert!(start.elapsed() < PATIENCE, "no end of the session");
        }
    }
}
