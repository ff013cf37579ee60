use std::fmt;
use std::str::FromStr;

use super::{NotA, serde_as_text};

/// A set of array indices as Slurm writes it: `1-3,7,9-15:2`.
///
/// Kept as sorted, disjoint, inclusive ranges, so that a list of a million
/// tasks costs no more than it takes to write.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct TaskIds {
    ranges: Vec<(u32, u32)>,
}

impl TaskIds {
    /// The largest index that Slurm allows (`MaxArraySize` is at most 4000001).
    pub const MAX: u32 = 4_000_001;

    /// How many indices there are.
    pub fn len(&self) -> usize {
        self.ranges.iter().map(|(from, to)| (to - from) as usize + 1).sum()
    }

    /// True if there is no index at all.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// True if `index` is among them.
    pub fn contains(&self, index: u32) -> bool {
        self.ranges
            .binary_search_by(|&(from, to)| {
                if to < index {
                    std::cmp::Ordering::Less
                } else if from > index {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .is_ok()
    }

    /// The inclusive ranges, in rising order.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Adds an index; free of cost if it is above all others, else as much as
    /// to find its place and to move what stands behind it.
    pub fn push(&mut self, index: u32) {
        let place = match self.ranges.last() {
            Some(&(from, _)) if index < from => self.ranges.partition_point(|&(from, _)| from <= index),
            _ => self.ranges.len(),
        };
        let is_next = |&(_, to): &(u32, u32)| index <= to.saturating_add(1);
        let joins_before = place.checked_sub(1).filter(|&before| is_next(&self.ranges[before]));
        let joins_after = self.ranges.get(place).is_some_and(|&(from, _)| index.checked_add(1) == Some(from));
        match (joins_before, joins_after) {
            (Some(before), true) if self.ranges[before].1 < index => {
                self.ranges[before].1 = self.ranges[place].1;
                self.ranges.remove(place);
            }
            (Some(before), _) => self.ranges[before].1 = self.ranges[before].1.max(index),
            (None, true) => self.ranges[place].0 = index,
            (None, false) => self.ranges.insert(place, (index, index)),
        }
    }

    /// What is in either.
    pub fn union(&self, other: &TaskIds) -> TaskIds {
        let (mut one, mut two) = (self.ranges.as_slice(), other.ranges.as_slice());
        let mut ranges = Vec::with_capacity(one.len() + two.len());
        while let (Some(&a), Some(&b)) = (one.first(), two.first()) {
            if a <= b {
                join(&mut ranges, a);
                one = &one[1..];
            } else {
                join(&mut ranges, b);
                two = &two[1..];
            }
        }
        one.iter().chain(two).for_each(|&range| join(&mut ranges, range));
        TaskIds { ranges }
    }

    /// What is in both.
    pub fn intersection(&self, other: &TaskIds) -> TaskIds {
        let (mut a, mut b) = (0, 0);
        let mut ranges = Vec::new();
        while let (Some(one), Some(two)) = (self.ranges.get(a), other.ranges.get(b)) {
            let (from, to) = (one.0.max(two.0), one.1.min(two.1));
            if from <= to {
                ranges.push((from, to));
            }
            if one.1 < two.1 { a += 1 } else { b += 1 }
        }
        TaskIds { ranges }
    }

    /// What is in this one alone.
    pub fn difference(&self, other: &TaskIds) -> TaskIds {
        let mut ranges = Vec::new();
        let mut away = other.ranges.iter().peekable();
        for &(from, to) in &self.ranges {
            let mut from = u64::from(from);
            while away.next_if(|range| u64::from(range.1) < from).is_some() {}
            while let Some(&&(cut, end)) = away.peek().filter(|range| range.0 <= to) {
                if from < u64::from(cut) {
                    ranges.push((from as u32, cut - 1));
                }
                from = u64::from(end) + 1;
                if end >= to {
                    break;
                }
                away.next();
            }
            if from <= u64::from(to) {
                ranges.push((from as u32, to));
            }
        }
        TaskIds { ranges }
    }

    /// Reads a list of whole job ids in the same form: they may be larger than
    /// any array index.
    ///
    /// # Errors
    /// The text is no such list.
    pub fn of_jobs(text: &str) -> Result<TaskIds, NotA> {
        read(text, u32::MAX)
    }

    /// The indices in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|&(from, to)| from..=to)
    }
}

impl FromIterator<u32> for TaskIds {
    fn from_iter<I: IntoIterator<Item = u32>>(indices: I) -> TaskIds {
        TaskIds { ranges: merged(indices.into_iter().map(|index| (index, index)).collect()) }
    }
}

impl fmt::Display for TaskIds {
    /// The shortest form that `sbatch --array` takes: ranges, and steps where
    /// at least five indices share one: shorter runs read better as they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut at = 0;
        let mut first = true;
        while at < self.ranges.len() {
            let (from, to) = self.ranges[at];
            if !std::mem::take(&mut first) {
                f.write_str(",")?;
            }
            let stepped = stepped_run(&self.ranges[at..]);
            if stepped >= STEPPED {
                let step = self.ranges[at + 1].0 - from;
                write!(f, "{from}-{}:{step}", self.ranges[at + stepped - 1].0)?;
                at += stepped;
                continue;
            }
            match to - from {
                0 => write!(f, "{from}")?,
                1 => write!(f, "{from},{to}")?,
                _ => write!(f, "{from}-{to}")?,
            }
            at += 1;
        }
        Ok(())
    }
}

/// The shortest run that is written with a step.
const STEPPED: usize = 5;

/// How many single indices at the start of `ranges` are evenly spaced.
fn stepped_run(ranges: &[(u32, u32)]) -> usize {
    let single = |range: &(u32, u32)| range.0 == range.1;
    let [first, second, ..] = ranges else { return ranges.iter().take_while(|range| single(range)).count() };
    if !single(first) || !single(second) {
        return usize::from(single(first));
    }
    let step = second.0 - first.0;
    // Looks no further than the run goes: a long list must not cost its square.
    1 + ranges.windows(2).take_while(|pair| single(&pair[1]) && pair[1].0 - pair[0].0 == step).count()
}

impl FromStr for TaskIds {
    type Err = NotA;

    /// Reads a list without brackets; a throttle (`%4`) is the caller's. A list
    /// that Slurm cut (`...`) is refused, because its count is unknown.
    fn from_str(text: &str) -> Result<Self, NotA> {
        read(text, TaskIds::MAX)
    }
}

/// Reads a list of numbers up to `most`.
fn read(text: &str, most: u32) -> Result<TaskIds, NotA> {
    let wrong = || NotA::new("list of array tasks", text);
    let number = |digits: &str| {
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse::<u32>().ok())
            .flatten()
            .filter(|n| *n <= most)
    };
    let mut ranges = Vec::new();
    for piece in text.split(',') {
        let (range, step) = match piece.split_once(':') {
            Some((range, step)) => (range, number(step).filter(|s| *s > 0).ok_or_else(wrong)?),
            None => (piece, 1),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from).ok_or_else(wrong)?, number(to).ok_or_else(wrong)?),
            None => {
                let index = number(range).ok_or_else(wrong)?;
                (index, index)
            }
        };
        // Steps are the only short text that takes much room.
        let single = if step == 1 { 1 } else { to.saturating_sub(from) / step };
        if from > to || ranges.len() + single as usize > TaskIds::MAX as usize {
            return Err(wrong());
        }
        if step == 1 {
            ranges.push((from, to));
        } else {
            ranges.extend((from..=to).step_by(step as usize).map(|index| (index, index)));
        }
    }
    Ok(TaskIds { ranges: merged(ranges) })
}

/// Sorts ranges and joins those that touch.
fn merged(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    ranges.into_iter().for_each(|range| join(&mut joined, range));
    joined
}

/// Puts a range that begins no earlier than the last one behind it, or into it if they touch.
fn join(ranges: &mut Vec<(u32, u32)>, (from, to): (u32, u32)) {
    match ranges.last_mut() {
        Some((_, end)) if from <= end.saturating_add(1) => *end = (*end).max(to),
        _ => ranges.push((from, to)),
    }
}

serde_as_text!(TaskIds);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(text: &str) -> TaskIds {
        text.parse().unwrap()
    }

    #[test]
    fn slurm_lists_are_read() {
        assert_eq!(ids("1-3,7,9-12").iter().collect::<Vec<_>>(), [1, 2, 3, 7, 9, 10, 11, 12]);
        assert_eq!(ids("1-99:2").len(), 50);
        assert_eq!(ids("0-99999").len(), 100_000);
        assert!(ids("0-99999").contains(99_999));
        assert!(!ids("1-9:2").contains(4));
        for text in ["", "1-", "3-1", "1,,2", "1-3:0", "1-2,...", "[1-3]", "1-3%4", "99999999", "+1"] {
            assert!(text.parse::<TaskIds>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn lists_are_printed_short() {
        for text in ["1-3,7,9-12", "1-99:2", "4,6", "1,2,4", "0", "3-43:10", "3,10,17"] {
            assert_eq!(ids(text).to_string(), text);
        }
        assert_eq!(ids("5,1,2,3,2-4").to_string(), "1-5");
        assert_eq!(TaskIds::default().to_string(), "");
        assert_eq!(TaskIds::of_jobs("4294967290-4294967295").unwrap().to_string(), "4294967290-4294967295");
        assert!(TaskIds::of_jobs("0-4294967295:2").is_err());
    }

    proptest! {
        #[test]
        fn any_set_survives_print_and_read(set in proptest::collection::btree_set(0u32..5000, 1..200)) {
            let list: TaskIds = set.iter().copied().collect();
            let again = ids(&list.to_string());
            prop_assert_eq!(again.iter().collect::<Vec<_>>(), set.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(list.len(), again.len());
        }

        #[test]
        fn sets_are_joined_and_taken_apart_as_sets_are(
            a in proptest::collection::btree_set(0u32..60, 0..40),
            b in proptest::collection::btree_set(0u32..60, 0..40),
        ) {
            let (one, two): (TaskIds, TaskIds) = (a.iter().copied().collect(), b.iter().copied().collect());
            let list = |set: TaskIds| set.iter().collect::<Vec<_>>();
            prop_assert_eq!(list(one.union(&two)), a.union(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(list(one.intersection(&two)), a.intersection(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(list(one.difference(&two)), a.difference(&b).copied().collect::<Vec<_>>());
            let mut pushed = one.clone();
            b.iter().for_each(|index| pushed.push(*index));
            prop_assert_eq!(pushed, one.union(&two));
        }

        #[test]
        fn indices_come_in_any_order(indices in proptest::collection::vec(prop_oneof![0u32..40, u32::MAX - 3..=u32::MAX], 0..60)) {
            let mut pushed = TaskIds::default();
            indices.iter().for_each(|index| pushed.push(*index));
            prop_assert_eq!(pushed, indices.into_iter().collect::<TaskIds>());
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9,:%\\-]{0,40}") {
            let _ = text.parse::<TaskIds>();
        }
    }
}
