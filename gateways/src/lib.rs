//! Feeds and venues: bytes in, messages and events out; orders in, reports out.
//!
//! Codecs and state machines are sans-I/O; files and sockets are opened in modules that say so. Never: the recorder, a decision about trading.

mod changes;
mod order_index;
pub mod feed;
pub mod notice;
pub mod file;
pub mod pcap;
pub mod soup;
pub mod mold;
pub mod itch50;
pub mod ouch50;
pub mod ouch;
pub mod binance;
pub mod exchange;
pub mod synthetic;
pub mod paper;
pub mod simulation;
pub mod live;
pub mod operator;
#[cfg(test)]
mod conformance;
