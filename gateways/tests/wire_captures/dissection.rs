//! tshark's reading of captures, as lines of labels and values.

use flate2::read::GzDecoder;
use std::io::Read;
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name)
}

/// A file of the shared data; if it is absent, says so.
pub(crate) fn data(name: &str) -> Option<Vec<u8>> {
    let path = path(name);
    let file = std::fs::read(&path).ok();
    if file.is_none() {
        eprintln!("SKIPPED: this test needs {}", path.display());
    }
    file
}

/// Name, bytes and dissections of every capture of a folder.
pub(crate) fn captures(folder: &str, prefix: &str) -> Vec<(String, Vec<u8>, Vec<Dissection>)> {
    let folder = path("pcap").join(folder);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: this test needs {}", folder.display());
        return Vec::new();
    };
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
        .into_iter()
        .map(|file| {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let expected = path("pcap/expected").join(format!("{prefix}{name}.txt.gz"));
            let mut text = String::new();
            GzDecoder::new(std::fs::File::open(expected).unwrap()).read_to_string(&mut text).unwrap();
            (name, std::fs::read(file).unwrap(), frames(&text))
        })
        .collect()
}

fn frames(text: &str) -> Vec<Dissection> {
    let mut frames: Vec<Dissection> = Vec::new();
    for line in text.lines() {
        if line.starts_with("Frame ") {
            frames.push(Dissection { lines: Vec::new() });
        }
        if let (Some((label, value)), Some(frame)) = (line.split_once(':'), frames.last_mut()) {
            frame.lines.push((label.trim().to_owned(), value.trim().to_owned()));
        }
    }
    frames
}

/// One frame.
pub(crate) struct Dissection {
    lines: Vec<(String, String)>,
}

impl Dissection {
    /// All values of a label.
    pub(crate) fn values<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter(move |line| line.0 == label).map(|line| line.1.as_str())
    }

    /// Its last value: the innermost layer's.
    pub(crate) fn value<'a>(&'a self, label: &'a str) -> &'a str {
        self.values(label).last().unwrap_or_else(|| panic!("no {label}"))
    }

    /// Its last value as a number, whatever stands behind it.
    pub(crate) fn number(&self, label: &str) -> u64 {
        self.value(label).split(' ').next().unwrap().parse().unwrap()
    }

    /// The lines behind the last one whose label ends so; none if there is no such line.
    pub(crate) fn after(&self, label: &str) -> &[(String, String)] {
        let at = self.lines.iter().rposition(|line| line.0.ends_with(label));
        at.map_or(&[], |at| &self.lines[at + 1..])
    }
}
