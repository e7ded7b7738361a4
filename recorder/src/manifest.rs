//! [`Manifest`]: what a session was run with, as `manifest.toml` in its folder.

use crate::error::JournalError;
use crate::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};
use spinward_engine::words::Digest;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Version of the manifest that this code writes, and the newest it reads. Version 1 had no [`Manifest::fingerprint`], version 2 no digests in
/// [`Ended`].
pub const MANIFEST_FORMAT: u32 = 3;

/// What a session was run with. Unknown keys of the same version are an error: nothing of a manifest is skipped silently.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the manifest: [`MANIFEST_FORMAT`].
    pub format: u32,
    /// Version of the journal and audit format.
    pub journal_format: u32,
    /// The session's name.
    pub name: String,
    /// The number that all its segments carry, 16 hexadecimal digits.
    pub session: String,
    /// When it was created, UTC, RFC 3339.
    pub started: String,
    /// Version of spinward.
    pub version: String,
    /// Commit it was built from, or `unknown`.
    pub commit: String,
    /// The command line, word by word.
    pub command_line: Vec<String>,
    /// Where frames come from, as on the command line.
    pub feed: String,
    /// Seed of everything random. TOML has no unsigned 64-bit numbers, so it stands as text.
    #[serde(with = "as_text")]
    pub seed: u64,
    /// Which stage ran on which core.
    pub topology: String,
    /// Symbols of the configured instruments, by id.
    pub instruments: Vec<String>,
    /// Folder name of the session whose positions and orders were carried over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resumed_from: Option<String>,
    /// Digest of `config`, 16 hexadecimal digits: [`fingerprint`].
    pub config_fingerprint: String,
    /// How it ended; absent as long as it runs, and after a kill.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<Ended>,
    /// The machine.
    pub host: Host,
    /// What its latencies depend on; absent in version 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fingerprint: Option<Fingerprint>,
    /// The whole configuration, defaults filled in, as TOML text.
    pub config: String,
}

/// How a session ended.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// When, UTC, RFC 3339.
    pub at: String,
    /// Why: `end of feed`, `duration`, `operator`, an error's text.
    pub reason: String,
    /// Frames in the journal.
    pub frames: u64,
    /// Digest of the journal's last segment, 64 hexadecimal digits: it stands for all of the journal. Absent before version 3, and if it was not ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub journal_chain: Option<String>,
    /// The same of the audit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audit_chain: Option<String>,
}

/// The machine that a session ran on.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Operating system and architecture, such as `linux x86_64`.
    pub os: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Model name of the processor.
    pub cpu_model: String,
    /// Cores that this process may use.
    pub cores: u32,
}

impl Host {
    /// This machine, as its fingerprint has it.
    pub fn of(fingerprint: &Fingerprint) -> Self {
        Self {
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: fingerprint.kernel.clone(),
            cpu_model: fingerprint.cpu.clone(),
            cores: std::thread::available_parallelism().map_or(0, |cores| cores.get() as u32),
        }
    }
}

/// Fingerprint of a configuration's text: 16 hexadecimal digits. Tells whether two are equal; no protection against forgers.
pub fn fingerprint(config: &str) -> String {
    let mut digest = Digest::new();
    digest.add(config.as_bytes());
    format!("{:016x}", digest.value())
}

/// What is wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] JournalError),
    /// Written by a later version.
    #[error("{} has manifest format {format}; this program reads up to {MANIFEST_FORMAT}: use a newer spinward", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        format: i64,
    },
    /// Not a manifest: not TOML, or a key is missing, unknown or of the wrong type.
    #[error("{} is not a manifest: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// With line and column.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The configuration in it is not the one it was fingerprinted with.
    #[error("{}: the fingerprint says {stated}, the configuration gives {found}: the file was edited", path.display())]
    Fingerprint {
        /// The file.
        path: PathBuf,
        /// As it stands in the file.
        stated: String,
        /// Of the configuration in the file.
        found: String,
    },
    /// A value that TOML cannot hold.
    #[error("cannot write {}: {source}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Which.
        #[source]
        source: Box<toml::ser::Error>,
    },
}

impl Manifest {
    /// Reads and checks it.
    ///
    /// # Errors
    /// See [`ManifestError`]; a manifest of a later version is told apart from a damaged one.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read_to_string(path).map_err(|error| JournalError::io("read", path, error))?;
        let syntax = |source| ManifestError::Syntax { path: path.to_owned(), source: Box::new(source) };
        let table: toml::Table = toml::from_str(&text).map_err(syntax)?;
        if let Some(format) = table.get("format").and_then(toml::Value::as_integer)
            && format > i64::from(MANIFEST_FORMAT)
        {
            return Err(ManifestError::Newer { path: path.to_owned(), format });
        }
        let manifest: Self = toml::from_str(&text).map_err(syntax)?;
        let found = fingerprint(&manifest.config);
        if manifest.config_fingerprint != found {
            let stated = manifest.config_fingerprint;
            return Err(ManifestError::Fingerprint { path: path.to_owned(), stated, found });
        }
        Ok(manifest)
    }

    /// Writes it in place of an old one, at one stroke: after a power cut there is the old one or the new one. The format versions and the
    /// fingerprint are set here.
    ///
    /// # Errors
    /// [`ManifestError::Io`]; the old one is then still there.
    pub fn write(&mut self, path: &Path) -> Result<(), ManifestError> {
        self.format = MANIFEST_FORMAT;
        self.journal_format = crate::format::FORMAT_VERSION;
        self.config_fingerprint = fingerprint(&self.config);
        let text = toml::to_string(self)
            .map_err(|source| ManifestError::Encode { path: path.to_owned(), source: Box::new(source) })?;
        let beside = path.with_extension("toml.new");
        write_through(&beside, path, text.as_bytes())
            .map_err(|error| JournalError::io("write", path, error))?;
        Ok(())
    }
}

fn write_through(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::File::create(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(beside, path)?;
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
