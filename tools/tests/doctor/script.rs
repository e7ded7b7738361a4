//! The printed script: whole, harmless to read, right for the shell.

use super::*;
use std::io::Write;

fn script(name: &str, config: Option<&str>) -> String {
    let mut words = words(name, config);
    words.push("--script".to_owned());
    Program::new().run(&words).with_code(0).out
}

/// Feeds a text to a program and gives whether it was content, and what it said.
fn fed(program: &str, words: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn the_shell_finds_no_fault_with_the_script_of_any_host() {
    for (name, config) in HOSTS {
        let text = script(name, config);
        let (is_good, said) = fed("bash", &["-n"], &text);
        assert!(is_good && said.is_empty(), "{name}: {said}");
        if has_tool("shellcheck", "the second look at the script") {
            let (is_good, said) = fed("shellcheck", &["-s", "bash", "-"], &text);
            assert!(is_good, "{name}: {said}");
        }
    }
}

#[test]
fn the_commands_inside_the_script_are_right_for_the_shell_as_well() {
    // They stand in quotes, which `bash -n` of the whole does not look into.
    for (name, config) in HOSTS {
        for line in script(name, config).lines() {
            let Some(command) = ["runtime '", "once '"].iter().find_map(|kind| line.strip_prefix(kind))
            else {
                continue;
            };
            let command = command.strip_suffix('\'').unwrap().replace(r"'\''", "'");
            let (is_good, said) = fed("bash", &["-n"], &command);
            assert!(is_good && said.is_empty(), "{name}: {command}: {said}");
        }
    }
}

#[test]
fn every_failed_check_stands_in_the_script_with_its_why_and_no_other_does() {
    for (name, config) in HOSTS {
        let text = script(name, config);
        let (report, _) = recorded_report(name, config);
        for finding in findings(&report) {
            let (id, why) = (text_of(finding, "id"), text_of(finding, "why"));
            let head = format!("# {id} (");
            let is_failed = finding["state"] == "failed";
            assert_eq!(text.contains(&head), is_failed, "{name}: {id}");
            assert!(!is_failed || text.contains(&format!("# why: {why}")), "{name}: {id}");
        }
    }
    assert!(script("tuned", Some("cores_2_3.toml")).contains("nothing to mend"));
}

fn text_of<'a>(finding: &'a Value, key: &str) -> &'a str {
    super::text(finding, key)
}

/// The script in a world where every command it would run is only written down.
fn rehearse(text: &str, mode: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    // `bash` is what runs each mend: the stand-in says what it was given.
    for tool in ["bash", "sysctl", "touch", "sed", "grubby", "mkdir", "update-grub"] {
        let path = bin.join(tool);
        std::fs::write(&path, format!("#!/bin/sh\necho \"{tool} $*\"\n")).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::write(bin.join("id"), "#!/bin/sh\necho 0\n").unwrap();
    std::fs::set_permissions(bin.join("id"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // Nothing under /etc may be touched: the one redirection of the script goes to the folder.
    let text = text.replace("/etc/", &format!("{}/", folder.path().join("etc").display()));
    std::fs::create_dir_all(folder.path().join("etc/sysctl.d")).unwrap();
    let path = folder.path().join("host.sh");
    std::fs::write(&path, &text).unwrap();
    let output = Command::new("/bin/bash")
        .arg(&path)
        .arg(mode)
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let kept = std::fs::read_to_string(folder.path().join("etc/sysctl.d/90-spinward.conf"));
    format!("{}\nKEPT {}", String::from_utf8(output.stdout).unwrap(), kept.unwrap_or_default())
}

#[test]
fn the_script_does_everything_or_only_what_a_boot_forgets() {
    let text = script("untuned", Some("cores_2_3.toml"));
    let all = rehearse(&text, "all");
    assert!(all.contains("bash -ec ethtool -G eno1 rx 4096"), "{all}");
    assert!(all.contains("bash -ec swapoff -a"), "{all}");
    assert!(all.contains("sysctl -q -w vm.stat_interval=120"), "{all}");
    assert!(all.contains("KEPT") && all.contains("vm.stat_interval = 120"), "{all}");
    assert!(
        all.contains(
            "grubby --update-kernel=ALL --args=isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3"
        ),
        "{all}"
    );
    assert!(all.contains("by hand: journal.filesystem: "), "{all}");
    let runtime = rehearse(&text, "runtime");
    assert!(runtime.contains("bash -ec ethtool -G eno1 rx 4096"), "{runtime}");
    assert!(runtime.contains("sysctl -q -w vm.stat_interval=120"), "{runtime}");
    for absent in ["swapoff", "grubby", "by hand", "vm.stat_interval = 120"] {
        assert!(!runtime.contains(absent), "{absent}: {runtime}");
    }
}
