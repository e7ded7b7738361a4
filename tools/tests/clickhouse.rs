//! `spinward clickhouse`, against a real server: `CLICKHOUSE_URL`, or the one that `tools/setup/clickhouse` fetches.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a failed one is a failed test")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]
#![expect(dead_code, reason = "the support of all tests of the program; these use a part of it")]

mod support;
#[path = "sessions/setup.rs"]
mod setup;
#[path = "book_command/expected.rs"]
mod expected;
#[path = "clickhouse/server.rs"]
mod server;
#[path = "clickhouse/loading.rs"]
mod loading;
#[path = "clickhouse/captures.rs"]
mod captures;
#[path = "clickhouse/queries.rs"]
mod queries;
#[path = "clickhouse/following.rs"]
mod following;
#[path = "clickhouse/live.rs"]
mod live;
#[path = "clickhouse/parquet.rs"]
mod parquet;
