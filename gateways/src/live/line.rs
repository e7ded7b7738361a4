//! [`LineSocket`]: the UDP socket of a line, and what the kernel knows of its packets: when each came, and how many it had to drop.

use super::feed::MoldFeedError;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, RecvMsg, TimestampingFlag, Timestamps, cmsg_space, recvmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use spinward_engine::words::Nanos;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

/// What is asked of the kernel for each line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineOptions {
    /// Bytes of packets that wait in the kernel, 4 KiB to 1 GiB. Default 8 MiB: some 100 ms of a feed at its peak.
    pub receive_buffer_bytes: usize,
    /// Microseconds that the driver of the network card is polled by the reader itself (`SO_BUSY_POLL`); 0: not. Nothing on loopback.
    pub busy_poll_us: u32,
    /// Whether the kernel is to stamp packets (`SO_TIMESTAMPING`, in software: on its own clock, whatever the network card has) and to tell its drops (`SO_RXQ_OVFL`).
    pub has_kernel_stamps: bool,
}

impl Default for LineOptions {
    fn default() -> Self {
        Self { receive_buffer_bytes: 8 << 20, busy_poll_us: 0, has_kernel_stamps: true }
    }
}

impl LineOptions {
    /// Gives another socket the same room in the kernel, as far as the system allows: for what is held against a feed.
    pub fn fit_buffer(&self, socket: &UdpSocket) {
        ask_buffer(&socket2::SockRef::from(socket), self.receive_buffer_bytes);
    }
}

/// One packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Datagram {
    pub(super) bytes: usize,
    /// When the kernel had it, by the clock on the wall.
    pub(super) kernel_time: Option<Nanos>,
}

/// The socket.
pub(super) struct LineSocket {
    socket: UdpSocket,
    /// Where the kernel puts stamp and drops.
    control: Box<[u8]>,
    /// As the kernel counted at the last packet: modulo 2^32, since the socket was opened.
    dropped: u32,
    drops: u64,
}

impl LineSocket {
    /// Receives at an address of this host or of a group. What the kernel does not do as asked is added to `notices`; it can be lived without.
    ///
    /// # Errors
    /// [`MoldFeedError::Socket`].
    pub(super) fn open(
        address: SocketAddrV4,
        interface: Ipv4Addr,
        options: &LineOptions,
        notices: &mut Vec<String>,
    ) -> Result<Self, MoldFeedError> {
        let fail = |what| move |source| MoldFeedError::Socket { what, address: address.into(), source };
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))
            .map_err(fail("open a socket to receive market data at"))?;
        // Before the first packet can come.
        set_buffer(&socket, address, options.receive_buffer_bytes, notices);
        let mut refused = |what: &str, mend: &str, why: &dyn std::fmt::Display| {
            notices.push(format!("line {address}: the kernel does not {what}: {why}; {mend}"));
        };
        if options.has_kernel_stamps {
            let stamps =
                TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
            if let Err(why) = setsockopt(&socket, sockopt::Timestamping, &stamps) {
                refused("stamp packets (SO_TIMESTAMPING)", "their wait in the kernel is not known", &why);
            }
            if let Err(why) = setsockopt(&socket, sockopt::RxqOvfl, &1) {
                refused("tell its drops (SO_RXQ_OVFL)", "a drop shows as a gap only", &why);
            }
        }
        if options.busy_poll_us > 0
            && let Err(why) = socket.set_busy_poll(options.busy_poll_us)
        {
            let mend = "give the process CAP_NET_ADMIN, or set `sysctl net.core.busy_read` and feed.busy_poll = \"0s\"";
            refused("poll the network card for us (SO_BUSY_POLL)", mend, &why);
        }
        socket.bind(&address.into()).map_err(fail("receive market data at"))?;
        socket.set_nonblocking(true).map_err(fail("receive without waiting at"))?;
        let socket = UdpSocket::from(socket);
        if address.ip().is_multicast() {
            socket.join_multicast_v4(address.ip(), &interface).map_err(fail("join the group"))?;
        }
        let control = vec![0; cmsg_space::<Timestamps>() + cmsg_space::<u32>()].into_boxed_slice();
        Ok(Self { socket, control, dropped: 0, drops: 0 })
    }

    pub(super) const fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Packets that the kernel dropped for want of room: as far as it told, which it does with the next packet.
    pub(super) const fn drops(&self) -> u64 {
        self.drops
    }

    /// The next packet; never waits.
    ///
    /// # Errors
    /// Of the system; [`io::ErrorKind::WouldBlock`] without a packet.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        let Self { socket, control, dropped, drops } = self;
        let mut slices = [IoSliceMut::new(buffer)];
        let received: RecvMsg<'_, '_, ()> =
            recvmsg(socket.as_raw_fd(), &mut slices, Some(control), MsgFlags::empty())?;
        let mut datagram = Datagram { bytes: received.bytes, kernel_time: None };
        // Never cut: there is room for both. Without them the packet is as good.
        for message in received.cmsgs().into_iter().flatten() {
            if let ControlMessageOwned::ScmTimestampsns(Timestamps { system: time, .. }) = message {
                let nanos = time.tv_sec().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec());
                datagram.kernel_time = Some(Nanos::new(nanos)).filter(|time| *time > Nanos::ZERO);
            } else if let ControlMessageOwned::RxqOvfl(count) = message {
                *drops += u64::from(count.wrapping_sub(*dropped));
                *dropped = count;
            }
        }
        Ok(datagram)
    }
}

/// Asks for the buffer: beyond the system's limit, if that is allowed, else up to it.
fn ask_buffer(socket: &Socket, wanted: usize) {
    if setsockopt(socket, sockopt::RcvBufForce, &wanted).is_err() {
        // Who asks looks at what came of it.
        let _ = socket.set_recv_buffer_size(wanted);
    }
}

/// Asks for the buffer, and says what it became.
fn set_buffer(socket: &Socket, address: SocketAddrV4, wanted: usize, notices: &mut Vec<String>) {
    ask_buffer(socket, wanted);
    // The kernel tells twice of what it was asked for: half is its own bookkeeping.
    let given = socket.recv_buffer_size().unwrap_or(0) / 2;
    if given < wanted {
        notices.push(format!(
            "line {address}: the kernel gave {given} bytes for packets that wait, {wanted} were asked for; bursts will be dropped sooner: `sysctl -w net.core.rmem_max={wanted}`, or CAP_NET_ADMIN"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(options: &LineOptions) -> (LineSocket, UdpSocket, Vec<String>) {
        let mut notices = Vec::new();
        let line = LineSocket::open(
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0),
            Ipv4Addr::UNSPECIFIED,
            options,
            &mut notices,
        )
        .unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        sender.connect(line.socket().local_addr().unwrap()).unwrap();
        (line, sender, notices)
    }

    #[test]
    fn each_packet_has_the_kernels_time_which_lies_between_sending_and_receiving() {
        let (mut line, sender, _) = pair(&LineOptions::default());
        let mut buffer = [0; 64];
        assert_eq!(line.receive(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let before = super::super::now();
        sender.send(b"hello").unwrap();
        let found = line.receive(&mut buffer).unwrap();
        let time = found.kernel_time.unwrap();
        assert_eq!(&buffer[..found.bytes], b"hello");
        assert!(before <= time && time <= super::super::now(), "{before:?} {time:?}");
    }

    #[test]
    fn what_the_kernel_drops_is_counted_and_told_with_the_next_packet() {
        let (mut line, sender, _) =
            pair(&LineOptions { receive_buffer_bytes: 8 << 10, ..LineOptions::default() });
        for _ in 0..200 {
            sender.send(&[7; 1_000]).unwrap();
        }
        let mut buffer = [0; 2_000];
        let mut received = 0;
        while line.receive(&mut buffer).is_ok() {
            received += 1;
        }
        sender.send(&[8; 10]).unwrap();
        line.receive(&mut buffer).unwrap();
        assert!(received < 200);
        assert_eq!(line.drops(), 200 - received);
    }

    #[test]
    fn without_stamps_there_is_no_time_and_a_buffer_beyond_the_limit_is_told_with_its_remedy() {
        let options =
            LineOptions { has_kernel_stamps: false, receive_buffer_bytes: 1 << 30, ..LineOptions::default() };
        let (mut line, sender, notices) = pair(&options);
        let mut buffer = [0; 64];
        sender.send(b"x").unwrap();
        assert_eq!(line.receive(&mut buffer).unwrap(), Datagram { bytes: 1, kernel_time: None });
        // Root may go beyond the limit.
        let given = socket2::SockRef::from(line.socket()).recv_buffer_size().unwrap() / 2;
        assert_eq!(given < 1 << 30, notices.iter().any(|notice| notice.contains("net.core.rmem_max")));
    }
}
