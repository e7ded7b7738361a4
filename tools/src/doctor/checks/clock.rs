//! Clocks: the cycle counter, the kernel's clock, the world's.

use crate::doctor::check::Check;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::Host;
use crate::doctor::record::Answer;
use crate::doctor::subject::Subject;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "clock.source",
        severity: Severity::Critical,
        what: "the kernel reads the time from the cycle counter",
        why: "with hpet or acpi_pm a reading is a device access of a microsecond, and the counter was found unreliable",
        run: source,
    },
    Check {
        id: "clock.tsc",
        severity: Severity::Critical,
        what: "the cycle counter runs at one rate and does not stop",
        why: "latency stamps are readings of it: one that follows frequency or sleep measures nothing",
        run: tsc,
    },
    Check {
        id: "clock.sync",
        severity: Severity::Warning,
        what: "the clock follows UTC within 100 µs",
        why: "receive times are compared with the venue's, and MiFID II RTS 25 asks for 100 µs of high-frequency traders",
        run: sync,
    },
];

/// RTS 25, Annex, table 2: high-frequency trading, seconds.
const OFFSET_MAX: f64 = 100e-6;

fn source(host: &Host, _: &Subject) -> Verdict {
    const CURRENT: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let wanted = "tsc (x86), arch_sys_counter (ARM)";
    let Some(current) = host.read(CURRENT) else {
        return Verdict::unknown(
            "the kernel does not tell",
            wanted,
            Mend::advice("mount /sys to let it be read"),
        );
    };
    let is_good = current == "tsc" || current == "arch_sys_counter";
    Verdict::judge(is_good, current, wanted, || {
        let available = host.read("/sys/devices/system/clocksource/clocksource0/available_clocksource");
        if available.is_some_and(|names| names.split_whitespace().any(|name| name == "tsc")) {
            Mend::command(format!("echo tsc > {CURRENT}"))
        } else {
            // Forcing a counter that the kernel has found wanting would make every latency a lie.
            Mend::advice(
                "`dmesg | grep -i tsc` says why the kernel gave the counter up: update the firmware; boot with tsc=reliable only if clock.tsc is good and the measured drift is small",
            )
        }
    })
}

fn tsc(host: &Host, _: &Subject) -> Verdict {
    let wanted = "constant_tsc nonstop_tsc";
    let Some(flags) = host.read_lines("/proc/cpuinfo", &["flags"]).filter(|line| !line.is_empty()) else {
        return Verdict::not_applicable("no flags of an x86 processor");
    };
    let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
    let found: Vec<&str> = ["constant_tsc", "nonstop_tsc"].into_iter().filter(|flag| has(flag)).collect();
    let text = if found.is_empty() { "neither".to_owned() } else { found.join(" ") };
    Verdict::judge(found.len() == 2, text, wanted, || {
        Mend::advice(
            "another host: this processor, or what its hypervisor shows of it, has no invariant counter",
        )
    })
}

/// A signed offset, seconds, as people read it.
fn offset_text(tool: &str, offset: f64) -> String {
    format!("{:+.1} µs ({tool})", offset * 1e6)
}

fn sync(host: &Host, _: &Subject) -> Verdict {
    let wanted = format!("within {:.0} µs of UTC", OFFSET_MAX * 1e6);
    let mend = || {
        Mend::advice(
            "see docs/tuning.md, clock: ptp4l and phc2sys with a PTP card, else chrony with near servers",
        )
    };
    // chrony 4: field 5 of the comma-separated tracking report is the system's offset in seconds.
    let mut was_asked = false;
    match host.ask(&["chronyc", "-c", "tracking"]) {
        Answer::Output(text) => {
            let fields: Vec<&str> = text.split(',').collect();
            let offset = fields.get(4).and_then(|field| field.parse::<f64>().ok());
            let is_synchronised = fields.get(13).is_some_and(|leap| !leap.contains("Not sync"));
            if let Some(offset) = offset.filter(|_| is_synchronised) {
                let is_good = offset.abs() <= OFFSET_MAX;
                return Verdict::judge(is_good, offset_text("chrony", offset), wanted, mend);
            }
            return Verdict::failed("chrony runs and is not synchronised", wanted, mend());
        }
        Answer::Failed(_) => was_asked = true,
        Answer::Missing => {}
    }
    match host.ask(&["pmc", "-u", "-b", "0", "GET CURRENT_DATA_SET"]) {
        Answer::Output(text) => {
            let offset = text
                .lines()
                .find_map(|line| line.trim().strip_prefix("offsetFromMaster"))
                .and_then(|rest| rest.trim().parse::<f64>().ok());
            if let Some(nanos) = offset {
                let is_good = nanos.abs() / 1e9 <= OFFSET_MAX;
                return Verdict::judge(is_good, offset_text("ptp4l", nanos / 1e9), wanted, mend);
            }
            was_asked = true;
        }
        Answer::Failed(_) => was_asked = true,
        Answer::Missing => {}
    }
    let daemons = crate::doctor::record::DAEMONS;
    let running: Vec<&str> = host
        .processes()
        .iter()
        .filter(|process| process.name != "irqbalance")
        .filter_map(|process| daemons.into_iter().find(|name| *name == process.name))
        .collect();
    match running.first() {
        Some(name) => Verdict::unknown(
            format!("{name} runs, its offset is not to be had"),
            wanted,
            Mend::advice("install chronyc (chrony) or pmc (linuxptp), and run as root"),
        ),
        None if was_asked => Verdict::failed("nothing answers: the clock runs free", wanted, mend()),
        None => Verdict::failed("nothing keeps the clock: no chrony, no PTP, no NTP", wanted, mend()),
    }
}
