//! [`Problem`]: what is wrong, where it stands, and how to mend it. A file's problems are told all at once.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a value was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// In a file.
    File {
        /// As it was named.
        file: Arc<PathBuf>,
        /// From 1; 0 if the file could not be read at all.
        line: usize,
        /// From 1, in characters; 0 if the file could not be read at all.
        column: usize,
    },
    /// On the command line.
    Option {
        /// Such as `--pace`.
        name: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { file, line: 0, .. } => write!(f, "{}", file.display()),
            Place::File { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Place::Option { name } => f.write_str(name),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The key's path, such as `instrument[0].tick` (lists count from 0); empty if it is not about a key.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl Problem {
    /// The line, from 1; `None` for the command line and for files that cannot be read.
    pub fn line(&self) -> Option<usize> {
        match &self.place {
            Place::File { line, .. } => (*line > 0).then_some(*line),
            Place::Option { .. } => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; mend: {}", self.what, self.mend)
    }
}

/// A configuration is refused: every problem that was found, in the order of the file. `Display` prints one a line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", lines(problems))]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// `Ok` if there are none; else sorted and without repetitions.
    pub(crate) fn unless_empty(mut problems: Vec<Problem>) -> Result<(), ConfigError> {
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// What a value's reader finds wrong; the place is added by who called it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) mend: String,
}

impl Wrong {
    pub(crate) fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }
}

/// Of `known`, the one that `word` was probably meant to be: at most a third of its letters (and at least one) are wrong.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How to mend a word that is not among `known`.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(candidate) => format!("did you mean {candidate:?}?"),
        None => {
            let all: Vec<&str> = known.into_iter().collect();
            if all.is_empty() { "remove it".to_owned() } else { format!("known are {}", all.join(", ")) }
        }
    }
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment distance).
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let same = usize::from(a[i - 1] != b[j - 1]);
                let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + same);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            }
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood_and_another_word_is_not() {
        let known = ["ingress_slots", "event_slots", "burst"];
        assert_eq!(nearest("ingres_slots", known), Some("ingress_slots"));
        assert_eq!(nearest("brust", known), Some("burst"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(did_you_mean("colour", known), "known are ingress_slots, event_slots, burst");
    }

    #[test]
    fn edit_distance_counts_slips() {
        for (a, b, distance) in [("", "abc", 3), ("tick", "tick", 0), ("tikc", "tick", 1), ("lot", "lots", 1)]
        {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
        }
    }
}
