//! A metric family of a table, and the text that a scrape gives of all of them.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric as Sample, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

/// Counter or gauge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// Takes samples: labels and value.
pub(super) type Out<'a> = &'a mut dyn FnMut(&[(&str, &str)], f64);

/// One metric family, read from `S`.
pub(super) struct Metric<S: 'static> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) read: fn(&S, Out<'_>),
}

/// The text exposition format.
pub(super) fn render<S>(table: &[Metric<S>], sources: &S) -> String {
    let mut families = Vec::with_capacity(table.len());
    for metric in table {
        let mut family = MetricFamily::default();
        family.set_name(metric.name.to_owned());
        family.set_help(metric.help.to_owned());
        family.set_field_type(match metric.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
        });
        let mut samples: Vec<Sample> = Vec::new();
        (metric.read)(sources, &mut |labels, value| {
            let pairs: Vec<LabelPair> = labels
                .iter()
                .map(|(name, value)| {
                    let mut pair = LabelPair::default();
                    pair.set_name((*name).to_owned());
                    pair.set_value((*value).to_owned());
                    pair
                })
                .collect();
            let mut sample = Sample::from_label(pairs);
            match metric.kind {
                Kind::Counter => {
                    let mut counter = Counter::default();
                    counter.set_value(value);
                    sample.set_counter(counter);
                }
                Kind::Gauge => {
                    let mut gauge = Gauge::default();
                    gauge.set_value(value);
                    sample.set_gauge(gauge);
                }
            }
            samples.push(sample);
        });
        if !samples.is_empty() {
            family.set_metric(samples);
            families.push(family);
        }
    }
    let mut text = Vec::new();
    match TextEncoder::new().encode(&families, &mut text) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(error) => format!("# cannot render: {error}\n"),
    }
}

/// Fails if a name of the table breaks the conventions or stands twice.
#[cfg(test)]
pub(super) fn check_names<S>(table: &[Metric<S>]) {
    let mut names = std::collections::BTreeSet::new();
    for metric in table {
        assert!(names.insert(metric.name), "{} stands twice", metric.name);
        assert!(metric.name.starts_with("spinward_"), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
        assert!(metric.help.ends_with('.'), "{}", metric.name);
    }
}
