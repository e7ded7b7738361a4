//! Tests of the risk stage, each file one concern.

mod desk;
mod venue;
mod fire_drill;
mod states;
mod halting;
mod filling;
mod recovering;
mod sizes;
mod ledger;
mod against_naive;
