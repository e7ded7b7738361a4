//! UserRefNum (section "UserRefNum"): the firm's numbers for its requests.
//!
//! The rules: from 1, growing strictly over a day for each account (and each UserRefIdx), connections do not matter. Enter, Replace, Mass Cancel
//! and Disable/Enable each take a new number; Cancel and Modify name one. A number not above the last one taken is ignored without an answer,
//! which makes a request that is sent again harmless. A rejected order's number is used up; that of a replace that was ignored is not.

use crate::itch50::Be32;

/// A number in use. Never 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct UserRefNum(u32);

impl UserRefNum {
    /// `None` for 0.
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// As a number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// For a message.
    pub const fn wire(self) -> Be32 {
        Be32::new(self.0)
    }
}

/// The firm's side: gives out numbers.
#[derive(Clone, Debug)]
pub struct UserRefNumbers {
    next: Option<u32>,
}

impl UserRefNumbers {
    /// The first of a day is 1.
    pub const fn new() -> Self {
        Self { next: Some(1) }
    }

    /// Goes on behind a number that was used, by this process or by one before it: whatever of the two is later holds.
    pub fn used(&mut self, number: u32) {
        if let Some(next) = self.next {
            self.next = number.checked_add(1).map(|after| after.max(next));
        }
    }

    /// The venue says which is the next (Account Query Response): numbers below are gone, even if we do not know for what.
    pub fn venue_says_next(&mut self, next: u32) {
        self.next = self.next.map(|ours| ours.max(next));
    }

    /// A new number; `None` when all 2^32 − 1 are used up: the account cannot enter orders today.
    pub fn take(&mut self) -> Option<UserRefNum> {
        let number = self.next?;
        self.next = number.checked_add(1);
        UserRefNum::new(number)
    }
}

impl Default for UserRefNumbers {
    fn default() -> Self {
        Self::new()
    }
}

/// What the venue makes of a number that a request brings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It is new.
    New(UserRefNum),
    /// It was there before, or is 0: the request is ignored without an answer.
    Ignored,
}

/// The venue's side: lets each number through once.
#[derive(Clone, Debug, Default)]
pub struct UserRefGate {
    last: u32,
}

impl UserRefGate {
    /// Before the day's first request.
    pub const fn new() -> Self {
        Self { last: 0 }
    }

    /// Judges a number and, if it is new, uses it up.
    pub const fn admit(&mut self, number: u32) -> Admission {
        match UserRefNum::new(number) {
            Some(new) if number > self.last => {
                self.last = number;
                Admission::New(new)
            }
            Some(_) | None => Admission::Ignored,
        }
    }

    /// For an Account Query Response; stays at the largest number when there is none left.
    pub const fn next(&self) -> u32 {
        self.last.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_firm_that_starts_again_goes_on_behind_every_number_it_or_the_venue_knows() {
        let mut numbers = UserRefNumbers::new();
        assert_eq!(numbers.take(), UserRefNum::new(1));
        numbers.used(7);
        numbers.used(3);
        assert_eq!(numbers.take(), UserRefNum::new(8));
        numbers.venue_says_next(5);
        assert_eq!(numbers.take(), UserRefNum::new(9));
        numbers.venue_says_next(100);
        assert_eq!(numbers.take(), UserRefNum::new(100));
    }

    #[test]
    fn the_last_number_is_given_once_and_then_none() {
        let mut numbers = UserRefNumbers::new();
        numbers.venue_says_next(u32::MAX);
        assert_eq!(numbers.take(), UserRefNum::new(u32::MAX));
        assert_eq!(numbers.take(), None);
        numbers.used(5);
        numbers.venue_says_next(5);
        assert_eq!(numbers.take(), None);
    }

    proptest! {
        #[test]
        fn a_gate_lets_every_number_through_once_and_only_growing(numbers in proptest::collection::vec(0u32..50, 0..200)) {
            let (mut gate, mut admitted) = (UserRefGate::new(), Vec::new());
            for number in numbers {
                if let Admission::New(new) = gate.admit(number) {
                    admitted.push(new.get());
                    prop_assert_eq!(gate.next(), number + 1);
                }
                prop_assert_eq!(gate.admit(number), Admission::Ignored);
            }
            prop_assert!(admitted.is_sorted_by(|a, b| a < b) && !admitted.contains(&0));
        }
    }
}
