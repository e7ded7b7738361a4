//! [`page`]: one HTML file of one or several runs, complete in itself: no script, no font, no image from elsewhere. The plots are SVG made here.

mod plot;
mod style;

use crate::artefact::Artefact;
use crate::compare::{Change, Comparison, Verdict, compare};
use crate::measure::{Metric, Role};
use plot::{Axis, Bar, Line, Plot, Scale, Stroke, bars};
use std::fmt::Write;

/// Writing to a string cannot fail.
macro_rules! put {
    ($page:expr, $($argument:tt)*) => {{ let _ = write!($page, $($argument)*); }};
}
pub(crate) use put;

/// Most lines of one plot besides the floor: more cannot be told apart.
const LINES_MAX: usize = 8;
/// What the percentile axis ends at: 99.999 %.
const REST_MIN: f64 = 1e-5;

/// The page. The last run of each suite is shown; the ones of the same suite before it are what it is compared with.
pub fn page(runs: &[Artefact]) -> String {
    let mut suites: Vec<(&Artefact, Vec<&Artefact>)> = Vec::new();
    for run in runs {
        match suites.iter_mut().find(|(last, _)| last.suite == run.suite) {
            Some((last, earlier)) => earlier.push(std::mem::replace(last, run)),
            None => suites.push((run, Vec::new())),
        }
    }
    let mut page = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.push_str("<title>spinward bench</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>");
    page.push_str(style::STYLE);
    page.push_str("</style>\n</head>\n<body>\n<main>\n<h1>spinward bench</h1>\n");
    page.push_str("<p class=\"lead\">Medians of rounds in nanoseconds; every subject beside its control of the same run. Below 1 a ratio is faster than its control.</p>\n<nav>");
    for (run, _) in &suites {
        put!(page, "<a href=\"#{0}\">{0}</a> ", escape(&run.suite));
    }
    page.push_str("</nav>\n");
    for (run, earlier) in &suites {
        suite(&mut page, run, earlier);
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn suite(page: &mut String, run: &Artefact, earlier: &[&Artefact]) {
    put!(page, "<section id=\"{0}\">\n<h2>{0}</h2>\n", escape(&run.suite));
    put!(
        page,
        "<p class=\"where\">{} · commit {} ({}) · {} · {} rounds of {} s · {}</p>\n",
        escape(run.started.get(..19).unwrap_or(&run.started)),
        escape(&run.commit),
        escape(&run.build),
        escape(&run.fingerprint.cpu),
        run.rounds,
        run.seconds,
        escape(run.config.get("load").map_or("", String::as_str)),
    );
    for skipped in &run.skipped {
        put!(page, "<p class=\"skipped\">Left out: {}</p>\n", escape(skipped));
    }
    if let Some(unrest) = crate::floor::unrest(run) {
        put!(page, "<p class=\"skipped\">Not a quiet host: {}.</p>\n", escape(&unrest));
    }
    curve(page, run);
    if run.curve.is_empty() {
        let mut metrics = telling(run);
        metrics.extend(run.metrics.iter().filter(|metric| metric.name == crate::floor::HICCUP));
        percentiles(page, "Latency by percentile", &metrics);
    } else {
        // Of a sweep every second rate is enough to see the tail come up.
        let of_rate = |metric: &&Metric| metric.role == Role::Subject && metric.has_percentiles();
        let rates: Vec<&Metric> = run.metrics.iter().filter(of_rate).collect();
        let step = rates.len().div_ceil(LINES_MAX).max(1);
        let some: Vec<&Metric> = rates.into_iter().step_by(step).collect();
        percentiles(page, "Latency by percentile, at some of the rates", &some);
    }
    stages(page, run);
    table(page, run);
    for before in earlier.iter().rev() {
        comparison(page, run, before);
    }
    details(page, run);
    page.push_str("</section>\n");
}

/// The lines of the percentile plot, most telling first: what has a control, the controls, the rest. Of what was measured with the cores near and far
/// only one is shown, that with more samples: the table has the others.
fn telling(run: &Artefact) -> Vec<&Metric> {
    let label = |metric: &Metric| metric.name.split_once(" [").map(|(_, label)| label.to_owned());
    let mut samples: Vec<(String, u64)> = Vec::new();
    for metric in run.metrics.iter().filter(|metric| metric.role != Role::Floor) {
        let Some(label) = label(metric) else { continue };
        match samples.iter_mut().find(|(known, _)| *known == label) {
            Some((_, count)) => *count += metric.total.samples,
            None => samples.push((label, metric.total.samples)),
        }
    }
    let shown = samples.into_iter().max_by_key(|(_, count)| *count).map(|(label, _)| label);
    let rank = |metric: &Metric| match metric.role {
        Role::Subject | Role::Part if metric.control.is_some() => Some(0),
        Role::Control => Some(1),
        Role::Subject => Some(2),
        Role::Part | Role::Floor => None,
    };
    let mut lines: Vec<&Metric> = run
        .metrics
        .iter()
        .filter(|metric| metric.has_percentiles() && rank(metric).is_some())
        .filter(|metric| label(metric).is_none_or(|label| Some(label) == shown))
        .collect();
    lines.sort_by_key(|metric| rank(metric));
    lines.truncate(LINES_MAX);
    lines
}

fn percentiles(page: &mut String, title: &str, metrics: &[&Metric]) {
    if metrics.is_empty() {
        return;
    }
    // A control has the colour of the first subject that is held against it.
    let owner = |metric: &Metric| {
        let held = |other: &&&Metric| other.control.as_ref() == Some(&metric.name);
        metrics.iter().find(held).map_or(metric.name.clone(), |owner| owner.name.clone())
    };
    let mut owners: Vec<String> = Vec::new();
    for metric in metrics {
        let name = owner(metric);
        if !owners.contains(&name) {
            owners.push(name);
        }
    }
    let lines = metrics.iter().map(|metric| Line {
        name: metric.name.clone(),
        stroke: match metric.role {
            // The floor is a reference, not one of the subjects.
            Role::Floor => Stroke::Faint,
            Role::Control => Stroke::Dashed,
            Role::Subject | Role::Part => Stroke::Plain,
        },
        colour: owners.iter().position(|name| *name == owner(metric)).unwrap_or(0),
        has_dots: false,
        points: metric
            .distribution
            .iter()
            .filter(|(quantile, _)| 1.0 - quantile >= REST_MIN)
            .map(|(quantile, nanos)| (1.0 / (1.0 - quantile), *nanos as f64))
            .collect(),
    });
    let plot = Plot {
        title: title.to_owned(),
        x: Axis {
            label: "percentile".to_owned(),
            scale: Scale::Log,
            range: Some((1.0, 1.0 / REST_MIN)),
            ticks: Some(
                [
                    (1.0, "0"),
                    (2.0, "50"),
                    (10.0, "90"),
                    (100.0, "99"),
                    (1e3, "99.9"),
                    (1e4, "99.99"),
                    (1e5, "99.999 %"),
                ]
                .map(|(at, text)| (at, text.to_owned()))
                .to_vec(),
            ),
        },
        y: Axis { label: "latency".to_owned(), scale: Scale::Log, range: None, ticks: None },
        lines: lines.collect(),
        mark: None,
    };
    plot.draw(page);
}

/// The latency-throughput curve.
fn curve(page: &mut String, run: &Artefact) {
    if run.curve.is_empty() {
        return;
    }
    let line = |colour: usize, name: &str, quantity: &'static str| Line {
        name: name.to_owned(),
        stroke: Stroke::Plain,
        colour,
        has_dots: true,
        points: run
            .curve
            .iter()
            .filter_map(|point| Some((point.achieved as f64 / 1e6, point.figures.quantity(quantity)?)))
            .collect(),
    };
    let plot = Plot {
        title: "Latency over throughput, from the intended time".to_owned(),
        x: Axis {
            label: "achieved, million frames/s".to_owned(),
            scale: Scale::Linear,
            range: None,
            ticks: None,
        },
        y: Axis { label: "latency".to_owned(), scale: Scale::Log, range: None, ticks: None },
        lines: vec![
            line(0, "median", "p50"),
            line(1, "90 %", "p90"),
            line(2, "99 %", "p99"),
            line(3, "99.9 %", "p99.9"),
        ],
        mark: run.knee.as_ref().map(|knee| (knee.rate as f64 / 1e6, "knee".to_owned())),
    };
    plot.draw(page);
    match &run.knee {
        Some(knee) => put!(
            page,
            "<p>Knee: <strong>{} frames/s</strong> ({}). The knee is the highest offered rate up to which at least 98 % is achieved and the median stays below twice the smallest one.</p>\n",
            thousands(knee.rate),
            escape(&knee.beyond)
        ),
        None => page.push_str("<p>The knee lies below the lowest rate.</p>\n"),
    }
}

/// Service of each stage in the pipeline beside the straight call.
fn stages(page: &mut String, run: &Artefact) {
    let parts = run.metrics.iter().filter(|metric| metric.role == Role::Part);
    let mut rows = Vec::new();
    for metric in parts {
        let control = metric.control.as_ref().and_then(|name| run.metric(name));
        let (Some(p50), Some(p90), Some(p99)) =
            (metric.median("p50"), metric.median("p90"), metric.median("p99"))
        else {
            continue;
        };
        let control = control.and_then(|control| control.median("p50"));
        rows.push(Bar { name: metric.name.clone(), p50, p90, p99, control });
    }
    bars(page, "Wait and service by stage", &rows);
}

fn table(page: &mut String, run: &Artefact) {
    page.push_str("<div class=\"scroll\"><table><thead><tr><th>ns</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th><th>mean</th><th>samples</th><th>against control</th></tr></thead><tbody>\n");
    let mut metrics: Vec<&Metric> = run.metrics.iter().collect();
    metrics.sort_by_key(|metric| match metric.role {
        Role::Subject | Role::Part => 0,
        Role::Control => 1,
        Role::Floor => 2,
    });
    for metric in metrics {
        let role = match metric.role {
            Role::Subject | Role::Part => "",
            Role::Control => " class=\"control\"",
            Role::Floor => " class=\"floor\"",
        };
        put!(page, "<tr{role}><td>{}</td>", escape(&metric.name));
        for quantity in ["p50", "p90", "p99", "p99.9", "max", "mean"] {
            let value =
                if quantity == "max" { metric.total.quantity(quantity) } else { metric.median(quantity) };
            put!(page, "<td>{}</td>", value.map_or_else(String::new, figure));
        }
        put!(page, "<td>{}</td>", thousands(metric.total.samples));
        match run.ratios.iter().find(|ratio| ratio.subject == metric.name) {
            Some(ratio) => {
                put!(
                    page,
                    "<td class=\"ratio\"><strong>×{:.2}</strong> {}</td></tr>\n",
                    ratio.ratio,
                    escape(&ratio.control)
                )
            }
            None => page.push_str("<td></td></tr>\n"),
        }
    }
    page.push_str("</tbody></table></div>\n");
}

fn comparison(page: &mut String, run: &Artefact, before: &Artefact) {
    let found = compare(before, run);
    put!(
        page,
        "<h3>Since {} (commit {})</h3>\n",
        escape(before.started.get(..19).unwrap_or(&before.started)),
        escape(&before.commit)
    );
    for flag in &found.refused {
        put!(
            page,
            "<p class=\"flag\">Not comparable: {} was {}, is {}.</p>\n",
            escape(&flag.field),
            escape(&flag.a),
            escape(&flag.b)
        );
    }
    for flag in &found.flags {
        put!(
            page,
            "<p class=\"flag\">Another host: {} was {}, is {}.</p>\n",
            escape(&flag.field),
            escape(&flag.a),
            escape(&flag.b)
        );
    }
    if found.refused.is_empty() {
        changes(page, &found);
    }
}

/// One row a metric: what was and is its median (or mean), and the change of each quantity with its noise.
fn changes(page: &mut String, found: &Comparison) {
    page.push_str("<div class=\"scroll\"><table><thead><tr><th>ns</th><th>before</th><th>now</th><th>p50 or mean</th><th>p90</th><th>p99</th><th>p99.9</th></tr></thead><tbody>\n");
    let mut changes = found.changes.iter().filter(|change| change.role != Role::Floor).peekable();
    while let Some(first) = changes.next() {
        put!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td>",
            escape(&first.metric),
            figure(first.a_ns),
            figure(first.b_ns)
        );
        change(page, first);
        while let Some(next) = changes.next_if(|next| next.metric == first.metric) {
            change(page, next);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n<p class=\"note\">Behind ±: the noise, half of the span between the lowest and the highest round, of the run in which it is wider. Grey changes lie within it.</p>\n");
}

fn change(page: &mut String, change: &Change) {
    let class = match change.verdict {
        Verdict::Faster => "faster",
        Verdict::Slower => "slower",
        Verdict::WithinNoise | Verdict::NoiseUnknown => "noise",
    };
    let noise = change.noise_percent.map_or_else(|| "?".to_owned(), |noise| format!("{noise:.1}"));
    put!(
        page,
        "<td class=\"{class}\" title=\"{} {}\">{:+.1} % <small>±{noise}</small></td>",
        change.quantity,
        change.verdict.text(),
        change.change_percent
    );
}

fn details(page: &mut String, run: &Artefact) {
    page.push_str("<details><summary>Host and configuration</summary><dl>\n");
    let version = [("version", run.version.as_str()), ("interval log", run.interval_log.as_str())];
    let config = run.config.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    for (key, value) in run.fingerprint.fields().into_iter().chain(config).chain(version) {
        put!(page, "<dt>{}</dt><dd>{}</dd>\n", escape(key), escape(value));
    }
    page.push_str("</dl></details>\n");
}

/// Text for HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Nanoseconds: thousands apart, one decimal below a hundred.
fn figure(nanos: f64) -> String {
    if nanos < 100.0 && nanos.fract() != 0.0 {
        format!("{nanos:.1}")
    } else {
        thousands(nanos.round() as u64)
    }
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
