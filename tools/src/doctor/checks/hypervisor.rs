//! Whether the host is a machine, or a guest of one.

use crate::doctor::check::Check;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::Host;
use crate::doctor::subject::Subject;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "hypervisor.present",
        severity: Severity::Warning,
        what: "the host is no virtual machine",
        why: "a hypervisor moves and stops cores without a trace in this kernel; what is isolated here is not isolated there",
        run: present,
    },
    Check {
        id: "hypervisor.steal",
        severity: Severity::Warning,
        what: "the hypervisor has not taken time from the cores since boot",
        why: "stolen time is a stall of any length that no setting in this machine prevents",
        run: steal,
    },
];

/// Share of time stolen since boot, in millionths, that a dedicated guest stays below.
const STOLEN_PPM_MAX: u64 = 100;

pub(in crate::doctor) fn is_guest(host: &Host) -> Option<bool> {
    let flags = host.read_lines("/proc/cpuinfo", &["flags"])?;
    let kind = host.read("/sys/hypervisor/type");
    Some(kind.is_some() || flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

fn present(host: &Host, _: &Subject) -> Verdict {
    let wanted = "none";
    match is_guest(host) {
        None => Verdict::unknown("no /proc/cpuinfo", wanted, Mend::advice("mount /proc to let it be read")),
        Some(is_guest) => Verdict::judge(!is_guest, if is_guest { "yes" } else { "none" }, wanted, || {
            Mend::advice(
                "trade on bare metal; in a guest ask for dedicated, pinned cores and trust only what is measured here",
            )
        }),
    }
}

/// Stolen and all time of a core since boot, in ticks of 10 ms: proc(5), /proc/stat.
pub(in crate::doctor) fn times_of(host: &Host, core: usize) -> Option<(u64, u64)> {
    let line = host.read_lines("/proc/stat", &[&format!("cpu{core} ")])?;
    let times: Vec<u64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // Guest time, the ninth, is in user time already.
    Some((*times.get(7)?, times.iter().take(8).sum()))
}

fn steal(host: &Host, subject: &Subject) -> Verdict {
    if is_guest(host) == Some(false) {
        return Verdict::not_applicable("no hypervisor");
    }
    let wanted = format!("less than {} %", STOLEN_PPM_MAX as f64 / 1e4);
    let mut worst: Option<(usize, u64)> = None;
    for core in subject.cores.iter() {
        let Some((stolen, all)) = times_of(host, core) else { continue };
        let ppm = stolen.saturating_mul(1_000_000) / all.max(1);
        if worst.is_none_or(|(_, known)| ppm > known) {
            worst = Some((core, ppm));
        }
    }
    match worst {
        None => Verdict::unknown("no /proc/stat", wanted, Mend::advice("mount /proc to let it be read")),
        Some((core, ppm)) => {
            let found = format!("core {core}: {:.2} %", ppm as f64 / 10_000.0);
            Verdict::judge(ppm < STOLEN_PPM_MAX, found, wanted, || {
                Mend::advice("ask the provider for dedicated, pinned cores, or trade on bare metal")
            })
        }
    }
}
