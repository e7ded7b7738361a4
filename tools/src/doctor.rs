//! Whether this host is fit to trade: what stands in `/proc`, `/sys` and the answers of a few tools, and what a clock says of it.
//!
//! Enters: a [`Host`], live or recorded, and a [`Subject`]: the cores, journal and network interfaces of *this* configuration. Leaves: a
//! [`Report`] of findings, each with the command that mends it. Never changes anything: mends are printed, and run by people.

mod check;
mod checks;
mod cores;
mod finding;
mod host;
mod measure;
mod record;
mod report;
mod script;
mod subject;

pub(crate) use check::catalogue;
pub(crate) use cores::Cores;
pub(crate) use finding::{Finding, Severity, State};
pub(crate) use host::Host;
pub(crate) use measure::{Measured, Progress};
pub(crate) use report::Report;
pub(crate) use script::script;
pub(crate) use subject::Subject;

use std::time::Instant;

/// Checks the host; with `progress` it is measured as well, which takes some seconds.
pub(crate) fn examine(host: &Host, subject: &Subject, progress: Option<&mut Progress>) -> Report {
    let start = Instant::now();
    let mut findings = check::run(host, subject);
    let measured = progress.map(|progress| measure::measure(host, subject, progress));
    if let Some(measured) = &measured {
        findings.extend(measure::judge(measured, subject));
    }
    Report::new(host, subject, findings, measured, start.elapsed())
}
