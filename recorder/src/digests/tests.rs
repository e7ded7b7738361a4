use super::*;
use bytemuck::Zeroable;
use proptest::prelude::*;
use spinward_engine::words::{InstrumentId, Level, Price, Qty};

fn view(bids: &[Level], asks: &[Level], stale: Level) -> BookView {
    let mut view = BookView { bids: [stale; 10], asks: [stale; 10], ..BookView::vacant() };
    (view.instrument, view.levels) = (InstrumentId::new(3), 10);
    (view.bid_count, view.ask_count) = (bids.len() as u32, asks.len() as u32);
    for (to, from) in view.bids.iter_mut().zip(bids) {
        *to = *from;
    }
    for (to, from) in view.asks.iter_mut().zip(asks) {
        *to = *from;
    }
    view
}

fn level(number: i64) -> Level {
    Level { price: Price::from_nanos(number), qty: Qty::from_lots(number + 1), orders: number as u64 }
}

fn digest_of(view: &BookView) -> DigestValue {
    let mut digests = StageDigests::new();
    digests.add_view(view);
    digests.snapshot().views
}

proptest! {
    #[test]
    fn stale_levels_behind_the_counts_do_not_change_the_digest_and_levels_in_use_do(
        bids in 0usize..=10, asks in 0usize..=10, stale in any::<i64>(), which in any::<prop::sample::Index>(), bit in 0u32..64
    ) {
        let bids: Vec<Level> = (0..bids as i64).map(level).collect();
        let asks: Vec<Level> = (100..100 + asks as i64).map(level).collect();
        let clean = view(&bids, &asks, Level::zeroed());
        let stale = Level { price: Price::from_nanos(stale), qty: Qty::from_lots(stale), orders: 9 };
        prop_assert_eq!(digest_of(&clean), digest_of(&view(&bids, &asks, stale)));
        prop_assert_eq!(digest_of(&clean).records, 1);
        if bids.len() + asks.len() > 0 {
            let (mut other_bids, mut other_asks) = (bids.clone(), asks.clone());
            let index = which.index(bids.len() + asks.len());
            match other_bids.get_mut(index) {
                Some(level) => level.orders ^= 1 << bit,
                None => other_asks[index - bids.len()].orders ^= 1 << bit,
            }
            prop_assert_ne!(digest_of(&clean), digest_of(&view(&other_bids, &other_asks, Level::zeroed())));
        }
    }
}

#[test]
fn every_bit_of_a_views_head_counts() {
    let base = view(&[level(1)], &[level(2)], Level::zeroed());
    for bit in 0..VIEW_HEAD_BYTES * 8 {
        let mut bytes = bytemuck::bytes_of(&base).to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped: BookView = bytemuck::pod_read_unaligned(&bytes);
        assert_ne!(digest_of(&base), digest_of(&flipped), "bit {bit}");
    }
}

#[test]
fn moving_a_level_from_the_bids_to_the_asks_changes_the_digest() {
    let (one, two) = (level(1), level(2));
    assert_ne!(
        digest_of(&view(&[one, two], &[], Level::zeroed())),
        digest_of(&view(&[one], &[two], Level::zeroed()))
    );
}

fn checkpoints(frames: &[u64], change: impl Fn(u64, &mut StageDigests)) -> Vec<Checkpoint> {
    let mut digests = StageDigests::new();
    let mut list = Vec::new();
    for frame in 1..=*frames.last().unwrap() {
        digests.add_event(&Event { frame, ..Event::default() });
        digests.add_intent(&Intent::default());
        change(frame, &mut digests);
        if frames.contains(&frame) {
            list.push(Checkpoint { frame, digests: digests.snapshot() });
        }
    }
    list
}

#[test]
fn the_first_stage_that_differs_is_named_with_the_frames_round_it() {
    let same = checkpoints(&[10, 20, 30], |_, _| ());
    assert_eq!(compare(&same, &same), Comparison::Equal { checkpoints: 3, last_frame: 30 });
    let other = checkpoints(&[10, 20, 30], |frame, digests| {
        if frame == 15 {
            digests.add_verdict(&Verdict::default());
            digests.add_view(&BookView::vacant());
        }
    });
    let Comparison::Diverged(divergence) = compare(&same, &other) else { panic!("not seen") };
    assert_eq!((divergence.after_frame, divergence.frame, divergence.stage), (10, 20, Stage::Views));
    assert_eq!((divergence.left.records, divergence.right.records), (0, 1));
}

#[test]
fn lists_that_prove_nothing_are_not_equal() {
    let same = checkpoints(&[10, 20, 30], |_, _| ());
    assert_eq!(compare(&[], &[]), Comparison::NothingInCommon);
    assert_eq!(compare(&same, &[]), Comparison::NothingInCommon);
    assert_eq!(compare(&same, &checkpoints(&[15, 25], |_, _| ())), Comparison::NothingInCommon);
    assert_eq!(
        compare(&same, &same[..2]),
        Comparison::Incomplete { checkpoints: 2, frame: 30, is_missing_left: false }
    );
    assert_eq!(
        compare(&same[1..], &same),
        Comparison::Incomplete { checkpoints: 2, frame: 10, is_missing_left: true }
    );
}
