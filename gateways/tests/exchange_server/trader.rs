//! One who trades over a socket.

use spinward_gateways::itch50::{Be32, Stock};
use spinward_gateways::ouch50::{
    Appendage, CancelOrder, ClOrdId, EnterOrder, Inbound, MESSAGE_BYTES_MAX, OuchPrice, Outbound,
    ReplaceOrder,
};
use spinward_gateways::soup::{Alpha, LoginRequest, Numeric, Packet, PacketStream, RejectReason};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A test waits so long for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What came from the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Came {
    Message(Vec<u8>),
    Accepted { session: Vec<u8>, next: u64 },
    Rejected(RejectReason),
    End,
    Closed,
}

/// A connection with SoupBinTCP; market data's snapshot and replay come the same way.
pub(crate) struct Trader {
    socket: TcpStream,
    stream: PacketStream,
    came: VecDeque<Came>,
    /// Sequence of the next message.
    pub(crate) next: u64,
    /// Number of the next order.
    pub(crate) user_ref: u32,
}

impl Trader {
    /// Sends the login; its answer is yet to come.
    pub(crate) fn connect(to: SocketAddr, user: &str, password: &str, session: &str, sequence: u64) -> Self {
        let start = Instant::now();
        // An exchange that restarts refuses for a while.
        let socket = loop {
            match TcpStream::connect(to) {
                Ok(socket) => break socket,
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
        };
        socket.set_nodelay(true).unwrap();
        let mut trader =
            Self { socket, stream: PacketStream::new(2_000), came: VecDeque::new(), next: 0, user_ref: 1 };
        let login = LoginRequest {
            user: Alpha::new(user).unwrap(),
            password: Alpha::new(password).unwrap(),
            session: Alpha::new(session).unwrap(),
            sequence: Numeric::new(sequence).unwrap(),
        };
        trader.packet(&Packet::LoginRequest(&login, None));
        trader
    }

    /// Logged in, from this message on.
    pub(crate) fn login(to: SocketAddr, user: &str, sequence: u64) -> Self {
        let mut trader = Self::connect(to, user, "secret", "", sequence);
        match trader.wait() {
            Came::Accepted { next, .. } => trader.next = next,
            other => panic!("{other:?}"),
        }
        trader
    }

    pub(crate) fn packet(&mut self, packet: &Packet<'_>) {
        let mut bytes = [0; 2_000];
        let length = packet.encode(&mut bytes);
        self.bytes(&bytes[..length]);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        // A server that has closed may refuse them.
        let _ = self.socket.write_all(bytes);
    }

    /// What comes next; heartbeats are answered and passed over.
    pub(crate) fn wait(&mut self) -> Came {
        let start = Instant::now();
        loop {
            if let Some(came) = self.poll() {
                return came;
            }
            assert!(start.elapsed() < PATIENCE, "nothing came");
        }
    }

    /// What has come, if anything has within a few milliseconds.
    pub(crate) fn poll(&mut self) -> Option<Came> {
        if let Some(came) = self.came.pop_front() {
            self.next += u64::from(matches!(came, Came::Message(_)));
            return Some(came);
        }
        self.socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let mut buffer = [0; 4_096];
        let length = match self.socket.read(&mut buffer) {
            Ok(0) => return Some(Came::Closed),
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
            Err(_) => return Some(Came::Closed),
        };
        let mut rest = &buffer[..length];
        while let Some((packet, after)) = self.stream.next(rest).unwrap() {
            rest = after;
            match packet {
                Packet::Sequenced(bytes) => self.came.push_back(Came::Message(bytes.to_vec())),
                Packet::LoginAccepted(accepted) => self.came.push_back(Came::Accepted {
                    session: accepted.session.trimmed().to_vec(),
                    next: accepted.sequence.get().unwrap(),
                }),
                Packet::LoginRejected(reason) => self.came.push_back(Came::Rejected(reason)),
                Packet::EndOfSession => self.came.push_back(Came::End),
                _ => {}
            }
        }
        if length == 0 {
            return None;
        }
        self.poll()
    }

    /// The next message, as bytes.
    pub(crate) fn message(&mut self) -> Vec<u8> {
        match self.wait() {
            Came::Message(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    /// Its type letter.
    pub(crate) fn kind(&mut self) -> char {
        char::from(self.message()[0])
    }

    /// Reads until one of this type came.
    pub(crate) fn until(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let message = self.message();
            if message[0] == kind {
                return message;
            }
        }
    }

    pub(crate) fn send(&mut self, message: &Inbound<'_>, appendage: Appendage<'_>) {
        let mut bytes = [0; MESSAGE_BYTES_MAX];
        let length = message.encode(appendage, &mut bytes);
        self.packet(&Packet::Unsequenced(&bytes[..length]));
    }

    /// A displayed day order; gives its number.
    pub(crate) fn enter(&mut self, symbol: &str, side: u8, shares: u32, cents: u64) -> u32 {
        let order = order(self.user_ref, symbol, side, shares, cents);
        self.send(&Inbound::from(&order), Appendage::EMPTY);
        self.user_ref += 1;
        self.user_ref - 1
    }

    pub(crate) fn cancel(&mut self, user_ref: u32, quantity: u32) {
        let cancel = CancelOrder { user_ref: Be32::new(user_ref), quantity: Be32::new(quantity) };
        self.send(&Inbound::from(&cancel), Appendage::ABSENT);
    }

    pub(crate) fn replace(&mut self, original: u32, shares: u32, cents: u64) -> u32 {
        let replace = ReplaceOrder {
            original: Be32::new(original),
            user_ref: Be32::new(self.user_ref),
            quantity: Be32::new(shares),
            price: OuchPrice::new(cents * 100),
            time_in_force: b'0',
            display: b'Y',
            sweep: b'N',
            cl_ord_id: ClOrdId::new("replaced").unwrap(),
        };
        self.send(&Inbound::from(&replace), Appendage::EMPTY);
        self.user_ref += 1;
        self.user_ref - 1
    }

    /// Closes without a word.
    pub(crate) fn drop_connection(self) -> u64 {
        self.next
    }
}

pub(crate) fn order(user_ref: u32, symbol: &str, side: u8, shares: u32, cents: u64) -> EnterOrder {
    EnterOrder {
        user_ref: Be32::new(user_ref),
        side,
        quantity: Be32::new(shares),
        symbol: Stock::new(symbol).unwrap(),
        price: OuchPrice::new(cents * 100),
        time_in_force: b'0',
        display: b'Y',
        capacity: b'P',
        sweep: b'N',
        cross_type: b'N',
        cl_ord_id: ClOrdId::new(&format!("t{user_ref}")).unwrap(),
    }
}

/// Of a message that is an execution: number of the order, shares, price, letter, match.
pub(crate) fn executed(message: &[u8]) -> (u32, u32, u64, char, u64) {
    match Outbound::parse(message).unwrap().0 {
        Outbound::Executed(e) => {
            (e.user_ref.get(), e.quantity.get(), e.price.get(), char::from(e.liquidity), e.match_number.get())
        }
        other => panic!("{other:?}"),
    }
}
