//! Which symbols a range of market data was about: a question to the snapshot server, and its answer. GLIMPSE has no such thing; a server that does not know the
//! question leaves it unanswered, and who asked takes every symbol as concerned.
//!
//! Both are payloads of unsequenced packets of SoupBinTCP, numbers big-endian:
//!
//! ```text
//! question   'C'  first: u64  next: u64                              messages first to next − 1
//! answer     'C'  first: u64  next: u64  kind: u8  count: u16  count × locate: u16
//!            kind 'M': more answers follow   'L': the last one   'A': any symbol, as not all of these messages are kept
//! ```

/// First byte of question and answer.
const CHANGES: u8 = b'C';

/// Bytes of a question.
pub(crate) const QUESTION_BYTES: usize = 17;

/// Locates of one answer.
const LOCATES_MAX: usize = 400;

/// Bytes of an answer before its locates.
const HEAD_BYTES: usize = 20;

/// A set of stock locates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Locates(Box<[u64; 1_024]>);

impl Locates {
    /// None.
    pub(crate) fn new() -> Self {
        Self(Box::new([0; 1_024]))
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(0);
    }

    pub(crate) fn insert(&mut self, locate: u16) {
        // in bounds: 65,536 / 64 words
        self.0[usize::from(locate) / 64] |= 1 << (locate % 64);
    }

    #[inline]
    pub(crate) fn has(&self, locate: u16) -> bool {
        self.0[usize::from(locate) / 64] & 1 << (locate % 64) != 0
    }

    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.0.copy_from_slice(&other.0[..]);
    }

    /// The first one from `from` on.
    pub(crate) fn next(&self, from: u32) -> Option<u16> {
        let words = self.0.iter().enumerate().skip(from as usize / 64);
        words.into_iter().find_map(|(index, word)| {
            // In the first word only what is not below `from`.
            let skipped = (from as usize).saturating_sub(index * 64);
            let word = if skipped < 64 { word >> skipped << skipped } else { 0 };
            // Below 2^16: 1,024 words.
            (word != 0).then(|| (index * 64) as u16 + word.trailing_zeros() as u16)
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> {
        let after = |locate: &u16| self.next(u32::from(*locate) + 1);
        std::iter::successors(self.next(0), after)
    }
}

/// The question about messages `first` to `next` − 1.
pub(crate) fn question(first: u64, next: u64) -> [u8; QUESTION_BYTES] {
    let mut bytes = [CHANGES; QUESTION_BYTES];
    let (_, numbers) = bytes.split_at_mut(1);
    let (a, b) = numbers.split_at_mut(8);
    a.copy_from_slice(&first.to_be_bytes());
    b.copy_from_slice(&next.to_be_bytes());
    bytes
}

fn range(bytes: &[u8]) -> Option<(u64, u64)> {
    let (kind, numbers) = bytes.split_first()?;
    let (first, rest) = numbers.split_first_chunk::<8>()?;
    let next = rest.first_chunk::<8>()?;
    (*kind == CHANGES).then_some((u64::from_be_bytes(*first), u64::from_be_bytes(*next)))
}

/// Reads a question.
pub(crate) fn asked(bytes: &[u8]) -> Option<(u64, u64)> {
    (bytes.len() == QUESTION_BYTES).then(|| range(bytes)).flatten()
}

/// Gives the answers to a question, one after the other. `changed`: its symbols, `None` if nobody knows.
pub(crate) fn answer(first: u64, next: u64, changed: Option<&Locates>, out: &mut impl FnMut(&[u8])) {
    let mut one = |kind: u8, locates: &[u16]| {
        let mut bytes = [0; HEAD_BYTES + 2 * LOCATES_MAX];
        let (head, rest) = bytes.split_at_mut(HEAD_BYTES);
        let (asked, told) = head.split_at_mut(QUESTION_BYTES);
        asked.copy_from_slice(&question(first, next));
        // At most LOCATES_MAX.
        let count = (locates.len() as u16).to_be_bytes();
        told.copy_from_slice(&[kind, count[0], count[1]]);
        for (to, locate) in rest.chunks_exact_mut(2).zip(locates) {
            to.copy_from_slice(&locate.to_be_bytes());
        }
        out(bytes.get(..HEAD_BYTES + 2 * locates.len()).unwrap_or_default());
    };
    let Some(changed) = changed else { return one(b'A', &[]) };
    let mut locates: Vec<u16> = changed.iter().collect();
    while locates.len() > LOCATES_MAX {
        let rest = locates.split_off(LOCATES_MAX);
        one(b'M', &locates);
        locates = rest;
    }
    one(b'L', &locates);
}

/// What an answer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// More follow.
    More,
    /// It was the last one.
    Last,
    /// The server cannot say.
    Any,
}

/// Reads an answer to the question about these messages; its locates go into `changed`. `None`: it is none.
pub(crate) fn answered(bytes: &[u8], first: u64, next: u64, changed: &mut Locates) -> Option<Answer> {
    let locates = bytes.get(HEAD_BYTES..)?;
    let [kind, high, low] = *bytes.get(QUESTION_BYTES..HEAD_BYTES)? else { return None };
    let is_whole = locates.len() == 2 * usize::from(u16::from_be_bytes([high, low]));
    if range(bytes)? != (first, next) || !is_whole {
        return None;
    }
    let answer = match kind {
        b'M' => Answer::More,
        b'L' => Answer::Last,
        b'A' => Answer::Any,
        _ => return None,
    };
    for locate in locates.as_chunks::<2>().0 {
        changed.insert(u16::from_be_bytes(*locate));
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask(changed: Option<&[u16]>, first: u64, next: u64) -> (Vec<Answer>, Vec<u16>) {
        let known = changed.map(|locates| {
            let mut known = Locates::new();
            locates.iter().for_each(|locate| known.insert(*locate));
            known
        });
        let (mut told, mut answers) = (Locates::new(), Vec::new());
        answer(first, next, known.as_ref(), &mut |bytes| {
            answers.push(answered(bytes, first, next, &mut told).unwrap());
            assert_eq!(answered(bytes, first, next + 1, &mut Locates::new()), None, "of another question");
        });
        (answers, told.iter().collect())
    }

    #[test]
    fn an_answer_names_the_symbols_of_the_range_and_no_other() {
        assert_eq!(ask(Some(&[5, 7, 9]), 1, 6), (vec![Answer::Last], vec![5, 7, 9]));
        assert_eq!(ask(Some(&[]), 2, 3), (vec![Answer::Last], vec![]), "what is about no symbol");
        assert_eq!(ask(None, 0, 3), (vec![Answer::Any], vec![]));
        let many = (1..=1_000).collect::<Vec<u16>>();
        let (answers, changed) = ask(Some(&many), 1, 1_001);
        assert_eq!(answers, [Answer::More, Answer::More, Answer::Last]);
        assert_eq!(changed, many);
        assert_eq!(asked(&question(3, 9)), Some((3, 9)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), first: u64, next: u64) {
            let _ = asked(&bytes);
            let mut known = question(first, next).to_vec();
            known.extend(&bytes);
            let _ = answered(&bytes, first, next, &mut Locates::new());
            let _ = answered(&known, first, next, &mut Locates::new());
        }
    }
}
