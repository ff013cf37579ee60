//! A command on another machine, and a shell that stays there.

use std::ffi::OsString;

use serde::Serialize;

use super::named;
use crate::remote::{
    Ended, Question, RemotePath, Target, TargetError, Trouble, ask, remember, run_script, ssh_terminal,
};
use crate::sys::Side;
use crate::verbs::{Context, Error};

/// What is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The machine, by its name in the settings.
    pub machine: String,
    /// The folder there, from the project's own; that one by default.
    pub below: Option<String>,
    /// The program and its arguments, byte for byte.
    pub words: Vec<OsString>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The machine's name.
    pub machine: String,
    /// The exit status there.
    pub code: u8,
    /// What it printed, where that is not passed on as it comes; at most 4 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// What it complained, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
}

/// Runs it in the project there; what it prints goes to `on` as it comes.
///
/// # Errors
/// The machine cannot be reached, or the connection was lost before the command ended: then nobody
/// knows how it ended, or whether it did.
pub fn run(context: &Context, options: &Options, on: &mut dyn FnMut(Side, &[u8])) -> Result<Outcome, Error> {
    let target = named(context, &options.machine)?;
    let path = folder(&target, options.below.as_deref())?;
    let said = |trouble: Trouble| Error::Machine { name: target.name.clone(), trouble };
    let code = match run_script(context.world, &target, &path, &options.words, on).map_err(said)? {
        Ended::With(code) => code,
        Ended::NoFolder(words) => {
            return Err(Error::Usage {
                what: format!(
                    "there is no folder {path} on {}: {}",
                    target.name,
                    crate::safety::one_line(&words, 120)
                ),
                hint: format!(
                    "clone the project there, or set `path` below `remote`: handover remote check {}",
                    target.name
                ),
            });
        }
    };
    let _ = remember(context.world, &context.home(), &target, context.now);
    Ok(Outcome { machine: target.name, code, stdout: None, stderr: None })
}

/// Attaches this terminal to a shell on the machine that outlives the connection, and makes that shell
/// if it is not there. Returns its exit status.
///
/// # Errors
/// As for [`run`], and where there is no tmux.
pub fn shell(context: &Context, machine: &str) -> Result<u8, Error> {
    let target = named(context, machine)?;
    let path = folder(&target, None)?;
    let session = session_name(&context.repository.name());
    let said = |trouble: Trouble| Error::Machine { name: target.name.clone(), trouble };
    // Names and paths go over standard input first; the terminal needs that for itself afterwards.
    let make = format!("tmux has-session -t {session} 2>/dev/null || tmux new-session -d -s {session}",);
    let answers =
        ask(context.world, &target, "", &[Question::shell("tmux", make).at(&path)]).map_err(said)?;
    match answers.of("tmux") {
        Some(section) if section.code == 0 => {}
        section => {
            let words = section.map(|section| section.complaint()).unwrap_or_default();
            return Err(Error::Usage {
                what: format!(
                    "no shell was made on {}: {}",
                    target.name,
                    crate::safety::one_line(&words, 160)
                ),
                hint: format!("see what is missing there: handover remote check {}", target.name),
            });
        }
    }
    let _ = remember(context.world, &context.home(), &target, context.now);
    let spawn = ssh_terminal(&target, &format!("exec tmux attach-session -t {session}"));
    let code = context.world.processes.attach(&spawn).map_err(|error| Error::Git(error.into()))?;
    Ok(u8::try_from(code).unwrap_or(1))
}

fn folder(target: &Target, below: Option<&str>) -> Result<RemotePath, Error> {
    let project = match &target.path {
        Some(path) => path.clone(),
        None => RemotePath::read("~").map_err(TargetError::from)?,
    };
    Ok(match below {
        Some(below) => project.join(below).map_err(TargetError::from)?,
        None => project,
    })
}

/// A plain word for any shell: letters, digits and dashes.
fn session_name(repository: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("handover-{}", repository.chars().map(plain).take(40).collect::<String>())
}
