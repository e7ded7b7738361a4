//! Recorded hosts give the findings that stand beside them.

use super::*;

/// `state <tab> id <tab> found`, as in `NAME.expected`.
fn lines(report: &Value) -> Vec<String> {
    findings(report)
        .iter()
        .map(|finding| {
            format!("{}\t{}\t{}", text(finding, "state"), text(finding, "id"), text(finding, "found"))
        })
        .collect()
}

#[test]
fn a_tuned_an_untuned_and_a_virtual_host_are_found_as_they_are() {
    for (name, config) in HOSTS {
        let (report, code) = recorded_report(name, config);
        let expected = std::fs::read_to_string(file(&format!("{name}.expected"))).unwrap();
        let expected: Vec<&str> = expected.lines().collect();
        let found = lines(&report);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(found.len(), expected.len(), "{name}: findings");
        assert_eq!(code, i32::from(name != "tuned"), "{name}: exit code");
        assert_eq!(report["ok"], code == 0);
    }
}

#[test]
fn the_tuned_host_has_no_failed_finding_and_the_untuned_one_fails_in_every_group() {
    let (tuned, _) = recorded_report("tuned", Some("cores_2_3.toml"));
    assert_eq!(tuned["counts"]["failed"], 0);
    assert_eq!(tuned["counts"]["unknown"], 0);
    let (untuned, _) = recorded_report("untuned", Some("cores_2_3.toml"));
    let failed: std::collections::BTreeSet<&str> = findings(&untuned)
        .iter()
        .filter(|finding| finding["state"] == "failed")
        .map(|finding| text(finding, "id").split('.').next().unwrap())
        .collect();
    let groups = ["clock", "cores", "irq", "journal", "kernel", "memory", "nic", "numa", "power"];
    assert_eq!(failed.into_iter().collect::<Vec<_>>(), groups);
}

#[test]
fn the_cores_that_are_checked_are_those_of_the_configuration() {
    let words = [&words("untuned", Some("cores_2_3.toml"))[..], &["--json".to_owned()]].concat();
    let program = Program::new();
    let at_2_3 = program.run(&words).json();
    // The same host for cores 4 and 6: its interrupts are elsewhere, both lie in one node, and their siblings are others.
    let config = std::fs::read_to_string(file("cores_2_3.toml")).unwrap();
    std::fs::write(program.path("other.toml"), config.replace("[2, 3]", "[4, 6]")).unwrap();
    let host = file("untuned.txt").display().to_string();
    let at_4_6 = program.run(&["doctor", "--host", &host, "--config", "other.toml", "--json"]).json();
    let of = |report: &Value, id: &str| {
        let finding = findings(report).iter().find(|finding| finding["id"] == id).unwrap().clone();
        (text(&finding, "state").to_owned(), text(&finding, "mend").to_owned())
    };
    assert_eq!(of(&at_2_3, "irq.affinity").0, "failed");
    assert_eq!(of(&at_4_6, "irq.affinity").0, "good");
    assert_eq!(of(&at_2_3, "numa.cores").0, "failed");
    assert_eq!(of(&at_4_6, "numa.cores").0, "good");
    assert!(of(&at_2_3, "cores.siblings").1.contains("cpu10/online"));
    assert!(of(&at_4_6, "cores.siblings").1.contains("cpu12/online"));
    assert!(of(&at_4_6, "cores.isolated").1.contains("isolcpus=managed_irq,domain,4,6"));
}

#[test]
fn a_login_shell_on_a_host_with_isolated_cores_is_told_that_auto_cannot_pin_to_them() {
    let program = Program::new();
    let tree = std::fs::read_to_string(file("tuned.txt")).unwrap();
    let own = "Cpus_allowed_list:\t0-15\n";
    assert!(tree.contains(own));
    std::fs::write(program.path("shell.txt"), tree.replacen(own, "Cpus_allowed_list:\t0-1,6-15\n", 1))
        .unwrap();
    let config = std::fs::read_to_string(file("cores_2_3.toml")).unwrap();
    let auto = config.replace("\"fused\"", "\"auto\"").replace("cores = [2, 3]", "");
    std::fs::write(program.path("auto.toml"), auto).unwrap();
    let ran = program.run(&["doctor", "--host", "shell.txt", "--config", "auto.toml", "--json"]).with_code(1);
    let report = ran.json();
    let of = |id: &str| findings(&report).iter().find(|finding| finding["id"] == id).unwrap().clone();
    let allowed = of("cores.allowed");
    assert_eq!((text(&allowed, "state"), text(&allowed, "severity")), ("failed", "critical"));
    assert!(text(&allowed, "mend").contains("`taskset -c 0-15 spinward …`"), "{allowed}");
    assert_eq!(text(&of("cores.pinned"), "state"), "failed");
    assert!(text(&of("cores.pinned"), "found").starts_with("0 of 2 pinned"), "{}", of("cores.pinned"));
}

#[test]
fn two_threads_on_siblings_are_told_to_take_one_core_of_each_pair() {
    let program = Program::new();
    let config = std::fs::read_to_string(file("cores_2_3.toml")).unwrap();
    std::fs::write(program.path("pair.toml"), config.replace("[2, 3]", "[2, 10]")).unwrap();
    let host = file("untuned.txt").display().to_string();
    let report = program.run(&["doctor", "--host", &host, "--config", "pair.toml", "--json"]).json();
    let finding = findings(&report).iter().find(|finding| finding["id"] == "cores.siblings").unwrap();
    assert_eq!(finding["state"], "failed");
    assert!(text(finding, "mend").contains("2,10 are siblings of each other"), "{finding}");
}

/// Tools that a finding may name besides files.
const TOOLS: [&str; 6] = ["ethtool", "chronyc", "pmc", "df", "realpath", "printenv"];

/// Whether a path is the pattern, whose parts may end in `*` for a number.
fn is_like(path: &str, pattern: &str) -> bool {
    let (path, pattern): (Vec<_>, Vec<_>) = (path.split('/').collect(), pattern.split('/').collect());
    path.len() == pattern.len()
        && path.iter().zip(pattern).all(|(part, pattern)| match pattern.strip_suffix('*') {
            Some(stem) => part
                .strip_prefix(stem)
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())),
            None => *part == pattern,
        })
}

#[test]
fn every_finding_names_a_file_or_a_tool_that_it_was_read_from() {
    for (name, config) in HOSTS {
        let tree = std::fs::read_to_string(file(&format!("{name}.txt"))).unwrap();
        let sections: Vec<&str> = tree
            .lines()
            .filter_map(|line| line.strip_prefix("== "))
            .map(|section| section.split(" -> ").next().unwrap())
            .collect();
        let (report, _) = recorded_report(name, config);
        for finding in findings(&report) {
            let sources = finding["sources"].as_array().unwrap();
            assert!(!sources.is_empty(), "{finding}");
            for source in sources.iter().map(|source| source.as_str().unwrap()) {
                if source.starts_with("configuration ") {
                    // What follows from the configuration alone has no file of the host.
                    let is_of_config = ["cores.pinned", "memory.locked"].contains(&text(finding, "id"));
                    assert!(is_of_config || finding["state"] == "not-applicable", "{finding}");
                    continue;
                }
                let is_known = match source.strip_prefix("$ ") {
                    Some(command) => TOOLS.contains(&command.split(' ').next().unwrap()),
                    None => {
                        let is_there = sections.iter().any(|section| is_like(section, source));
                        // What is looked for in vain is named as well: then nothing else has answered.
                        is_there
                            || (["unknown", "not-applicable", "failed"].contains(&text(finding, "state"))
                                && ["/proc/", "/sys/", "/etc/"].iter().any(|root| source.starts_with(root)))
                    }
                };
                assert!(is_known, "{name}: {source} of {finding}");
                if finding["state"] == "good" && !source.starts_with('$') {
                    assert!(sections.iter().any(|section| is_like(section, source)), "{name}: {finding}");
                }
            }
        }
    }
}

#[test]
fn every_finding_says_why_and_every_failed_or_unknown_one_how_to_mend_it() {
    for (name, config) in HOSTS {
        let (report, _) = recorded_report(name, config);
        for finding in findings(&report) {
            for key in ["id", "severity", "state", "what", "why", "found"] {
                assert!(!text(finding, key).is_empty(), "{name}: {key} of {finding}");
            }
            let is_bad = ["failed", "unknown"].contains(&text(finding, "state"));
            assert_eq!(is_bad, !text(finding, "mend").is_empty(), "{name}: {finding}");
            assert!(!is_bad || !text(finding, "wanted").is_empty(), "{name}: {finding}");
        }
    }
}

#[test]
fn a_host_without_a_core_to_spare_is_not_told_to_isolate_all_of_them() {
    let (report, _) = recorded_report("virtual", None);
    for finding in findings(&report) {
        assert!(!text(finding, "mend").contains("isolcpus="), "{finding}");
    }
}

#[test]
fn what_is_no_recorded_host_or_no_configuration_is_bad_usage() {
    let program = Program::new();
    std::fs::write(program.path("no_host.txt"), "== /proc/cmdline\nquiet\n").unwrap();
    std::fs::write(program.path("bad.toml"), "[sesion]\n").unwrap();
    let ran = program.run(&["doctor", "--host", "no_host.txt"]).with_code(2);
    assert!(ran.err.contains("no_host.txt") && ran.err.contains("doctor --record"), "{}", ran.err);
    let ran = program.run(&["doctor", "--host", "absent.txt"]).with_code(2);
    assert!(ran.err.contains("absent.txt"), "{}", ran.err);
    let ran = program.run(&["doctor", "--config", "bad.toml"]).with_code(2);
    assert!(ran.err.contains("bad.toml:1:"), "{}", ran.err);
    program.run(&["doctor", "--script", "--json"]).with_code(2);
}

#[test]
fn a_person_gets_one_line_for_what_is_good_and_the_mend_for_what_is_not() {
    let program = Program::new();
    let ran = program.run(&words("untuned", Some("cores_2_3.toml"))).with_code(1);
    let lines: Vec<&str> = ran.out.lines().collect();
    let at = lines.iter().position(|line| line.contains("memory.swap")).unwrap();
    assert!(lines[at].starts_with("FAILED") && lines[at].contains("/dev/sda5"), "{}", lines[at]);
    assert!(lines[at + 1].trim_start().starts_with("why"));
    assert!(lines[at + 2].trim_start().starts_with("mend") && lines[at + 2].contains("swapoff -a"));
    assert!(ran.out.contains("UNFIT") && ran.out.contains("doctor --script"));
    let ran = program.run(&words("tuned", Some("cores_2_3.toml"))).with_code(0);
    assert!(ran.out.contains("FIT  ") && !ran.out.contains("mend"), "{}", ran.out);
}
