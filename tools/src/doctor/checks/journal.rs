//! Where the journal lies: no order leaves before its cause is written there.

use crate::doctor::check::Check;
use crate::doctor::finding::{Mend, Severity, Verdict};
use crate::doctor::host::{Host, Mount};
use crate::doctor::subject::Subject;
use std::path::Path;

pub(in crate::doctor) const CHECKS: &[Check] = &[
    Check {
        id: "journal.filesystem",
        severity: Severity::Critical,
        what: "sessions lie on ext4 or XFS of this machine",
        why: "mapped segments need preallocation and a writeback that does not stall: network, overlay and copy-on-write systems have neither, memory does not survive",
        run: filesystem,
    },
    Check {
        id: "journal.mount",
        severity: Severity::Warning,
        what: "it is mounted without discard, sync and data=journal",
        why: "they send a command to the disk, or the data twice, in the middle of a flush",
        run: mount,
    },
    Check {
        id: "journal.disk",
        severity: Severity::Warning,
        what: "the disk is no rotating one, and no scheduler reorders its queue",
        why: "a flush waits for the platter or for the scheduler's batch: milliseconds",
        run: disk,
    },
    Check {
        id: "journal.space",
        severity: Severity::Critical,
        what: "there is room for a day's journal",
        why: "when no segment can be made the session stops",
        run: space,
    },
];

/// Room for a day at some hundred bytes a frame and some thousand frames a second, bytes.
const SPACE_MIN: u64 = 10 << 30;

fn mounted(host: &Host, subject: &Subject) -> Option<Mount> {
    host.mount_of(&subject.sessions)
}

fn unknown_mount(wanted: &str) -> Verdict {
    Verdict::unknown("no /proc/self/mountinfo", wanted, Mend::advice("mount /proc to let it be read"))
}

fn filesystem(host: &Host, subject: &Subject) -> Verdict {
    let wanted = "ext4 or xfs";
    let Some(mount) = mounted(host, subject) else { return unknown_mount(wanted) };
    let is_good = ["ext4", "xfs"].contains(&mount.kind.as_str());
    let found = format!("{} on {} ({})", mount.kind, mount.point, subject.sessions);
    Verdict::judge(is_good, found, wanted, || {
        Mend::Config("[session] folder = \"…\" on a local ext4 or XFS file system".to_owned())
    })
}

fn mount(host: &Host, subject: &Subject) -> Verdict {
    let wanted = "no discard, sync, data=journal";
    let Some(mount) = mounted(host, subject) else { return unknown_mount(wanted) };
    let bad: Vec<&str> = ["discard", "sync", "data=journal"]
        .into_iter()
        .filter(|option| mount.options.iter().any(|known| known == option))
        .collect();
    let found = if bad.is_empty() { "none of them".to_owned() } else { bad.join(", ") };
    Verdict::judge(bad.is_empty(), found, wanted, || {
        let undone: Vec<&str> = bad
            .iter()
            .filter_map(|option| match *option {
                "discard" => Some("nodiscard"),
                "sync" => Some("async"),
                _ => None,
            })
            .collect();
        if undone.is_empty() {
            Mend::Advice(format!("take data=journal out of {} in /etc/fstab and mount it anew", mount.point))
        } else {
            let trim = if bad.contains(&"discard") { "; systemctl enable --now fstrim.timer" } else { "" };
            Mend::Command(format!(
                "mount -o remount,{} {}{trim} # and in /etc/fstab",
                undone.join(","),
                mount.point
            ))
        }
    })
}

/// The whole disk behind a device number: a partition has no queue of its own.
fn disk_name(host: &Host, device: &str) -> Option<String> {
    let target = host.link(&format!("/sys/dev/block/{device}"))?;
    let parts: Vec<&str> = target.rsplit('/').take(2).collect();
    parts
        .into_iter()
        .find(|name| host.read(&format!("/sys/block/{name}/queue/rotational")).is_some())
        .map(str::to_owned)
}

/// The chosen word of `none [mq-deadline]`; a lone word stands for itself.
fn chosen(text: &str) -> &str {
    text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or(text, |(word, _)| word)
}

fn disk(host: &Host, subject: &Subject) -> Verdict {
    let wanted = "not rotating, scheduler none";
    let Some(mount) = mounted(host, subject) else { return unknown_mount(wanted) };
    let Some(name) = disk_name(host, &mount.device) else {
        return Verdict::unknown(
            format!("{} has no disk of its own", mount.point),
            wanted,
            Mend::advice("see measured.fsync for what the file system does"),
        );
    };
    let is_rotating = host.number(&format!("/sys/block/{name}/queue/rotational")) == Some(1);
    let path = format!("/sys/block/{name}/queue/scheduler");
    let scheduler = host.read(&path).map_or_else(|| "none".to_owned(), |text| chosen(&text).to_owned());
    let rotation = if is_rotating { "rotating" } else { "not rotating" };
    let found = format!("{name}: {rotation}, scheduler {scheduler}");
    Verdict::judge(!is_rotating && scheduler == "none", found, wanted, || {
        if scheduler == "none" {
            Mend::Config("[session] folder = \"…\" on an SSD (a virtual disk may call itself rotating: then measured.fsync decides)".to_owned())
        } else {
            Mend::Command(format!("echo none > {path}"))
        }
    })
}

fn space(host: &Host, subject: &Subject) -> Verdict {
    let least = SPACE_MIN.max(subject.journal_bytes);
    let wanted = format!("{} GiB free", least >> 30);
    // The folder may be still to be made: then its nearest parent tells.
    let free = Path::new(&subject.sessions).ancestors().filter_map(Path::to_str).find_map(|path| {
        let answer = host.ask(&["df", "-B1", "--output=avail", path]).output()?;
        answer.lines().nth(1)?.trim().parse::<u64>().ok()
    });
    match free {
        None => {
            Verdict::unknown("df does not tell", wanted, Mend::advice("see `df -h` of the sessions' folder"))
        }
        Some(free) => Verdict::judge(free >= least, format!("{} GiB free", free >> 30), wanted, || {
            Mend::Config(
                "[session] folder = \"…\" on a larger file system, or remove old sessions".to_owned(),
            )
        }),
    }
}
