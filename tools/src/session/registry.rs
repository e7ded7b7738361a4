//! [`Registry`]: the kinds of strategies that a configuration can name.

use serde::de::DeserializeOwned;
use spinward_config::{ConfigError, StrategySpec};
use spinward_engine::strategy::{ImbalanceTaker, MarketMaker, Strategy};
use std::collections::BTreeMap;
use std::sync::Arc;

type Factory = Arc<dyn Fn(&StrategySpec) -> Result<Box<dyn Strategy>, ConfigError> + Send + Sync>;

/// Kinds by name.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    kinds: BTreeMap<String, Factory>,
}

impl Registry {
    pub(crate) fn with_builtin() -> Self {
        let mut registry = Self::default();
        registry.add("market-maker", MarketMaker::new);
        registry.add("imbalance-taker", ImbalanceTaker::new);
        registry
    }

    pub(crate) fn add<P, S, E>(
        &mut self,
        kind: &str,
        make: impl Fn(P) -> Result<S, E> + Send + Sync + 'static,
    ) where
        P: DeserializeOwned,
        S: Strategy + 'static,
        E: std::fmt::Display,
    {
        let factory = move |spec: &StrategySpec| {
            let parameters: P = spec.parameters.parse()?;
            match make(parameters) {
                Ok(strategy) => Ok(Box::new(strategy) as Box<dyn Strategy>),
                Err(error) => Err(ConfigError {
                    problems: vec![spec.parameters.problem(
                        "",
                        error.to_string(),
                        "see the documentation of the strategy's parameters for their ranges",
                    )],
                }),
            }
        };
        self.kinds.insert(kind.to_owned(), Arc::new(factory));
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.kinds.keys().map(String::as_str).collect()
    }

    /// Makes the strategy. The kind is known: [`spinward_config::Settings::unknown_kinds`] was asked before.
    pub(crate) fn make(&self, spec: &StrategySpec) -> Result<Box<dyn Strategy>, ConfigError> {
        match self.kinds.get(&spec.kind) {
            Some(factory) => factory(spec),
            None => Err(ConfigError {
                problems: vec![spec.parameters.problem(
                    "",
                    format!("no strategy of the kind {:?} is registered", spec.kind),
                    "register it with App::strategy, or use a kind that is",
                )],
            }),
        }
    }
}
