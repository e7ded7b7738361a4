//! One description of each section, walked both ways: from the file into the struct, and from the struct to canonical TOML. So what
//! is shown is what would be read.

use crate::document::{Places, Source};
use crate::field::Field;
use crate::problem::{Problem, Wrong, did_you_mean};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table of the file.
pub(crate) trait Section {
    /// Names every key, in the order in which they are shown.
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>);
}

/// What is gathered while a file is read.
#[derive(Debug)]
pub(crate) struct Reading<'r> {
    pub(crate) source: &'r Source,
    pub(crate) places: Places,
    pub(crate) problems: Vec<Problem>,
}

enum Mode<'a, 'r> {
    Read {
        table: &'a DeTable<'a>,
        span: Range<usize>,
        reading: &'a mut Reading<'r>,
    },
    Write {
        table: &'a mut toml::Table,
    },
    /// Lists the key paths there are.
    List {
        keys: &'a mut Vec<String>,
    },
}

/// Walks one table.
pub(crate) struct Visitor<'a, 'r> {
    path: String,
    known: Vec<&'static str>,
    mode: Mode<'a, 'r>,
}

/// Reads the whole of a file into `root`.
pub(crate) fn read<S: Section>(root: &mut S, table: &Spanned<DeTable<'_>>, reading: &mut Reading<'_>) {
    walk_read(root, String::new(), table.get_ref(), table.span(), reading);
}

/// The canonical table of `root`.
pub(crate) fn write<S: Section>(root: &mut S) -> toml::Table {
    let mut table = toml::Table::new();
    walk(root, Visitor { path: String::new(), known: Vec::new(), mode: Mode::Write { table: &mut table } });
    table
}

/// The path of every key that is known, lists as `name[].key`.
pub(crate) fn list<S: Section>(root: &mut S) -> Vec<String> {
    let mut keys = Vec::new();
    walk(root, Visitor { path: String::new(), known: Vec::new(), mode: Mode::List { keys: &mut keys } });
    keys
}

fn walk<S: Section>(section: &mut S, mut visitor: Visitor<'_, '_>) {
    section.visit(&mut visitor);
    visitor.refuse_unknown();
}

fn walk_read<S: Section>(
    section: &mut S,
    path: String,
    table: &DeTable<'_>,
    span: Range<usize>,
    reading: &mut Reading<'_>,
) {
    walk(section, Visitor { path, known: Vec::new(), mode: Mode::Read { table, span, reading } });
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

type Found<'t> = (Range<usize>, &'t Spanned<DeValue<'t>>);

fn find<'t>(table: &'t DeTable<'t>, name: &str) -> Option<Found<'t>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, value)| (key.span(), value))
}

impl Visitor<'_, '_> {
    /// A key with a default.
    pub(crate) fn key<T: Field>(&mut self, name: &'static str, value: &mut T) {
        self.known.push(name);
        let path = join(&self.path, name);
        match &mut self.mode {
            Mode::Read { table, reading, .. } => {
                if let Some((_, found)) = find(table, name) {
                    reading.places.note_span(&path, reading.source, found.span());
                    match T::read(found) {
                        Ok(read) => *value = read,
                        Err((span, wrong)) => reading.refuse(span, path, wrong),
                    }
                }
            }
            Mode::Write { table } => {
                table.insert(name.to_owned(), value.write());
            }
            Mode::List { keys } => keys.push(path),
        }
    }

    /// A key that may be absent.
    pub(crate) fn optional<T: Field + Default>(&mut self, name: &'static str, value: &mut Option<T>) {
        let is_written = match &self.mode {
            Mode::Read { table, .. } => find(table, name).is_some(),
            Mode::Write { .. } => value.is_some(),
            Mode::List { .. } => true,
        };
        if is_written {
            let mut inner = value.take().unwrap_or_default();
            self.key(name, &mut inner);
            *value = Some(inner);
        } else {
            self.known.push(name);
        }
    }

    /// A key that must be there; `mend` says what to write.
    pub(crate) fn required<T: Field>(&mut self, name: &'static str, mend: &str, value: &mut T) {
        if let Mode::Read { table, span, reading } = &mut self.mode
            && find(table, name).is_none()
        {
            let wrong = Wrong::new(format!("{name} is missing"), mend);
            reading.refuse(span.clone(), join(&self.path, name), wrong);
        }
        self.key(name, value);
    }

    /// A table with defaults.
    pub(crate) fn section<S: Section>(&mut self, name: &'static str, section: &mut S) {
        self.known.push(name);
        let path = join(&self.path, name);
        match &mut self.mode {
            Mode::Read { table, reading, .. } => {
                if let Some((key, found)) = find(table, name) {
                    reading.places.note_span(&path, reading.source, key.clone());
                    match found.get_ref().as_table() {
                        Some(inner) => walk_read(section, path, inner, key, reading),
                        None => {
                            let what = format!("{name} is a {}, not a table", found.get_ref().type_str());
                            reading.refuse(
                                found.span(),
                                path.clone(),
                                Wrong::new(what, format!("write it as [{path}]")),
                            );
                        }
                    }
                }
            }
            Mode::Write { table } => {
                table.insert(name.to_owned(), toml::Value::Table(write(section)));
            }
            Mode::List { keys } => {
                walk(section, Visitor { path, known: Vec::new(), mode: Mode::List { keys } });
            }
        }
    }

    /// A table that may be absent.
    pub(crate) fn optional_section<S: Section + Default>(
        &mut self,
        name: &'static str,
        section: &mut Option<S>,
    ) {
        let is_written = match &self.mode {
            Mode::Read { table, .. } => find(table, name).is_some(),
            Mode::Write { .. } => section.is_some(),
            Mode::List { .. } => true,
        };
        if is_written {
            let mut inner = section.take().unwrap_or_default();
            self.section(name, &mut inner);
            *section = Some(inner);
        } else {
            self.known.push(name);
        }
    }

    /// A list of tables. A file that has any replaces all.
    pub(crate) fn sections<S: Section + Default>(&mut self, name: &'static str, sections: &mut Vec<S>) {
        self.known.push(name);
        let path = join(&self.path, name);
        match &mut self.mode {
            Mode::Read { table, reading, .. } => {
                let Some((_, found)) = find(table, name) else { return };
                sections.clear();
                let mend = format!("write each one as [[{path}]]");
                let DeValue::Array(items) = found.get_ref() else {
                    let what = format!("{name} is a {}, not a list of tables", found.get_ref().type_str());
                    return reading.refuse(found.span(), path, Wrong::new(what, mend));
                };
                reading.places.note_span(&path, reading.source, found.span());
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    let DeValue::Table(inner) = item.get_ref() else {
                        let what = format!("a {} stands where a table should", item.get_ref().type_str());
                        reading.refuse(item.span(), path, Wrong::new(what, mend.clone()));
                        continue;
                    };
                    reading.places.note_span(&path, reading.source, item.span());
                    let mut section = S::default();
                    walk_read(&mut section, path, inner, item.span(), reading);
                    sections.push(section);
                }
            }
            Mode::Write { table } => {
                let all = sections.iter_mut().map(|section| toml::Value::Table(write(section))).collect();
                table.insert(name.to_owned(), toml::Value::Array(all));
            }
            Mode::List { keys } => {
                let path = format!("{path}[]");
                walk(&mut S::default(), Visitor { path, known: Vec::new(), mode: Mode::List { keys } });
            }
        }
    }

    /// A table that is kept as it is, for another reader.
    pub(crate) fn raw(&mut self, name: &'static str, raw: &mut crate::strategy::Parameters) {
        self.known.push(name);
        let path = join(&self.path, name);
        match &mut self.mode {
            Mode::Read { table, span, reading } => {
                let header = span.clone();
                match find(table, name) {
                    None => *raw = crate::strategy::Parameters::absent(path, reading.source, header),
                    Some((key, found)) => match found.get_ref().as_table() {
                        Some(inner) => {
                            reading.places.note_span(&path, reading.source, key.clone());
                            *raw = crate::strategy::Parameters::read(path, reading.source, inner, key);
                        }
                        None => {
                            let what = format!("{name} is a {}, not a table", found.get_ref().type_str());
                            let mend = "write it as [strategy.parameters] below its [[strategy]]";
                            reading.refuse(found.span(), path, Wrong::new(what, mend));
                        }
                    },
                }
            }
            Mode::Write { table } => {
                table.insert(name.to_owned(), toml::Value::Table(raw.to_table()));
            }
            Mode::List { keys } => keys.push(path),
        }
    }

    fn refuse_unknown(&mut self) {
        let Mode::Read { table, reading, .. } = &mut self.mode else { return };
        for (key, _) in table.iter() {
            let name: &str = key.get_ref();
            if !self.known.contains(&name) {
                let wrong = Wrong::new("unknown key", did_you_mean(name, self.known.iter().copied()));
                reading.refuse(key.span(), join(&self.path, name), wrong);
            }
        }
    }
}

impl Reading<'_> {
    fn refuse(&mut self, span: Range<usize>, key: String, wrong: Wrong) {
        let place = self.source.place(span.start);
        self.problems.push(Problem { place, key, what: wrong.what, mend: wrong.mend });
    }
}
