//! Streams on disk, seen from outside: written, read, damaged, killed, followed.

#[cfg(test)]
mod common;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod chain;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod compact;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod disk_full;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod orders;
