//! [`Check`]: the list of checks, and how one is run.

use super::checks;
use super::finding::{Finding, Severity, Verdict};
use super::host::Host;
use super::measure;
use super::subject::Subject;

/// A check by reading.
pub(crate) struct Check {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    pub(crate) what: &'static str,
    pub(crate) why: &'static str,
    pub(crate) run: fn(&Host, &Subject) -> Verdict,
}

/// A check as the catalogue lists it.
#[derive(serde::Serialize)]
pub(crate) struct Entry {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    pub(crate) what: &'static str,
    pub(crate) why: &'static str,
}

/// All checks by reading, in the order in which they are reported.
fn all() -> impl Iterator<Item = &'static Check> {
    [
        checks::cores::CHECKS,
        checks::tenants::CHECKS,
        checks::interrupts::CHECKS,
        checks::power::CHECKS,
        checks::clock::CHECKS,
        checks::memory::CHECKS,
        checks::numa::CHECKS,
        checks::kernel::CHECKS,
        checks::network::CHECKS,
        checks::hypervisor::CHECKS,
        checks::journal::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// Every check there is, by reading and by measuring.
pub(crate) fn catalogue() -> Vec<Entry> {
    let read =
        all().map(|check| Entry { id: check.id, severity: check.severity, what: check.what, why: check.why });
    let measured = measure::CHECKS.iter().map(|check| Entry {
        id: check.id,
        severity: check.severity,
        what: check.what,
        why: check.why,
    });
    read.chain(measured).collect()
}

/// Runs all checks by reading.
pub(crate) fn run(host: &Host, subject: &Subject) -> Vec<Finding> {
    all()
        .map(|check| {
            host.forget_sources();
            let verdict = (check.run)(host, subject);
            let mut sources = host.sources();
            if sources.is_empty() {
                sources.push(format!("configuration {}", subject.config));
            }
            verdict.of(check.id, check.severity, check.what, check.why, sources)
        })
        .collect()
}
