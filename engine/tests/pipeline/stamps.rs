//! Stamps follow each other in every topology.

use crate::*;

/// Counts the slots with and without something sent, and those whose stamps do not follow each other.
#[derive(Default)]
struct Order {
    with: u64,
    without: u64,
    wrong: u64,
}

struct InOrder(Order, SyncSender<Order>);

impl SlotSink for InOrder {
    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer {
        let (head, risk) = (slot.head(), slot.risk());
        let (entered, taken, done) = (head.frame_stamp, head.stamp.start, risk.stamp.done);
        let is_sent_right = if risk.batch.verdicts().is_empty() {
            self.0.without += 1;
            risk.sent == 0
        } else {
            self.0.with += 1;
            (taken..=done).contains(&risk.sent)
        };
        let is_right = 0 < entered && entered <= taken && taken <= done && is_sent_right;
        self.0.wrong += u64::from(!is_right);
        SinkAnswer::Kept
    }

    fn finish(&mut self) {
        self.1.send(std::mem::take(&mut self.0)).unwrap();
    }
}

#[test]
fn a_frame_is_taken_after_it_entered_and_its_order_stamped_before_risk_is_done() {
    for stamps in [StampMode::All, StampMode::Ends] {
        for topology in topologies(1) {
            let (driver, _) = Repeat::new(vec![1], 5_000);
            let (out, order) = sync_channel(1);
            let stages = stages(vec![Box::new(Buyer)]);
            let pipeline = Pipeline::start(
                &PipelineConfig { stamps, ..small() },
                &topology,
                &host(),
                &Clock::new(),
                stages,
                driver,
                None,
                NoJournal,
                InOrder(Order::default(), out),
            )
            .unwrap();
            assert!(pipeline.join().is_some());
            let order = order.recv().unwrap();
            assert_eq!(order.wrong, 0, "{stamps:?} {topology:?}");
            assert!(order.with > 0 && order.without > 0, "both must come up");
        }
    }
}
