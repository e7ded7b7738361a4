//! Prometheus' text exposition format 0.0.4, read strictly.

use std::collections::{BTreeMap, BTreeSet};

/// One scrape.
pub(crate) struct Scrape {
    pub(crate) text: String,
    /// Kind of each family.
    pub(crate) families: BTreeMap<String, String>,
    /// Values by name and labels, as written.
    pub(crate) samples: BTreeMap<String, f64>,
}

impl Scrape {
    /// Every line must be a HELP, the TYPE of the same family, or a sample of it.
    pub(crate) fn parse(text: &str) -> Self {
        let mut scrape = Self { text: text.to_owned(), families: BTreeMap::new(), samples: BTreeMap::new() };
        let mut family = String::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                family = help.split_once(' ').unwrap().0.to_owned();
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, family);
                assert!(matches!(kind, "counter" | "gauge"), "{line}");
                assert_eq!(
                    scrape.families.insert(name.to_owned(), kind.to_owned()),
                    None,
                    "{name} stands twice"
                );
            } else {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                assert_eq!(name_of(sample), family, "{line}");
                let before = scrape.samples.insert(sample.to_owned(), value.parse().unwrap());
                assert_eq!(before, None, "{sample} stands twice");
            }
        }
        scrape
    }

    /// Value of one sample, 0 if it is not there.
    pub(crate) fn value(&self, sample: &str) -> f64 {
        self.samples.get(sample).copied().unwrap_or(0.0)
    }

    /// Sum over the samples of a family whose labels have this text.
    pub(crate) fn sum(&self, family: &str, labels: &str) -> f64 {
        let of_family =
            self.samples.iter().filter(|(sample, _)| name_of(sample) == family && sample.contains(labels));
        of_family.map(|(_, value)| value.abs()).sum()
    }
}

fn name_of(sample: &str) -> &str {
    sample.split('{').next().unwrap()
}

/// What was seen of families over several scrapes.
#[derive(Default)]
pub(crate) struct Seen {
    families: BTreeSet<String>,
    moved: BTreeSet<String>,
    last: BTreeMap<String, f64>,
}

impl Seen {
    /// Of the same session as the scrape before: also checks that no counter goes back.
    pub(crate) fn add(&mut self, scrape: &Scrape) {
        self.families.extend(scrape.families.keys().cloned());
        for (sample, value) in &scrape.samples {
            let name = name_of(sample);
            let before = self.last.insert(sample.clone(), *value);
            if *value != 0.0 || before.is_some_and(|before| before != *value) {
                self.moved.insert(name.to_owned());
            }
            let is_counter = scrape.families.get(name).is_some_and(|kind| kind == "counter");
            assert!(!is_counter || before.is_none_or(|before| before <= *value), "{sample} went back");
        }
    }

    /// Another session follows.
    pub(crate) fn next_session(&mut self) {
        self.last.clear();
    }

    pub(crate) fn families(&self) -> &BTreeSet<String> {
        &self.families
    }

    pub(crate) fn unmoved(&self) -> Vec<&String> {
        self.families.difference(&self.moved).collect()
    }
}
