//! Runs and comparisons for people.

use crate::cli::output::{Table, count, line, nanos};
use spinward_benches::artefact::Artefact;
use spinward_benches::compare::Comparison;
use spinward_benches::floor;
use spinward_benches::measure::{Metric, Role};

/// Nanoseconds that may be fractions: `4.7 ns` below ten, else as everywhere.
fn time(value: f64) -> String {
    if value < 100.0 { format!("{value:.1} ns") } else { nanos(value.round() as u64) }
}

pub(crate) fn artefact(run: &Artefact) {
    line(format!("suite     {}, {} ({}), {}", run.suite, run.commit, run.build, run.started));
    let host = &run.fingerprint;
    line(format!(
        "host      {}, {}, cores {} (isolated {}), governor {}, hypervisor {}, Linux {}",
        host.host, host.cpu, host.cores, host.isolated, host.governor, host.hypervisor, host.kernel
    ));
    for (key, value) in run.config.iter().filter(|(key, _)| *key != "suite") {
        line(format!("{key:<9} {value}"));
    }
    line(format!(
        "rounds    {} of {} s paced; medians of rounds; took {:.1} s",
        run.rounds, run.seconds, run.took_seconds
    ));
    let roles = [
        ("", Role::Subject),
        ("stages", Role::Part),
        ("controls", Role::Control),
        ("the laboratory's own floor", Role::Floor),
    ];
    let mut table =
        Table::new(["", "p50", "p90", "p99", "p99.9", "max", "mean", "samples", "against control"]);
    for (title, role) in roles {
        let metrics: Vec<&Metric> = run.metrics.iter().filter(|metric| metric.role == role).collect();
        if !metrics.is_empty() && !title.is_empty() {
            table.row([format!("-- {title}")]);
        }
        for metric in metrics {
            let cell = |quantity| metric.median(quantity).map_or_else(|| "-".to_owned(), time);
            let ratio = run.ratios.iter().find(|ratio| ratio.subject == metric.name);
            table.row([
                metric.name.clone(),
                cell("p50"),
                cell("p90"),
                cell("p99"),
                cell("p99.9"),
                metric.total.quantity("max").map_or_else(|| "-".to_owned(), time),
                cell("mean"),
                count(metric.total.samples),
                ratio.map_or_else(String::new, |ratio| {
                    format!("×{:.2} of {} ({})", ratio.ratio, ratio.control, ratio.quantity)
                }),
            ]);
        }
    }
    table.print();
    curve(run);
    if let Some(unrest) = floor::unrest(run) {
        line(format!("NOISY     {unrest}"));
    }
    for skipped in &run.skipped {
        line(format!("SKIPPED   {skipped}"));
    }
}

fn curve(run: &Artefact) {
    if run.curve.is_empty() {
        return;
    }
    let mut table = Table::new(["offered/s", "achieved/s", "p50", "p90", "p99", "p99.9", "max", "samples"]);
    for point in &run.curve {
        let cell = |quantity| point.figures.quantity(quantity).map_or_else(|| "-".to_owned(), time);
        table.row([
            count(point.offered),
            count(point.achieved),
            cell("p50"),
            cell("p90"),
            cell("p99"),
            cell("p99.9"),
            cell("max"),
            count(point.figures.samples),
        ]);
    }
    table.print();
    match &run.knee {
        Some(knee) => line(format!("knee      {} frames/s: {}", count(knee.rate), knee.beyond)),
        None => line("knee      below the lowest rate"),
    }
}

pub(crate) fn comparison(found: &Comparison) {
    let [a, b] = &found.commits;
    line(format!("commits   {a} → {b}"));
    for flag in &found.refused {
        line(format!("REFUSED   {}: {} against {}", flag.field, flag.a, flag.b));
    }
    for flag in &found.flags {
        line(format!("HOST      {} differs: {} against {}", flag.field, flag.a, flag.b));
    }
    if !found.refused.is_empty() {
        line("not comparable: measure both with the same suite, configuration and kind of build");
        return;
    }
    let mut table = Table::new(["", "quantity", "a", "b", "change", "noise", ""]);
    for change in &found.changes {
        table.row([
            change.metric.clone(),
            change.quantity.to_owned(),
            time(change.a_ns),
            time(change.b_ns),
            format!("{:+.1} %", change.change_percent),
            change.noise_percent.map_or_else(|| "?".to_owned(), |noise| format!("±{noise:.1} %")),
            change.verdict.text().to_owned(),
        ]);
    }
    table.print();
    for name in &found.unmatched {
        line(format!("only in one: {name}"));
    }
    line("noise: half of the span between the lowest and the highest round, of the run in which it is wider");
}
