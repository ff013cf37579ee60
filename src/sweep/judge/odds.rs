//! How likely it is that chance put so many failures in one place.

/// The logarithms of factorials, made once for all questions about a sweep.
pub struct Odds {
    /// ln(n!) at n.
    factorials: Vec<f64>,
}

impl Odds {
    /// For sweeps of so many tasks.
    pub fn new(tasks: usize) -> Odds {
        let mut factorials = Vec::with_capacity(tasks + 1);
        let mut sum = 0.0;
        factorials.push(0.0);
        for n in 1..=tasks {
            sum += (n as f64).ln();
            factorials.push(sum);
        }
        Odds { factorials }
    }

    /// The probability that of `here` tasks, drawn blindly from `all`, at least
    /// `failed_here` are among the `failed` ones (the tail of the
    /// hypergeometric distribution).
    pub fn at_least(&self, all: usize, failed: usize, here: usize, failed_here: usize) -> f64 {
        if here > all || failed > all || failed_here > here.min(failed) {
            return 0.0;
        }
        let total = self.choose(all, here);
        let term = |hit: usize| {
            // Fewer of the good ones than are drawn beside the failed: impossible.
            let good = here.checked_sub(hit).filter(|good| *good <= all - failed)?;
            Some((self.choose(failed, hit) + self.choose(all - failed, good) - total).exp())
        };
        (failed_here..=here.min(failed)).filter_map(term).sum::<f64>().min(1.0)
    }

    fn choose(&self, n: usize, k: usize) -> f64 {
        let ln = |n: usize| self.factorials.get(n).copied().unwrap_or(f64::INFINITY);
        ln(n) - ln(k) - ln(n.saturating_sub(k))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_that_of_drawing_without_putting_back() {
        let odds = Odds::new(40);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        // Three of three on one node, none of thirty elsewhere: 1 / C(33, 3).
        assert!(near(odds.at_least(33, 3, 3, 3), 1.0 / 5456.0));
        assert!(near(odds.at_least(10, 5, 4, 0), 1.0));
        assert!(near(odds.at_least(4, 2, 2, 1), 5.0 / 6.0));
        assert!(near(odds.at_least(4, 4, 2, 2), 1.0));
        assert!(near(odds.at_least(4, 1, 2, 2), 0.0));
    }
}
