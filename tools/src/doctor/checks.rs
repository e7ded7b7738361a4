//! The checks by reading, one file a subject.

pub(super) mod clock;
pub(super) mod cores;
pub(super) mod hypervisor;
pub(super) mod interrupts;
pub(super) mod journal;
pub(super) mod kernel;
pub(super) mod memory;
pub(super) mod network;
pub(super) mod numa;
pub(super) mod power;
pub(super) mod tenants;

/// The first few of many, for a line of text.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
