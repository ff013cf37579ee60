//! The two lines that fence our block inside somebody's file.
//!
//! Everything outside them belongs to the user and is never changed, not even
//! its line endings or a missing final newline.

use std::ops::Range;

/// How the line before our block begins.
const BEGIN: &[u8] = b"<!-- handover:begin";
/// How the line after our block begins.
const END: &[u8] = b"<!-- handover:end";
/// The line before our block.
const BEGIN_LINE: &str =
    "<!-- handover:begin (written by `handover`; what stands outside these two lines is yours) -->";
/// The line after our block.
const END_LINE: &str = "<!-- handover:end -->";
const CLOSE: &[u8] = b"-->";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Markers that do not fence exactly one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MarkerError {
    /// One marker without the other, or more than one of a kind.
    #[error("it has {begins} begin markers and {ends} end markers instead of one each")]
    Count {
        /// Begin markers.
        begins: usize,
        /// End markers.
        ends: usize,
    },
    /// The end comes first, or a marker is not closed or not on a line of its own.
    #[error("its markers are out of order or cut")]
    Shape,
}

/// Where our block stands in `text`, markers included; `None` if there is none.
///
/// # Errors
/// [`MarkerError`] unless there is exactly one pair, each at the start of a line.
pub fn find(text: &[u8]) -> Result<Option<Range<usize>>, MarkerError> {
    find_pair(text, BEGIN, END)
}

/// The same for the pair of which one line begins with `begin`, the other with `end`.
///
/// What stands in a fenced code block is an example, and no marker.
pub(super) fn find_pair(text: &[u8], begin: &[u8], end: &[u8]) -> Result<Option<Range<usize>>, MarkerError> {
    let (begins, ends) = positions_outside_code(text, begin, end);
    let (begin, end) = match (begins.as_slice(), ends.as_slice()) {
        ([], []) => return Ok(None),
        ([begin], [end]) => (*begin, *end),
        _ => return Err(MarkerError::Count { begins: begins.len(), ends: ends.len() }),
    };
    if begin > end || !starts_line(text, begin) || !starts_line(text, end) {
        return Err(MarkerError::Shape);
    }
    let line = text[end..].split(|b| *b == b'\n').next().unwrap_or_default();
    let close = positions(line, CLOSE).first().copied().ok_or(MarkerError::Shape)?;
    Ok(Some(begin..end + close + CLOSE.len()))
}

/// `text` with our block in it: in the place of the one that is there, else at
/// the top, after a byte order mark.
///
/// `body` has lines ended by LF; they get the file's own line ending.
///
/// # Errors
/// As [`find`].
pub fn put(text: &[u8], body: &str) -> Result<Vec<u8>, MarkerError> {
    let newline = newline_of(text);
    let block = format!("{BEGIN_LINE}\n{}{END_LINE}", neutral(body)).replace('\n', newline);
    let (before, after, glue) = match find(text)? {
        Some(range) => {
            let stray = stray(&text[range.clone()]);
            let block = match stray.is_empty() {
                true => block.into_bytes(),
                // Below the block it is outside, and stays.
                false => [block.as_bytes(), newline.as_bytes(), indent(stray), stray].concat(),
            };
            return Ok([&text[..range.start], &block, &text[range.end..]].concat());
        }
        None => {
            let (mark, text) = split_mark(text);
            (mark, text, newline)
        }
    };
    Ok([before, block.as_bytes(), glue.as_bytes(), after].concat())
}

/// `text` without our block and the line ending after it; `None` if there is no block.
///
/// # Errors
/// As [`find`].
pub fn take(text: &[u8]) -> Result<Option<Vec<u8>>, MarkerError> {
    let Some(range) = find(text)? else { return Ok(None) };
    let (before, after) = (&text[..range.start], &text[range.end..]);
    let stray = stray(&text[range.clone()]);
    if !stray.is_empty() {
        return Ok(Some([before, indent(stray), stray, after].concat()));
    }
    let line_end = [&b"\r\n"[..], b"\n"].into_iter().find_map(|end| after.strip_prefix(end));
    Ok(Some(match line_end {
        Some(after) => [before, after].concat(),
        None => [before, indent(after), after].concat(),
    }))
}

/// What somebody wrote behind the first marker, on its line.
fn stray(block: &[u8]) -> &[u8] {
    let line = block.split(|b| *b == b'\n').next().unwrap_or_default();
    let close = positions(line, CLOSE).first().map_or(line.len(), |at| at + CLOSE.len());
    line[close..].trim_ascii()
}

/// What keeps words that come to stand at the start of a line from opening or
/// closing a code block there: that would hide what follows, or lay it bare.
fn indent(words: &[u8]) -> &'static [u8] {
    let line = words.split(|b| *b == b'\n').next().unwrap_or_default();
    if Fence::of(line).is_some() { b"    " } else { b"" }
}

/// True if nothing but blanks and a byte order mark is left.
pub fn is_blank(text: &[u8]) -> bool {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).iter().all(u8::is_ascii_whitespace)
}

/// The byte order mark that a file begins with, if it does, and the rest.
pub(super) fn split_mark(text: &[u8]) -> (&[u8], &[u8]) {
    let top = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    text.split_at(top)
}

/// Takes the power from whatever in a body could pass for a marker.
pub(super) fn neutral(body: &str) -> String {
    body.replace("<!--", "&lt;!--")
}

/// The line ending of the first line; LF where there is none.
pub(super) fn newline_of(text: &[u8]) -> &'static str {
    match text.iter().position(|b| *b == b'\n') {
        Some(at) if at > 0 && text[at - 1] == b'\r' => "\r\n",
        _ => "\n",
    }
}

fn starts_line(text: &[u8], at: usize) -> bool {
    at == 0 || text[at - 1] == b'\n' || text[..at] == *BYTE_ORDER_MARK
}

/// Where the two markers stand, those in code blocks left out. Between our own
/// markers no fence counts: what stands there is found again whatever it holds.
fn positions_outside_code(text: &[u8], begin: &[u8], end: &[u8]) -> (Vec<usize>, Vec<usize>) {
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    let (mut fence, mut is_ours) = (None, false);
    let mut start = 0;
    for line in text.split_inclusive(|b| *b == b'\n') {
        let at = start;
        start += line.len();
        let content = if at == 0 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        if !is_ours {
            match (fence, Fence::of(content)) {
                (None, Some(opened)) => {
                    fence = Some(opened);
                    continue;
                }
                (Some(open), Some(closing)) if closing.closes(open) => fence = None,
                _ => {}
            }
            if fence.is_some() {
                continue;
            }
        }
        let (begun, ended) = (positions(line, begin), positions(line, end));
        is_ours = ended.is_empty() && (is_ours || !begun.is_empty());
        begins.extend(begun.iter().map(|place| at + place));
        ends.extend(ended.iter().map(|place| at + place));
    }
    (begins, ends)
}

/// A line that opens or closes a code block, as CommonMark has it.
#[derive(Debug, Clone, Copy)]
struct Fence {
    mark: u8,
    length: usize,
    is_bare: bool,
}

impl Fence {
    fn of(line: &[u8]) -> Option<Fence> {
        let indent = line.iter().take_while(|b| **b == b' ').count();
        let line = line.get(indent..).filter(|_| indent < 4)?;
        let mark = *line.first().filter(|b| matches!(b, b'`' | b'~'))?;
        let length = line.iter().take_while(|b| **b == mark).count();
        let info = line.get(length..)?;
        // Backticks in what follows make it a code span.
        let is_fence = length >= 3 && !(mark == b'`' && info.contains(&b'`'));
        is_fence.then_some(Fence { mark, length, is_bare: info.iter().all(u8::is_ascii_whitespace) })
    }

    fn closes(self, open: Fence) -> bool {
        self.is_bare && self.mark == open.mark && self.length >= open.length
    }
}

fn positions(text: &[u8], what: &[u8]) -> Vec<usize> {
    text.windows(what.len()).enumerate().filter(|(_, window)| *window == what).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_block_goes_to_the_top_and_keeps_the_rest() {
        let text = b"\xef\xbb\xbf# Notes\r\nno final newline";
        let with = put(text, "- one\n").unwrap();
        assert!(with.starts_with(b"\xef\xbb\xbf<!-- handover:begin"));
        assert!(with.ends_with(b"- one\r\n<!-- handover:end -->\r\n# Notes\r\nno final newline"));
        assert_eq!(take(&with).unwrap().unwrap(), text);
    }

    #[test]
    fn what_somebody_wrote_behind_the_first_marker_moves_below_the_block() {
        let text = b"<!-- handover:begin --> my note\nold\n<!-- handover:end -->\nrest\n";
        let with = put(text, "new\n").unwrap();
        assert!(
            with.ends_with(b"-->\nnew\n<!-- handover:end -->\nmy note\nrest\n"),
            "{}",
            with.escape_ascii()
        );
        assert_eq!(put(&with, "new\n").unwrap(), with);
        assert_eq!(take(text).unwrap().unwrap(), b"my note\nrest\n");
    }

    #[test]
    fn one_pair_or_nothing() {
        let pair = "<!-- handover:begin -->\nx\n<!-- handover:end -->\n";
        let refused = [
            format!("{pair}{pair}"),
            "<!-- handover:begin -->\n".to_owned(),
            "<!-- handover:end -->\n<!-- handover:begin -->\n".to_owned(),
            "<!-- handover:begin -->\n<!-- handover:end\n-->".to_owned(),
            format!("text {pair}"),
        ];
        for text in refused {
            assert!(find(text.as_bytes()).is_err(), "{text:?}");
            assert!(put(text.as_bytes(), "y\n").is_err());
            assert!(take(text.as_bytes()).is_err());
        }
        assert!(find(pair.as_bytes()).unwrap().is_some());
        assert_eq!(find(b"<!-- somebody else's -->").unwrap(), None);
    }

    #[test]
    fn a_marker_in_a_code_block_is_an_example() {
        let pair = "<!-- handover:begin -->\nx\n<!-- handover:end -->\n";
        for example in [
            format!("```\n{pair}```\n"),
            format!("~~~~ text\n~~~\n{pair}~~~~~\n"),
            format!("  ```html\n```not closed\n{pair}"),
        ] {
            assert_eq!(find(example.as_bytes()).unwrap(), None, "{example}");
            let with = format!("{pair}{example}");
            assert_eq!(find(with.as_bytes()).unwrap(), Some(0..pair.len() - 1));
        }
        // An end that a fence of the block itself would hide is found all the same.
        let ours = format!("```\nx\n```\n{}", pair.replace('x', "```\nx"));
        assert!(find(ours.as_bytes()).unwrap().is_some());
        assert!(find(format!("``` `x` ```\n{pair}").as_bytes()).unwrap().is_some());
    }

    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\r".to_vec()),
            Just(BYTE_ORDER_MARK.to_vec()),
            Just(b"<!-- handover:".to_vec()),
            Just(b"-->".to_vec()),
            Just(BEGIN_LINE.as_bytes().to_vec()),
            Just(END_LINE.as_bytes().to_vec()),
            Just(b"```".to_vec()),
            Just(b"~~~\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..12),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn bytes_outside_the_markers_never_change(text in pieces(), one in "\\PC{0,40}", two in "\\PC{0,40}") {
            let Ok(found) = find(&text) else {
                prop_assert!(put(&text, &one).is_err());
                return Ok(());
            };
            let first = put(&text, &format!("{one}\n")).unwrap();
            let second = put(&first, &format!("{two}\n")).unwrap();
            let (a, b) = (find(&first).unwrap().unwrap(), find(&second).unwrap().unwrap());
            prop_assert_eq!(&first[..a.start], &second[..b.start]);
            prop_assert_eq!(&first[a.end..], &second[b.end..]);
            if found.is_none() {
                prop_assert_eq!(take(&second).unwrap().unwrap(), text);
            }
        }

        #[test]
        fn a_body_can_never_break_its_block_open(body in "(<!-- handover:(begin|end) -->|-->|<|!|-|\n|a){0,20}") {
            let text = put(b"rest\n", &format!("{body}\n")).unwrap();
            let range = find(&text).unwrap().unwrap();
            prop_assert_eq!(range.start, 0);
            prop_assert_eq!(&text[range.end..], b"\nrest\n");
        }

        #[test]
        fn what_is_put_is_found_and_what_is_taken_is_gone(text in pieces()) {
            if let Ok(with) = put(&text, "x\n") {
                prop_assert!(matches!(find(&with), Ok(Some(_))), "{}", with.escape_ascii());
            }
            if let Ok(Some(without)) = take(&text) {
                prop_assert_eq!(find(&without), Ok(None), "{}", without.escape_ascii());
            }
        }
    }
}
