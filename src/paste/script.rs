use serde::Serialize;

use crate::terms::Digest;

/// Where committed scripts are, relative to the top of the worktree.
pub const FOLDER: &str = ".handover/run";

/// How many hex digits of its hash are the name of a script.
const DIGITS: usize = 12;

/// A script that is committed under a name with its own hash, and checks itself before it does anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Script {
    /// Where it is, relative to the top of the worktree.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Script {
    /// A script that runs these lines one after the other, each only if the one before went well.
    pub fn of(lines: &[&str]) -> Script {
        let body: String = lines.iter().map(|line| format!("    {{\n{line}\n    }} || return\n")).collect();
        Script::named(format!("{}work() {{\n{body}}}\n{}", head("sh"), TAIL))
    }

    /// The text of a script under the name that belongs to it.
    pub(super) fn named(text: String) -> Script {
        let digest = Digest::of(text.as_bytes()).to_string();
        let digits = digest.get(..DIGITS).unwrap_or(&digest);
        Script { path: format!("{FOLDER}/{digits}.sh"), text }
    }
}

fn head(shell: &str) -> String {
    format!(
        "#!/usr/bin/env {shell}\n# Made by `handover paste`. Its name is the beginning of its SHA-256: change nothing in it.\n{CHECK}"
    )
}

/// It is whole, in the repository that it was made for, and has not run yet.
const CHECK: &str = include_str!("../../templates/paste_check.sh");
const TAIL: &str = "run \"$@\"\n";
