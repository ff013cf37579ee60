//! Finds fields that serde cannot write whatever they hold: paths.

use super::paths::{Token, code};

/// Line and type of every field with a `Path` or `PathBuf` of a type that
/// derives `Serialize`, if the field says neither how it is written nor that it is not.
pub fn paths_that_may_fail(source: &str) -> Vec<(usize, String)> {
    let tokens = code(source);
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    let mut found = Vec::new();
    let mut is_serialised = false;
    let mut at = 0;
    while at < tokens.len() {
        match text(at) {
            "#" => {
                let end = closing(&tokens, at + 1);
                let words = || (at..end).map(text);
                is_serialised |=
                    words().any(|word| word == "derive") && words().any(|word| word == "Serialize");
                at = end;
            }
            "struct" | "enum" if is_serialised => {
                let name = text(at + 1).to_owned();
                let body = (at..tokens.len()).find(|at| matches!(text(*at), "{" | "(" | ";"));
                let end = body.map_or(tokens.len(), |body| closing(&tokens, body));
                let lines = bare_paths(&tokens[body.unwrap_or(end)..end]);
                found.extend(lines.into_iter().map(|line| (line, name.clone())));
                is_serialised = false;
                at = end;
            }
            // The item that a derive stands over begins with its visibility.
            "pub" | "(" | ")" | "crate" | "super" | "in" => at += 1,
            _ => {
                is_serialised = false;
                at += 1;
            }
        }
    }
    found
}

/// The lines of those fields in the body of a type.
fn bare_paths(body: &[Token]) -> Vec<usize> {
    let mut lines = Vec::new();
    let (mut says_how, mut angles, mut at) = (false, 0_i32, 0);
    while let Some(token) = body.get(at) {
        match token.text.as_str() {
            "#" => {
                let end = closing(body, at + 1);
                let how = ["serialize_with", "with", "skip", "skip_serializing"];
                let words: Vec<&str> = body[at..end].iter().map(|token| token.text.as_str()).collect();
                says_how |= words.contains(&"serde") && words.iter().any(|word| how.contains(word));
                at = end;
                continue;
            }
            "<" => angles += 1,
            ">" => angles -= 1,
            "," | "{" | "(" if angles == 0 => says_how = false,
            "Path" | "PathBuf" if !says_how => lines.push(token.line),
            _ => {}
        }
        at += 1;
    }
    lines
}

/// Just behind the bracket that closes the one at `open`; `open + 1` if there stands none.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return at + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::paths_that_may_fail;

    fn found(body: &str) -> Vec<(usize, String)> {
        paths_that_may_fail(&format!(
            "#[derive(Debug, Serialize)]\n#[serde(tag = \"is\")]\npub(crate) {body}"
        ))
    }

    #[test]
    fn a_bare_path_is_found_wherever_it_stands() {
        let one = vec![(3, "Row".to_owned())];
        assert_eq!(found("struct Row { name: String, path: PathBuf }"), one);
        assert_eq!(found("struct Row(PathBuf);"), one);
        assert_eq!(found("struct Row<'a> { path: &'a std::path::Path }"), one);
        assert_eq!(found("struct Row { by: BTreeMap<String, Vec<PathBuf>>, n: u8 }"), one);
        assert_eq!(found("enum Row { A, B { path: Option<PathBuf> }, C(u8) }"), one);
        assert_eq!(
            found("struct Row {\n#[serde(skip_serializing_if = \"x\")]\na: Option<PathBuf>,\nb: u8 }"),
            [(5, "Row".to_owned())]
        );
        // The field before says how, this one does not.
        assert_eq!(found("struct Row { #[serde(skip)] a: PathBuf, b: PathBuf }"), one);
    }

    #[test]
    fn a_path_that_says_how_or_never_goes_out_is_not() {
        assert!(
            found("struct Row { #[serde(serialize_with = \"x\")] #[cfg_attr(y, z)] a: PathBuf }").is_empty()
        );
        assert!(found("struct Row { #[serde(skip)] a: PathBuf, b: u8 }").is_empty());
        assert!(found("struct Row { a: u8 } struct Not { a: PathBuf } fn f(a: &Path) {}").is_empty());
        assert!(found("struct Row;\nstruct Not(PathBuf);").is_empty());
        assert!(paths_that_may_fail("#[derive(Debug)] struct Not { a: PathBuf }").is_empty());
    }
}
