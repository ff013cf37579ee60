//! Text that an agent wrote, made to stay in its section.

use crate::safety;

/// A fence of code that is open: its character and its length.
type Fence = (char, usize);

/// Makes markdown of an agent harmless to what stands around it.
///
/// Headings of the first two levels become third-level ones, lines that would
/// turn the line above into a heading are escaped, comments of ours are taken
/// apart, a fence left open is closed, and characters that cannot be shown are
/// written out. Ends without a newline.
pub fn contain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut open: Option<Fence> = None;
    for line in text.trim_matches(['\n', '\r', ' ', '\t']).lines() {
        let line = line.split('\t').map(safety::escape).collect::<Vec<_>>().join("    ");
        let line = line.trim_end();
        let fence = fence_of(line);
        match (open, fence) {
            (Some((c, least)), Some((d, n)))
                if c == d && n >= least && line.trim().chars().all(|x| x == c) =>
            {
                open = None
            }
            (None, Some(fence)) => open = Some(fence),
            _ => {}
        }
        if open.is_some() || fence.is_some() {
            out.push_str(line);
        } else {
            out.push_str(&contain_line(line));
        }
        out.push('\n');
    }
    if let Some((c, n)) = open {
        out.extend(std::iter::repeat_n(c, n));
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

fn contain_line(line: &str) -> String {
    let bare = line.trim_start_matches(' ');
    let indent = line.len() - bare.len();
    // Markers of ours, and comments that could swallow what follows.
    let bare = bare.replace("<!--", "<\\!--");
    if indent > 3 {
        return format!("{}{bare}", &line[..indent]);
    }
    let level = bare.bytes().take_while(|b| *b == b'#').count();
    let is_heading = (1..=2).contains(&level) && bare[level..].starts_with([' ', '\t'])
        || bare.len() == level && (1..=2).contains(&level);
    if is_heading {
        return format!("###{}", &bare[level..]);
    }
    let is_rule = bare.len() > 1 && (bare.bytes().all(|b| b == b'-') || bare.bytes().all(|b| b == b'='));
    if is_rule || bare == "=" {
        return format!("\\{bare}");
    }
    format!("{}{bare}", &line[..indent])
}

/// The fence that a line opens or closes.
pub fn fence_of(line: &str) -> Option<Fence> {
    let bare = line.trim_start_matches(' ');
    if line.len() - bare.len() > 3 {
        return None;
    }
    let c = bare.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = bare.chars().take_while(|x| *x == c).count();
    let info_has_tick = c == '`' && bare[length..].contains('`');
    (length >= 3 && !info_has_tick).then_some((c, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headings_cannot_pose_as_ours() {
        assert_eq!(
            contain("# Key\n## Next action\n### own\nfoo\n---\nbar\n==="),
            "### Key\n### Next action\n### own\nfoo\n\\---\nbar\n\\==="
        );
        assert_eq!(contain("#\nx"), "###\nx");
        assert_eq!(contain("#hashtag"), "#hashtag");
    }

    #[test]
    fn code_stays_code_and_is_closed() {
        assert_eq!(contain("```sh\n# comment\n```\n# h"), "```sh\n# comment\n```\n### h");
        assert_eq!(contain("````\n```\nopen"), "````\n```\nopen\n````");
    }

    #[test]
    fn comments_and_escapes_are_taken_apart() {
        assert_eq!(contain("<!-- handover:end -->\x1b[31m"), "<\\!-- handover:end -->\\x1b[31m");
    }

    proptest! {
        #[test]
        fn contained_text_stays_contained(text in "[#`~=\\-<!> a\\n]{0,80}") {
            let once = contain(&text);
            let mut open: Option<Fence> = None;
            for line in once.lines() {
                match (open, fence_of(line)) {
                    (Some((c, n)), Some((d, m))) if c == d && m >= n && line.trim().chars().all(|x| x == c) => open = None,
                    (None, Some(fence)) => open = Some(fence),
                    (None, None) => prop_assert!(!line.starts_with("# ") && !line.starts_with("## ")),
                    _ => {}
                }
            }
            prop_assert!(open.is_none(), "{once:?}");
        }
    }
}
