//! [`Cut`]: the end of a stream that was not written whole.

use std::path::PathBuf;

/// Why the end of a stream was cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CutCause {
    /// The last record was not written whole: the process was killed, or a byte of the very last record was damaged.
    Torn,
    /// Pages that a power cut kept from reaching the disk: zeros, with whole records behind them that cannot be used any more.
    LostPages,
    /// The file is shorter than it was made (or than its seal says): somebody cut it, or the file system lost its end.
    ShortFile,
}

/// The end of a stream that had to be cut off. What lies before it is whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The segment.
    pub path: PathBuf,
    /// Where the whole part ends.
    pub offset: u64,
    /// How many bytes behind it held something that is lost; 0 if only the file's reserve is missing.
    pub bytes: u64,
    /// Last whole record; 0 if there is none.
    pub last_sequence: u64,
    /// Why.
    pub cause: CutCause,
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = match self.cause {
            CutCause::Torn => "a record that was not written whole",
            CutCause::LostPages => "pages that never reached the disk",
            CutCause::ShortFile => "the file is shorter than it was made",
        };
        write!(
            f,
            "{} from offset {}: {why}; {} bytes lost, last whole record {}",
            self.path.display(),
            self.offset,
            self.bytes,
            self.last_sequence
        )
    }
}
