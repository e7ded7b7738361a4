//! The state of a stage as bytes: [`StateWriter`], [`StateReader`], and [`Snapshot`], which every stateful part implements beside its fields.
//!
//! Only what a later event can depend on is written: no addresses, no slots of hash tables, no scratch memory, no counters, nothing that the configuration
//! already says. The same state gives the same bytes. What is read is checked: a count against what there is room for, a number against its range, so bytes that
//! are not a state are refused and never panic. An implementation takes its struct apart by name (`let Self { a, b } = self`, without `..`), so that a
//! field that is added later cannot be forgotten.
//!
//! Numbers are little-endian. A list is its length (8 bytes) and its elements; an option one byte (0 or 1) and the value; a section a tag of 8 ASCII letters, its
//! length (8 bytes) and its bytes.

use bytemuck::Pod;

/// A part of the engine that can be written down and read back.
pub trait Snapshot {
    /// Appends the whole state.
    fn save(&self, state: &mut StateWriter);

    /// Takes the state over. `self` was just made, from the same configuration as the one that was saved.
    ///
    /// # Errors
    /// [`StateError`] if the bytes are no state of such a part. `self` is then of no use any more.
    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError>;
}

/// Bytes that are not the state they should be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("section {section}, byte {offset}: {what}")]
pub struct StateError {
    /// In which section.
    pub section: String,
    /// Where in all of the bytes.
    pub offset: usize,
    /// What does not fit.
    pub what: &'static str,
}

/// Collects bytes.
#[derive(Debug, Default)]
pub struct StateWriter {
    bytes: Vec<u8>,
}

macro_rules! numbers {
    ($($name:ident)*) => {
        impl StateWriter {
            $(
                #[doc = concat!("Appends an `", stringify!($name), "`, little-endian.")]
                pub fn $name(&mut self, value: $name) {
                    self.bytes.extend_from_slice(&value.to_le_bytes());
                }
            )*
        }

        impl StateReader<'_> {
            $(
                #[doc = concat!("Reads an `", stringify!($name), "`.")]
                ///
                /// # Errors
                /// Nothing is left.
                pub fn $name(&mut self) -> Result<$name, StateError> {
                    const BYTES: usize = size_of::<$name>();
                    match self.bytes(BYTES)?.first_chunk::<BYTES>() {
                        Some(bytes) => Ok($name::from_le_bytes(*bytes)),
                        None => Err(self.error("cut off")),
                    }
                }
            )*
        }
    };
}

numbers!(u8 u16 u32 u64 i64);

impl StateWriter {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends a yes or no.
    pub fn bool(&mut self, value: bool) {
        self.u8(value.into());
    }

    /// Appends a length, count or index.
    pub fn count(&mut self, count: usize) {
        self.u64(count as u64);
    }

    /// Appends bytes as they are, without their length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a plain record as it lies in memory.
    pub fn pod<T: Pod>(&mut self, value: &T) {
        self.raw(bytemuck::bytes_of(value));
    }

    /// Appends whether there is a value, and the value.
    pub fn option<T>(&mut self, value: Option<T>, save: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            save(self, value);
        }
    }

    /// Appends a list.
    pub fn list<T>(&mut self, values: impl ExactSizeIterator<Item = T>, mut save: impl FnMut(&mut Self, T)) {
        self.count(values.len());
        for value in values {
            save(self, value);
        }
    }

    /// Appends the elements that are not `vacant`, each behind its place.
    pub fn sparse<T: Pod + PartialEq>(&mut self, values: &[T], vacant: T) {
        let used = || values.iter().enumerate().filter(|(_, value)| **value != vacant);
        self.count(used().count());
        for (place, value) in used() {
            self.count(place);
            self.pod(value);
        }
    }

    /// Appends a section.
    pub fn section(&mut self, tag: &[u8; 8], save: impl FnOnce(&mut Self)) {
        self.raw(tag);
        let length = self.bytes.len();
        self.u64(0);
        save(self);
        let bytes = (self.bytes.len() - length - 8) as u64;
        if let Some(to) = self.bytes.get_mut(length..length + 8) {
            to.copy_from_slice(&bytes.to_le_bytes());
        }
    }
}

/// Reads bytes that a [`StateWriter`] has collected.
#[derive(Clone, Debug)]
pub struct StateReader<'a> {
    bytes: &'a [u8],
    at: usize,
    section: [u8; 8],
}

impl<'a> StateReader<'a> {
    /// From the beginning.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, section: *b"(none)\0\0" }
    }

    /// That what was read last does not fit.
    pub fn error(&self, what: &'static str) -> StateError {
        let section = String::from_utf8_lossy(&self.section);
        StateError { section: section.trim_end_matches('\0').to_owned(), offset: self.at, what }
    }

    /// `Ok` if it holds.
    ///
    /// # Errors
    /// [`StateError`] that says `what`.
    pub fn demand(&self, holds: bool, what: &'static str) -> Result<(), StateError> {
        if holds { Ok(()) } else { Err(self.error(what)) }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// There are not so many.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], StateError> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.get(..count));
        let bytes = bytes.ok_or_else(|| self.error("cut off"))?;
        self.at += count;
        Ok(bytes)
    }

    /// Reads a yes or no.
    ///
    /// # Errors
    /// Another byte than 0 and 1, or nothing is left.
    pub fn bool(&mut self) -> Result<bool, StateError> {
        let number = self.u8()?;
        self.demand(number <= 1, "neither yes nor no")?;
        Ok(number == 1)
    }

    /// Reads a length, count or index of at most `max`.
    ///
    /// # Errors
    /// It is larger, or nothing is left.
    pub fn count(&mut self, max: usize) -> Result<usize, StateError> {
        let count = self.u64()?;
        let fits = usize::try_from(count).ok().filter(|count| *count <= max);
        fits.ok_or_else(|| self.error("a number beyond what there is room for"))
    }

    /// Reads a plain record.
    ///
    /// # Errors
    /// Not so much is left.
    pub fn pod<T: Pod>(&mut self) -> Result<T, StateError> {
        let bytes = self.bytes(size_of::<T>())?;
        Ok(bytemuck::pod_read_unaligned(bytes))
    }

    /// Reads a number that stands for a value.
    ///
    /// # Errors
    /// It stands for none.
    pub fn number<T>(&mut self, from: impl FnOnce(u8) -> Option<T>) -> Result<T, StateError> {
        let number = self.u8()?;
        from(number).ok_or_else(|| self.error("a number that stands for nothing"))
    }

    /// Reads an option.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn option<T>(
        &mut self,
        load: impl FnOnce(&mut Self) -> Result<T, StateError>,
    ) -> Result<Option<T>, StateError> {
        if self.bool()? { load(self).map(Some) } else { Ok(None) }
    }

    /// Reads a list of at most `max` elements, calling `load` for each.
    ///
    /// # Errors
    /// It is longer, or those of `load`.
    pub fn list(
        &mut self,
        max: usize,
        mut load: impl FnMut(&mut Self) -> Result<(), StateError>,
    ) -> Result<usize, StateError> {
        let count = self.count(max)?;
        for _ in 0..count {
            load(self)?;
        }
        Ok(count)
    }

    /// Reads what [`StateWriter::sparse`] wrote into elements that are all vacant.
    ///
    /// # Errors
    /// A place beyond the elements, or places that do not ascend.
    pub fn sparse<T: Pod>(&mut self, values: &mut [T]) -> Result<(), StateError> {
        let mut least = 0;
        self.list(values.len(), |state| {
            let place = state.count(values.len())?;
            let value = state.pod()?;
            state.demand(place >= least, "places out of order")?;
            least = place + 1;
            let slot = values.get_mut(place).ok_or_else(|| state.error("a place beyond the table"))?;
            *slot = value;
            Ok(())
        })
        .map(|_| ())
    }

    /// Reads a section, all of it.
    ///
    /// # Errors
    /// Another section stands here, `load` leaves something unread, or its own.
    pub fn section(
        &mut self,
        tag: &[u8; 8],
        load: impl FnOnce(&mut StateReader<'a>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let found = self.bytes(8)?;
        self.demand(found == tag, "another section stands here")?;
        let length = self.count(self.bytes.len())?;
        let end = self.at + length;
        let bytes = self.bytes.get(..end).ok_or_else(|| self.error("a section that is cut off"))?;
        let mut inner = StateReader { bytes, at: self.at, section: *tag };
        load(&mut inner)?;
        inner.finish()?;
        self.at = end;
        Ok(())
    }

    /// Everything was read.
    ///
    /// # Errors
    /// Something is left.
    pub fn finish(&self) -> Result<(), StateError> {
        self.demand(self.at == self.bytes.len(), "bytes left over")
    }
}

/// Saves a stack of free places of a table of `capacity`, which began as `capacity − 1, …, 1, 0`: how much of that is still as it was, then the rest.
pub(crate) fn save_free(free: &[u32], capacity: usize, state: &mut StateWriter) {
    let untouched =
        free.iter().zip((0..capacity as u32).rev()).take_while(|(at, first)| **at == *first).count();
    state.count(untouched);
    let rest = free.get(untouched..).unwrap_or(&[]);
    state.list(rest.iter(), |state, at| state.u32(*at));
}

/// Loads what [`save_free`] wrote: each place at most once.
pub(crate) fn load_free(
    free: &mut Vec<u32>,
    capacity: usize,
    state: &mut StateReader<'_>,
) -> Result<(), StateError> {
    let untouched = state.count(capacity)?;
    free.truncate(untouched);
    let mut seen = vec![false; capacity];
    for place in free.iter() {
        if let Some(seen) = seen.get_mut(*place as usize) {
            *seen = true;
        }
    }
    state.list(capacity - untouched, |state| {
        let place = state.u32()?;
        let once = seen.get_mut(place as usize).is_some_and(|seen| !std::mem::replace(seen, true));
        state.demand(once, "a free place that is none")?;
        free.push(place);
        Ok(())
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_not_there_is_refused() {
        let mut writer = StateWriter::new();
        writer.section(b"numbers\0", |state| {
            state.i64(-5);
            state.bool(true);
            state.option(Some(7u16), |state, value| state.u16(value));
            state.option(None::<u16>, |state, value| state.u16(value));
            state.sparse(&[0u64, 9, 0, 4], 0);
        });
        let bytes = writer.into_bytes();
        let read = |bytes: &[u8]| {
            let mut values = [0u64; 4];
            let mut reader = StateReader::new(bytes);
            reader.section(b"numbers\0", |state| {
                state.demand(state.clone().i64()? == -5, "another number")?;
                state.i64()?;
                state.bool()?;
                state.option(StateReader::u16)?;
                state.option(StateReader::u16)?;
                state.sparse(&mut values)
            })?;
            reader.finish().map(|()| values)
        };
        assert_eq!(read(&bytes), Ok([0, 9, 0, 4]));
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "cut to {length} bytes");
        }
        assert!(read(&[&bytes[..], &[0]].concat()).is_err(), "a byte too many");
        let message = read(&bytes[..20]).unwrap_err().to_string();
        assert!(message.contains("byte"), "{message}");
    }

    #[test]
    fn a_stack_of_free_places_comes_back_as_it_was() {
        for taken in [&[][..], &[0, 1, 2], &[3, 1]] {
            let mut free: Vec<u32> = (0..8).rev().collect();
            for _ in 0..4 {
                free.pop();
            }
            free.extend_from_slice(taken);
            let mut writer = StateWriter::new();
            save_free(&free, 8, &mut writer);
            let bytes = writer.into_bytes();
            let mut loaded: Vec<u32> = (0..8).rev().collect();
            load_free(&mut loaded, 8, &mut StateReader::new(&bytes)).unwrap();
            assert_eq!(loaded, free);
        }
    }
}
