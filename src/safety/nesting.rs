//! How deep a text of YAML is nested, before a parser sees it.

/// The deepest nesting that is read. Parsers take time with the square of it,
/// or the stack; no configuration comes near.
pub const DEEPEST_YAML: usize = 64;

/// The line, from 1, in which a text of YAML is nested deeper than [`DEEPEST_YAML`]: lists
/// and mappings in brackets, or marks of lists and keys one behind the other.
///
/// It is no parser: text that is quoted, commented out or a block of its own is
/// passed by, and in doubt a bracket counts where a value may begin.
pub fn too_deep_yaml(text: &str) -> Option<usize> {
    let mut scan = Scan::default();
    for (index, line) in text.lines().enumerate() {
        if scan.line(line) {
            return Some(index + 1);
        }
    }
    None
}

#[derive(Default)]
struct Scan {
    /// Brackets that are open.
    open: usize,
    /// The quote that is open.
    quote: Option<u8>,
    /// The indentation of the line that began a block of text.
    block: Option<usize>,
}

impl Scan {
    /// True if this line leads too deep.
    fn line(&mut self, line: &str) -> bool {
        let bytes = line.as_bytes();
        let indent = bytes.iter().take_while(|byte| **byte == b' ').count();
        if let Some(own) = self.block {
            if indent > own || line.trim().is_empty() {
                return false;
            }
            self.block = None;
        }
        // Marks of lists and keys at the beginning are a level each.
        let mut marks = 0;
        let mut may_begin = true;
        let mut at = indent;
        while let Some(byte) = bytes.get(at).copied() {
            let next = bytes.get(at + 1).copied();
            at += 1;
            if let Some(quote) = self.quote {
                match byte {
                    b'\\' if quote == b'"' => at += 1,
                    b'\'' if quote == b'\'' && next == Some(b'\'') => at += 1,
                    _ if byte == quote => self.quote = None,
                    _ => {}
                }
                continue;
            }
            let is_apart = next.is_none_or(|next| next == b' ' || next == b'\t');
            match byte {
                b' ' | b'\t' => continue,
                b'#' if at == 1 || matches!(bytes.get(at - 2), Some(b' ' | b'\t')) => break,
                b'[' | b'{' if may_begin || self.open > 0 => {
                    self.open += 1;
                    may_begin = true;
                }
                b']' | b'}' if self.open > 0 => {
                    self.open -= 1;
                    may_begin = false;
                }
                b'"' | b'\'' if may_begin => {
                    self.quote = Some(byte);
                    may_begin = false;
                }
                b'-' | b'?' if may_begin && is_apart && self.open == 0 => marks += 1,
                b':' if is_apart || self.open > 0 => may_begin = true,
                b',' if self.open > 0 => may_begin = true,
                // A tag or an anchor stands before what it belongs to.
                b'!' | b'&' if may_begin => {
                    at += bytes[at..]
                        .iter()
                        .take_while(|byte| !byte.is_ascii_whitespace() && !b"[]{},".contains(byte))
                        .count();
                }
                b'|' | b'>' if may_begin && self.open == 0 => {
                    self.block = Some(indent);
                    break;
                }
                _ => may_begin = false,
            }
            if self.open + marks > DEEPEST_YAML {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_too_deep_is_named_by_its_line() {
        let deep = DEEPEST_YAML + 1;
        for nested in [
            "[".repeat(deep),
            "{".repeat(deep),
            "[[".repeat(40) + &"]".repeat(10),
            "- ".repeat(deep),
            "? ".repeat(deep),
            "{a: ".repeat(deep),
            "[x, ".repeat(deep),
            "[!!seq &a ".repeat(deep),
            "k: [\n".repeat(deep),
        ] {
            assert!(too_deep_yaml(&format!("a: 1\n{nested}\n")).is_some_and(|line| line >= 2), "{nested}");
        }
        assert_eq!(too_deep_yaml(&format!("a: 1\nb: {}\n", "[".repeat(deep))), Some(2));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}\"'\\\\:,#&!|>?\\- \\n\\tae\u{301}]{0,200}") {
            let _ = too_deep_yaml(&text);
        }
    }

    #[test]
    fn brackets_that_open_nothing_do_not_count() {
        for plain in [
            "a: x[[[[\n".repeat(40),
            "a: '[[[ it''s ['\n".repeat(40),
            "a: \"[[[ \\\" [\"\n".repeat(40),
            "# [[[[[[[[\n".repeat(40),
            "a: [1, [2, {b: 3}]]\n".repeat(400),
            format!("run: |\n{}done: 1\n", "  [[ -f x [[ [\n".repeat(60)),
            "- a\n- b\n".repeat(100),
            "- - a\n  - b\n".repeat(100),
            "a: --- - - - -\n".repeat(20),
            "pattern: (a|[b)\n".repeat(100),
        ] {
            assert_eq!(too_deep_yaml(&plain), None, "{plain}");
        }
    }

    #[test]
    fn what_this_program_comes_with_is_not_nested_deep() {
        for text in [include_str!("../joblog/patterns.yaml")] {
            assert_eq!(too_deep_yaml(text), None);
        }
    }
}
