//! Numbers of things in words.

use std::fmt::Display;

/// A number of things: `1 task`, `2 tasks`, `3 further entries`; `one` is the word for one
/// of them, its last word the noun.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, one: &str) -> String {
    if count == N::from(1) { format!("{count} {one}") } else { format!("{count} {}", plural(one)) }
}

/// The word that fits the number: `by_number(2, "is", "are")`.
pub fn by_number<N: PartialEq + From<u8>, T>(count: N, one: T, more: T) -> T {
    if count == N::from(1) { one } else { more }
}

fn plural(one: &str) -> String {
    let is_vowel = |letter: char| matches!(letter, 'a' | 'e' | 'i' | 'o' | 'u');
    match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(is_vowel) => format!("{stem}ies"),
        _ if ["s", "x", "ch", "sh"].iter().any(|end| one.ends_with(end)) => format!("{one}es"),
        _ => format!("{one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_told_from_none_and_many() {
        assert_eq!(counted(1usize, "task"), "1 task");
        assert_eq!(counted(0u64, "task"), "0 tasks");
        assert_eq!(counted(2u32, "more cause"), "2 more causes");
        assert_eq!(counted(2usize, "entry"), "2 entries");
        assert_eq!(counted(2usize, "branch"), "2 branches");
        assert_eq!(counted(2usize, "key"), "2 keys");
        assert_eq!((by_number(1, "is", "are"), by_number(0, "is", "are")), ("is", "are"));
    }
}
