//! Node lists in Slurm's compressed form, taken apart.

/// More nodes of one task than this are not told apart.
const MOST: usize = 256;

/// The nodes of a list such as `gpu[01-03,07],login1`; empty if it is none, or
/// has more nodes than can be blamed one by one.
pub fn expand(list: &str) -> Vec<String> {
    let mut nodes = Vec::new();
    for part in top_level(list) {
        if expand_part(part, &mut nodes).is_none() {
            return Vec::new();
        }
    }
    nodes
}

/// Splits at the commas outside of brackets.
fn top_level(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty() && *part != "None assigned").collect()
}

fn expand_part(part: &str, nodes: &mut Vec<String>) -> Option<()> {
    let Some((prefix, rest)) = part.split_once('[') else {
        nodes.push(part.to_owned());
        return (nodes.len() <= MOST).then_some(());
    };
    let (ranges, suffix) = rest.split_once(']')?;
    // A second pair of brackets, for clusters of several dimensions, is not taken apart.
    if suffix.contains('[') {
        return None;
    }
    for range in ranges.split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
        if last.checked_sub(first)? >= MOST as u64 {
            return None;
        }
        for number in first..=last {
            nodes.push(format!("{prefix}{number:0width$}{suffix}", width = from.len()));
        }
        if nodes.len() > MOST {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_of_nodes_are_taken_apart() {
        assert_eq!(expand("gpu[01-03,07],login1"), ["gpu01", "gpu02", "gpu03", "gpu07", "login1"]);
        assert_eq!(expand("n[9-11]-ib"), ["n9-ib", "n10-ib", "n11-ib"]);
        assert_eq!(expand("gpu01"), ["gpu01"]);
        for none in ["", "None assigned", "n[1-", "n[x]", "n[1-99999]", "r[1-2]n[1-2]", "n[3-1]"] {
            assert_eq!(expand(none), Vec::<String>::new(), "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z0-9\\[\\],é -]{0,30}") {
            prop_assert!(expand(&text).len() <= MOST);
        }
    }
}
