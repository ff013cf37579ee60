//! Lines for a phone: what somebody can paste on the cluster.

mod environment;
mod place;

use serde::Serialize;

use super::{Context, Error};
use crate::paste::{self, Carried, Carrier, Fault, Part, Script, carry};

/// What brings the commits of others, and never merges: without two dashes, which phones rewrite.
pub(super) const PULL: &str = "git -c pull.ff=only pull";

/// One thing to do there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Bring the commits, and the environment up to date.
    Pull,
    /// Bring the environment up to date.
    Environment,
    /// Submit this script.
    Submit(String),
}

/// What is wanted.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// These steps, one after the other.
    Steps(Vec<Step>),
    /// This command: its words, or one word that is a line of shell.
    Command(Vec<String>),
}

/// Lines to paste.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Where the project is there, as a shell there reads it.
    pub project: String,
    /// The lines, in the order in which they are pasted, each when the one before is done.
    pub lines: Vec<Line>,
    /// The script that they run, if they run one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<Placed>,
    /// Why it is a script or several lines, and what else to know.
    pub notes: Vec<String>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Line {
    /// The line, without an end.
    pub text: String,
    /// How long it is.
    pub bytes: usize,
}

/// A script, and whether it will be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Placed {
    /// Where it is, and its text.
    #[serde(flatten)]
    pub script: Script,
    /// True if the last commit here has it.
    pub is_committed: bool,
}

/// What is wrong with a line that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checked {
    /// True if it can be pasted as it is.
    pub fits: bool,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// Makes the lines.
///
/// # Errors
/// A step that is none, a script that is not there, and what no line can or may carry.
pub fn run(context: &Context, wanted: &Wanted) -> Result<Outcome, Error> {
    let mut notes = Vec::new();
    let parts = match wanted {
        Wanted::Steps(steps) => steps_to_parts(context, steps, &mut notes)?,
        Wanted::Command(words) => vec![command(words, &mut notes)?],
    };
    let place = place::of(context)?;
    let carrier = Carrier { place: &place, longest: context.config.paste.longest, brings: PULL };
    let Carried { lines, script, why } = carry(&carrier, &parts)?;
    notes.extend(why);
    let script = script.map(|script| placed(context, script)).transpose()?;
    let line = |text: String| Line { bytes: text.len(), text };
    Ok(Outcome {
        project: place.path().to_owned(),
        lines: lines.into_iter().map(line).collect(),
        script,
        notes,
    })
}

/// Says what is wrong with a line.
///
/// # Errors
/// The project's place cannot be in a line.
pub fn check(context: &Context, line: &str) -> Result<Checked, Error> {
    let place = place::of(context)?;
    let faults = paste::faults(line, place.path(), context.config.paste.longest);
    Ok(Checked { fits: faults.is_empty(), faults })
}

fn steps_to_parts(context: &Context, steps: &[Step], notes: &mut Vec<String>) -> Result<Vec<Part>, Error> {
    let part = |text: String, what: &str| Part { text, what: what.to_owned() };
    let mut parts = Vec::new();
    for step in steps {
        match step {
            Step::Pull => {
                parts.push(part(PULL.to_owned(), "bring the commits"));
                if !steps.contains(&Step::Environment) {
                    parts.extend(
                        environment::of(context).map(|text| part(text, "bring the environment up to date")),
                    );
                }
            }
            Step::Environment => match environment::of(context) {
                Some(text) => parts.push(part(text, "bring the environment up to date")),
                None => {
                    notes.push("the project has no lock file whose environment this program knows".to_owned())
                }
            },
            Step::Submit(script) => parts.push(part(submit(context, script, notes)?, "submit")),
        }
    }
    Ok(parts)
}

/// The line that submits a script of the project.
fn submit(context: &Context, script: &str, notes: &mut Vec<String>) -> Result<String, Error> {
    let wrong = |what: String| Error::Usage {
        what,
        hint: "name it from the top of the project: handover paste pull submit:train.sh".to_owned(),
    };
    let shown = crate::safety::one_line(script, 120);
    let path = std::path::Path::new(script);
    if script.is_empty()
        || path.is_absolute()
        || path.components().any(|part| part == std::path::Component::ParentDir)
    {
        return Err(wrong(format!("no script of the project is named by {shown}")));
    }
    if !context.repository.worktree().join(path).is_file() {
        return Err(wrong(format!("there is no script {shown} in this worktree")));
    }
    let git = context.repository.git();
    let committed = format!("HEAD:./{script}");
    if !git.at(context.repository.worktree()).try_run(&["cat-file", "-e", &committed])?.success() {
        notes.push(format!("{shown} is not committed, so a pull does not bring it"));
    }
    let script = if script.starts_with('-') { format!("./{script}") } else { script.to_owned() };
    Ok(paste::words(&["sbatch".to_owned(), script])?.0)
}

/// A command as one thing to do.
fn command(words: &[String], notes: &mut Vec<String>) -> Result<Part, Error> {
    let what = "run the command".to_owned();
    if let [line] = words
        && line.contains(' ')
    {
        return Ok(Part { text: line.clone(), what });
    }
    let (text, is_yes) = paste::words(words)?;
    if is_yes {
        notes.push("-y is put in: it would ask otherwise, and nobody sits there".to_owned());
    }
    Ok(Part { text, what })
}

fn placed(context: &Context, script: Script) -> Result<Placed, Error> {
    let git = context.repository.git().at(context.repository.worktree());
    let has = git.try_run(&["cat-file", "blob", &format!("HEAD:./{}", script.path)])?;
    let is_committed = has.success() && has.stdout == script.text.as_bytes();
    Ok(Placed { script, is_committed })
}
