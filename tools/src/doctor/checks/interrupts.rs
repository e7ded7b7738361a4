//! Where interrupts go.

use super::few;
use crate::doctor::check::Check;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::Host;
use crate::doctor::subject::Subject;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "irq.affinity",
        severity: Severity::Critical,
        what: "no device interrupts the cores",
        why: "an interrupt and the soft interrupt behind it stop the thread for microseconds, and leave a cold cache",
        run: affinity,
    },
    Check {
        id: "irq.default",
        severity: Severity::Warning,
        what: "interrupts of devices that come later go elsewhere",
        why: "a driver that is loaded or a link that comes up again gets the default mask",
        run: default_affinity,
    },
    Check {
        id: "irq.balance",
        severity: Severity::Warning,
        what: "irqbalance leaves the cores alone",
        why: "it moves interrupts every ten seconds, to any core that is neither isolated nor banned",
        run: balance,
    },
];

/// Number and name of every device interrupt: lines `24:  counts…  chip  hwirq-edge  name`.
fn device_interrupts(host: &Host) -> Option<Vec<(u32, String)>> {
    let text = host.read("/proc/interrupts")?;
    let interrupts = text.lines().filter_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let name = rest.split_whitespace().last()?;
        // The timer of the first core cannot be moved, and is silent once the cores have their own.
        (name != "timer").then(|| Some((number.trim().parse().ok()?, name.to_owned())))?
    });
    Some(interrupts.collect())
}

fn affinity(host: &Host, subject: &Subject) -> Verdict {
    let wanted = format!("none on {}", subject.cores);
    let Some(interrupts) = device_interrupts(host) else {
        return Verdict::unknown(
            "no /proc/interrupts",
            wanted,
            Mend::advice("mount /proc to let it be read"),
        );
    };
    let mut bad = Vec::new();
    for (number, name) in &interrupts {
        let effective = host.core_list(&format!("/proc/irq/{number}/effective_affinity_list"));
        let cores = match effective {
            Some(cores) if !cores.is_empty() => cores,
            Some(_) | None => {
                host.core_list(&format!("/proc/irq/{number}/smp_affinity_list")).unwrap_or_default()
            }
        };
        if !cores.and(&subject.cores).is_empty() {
            bad.push((*number, name.clone()));
        }
    }
    let names: Vec<String> = bad.iter().map(|(number, name)| format!("{number} {name}")).collect();
    let found = match names.as_slice() {
        [] => format!("none of {}", interrupts.len()),
        [_, ..] => format!("{} of {}: {}", names.len(), interrupts.len(), few(&names)),
    };
    Verdict::judge(names.is_empty(), found, wanted, || {
        let numbers: Vec<String> = bad.iter().map(|(number, _)| number.to_string()).collect();
        subject.with_rest(|rest| {
            Mend::Command(format!(
                "for irq in {}; do echo {rest} > \"/proc/irq/$irq/smp_affinity_list\" || echo \"irq $irq is managed by its driver: boot with isolcpus=managed_irq\" >&2; done",
                numbers.join(" ")
            ))
        })
    })
}

fn default_affinity(host: &Host, subject: &Subject) -> Verdict {
    const PATH: &str = "/proc/irq/default_smp_affinity";
    let Some(mask) = host.core_mask(PATH) else {
        return Verdict::not_applicable("the kernel has no default mask");
    };
    let bad = mask.and(&subject.cores);
    Verdict::judge(bad.is_empty(), mask.to_string(), format!("without {}", subject.cores), || {
        subject.with_rest(|rest| Mend::Command(format!("echo {} > {PATH}", rest.mask())))
    })
}

fn balance(host: &Host, subject: &Subject) -> Verdict {
    let wanted = "not running, or the cores isolated or banned";
    let processes = host.processes();
    if processes.is_empty() {
        return Verdict::unknown("no process table", wanted, Mend::advice("mount /proc to let it be read"));
    }
    if !processes.iter().any(|process| process.name == "irqbalance") {
        return Verdict::good("not running", wanted);
    }
    let left_alone = ["/sys/devices/system/cpu/isolated", "/sys/devices/system/cpu/nohz_full"]
        .into_iter()
        .filter_map(|path| host.core_list(path))
        .fold(banned(host), |all, cores| all.or(&cores));
    let bad = subject.cores.without(&left_alone);
    Verdict::judge(bad.is_empty(), format!("running, leaves {left_alone} alone"), wanted, || {
        Mend::once("systemctl disable --now irqbalance")
    })
}

/// What irqbalance is told to leave alone; Debian and Fedora keep it in different files.
fn banned(host: &Host) -> crate::doctor::cores::Cores {
    ["/etc/default/irqbalance", "/etc/sysconfig/irqbalance"]
        .into_iter()
        .filter_map(|path| host.read_lines(path, &["IRQBALANCE_BANNED_CPULIST="]))
        .filter_map(|line| line.split_once('=').map(|(_, list)| list.trim_matches('"').to_owned()))
        .fold(crate::doctor::cores::Cores::default(), |all, list| {
            all.or(&crate::doctor::cores::Cores::from_list(&list))
        })
}
