//! How far each event of a burst gets before the next one is begun.

use crate::*;

/// Looks at the tap before it counts as not coming.
const LOOKS_MAX: u64 = 5_000_000;

/// Notes how far the tap was when a trade came.
struct Witness {
    tapped: Arc<AtomicU64>,
    /// How many trades are released together at most.
    batch: u64,
    /// Whether to look until all trades of the batches before have reached the tap (and how often at most), or once.
    looks_max: u64,
    /// For each trade: how many slots the tap had seen.
    notes: Vec<u64>,
    out: SyncSender<Vec<u64>>,
}

impl Strategy for Witness {
    fn on_trade(&mut self, _: &mut Context<'_>, _: &Trade) {
        let before = self.notes.len() as u64;
        let mut tapped = self.tapped.load(Ordering::SeqCst);
        for _ in 1..self.looks_max {
            if tapped + self.batch > before {
                break;
            }
            std::thread::yield_now();
            tapped = self.tapped.load(Ordering::SeqCst);
        }
        self.notes.push(tapped);
        if self.notes.len() == 64 {
            self.out.send(std::mem::take(&mut self.notes)).unwrap();
        }
    }
}

struct Tapped(Arc<AtomicU64>);

impl SlotSink for Tapped {
    fn slot(&mut self, _: &SlotView<'_>) -> SinkAnswer {
        self.0.fetch_add(1, Ordering::SeqCst);
        SinkAnswer::Kept
    }
}

/// Where the tap was at each of 64 trades that come as one burst.
fn burst_of_64(topology: &Topology, burst: usize, looks_max: u64, bytes: Vec<u8>, count: u64) -> Vec<u64> {
    tapped_of_64(&PipelineConfig { burst, ..small() }, topology, looks_max, bytes, count)
}

fn tapped_of_64(
    config: &PipelineConfig,
    topology: &Topology,
    looks_max: u64,
    bytes: Vec<u8>,
    count: u64,
) -> Vec<u64> {
    let (driver, _) = Repeat::new(bytes, count);
    let (out, notes) = sync_channel(1);
    let tapped = Arc::<AtomicU64>::default();
    let witness = Witness {
        tapped: Arc::clone(&tapped),
        batch: config.burst as u64,
        looks_max,
        notes: Vec::new(),
        out,
    };
    let pipeline = Pipeline::start(
        config,
        topology,
        &host(),
        &Clock::new(),
        stages(vec![Box::new(witness)]),
        driver,
        None,
        NoJournal,
        Tapped(tapped),
    )
    .unwrap();
    assert!(pipeline.join().is_some());
    notes.recv().unwrap()
}

#[test]
fn on_one_core_each_event_is_through_before_the_next_one_is_begun() {
    // All on one thread, so the counts are the same at every run.
    let topology = topologies(1).remove(0);
    let one_by_one: Vec<u64> = (0..64).collect();
    for burst in [1, 4, BATCH_MAX] {
        assert_eq!(burst_of_64(&topology, burst, 1, vec![1], 64), one_by_one, "64 messages, {burst} a turn");
        assert_eq!(burst_of_64(&topology, burst, 1, vec![1; 64], 1), one_by_one, "a message of 64 events");
    }
}

#[test]
fn through_the_ring_a_turn_is_a_bounded_batch_whatever_the_burst() {
    let topology = topologies(1).remove(0);
    // A stage that may stall gets its events through the ring on one thread, too; this one never does.
    let stall = Some(Stall { role: Role::Book, length: Nanos::new(1), every: u64::MAX });
    for (burst, bytes, count) in
        [(1, vec![1; 64], 1), (4, vec![1; 64], 1), (BATCH_MAX, vec![1; 64], 1), (4, vec![1], 64)]
    {
        let batches: Vec<u64> = (0..64).map(|event| event - event % burst as u64).collect();
        let config = PipelineConfig { burst, stall, ..small() };
        assert_eq!(tapped_of_64(&config, &topology, 1, bytes, count), batches, "{burst} a turn");
    }
}

#[test]
fn a_stage_releases_each_batch_of_a_burst_at_once_and_not_at_the_end_of_the_burst() {
    // Each trade is held by the strategy until those of the batches before it have gone through risk and tap on other threads: they are only
    // let through if they were released although the strategy is still busy with its burst.
    for topology in topologies(1).into_iter().filter(|topology| topology.name == "split") {
        let notes = burst_of_64(&topology, 1, LOOKS_MAX, vec![1; 64], 1);
        assert_eq!(notes, (0..64).collect::<Vec<u64>>(), "{topology:?}");
        let notes = burst_of_64(&topology, 4, LOOKS_MAX, vec![1; 64], 1);
        for (event, tapped) in (0_u64..).zip(notes) {
            assert!(
                tapped + 4 > event && tapped <= event,
                "event {event} came when {tapped} were through, {topology:?}"
            );
        }
    }
}
