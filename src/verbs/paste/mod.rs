//! Lines for a phone: what somebody can paste on the cluster.

mod commit;
mod environment;
pub mod page;
mod place;
mod resubmit;

use serde::Serialize;

use super::{Context, Error, snapshot};
use crate::config::Source;
use crate::paste::{self, Carried, Carrier, Drawn, Fault, Part, Script, carry};
use crate::terms::Bytes;

pub use commit::commit;

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
    /// The state of the cluster, and its logs, sent from there.
    Snapshot,
    /// What the plan of a sweep submits.
    Resubmit {
        /// By what the sweep is found; the only one with failed tasks if it is not said.
        name: Option<String>,
        /// Where to look for the cluster, if not where the settings say.
        cluster: Option<Source>,
    },
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
    /// The line put right, where it can have meant one thing alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repaired: Option<String>,
    /// What was changed in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

/// Makes the lines.
///
/// # Errors
/// A step that is none, a script that is not there, and what no line can or may carry.
pub fn run(context: &Context, wanted: &Wanted) -> Result<Outcome, Error> {
    let mut notes = Vec::new();
    let mut place = place::of(context)?;
    let parts = match wanted {
        Wanted::Steps(steps) => steps_to_parts(context, steps, &mut notes)?,
        Wanted::Command(words) => vec![command(words, &mut notes)?],
        Wanted::Snapshot => Vec::new(),
        Wanted::Resubmit { name, cluster } => {
            let found = resubmit::parts(context, name.as_deref(), cluster.as_ref(), &place)?;
            notes.extend(found.notes);
            place = found.place;
            if found.parts.is_empty() {
                let project = place.path().to_owned();
                return Ok(Outcome { project, lines: Vec::new(), script: None, notes });
            }
            found.parts
        }
    };
    let carrier = Carrier { place: &place, longest: context.config.paste.longest, brings: PULL };
    let Carried { lines, script, why } = match wanted {
        Wanted::Snapshot => paste::run_there(&carrier, snapshot_script(context)?)?,
        _ => carry(&carrier, &parts)?,
    };
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
    let longest = context.config.paste.longest;
    let faults = paste::faults(line, place.path(), longest);
    let fits = faults.is_empty();
    let repaired = if fits { None } else { paste::repair(line, &place, longest) };
    let (repaired, changes) = repaired.map_or((None, Vec::new()), |one| (Some(one.line), one.changes));
    Ok(Checked { fits, faults, repaired, changes })
}

/// A line as a code for the camera of a phone; `None` if it is too long for any.
pub fn code(line: &Line, inverted: bool) -> Option<Drawn> {
    paste::qr(&line.text, inverted)
}

/// The script that sends the cluster's state and its logs.
fn snapshot_script(context: &Context) -> Result<Script, Error> {
    let (config, cluster) = (&context.config, context.config.sync.profiles.get("cluster"));
    let state_file = config.cluster.state_file.to_string_lossy().into_owned();
    let wanted = paste::Snapshot {
        state_script: snapshot::SCRIPT,
        state_file: &state_file,
        logs: &config.logs.globs,
        largest: cluster.and_then(|profile| profile.largest).unwrap_or(Bytes(2 << 20)),
        most_new: cluster.and_then(|profile| profile.most_new).unwrap_or(20_000),
    };
    Ok(Script::snapshot(&wanted)?)
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
