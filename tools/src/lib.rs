//! `spinward`: the binary, and the [`App`] that users run their own strategies with.
//!
//! Enters: the command line and configuration files. Leaves: sessions on disk, reports on the terminal. Everything is wired here and decided
//! elsewhere.

mod app;
mod attribution;
mod cli;
mod doctor;
mod failure;
mod host;
mod metrics;
mod session;

pub use app::App;

/// What a strategy is written with.
pub mod strategy {
    pub use spinward_engine::state::{StateError, StateReader, StateWriter};
    pub use spinward_engine::strategy::*;
    pub use spinward_engine::words::*;
}
