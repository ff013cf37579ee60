//! The settings of one sync: what travels, and how much is let through.

use std::path::{Component, Path, PathBuf};

use super::super::{Context, Error};
use super::Options;
use crate::cluster::StateFile;
use crate::config::Profile;
use crate::sync::choose::Rules as Travel;
use crate::sync::guard::Limits;
use crate::sys::{Glob, read_regular};
use crate::terms::Time;
use crate::worktree;

/// The largest state file that is read for its time, in bytes.
const MOST: usize = 32 << 20;

/// All rules of one sync.
pub struct Rules {
    /// The profile's name.
    pub profile: String,
    /// What travels.
    pub travel: Travel,
    /// What is let through.
    pub limits: Limits,
}

/// Puts settings and options together.
///
/// # Errors
/// There is no such profile, or a glob is empty or leads out of the worktree.
pub fn of(context: &Context, options: &Options) -> Result<Rules, Error> {
    let sync = &context.config.sync;
    let name = match options.profile.as_ref().or(sync.profile.as_ref()) {
        Some(name) => name.clone(),
        // A worktree that `start` made is where somebody works, wherever it is.
        None if context.world.environment.finds_program("sbatch")
            && worktree::registry::entry_here(&context.repository)?.is_none() =>
        {
            "cluster".to_owned()
        }
        None => "local".to_owned(),
    };
    let profile: &Profile = sync.profiles.get(&name).ok_or_else(|| {
        let known: Vec<&str> = sync.profiles.keys().map(String::as_str).collect();
        Error::Usage {
            what: format!("there is no profile {}", crate::safety::one_line(&name, 60)),
            hint: format!("one of: {}", known.join(", ")),
        }
    })?;
    let travel = Travel {
        paths: profile.paths.as_deref().map(globs).transpose()?,
        deletions: profile.deletions,
        never: globs(&sync.never)?,
        session_logs: globs(&sync.session_logs)?,
        tracked: options.tracked,
        other: options.other.clone(),
    };
    let both = |settings: &[String], options: &[String]| globs(&[settings, options].concat());
    let limits = Limits {
        largest: profile.largest.unwrap_or(sync.largest),
        most_new: profile.most_new.unwrap_or(sync.most_new),
        most_gone: sync.most_gone,
        many: folders(&[&sync.many[..], &options.many[..]].concat())?,
        deletions: options.deletions,
        allow: both(&sync.allow, &options.allow)?,
        // A branch must not bring the permission for its own secrets with it.
        allow_secrets: both(&context.outside.sync.allow_secrets, &options.allow_secrets)?,
    };
    Ok(Rules { profile: name, travel, limits })
}

fn globs(texts: &[String]) -> Result<Vec<Glob>, Error> {
    let read = |text: &String| {
        Glob::read(text).ok_or_else(|| Error::Usage {
            what: format!("{} names no path below the worktree", crate::safety::one_line(text, 80)),
            hint: "paths and globs count from the top of the worktree: logs/**, data/small.npz".to_owned(),
        })
    };
    texts.iter().map(read).collect()
}

/// Folders as they stand in git's paths; `.` is the top alone.
fn folders(texts: &[String]) -> Result<Vec<PathBuf>, Error> {
    let read = |text: &String| {
        let path: PathBuf = Path::new(text).components().filter(|part| *part != Component::CurDir).collect();
        let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
        match path.as_os_str().is_empty() {
            _ if !is_below || text.is_empty() => Err(Error::Usage {
                what: format!("{} is no folder below the worktree", crate::safety::one_line(text, 80)),
                hint: "folders count from the top of the worktree, which is a dot: --many=runs, --many=."
                    .to_owned(),
            }),
            true => Ok(PathBuf::from(".")),
            false => Ok(path),
        }
    };
    texts.iter().map(read).collect()
}

/// The moment of which a state file speaks, if it says so.
pub fn state_of(worktree: &Path, state_file: &Path) -> Option<Time> {
    let bytes = read_regular(&worktree.join(state_file), MOST).ok()??;
    let file = StateFile { name: String::new(), bytes, committed_at: None };
    file.taken_at().map(|(time, _)| time)
}
