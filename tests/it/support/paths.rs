//! Reads the paths that a Rust source names: enough of the language to know
//! which room knows which.

/// A path such as `crate::git::Repository`, and the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The segments; groups are spelled out, one path each.
    pub segments: Vec<String>,
    /// From 1.
    pub line: usize,
    /// True for a macro's name: `println!`.
    pub is_macro: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub text: String,
    pub line: usize,
}

/// Every path that the code names, tests (`#[cfg(test)]`), comments and
/// strings aside.
pub fn named(source: &str) -> Vec<Named> {
    let tokens = code(source);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        // A field or a method is no path; nor is what follows `::`, which was read already.
        let is_start = is_name(&tokens[at].text) && (at == 0 || !matches!(tokens[at - 1].text.as_str(), "."));
        at = if is_start { tree(&tokens, at, &[], &mut found) } else { at + 1 };
    }
    found
}

/// The tokens of a source without those of its tests.
pub(super) fn code(source: &str) -> Vec<Token> {
    without_tests(tokens(source))
}

/// Reads a path with its groups from `at`; returns where it ends.
fn tree(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<Named>) -> usize {
    let mut segments = before.to_vec();
    let line = tokens[at].line;
    loop {
        match tokens.get(at).map(|token| token.text.as_str()) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    let text = tokens[at].text.as_str();
                    at = if is_name(text) || text == "{" {
                        tree(tokens, at, &segments, found)
                    } else {
                        at + 1
                    };
                }
                return at + 1;
            }
            Some(text) if is_name(text) || text == "*" => segments.push(text.to_owned()),
            _ => return at,
        }
        at += 1;
        let next = |n: usize| tokens.get(at + n).map_or("", |token| token.text.as_str());
        // `a::<T>` ends the path at `a`; the types within are read on their own.
        if next(0) == "::" && (is_name(next(1)) || matches!(next(1), "{" | "*")) {
            at += 1;
            continue;
        }
        found.push(Named { segments, line, is_macro: next(0) == "!" && next(1) != "=" });
        return at;
    }
}

/// Drops every item that stands under `#[cfg(test)]`.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_mark = tokens[at..].iter().map(|token| token.text.as_str()).take(MARK.len()).eq(MARK);
        if !is_mark {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += MARK.len();
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                ";" if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

/// Names, `::` and single characters; comments, strings and characters dropped.
fn tokens(source: &str) -> Vec<Token> {
    let text: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    let starts = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| text.get(at + i) == Some(&c));
    while at < text.len() {
        let start = at;
        let c = text[at];
        if starts(at, "//") {
            at = end_of(&text, at, |at| text[at] == '\n');
        } else if starts(at, "/*") {
            let mut depth = 0;
            loop {
                match (starts(at, "/*"), starts(at, "*/")) {
                    (true, _) => (depth, at) = (depth + 1, at + 2),
                    (_, true) => (depth, at) = (depth - 1, at + 2),
                    _ => at += 1,
                }
                if depth == 0 || at >= text.len() {
                    break;
                }
            }
        } else if let Some(end) = raw_string(&text, at) {
            at = end;
        } else if c == '"' || starts(at, "b\"") || starts(at, "c\"") {
            at += if c == '"' { 1 } else { 2 };
            while at < text.len() && text[at] != '"' {
                at += if text[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' {
            // A lifetime has no closing quote after its first character.
            at += match (text.get(at + 1), text.get(at + 2)) {
                (Some('\\'), _) => end_of(&text, at + 3, |at| text[at] == '\'') - at + 1,
                (_, Some('\'')) => 3,
                _ => 1,
            };
        } else if c.is_alphabetic() || c == '_' {
            at = end_of(&text, at, |at| !text[at].is_alphanumeric() && text[at] != '_');
            tokens.push(Token { text: text[start..at].iter().collect(), line });
        } else if starts(at, "::") {
            at += 2;
            tokens.push(Token { text: "::".to_owned(), line });
        } else {
            at += 1;
            if !c.is_whitespace() {
                tokens.push(Token { text: c.to_string(), line });
            }
        }
        line += text[start..at.min(text.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn end_of(text: &[char], from: usize, is_end: impl Fn(usize) -> bool) -> usize {
    (from..text.len()).find(|at| is_end(*at)).unwrap_or(text.len())
}

/// Where `r#"..."#` ends, if one starts here.
fn raw_string(text: &[char], at: usize) -> Option<usize> {
    let after_b = if text.get(at) == Some(&'b') { at + 1 } else { at };
    if text.get(after_b) != Some(&'r') {
        return None;
    }
    let hashes = text[after_b + 1..].iter().take_while(|c| **c == '#').count();
    let open = after_b + 1 + hashes;
    if text.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: usize| {
        text[at] == '"' && text[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    Some(end_of(text, open + 1, closes) + 1 + hashes)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::named;

    fn paths(source: &str) -> Vec<String> {
        named(source).iter().map(|path| path.segments.join("::")).filter(|path| path.contains("::")).collect()
    }

    #[test]
    fn groups_are_spelled_out() {
        let source = "use crate::{git::{Git, status::*}, sys}; pub use super::super::cluster as c;";
        assert_eq!(
            paths(source),
            ["crate::git::Git", "crate::git::status::*", "crate::sys", "super::super::cluster"]
        );
    }

    #[test]
    fn paths_inside_code_and_types_count() {
        let source = "fn f(x: &crate::sys::World) -> Vec<crate::git::A> { let y = crate::a::b::<crate::c::D>(x.git::<u8>()); }";
        assert_eq!(paths(source), ["crate::sys::World", "crate::git::A", "crate::a::b", "crate::c::D"]);
    }

    #[test]
    fn comments_strings_characters_and_tests_do_not() {
        let source = r##"
            //! [`crate::a::b`]
            /* crate::a::b /* nested */ crate::a::b */
            const S: &str = "crate::a::b \" crate::a::b"; const R: &str = r#"crate::a::b " "#;
            const C: (char, char) = ('"', '\''); fn f<'a>(x: &'a crate::d::E) {}
            #[cfg(test)] use crate::a::b;
            #[cfg(test)] mod tests { use crate::a::b; fn g() { if true {} } }
            use crate::z::Z;
        "##;
        assert_eq!(paths(source), ["crate::d::E", "crate::z::Z"]);
    }

    #[test]
    fn lines_and_macros_are_told() {
        let found = named("\n\nstd::println!(\"x\");\nif a != b {}");
        assert_eq!(
            (found[0].segments.join("::").as_str(), found[0].line, found[0].is_macro),
            ("std::println", 3, true)
        );
        assert!(!found.iter().any(|path| path.is_macro && path.line == 4));
    }
}
