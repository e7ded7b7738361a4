//! Time that the hypervisor took from the cores while they were measured.

use crate::doctor::checks::hypervisor;
use crate::doctor::host::Host;
use serde::Serialize;

/// One core.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Stolen {
    pub(crate) core: usize,
    /// Ticks of 10 ms.
    pub(crate) stolen: u64,
    pub(crate) all: u64,
}

/// The counters now.
pub(super) fn read(host: &Host, cores: &[usize]) -> Vec<Stolen> {
    let one = |&core: &usize| {
        let (stolen, all) = hypervisor::times_of(host, core)?;
        Some(Stolen { core, stolen, all })
    };
    cores.iter().filter_map(one).collect()
}

/// What they have grown by.
pub(super) fn since(host: &Host, before: &[Stolen]) -> Vec<Stolen> {
    let cores: Vec<usize> = before.iter().map(|stolen| stolen.core).collect();
    let now = read(host, &cores);
    let pairs = before.iter().filter_map(|old| Some((old, now.iter().find(|new| new.core == old.core)?)));
    pairs
        .map(|(old, new)| Stolen {
            core: old.core,
            stolen: new.stolen.saturating_sub(old.stolen),
            all: new.all.saturating_sub(old.all),
        })
        .collect()
}
