use super::*;

/// A tree of `/proc` and `/sys` files.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

const TUNED: [(&str, &str); 12] = [
    (
        "proc/cpuinfo",
        "processor\t: 0\nmodel name\t: Xeon: a fast one\nmicrocode\t: 0x2b\nflags\t\t: fpu tsc\n",
    ),
    ("proc/cmdline", "ro isolcpus=2-7 nohz_full=2-7\n"),
    ("proc/sys/kernel/hostname", "colo7\n"),
    ("proc/sys/kernel/osrelease", "6.6.1-rt\n"),
    ("sys/devices/system/cpu/online", "0-7\n"),
    ("sys/devices/system/cpu/isolated", "2-7\n"),
    ("sys/devices/system/cpu/nohz_full", "2-7\n"),
    ("sys/devices/system/cpu/smt/control", "off\n"),
    ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
    ("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "performance\n"),
    ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
    ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
];

#[test]
fn a_tuned_host_is_read_field_by_field() {
    let root = tree(&TUNED);
    let found = Fingerprint::read(root.path());
    let expected = [
        ("host", "colo7"),
        ("cpu", "Xeon: a fast one"),
        ("microcode", "0x2b"),
        ("cores", "0-7"),
        ("smt", "off"),
        ("hypervisor", "none"),
        ("kernel", "6.6.1-rt"),
        ("kernel_command_line", "ro isolcpus=2-7 nohz_full=2-7"),
        ("isolated", "2-7"),
        ("nohz_full", "2-7"),
        ("governor", "performance powersave"),
        ("clock_source", "tsc"),
        ("huge_pages", "madvise"),
    ];
    assert_eq!(found.fields(), expected);
    let line = found.to_string();
    assert!(line.starts_with("host=colo7; cpu=Xeon: a fast one; ") && !line.contains('\n'), "{line}");
}

#[test]
fn a_virtual_host_names_what_it_runs_on_and_missing_files_are_unknown() {
    let cpuinfo = ("proc/cpuinfo", "model name : EPYC\nflags : fpu hypervisor tsc\n");
    let bare = tree(&[cpuinfo]);
    let found = Fingerprint::read(bare.path());
    assert_eq!(found.hypervisor, "some, by the processor's flag");
    assert_eq!((found.microcode.as_str(), found.governor.as_str()), ("unknown", "unknown"));
    assert_eq!(found.isolated, "unknown");

    let vendor = ("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    let isolated = ("sys/devices/system/cpu/isolated", "\n");
    let cloud = tree(&[cpuinfo, vendor, isolated, ("sys/class/dmi/id/product_name", "c6a.large\n")]);
    let found = Fingerprint::read(cloud.path());
    assert_eq!(found.hypervisor, "Amazon EC2 c6a.large");
    assert_eq!((found.isolated.as_str(), found.governor.as_str()), ("none", "none"));

    let xen = tree(&[cpuinfo, vendor, ("sys/hypervisor/type", "xen\n")]);
    assert_eq!(Fingerprint::read(xen.path()).hypervisor, "xen");
}

#[test]
fn differences_are_named_with_both_values() {
    let here = Fingerprint::read(tree(&TUNED).path());
    assert!(here.differences(&here.clone()).is_empty());
    let there = Fingerprint { governor: "powersave".to_owned(), ..here.clone() };
    assert_eq!(here.differences(&there), [("governor", "performance powersave", "powersave")]);
}

#[test]
fn this_very_host_tells_its_kernel() {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(Fingerprint::current().kernel, release.trim());
}
