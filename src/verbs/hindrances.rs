//! What stands against the removal of a worktree in other rooms than its own.

use std::path::{Path, PathBuf};

use super::batons::Batons;
use super::job_paths::resolved;
use super::{Context, Error, Identity, carried, snapshot};
use crate::baton::Baton;
use crate::cluster::{Job, Queue, jobs_under};
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
///
/// Slurm's commands here are asked for the jobs of the local user in any case:
/// a file that is committed with a branch, or `--cluster none`, may add another
/// place to look at, and hides nothing.
pub fn jobs_in(context: &Context, dir: &Path, cluster: Option<&Source>) -> Result<Known<Vec<Job>>, Error> {
    let mut wide = everything_of_ours(context);
    let mut answers = Vec::new();
    // What only this user and this clone say may name one user more.
    let trusted = context.outside.cluster.user.clone();
    for user in std::iter::once(None).chain(trusted.map(Some)) {
        wide.config.cluster.user = user;
        let queue = snapshot::queue_here(&wide);
        if !matches!(queue.jobs, Known::NotApplicable(_)) {
            answers.push(judged(queue, dir, true, true));
        }
    }
    wide.config.cluster.user = None;
    let is_here = !answers.is_empty();
    let settings = [&context.config.cluster, &context.outside.cluster];
    let is_configured = cluster.is_some() || settings.iter().any(|settings| settings.is_configured);
    let mut sources: Vec<&Source> = match cluster {
        Some(source) => vec![source],
        None => settings.iter().map(|settings| &settings.source).collect(),
    };
    sources.dedup();
    for source in sources {
        match source {
            // Where Slurm's commands are to answer and do not, no file knows better.
            Source::Auto | Source::Local if is_here => {}
            Source::Off => answers.push(Known::NotApplicable("the cluster is switched off".to_owned())),
            other => {
                // One that is named for this call is a slip if it cannot be read.
                wide.config.cluster.source = other.clone();
                let queue = snapshot::queue(&wide, cluster)?;
                answers.push(judged(queue, dir, false, is_configured));
            }
        }
    }
    Ok(together(answers))
}

/// What an answer says about the jobs in a directory.
fn judged(queue: Queue, dir: &Path, is_live: bool, is_configured: bool) -> Known<Vec<Job>> {
    let jobs = match queue.jobs {
        Known::Known(jobs) => jobs,
        Known::NotApplicable(why) if is_configured => return Known::Unknown(why),
        other => return other,
    };
    let jobs: Vec<(Job, bool)> = jobs.into_iter().map(resolved).collect();
    let (found, others): (Vec<_>, Vec<_>) =
        jobs.into_iter().partition(|(job, _)| !jobs_under(std::slice::from_ref(job), dir).is_empty());
    // A job that is known to be there is known, however little else is.
    if !found.is_empty() {
        return Known::Known(found.into_iter().map(|(job, _)| job).collect());
    }
    if let Some((job, _)) = others.iter().find(|(_, all_known)| !all_known) {
        let why = "a directory in the path of its output has a pattern that only Slurm can fill";
        return Known::Unknown(format!("where job {} writes is not known: {why}", job.id));
    }
    match is_live && !queue.partial {
        true => Known::Known(Vec::new()),
        false if is_configured => Known::Unknown("the answer is not complete, or not of now".to_owned()),
        false => Known::NotApplicable(
            "no Slurm here and none configured; a state file names no job in it".to_owned(),
        ),
    }
}

/// All that was found; nothing is there only if no answer leaves that open.
fn together(answers: Vec<Known<Vec<Job>>>) -> Known<Vec<Job>> {
    let mut found: Vec<Job> = Vec::new();
    for job in answers.iter().filter_map(Known::known).flatten() {
        if !found.iter().any(|known| known.label() == job.label()) {
            found.push(job.clone());
        }
    }
    if !found.is_empty() {
        return Known::Known(found);
    }
    let rank = |answer: &Known<Vec<Job>>| match answer {
        Known::Unknown(_) => 0,
        Known::Known(_) => 1,
        Known::NotApplicable(_) => 2,
    };
    let nowhere = || Known::NotApplicable("no cluster is named".to_owned());
    answers.into_iter().min_by_key(rank).unwrap_or_else(nowhere)
}

/// Who else holds the baton of a handover of a worktree. The older ones count
/// too: a document that another made after it ends nobody's baton.
pub fn held_by_another(context: &Context, target: &Target) -> Result<Option<(AnyKey, String)>, Error> {
    let identity = Identity::of(&context.world.environment);
    let lineage = Lineage::load(&Store::new(context.home()))?;
    let id = target.id.as_ref().map(|id| id.as_str());
    let here = Here { path: &target.path, id, host: &identity.host };
    let me = identity.at(&target.path);
    for (key, claim) in Batons::look(context)?.into_those_of(&lineage, &here) {
        let claim = claim?;
        if !claim.who.may_end(&me) {
            return Ok(Some((key, claim.who.to_string())));
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
    let Ok(batons) = Batons::look(context) else { return };
    for (key, _) in batons.into_those_of(&lineage, &here) {
        // Another's is none of ours.
        let baton = Baton::of(context.world, &context.home(), &key);
        if baton.release(&identity.at(&target.path)).is_ok() {
            // What cannot be told now is told by the next sync.
            let _ = carried::batons::tell_end(context, &key);
        }
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
    let outside = context.outside.clone();
    Context { world, repository: context.repository.clone(), config, outside, now: context.now }
}

fn words(job: &Job) -> String {
    format!("{} {} {}", job.id, job.state, one_line(&job.name, 40))
}
