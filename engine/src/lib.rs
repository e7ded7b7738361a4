//! The engine: frames in, approved orders out.
//!
//! Enters: [`Frame`](words::Frame)s from the ingress ring. Leaves: [`ApprovedOrder`](risk::ApprovedOrder)s on the egress ring, and
//! copies of everything for the taps. Never: a file, a socket, a lock, an allocation after start, a clock read to decide
//! anything. Everything the engine does is a function of the frames before it.
//!
//! The modules stand in the order in which data meets them: `words` are spoken by all, `state` is how stages are written down; `normalizer`, `book`, `strategy` and `risk` are the
//! stages (plain functions that know neither rings nor threads and do not import each other's logic); `pipeline` joins them.

pub mod words;
pub mod counters;
mod memory;
pub mod state;
pub mod normalizer;
pub mod book;
pub mod strategy;
pub mod risk;
pub mod pipeline;
