//! The blocks of pcapng that matter: interfaces and packets. Everything else is skipped.

use super::reader::{Endian, LinkType};
use spinward_engine::words::Nanos;
use std::ops::Range;

/// Interfaces of one section.
#[derive(Debug)]
pub(super) struct Ng {
    pub(super) endian: Endian,
    interfaces: Vec<Interface>,
}

/// More than any capture has.
const INTERFACES_MAX: usize = 4_096;

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    /// Units of time in a second.
    units: u64,
    /// Seconds to add.
    offset: i64,
}

/// What a block was.
pub(super) enum NgStep {
    Skip,
    Frame { time: Nanos, link: LinkType, bytes: Range<usize>, wire_bytes: usize },
}

impl Ng {
    pub(super) const fn new(endian: Endian) -> Self {
        Self { endian, interfaces: Vec::new() }
    }

    /// The body of a block.
    pub(super) fn block(&mut self, kind: u32, body: &[u8]) -> Result<NgStep, &'static str> {
        match kind {
            1 => {
                if self.interfaces.len() == INTERFACES_MAX {
                    return Err("more than 4096 interfaces");
                }
                let interface = self.interface(body).ok_or("the interface is cut")?;
                self.interfaces.push(interface);
                Ok(NgStep::Skip)
            }
            6 => self.packet(body),
            3 => Err("a simple packet has no time; write the capture with enhanced packet blocks or as pcap"),
            2 => Err("packet blocks are obsolete; write the capture anew with a newer tool"),
            _ => Ok(NgStep::Skip),
        }
    }

    fn interface(&self, body: &[u8]) -> Option<Interface> {
        let (link, rest) = body.split_first_chunk::<2>()?;
        let mut interface = Interface {
            link: LinkType::from_number(u32::from(self.endian.u16(*link))),
            units: 1_000_000,
            offset: 0,
        };
        // Two reserved bytes and the snap length come before the options.
        let mut options = rest.get(6..)?;
        while let Some((head, rest)) = options.split_first_chunk::<4>() {
            let [a, b, c, d] = *head;
            let (code, length) = (self.endian.u16([a, b]), usize::from(self.endian.u16([c, d])));
            let value = rest.get(..length)?;
            match (code, value) {
                (0, _) => break,
                // if_tsresol: a power of ten, or of two if the top bit is set.
                (9, [resolution]) => {
                    let exponent = u32::from(resolution & 0x7f);
                    let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
                    interface.units = base.checked_pow(exponent)?;
                }
                // if_tsoffset
                (14, _) => {
                    let bytes = *value.first_chunk::<8>()?;
                    interface.offset = match self.endian {
                        Endian::Little => i64::from_le_bytes(bytes),
                        Endian::Big => i64::from_be_bytes(bytes),
                    };
                }
                _ => {}
            }
            options = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Some(interface)
    }

    fn packet(&self, body: &[u8]) -> Result<NgStep, &'static str> {
        let field = |index: usize| self.endian.u32_at(body, 4 * index).ok_or("the packet's head is cut");
        let (high, low) = (u64::from(field(1)?), u64::from(field(2)?));
        let (captured, wire_bytes) = (field(3)? as usize, field(4)? as usize);
        let interface =
            self.interfaces.get(field(0)? as usize).ok_or("the packet's interface was not described")?;
        let bytes = 20..20 + captured;
        if body.get(bytes.clone()).is_none() {
            return Err("the packet is longer than its block");
        }
        let units = u128::from(high << 32 | low);
        // u64·1e9 < 2^94
        let nanos = units * 1_000_000_000 / u128::from(interface.units);
        let time = i64::try_from(nanos)
            .ok()
            .and_then(|nanos| interface.offset.checked_mul(1_000_000_000)?.checked_add(nanos))
            .ok_or("the packet's time is out of range")?;
        Ok(NgStep::Frame { time: Nanos::new(time), link: interface.link, bytes, wire_bytes })
    }
}
