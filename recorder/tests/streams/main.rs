//! Streams on disk, seen from outside: written, read, damaged, killed, followed.

mod common;
mod round_trip;
