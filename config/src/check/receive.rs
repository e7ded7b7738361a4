//! `[feed.receive]`.

use super::Checker;
use crate::settings::{FeedKind, ReceiveBy};
use spinward_engine::pipeline::HostCores;
use std::time::Duration;

impl Checker<'_> {
    pub(super) fn receive(&mut self) {
        let receive = &self.settings.feed.receive;
        self.in_range("feed.receive.buffer_bytes", receive.buffer_bytes.0, 4 << 10..=1 << 30);
        let is_whole = receive.busy_poll.subsec_nanos().is_multiple_of(1_000);
        if receive.busy_poll > Duration::from_millis(10) || !is_whole {
            let what = format!("{:?} is not a whole number of microseconds up to 10ms", receive.busy_poll);
            self.refuse("feed.receive.busy_poll", what, "give \"50us\", or \"0us\" to leave it off");
        }
        if receive.by == ReceiveBy::Sequencer && receive.core.is_some() {
            let what = "the sequencer reads the sockets, on its own core";
            self.refuse("feed.receive.core", what, "remove it, or set by = \"thread\"");
        }
    }

    /// The thread beside those of the topology, if there is one.
    pub(super) fn receive_host(&mut self, host: &HostCores) {
        let settings = self.settings;
        let receive = &settings.feed.receive;
        if settings.feed.kind != FeedKind::Mold || receive.by == ReceiveBy::Sequencer {
            return;
        }
        if let Some(core) = receive.core.filter(|core| !host.allowed.contains(core)) {
            return self.no_such_core("feed.receive.core", core, &host.allowed);
        }
        let topology = settings.topology_of(host);
        let spinning: Vec<_> = topology.cores.iter().filter(|spec| spec.idle.is_spinning()).collect();
        if !receive.idle.is_spinning() {
            return;
        }
        let mend = "set feed.receive.idle to \"yield\" or \"park\", or by = \"sequencer\"";
        if let Some(core) = receive.core.filter(|core| spinning.iter().any(|spec| spec.core == Some(*core))) {
            let what = format!("a spinning thread of the pipeline is pinned to core {core} already");
            self.refuse("feed.receive.core", what, mend);
        } else if spinning.len() + 1 > host.allowed.len() {
            let what = format!(
                "{} spinning threads for {} core(s): they would stop each other for milliseconds",
                spinning.len() + 1,
                host.allowed.len()
            );
            self.refuse("feed.receive.idle", what, mend);
        }
    }
}
