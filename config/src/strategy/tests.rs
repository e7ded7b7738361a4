use super::*;
use crate::settings::Settings;
use serde::Deserialize;

#[derive(Deserialize, PartialEq, Debug)]
struct Mine {
    threshold: i64,
    #[serde(default)]
    deep: Deep,
    #[serde(default)]
    list: Vec<Deep>,
}

#[derive(Deserialize, PartialEq, Debug, Default)]
struct Deep {
    #[serde(default)]
    value: i64,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
struct Strict {
    threshold: i64,
}

fn spec(parameters: &str) -> StrategySpec {
    let text = format!(
        "[[strategy]]\nname = \"a\"\nkind = \"mine\"\ninstruments = []\n\n\
         [[strategy]]\nname = \"b\"\nkind = \"mine\"\ninstruments = []\n{parameters}"
    );
    let source = Source::new("mine.toml".into(), &text);
    let table = source.parse().unwrap();
    let (settings, problems) = Settings::read(&source, &table);
    assert_eq!(problems, []);
    settings.strategies[1].clone()
}

#[test]
fn parameters_are_read_into_the_type_of_the_strategy() {
    let spec = spec("[strategy.parameters]\nthreshold = 5\ndeep.value = 7\n");
    let expected = Mine { threshold: 5, deep: Deep { value: 7 }, list: Vec::new() };
    assert_eq!(parameters::<Mine>(&spec).unwrap(), expected);
}

#[test]
fn unknown_parameters_are_refused_by_name_and_line_although_the_type_forgets_to() {
    let spec = spec(
        "[strategy.parameters]\nthreshold = 5\nthresold = 6\ndeep.valeu = 7\nlist = [{ value = 1 }, { colour = 2 }]\n",
    );
    let error = parameters::<Mine>(&spec).unwrap_err();
    assert_eq!(
        error.to_string(),
        "mine.toml:12:1: strategy[1].parameters.thresold: unknown parameter; mend: did you mean \"threshold\"?\n\
         mine.toml:13:6: strategy[1].parameters.deep.valeu: unknown parameter; mend: remove it, or correct its name\n\
         mine.toml:14:26: strategy[1].parameters.list.1.colour: unknown parameter; mend: remove it, or correct its name"
    );
}

#[test]
fn a_type_that_denies_unknown_fields_is_told_all_of_them_too() {
    let spec = spec("[strategy.parameters]\ntreshold = 5\ncolour = 6\n");
    let error = parameters::<Strict>(&spec).unwrap_err();
    let lines: Vec<_> = error.problems.iter().map(|problem| (problem.line(), problem.key.as_str())).collect();
    assert_eq!(
        lines,
        [
            (Some(10), "strategy[1].parameters"),
            (Some(11), "strategy[1].parameters.treshold"),
            (Some(12), "strategy[1].parameters.colour")
        ],
        "{error}"
    );
    assert!(error.to_string().contains("missing field `threshold`"), "{error}");
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_line() {
    let spec = spec("[strategy.parameters]\nthreshold = \"high\"\n");
    let error = parameters::<Mine>(&spec).unwrap_err();
    let problem = &error.problems[0];
    assert_eq!((problem.line(), problem.key.as_str()), (Some(11), "strategy[1].parameters.threshold"));
    assert!(problem.what.contains("expected i64"), "{problem}");
}

#[test]
fn absent_parameters_are_an_empty_table_at_the_strategy() {
    let error = parameters::<Strict>(&spec("")).unwrap_err();
    assert_eq!(error.problems[0].line(), Some(6), "{error}");
    #[derive(Deserialize)]
    struct Nothing {}
    assert!(parameters::<Nothing>(&spec("")).is_ok());
}

#[test]
fn a_table_made_by_a_program_is_checked_as_well() {
    let mut table = toml::Table::new();
    table.insert("threshold".to_owned(), toml::Value::Integer(5));
    let mut spec = StrategySpec { parameters: Parameters::from(table.clone()), ..StrategySpec::default() };
    assert_eq!(parameters::<Strict>(&spec).unwrap(), Strict { threshold: 5 });
    table.insert("other".to_owned(), toml::Value::Integer(5));
    spec.parameters = Parameters::from(table);
    assert!(
        parameters::<Strict>(&spec).unwrap_err().to_string().contains("parameters.other: unknown parameter")
    );
}

#[test]
fn a_strategy_can_point_at_a_key_of_its_own() {
    let spec = spec("[strategy.parameters]\nthreshold = 5\n");
    let problem = spec.parameters.problem("threshold", "is odd", "make it even");
    assert_eq!(
        problem.to_string(),
        "mine.toml:11:1: strategy[1].parameters.threshold: is odd; mend: make it even"
    );
    assert_eq!(spec.parameters.problem("other", "is missing", "add it").line(), Some(10));
}
