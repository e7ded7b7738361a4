//! A TOML text with its places: bytes to line and column, key paths to places.

use crate::problem::{ConfigError, Place, Problem};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use toml::Spanned;
use toml::de::DeTable;

/// A text and its name.
#[derive(Clone)]
pub(crate) struct Source {
    file: Arc<PathBuf>,
    text: Arc<str>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Source {
    pub(crate) fn new(file: PathBuf, text: &str) -> Self {
        Self { file: Arc::new(file), text: text.into() }
    }

    /// Line and column of a byte offset.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(..end).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        Place::File { file: Arc::clone(&self.file), line, column }
    }

    /// The table of the whole text, or every error of syntax.
    pub(crate) fn parse(&self) -> Result<Spanned<DeTable<'_>>, ConfigError> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        let problems = errors
            .iter()
            .map(|error| {
                let message = error.message();
                let (what, mend) = if message.contains("duplicate key") {
                    ("the key stands twice".to_owned(), "remove one of the two")
                } else {
                    (
                        format!("not TOML: {}", message.replace('\n', ", ")),
                        "put texts into double quotes, one key = value on a line, tables as [name]",
                    )
                };
                Problem {
                    place: self.place(error.span().map_or(0, |span| span.start)),
                    key: String::new(),
                    what,
                    mend: mend.to_owned(),
                }
            })
            .collect();
        ConfigError::unless_empty(problems)?;
        Ok(table)
    }
}

/// Where each key of the settings was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    by_key: BTreeMap<String, Place>,
    whole: Option<Place>,
}

impl Places {
    pub(crate) fn of(source: &Source) -> Self {
        Self { by_key: BTreeMap::new(), whole: Some(source.place(0)) }
    }

    pub(crate) fn note(&mut self, key: &str, place: Place) {
        self.by_key.insert(key.to_owned(), place);
    }

    pub(crate) fn note_span(&mut self, key: &str, source: &Source, span: Range<usize>) {
        self.note(key, source.place(span.start));
    }

    /// The place of the key; if it was not written, that of the table it belongs to.
    pub(crate) fn find(&self, key: &str) -> Place {
        let mut path = key;
        loop {
            if let Some(place) = self.by_key.get(path) {
                return place.clone();
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = path.get(..end).unwrap_or(""),
                None => break,
            }
        }
        self.whole.clone().unwrap_or_else(|| Place::File {
            file: Arc::new(PathBuf::from("settings")),
            line: 0,
            column: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let source = Source::new("x.toml".into(), "a = 1\n# µ\nµ = 2\n");
        assert_eq!(source.place(0).to_string(), "x.toml:1:1");
        let offset = source.text.find("2").unwrap();
        assert_eq!(source.place(offset).to_string(), "x.toml:3:5");
        assert_eq!(source.place(1_000).to_string(), "x.toml:4:1");
    }

    #[test]
    fn an_unwritten_key_is_placed_at_its_table() {
        let source = Source::new("x.toml".into(), "\n\n[risk]\n");
        let mut places = Places::of(&source);
        places.note_span("risk", &source, 2..3);
        assert_eq!(places.find("risk.orders.max").to_string(), "x.toml:3:1");
        assert_eq!(places.find("book").to_string(), "x.toml:1:1");
    }

    #[test]
    fn every_syntax_error_is_told_with_its_line() {
        let source = Source::new("x.toml".into(), "a = \nb = 1\nb = 2\nc = nonsense\n");
        let error = source.parse().unwrap_err();
        let lines: Vec<_> = error.problems.iter().filter_map(Problem::line).collect();
        assert_eq!(lines, [1, 3, 4], "{error}");
        assert!(error.to_string().contains("x.toml:3:1: the key stands twice; mend: remove one of the two"));
    }
}
