//! Network cards: what they gather before they tell.

use crate::doctor::check::Check;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::Host;
use crate::doctor::record::Answer;
use crate::doctor::subject::Subject;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "nic.coalescing",
        severity: Severity::Warning,
        what: "the card tells of each packet at once",
        why: "a card that gathers packets before it interrupts adds its waiting time to every one",
        run: coalescing,
    },
    Check {
        id: "nic.rings",
        severity: Severity::Warning,
        what: "the receive ring is as large as the card allows",
        why: "a burst that does not fit is lost before any program sees it: a gap in the feed",
        run: rings,
    },
    Check {
        id: "nic.offloads",
        severity: Severity::Warning,
        what: "packets are not merged on receipt (GRO, LRO)",
        why: "merging holds a packet back to see whether another one follows",
        run: offloads,
    },
    Check {
        id: "nic.busy_poll",
        severity: Severity::Warning,
        what: "a reading socket polls the card (net.core.busy_read, busy_poll)",
        why: "without it a packet waits for an interrupt, a soft interrupt and a wake-up",
        run: busy_poll,
    },
    Check {
        id: "nic.steering",
        severity: Severity::Warning,
        what: "packets are not steered to the cores in software (RPS)",
        why: "steering runs the network stack in soft interrupts of the cores in the mask",
        run: steering,
    },
];

/// Microseconds a socket polls: the kernel's documentation proposes 50.
const BUSY_US: i64 = 50;

/// What one interface says of a question: text of what was found, and the mend if it is bad.
enum One {
    Good(String),
    Bad(String, String),
    Silent(String),
}

/// Asks ethtool about each interface and joins what it says.
fn over_interfaces(
    host: &Host,
    subject: &Subject,
    option: &str,
    wanted: &str,
    judge: impl Fn(&str, &str) -> One,
) -> Verdict {
    if subject.interfaces.is_empty() {
        return Verdict::not_applicable("no network card");
    }
    let mut found = Vec::new();
    let mut mends = Vec::new();
    let mut silent = Vec::new();
    for interface in &subject.interfaces {
        let one = match host.ask(&["ethtool", option, interface]) {
            Answer::Missing => {
                return Verdict::unknown(
                    "ethtool is not installed",
                    wanted,
                    Mend::once("apt-get install -y ethtool"),
                );
            }
            Answer::Failed(error) => One::Silent(error.lines().last().unwrap_or("no answer").to_owned()),
            Answer::Output(text) => judge(interface, &text),
        };
        match one {
            One::Good(text) => found.push(format!("{interface}: {text}")),
            One::Bad(text, mend) => {
                found.push(format!("{interface}: {text}"));
                mends.push(mend);
            }
            One::Silent(text) => silent.push(format!("{interface}: {text}")),
        }
    }
    if found.is_empty() {
        return Verdict::not_applicable(silent.join("; "));
    }
    Verdict::judge(mends.is_empty(), found.join("; "), wanted, || Mend::command(mends.join("; ")))
}

/// The value of `key: value` in a section of ethtool's answer; `n/a` is none.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(':'))
        .map(str::trim)
        .filter(|value| *value != "n/a")
}

fn coalescing(host: &Host, subject: &Subject) -> Verdict {
    over_interfaces(host, subject, "-c", "adaptive off, rx-usecs 0", |interface, text| {
        let adaptive = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("Adaptive RX:"))
            .and_then(|rest| rest.split_whitespace().next())
            .filter(|word| *word != "n/a");
        let usecs = value(text, "rx-usecs").and_then(|text| text.parse::<u64>().ok());
        if adaptive.is_none() && usecs.is_none() {
            return One::Silent("the driver has no coalescing".to_owned());
        }
        let found = format!(
            "adaptive {}, rx-usecs {}",
            adaptive.unwrap_or("n/a"),
            usecs.map_or("n/a".to_owned(), |usecs| usecs.to_string())
        );
        if adaptive == Some("on") || usecs.unwrap_or(0) > 0 {
            let words = if adaptive.is_some() { "adaptive-rx off " } else { "" };
            One::Bad(found, format!("ethtool -C {interface} {words}rx-usecs 0"))
        } else {
            One::Good(found)
        }
    })
}

fn rings(host: &Host, subject: &Subject) -> Verdict {
    over_interfaces(host, subject, "-g", "rx ring at its maximum", |interface, text| {
        let sections = text.split_once("Current hardware settings:");
        let number = |text: &str| value(text, "RX").and_then(|text| text.parse::<u64>().ok());
        let Some((most, now)) = sections.and_then(|(most, now)| Some((number(most)?, number(now)?))) else {
            return One::Silent("the driver does not tell".to_owned());
        };
        let found = format!("rx {now} of {most}");
        if now < most {
            One::Bad(found, format!("ethtool -G {interface} rx {most}"))
        } else {
            One::Good(found)
        }
    })
}

fn offloads(host: &Host, subject: &Subject) -> Verdict {
    over_interfaces(host, subject, "-k", "gro off, lro off", |interface, text| {
        let features = [("gro", "generic-receive-offload"), ("lro", "large-receive-offload")];
        let state = |name: &str| value(text, name).unwrap_or("off");
        let found: Vec<String> =
            features.iter().map(|(short, name)| format!("{short} {}", state(name))).collect();
        // What is fixed cannot be switched, and a fixed one that is on is told, not mended.
        let on: Vec<String> = features
            .iter()
            .filter(|(_, name)| state(name) == "on")
            .map(|(short, _)| format!("{short} off"))
            .collect();
        if on.is_empty() {
            One::Good(found.join(", "))
        } else {
            One::Bad(found.join(", "), format!("ethtool -K {interface} {}", on.join(" ")))
        }
    })
}

fn busy_poll(host: &Host, subject: &Subject) -> Verdict {
    if subject.interfaces.is_empty() {
        return Verdict::not_applicable("no network card");
    }
    let read = host.number("/proc/sys/net/core/busy_read");
    let poll = host.number("/proc/sys/net/core/busy_poll");
    let (Some(read), Some(poll)) = (read, poll) else {
        return Verdict::not_applicable("the kernel has no busy polling");
    };
    let found = format!("busy_read {read} µs, busy_poll {poll} µs");
    let is_good = read >= BUSY_US && poll >= BUSY_US;
    Verdict::judge(is_good, found, format!("both {BUSY_US} µs or more"), || {
        let value = BUSY_US.to_string();
        Mend::Sysctl(vec![("net.core.busy_read", value.clone()), ("net.core.busy_poll", value)])
    })
}

fn steering(host: &Host, subject: &Subject) -> Verdict {
    if subject.interfaces.is_empty() {
        return Verdict::not_applicable("no network card");
    }
    let mut is_known = false;
    let mut bad = Vec::new();
    for interface in &subject.interfaces {
        let folder = format!("/sys/class/net/{interface}/queues");
        for queue in host.list(&folder) {
            // Sending from a core of the pipeline is its own work; only receiving is work that others bring.
            let path = format!("{folder}/{queue}/rps_cpus");
            let Some(cores) = host.core_mask(&path) else { continue };
            is_known = true;
            if !cores.and(&subject.cores).is_empty() {
                bad.push(path);
            }
        }
    }
    if !is_known {
        return Verdict::not_applicable("the drivers have no steering");
    }
    let found = if bad.is_empty() {
        "not to the cores".to_owned()
    } else {
        format!("{} queues to the cores", bad.len())
    };
    Verdict::judge(bad.is_empty(), found, format!("none to {}", subject.cores), || {
        let writes: Vec<String> = bad.iter().map(|path| format!("echo 0 > {path}")).collect();
        Mend::command(writes.join("; "))
    })
}
