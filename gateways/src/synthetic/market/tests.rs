use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What a test does to both books.
#[derive(Clone, Debug)]
enum Step {
    Add { side: Side, tick: u32, shares: u32 },
    Take { side: Side, shares: u32 },
    Near { side: Side, level: u32, younger: u32 },
    Anywhere { side: Side, offset: u32 },
    Recenter,
}

fn step() -> impl Strategy<Value = Step> {
    let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    prop_oneof![
        4 => (side(), 400..640u32, 1..300u32).prop_map(|(side, tick, shares)| Step::Add { side, tick, shares }),
        1 => (side(), 1..300u32).prop_map(|(side, shares)| Step::Take { side, shares }),
        1 => (side(), 0..6u32, 0..3u32).prop_map(|(side, level, younger)| Step::Near { side, level, younger }),
        1 => (side(), 0..128u32).prop_map(|(side, offset)| Step::Anywhere { side, offset }),
        1 => Just(Step::Recenter),
    ]
}

type Levels = BTreeMap<u32, VecDeque<u64>>;

/// Levels from the best to the worst.
fn from_best(levels: &Levels, side: Side) -> Vec<u32> {
    match side {
        Side::Buy => levels.keys().rev().copied().collect(),
        Side::Sell => levels.keys().copied().collect(),
    }
}

proptest! {
    #[test]
    fn a_book_of_bits_and_lists_does_what_a_book_of_trees_does(steps in proptest::collection::vec(step(), 1..300)) {
        const POOL: usize = 60;
        // The other symbol's queues lie beside; nothing may spill.
        let mut market = Market::new(&[500, 520], POOL);
        let symbol = 1;
        let mut levels = [Levels::new(), Levels::new()];
        let mut shares_of: HashMap<u64, (Side, u32, u32)> = HashMap::new();
        let mut last_reference = 0;
        let remove = |levels: &mut [Levels; 2], shares_of: &mut HashMap<u64, (Side, u32, u32)>, reference: u64| {
            let (side, tick, _) = shares_of.remove(&reference).unwrap();
            let queue = levels[lane(side)].get_mut(&tick).unwrap();
            queue.retain(|&r| r != reference);
            if queue.is_empty() {
                levels[lane(side)].remove(&tick);
            }
        };
        for step in steps {
            match step {
                Step::Add { side, tick, shares } => {
                    let (low, high) = market.window(symbol);
                    let other = from_best(&levels[lane(side.opposite())], side.opposite()).first().copied();
                    let crosses = other.is_some_and(|o| if side == Side::Buy { tick >= o } else { tick <= o });
                    let allowed = !crosses && (low..=high).contains(&tick) && shares_of.len() < POOL;
                    let added = market.add(symbol, side, tick, shares, last_reference + 1);
                    prop_assert_eq!(added.is_some(), allowed);
                    if allowed {
                        last_reference += 1;
                        levels[lane(side)].entry(tick).or_default().push_back(last_reference);
                        shares_of.insert(last_reference, (side, tick, shares));
                    }
                }
                Step::Take { side, shares } => {
                    let expected = from_best(&levels[lane(side)], side).first().map(|t| levels[lane(side)][t][0]);
                    let first = market.first(symbol, side);
                    prop_assert_eq!(first.map(|slot| market.order(slot).reference), expected);
                    if let (Some(slot), Some(reference)) = (first, expected) {
                        let left = shares_of[&reference].2;
                        prop_assert_eq!(market.order(slot).shares, left);
                        prop_assert_eq!(market.reduce(slot, shares), left.min(shares));
                        if shares >= left {
                            remove(&mut levels, &mut shares_of, reference);
                        } else {
                            shares_of.get_mut(&reference).unwrap().2 -= shares;
                        }
                    }
                }
                Step::Near { side, level, younger } => {
                    let ticks = from_best(&levels[lane(side)], side);
                    let expected = ticks.get(level as usize).or(ticks.last()).map(|tick| {
                        let queue = &levels[lane(side)][tick];
                        queue[queue.len().saturating_sub(1 + younger as usize)]
                    });
                    let slot = market.near_top(symbol, side, level, younger);
                    prop_assert_eq!(slot.map(|s| market.order(s).reference), expected);
                    if let (Some(slot), Some(reference)) = (slot, expected) {
                        market.remove(slot);
                        remove(&mut levels, &mut shares_of, reference);
                    }
                }
                Step::Anywhere { side, offset } => {
                    let (low, _) = market.window(symbol);
                    let map = &levels[lane(side)];
                    let at = map.range(low + offset..).next().or(map.iter().next());
                    let expected = at.map(|(_, queue)| queue[queue.len() - 1]);
                    let slot = market.anywhere(symbol, side, offset);
                    prop_assert_eq!(slot.map(|s| market.order(s).reference), expected);
                    if let (Some(slot), Some(reference)) = (slot, expected) {
                        market.remove(slot);
                        remove(&mut levels, &mut shares_of, reference);
                    }
                }
                Step::Recenter => {
                    if let Some(slot) = market.recenter(symbol) {
                        let order = *market.order(slot);
                        let (low, high) = market.window(symbol);
                        prop_assert_eq!(order.tick, if order.side == Side::Buy { low } else { high });
                        market.remove(slot);
                        remove(&mut levels, &mut shares_of, order.reference);
                    }
                }
            }
            for side in [Side::Buy, Side::Sell] {
                let best = from_best(&levels[lane(side)], side).first().copied();
                prop_assert_eq!(market.best(symbol, side), best);
                let count: usize = levels[lane(side)].values().map(VecDeque::len).sum();
                prop_assert_eq!(market.count(symbol, side) as usize, count);
                prop_assert_eq!(market.best(0, side), None);
            }
        }
    }
}
