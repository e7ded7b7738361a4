//! When does a diff follow? The venue's rules for one symbol, without bytes.
//!
//! Spot (“How to manage a local order book correctly”): drop a diff whose `u` ≤ the snapshot's `lastUpdateId`; the first one applied
//! has `U` ≤ `lastUpdateId` + 1 ≤ `u`, each later one `U` ≤ last `u` + 1. Futures: drop a diff whose `u` < `lastUpdateId`; the first
//! one applied has `U` ≤ `lastUpdateId` ≤ `u`, each later one `pu` = last `u`.
//!
//! Futures ids are shared by all symbols, so a snapshot may be taken between two diffs of a symbol (`pu` ≤ `lastUpdateId` < `U`).
//! The venue's text has no case for it; nothing is missing then, and the diff is applied.

/// The update ids of one diff.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DiffIds {
    /// `U`.
    pub(super) first: u64,
    /// `u`, not below `U`.
    pub(super) last: u64,
    /// `pu`, on futures.
    pub(super) previous: Option<u64>,
}

/// How far the book of a symbol is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Position {
    /// Update id of the last diff applied, or of the snapshot.
    pub(super) last: u64,
    /// Nothing was applied since the snapshot.
    pub(super) is_snapshot: bool,
}

/// What a diff is to a book.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// The next one.
    Apply,
    /// Already contained.
    Old,
    /// Something between is missing.
    Gap {
        /// The id that would have followed (`U` on spot, `pu` on futures).
        expected: u64,
        /// The id that stands there.
        found: u64,
    },
}

/// Judges a diff.
#[inline]
pub(super) fn judge(position: Position, diff: DiffIds) -> Verdict {
    let Position { last, is_snapshot } = position;
    match diff.previous {
        None if diff.last <= last => Verdict::Old,
        None if diff.first <= last.saturating_add(1) => Verdict::Apply,
        None => Verdict::Gap { expected: last.saturating_add(1), found: diff.first },
        Some(_) if is_snapshot && diff.last < last => Verdict::Old,
        Some(previous) if is_snapshot && (diff.first <= last || previous <= last) => Verdict::Apply,
        Some(previous) if previous == last => Verdict::Apply,
        Some(_) if diff.last <= last => Verdict::Old,
        Some(previous) => Verdict::Gap { expected: last, found: previous },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOT: Position = Position { last: 100, is_snapshot: true };
    const RUNNING: Position = Position { last: 100, is_snapshot: false };

    fn spot(first: u64, last: u64) -> DiffIds {
        DiffIds { first, last, previous: None }
    }

    fn futures(first: u64, last: u64, previous: u64) -> DiffIds {
        DiffIds { first, last, previous: Some(previous) }
    }

    #[test]
    fn spot_follows_by_plus_one() {
        for position in [SNAPSHOT, RUNNING] {
            assert_eq!(judge(position, spot(90, 100)), Verdict::Old);
            assert_eq!(judge(position, spot(90, 101)), Verdict::Apply);
            assert_eq!(judge(position, spot(101, 101)), Verdict::Apply);
            assert_eq!(judge(position, spot(102, 110)), Verdict::Gap { expected: 101, found: 102 });
        }
    }

    #[test]
    fn the_first_futures_diff_straddles_the_snapshot() {
        assert_eq!(judge(SNAPSHOT, futures(90, 99, 89)), Verdict::Old);
        assert_eq!(judge(SNAPSHOT, futures(90, 100, 89)), Verdict::Apply, "u = lastUpdateId is not dropped");
        assert_eq!(judge(SNAPSHOT, futures(95, 120, 93)), Verdict::Apply);
        assert_eq!(
            judge(SNAPSHOT, futures(105, 120, 98)),
            Verdict::Apply,
            "the snapshot lies between two diffs"
        );
        assert_eq!(judge(SNAPSHOT, futures(105, 120, 103)), Verdict::Gap { expected: 100, found: 103 });
    }

    #[test]
    fn later_futures_diffs_follow_by_pu() {
        assert_eq!(judge(RUNNING, futures(105, 120, 100)), Verdict::Apply);
        assert_eq!(judge(RUNNING, futures(80, 100, 79)), Verdict::Old);
        assert_eq!(judge(RUNNING, futures(95, 120, 93)), Verdict::Gap { expected: 100, found: 93 });
        assert_eq!(judge(RUNNING, futures(105, 120, 103)), Verdict::Gap { expected: 100, found: 103 });
    }
}
