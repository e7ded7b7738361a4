//! [`App`]: the whole program, with your own strategies registered.

use crate::cli::{self, Cli, Command};
use crate::session::registry::Registry;
use clap::Parser;
use serde::de::DeserializeOwned;
use spinward_engine::strategy::Strategy;
use std::process::ExitCode;
use std::sync::Arc;

/// The `spinward` program. Register your strategies, then run it: every command of the binary is there, and your kinds can be named in the
/// configuration.
///
/// ```no_run
/// # use serde::Deserialize;
/// # use spinward::strategy::Strategy;
/// # #[derive(Deserialize)] struct MyParameters {}
/// # struct Mine;
/// # impl Strategy for Mine {}
/// fn main() -> std::process::ExitCode {
///     spinward::App::new()
///         .strategy("mine", |_parameters: MyParameters| Ok::<_, std::convert::Infallible>(Mine))
///         .main()
/// }
/// ```
#[derive(Default)]
pub struct App {
    registry: Registry,
}

impl App {
    /// With the strategies that come along: `market-maker` and `imbalance-taker`.
    pub fn new() -> Self {
        Self { registry: Registry::with_builtin() }
    }

    /// Registers a kind of strategy. `make` gets the parameters of the configuration, typed; keys that `P` does not have are refused by
    /// name, and an error of `make` is shown with the place of the parameters.
    #[must_use]
    pub fn strategy<P, S, E>(
        mut self,
        kind: &str,
        make: impl Fn(P) -> Result<S, E> + Send + Sync + 'static,
    ) -> Self
    where
        P: DeserializeOwned,
        S: Strategy + 'static,
        E: std::fmt::Display,
    {
        self.registry.add(kind, make);
        self
    }

    /// Reads the command line, does what it says, and gives the exit code: 0 good, 1 the check failed, 2 bad usage or configuration.
    pub fn main(self) -> ExitCode {
        // clap prints usage errors itself and ends with code 2.
        let cli = Cli::parse();
        // Shared with the thread that takes snapshots.
        let registry = Arc::new(self.registry);
        let outcome = match cli.command {
            Command::Run(args) => cli::run::run(&registry, &args),
            Command::Replay(args) => cli::replay::run(&registry, &args),
            Command::Explain(args) => cli::explain::run(&args),
            Command::Slowest(args) => cli::slowest::run(&args),
            Command::Journal(command) => cli::journal::run(&registry, &command),
            Command::Export(args) => cli::export::run(&registry, &args),
            Command::ClickHouse(command) => cli::clickhouse::run(&registry, &command),
            Command::Book(args) => cli::book::run(&args),
            Command::Exchange(args) => cli::exchange::run(&args),
            Command::Config(command) => cli::config::run(&registry, &command),
            Command::Control(args) => cli::control::run(&args),
            Command::Doctor(args) => cli::doctor::run(&args),
            Command::Bench(command) => cli::bench::run(&command),
        };
        match outcome {
            Ok(code) => code,
            Err(failure) => {
                eprintln!("{failure}");
                failure.code()
            }
        }
    }
}
