//! Removes a worktree without integrating it, if nothing would be lost.

use std::path::Path;

use serde::Serialize;

use super::{Context, Error, hindrances};
use crate::config::Source;
use crate::git::list;
pub use crate::worktree::removal::{Finding, Plan, Receipt, Waiver};
use crate::worktree::trash::{self, Trashed};
use crate::worktree::{Target, removal};

/// What to remove, and what may be given up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The feature, branch, path, or name of the directory.
    pub feature: String,
    /// What is given up.
    pub waive: Vec<Waiver>,
    /// Where to look for the cluster, if not where the settings say.
    pub cluster: Option<Source>,
}

/// What a removal would do.
pub enum Intent {
    /// Remove it as planned.
    Remove(Box<Plan>),
    /// End a removal that was cut short.
    GoOn(Box<Trashed>),
}

/// What is in the trash.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trash {
    /// Everything, newest first.
    pub entries: Vec<TrashRow>,
}

/// One entry of the trash.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrashRow {
    /// The entry.
    #[serde(flatten)]
    pub entry: Trashed,
    /// What stands against putting it back.
    pub obstacle: Option<String>,
}

/// Looks at everything that would be lost.
pub fn plan(context: &Context, here: &Path, options: &Options) -> Result<Intent, Error> {
    let Context { world, repository, .. } = context;
    let target = match Target::find(repository, &options.feature, here) {
        Err(crate::worktree::Error::NotVisible { branch, path }) => {
            return match trash::half_done(repository.common_dir(), &path)? {
                Some(note) => Ok(Intent::GoOn(Box::new(note))),
                None => Err(crate::worktree::Error::NotVisible { branch, path }.into()),
            };
        }
        found => found?,
    };
    let hindrances = hindrances::of(context, &target, options.cluster.as_ref())?;
    let plan = removal::plan(world, repository, &target, &hindrances, &options.waive)?;
    Ok(Intent::Remove(Box::new(plan)))
}

/// What a removal now would delete from the trash for good, in words.
pub fn would_sweep(context: &Context) -> Result<Vec<String>, Error> {
    let age = context.config.retention.trash_after;
    let due = trash::due(context.repository.common_dir(), age, context.now)?;
    Ok(due.iter().map(|note| format!("{} ({})", note.name, note.id)).collect())
}

/// Does what was planned.
pub fn execute(context: &Context, intent: &Intent) -> Result<Receipt, Error> {
    let Context { world, repository, config, now, .. } = context;
    let keep = config.retention.trash_after;
    Ok(match intent {
        Intent::Remove(plan) => removal::execute(world, repository, plan, keep, *now)?,
        Intent::GoOn(note) => removal::go_on(world, repository, note, keep, *now)?,
    })
}

/// What is in the trash, and whether it can be put back.
pub fn list_trash(context: &Context) -> Result<Trash, Error> {
    let repository = &context.repository;
    let mut entries = Vec::new();
    for entry in trash::list(repository.common_dir())? {
        let obstacle = trash::obstacle(repository, &entry)?;
        entries.push(TrashRow { entry, obstacle });
    }
    Ok(Trash { entries })
}

/// Which removed worktree would be put back, and what stands against it.
pub fn plan_undo(context: &Context, id: &str) -> Result<TrashRow, Error> {
    let entry = trash::find(context.repository.common_dir(), id)?;
    let obstacle = trash::obstacle(&context.repository, &entry)?;
    Ok(TrashRow { entry, obstacle })
}

/// Puts a removed worktree back where it was.
///
/// Besides the entry it says what stayed behind, if anything did.
pub fn undo(context: &Context, id: &str) -> Result<(Trashed, Option<String>), Error> {
    let note = trash::find(context.repository.common_dir(), id)?;
    let stays = trash::restore(context.world, &context.repository, &note)?;
    // Git itself says whether it is whole again.
    let listed = list(context.repository.git())?;
    if !listed.iter().any(|entry| entry.path == note.place() && entry.prunable.is_none()) {
        let why = "git does not list it; see git worktree repair".to_owned();
        return Err(crate::worktree::Error::NotRestored { name: note.name, why }.into());
    }
    Ok((note, stays))
}
