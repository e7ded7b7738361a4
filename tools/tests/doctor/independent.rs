//! What the doctor measures here against tools that others wrote: lscpu, cyclictest, perf.

use super::*;

fn output(program: &str, words: &[&str]) -> String {
    let output = Command::new(program)
        .args(words)
        .env("LC_ALL", "C")
        .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn cores_siblings_nodes_and_model_are_those_of_lscpu() {
    if !has_tool("lscpu", "the comparison of the topology") {
        return;
    }
    let report = Program::new().run(&["doctor", "--json", "--no-measure"]).json();
    let host = &report["host"];
    let summary = output("lscpu", &[]);
    let field = |name: &str| {
        let line = summary.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned())
    };
    // One line for each online processor: processor, core, node.
    let table = output("lscpu", &["-p=CPU,CORE,NODE"]);
    let rows: Vec<Vec<&str>> =
        table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(',').collect()).collect();
    let nodes: std::collections::BTreeSet<&str> = rows.iter().map(|row| row[2]).collect();
    assert_eq!(host["cores"], rows.len());
    assert_eq!(host["memory_nodes"], nodes.len());
    let same_core = rows.iter().filter(|row| row[1] == rows[0][1]).count();
    assert_eq!(host["threads_per_core"], same_core);
    assert_eq!(host["cpu_model"].as_str(), field("Model name").as_deref());
    assert_eq!(host["is_guest"], field("Hypervisor vendor").is_some());
}

/// The median of a histogram of `cyclictest -h`: lines of microseconds and one count for each thread.
fn median_us(histogram: &str) -> u64 {
    let rows: Vec<(u64, u64)> = histogram
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| {
            let mut numbers = line.split_whitespace().map(|word| word.parse::<u64>().unwrap());
            (numbers.next().unwrap(), numbers.sum())
        })
        .collect();
    let all: u64 = rows.iter().map(|(_, count)| count).sum();
    assert!(all > 0, "an empty histogram:\n{histogram}");
    let mut below = 0;
    for (micros, count) in rows {
        below += count;
        if below * 2 >= all {
            return micros;
        }
    }
    unreachable!("the counts sum up to all of them")
}

#[test]
fn the_median_lateness_of_the_timer_is_that_of_cyclictest() {
    if !has_tool("cyclictest", "the comparison of the timer") {
        return;
    }
    // Both sleep to absolute times of the monotonic clock, each millisecond, with the normal priority and so with the kernel's timer
    // slack of 50 µs, on the same cores. Medians are compared, as tails are those of the neighbours. A factor of two is let pass, as the two
    // cannot run at once and the load of a shared host changes in between; a wrong unit or a wrong clock is off by far more.
    const FACTOR: f64 = 2.0;
    let _alone = alone();
    let before = Program::new().run(&["doctor", "--json", "--quiet"]).json();
    let cores: Vec<String> =
        before["cores"].as_array().unwrap().iter().map(|core| core.to_string()).collect();
    let histogram = output(
        "cyclictest",
        &[
            "-q",
            "-l",
            "1000",
            "-i",
            "1000",
            "-h",
            "20000",
            "-t",
            &cores.len().to_string(),
            "-a",
            &cores.join(","),
        ],
    );
    let after = Program::new().run(&["doctor", "--json", "--quiet"]).json();
    let theirs = median_us(&histogram) as f64;
    let ours = |report: &Value| {
        let mut medians: Vec<f64> = report["measured"]["timer"]
            .as_array()
            .unwrap()
            .iter()
            .map(|timer| timer["p50_ns"].as_f64().unwrap() / 1e3)
            .collect();
        medians.sort_by(f64::total_cmp);
        medians[medians.len() / 2]
    };
    let (before, after) = (ours(&before), ours(&after));
    println!("median lateness: doctor {before:.1} µs, cyclictest {theirs:.1} µs, doctor again {after:.1} µs");
    // If the load changed, one of the two neighbours in time saw the same as cyclictest.
    let is_near = |own: f64| own / theirs < FACTOR && theirs / own < FACTOR;
    assert!(is_near(before) || is_near(after), "{before:.1} and {after:.1} against {theirs:.1} µs");
}

#[test]
fn the_time_that_spinning_cores_say_they_ran_is_accounted_for_by_perf() {
    if !has_tool("perf", "the comparison of time and switches") {
        return;
    }
    let _alone = alone();
    let program = Program::new();
    let counts = program.path("perf.csv");
    let ran = Command::new("perf")
        .args(["stat", "-x,", "-e", "task-clock,context-switches", "-o"])
        .arg(&counts)
        .args(["--", env!("CARGO_BIN_EXE_spinward"), "doctor", "--json", "--quiet"])
        .current_dir(program.path("."))
        .output()
        .unwrap();
    let Ok(report) = serde_json::from_slice::<Value>(&ran.stdout) else {
        eprintln!("SKIPPED: perf may not count here: {}", String::from_utf8_lossy(&ran.stderr));
        return;
    };
    let counts = std::fs::read_to_string(&counts).unwrap();
    let count = |name: &str| -> f64 {
        let line = counts.lines().find(|line| line.contains(name)).unwrap();
        line.split(',').next().unwrap().parse().unwrap()
    };
    let spins = report["measured"]["spin"].as_array().unwrap();
    let sum = |key: &str| spins.iter().map(|spin| spin[key].as_f64().unwrap()).sum::<f64>();
    let ran_ms = (sum("elapsed_ns") - sum("lost_ns")) / 1e6;
    let task_ms = count("task-clock");
    println!(
        "spinning {ran_ms:.0} ms of {:.0} ms; perf: task clock {task_ms:.0} ms, {} switches, of them {} preemptions",
        sum("elapsed_ns") / 1e6,
        count("context-switches"),
        sum("preemptions")
    );
    // The loops' own time is a part of the process's time on a processor: 5 % are let pass, as a gap of less than 10 µs is not counted as lost
    // though the processor was away. And each preemption the loops saw is a context switch.
    assert!(ran_ms <= task_ms * 1.05, "{ran_ms} ms of {task_ms} ms");
    assert!(sum("preemptions") <= count("context-switches"));
    // From the other side: it spun for a good part of what perf saw, all other steps sleep or take less.
    assert!(ran_ms >= task_ms * 0.2, "{ran_ms} ms of {task_ms} ms");
}
