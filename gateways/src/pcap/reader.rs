//! [`PcapReader`]: frames out of a file, one after the other.

use super::ng::{Ng, NgStep};
use spinward_engine::words::Nanos;
use std::io::{ErrorKind, Read};

/// No frame is longer: what is is no length.
pub(super) const FRAME_BYTES_MAX: usize = 1 << 18;

/// What frames begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkType {
    /// Ethernet (1).
    Ethernet,
    /// IPv4 at once (101, 228).
    RawIp,
    /// Linux "cooked" (113), of captures of all interfaces.
    LinuxSll,
    /// Its second version (276).
    LinuxSll2,
    /// Another one.
    Other(u32),
}

impl LinkType {
    pub(super) const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Ethernet,
            101 | 228 => Self::RawIp,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            other => Self::Other(other),
        }
    }
}

/// One captured frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Index in the file, from 0.
    pub index: u64,
    /// When it was captured.
    pub time: Nanos,
    /// What it begins with.
    pub link: LinkType,
    /// Its bytes, as many as were captured.
    pub bytes: &'a [u8],
    /// Bytes it had on the wire.
    pub wire_bytes: usize,
}

/// Why a file cannot be read (further). Offsets are those of the record in the file.
#[derive(Debug, thiserror::Error)]
pub enum PcapError {
    /// It is none.
    #[error(
        "no capture: it begins with {0:#010x}; give a pcap (micro- or nanoseconds) or a pcapng file, unpacked"
    )]
    Magic(u32),
    /// It ends too early.
    #[error(
        "capture is cut: at byte {offset} {needed} bytes are to follow, {found} do; the file was not written to its end"
    )]
    Truncated {
        /// Where.
        offset: u64,
        /// What should follow.
        needed: usize,
        /// What does.
        found: usize,
    },
    /// A length that cannot be.
    #[error("capture is damaged: the record at byte {offset} says {length} bytes")]
    Length {
        /// Where.
        offset: u64,
        /// What it says.
        length: usize,
    },
    /// A block whose inside makes no sense.
    #[error("capture is damaged: the block at byte {offset}: {what}")]
    Block {
        /// Where.
        offset: u64,
        /// What.
        what: &'static str,
    },
    /// The system says no.
    #[error("cannot read the capture at byte {offset}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// What it says.
        source: std::io::Error,
    },
}

/// How numbers lie in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Endian {
    Little,
    Big,
}

impl Endian {
    pub(super) const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The number at an offset; `None` behind the end.
    pub(super) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        bytes.get(at..)?.first_chunk::<4>().map(|bytes| self.u32(*bytes))
    }
}

#[derive(Debug)]
enum Format {
    /// Nanoseconds of one unit of the time's fraction, and the link type.
    Classic {
        endian: Endian,
        unit_nanos: i64,
        link: LinkType,
    },
    Ng(Ng),
}

/// Reads frames. Memory is bounded by the longest frame.
#[derive(Debug)]
pub struct PcapReader<R> {
    source: R,
    format: Format,
    record: Vec<u8>,
    offset: u64,
    index: u64,
}

impl<R: Read> PcapReader<R> {
    /// Reads the file's header.
    ///
    /// # Errors
    /// [`PcapError`].
    pub fn new(source: R) -> Result<Self, PcapError> {
        let mut reader = Self {
            source,
            format: Format::Ng(Ng::new(Endian::Little)),
            record: Vec::with_capacity(4_096),
            offset: 0,
            index: 0,
        };
        let magic = reader.array::<4>()?;
        let classic = |endian, unit_nanos| (endian, unit_nanos);
        let (endian, unit_nanos) = match u32::from_le_bytes(magic) {
            0xa1b2_c3d4 => classic(Endian::Little, 1_000),
            0xa1b2_3c4d => classic(Endian::Little, 1),
            0xd4c3_b2a1 => classic(Endian::Big, 1_000),
            0x4d3c_b2a1 => classic(Endian::Big, 1),
            0x0a0d_0d0a => {
                reader.section()?;
                return Ok(reader);
            }
            other => return Err(PcapError::Magic(other)),
        };
        let rest = reader.array::<20>()?;
        // The upper bits say whether a checksum follows each frame; it lies behind what IPv4 counts.
        let link = endian.u32_at(&rest, 16).unwrap_or_default() & 0x0fff_ffff;
        reader.format = Format::Classic { endian, unit_nanos, link: LinkType::from_number(link) };
        Ok(reader)
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// [`PcapError`]; there is nothing more to read then.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, PcapError> {
        match self.format {
            Format::Classic { endian, unit_nanos, link } => self.next_classic(endian, unit_nanos, link),
            Format::Ng(_) => self.next_ng(),
        }
    }

    fn next_classic(
        &mut self,
        endian: Endian,
        unit_nanos: i64,
        link: LinkType,
    ) -> Result<Option<Frame<'_>>, PcapError> {
        let at = self.offset;
        if !self.fill(16, true)? {
            return Ok(None);
        }
        let field = |index: usize| endian.u32_at(&self.record, 4 * index).unwrap_or_default();
        let (seconds, fraction, captured, wire) = (field(0), field(1), field(2) as usize, field(3) as usize);
        if captured > FRAME_BYTES_MAX {
            return Err(PcapError::Length { offset: at, length: captured });
        }
        self.fill(captured, false)?;
        let index = self.index;
        self.index += 1;
        // u32·1e9 + u32·1000 < 2^63
        let time = Nanos::new(i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * unit_nanos);
        Ok(Some(Frame { index, time, link, bytes: &self.record, wire_bytes: wire }))
    }

    fn next_ng(&mut self) -> Result<Option<Frame<'_>>, PcapError> {
        loop {
            let at = self.offset;
            if !self.fill(4, true)? {
                return Ok(None);
            }
            // Reads the same in both orders.
            if self.record == [0x0a, 0x0d, 0x0d, 0x0a] {
                self.section()?;
                continue;
            }
            let Format::Ng(ng) = &self.format else { return Ok(None) };
            let endian = ng.endian;
            let kind = endian.u32_at(&self.record, 0).unwrap_or_default();
            let length = endian.u32(self.array::<4>()?) as usize;
            self.body(at, length)?;
            let Format::Ng(ng) = &mut self.format else { return Ok(None) };
            match ng.block(kind, &self.record).map_err(|what| PcapError::Block { offset: at, what })? {
                NgStep::Skip => {}
                NgStep::Frame { time, link, bytes, wire_bytes } => {
                    let index = self.index;
                    self.index += 1;
                    let bytes = self.record.get(bytes).unwrap_or_default();
                    return Ok(Some(Frame { index, time, link, bytes, wire_bytes }));
                }
            }
        }
    }

    /// A section header block, behind its type: says the order of bytes for what follows.
    fn section(&mut self) -> Result<(), PcapError> {
        let at = self.offset - 4;
        let length = self.array::<4>()?;
        let endian = match u32::from_le_bytes(self.array::<4>()?) {
            0x1a2b_3c4d => Endian::Little,
            0x4d3c_2b1a => Endian::Big,
            _ => return Err(PcapError::Block { offset: at, what: "its byte-order magic is none" }),
        };
        // Twelve bytes of it are read.
        let length = endian.u32(length) as usize;
        let rest = length.checked_sub(4).filter(|rest| *rest >= 12 + 8);
        self.body(at, rest.ok_or(PcapError::Length { offset: at, length })?)?;
        self.format = Format::Ng(Ng::new(endian));
        Ok(())
    }

    /// The rest of a block of pcapng of which eight bytes are read: its body, without the length that is repeated at the end.
    fn body(&mut self, at: u64, length: usize) -> Result<(), PcapError> {
        // Options and padding come on top of a frame.
        let is_possible = length >= 12 && length.is_multiple_of(4) && length <= 2 * FRAME_BYTES_MAX;
        if !is_possible {
            return Err(PcapError::Length { offset: at, length });
        }
        self.fill(length - 8, false)?;
        self.record.truncate(length - 12);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PcapError> {
        self.fill(N, false)?;
        Ok(self.record.first_chunk::<N>().copied().unwrap_or([0; N]))
    }

    /// Reads so many bytes into `record`. False if the file ends before the first of them and `may_end`.
    fn fill(&mut self, bytes: usize, may_end: bool) -> Result<bool, PcapError> {
        self.record.clear();
        self.record.resize(bytes, 0);
        let mut filled = 0;
        while filled < bytes {
            match self.source.read(self.record.get_mut(filled..).unwrap_or_default()) {
                Ok(0) if filled == 0 && may_end => return Ok(false),
                Ok(0) => {
                    return Err(PcapError::Truncated { offset: self.offset, needed: bytes, found: filled });
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(PcapError::Io { offset: self.offset, source }),
            }
        }
        self.offset += bytes as u64;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
