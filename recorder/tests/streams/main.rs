//! Streams on disk, seen from outside: written, read, damaged, killed, followed.

#[cfg(test)]
mod common;
mod round_trip;
mod golden;
mod damage;
mod kill;
mod disk_full;
mod follow;
mod audit;
