//! What stands against the removal of a worktree in other rooms than its own.

use std::path::{Path, PathBuf};

use super::{Context, Error, Identity, snapshot};
use crate::baton::Baton;
use crate::cluster::{Job, jobs_under};
use crate::config::Source;
use crate::document::{Copy, Here, Lineage, Store};
use crate::safety::{escape_path, one_line};
use crate::sys::World;
use crate::terms::{AnyKey, Known};
use crate::worktree::Target;
use crate::worktree::removal::Hindrances;

/// Asks the cluster, the batons and the documents about a worktree.
pub fn of(context: &Context, target: &Target, cluster: Option<&Source>) -> Result<Hindrances, Error> {
    let jobs = jobs_in(context, &target.path, cluster)?;
    Ok(Hindrances {
        jobs: jobs.map(|jobs| jobs.iter().map(words).collect()),
        baton: held_by_another(context, target)?.map(|(key, holder)| format!("{key}: {holder}")),
        papers: papers(context, &target.path)?,
    })
}

/// The jobs of our user that work or write in a directory, whatever the
/// settings say about names and ids: a job that the project forgot to name
/// writes there all the same.
pub fn jobs_in(context: &Context, dir: &Path, cluster: Option<&Source>) -> Result<Known<Vec<Job>>, Error> {
    let wide = everything_of_ours(context);
    let source = cluster.unwrap_or(&wide.config.cluster.source);
    let (queue, is_live) = match source {
        // Where Slurm's commands are to answer and do not, no file knows better.
        Source::Auto => match snapshot::queue_here(&wide) {
            here if matches!(here.jobs, Known::NotApplicable(_)) => {
                (snapshot::queue(&wide, Some(source))?, false)
            }
            here => (here, true),
        },
        Source::Local => (snapshot::queue(&wide, Some(source))?, true),
        other => (snapshot::queue(&wide, Some(other))?, false),
    };
    let is_configured = wide.config.cluster.is_configured || cluster.is_some();
    let inside = |jobs: Vec<Job>| -> Vec<Job> {
        let real: Vec<Job> = jobs.into_iter().map(through_links).collect();
        jobs_under(&real, dir).into_iter().cloned().collect()
    };
    Ok(match queue.jobs {
        Known::Known(jobs) => {
            let found = inside(jobs);
            // A job that is known to be there is known, however little else is.
            if !found.is_empty() || (is_live && !queue.partial) {
                Known::Known(found)
            } else if is_live || is_configured {
                Known::Unknown("the answer is not complete, or not of now".to_owned())
            } else {
                Known::NotApplicable(
                    "no Slurm here and none configured; a state file names no job in it".to_owned(),
                )
            }
        }
        Known::NotApplicable(why) if is_configured && !matches!(source, Source::Off) => Known::Unknown(why),
        other => other.map(inside),
    })
}

/// Who else holds the baton of a worktree's newest handovers.
pub fn held_by_another(context: &Context, target: &Target) -> Result<Option<(AnyKey, String)>, Error> {
    let identity = Identity::of(&context.world.environment);
    let lineage = Lineage::load(&Store::new(context.home()))?;
    let id = target.id.as_ref().map(|id| id.as_str());
    let here = Here { path: &target.path, id, host: &identity.host };
    let me = identity.at(&target.path);
    for leaf in lineage.leaves(&here) {
        let holder = Baton::of(context.world, &context.home(), &leaf.key).holder()?;
        if let Some(claim) = holder.filter(|claim| !claim.who.may_end(&me)) {
            return Ok(Some((leaf.key.clone(), claim.who.to_string())));
        }
    }
    Ok(None)
}

/// Lets the batons go that we hold on the handovers of a worktree.
pub fn release_ours(context: &Context, target: &Target) {
    let identity = Identity::of(&context.world.environment);
    let Ok(lineage) = Lineage::load(&Store::new(context.home())) else { return };
    let id = target.id.as_ref().map(|id| id.as_str());
    let here = Here { path: &target.path, id, host: &identity.host };
    for leaf in lineage.leaves(&here) {
        // One that is free, or another's, is none of ours.
        let _ = Baton::of(context.world, &context.home(), &leaf.key).release(&identity.at(&target.path));
    }
}

/// What lies in `CLAUDE/` and exists nowhere else.
fn papers(context: &Context, top: &Path) -> Result<Vec<String>, Error> {
    let copy = Copy::of(top);
    let store = Store::new(context.home());
    let mut found = Vec::new();
    let mut ours: Vec<PathBuf> = vec![copy.folder().join(".gitignore"), copy.folder().join("CONTEXT.md")];
    for key in copy.keys()? {
        ours.extend([copy.path(&key), copy.archived_path(&key)]);
        let sealed = store.load(&key)?.map(|stored| stored.bytes);
        // The draft of a sealed document was put away; what it said is in the document.
        ours.extend(sealed.is_some().then(|| copy.archived_draft_path(&key)));
        if copy.load(&key)? != sealed {
            found.push(format!("a copy of {key} that is not the sealed one"));
        }
    }
    if copy.draft_path().exists() {
        found.push(format!("a draft, {}", inside(top, &copy.draft_path())));
        ours.push(copy.draft_path());
    }
    let walk = walkdir::WalkDir::new(copy.folder()).sort_by_file_name().into_iter().flatten();
    for entry in walk.filter(|entry| !entry.file_type().is_dir()) {
        if !ours.iter().any(|path| path == entry.path()) {
            found.push(inside(top, entry.path()));
        }
    }
    Ok(found)
}

fn inside(top: &Path, path: &Path) -> String {
    escape_path(path.strip_prefix(top).unwrap_or(path))
}

/// The same context, asking for every job of our user.
pub(super) fn everything_of_ours<'w>(context: &Context<'w>) -> Context<'w> {
    let mut config = context.config.clone();
    config.cluster.names.clear();
    config.cluster.ids.clear();
    let world: &'w World = context.world;
    Context { world, repository: context.repository.clone(), config, now: context.now }
}

/// The job with its paths as they are without links, as far as they exist here.
pub(super) fn through_links(mut job: Job) -> Job {
    for path in [&mut job.work_dir, &mut job.stdout].into_iter().flatten() {
        let existing = path.ancestors().find_map(|dir| Some((dir.canonicalize().ok()?, dir)));
        if let Some((real, dir)) = existing
            && let Ok(rest) = path.strip_prefix(dir)
        {
            *path = if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    job
}

fn words(job: &Job) -> String {
    format!("{} {} {}", job.id, job.state, one_line(&job.name, 40))
}
