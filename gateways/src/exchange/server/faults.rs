//! Faults of the lines, without sockets: packets go in, what a bad network makes of them comes out.

use crate::exchange::prng::Prng;
use spinward_engine::words::Nanos;
use std::collections::BTreeMap;

/// Packets that one line holds back at once; when there are so many, packets are not delayed, and that is counted.
pub const HELD_MAX: usize = 4_096;

/// A packet that waits for one behind it leaves after so long without one.
const REORDER_MAX: Nanos = Nanos::from_millis(5);

/// How often something happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Chance {
    /// Not.
    #[default]
    Never,
    /// To so many of a million packets, drawn from the seed.
    Ppm(u32),
    /// To the next so many.
    Next(u32),
}

impl Chance {
    fn hits(&mut self, prng: &mut Prng) -> bool {
        match self {
            Self::Never => false,
            Self::Ppm(ppm) => prng.below(1_000_000) < *ppm,
            Self::Next(1) => {
                *self = Self::Never;
                true
            }
            Self::Next(left) => {
                *left = left.saturating_sub(1);
                *left > 0
            }
        }
    }
}

/// What can be wrong with a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineFault {
    /// Packets are lost.
    Drop(Chance),
    /// Packets come twice.
    Duplicate(Chance),
    /// A packet comes behind the one after it.
    Reorder(Chance),
    /// Packets are damaged so that it can be seen: cut, of another session, with a number from far away, with a length that is too long. (What nobody
    /// can see, a wrong byte under a right checksum, is left out: no protocol here finds it.)
    Corrupt(Chance),
    /// Packets are late by so much.
    Delay(Nanos, Chance),
    /// Nothing leaves at all.
    Stop,
    /// All is well again but for what else is asked for.
    Start,
}

/// What happened to packets of lines A and B, and to sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FaultCounters {
    /// Packets lost.
    pub dropped: [u64; 2],
    /// Packets sent twice.
    pub duplicated: [u64; 2],
    /// Packets sent behind the one after.
    pub reordered: [u64; 2],
    /// Packets damaged.
    pub corrupted: [u64; 2],
    /// Packets delayed.
    pub delayed: [u64; 2],
    /// Packets that should have been delayed and found no place.
    pub undelayed: [u64; 2],
    /// Packets that a stopped line swallowed.
    pub stopped: [u64; 2],
    /// Requests for packets that a stopped server left unanswered.
    pub unanswered: u64,
    /// Connections of accounts that were cut.
    pub disconnected: u64,
    /// Sessions that were frozen.
    pub frozen: u64,
    /// Orders and replaces that were rejected.
    pub rejected: u64,
    /// Connections cut between an order and its answer.
    pub acks_lost: u64,
    /// Times that answers were made slow.
    pub slowed: u64,
    /// Times that snapshots were made slow.
    pub snapshots_slowed: u64,
    /// Restarts of the exchange.
    pub restarts: u64,
}

/// The faults of one line.
pub(super) struct LineFaults {
    index: usize,
    prng: Prng,
    drop: Chance,
    duplicate: Chance,
    reorder: Chance,
    corrupt: Chance,
    delay: (Nanos, Chance),
    is_stopped: bool,
    /// By the time they leave, then by their order.
    held: BTreeMap<(Nanos, u64), Box<[u8]>>,
    count: u64,
    overtaken: Option<(Nanos, Box<[u8]>)>,
    scratch: Vec<u8>,
}

impl LineFaults {
    /// None. `index` is 0 for line A.
    pub(super) fn new(index: usize, seed: u64) -> Self {
        Self {
            index,
            prng: Prng::new(seed ^ (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            drop: Chance::Never,
            duplicate: Chance::Never,
            reorder: Chance::Never,
            corrupt: Chance::Never,
            delay: (Nanos::ZERO, Chance::Never),
            is_stopped: false,
            held: BTreeMap::new(),
            count: 0,
            overtaken: None,
            scratch: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, fault: LineFault) {
        match fault {
            LineFault::Drop(chance) => self.drop = chance,
            LineFault::Duplicate(chance) => self.duplicate = chance,
            LineFault::Reorder(chance) => self.reorder = chance,
            LineFault::Corrupt(chance) => self.corrupt = chance,
            LineFault::Delay(time, chance) => self.delay = (time, chance),
            LineFault::Stop => self.is_stopped = true,
            LineFault::Start => self.is_stopped = false,
        }
    }

    /// Packets that are held back.
    pub(super) fn held(&self) -> usize {
        self.held.len() + usize::from(self.overtaken.is_some())
    }

    pub(super) fn clear(&mut self) {
        for fault in [
            LineFault::Drop(Chance::Never),
            LineFault::Duplicate(Chance::Never),
            LineFault::Reorder(Chance::Never),
            LineFault::Corrupt(Chance::Never),
            LineFault::Delay(Nanos::ZERO, Chance::Never),
            LineFault::Start,
        ] {
            self.set(fault);
        }
    }

    /// One packet on its way out.
    pub(super) fn pass(
        &mut self,
        now: Nanos,
        packet: &[u8],
        counters: &mut FaultCounters,
        out: &mut impl FnMut(&[u8]),
    ) {
        let index = self.index;
        let add = |count: &mut [u64; 2]| {
            if let Some(count) = count.get_mut(index) {
                *count += 1;
            }
        };
        if self.is_stopped {
            return add(&mut counters.stopped);
        }
        if self.drop.hits(&mut self.prng) {
            return add(&mut counters.dropped);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut packet = packet;
        if self.corrupt.hits(&mut self.prng) {
            add(&mut counters.corrupted);
            damage(packet, &mut self.prng, &mut scratch);
            packet = &scratch;
        }
        let is_late = self.delay.1.hits(&mut self.prng);
        if is_late && self.held.len() < HELD_MAX {
            add(&mut counters.delayed);
            self.count += 1;
            self.held.insert((now.after(self.delay.0), self.count), packet.into());
        } else if self.overtaken.is_none() && self.reorder.hits(&mut self.prng) {
            add(&mut counters.reordered);
            self.overtaken = Some((now.after(REORDER_MAX), packet.into()));
        } else {
            if is_late {
                add(&mut counters.undelayed);
            }
            out(packet);
            if self.duplicate.hits(&mut self.prng) {
                add(&mut counters.duplicated);
                out(packet);
            }
            if let Some((_, packet)) = self.overtaken.take() {
                out(&packet);
            }
        }
        self.scratch = scratch;
    }

    /// Sends what was held back long enough.
    pub(super) fn on_time(&mut self, now: Nanos, out: &mut impl FnMut(&[u8])) {
        while let Some(entry) = self.held.first_entry() {
            if entry.key().0 > now {
                break;
            }
            out(&entry.remove());
        }
        if self.overtaken.as_ref().is_some_and(|(due, _)| *due <= now)
            && let Some((_, packet)) = self.overtaken.take()
        {
            out(&packet);
        }
    }

    /// When [`LineFaults::on_time`] has something to do.
    pub(super) fn wake_at(&self) -> Nanos {
        let held = self.held.first_key_value().map_or(Nanos::MAX, |((due, _), _)| *due);
        self.overtaken.as_ref().map_or(held, |(due, _)| held.min(*due))
    }
}

/// Where a packet's number lies, and its first length.
const SEQUENCE: std::ops::Range<usize> = 10..18;
const FIRST_LENGTH: std::ops::Range<usize> = 20..22;

/// Writes a packet into `to` that every receiver must refuse.
fn damage(packet: &[u8], prng: &mut Prng, to: &mut Vec<u8>) {
    to.clear();
    to.extend_from_slice(packet);
    match prng.below(4) {
        0 => {
            if let Some(first) = to.first_mut() {
                *first ^= 0x20 | 0x01;
            }
        }
        1 => {
            // Between 2^40 and 2^62: no two of them are near each other but by a rare chance.
            let far = prng.bits() >> 2 | 1 << 40;
            if let Some(sequence) = to.get_mut(SEQUENCE) {
                sequence.copy_from_slice(&far.to_be_bytes());
            }
        }
        2 if to.len() > FIRST_LENGTH.end => {
            if let Some(length) = to.get_mut(FIRST_LENGTH) {
                length.copy_from_slice(&u16::MAX.to_be_bytes());
            }
        }
        _ => {
            // At least one byte less, and at most so many that a packet of one message is no heartbeat.
            let cut = 1 + prng.below((to.len().saturating_sub(1)) as u32) as usize;
            to.truncate(to.len().saturating_sub(cut));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mold::{Downstream, PacketBuilder, Session};

    fn packets(count: u8) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut builder = PacketBuilder::new(Session::new("SESSION").unwrap(), 1, 200);
        for number in 0..count {
            builder.push(&[number; 30], &mut |_| {}).unwrap();
            builder.flush(&mut |packet| packets.push(packet.to_vec()));
        }
        packets
    }

    /// What comes of a hundred packets, a millisecond apart, and what was counted.
    fn run(faults: &[LineFault]) -> (Vec<Vec<u8>>, FaultCounters) {
        let mut line = LineFaults::new(1, 7);
        faults.iter().for_each(|fault| line.set(*fault));
        let (mut counters, mut seen) = (FaultCounters::default(), Vec::new());
        for (index, packet) in packets(100).iter().enumerate() {
            let now = Nanos::from_millis(index as i64);
            let mut out = |packet: &[u8]| seen.push(packet.to_vec());
            line.on_time(now, &mut out);
            line.pass(now, packet, &mut counters, &mut out);
        }
        assert!(line.wake_at() <= Nanos::from_millis(300) || line.wake_at() == Nanos::MAX);
        line.on_time(Nanos::from_secs(1), &mut |packet| seen.push(packet.to_vec()));
        assert_eq!(line.wake_at(), Nanos::MAX);
        (seen, counters)
    }

    fn sorted(mut packets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        packets.sort();
        packets
    }

    #[test]
    fn a_line_without_faults_changes_nothing() {
        assert_eq!(run(&[]), (packets(100), FaultCounters::default()));
        let next_three = [LineFault::Drop(Chance::Next(3)), LineFault::Drop(Chance::Never)];
        assert_eq!(run(&next_three).0, packets(100));
    }

    #[test]
    fn each_fault_does_what_it_says_and_is_counted() {
        let (seen, counters) = run(&[LineFault::Drop(Chance::Next(3))]);
        assert_eq!((&seen[..], counters.dropped), (&packets(100)[3..], [0, 3]));

        let (seen, counters) = run(&[LineFault::Drop(Chance::Ppm(200_000))]);
        assert!((10..30).contains(&counters.dropped[1]) && seen.len() as u64 == 100 - counters.dropped[1]);

        let (seen, counters) = run(&[LineFault::Duplicate(Chance::Ppm(1_000_000))]);
        assert_eq!((seen.len(), counters.duplicated[1]), (200, 100));
        assert!(seen.chunks(2).all(|pair| pair[0] == pair[1]));

        let (seen, counters) = run(&[LineFault::Reorder(Chance::Ppm(300_000))]);
        assert!(seen != packets(100) && counters.reordered[1] > 10);
        assert_eq!(sorted(seen), sorted(packets(100)));

        let late = LineFault::Delay(Nanos::from_millis(40), Chance::Ppm(500_000));
        let (seen, counters) = run(&[late]);
        assert!(seen != packets(100) && counters.delayed[1] > 30);
        assert_eq!(sorted(seen), sorted(packets(100)));

        let (seen, counters) = run(&[LineFault::Stop]);
        assert_eq!((seen.len(), counters.stopped[1]), (0, 100));
    }

    #[test]
    fn a_damaged_packet_is_never_one_that_a_receiver_could_take_for_another() {
        let originals = packets(100);
        let (seen, counters) = run(&[LineFault::Corrupt(Chance::Ppm(1_000_000))]);
        assert_eq!((seen.len(), counters.corrupted[1]), (100, 100));
        let mut kinds = [0; 3];
        for (seen, original) in seen.iter().zip(&originals) {
            let before = Downstream::parse(original).unwrap();
            match Downstream::parse(seen) {
                Err(_) => kinds[0] += 1,
                Ok(packet) if packet.header().session != before.header().session => kinds[1] += 1,
                Ok(packet) => {
                    assert!(packet.header().sequence.get() >= 1 << 40);
                    kinds[2] += 1;
                }
            }
        }
        assert!(kinds.iter().all(|kind| *kind > 10), "{kinds:?}");
    }

    #[test]
    fn what_is_held_back_has_a_maximum() {
        let mut line = LineFaults::new(0, 1);
        line.set(LineFault::Delay(Nanos::from_secs(1), Chance::Ppm(1_000_000)));
        let (mut counters, mut seen) = (FaultCounters::default(), 0);
        for _ in 0..HELD_MAX + 10 {
            line.pass(Nanos::ZERO, b"packet", &mut counters, &mut |_| seen += 1);
        }
        assert_eq!((seen, counters.delayed[0], counters.undelayed[0]), (10, HELD_MAX as u64, 10));
    }
}
