//! Front matter: YAML of the simplest kind, one line per name, the value in
//! JSON. Every YAML reader takes it; this one needs a split and serde_json.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Facts, Parent, SCHEMA, WorktreeFact};
use crate::safety;
use crate::terms::{AnyKey, CommitId, Time};

/// The largest front matter that is read or written, in bytes.
const MOST: usize = 256 * 1024;

/// Front matter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrontError {
    /// The document does not begin with `---`, or the block has no end.
    #[error("the document has no front matter")]
    Absent,
    /// There is more of it than any document of ours has.
    #[error("the front matter is larger than {MOST} bytes")]
    TooLarge,
    /// A line is not `name: JSON`.
    #[error("line {line} of the front matter is not `name: value in JSON`")]
    Line {
        /// Counted from 1, the opening `---` included.
        line: usize,
    },
    /// A name stands there twice, so that two readers could read two documents.
    #[error("line {line} of the front matter repeats a name")]
    Repeated {
        /// Counted from 1, the opening `---` included.
        line: usize,
    },
    /// It was written by a program that is newer than this one.
    #[error("the document follows {}, which this version does not know", safety::one_line(schema, 60))]
    Newer {
        /// The schema that it names.
        schema: String,
    },
    /// It has no schema: a document of an older custom.
    #[error("the document has no schema")]
    NoSchema,
    /// A value has not the form that its name asks for.
    #[error("the front matter has a wrong value: {}", safety::one_line(text, 200))]
    Value {
        /// What is wrong, in words.
        text: String,
    },
}

/// The facts as a block of front matter, both `---` lines included.
pub fn write(facts: &Facts) -> Result<String, FrontError> {
    let wrong = |e: serde_json::Error| FrontError::Value { text: e.to_string() };
    let Value::Object(map) = serde_json::to_value(facts).map_err(wrong)? else {
        return Err(FrontError::Absent);
    };
    let mut out = String::from("---\n");
    for (name, value) in map {
        out.push_str(&format!("{name}: {}\n", safety::json_line(&value)));
    }
    out.push_str("---\n");
    if out.len() > MOST { Err(FrontError::TooLarge) } else { Ok(out) }
}

/// Splits a document into the lines of its front matter and its body.
pub fn split(text: &str) -> Result<(&str, &str), FrontError> {
    let rest = text.strip_prefix("---\n").ok_or(FrontError::Absent)?;
    let window = rest.get(..MOST + 4).unwrap_or_else(|| &rest[..floor(rest, MOST + 4)]);
    let end = if window.starts_with("---\n") { Some(0) } else { window.find("\n---\n").map(|at| at + 1) };
    match end {
        Some(end) => Ok((&rest[..end], &rest[end + 4..])),
        None if rest.len() > MOST => Err(FrontError::TooLarge),
        None => Err(FrontError::Absent),
    }
}

/// Reads the facts and the body of a document.
pub fn read(text: &str) -> Result<(Facts, &str), FrontError> {
    let (block, body) = split(text)?;
    let map = values(block, |_| true)?;
    let facts = serde_json::from_value(Value::Object(map));
    Ok((facts.map_err(|e| FrontError::Value { text: e.to_string() })?, body))
}

/// The values of the names that are wanted, once the schema is known to be ours.
fn values(block: &str, wanted: impl Fn(&str) -> bool) -> Result<Map<String, Value>, FrontError> {
    let mut map = Map::new();
    let mut broken = None;
    for (index, line) in block.lines().enumerate() {
        let number = index + 2;
        let (name, value) = line.split_once(": ").ok_or(FrontError::Line { line: number })?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(FrontError::Line { line: number });
        }
        if !wanted(name) {
            continue;
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| {
            broken.get_or_insert(number);
            Value::Null
        });
        if map.insert(name.to_owned(), value).is_some() {
            return Err(FrontError::Repeated { line: number });
        }
    }
    // A document of an older custom has plain YAML here; its lack of a schema
    // says more than its first odd value, so that is looked at first.
    match map.get("schema").and_then(Value::as_str) {
        Some(SCHEMA) => broken.map_or(Ok(map), |line| Err(FrontError::Line { line })),
        Some(other) => Err(FrontError::Newer { schema: other.to_owned() }),
        None => Err(FrontError::NoSchema),
    }
}

/// What a list of documents needs, read from a few lines: a long list of files
/// or jobs costs nothing then.
#[derive(Debug, Clone, Deserialize)]
pub struct Peek {
    /// The document that this one continues or amends.
    #[serde(default)]
    pub parent: Option<Parent>,
    /// Other documents that it continues too.
    #[serde(default)]
    pub joins: Vec<AnyKey>,
    /// When it was made.
    pub created: Time,
    /// The machine on which it was made.
    pub host: String,
    /// Which worktree it speaks of.
    pub worktree: WorktreeFact,
    /// The branch that was checked out.
    pub branch: Option<String>,
    /// The commit that was checked out.
    pub head: Option<CommitId>,
}

/// Reads what a list needs, and whether the document names live jobs.
pub fn peek(text: &str) -> Result<(Peek, bool, &str), FrontError> {
    const NAMES: [&str; 8] = ["schema", "parent", "joins", "created", "host", "worktree", "branch", "head"];
    let (block, body) = split(text)?;
    let map = values(block, |name| NAMES.contains(&name))?;
    let has_jobs = block.lines().any(|line| line.starts_with("jobs: ") && line.contains("\"listed\":[{"));
    let peek =
        serde_json::from_value(Value::Object(map)).map_err(|e| FrontError::Value { text: e.to_string() })?;
    Ok((peek, has_jobs, body))
}

/// The body of a document, whatever its front matter is worth.
pub fn body_of(text: &str) -> &str {
    split(text).map_or(text, |(_, body)| body)
}

/// The title of a body: what the work is about, or the branch.
pub fn title_of(body: &str) -> Option<String> {
    body.lines().find_map(|line| line.strip_prefix("# Handover: ")).map(str::to_owned)
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> FrontError {
        read(text).unwrap_err()
    }

    #[test]
    fn what_is_no_front_matter_is_named() {
        assert_eq!(error(""), FrontError::Absent);
        assert_eq!(error("---\nschema: \"handover/1\"\n"), FrontError::Absent);
        assert_eq!(error("---\n---\n"), FrontError::NoSchema);
        assert_eq!(error("---\nkey: plain yaml\n---\n"), FrontError::NoSchema);
        assert_eq!(
            error("---\nschema: \"handover/2\"\n---\n"),
            FrontError::Newer { schema: "handover/2".into() }
        );
        assert_eq!(
            error("---\nschema: \"handover/1\"\nschema: \"handover/1\"\n---\n"),
            FrontError::Repeated { line: 3 }
        );
        assert_eq!(error("---\nschema: \"handover/1\"\n- x\n---\n"), FrontError::Line { line: 3 });
        assert_eq!(error("---\nschema: \"handover/1\"\nkey: &a [*a]\n---\n"), FrontError::Line { line: 3 });
        assert!(matches!(error("---\nschema: \"handover/1\"\nkey: 7\n---\n"), FrontError::Value { .. }));
        assert_eq!(error(&format!("---\nschema: \"{}\"\n---\n", "x".repeat(MOST))), FrontError::TooLarge);
        let deep = format!("---\nschema: \"handover/1\"\nkey: {}\n---\n", "[".repeat(100_000));
        assert_eq!(error(&deep), FrontError::Line { line: 3 });
        assert_eq!(error(&format!("---\n{}", "é".repeat(MOST))), FrontError::TooLarge);
    }
}
