use serde::Serialize;

use super::{Fault, Refusal};
use crate::safety::{escape, secrets_in, shell_word};
use crate::terms::{Bytes, Digest};

/// Where committed scripts are, relative to the top of the worktree.
pub const FOLDER: &str = ".handover/run";

/// How many hex digits of its hash are the name of a script.
const DIGITS: usize = 12;

/// Before a script does anything: it is whole, in the repository that it was made for, and has not run yet.
const CHECK: &str = include_str!("../../templates/paste_check.sh");
const SNAPSHOT: &str = include_str!("../../templates/paste_snapshot.sh");
/// The end of the script within the script.
const END: &str = "HANDOVER_STATE_SCRIPT";

/// A script that is committed under a name with its own hash, and checks itself before it does anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Script {
    /// Where it is, relative to the top of the worktree.
    pub path: String,
    /// The shell that reads it: `sh` or `bash`.
    pub shell: &'static str,
    /// All of it.
    pub text: String,
}

/// What `paste snapshot` sends.
#[derive(Debug, Clone)]
pub struct Snapshot<'s> {
    /// The script that writes the state of the cluster into a file, for bash.
    pub state_script: &'s str,
    /// The file that it writes, relative to the top of the project.
    pub state_file: &'s str,
    /// Globs of the logs.
    pub logs: &'s [String],
    /// The largest file that goes.
    pub largest: Bytes,
    /// More new files than this are taken for output.
    pub most_new: usize,
}

impl Script {
    /// A script that runs these lines one after the other, each only if the one before went well; once.
    pub fn of(lines: &[&str]) -> Script {
        let body: String = lines.iter().map(|line| format!("    {{\n{line}\n    }} || return\n")).collect();
        Script::named("sh", "once=yes\n", &format!("work() {{\n{body}}}\n"))
    }

    /// The script that takes the cluster's state and sends it with the logs.
    ///
    /// # Errors
    /// [`Refusal`] for names that no shell takes.
    pub fn snapshot(wanted: &Snapshot) -> Result<Script, Refusal> {
        let word = |text: &str| {
            shell_word(text)
                .map_err(|_| Refusal { faults: vec![Fault::Control { characters: vec![escape(text)] }] })
        };
        let mut globs = vec![word(&format!(":(literal){}", wanted.state_file))?];
        for glob in wanted.logs {
            globs.push(word(&format!(":(glob){glob}"))?);
        }
        let settings = format!(
            "once=\nstate={}\nmost_bytes={}\nmost_new={}\nglobs=({})\n",
            word(wanted.state_file)?,
            wanted.largest.0,
            wanted.most_new,
            globs.join(" "),
        );
        let state = wanted.state_script.trim_end();
        let body = format!("{SNAPSHOT}\nstate_script() {{\n    cat <<'{END}'\n{state}\n{END}\n}}\n");
        let script = Script::named("bash", &settings, &body);
        match secrets_in(script.text.as_bytes()).first() {
            Some(secret) => Err(Refusal { faults: vec![Fault::Secret { rule: secret.rule.to_owned() }] }),
            None => Ok(script),
        }
    }

    /// A script under the name that belongs to its text.
    fn named(shell: &'static str, settings: &str, body: &str) -> Script {
        let text = format!(
            "#!/usr/bin/env {shell}\n# Made by `handover paste`. Its name is the beginning of its SHA-256, so nothing in it can be changed.\n\
             {settings}{CHECK}{body}run \"$@\"\n"
        );
        let digest = Digest::of(text.as_bytes()).to_string();
        let digits = digest.get(..DIGITS).unwrap_or(&digest);
        Script { path: format!("{FOLDER}/{digits}.sh"), shell, text }
    }
}
