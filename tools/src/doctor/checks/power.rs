//! Frequency and sleep of the cores.

use super::few;
use crate::doctor::check::Check;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::Host;
use crate::doctor::subject::Subject;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "power.governor",
        severity: Severity::Critical,
        what: "the cores run at full frequency (governor performance)",
        why: "other governors follow the load: the first frames after a lull are handled at low speed",
        run: governor,
    },
    Check {
        id: "power.turbo",
        severity: Severity::Info,
        what: "frequency above nominal is off",
        why: "turbo is faster, but follows heat and the other cores: runs are not comparable, and each step of frequency stops the core",
        run: turbo,
    },
    Check {
        id: "power.cstates",
        severity: Severity::Warning,
        what: "no deep sleep on the cores",
        why: "waking from a deep state takes up to hundreds of microseconds and leaves a cold cache; threads that yield or park, and timers, pay it",
        run: cstates,
    },
];

/// Waking from a shallower state is no slower than a cache miss or two, microseconds.
const EXIT_LATENCY_MAX_US: i64 = 2;

fn governor(host: &Host, subject: &Subject) -> Verdict {
    let mut bad = Vec::new();
    let mut found = Vec::new();
    for core in subject.cores.iter() {
        let path = format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
        let Some(governor) = host.read(&path) else { continue };
        if governor != "performance" {
            bad.push(path);
        }
        if !found.contains(&governor) {
            found.push(governor);
        }
    }
    if found.is_empty() {
        return Verdict::not_applicable("no frequency driver: firmware or hypervisor decides");
    }
    Verdict::judge(bad.is_empty(), found.join(", "), "performance", || {
        let writes: Vec<String> = bad.iter().map(|path| format!("echo performance > {path}")).collect();
        Mend::command(writes.join("; "))
    })
}

fn turbo(host: &Host, _: &Subject) -> Verdict {
    let wanted = "off, or on as a decision";
    let advice = |path: &str, off: u8| {
        Mend::Advice(format!(
            "keep it if all-core turbo holds under load (watch `turbostat`); else `echo {off} > {path}`, or in the BIOS"
        ))
    };
    const INTEL: &str = "/sys/devices/system/cpu/intel_pstate/no_turbo";
    if let Some(no_turbo) = host.number(INTEL) {
        let is_off = no_turbo == 1;
        return Verdict::judge(is_off, if is_off { "off" } else { "on" }, wanted, || advice(INTEL, 1));
    }
    const BOOST: &str = "/sys/devices/system/cpu/cpufreq/boost";
    match host.number(BOOST) {
        Some(boost) => {
            Verdict::judge(boost == 0, if boost == 0 { "off" } else { "on" }, wanted, || advice(BOOST, 0))
        }
        None => Verdict::not_applicable("no switch: firmware or hypervisor decides"),
    }
}

fn cstates(host: &Host, subject: &Subject) -> Verdict {
    let mut has_states = false;
    let mut deep = Vec::new();
    let mut paths = Vec::new();
    for core in subject.cores.iter() {
        let folder = format!("/sys/devices/system/cpu/cpu{core}/cpuidle");
        for state in host.list(&folder) {
            let Some(latency) = host.number(&format!("{folder}/{state}/latency")) else { continue };
            has_states = true;
            let is_off =
                host.number(&format!("{folder}/{state}/disable")).is_some_and(|disable| disable != 0);
            if latency > EXIT_LATENCY_MAX_US && !is_off {
                let name = host.read(&format!("{folder}/{state}/name")).unwrap_or(state.clone());
                let text = format!("{name} {latency} µs");
                if !deep.contains(&text) {
                    deep.push(text);
                }
                paths.push(format!("{folder}/{state}/disable"));
            }
        }
    }
    if !has_states {
        return Verdict::not_applicable("no idle driver: firmware or hypervisor decides");
    }
    let found = if deep.is_empty() { "shallow states only".to_owned() } else { few(&deep) };
    Verdict::judge(
        deep.is_empty(),
        found,
        format!("none that wakes in over {EXIT_LATENCY_MAX_US} µs"),
        || {
            let writes: Vec<String> = paths.iter().map(|path| format!("echo 1 > {path}")).collect();
            Mend::command(writes.join("; "))
        },
    )
}
