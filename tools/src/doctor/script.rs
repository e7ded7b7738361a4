//! The mends of the failed checks as a shell script to be read, changed and run by a person. Nothing here runs it.

use super::finding::{Finding, Mend, State};
use super::report::Report;
use std::fmt::Write;

const HEAD: &str = r#"#!/usr/bin/env bash
# Mends what `spinward doctor --script` found failed on this host. Read it, strike out what you do not want, run it as root:
#   bash FILE            everything
#   bash FILE runtime    only what is lost at a boot (spinward-host.service runs it so); no boot parameters, nothing under /etc
# The mends stand in single quotes on purpose: a shell of its own runs each.
# shellcheck disable=SC2016
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "run it as root" >&2; exit 1; }
mode=${1:-all}
boot_parameters=()
by_hand=()
failures=0

# The kinds of mend. One that fails is told, and the rest is done.
runtime() { bash -ec "$1" || { echo "failed: $1" >&2; failures=$((failures + 1)); }; }
once() { if [ "$mode" = all ]; then runtime "$1"; fi; }
setting() {
  sysctl -q -w "$1=$2" || failures=$((failures + 1))
  if [ "$mode" = all ]; then
    touch /etc/sysctl.d/90-spinward.conf
    sed -i "/^$1 = /d" /etc/sysctl.d/90-spinward.conf
    echo "$1 = $2" >> /etc/sysctl.d/90-spinward.conf
  fi
}
boot() { boot_parameters+=("$1"); }
hand() { by_hand+=("$1"); }
"#;

const TAIL: &str = r#"
# ---- what needs a boot, and what needs you
if [ "$mode" = all ] && [ "${#boot_parameters[@]}" -gt 0 ]; then
  if command -v grubby >/dev/null; then
    grubby --update-kernel=ALL --args="${boot_parameters[*]}"
  elif command -v update-grub >/dev/null; then
    mkdir -p /etc/default/grub.d
    echo "GRUB_CMDLINE_LINUX=\"\$GRUB_CMDLINE_LINUX ${boot_parameters[*]}\"" > /etc/default/grub.d/90-spinward.cfg
    update-grub
  else
    by_hand+=("add to the kernel's command line: ${boot_parameters[*]}")
  fi
  echo "boot to use: ${boot_parameters[*]}"
fi
if [ "$mode" = all ] && [ "${#by_hand[@]}" -gt 0 ]; then
  printf 'by hand: %s\n' "${by_hand[@]}"
fi
echo "done, $failures failed; then see: spinward doctor"
[ "$failures" = 0 ]
"#;

/// The script. `configuration` is named in its head.
pub(crate) fn script(report: &Report) -> String {
    let mut text = HEAD.to_owned();
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "\n# host: {}, kernel {}; configuration: {}; cores: {}",
        comment(&report.host.cpu_model),
        comment(&report.host.kernel),
        comment(&report.config),
        report.cores.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
    );
    let failed: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.state == State::Failed).collect();
    if failed.is_empty() {
        text.push_str("# no check failed: nothing to mend\n");
    }
    for finding in failed {
        let _ = writeln!(
            text,
            "\n# {} ({}): {}\n# why: {}\n# found: {}; wanted: {}",
            finding.id,
            finding.severity.name(),
            comment(finding.what),
            comment(finding.why),
            comment(&finding.found),
            comment(&finding.wanted)
        );
        let Some(mend) = &finding.mend else { continue };
        let _ = match mend {
            Mend::Command(command) => writeln!(text, "runtime {}", quoted(command)),
            Mend::Once(command) => writeln!(text, "once {}", quoted(command)),
            Mend::Sysctl(settings) => settings
                .iter()
                .try_for_each(|(key, value)| writeln!(text, "setting {} {}", quoted(key), quoted(value))),
            Mend::Boot(parameters) => writeln!(text, "boot {}", quoted(parameters)),
            Mend::Config(_) | Mend::Advice(_) => {
                writeln!(text, "hand {}", quoted(&format!("{}: {mend}", finding.id)))
            }
        };
    }
    text.push_str(TAIL);
    text
}

/// One line, whatever the host says.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A word of the shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", comment(text).replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says_cannot_leave_its_quotes_or_its_comment() {
        assert_eq!(quoted("a'; rm -rf /; '"), r"'a'\''; rm -rf /; '\'''");
        assert_eq!(quoted("a\nb"), "'a b'");
        assert_eq!(comment("x\r\nreboot"), "x  reboot");
    }
}
