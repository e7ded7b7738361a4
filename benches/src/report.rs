//! Rows of percentiles for the terminal, with the host they were measured on.

use hdrhistogram::Histogram;

/// A histogram as the benches use it: 1 ns to 10 s, three digits.
///
/// # Errors
/// Never with these bounds; the crate's constructor says otherwise.
pub fn histogram() -> Result<Histogram<u64>, hdrhistogram::CreationError> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3)
}

/// One line: name, p50, p90, p99, p99.9, max in nanoseconds, and how many samples.
pub fn row(name: &str, histogram: &Histogram<u64>) -> String {
    let at = |quantile: f64| histogram.value_at_quantile(quantile);
    format!(
        "{name:<44} {:>8} {:>8} {:>8} {:>9} {:>10} {:>10}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        histogram.max(),
        histogram.len()
    )
}

/// Head of the rows.
pub fn head() -> String {
    format!(
        "{:<44} {:>8} {:>8} {:>8} {:>9} {:>10} {:>10}",
        "nanoseconds", "p50", "p90", "p99", "p99.9", "max", "samples"
    )
}

/// Processor, cores and kernel of this host.
pub fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split_once(':')))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let isolated = read("/sys/devices/system/cpu/isolated");
    let isolated = if isolated.trim().is_empty() { "none" } else { isolated.trim() };
    format!("{model}, {cores} cores (isolated: {isolated}), Linux {}", kernel.trim())
}
