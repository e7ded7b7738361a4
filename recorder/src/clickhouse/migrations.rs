//! The schema: numbered migrations (`recorder/sql`), each run once, and the comparison of what is there with what this program writes.

use super::client::{ClickHouse, ClickHouseError, quoted};
use super::columns::{LOADED_TABLES, server_columns, server_table};
use spinward_engine::words::Digest;
use std::collections::BTreeMap;

/// A step of the schema. Never changed once it was released: what comes later is another step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Migration {
    /// From 1.
    pub version: u32,
    /// What it does.
    pub name: &'static str,
    /// Its text, with `${…}` where one server and a cluster differ.
    pub template: &'static str,
}

/// Every step, in order.
pub fn migrations() -> [Migration; 2] {
    [
        Migration { version: 1, name: "tables", template: include_str!("../../sql/0001_tables.sql") },
        Migration { version: 2, name: "views", template: include_str!("../../sql/0002_views.sql") },
    ]
}

/// A step that the server has run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// Its number.
    pub version: u32,
    /// What it did.
    pub name: String,
    /// Digest of its text then.
    pub checksum: String,
}

/// Where a schema goes: one server or a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MigrationPlan {
    /// The database.
    pub database: String,
    /// Name of the cluster: its tables are replicated, one Distributed table before each.
    pub cluster: Option<String>,
}

impl MigrationPlan {
    /// The statements of a step.
    pub fn statements(&self, migration: &Migration) -> Vec<String> {
        let on_cluster =
            self.cluster.as_ref().map(|name| format!(" ON CLUSTER {}", quoted(name))).unwrap_or_default();
        let is_cluster = self.cluster.is_some();
        let engine = |name: &str, arguments: &str| match (is_cluster, arguments) {
            (true, "") => format!(
                "Replicated{name}('/clickhouse/tables/{{shard}}/{}/{{table}}', '{{replica}}')",
                self.database
            ),
            (true, arguments) => format!(
                "Replicated{name}('/clickhouse/tables/{{shard}}/{}/{{table}}', '{{replica}}', {arguments})",
                self.database
            ),
            (false, arguments) => format!("{name}({arguments})"),
        };
        let text: String = migration
            .template
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
            .map(|line| format!("{line}\n"))
            .collect();
        let text = text
            .replace("${db}", &self.database)
            .replace("${on_cluster}", &on_cluster)
            .replace("${local}", if is_cluster { "_local" } else { "" })
            .replace("${MergeTree}", &engine("MergeTree", ""))
            .replace("${AggregatingMergeTree}", &engine("AggregatingMergeTree", ""))
            .replace("${ReplacingMergeTree(loaded)}", &engine("ReplacingMergeTree", "loaded"))
            .replace(
                "${window}",
                if is_cluster {
                    "replicated_deduplication_window = 10000"
                } else {
                    "non_replicated_deduplication_window = 10000"
                },
            );
        let mut statements = Vec::new();
        for statement in text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
            statements.push(statement.to_owned());
            statements.extend(self.distributed(statement));
        }
        statements
    }

    /// The Distributed table before a local one.
    fn distributed(&self, statement: &str) -> Option<String> {
        let cluster = self.cluster.as_ref()?;
        let rest = statement.strip_prefix("CREATE TABLE IF NOT EXISTS ")?;
        let local = rest.split_whitespace().next()?;
        let name = local.strip_suffix("_local")?;
        let (database, table) = local.split_once('.')?;
        let name_only = name.rsplit_once('.')?.1;
        // By session: its rows lie together, and their tokens meet the same replicas again.
        Some(format!(
            "CREATE TABLE IF NOT EXISTS {database}.{name_only} ON CLUSTER {} AS {database}.{table} \
             ENGINE = Distributed({}, {database}, {table}, cityHash64(session))",
            quoted(cluster),
            quoted(cluster)
        ))
    }

    /// Digest of a step's text.
    pub fn checksum(&self, migration: &Migration) -> String {
        let mut digest = Digest::new();
        for statement in self.statements(migration) {
            digest.add(statement.as_bytes());
        }
        format!("{:016x}", digest.value())
    }
}

/// Steps that the server has run; none if the database is not there.
fn applied(server: &ClickHouse) -> Result<Vec<Applied>, ClickHouseError> {
    let database = server.database();
    let is_there = server.number(&format!("EXISTS TABLE {database}.schema_migrations"))?;
    if is_there == 0 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT version, name, checksum FROM {database}.schema_migrations FINAL ORDER BY version FORMAT TSV"
    );
    let answer = server.query(&sql)?;
    answer
        .lines()
        .map(|line| {
            let mut cells = line.split('\t');
            let cell = |cell: Option<&str>| cell.unwrap_or("").to_owned();
            let version = cells.next().and_then(|version| version.parse().ok());
            let wrong = || ClickHouseError::Answer { answer: line.to_owned(), query: sql.clone() };
            Ok(Applied {
                version: version.ok_or_else(wrong)?,
                name: cell(cells.next()),
                checksum: cell(cells.next()),
            })
        })
        .collect()
}

/// Runs the steps that the server has not run, and gives all that it has run now, with the number of those that are new. Steps can be run again: one
/// that broke off half way is repeated.
///
/// # Errors
/// The server's; [`ClickHouseError::Schema`] if a step was run with another text, or the server is ahead of this program.
pub fn migrate(server: &ClickHouse, plan: &MigrationPlan) -> Result<(Vec<Applied>, usize), ClickHouseError> {
    let known = migrations();
    let done = applied(server)?;
    for step in &done {
        match known.iter().find(|migration| migration.version == step.version) {
            None => {
                let what = format!(
                    "the server has migration {} ({}), newer than this program",
                    step.version, step.name
                );
                return Err(ClickHouseError::Schema { what });
            }
            Some(migration) if plan.checksum(migration) != step.checksum => {
                let what = format!(
                    "migration {} ({}) was run with another text (was it with another --cluster?)",
                    step.version, step.name
                );
                return Err(ClickHouseError::Schema { what });
            }
            Some(_) => {}
        }
    }
    let mut count = 0;
    for migration in known.iter().filter(|known| !done.iter().any(|step| step.version == known.version)) {
        for statement in plan.statements(migration) {
            server.query(&statement)?;
        }
        let database = &plan.database;
        server.query(&format!(
            "INSERT INTO {database}.schema_migrations (version, name, checksum) VALUES ({}, {}, {})",
            migration.version,
            quoted(migration.name),
            quoted(&plan.checksum(migration))
        ))?;
        count += 1;
    }
    Ok((applied(server)?, count))
}

/// The first column that is not as this program writes it; `None` if all are. To be asked before anything is written.
///
/// # Errors
/// The server's.
pub fn mismatch(server: &ClickHouse) -> Result<Option<String>, ClickHouseError> {
    let database = server.database();
    let answer = server.query(&format!(
        "SELECT table, name, type FROM system.columns WHERE database = {} ORDER BY table, position FORMAT TSVRaw",
        quoted(database)
    ))?;
    let mut found: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for line in answer.lines() {
        let mut cells = line.splitn(3, '\t');
        if let (Some(table), Some(name), Some(kind)) = (cells.next(), cells.next(), cells.next()) {
            found.entry(table).or_default().push((name, kind));
        }
    }
    for table in LOADED_TABLES {
        let name = server_table(table);
        let Some(there) = found.get(name) else {
            return Ok(Some(format!("{database}.{name} is not there")));
        };
        let wanted = server_columns(table);
        for (column, kind) in &wanted {
            match there.iter().find(|(name, _)| name == column) {
                None => return Ok(Some(format!("{database}.{name} has no column {column} ({kind})"))),
                Some((_, other)) if other != kind => {
                    return Ok(Some(format!(
                        "{database}.{name}.{column} is {other}, this program writes {kind}"
                    )));
                }
                Some(_) => {}
            }
        }
        if let Some((column, kind)) =
            there.iter().find(|(name, _)| !wanted.iter().any(|(known, _)| known == name))
        {
            return Ok(Some(format!(
                "{database}.{name} has a column {column} ({kind}) that this program does not write"
            )));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::columns::declarations;

    #[test]
    fn the_first_migration_declares_the_columns_of_the_description() {
        let [first, _] = migrations();
        for table in LOADED_TABLES {
            let declared = declarations(table);
            assert!(
                first.template.contains(&declared),
                "sql/0001_tables.sql does not declare {} as\n@@{}\n{declared}\n@@end",
                server_table(table),
                server_table(table)
            );
        }
    }

    #[test]
    fn a_cluster_has_replicated_tables_and_a_distributed_one_before_each() {
        let plan = MigrationPlan { database: "hft".to_owned(), cluster: Some("desk".to_owned()) };
        let [first, second] = migrations();
        let all: Vec<String> =
            [first, second].iter().flat_map(|migration| plan.statements(migration)).collect();
        let count = |text: &str| all.iter().filter(|statement| statement.contains(text)).count();
        // The loaded tables, the two aggregates, the list of migrations.
        assert_eq!(count("ENGINE = Distributed('desk', hft, "), LOADED_TABLES.len() + 2);
        assert_eq!(count("ENGINE = Replicated"), LOADED_TABLES.len() + 3);
        assert!(all.iter().all(|statement| !statement.contains("${")), "{all:#?}");
        assert!(all.iter().filter(|s| s.starts_with("CREATE")).all(|s| s.contains("ON CLUSTER 'desk'")));
        let one = MigrationPlan { cluster: None, ..plan };
        for statement in one.statements(&first).iter().chain(&one.statements(&second)) {
            assert!(!statement.contains("${") && !statement.contains("Replicated"), "{statement}");
        }
    }
}
