//! Sessions over sockets while something is broken on purpose: every fault of the exchange, a kill of the engine, a symbol in quarantine, a second engine. In the
//! end books, orders, positions and money are the same at both ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
#![expect(clippy::print_stdout, reason = "the table of what was survived")]
#![expect(dead_code, reason = "the support of all tests of the program; these use a part of it")]

mod support;
#[path = "metrics/exposition.rs"]
mod exposition;
#[path = "metrics/session.rs"]
mod session;
#[path = "sessions/setup.rs"]
mod setup;
#[path = "sessions/ledger.rs"]
mod ledger;
#[path = "sessions/floor.rs"]
mod floor;
#[path = "faults/books.rs"]
mod books;
#[path = "faults/matrix.rs"]
mod matrix;
#[path = "faults/quarantine.rs"]
mod quarantine;
#[path = "faults/exchange_metrics.rs"]
mod exchange_metrics;
#[path = "faults/two.rs"]
mod two;
