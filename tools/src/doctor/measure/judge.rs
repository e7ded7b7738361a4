//! What was measured against what a tuned host gives.

use super::Measured;
use crate::cli::output::nanos;
use crate::doctor::finding::{Finding, Mend, Severity, Verdict};
use crate::doctor::subject::Subject;
use spinward_benches::pingpong::Distance;

/// A check by measuring.
pub(crate) struct MeasuredCheck {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    pub(crate) what: &'static str,
    pub(crate) why: &'static str,
    /// Tools and files it comes from.
    sources: &'static [&'static str],
    run: fn(&Measured, &Subject) -> Verdict,
}

pub(crate) const CHECKS: &[MeasuredCheck] = &[
    MeasuredCheck {
        id: "measured.spin",
        severity: Severity::Critical,
        what: "a loop that reads the clock on each core is not stopped",
        why: "whatever stops this loop stops a stage, and every frame behind it waits",
        sources: &["/proc/thread-self/status"],
        run: spin,
    },
    MeasuredCheck {
        id: "measured.hop",
        severity: Severity::Warning,
        what: "a cache line goes from core to core within a cache complex's time",
        why: "each hop between stages costs this at least",
        sources: &["/proc/self/status"],
        run: hop,
    },
    MeasuredCheck {
        id: "measured.timer",
        severity: Severity::Warning,
        what: "a thread that sleeps to a point in time wakes then",
        why: "paces, heartbeats and time-outs are late by this",
        sources: &["/proc/self/status"],
        run: timer,
    },
    MeasuredCheck {
        id: "measured.clock",
        severity: Severity::Critical,
        what: "the stamps' clock goes as the kernel's, and reading it is cheap",
        why: "every latency told is a difference of its readings",
        sources: &["/sys/devices/system/clocksource/clocksource0/current_clocksource"],
        run: clock,
    },
    MeasuredCheck {
        id: "measured.fsync",
        severity: Severity::Warning,
        what: "a flush of the sessions' file system is quick",
        why: "the flush interval of the journal, what a power cut may lose, holds only if flushes end within it",
        sources: &["/proc/self/mountinfo"],
        run: fsync,
    },
    MeasuredCheck {
        id: "measured.socket",
        severity: Severity::Warning,
        what: "a small message passes the kernel's network stack quickly",
        why: "the same calls carry orders: what the loopback takes, a real card takes as well",
        sources: &["/proc/net/dev"],
        run: socket,
    },
    MeasuredCheck {
        id: "measured.steal",
        severity: Severity::Critical,
        what: "the hypervisor took no time while all this was measured",
        why: "stolen time is a stall of any length that no setting in this machine prevents",
        sources: &["/proc/stat"],
        run: steal,
    },
];

/// The longest gap that is let pass, nanoseconds: a chosen bound, about the stall that one timer tick makes on a virtual host.
const GAP_MAX_NS: u64 = 50_000;
/// Share of time lost in gaps over 10 µs, in millionths: a chosen bound, which a tick of 250 Hz that takes 10 µs exceeds 25 times.
const LOST_PPM_MAX: u64 = 100;
/// Lateness of a wake-up: 50 µs of it are the kernel's default timer slack for threads without real-time priority.
const LATE_P50_NS: u64 = 100_000;
const LATE_P99_NS: u64 = 250_000;
/// A counter that is off by more is not the one the kernel was calibrated with.
const DRIFT_PPM_MAX: f64 = 100.0;
/// A reading of the counter takes 10 to 25 ns, a system call several times that.
const READ_NS_MAX: f64 = 60.0;
const FLUSH_P50_NS: u64 = 1_000_000;
const FLUSH_P99_NS: u64 = 10_000_000;
const SOCKET_P50_NS: u64 = 10_000;
const SOCKET_P99_NS: u64 = 50_000;

/// One finding for each check.
pub(crate) fn judge(measured: &Measured, subject: &Subject) -> Vec<Finding> {
    let one = |check: &MeasuredCheck| {
        let sources = check.sources.iter().map(|source| (*source).to_owned()).collect();
        (check.run)(measured, subject).of(check.id, check.severity, check.what, check.why, sources)
    };
    CHECKS.iter().map(one).collect()
}

fn not_measured(wanted: String) -> Verdict {
    Verdict::unknown(
        "no core of the pipeline may be used",
        wanted,
        Mend::advice("mend cores.allowed, then measure again"),
    )
}

fn spin(measured: &Measured, _: &Subject) -> Verdict {
    let wanted = format!("no gap over {}, less than {} % lost", nanos(GAP_MAX_NS), LOST_PPM_MAX as f64 / 1e4);
    let Some(worst) = measured.spin.iter().max_by_key(|spin| spin.gap_max_ns) else {
        return not_measured(wanted);
    };
    let lost = measured.spin.iter().map(|spin| spin.lost_ppm()).max().unwrap_or(0);
    let is_good = worst.gap_max_ns <= GAP_MAX_NS && lost <= LOST_PPM_MAX;
    let found =
        format!("core {}: {} at most; {:.3} % lost", worst.core, nanos(worst.gap_max_ns), lost as f64 / 1e4);
    Verdict::judge(is_good, found, wanted, || {
        Mend::advice(
            "mend the failed checks of cores, irq and power first; what remains is firmware (SMI: BIOS) or the hypervisor",
        )
    })
}

fn hop(measured: &Measured, subject: &Subject) -> Verdict {
    let wanted = "less than 120 ns (near)".to_owned();
    if subject.cores.count() < 2 {
        return Verdict::not_applicable("one core");
    }
    let Some(worst) = measured.hops.iter().max_by_key(|hop| hop.median_ns) else {
        return not_measured(wanted);
    };
    let is_good = Distance::of(worst.median_ns) == Distance::Near;
    let found = format!("cores {} and {}: {}", worst.first, worst.second, nanos(worst.median_ns));
    Verdict::judge(is_good, found, wanted, || {
        Mend::Config("[topology] cores: take neighbours from the matrix below".to_owned())
    })
}

fn timer(measured: &Measured, _: &Subject) -> Verdict {
    let wanted = format!("late by {} (p50), {} (p99) at most", nanos(LATE_P50_NS), nanos(LATE_P99_NS));
    let Some(worst) = measured.timer.iter().max_by_key(|timer| timer.p99_ns) else {
        return not_measured(wanted);
    };
    let is_good =
        measured.timer.iter().all(|timer| timer.p50_ns <= LATE_P50_NS && timer.p99_ns <= LATE_P99_NS);
    let found = format!("core {}: {} (p50), {} (p99)", worst.core, nanos(worst.p50_ns), nanos(worst.p99_ns));
    Verdict::judge(is_good, found, wanted, || {
        Mend::advice("mend power.cstates, power.governor and cores.processes")
    })
}

fn clock(measured: &Measured, _: &Subject) -> Verdict {
    let wanted = format!("within {DRIFT_PPM_MAX} ppm, {READ_NS_MAX} ns a reading");
    let Some(clock) = &measured.clock else {
        return Verdict::unknown("the kernel's clock stood still", wanted, Mend::advice("mend clock.source"));
    };
    let is_good = clock.drift_ppm.abs() <= DRIFT_PPM_MAX && clock.read_ns <= READ_NS_MAX;
    let found = format!("{:+.1} ppm, {:.1} ns", clock.drift_ppm, clock.read_ns);
    Verdict::judge(is_good, found, wanted, || Mend::advice("mend clock.tsc and clock.source"))
}

fn fsync(measured: &Measured, _: &Subject) -> Verdict {
    let wanted = format!("{} (p50), {} (p99) at most", nanos(FLUSH_P50_NS), nanos(FLUSH_P99_NS));
    let mend =
        || Mend::Config("[session] folder = \"…\" on an NVMe disk with power-loss protection".to_owned());
    match &measured.fsync {
        None => Verdict::unknown("not measured", wanted, mend()),
        Some(Err(error)) => Verdict::unknown(
            error.clone(),
            wanted,
            Mend::advice("let this user write to the folder of the sessions"),
        ),
        Some(Ok(fsync)) => {
            let is_good = fsync.p50_ns <= FLUSH_P50_NS && fsync.p99_ns <= FLUSH_P99_NS;
            let found = format!("{} (p50), {} (p99)", nanos(fsync.p50_ns), nanos(fsync.p99_ns));
            Verdict::judge(is_good, found, wanted, mend)
        }
    }
}

fn socket(measured: &Measured, _: &Subject) -> Verdict {
    let wanted = format!("{} (p50), {} (p99) at most", nanos(SOCKET_P50_NS), nanos(SOCKET_P99_NS));
    match &measured.socket {
        None => Verdict::unknown("not measured", wanted, Mend::advice("run it again with measurements")),
        Some(Err(error)) => Verdict::unknown(error.clone(), wanted, Mend::command("ip link set lo up")),
        Some(Ok(socket)) => {
            let is_good = socket.p50_ns <= SOCKET_P50_NS && socket.p99_ns <= SOCKET_P99_NS;
            let found = format!("{} (p50), {} (p99)", nanos(socket.p50_ns), nanos(socket.p99_ns));
            Verdict::judge(is_good, found, wanted, || {
                Mend::advice(
                    "mend cores.isolated and kernel.mitigations; packet filters (nft list ruleset) cost here as well",
                )
            })
        }
    }
}

fn steal(measured: &Measured, _: &Subject) -> Verdict {
    let wanted = "none".to_owned();
    if measured.stolen.is_empty() {
        return not_measured(wanted);
    }
    let stolen: u64 = measured.stolen.iter().map(|stolen| stolen.stolen).sum();
    let all: u64 = measured.stolen.iter().map(|stolen| stolen.all).sum();
    let share = stolen as f64 / all.max(1) as f64 * 100.0;
    Verdict::judge(stolen == 0, format!("{share:.2} % of the time"), wanted, || {
        Mend::advice("ask the provider for dedicated, pinned cores, or trade on bare metal")
    })
}
