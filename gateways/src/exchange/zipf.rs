//! Draws a symbol by its weight in constant time: Walker's alias method (1977) with Vose's construction (1991), in integers.

use super::prng::scale;

/// Weight of the rank-th most active symbol, k^(−quarters/4). Square root and division are exact in IEEE 754, so every host agrees.
pub(crate) fn weight(rank: usize, quarters: u32) -> f64 {
    let root = ((rank + 1) as f64).sqrt().sqrt();
    let power = (0..quarters).fold(1.0, |power, _| power * root);
    1.0 / power
}

/// One column: below the threshold it is itself, else its alias.
#[derive(Clone, Copy)]
struct Column {
    threshold: u32,
    alias: u32,
}

/// A discrete distribution.
pub(crate) struct Alias {
    columns: Box<[Column]>,
}

impl Alias {
    /// From weights, of which at least one must be positive.
    pub(crate) fn new(weights: &[f64]) -> Self {
        // 2^40 steps: the smallest weight (65,000^-4) is under one step and rounds up to it.
        let scaled: Vec<u128> = weights.iter().map(|w| (w * (1u64 << 40) as f64) as u128 + 1).collect();
        let total: u128 = scaled.iter().sum();
        let count = scaled.len();
        let mut parts: Vec<u128> = scaled.iter().map(|w| w * count as u128).collect();
        let mut columns: Vec<Column> =
            (0..count).map(|own| Column { threshold: u32::MAX, alias: own as u32 }).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..count).partition(|&i| parts[i] < total);
        while let (Some(&lean), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            // lean < total, so the quotient is below 2^32
            columns[lean] = Column { threshold: ((parts[lean] << 32) / total) as u32, alias: rich as u32 };
            parts[rich] -= total - parts[lean];
            if parts[rich] < total {
                large.pop();
                small.push(rich);
            }
        }
        Self { columns: columns.into() }
    }

    /// The index that these random bits draw.
    #[inline]
    pub(crate) fn draw(&self, bits: u64) -> usize {
        let own = scale(bits >> 32, self.columns.len() as u32) as usize;
        match self.columns.get(own) {
            Some(column) if bits as u32 >= column.threshold => column.alias as usize,
            Some(_) | None => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::prng::Prng;

    #[test]
    fn symbols_are_drawn_as_often_as_they_weigh() {
        let weights: Vec<f64> = (0..100).map(|rank| weight(rank, 4)).collect();
        let alias = Alias::new(&weights);
        let mut prng = Prng::new(3);
        let mut drawn = [0u32; 100];
        for _ in 0..1_000_000 {
            drawn[alias.draw(prng.bits())] += 1;
        }
        let total: f64 = weights.iter().sum();
        for (rank, weight) in weights.iter().enumerate() {
            let expected = weight / total * 1e6;
            let error = (f64::from(drawn[rank]) - expected).abs();
            assert!(error < 5.0 * expected.sqrt(), "rank {rank}: {} of {expected}", drawn[rank]);
        }
    }

    #[test]
    fn an_even_distribution_leaves_nobody_out() {
        let alias = Alias::new(&[1.0; 7]);
        let mut prng = Prng::new(3);
        let mut drawn = [0u32; 7];
        for _ in 0..70_000 {
            drawn[alias.draw(prng.bits())] += 1;
        }
        assert!(drawn.iter().all(|count| (9_500..10_500).contains(count)), "{drawn:?}");
    }
}
