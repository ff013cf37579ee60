use serde::Serialize;

use super::danger;
use super::shell::{Unread, read};
use crate::safety::{escape, secrets_in};

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// There is nothing in it.
    #[error("there is nothing in it")]
    Empty,
    /// It is more than one line.
    #[error("it is {count} lines, and a prompt runs each as soon as it is pasted")]
    Lines {
        /// How many.
        count: usize,
    },
    /// Characters that a prompt acts on, or that nobody sees.
    #[error("{} cannot be pasted: a prompt acts on it, or nobody sees it", characters.join(", "))]
    Control {
        /// Which, by their numbers.
        characters: Vec<String>,
    },
    /// Characters that phones and mail programs put in place of others, or that a prompt may not take.
    #[error("it holds {}", characters.join(", "))]
    NotAscii {
        /// Which, and what they are.
        characters: Vec<String>,
    },
    /// Characters that a phone rewrites.
    #[error("a phone makes something else of {}", texts.join(" and of "))]
    Rewritten {
        /// Which.
        texts: Vec<String>,
    },
    /// It begins or ends with something that gets lost.
    #[error("{what} gets lost")]
    Edge {
        /// What.
        what: &'static str,
    },
    /// It is longer than a line may be.
    #[error("it is {bytes} bytes long, and {most} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// It does not say where it runs.
    #[error("it does not begin with `cd` into the project: it runs wherever the prompt stands")]
    Nowhere,
    /// A quote, a bracket or a backslash has no end.
    #[error("{what} has no end")]
    Open {
        /// What.
        what: &'static str,
    },
    /// It is more than words and operators, so that nobody can tell here what it does.
    #[error("{what} is more than this program can read")]
    Beyond {
        /// What.
        what: &'static str,
    },
    /// Which program runs is not to be seen.
    #[error("which program `{}` runs is not to be seen", escape(what))]
    Unclear {
        /// The command.
        what: String,
    },
    /// It would wait for somebody.
    #[error("`{}` waits for somebody at the keys; take {instead}", escape(what))]
    Interactive {
        /// The command.
        what: String,
        /// What to take instead.
        instead: String,
    },
    /// It would take away what nobody meant.
    #[error("`{}` is refused: {why}", escape(what))]
    Dangerous {
        /// The command.
        what: String,
        /// Why.
        why: String,
    },
    /// It holds what looks like a secret.
    #[error("it holds what looks like a secret ({rule})")]
    Secret {
        /// The rule that found it.
        rule: String,
    },
}

/// A line that is carried in no way, with the reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Refusal {
    /// What is wrong with it; at least one.
    pub faults: Vec<Fault>,
}

impl Fault {
    /// True if no other form of the line mends it.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Fault::Empty
                | Fault::Control { .. }
                | Fault::Open { .. }
                | Fault::Unclear { .. }
                | Fault::Interactive { .. }
                | Fault::Dangerous { .. }
                | Fault::Secret { .. }
        )
    }
}

/// What phones and the programs on them rewrite, and what becomes of it.
const REWRITTEN: [(&str, &str); 12] = [
    ("'", "a straight quote (it becomes a curly one)"),
    ("\"", "a straight double quote (it becomes a curly one)"),
    ("`", "a backtick (it marks code, or becomes an accent)"),
    ("--", "two dashes (they become a long one)"),
    ("...", "three dots (they become one character)"),
    ("  ", "two blanks (they become a dot)"),
    ("(c)", "(c) (it becomes a sign)"),
    ("(C)", "(C) (it becomes a sign)"),
    ("(r)", "(r) (it becomes a sign)"),
    ("(R)", "(R) (it becomes a sign)"),
    ("->", "-> (it becomes an arrow)"),
    ("<-", "<- (it becomes an arrow)"),
];

/// All that is wrong with a line as it stands, for a project at `project`.
pub fn faults(line: &str, project: &str, longest: usize) -> Vec<Fault> {
    let mut faults = form(line, longest);
    faults.extend(contents(line, project));
    let begins = line.trim_start();
    let has_place = begins.starts_with("cd ") && begins.contains("&&");
    if !begins.is_empty() && !has_place {
        faults.push(Fault::Nowhere);
    }
    faults
}

/// What is wrong with what a line looks like.
pub(super) fn form(line: &str, longest: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    let body = line.strip_suffix('\n').unwrap_or(line);
    if body.trim().is_empty() {
        return vec![Fault::Empty];
    }
    let count = body.lines().count();
    if count > 1 {
        faults.push(Fault::Lines { count });
    }
    let mut control: Vec<String> = Vec::new();
    let mut foreign: Vec<String> = Vec::new();
    for c in body.chars().filter(|c| *c != '\n') {
        let list = match c {
            ' '..='~' => continue,
            _ if c.is_control() => &mut control,
            _ => &mut foreign,
        };
        let name = name(c);
        if !list.contains(&name) {
            list.push(name);
        }
    }
    for (list, fault) in [
        (control, (|characters| Fault::Control { characters }) as fn(Vec<String>) -> Fault),
        (foreign, |characters| Fault::NotAscii { characters }),
    ] {
        if !list.is_empty() {
            faults.push(fault(list.into_iter().take(8).collect()));
        }
    }
    let texts: Vec<String> = REWRITTEN
        .iter()
        .filter(|(text, _)| body.contains(text))
        .map(|(_, words)| (*words).to_owned())
        .collect();
    if !texts.is_empty() {
        faults.push(Fault::Rewritten { texts });
    }
    if body.len() != line.len() {
        faults.push(Fault::Edge { what: "a new line at the end runs it before somebody has read it, or" });
    } else if body.trim() != body {
        faults.push(Fault::Edge { what: "a blank at the beginning or the end" });
    } else if body.ends_with('.') {
        faults.push(Fault::Edge { what: "a dot at the end" });
    }
    if line.len() > longest {
        faults.push(Fault::TooLong { bytes: line.len(), most: longest });
    }
    faults
}

/// What is wrong with what a line does or holds.
pub(super) fn contents(line: &str, project: &str) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for secret in secrets_in(line.as_bytes()) {
        let fault = Fault::Secret { rule: secret.rule.to_owned() };
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    match read(line) {
        Ok(tokens) => faults.extend(danger::look(&tokens, project)),
        Err(Unread::Open(what)) => faults.push(Fault::Open { what }),
        Err(Unread::Beyond(what)) => faults.push(Fault::Beyond { what }),
    }
    faults
}

/// A character for people who cannot see or type it.
fn name(c: char) -> String {
    let words = match c {
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' => "a curly quote",
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' => "a curly double quote",
        '\u{2010}' | '\u{2011}' => "a hyphen that is no minus",
        '\u{2012}' | '\u{2013}' => "an en dash",
        '\u{2014}' | '\u{2015}' => "an em dash",
        '\u{2212}' => "a minus sign of mathematics",
        '\u{2026}' => "an ellipsis",
        '\u{a0}' | '\u{202f}' | '\u{2007}' => "a blank that does not break",
        '\u{2000}'..='\u{200a}' | '\u{3000}' | '\u{205f}' => "a blank of another width",
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => "a character without width",
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => "a mark of direction",
        '\t' => "a tab",
        '\r' => "a carriage return",
        '\u{1b}' => "an escape",
        _ if c.is_control() => "a control character",
        _ if escape(c.encode_utf8(&mut [0; 4])).len() > c.len_utf8() => "a character that nobody sees",
        _ => return format!("{c} (U+{:04X})", u32::from(c)),
    };
    format!("{words} (U+{:04X})", u32::from(c))
}
