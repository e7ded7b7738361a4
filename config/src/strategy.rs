//! `[[strategy]]`: who trades what, and the parameters that only the strategy itself understands.

use crate::document::Source;
use crate::problem::{ConfigError, Place, Problem, did_you_mean};
use crate::visit::{Section, Visitor};
use serde::de::{DeserializeOwned, Deserializer, Visitor as SerdeVisitor};
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// Kind of the market maker that comes with the engine.
pub const MARKET_MAKER: &str = "market-maker";

/// Kind of the imbalance taker that comes with the engine.
pub const IMBALANCE_TAKER: &str = "imbalance-taker";

/// One strategy of the configuration.
#[derive(Clone, Debug)]
pub struct StrategySpec {
    /// Its name in reports and counters, once in a file.
    pub name: String,
    /// Which code it is: [`MARKET_MAKER`], [`IMBALANCE_TAKER`] or a kind that the program has registered.
    pub kind: String,
    /// Symbols of the instruments it sees and may trade.
    pub instruments: Vec<String>,
    /// The strategy core it runs on, 0–3.
    pub core: usize,
    /// How long an intent is good for after the frame it was decided on.
    pub intent_ttl: Duration,
    /// Most new orders and replaces without an answer, 1–65,536.
    pub max_in_flight: usize,
    /// Most orders in the market, 1–65,536.
    pub max_open_orders: usize,
    /// Its largest position in each of its instruments, lots; absent: the instrument's.
    pub position_max: Option<i64>,
    /// What only it understands.
    pub parameters: Parameters,
}

impl Default for StrategySpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: String::new(),
            instruments: Vec::new(),
            core: 0,
            intent_ttl: Duration::from_millis(10),
            max_in_flight: 16,
            max_open_orders: 16,
            position_max: None,
            parameters: Parameters::default(),
        }
    }
}

impl Section for StrategySpec {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.required("name", "give the strategy a name of its own", &mut self.name);
        visitor.required(
            "kind",
            "write \"market-maker\", \"imbalance-taker\" or a kind of your own",
            &mut self.kind,
        );
        visitor.required("instruments", "name the symbols it trades: [\"BTCUSDT\"]", &mut self.instruments);
        visitor.key("core", &mut self.core);
        visitor.key("intent_ttl", &mut self.intent_ttl);
        visitor.key("max_in_flight", &mut self.max_in_flight);
        visitor.key("max_open_orders", &mut self.max_open_orders);
        visitor.optional("position_max", &mut self.position_max);
        visitor.raw("parameters", &mut self.parameters);
    }
}

/// The table `[strategy.parameters]`, with the places of its keys.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    table: toml::Table,
    /// The path of the table, such as `strategy[0].parameters`.
    key: String,
    /// Where it was written; `None` for a table made by a program.
    written: Option<Written>,
}

#[derive(Clone, Debug)]
struct Written {
    source: Source,
    /// Of the table's header, or of the strategy's if the table is absent.
    header: Range<usize>,
}

impl From<toml::Table> for Parameters {
    fn from(table: toml::Table) -> Self {
        Self { table, key: "parameters".to_owned(), written: None }
    }
}

impl Parameters {
    pub(crate) fn absent(key: String, source: &Source, header: Range<usize>) -> Self {
        let written = Some(Written { source: source.clone(), header });
        Self { table: toml::Table::new(), key, written }
    }

    pub(crate) fn read(key: String, source: &Source, table: &DeTable<'_>, header: Range<usize>) -> Self {
        let value = Spanned::new(0..0, DeValue::Table(table.clone()));
        let plain = serde::Deserialize::deserialize(ValueDeserializer::from(value)).unwrap_or_default();
        Self { table: plain, key, written: Some(Written { source: source.clone(), header }) }
    }

    /// As a plain table.
    pub fn to_table(&self) -> toml::Table {
        self.table.clone()
    }

    /// Reads them into `P`. A key that `P` does not read is refused by name, whether `P` denies unknown fields or not (but not below a
    /// `#[serde(flatten)]`, which hides what was read).
    ///
    /// # Errors
    /// Every unknown key, and the first value that does not fit, each with its place.
    pub fn parse<P: DeserializeOwned>(&self) -> Result<P, ConfigError> {
        match &self.written {
            Some(written) => self.parse_from::<P>(&written.source, &written.header, true),
            None => {
                let text = toml::to_string(&self.table).unwrap_or_default();
                self.parse_from::<P>(&Source::new("parameters".into(), &text), &(0..0), false)
            }
        }
    }

    /// A problem with one of the keys, for what a strategy finds wrong with its values.
    pub fn problem(&self, key: &str, what: impl Into<String>, mend: impl Into<String>) -> Problem {
        let place = match &self.written {
            None => Source::new("parameters".into(), "").place(0),
            Some(Written { source, header }) => {
                let found = source.parse().ok().and_then(|root| {
                    let table = self.find(root.get_ref(), true)?;
                    span_of(table, std::slice::from_ref(&key))
                });
                source.place(found.unwrap_or_else(|| header.clone()).start)
            }
        };
        self.problem_at(place, key, what.into(), mend.into())
    }

    fn problem_at(&self, place: Place, key: &str, what: String, mend: String) -> Problem {
        let key = if key.is_empty() { self.key.clone() } else { format!("{}.{key}", self.key) };
        Problem { place, key, what, mend }
    }

    /// The table within its file.
    fn find<'t>(&self, root: &'t DeTable<'t>, is_file: bool) -> Option<&'t DeTable<'t>> {
        if !is_file {
            return Some(root);
        }
        let index: usize = self.key.strip_prefix("strategy[")?.split(']').next()?.parse().ok()?;
        let strategy = entry(root, "strategy")?.1.get(index)?.get_ref().as_table()?;
        entry(strategy, "parameters")?.1.as_table()
    }

    fn parse_from<P: DeserializeOwned>(
        &self,
        source: &Source,
        header: &Range<usize>,
        is_file: bool,
    ) -> Result<P, ConfigError> {
        let root = source.parse()?;
        let empty = DeTable::new();
        let table = self.find(root.get_ref(), is_file).unwrap_or(&empty);
        let known = fields_of::<P>();
        let mut problems = Vec::new();
        let mut readable = DeTable::new();
        for (key, value) in table.iter() {
            let name: &str = key.get_ref();
            if known.is_none_or(|known| known.contains(&name)) {
                readable.insert(key.clone(), value.clone());
            } else {
                let mend = did_you_mean(name, known.unwrap_or(&[]).iter().copied());
                problems.push(self.problem_at(
                    source.place(key.span().start),
                    name,
                    "unknown parameter".to_owned(),
                    mend,
                ));
            }
        }
        let mut ignored: Vec<Vec<String>> = Vec::new();
        let value = Spanned::new(header.clone(), DeValue::Table(readable));
        let parsed: Result<P, toml::de::Error> =
            serde_ignored::deserialize(ValueDeserializer::from(value), |path| ignored.push(segments(&path)));
        for path in &ignored {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let span = span_of(table, &names).unwrap_or_else(|| header.clone());
            problems.push(self.problem_at(
                source.place(span.start),
                &path.join("."),
                "unknown parameter".to_owned(),
                "remove it, or correct its name".to_owned(),
            ));
        }
        match parsed {
            Ok(parameters) => ConfigError::unless_empty(problems).map(|()| parameters),
            Err(error) => {
                let span = error.span().filter(|span| *span != (0..0)).unwrap_or_else(|| header.clone());
                let name = name_at(table, &span);
                let mend = match known {
                    Some(known) if !known.is_empty() => format!("its parameters are {}", known.join(", ")),
                    Some(_) | None => "see the strategy's own documentation".to_owned(),
                };
                problems.push(self.problem_at(
                    source.place(span.start),
                    name.as_deref().unwrap_or(""),
                    error.message().replace('\n', ", "),
                    mend,
                ));
                ConfigError::unless_empty(problems.clone())?;
                Err(ConfigError { problems })
            }
        }
    }
}

/// Reads the parameters of a strategy into its own type. See [`Parameters::parse`].
///
/// # Errors
/// Every unknown key, and the first value that does not fit, each with its place.
pub fn parameters<P: DeserializeOwned>(spec: &StrategySpec) -> Result<P, ConfigError> {
    spec.parameters.parse()
}

fn entry<'t>(table: &'t DeTable<'t>, name: &str) -> Option<(Range<usize>, &'t DeValue<'t>)> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, value)| (key.span(), value.get_ref()))
}

/// Span of the key at the end of a path.
fn span_of(table: &DeTable<'_>, path: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (span, value) = entry(table, first)?;
    if rest.is_empty() {
        return Some(span);
    }
    below(value, rest).or(Some(span))
}

fn below(value: &DeValue<'_>, path: &[&str]) -> Option<Range<usize>> {
    match value {
        DeValue::Table(table) => span_of(table, path),
        DeValue::Array(items) => {
            let (index, rest) = path.split_first()?;
            let item = items.get(index.parse::<usize>().ok()?)?;
            if rest.is_empty() { Some(item.span()) } else { below(item.get_ref(), rest) }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => None,
    }
}

/// The key whose value lies at this span.
fn name_at(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    table
        .iter()
        .find(|(key, value)| {
            key.span() == *span || (value.span().start <= span.start && span.end <= value.span().end)
        })
        .map(|(key, _)| key.get_ref().to_string())
}

fn segments(path: &serde_ignored::Path<'_>) -> Vec<String> {
    use serde_ignored::Path;
    match path {
        Path::Root => Vec::new(),
        Path::Seq { parent, index } => push(segments(parent), index.to_string()),
        Path::Map { parent, key } => push(segments(parent), key.clone()),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            segments(parent)
        }
    }
}

fn push(mut path: Vec<String>, segment: String) -> Vec<String> {
    path.push(segment);
    path
}

/// The names that a derived `Deserialize` asks for; `None` if it does not ask for a struct.
fn fields_of<P: DeserializeOwned>() -> Option<&'static [&'static str]> {
    match P::deserialize(FieldProbe) {
        Err(Probed(fields)) => fields,
        Ok(_) => None,
    }
}

/// A deserializer that holds nothing and only hears what is asked for.
struct FieldProbe;

#[derive(Debug)]
struct Probed(Option<&'static [&'static str]>);

impl std::fmt::Display for Probed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("only the names of the fields were asked for")
    }
}

impl std::error::Error for Probed {}

impl serde::de::Error for Probed {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Probed(None)
    }
}

impl<'de> Deserializer<'de> for FieldProbe {
    type Error = Probed;

    fn deserialize_any<V: SerdeVisitor<'de>>(self, _: V) -> Result<V::Value, Probed> {
        Err(Probed(None))
    }

    fn deserialize_struct<V: SerdeVisitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Probed> {
        Err(Probed(Some(fields)))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests;
