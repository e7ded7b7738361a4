use super::*;
use crate::{DEFAULT_TOML, builtin, from_text};
use spinward_engine::pipeline::HostCores;
use spinward_gateways::simulation::Pace as SimulationPace;
use std::path::Path;
use std::time::Duration;

fn given(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn options_take_the_place_of_keys() {
    let mut settings = builtin().settings;
    let before = settings.fingerprint();
    let overrides = Overrides {
        pace: given("x2.5"),
        topology: given("split"),
        duration: given("2min"),
        seed: Some(7),
        metrics: given("off"),
        name: given("mine"),
        folder: Some("/tmp/elsewhere".into()),
        ..Overrides::default()
    };
    assert_eq!(settings.apply(&overrides).unwrap(), []);
    assert_eq!(settings.simulation().pace, SimulationPace::Times { numerator: 5, denominator: 2 });
    assert_eq!(settings.topology.preset, Preset::Split);
    assert_eq!(settings.session.duration, Some(Duration::from_secs(120)));
    assert_eq!((settings.synthetic().seed, settings.paper().seed), (7, 7));
    assert_eq!(settings.metrics_address(), None);
    assert_ne!(settings.fingerprint(), before);
    assert!(settings.to_toml().contains("pace = \"x2.5\""));
    assert_eq!(settings.check(), []);
}

#[test]
fn every_bad_option_is_told_by_its_name_and_nothing_is_changed() {
    let mut settings = builtin().settings;
    let before = settings.fingerprint();
    let overrides = Overrides {
        feed: given("itch50"),
        pace: given("fast"),
        topology: given("fusd"),
        duration: given("10"),
        metrics: given("9184"),
        date: given("today"),
        seed: Some(9),
        ..Overrides::default()
    };
    let error = settings.apply(&overrides).unwrap_err();
    let starts = ["--date: ", "--duration: ", "--feed: ", "--metrics: ", "--pace: ", "--topology: "];
    for (problem, start) in error.problems.iter().zip(starts) {
        assert!(problem.to_string().starts_with(start), "{problem}");
    }
    assert_eq!(error.problems.len(), starts.len());
    assert!(error.to_string().contains("did you mean \"fused\"?"));
    assert_eq!(settings.fingerprint(), before);
}

#[test]
fn another_feed_than_the_built_in_one_leaves_out_the_built_in_strategies() {
    let mut settings = builtin().settings;
    let overrides = Overrides { feed: given("binance:a.gz,b.gz"), ..Overrides::default() };
    let notes = settings.apply(&overrides).unwrap();
    assert!(notes[0].to_string().starts_with("--feed: no instrument of this feed is configured"));
    assert_eq!(settings.feed.files, [PathBuf::from("a.gz"), PathBuf::from("b.gz")]);
    assert!(settings.instruments.is_empty() && settings.strategies.is_empty());
    assert_eq!(settings.session.duration, None);
    assert_eq!(settings.check(), []);
    assert_eq!(settings.instruments().unwrap().count(), 0);
    assert_eq!(
        settings.topology(&HostCores { allowed: vec![0], isolated: vec![] }).unwrap().strategy_cores(),
        1
    );
}

#[test]
fn the_file_of_a_user_keeps_its_strategies_with_another_file() {
    let text = include_str!("../../examples/binance-usdm-btcusdt.toml");
    let mut settings = from_text(Path::new("mine.toml"), text).unwrap().settings;
    let overrides =
        Overrides { feed: given("binance:other.gz"), duration: given("all"), ..Overrides::default() };
    assert_eq!(settings.apply(&overrides).unwrap(), []);
    assert_eq!((settings.strategies.len(), settings.session.duration), (1, None));
    assert_eq!(settings.feed.files, [PathBuf::from("other.gz")]);
    assert_eq!(settings.check(), []);
}

#[test]
fn what_is_wrong_with_an_overridden_key_is_told_by_the_option() {
    let mut settings = from_text(Path::new("mine.toml"), DEFAULT_TOML).unwrap().settings;
    settings.apply(&Overrides { duration: given("0s"), name: given("a/b"), ..Overrides::default() }).unwrap();
    let told: Vec<String> = settings.check().iter().map(|problem| problem.place.to_string()).collect();
    assert_eq!(told, ["--duration", "--name"]);
    let mut settings = from_text(Path::new("mine.toml"), DEFAULT_TOML).unwrap().settings;
    settings.apply(&Overrides { feed: given("itch50:/nowhere/file"), ..Overrides::default() }).unwrap();
    let problems = settings.validate(&HostCores { allowed: vec![0, 1], isolated: vec![] });
    let told: Vec<(String, String)> = problems.into_iter().map(|p| (p.place.to_string(), p.key)).collect();
    let expected = [("--feed", "feed.date"), ("--feed", "feed.files")];
    let expected = expected.map(|(place, key)| (place.to_owned(), key.to_owned()));
    assert_eq!(told, expected);
}

#[test]
fn a_feed_and_a_venue_on_the_network_are_given_by_their_addresses() {
    let mut settings = from_text(Path::new("mine.toml"), DEFAULT_TOML).unwrap().settings;
    let network = Overrides {
        feed: given("mold:127.0.0.1:26477,239.0.0.1:26478"),
        venue: given("ouch:127.0.0.1:26500"),
        ..Overrides::default()
    };
    settings.apply(&network).unwrap();
    assert_eq!(settings.feed.to_string(), "mold:127.0.0.1:26477,239.0.0.1:26478");
    settings.venue.password_env = given("SECRET");
    assert_eq!(settings.check(), []);
    for (feed, venue) in
        [("mold:", None), ("mold:here", None), ("synthetic", Some("ouch:here")), ("synthetic", Some("moon"))]
    {
        let bad = Overrides { feed: given(feed), venue: venue.map(str::to_owned), ..Overrides::default() };
        assert!(settings.apply(&bad).is_err(), "{feed} {venue:?}");
    }
}
