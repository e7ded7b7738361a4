use super::*;
use std::collections::BTreeSet;
use std::fs;
use toml::Value;

/// The default's lines with every optional key (`#key = …`, `#[table]`) taken in.
fn uncommented() -> String {
    DEFAULT_TOML
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
            Some(_) | None => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn keys_of(value: &Value, path: &str, keys: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) if path != "strategy[].parameters" => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                keys_of(value, &path, keys);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_table) => {
            for item in items {
                keys_of(item, &format!("{path}[]"), keys);
            }
        }
        Value::Table(_)
        | Value::Array(_)
        | Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_) => {
            keys.insert(path.to_owned());
        }
    }
}

#[test]
fn the_default_file_shows_every_key_there_is_and_no_other() {
    let table: toml::Table = uncommented().parse().unwrap();
    let mut shown = BTreeSet::new();
    keys_of(&Value::Table(table), "", &mut shown);
    let known: BTreeSet<String> = known_keys().into_iter().collect();
    assert_eq!(shown.symmetric_difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_key_of_the_default_file_is_explained_on_its_line() {
    let mut section = String::new();
    let mut explained = BTreeSet::new();
    for line in uncommented().lines().filter(|line| !line.trim_start().starts_with('#')) {
        let (code, comment) = line.split_once('#').unwrap_or((line, ""));
        if code.starts_with('[') {
            section = code.trim().to_owned();
        } else if let Some((key, _)) = code.split_once(" = ")
            && !code.starts_with(' ')
            && !comment.is_empty()
        {
            explained.insert(format!("{section}{key}"));
        }
    }
    // A jitter is explained with its latency, limits above their line.
    for path in known_keys() {
        let Some((section, key)) = path.rsplit_once('.') else { continue };
        let is_told_elsewhere =
            path.ends_with("_jitter") || path.contains("limits.") || path.contains("fees.");
        let is_inline =
            path.contains("sessions[]") || path.contains("early_closes[]") || path.contains("tick_band[]");
        if is_told_elsewhere || is_inline || key == "early_closes" {
            continue;
        }
        let header = if section.ends_with("[]") {
            format!("[[{}]]", section.replace("[]", ""))
        } else {
            format!("[{section}]")
        };
        let header = if key == "parameters" { continue } else { header };
        assert!(explained.contains(&format!("{header}{key}")), "{path} is not explained");
    }
}

#[test]
fn the_built_in_configuration_is_valid_and_without_warnings() {
    let loaded = builtin();
    assert_eq!(loaded.settings.check(), []);
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.source, DEFAULT_TOML);
    assert_eq!(loaded.settings.session.duration, Some(std::time::Duration::from_secs(10)));
    let kinds: Vec<_> = loaded.settings.strategies.iter().map(|s| s.kind.as_str()).collect();
    assert_eq!(kinds, [MARKET_MAKER, IMBALANCE_TAKER]);
}

#[test]
fn what_the_default_file_writes_is_the_default() {
    let defaults = Settings::default().to_table();
    let written = builtin().settings.to_table();
    for (section, value) in &defaults {
        let Value::Table(table) = value else { continue };
        for (key, default) in table {
            let path = format!("{section}.{key}");
            if !["session.name", "venue.kind"].contains(&path.as_str()) {
                assert_eq!(written[section].get(key), Some(default), "{path}");
            }
        }
    }
}

#[test]
fn what_is_shown_reads_back_as_the_same_settings() {
    for text in [
        DEFAULT_TOML,
        include_str!("../examples/itch50.toml"),
        include_str!("../examples/binance-usdm-btcusdt.toml"),
    ] {
        let first = from_text(Path::new("first.toml"), text).unwrap().settings;
        let shown = first.to_toml();
        let second = from_text(Path::new("second.toml"), &shown).unwrap().settings;
        assert_eq!(shown, second.to_toml());
        assert_eq!(first.fingerprint(), second.fingerprint());
        assert_eq!(first.fingerprint().len(), 16);
    }
}

#[test]
fn a_fingerprint_knows_meaning_not_writing() {
    let base = builtin().settings.fingerprint();
    let respelt = DEFAULT_TOML
        .replace("timer_interval = \"100ms\"", "timer_interval = \"0.1s\"")
        .replace("tick = \"0.01\"", "tick = \"0.010\"")
        .replace("seed = 1 ", "seed = 0x1 ");
    assert_ne!(respelt, DEFAULT_TOML);
    assert_eq!(from_text(Path::new("a"), &respelt).unwrap().settings.fingerprint(), base);
    let other = DEFAULT_TOML.replace("quote_qty = 100", "quote_qty = 101");
    assert_ne!(from_text(Path::new("a"), &other).unwrap().settings.fingerprint(), base);
}

#[test]
fn the_example_files_load_from_disk() {
    for name in ["binance-usdm-btcusdt.toml", "itch50.toml"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let loaded = load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.warnings, [], "{name}");
        assert!(!loaded.settings.strategies.is_empty());
    }
}

#[test]
fn every_problem_of_a_file_is_told_at_once_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.toml");
    let text = "\
[pipeline]
ingress_slot = 64
event_slots = 1000

[session]
duration = 10

[[instrument]]
symbol = \"X\"
tick = 0.01
lot = 1
currency = \"USD\"
calendar = \"alway\"
";
    fs::write(&path, text).unwrap();
    let error = load(&path).unwrap_err();
    let name = path.display();
    let expected = [
        format!("{name}:2:1: pipeline.ingress_slot: unknown key; mend: did you mean \"ingress_slots\"?"),
        format!(
            "{name}:3:15: pipeline.event_slots: 1000 slots are not a power of two from 64 to 65536; mend: use a power of two: 512 or 1024"
        ),
        format!(
            "{name}:6:12: session.duration: an integer stands where a span of time should; mend: write it with its unit, like \"200us\", \"1ms\" or \"10s\""
        ),
        format!(
            "{name}:9:10: instrument[0].symbol: the synthetic market has no \"X\"; mend: use AAAA to AAAH (feed.synthetic.symbols = 8)"
        ),
        format!(
            "{name}:10:8: instrument[0].tick: 0.01 is a binary float, which is not exact; mend: write it as a string: \"0.01\""
        ),
        format!(
            "{name}:13:12: instrument[0].calendar: no calendar is called \"alway\"; mend: did you mean \"always\"?"
        ),
    ];
    assert_eq!(error.to_string().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let absent = load(&folder.path().join("absent.toml")).unwrap_err();
    assert!(absent.to_string().contains("absent.toml: cannot read the configuration"), "{absent}");
    let path = folder.path().join("latin1.toml");
    fs::write(&path, b"[session]\nname = \"\xe9\"\n").unwrap();
    let latin1 = load(&path).unwrap_err();
    assert!(latin1.to_string().contains("latin1.toml:2:1: the text is not UTF-8"), "{latin1}");
}

#[test]
fn keys_inside_of_lists_and_tables_of_the_wrong_shape_are_refused() {
    for (text, line, says) in [
        ("pipeline = 5\n", 1, "pipeline is a integer, not a table"),
        ("\ninstrument = { symbol = \"X\" }\n", 2, "not a list of tables"),
        ("\n\n[strategy]\nname = \"a\"\n", 3, "not a list of tables"),
        ("[feed]\nfiles = \"one.gz\"\n", 2, "a list"),
        ("[feed]\nfiles = [\n  \"one.gz\",\n  5,\n]\n", 4, "a path"),
        ("[topology]\nidle = \"spinn\"\n", 2, "did you mean \"spin\""),
        ("sesion = 1\n", 1, "did you mean \"session\""),
    ] {
        let error = from_text(Path::new("x.toml"), text).unwrap_err();
        let found = error.problems.iter().find(|problem| problem.to_string().contains(says));
        assert_eq!(found.and_then(Problem::line), Some(line), "{text}: {error}");
    }
}
