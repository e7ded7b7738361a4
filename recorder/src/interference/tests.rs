use super::*;
use spinward_engine::words::Clock;

/// `/proc` of a thread and two cores, as a Linux of 2025 writes it, at one of two moments.
fn write_proc(root: &Path, later: bool) {
    let pick = |before: &str, after: &str| if later { after.to_owned() } else { before.to_owned() };
    let task = root.join("self/task/4711");
    std::fs::create_dir_all(&task).unwrap();
    std::fs::write(task.join("comm"), "sw1 (odd) name\n").unwrap();
    std::fs::write(
        task.join("status"),
        pick(
            "Name:\tsw1\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t100\n",
            "Name:\tsw1\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t103\n",
        ),
    )
    .unwrap();
    let stat = |minor: u32, core: u32| {
        format!(
            "4711 (sw1 (odd) name) R 1 1 1 0 -1 4194304 {minor} 0 2 0 0 0 0 0 20 0 1 0 12 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 {core} 0 0"
        )
    };
    // Field 39 is the 37th behind the name.
    std::fs::write(task.join("stat"), if later { stat(15, 1) } else { stat(10, 1) }).unwrap();
    std::fs::write(task.join("schedstat"), pick("5 1000 3", "9 51000 8")).unwrap();
    std::fs::write(task.join("sched"), pick("se.nr_migrations  :  4\n", "se.nr_migrations  :  6\n")).unwrap();
    let interrupts = |eth: u32, timer: u32| {
        format!(
            "           CPU0       CPU1       \n 41:       6776          {eth} PCI-MSIX-0000:00:04.0   1-edge      eth0\n 42:          0      17874 PCI-MSIX-0000:00:04.0   2-edge      eth1, usb2\nLOC:    6017894    {timer}   Local timer interrupts\nERR:          3\n"
        )
    };
    std::fs::write(root.join("interrupts"), if later { interrupts(12, 525) } else { interrupts(9, 500) })
        .unwrap();
    let softirqs = |net: u32| {
        format!(
            "                    CPU0       CPU1       \n      NET_RX:     662005     {net}\n       BLOCK:          0     5\n"
        )
    };
    std::fs::write(root.join("softirqs"), if later { softirqs(40) } else { softirqs(30) }).unwrap();
    let stat = |steal: u32| {
        format!("cpu  1 2 3 4 5 6 7 8 9 10\ncpu1 1 2 3 4 5 6 7 {steal} 0 0\ncpu10 1 1 1 1 1 1 1 9999 0 0\n")
    };
    std::fs::write(root.join("stat"), if later { stat(12) } else { stat(10) }).unwrap();
    std::fs::write(
        root.join("cpuinfo"),
        "processor\t: 0\ncpu MHz\t\t: 1000.5\n\nprocessor\t: 1\ncpu MHz\t\t: 2445.426\n",
    )
    .unwrap();
}

fn at(proc: &Path) -> (ThreadCounts, CoreCounts) {
    let task = counts::task_named(proc, "sw1 (odd) name").unwrap();
    (ThreadCounts::read(&task).unwrap(), CoreTables::read(proc).of(1, Path::new("/nowhere")))
}

#[test]
fn threads_and_cores_are_read_from_a_recorded_proc() {
    let folder = tempfile::tempdir().unwrap();
    write_proc(folder.path(), false);
    let (thread, core) = at(folder.path());
    assert_eq!(
        thread,
        ThreadCounts {
            involuntary_switches: 100,
            voluntary_switches: 7,
            minor_faults: 10,
            major_faults: 2,
            migrations: 4,
            waited_ns: 1_000,
            core: 1,
        }
    );
    assert_eq!((core.steal_ns, core.khz), (100_000_000, 2_445_426));
    let names: Vec<&str> = core.interrupts.keys().map(String::as_str).collect();
    assert_eq!(names, ["Local timer interrupts (LOC)", "eth0 (irq 41)", "eth1, usb2 (irq 42)"]);

    write_proc(folder.path(), true);
    let (_, later) = at(folder.path());
    let grown = counts::grown(&core.interrupts, &later.interrupts);
    assert_eq!(
        grown.into_iter().collect::<Vec<_>>(),
        [("Local timer interrupts (LOC)".to_owned(), 25), ("eth0 (irq 41)".to_owned(), 3)]
    );
    assert_eq!(counts::grown(&core.softirqs, &later.softirqs).get("NET_RX"), Some(&10));
}

#[test]
fn a_frequency_of_the_governor_goes_before_that_of_the_start() {
    let folder = tempfile::tempdir().unwrap();
    write_proc(folder.path(), false);
    let cpufreq = folder.path().join("devices/system/cpu/cpu1/cpufreq");
    std::fs::create_dir_all(&cpufreq).unwrap();
    std::fs::write(cpufreq.join("scaling_cur_freq"), "3600000\n").unwrap();
    assert_eq!(CoreTables::read(folder.path()).of(1, folder.path()).khz, 3_600_000);
}

#[test]
fn a_core_that_is_off_and_files_that_are_not_there_count_as_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(CoreTables::read(folder.path()).of(0, folder.path()), CoreCounts::default());
    assert_eq!(counts::task_named(folder.path(), "sw0"), None);
    write_proc(folder.path(), false);
    assert_eq!(CoreTables::read(folder.path()).of(7, folder.path()), CoreCounts::default());
}

#[test]
fn a_log_is_read_as_it_was_written_and_a_torn_last_line_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("interference.jsonl");
    assert_eq!(read_interference(&path).unwrap(), None);
    let header = InterferenceHeader {
        interference_format: 1,
        session: "00ff".to_owned(),
        interval_ns: 100_000_000,
        gap_threshold_ns: 10_000,
    };
    let rows = [
        InterferenceRow::Sample(Sample {
            thread: "sw1".to_owned(),
            core: 5,
            from_ns: 10,
            to_ns: 20,
            involuntary_switches: 3,
            interrupts: [("eth0 (irq 41)".to_owned(), 3)].into(),
            ..Sample::default()
        }),
        InterferenceRow::Gap(GapRow {
            thread: "sw1".to_owned(),
            core: Some(5),
            from_ns: 12,
            to_ns: 19,
            worked: true,
        }),
    ];
    let mut log = InterferenceLog::create(&path, &header).unwrap();
    log.write(&rows).unwrap();
    drop(log);
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.lines().nth(1).unwrap().starts_with(
        r#"{"sample":{"thread":"sw1","core":5,"from_ns":10,"to_ns":20,"involuntary_switches":3,"interrupts""#
    ));
    let expected = Interference { header: header.clone(), rows: rows.to_vec() };
    assert_eq!(read_interference(&path).unwrap(), Some(expected.clone()));
    assert!(InterferenceLog::create(&path, &header).is_err(), "an old file is never overwritten");

    std::fs::write(&path, format!("{written}{{\"gap\":{{\"thr")).unwrap();
    assert_eq!(read_interference(&path).unwrap(), Some(expected));
    std::fs::write(&path, written.replacen("\"interference_format\":1", "\"interference_format\":2", 1))
        .unwrap();
    let error = read_interference(&path).unwrap_err().to_string();
    assert!(error.contains("line 1: format 2; this program reads up to 1: use a newer spinward"), "{error}");
}

#[test]
fn a_watch_counts_what_happens_to_a_thread_of_this_process() {
    use spinward_engine::pipeline::{CoreCounters, CoreSpec, GapLog, IdleStrategy};
    use std::sync::mpsc::channel;

    let (ask, asked) = channel::<()>();
    let (answer, answered) = channel::<()>();
    let thread = std::thread::Builder::new().name("watched".to_owned()).spawn(move || {
        // Each answer waits for the next question: the thread gives its core away.
        while answer.send(()).is_ok() && asked.recv().is_ok() {}
    });
    let report = CoreReport {
        thread: "watched".to_owned(),
        spec: CoreSpec { core: None, idle: IdleStrategy::Yield, roles: Vec::new() },
        counters: Arc::<CoreCounters>::default(),
        gaps: Arc::<GapLog>::default(),
    };
    answered.recv().unwrap();
    let clock = Clock::new();
    let time = StampTime::new(clock.clone(), clock.ticks(), Nanos::from_secs(1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("interference.jsonl");
    let log = InterferenceLog::create(&path, &InterferenceHeader::default()).unwrap();
    let mut watch = InterferenceWatch::new(&[report], time, Some(log));
    watch.poll().unwrap();
    for _ in 0..50 {
        ask.send(()).unwrap();
        answered.recv().unwrap();
    }
    watch.poll().unwrap();
    drop(ask);
    thread.unwrap().join().unwrap();

    let totals = watch.totals();
    assert_eq!(totals.samples.value(), 2);
    assert!(totals.sample_ns.value() > 0);
    let threads = &totals.threads[0];
    let switches = threads.counts[0].value() + threads.counts[1].value();
    assert!(switches >= 1, "{totals:?}");
    let found = read_interference(&path).unwrap().unwrap();
    let sum: u64 = found
        .rows
        .iter()
        .map(|row| match row {
            InterferenceRow::Sample(sample) => sample.involuntary_switches + sample.voluntary_switches,
            InterferenceRow::Gap(_) => 0,
        })
        .sum();
    assert_eq!(sum, switches);
}

#[test]
fn of_many_gaps_the_longest_are_listed_in_order_of_time_and_all_are_summed() {
    use spinward_engine::pipeline::{CoreCounters, CoreSpec, GapLog, IdleStrategy};
    let gaps = Arc::<GapLog>::default();
    let report = CoreReport {
        thread: "nobody".to_owned(),
        spec: CoreSpec { core: Some(3), idle: IdleStrategy::Spin, roles: Vec::new() },
        counters: Arc::<CoreCounters>::default(),
        gaps: Arc::clone(&gaps),
    };
    let clock = Clock::new();
    let time = StampTime::new(clock.clone(), 0, Nanos::from_secs(1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("interference.jsonl");
    let log = InterferenceLog::create(&path, &InterferenceHeader::default()).unwrap();
    let mut watch = InterferenceWatch::new(&[report], time, Some(log));
    // Every second one is long.
    let count = GAPS_LISTED_MAX as u64 * 2;
    for number in 0..count {
        let start = (number + 1) * 1_000_000;
        let length = if number % 2 == 0 { 500_000 } else { 5_000 };
        gaps.note(&clock, Gap { start, end: start + length, has_worked: number == 0 });
    }
    watch.poll().unwrap();
    let found = read_interference(&path).unwrap().unwrap();
    let listed: Vec<&GapRow> = found
        .rows
        .iter()
        .filter_map(|row| match row {
            InterferenceRow::Gap(gap) => Some(gap),
            InterferenceRow::Sample(_) => None,
        })
        .collect();
    assert_eq!(listed.len(), GAPS_LISTED_MAX);
    let least = clock.nanos_between(0, 400_000) as i64;
    assert!(listed.iter().all(|gap| gap.to_ns - gap.from_ns >= least && gap.core == Some(3)));
    assert!(listed.is_sorted_by_key(|gap| gap.from_ns) && listed[0].worked && !listed[1].worked);
    let totals = watch.totals();
    assert_eq!(totals.threads[0].counts[7].value(), count);
    assert_eq!(totals.threads[0].times[2].value(), gaps.nanos.value());
    assert!(totals.threads[0].gap_ns_max.value() >= least);
}

#[test]
fn interrupts_of_devices_are_told_from_those_of_the_processor() {
    for (name, is_of_device) in [
        ("virtio1-req.0 (irq 36)", true),
        ("irq 9", true),
        ("Local timer interrupts (LOC)", false),
        ("Rescheduling interrupts (RES)", false),
    ] {
        assert_eq!(counts::is_of_device(name), is_of_device, "{name}");
    }
}
