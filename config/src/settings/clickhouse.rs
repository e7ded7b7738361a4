//! `[clickhouse]`: the server that a session's rows are written to while it runs.

use crate::field::Field;
use crate::problem::Wrong;
use crate::visit::{Section, Visitor};
use spinward_recorder::{ClickHouse, LOAD_BLOCK_ROWS};
use std::path::PathBuf;
use std::time::Duration;
use toml::Value;
use toml::de::DeValue;

/// URL of a ClickHouse server without a login, or off.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServerUrl(pub Option<String>);

impl ServerUrl {
    /// As a configuration may have it: a manifest shows it to everybody.
    pub(crate) fn from_text(text: &str) -> Result<Self, Wrong> {
        if text == "off" {
            return Ok(Self(None));
        }
        if text.contains('@') {
            return Err(Wrong::new(
                "the URL holds a login, and the manifest of each session would show it",
                "give user, and password_file or password_env",
            ));
        }
        match ClickHouse::new(text, "any") {
            Ok(_) => Ok(Self(Some(text.to_owned()))),
            Err(error) => Err(Wrong::new(error.to_string(), "write \"http://HOST:8123\", or \"off\"")),
        }
    }
}

impl Field for ServerUrl {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        Self::from_text(&String::parse(value)?)
    }
    fn write(&self) -> Value {
        Value::String(self.0.clone().unwrap_or_else(|| "off".to_owned()))
    }
}

/// `[clickhouse]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClickHouseSettings {
    /// The server's HTTP interface.
    pub url: ServerUrl,
    /// The database.
    pub database: String,
    /// Name of the login.
    pub user: String,
    /// The file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// The environment variable that is the password.
    pub password_env: Option<String>,
    /// Rows of an insert, about.
    pub batch_rows: usize,
    /// Longest that rows wait for their insert to fill.
    pub batch_time: Duration,
    /// How long the end of the session waits for the server to have all of it.
    pub catch_up: Duration,
}

impl Default for ClickHouseSettings {
    fn default() -> Self {
        Self {
            url: ServerUrl(None),
            database: "hft".to_owned(),
            user: "default".to_owned(),
            password_file: None,
            password_env: None,
            batch_rows: LOAD_BLOCK_ROWS,
            batch_time: Duration::from_secs(1),
            catch_up: Duration::from_secs(30),
        }
    }
}

impl Section for ClickHouseSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("url", &mut self.url);
        visitor.key("database", &mut self.database);
        visitor.key("user", &mut self.user);
        visitor.optional("password_file", &mut self.password_file);
        visitor.optional("password_env", &mut self.password_env);
        visitor.key("batch_rows", &mut self.batch_rows);
        visitor.key("batch_time", &mut self.batch_time);
        visitor.key("catch_up", &mut self.catch_up);
    }
}
