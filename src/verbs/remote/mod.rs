//! The other machines of the settings: the login node, the workstation.

pub mod carry;
pub mod check;
pub mod reconcile;
pub mod run;
pub mod status;
pub mod worktree;

use serde::Serialize;

pub use crate::remote::rsync::Way;
pub use crate::sys::Side;

use super::{Context, Error};
use crate::remote::{
    Answers, Kind, Question, Section, Target, Trouble, Why, ask, last_seen, path_of_login, remember,
};
use crate::safety::clip;
use crate::terms::{Known, Time};

/// A machine, and what came of asking it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Machine<T> {
    /// The profile's name.
    pub name: String,
    /// What it is for.
    pub kind: Option<Kind>,
    /// Whom it is reached as.
    pub address: String,
    /// The project there.
    pub path: Option<String>,
    /// What it said.
    pub answer: Answer<T>,
}

/// What came of asking a machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Answer<T> {
    /// It answered.
    Reachable {
        /// What.
        said: T,
    },
    /// It cannot be reached for now: nothing is known about it.
    Offline {
        /// Why not.
        trouble: Trouble,
        /// When it last answered, if that is known.
        last_seen: Option<Time>,
    },
    /// It cannot be asked, and trying again changes nothing.
    Barred {
        /// Why not.
        trouble: Trouble,
        /// When it last answered, if that is known.
        last_seen: Option<Time>,
    },
}

impl<T> Machine<T> {
    /// A machine with its answer; that it gave one is remembered.
    fn of(context: &Context, target: &Target, answer: Result<T, Trouble>) -> Machine<T> {
        let home = context.home();
        let last_seen = last_seen(&home, target).map(|seen| seen.at);
        let answer = match answer {
            Ok(said) => {
                // Only memory: where it cannot be written the answer is as good.
                let _ = remember(context.world, &home, target, context.now);
                Answer::Reachable { said }
            }
            Err(trouble) if trouble.why.is_offline() => Answer::Offline { trouble, last_seen },
            Err(trouble) => Answer::Barred { trouble, last_seen },
        };
        Machine {
            name: target.name.clone(),
            kind: target.kind,
            address: target.address(),
            path: target.path.as_ref().map(ToString::to_string),
            answer,
        }
    }

    /// Why it did not answer.
    pub fn trouble(&self) -> Option<Why> {
        match &self.answer {
            Answer::Reachable { .. } => None,
            Answer::Offline { trouble, .. } | Answer::Barred { trouble, .. } => Some(trouble.why),
        }
    }
}

impl Machine<check::Report> {
    /// What the work needs and the machine has not, in words; nothing of one that did not answer.
    pub fn missing(&self) -> Vec<String> {
        match &self.answer {
            Answer::Reachable { said } => said.missing(self.kind),
            Answer::Offline { .. } | Answer::Barred { .. } => Vec::new(),
        }
    }
}

/// The machine of this name, or all that the settings name.
///
/// Only settings outside of the tree count: a branch leads nobody to a machine of its choice.
pub(super) fn targets(context: &Context, name: Option<&str>) -> Result<Vec<Target>, Error> {
    let settings = &context.outside.remote;
    if let Some(name) = name {
        return Ok(vec![named(context, name)?]);
    }
    let all: Result<Vec<Target>, _> =
        settings.profiles.keys().map(|name| Target::profile(name, settings)).collect();
    let all = all?;
    if all.is_empty() { Err(none(context)) } else { Ok(all) }
}

/// The profile of this name.
pub(super) fn named(context: &Context, name: &str) -> Result<Target, Error> {
    let settings = &context.outside.remote;
    if !settings.profiles.contains_key(name) && context.config.remote.profiles.contains_key(name) {
        return Err(Error::MachineOfTheTree { name: name.to_owned() });
    }
    Ok(Target::profile(name, settings)?)
}

/// The profile of this name, else the host.
pub(super) fn machine(context: &Context, text: &str) -> Result<Target, Error> {
    if context.config.remote.profiles.contains_key(text) {
        return named(context, text);
    }
    Ok(Target::named(text, &context.outside.remote)?)
}

/// Why there is no machine to go to.
fn none(context: &Context) -> Error {
    match context.config.remote.profiles.keys().next() {
        Some(name) => Error::MachineOfTheTree { name: name.clone() },
        None => Error::Remote(crate::remote::TargetError::None { what: "machine" }),
    }
}

/// So long a line of a machine is kept.
const LONGEST: usize = 300;

/// Asks machines side by side: `questions` says what, with what bash runs first; `read` reads what came,
/// between the two moments.
fn side_by_side<T: Send>(
    context: &Context,
    targets: &[Target],
    questions: impl Fn(&Target) -> (String, Vec<Question>) + Sync,
    read: impl Fn(&Target, Answers, [Time; 2]) -> T + Sync,
) -> Vec<Result<T, Trouble>> {
    let one = |target: &Target| {
        let (prelude, questions) = questions(target);
        let before = context.world.clock.now();
        let answers = ask(context.world, target, &prelude, &questions)?;
        Ok(read(target, answers, [before, context.world.clock.now()]))
    };
    let lost = || Trouble { why: Why::Other, words: "the question ended by a bug".to_owned(), tries: 1 };
    std::thread::scope(|threads| {
        let asked: Vec<_> = targets.iter().map(|target| threads.spawn(|| one(target))).collect();
        asked.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(lost()))).collect()
    })
}

/// Where the program that the machine is there for is only on a login shell's `PATH`, that is taken:
/// what ssh runs is no login shell.
fn login(target: &Target) -> String {
    path_of_login(match target.kind {
        Some(Kind::Workstation) => "nvidia-smi",
        Some(Kind::Slurm) | None => "squeue",
    })
}

/// What a command printed, if it ended well.
fn words(section: Option<&Section>) -> Known<String> {
    match section {
        None => Known::Unknown("it gave no answer".to_owned()),
        Some(section) => match (section.code, section.text()) {
            (_, Some(text)) => Known::Known(text),
            (127, None) => Known::Unknown("it is not there".to_owned()),
            (124, None) => Known::Unknown("it took too long".to_owned()),
            (code, None) => {
                Known::Unknown(format!("it ended with {code}: {}", clip(&section.complaint(), LONGEST)))
            }
        },
    }
}
