//! [`Cores`]: a set of processors in the kernel's notations.

use std::collections::BTreeSet;
use std::fmt;

/// Numbers of processors.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cores(BTreeSet<usize>);

impl Cores {
    /// The kernel's list: `2-5,8`. What is not a number or a range (`(null)`, flags of `isolcpus`) is passed over.
    pub(crate) fn from_list(list: &str) -> Self {
        Self(crate::host::parse_core_list(list).into_iter().collect())
    }

    /// The kernel's mask: hexadecimal, in groups of 32 bits, the highest first: `ff,00000001`.
    pub(crate) fn from_mask(mask: &str) -> Option<Self> {
        let digits: String = mask.trim().chars().filter(|c| *c != ',').collect();
        let mut cores = BTreeSet::new();
        for (index, digit) in digits.chars().rev().enumerate() {
            let digit = digit.to_digit(16)?;
            cores.extend((0..4).filter(|bit| digit & (1 << bit) != 0).map(|bit| index * 4 + bit));
        }
        Some(Self(cores))
    }

    /// As [`Cores::from_mask`] reads it.
    pub(crate) fn mask(&self) -> String {
        let groups = self.0.last().map_or(1, |last| last / 32 + 1);
        let words: Vec<String> = (0..groups)
            .rev()
            .map(|group| {
                let word = (0..32)
                    .filter(|bit| self.0.contains(&(group * 32 + bit)))
                    .fold(0_u32, |word, bit| word | 1 << bit);
                if group + 1 == groups { format!("{word:x}") } else { format!("{word:08x}") }
            })
            .collect();
        words.join(",")
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Those in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// Those in one or the other.
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).copied().collect())
    }

    /// Those that are not in `other`.
    pub(crate) fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }
}

impl FromIterator<usize> for Cores {
    fn from_iter<I: IntoIterator<Item = usize>>(cores: I) -> Self {
        Self(cores.into_iter().collect())
    }
}

/// The kernel's list, `none` if it is empty.
impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for core in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == core => *last = core,
                Some(_) | None => ranges.push((core, core)),
            }
        }
        if ranges.is_empty() {
            return f.write_str("none");
        }
        for (index, (first, last)) in ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_masks_mean_the_same_cores() {
        let cores = Cores::from_list("0-3,8,31-32,40\n");
        assert_eq!(cores.to_string(), "0-3,8,31-32,40");
        assert_eq!(cores.mask(), "101,8000010f");
        assert_eq!(Cores::from_mask("101,8000010f\n"), Some(cores));
        assert_eq!(Cores::from_mask("00000000,00000003"), Some(Cores::from_list("0-1")));
        assert_eq!(Cores::from_mask("no mask"), None);
    }

    #[test]
    fn words_of_isolcpus_and_the_kernels_null_are_no_cores() {
        assert_eq!(Cores::from_list("managed_irq,domain,2-5"), Cores::from_list("2-5"));
        assert!(Cores::from_list("(null)").is_empty());
        assert_eq!(Cores::default().to_string(), "none");
    }
}
