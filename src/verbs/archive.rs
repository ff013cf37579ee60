//! `archive`: old handovers out of the way, never out of reach.
//!
//! An archived document stays where it is in the store and still answers to
//! its key. What changes is a marker beside it, the place of its copies, and the
//! context blocks that name it; that is one step under the lock, and whatever a
//! crash leaves undone of it is done by the next run.

use std::path::Path;

use serde::Serialize;

use super::lookup::Shelf;
use super::{Context, Error, Identity, batons, cluster_facts, pointer, snapshot};
use crate::baton::Baton;
use crate::cluster::{Origin, Snapshot};
use crate::config::Source;
use crate::document::retention::{self, Candidate, Kept};
use crate::document::{self, Copy, Entry, Facts, Here, Lineage, Store, drift};
use crate::git::{Repository, list};
use crate::safety::escape_path;
use crate::sys::FileError;
use crate::sys::lock::{self, Holder, Lock};
use crate::terms::{AnyKey, Known, Seconds};
use crate::worktree::registry;

/// How long another's lock is waited for.
const PATIENCE: Seconds = Seconds(20);

/// What to archive.
#[derive(Debug, Clone)]
pub struct Options {
    /// How old a document must be, by the date in its key.
    pub older_than: Seconds,
    /// Where to look for the cluster.
    pub cluster: Option<Source>,
}

/// What would be done.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// What the policy says.
    #[serde(flatten)]
    pub retention: retention::Plan,
    /// Archived before, and not put away everywhere: a run that was interrupted.
    pub unfinished: Vec<AnyKey>,
    /// How many were archived before.
    pub archived_before: usize,
}

/// What was done.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// True if nothing was changed because that was asked for.
    pub dry_run: bool,
    /// Archived now, or what would be.
    pub archived: Vec<AnyKey>,
    /// What an interrupted run had left, and was done now.
    pub finished: Vec<AnyKey>,
    /// Old enough, and kept for a reason.
    pub kept: Vec<Kept>,
    /// How many are too young.
    pub young: usize,
    /// How many were archived before.
    pub archived_before: usize,
    /// What should have been done and was not, with the reason.
    pub not_done: Vec<String>,
}

/// A worktree of this clone that is there.
struct Tree<'w> {
    repository: Repository<'w>,
    id: Option<String>,
    /// Our block in its context file, if there is a newest document to point to instead.
    block: String,
}

impl Tree<'_> {
    /// True if it still shows a document as one that counts.
    fn shows(&self, key: &AnyKey) -> bool {
        let copy = Copy::of(self.repository.worktree()).path(key);
        copy.symlink_metadata().is_ok() || self.block.contains(&key.to_string())
    }
}

/// Judges every document; changes nothing.
pub fn plan(context: &Context, options: &Options) -> Result<Plan, Error> {
    let store = Store::new(context.home());
    let lineage = Lineage::load(&store)?;
    let trees = trees(context, &lineage)?;
    let current = current(context, &lineage, &trees);
    let open = lineage.entries().filter(|entry| !entry.is_archived);
    let mut cluster = None;
    let mut candidates = Vec::new();
    for entry in open {
        // A young one is not judged, so nobody needs to be asked about it.
        let is_old = retention::is_old(&entry.key, options.older_than, context.now);
        let has_live_jobs = if is_old && entry.has_live_jobs {
            if cluster.is_none() {
                cluster = Some(snapshot::take(context, options.cluster.as_ref())?);
            }
            live_jobs(&store, &entry.key, cluster.as_ref())
        } else {
            Known::NotApplicable("not asked".to_owned())
        };
        candidates.push(Candidate {
            key: entry.key.clone(),
            parent: entry.parent.clone(),
            is_current: current.contains(&entry.key),
            is_held: held(context, &entry.key),
            has_live_jobs,
            is_readable: entry.problem.is_none(),
        });
    }
    let archived: Vec<&Entry> = lineage.entries().filter(|entry| entry.is_archived).collect();
    let unfinished = archived
        .iter()
        .filter(|entry| trees.iter().any(|tree| tree.shows(&entry.key)))
        .map(|entry| entry.key.clone())
        .collect();
    Ok(Plan {
        retention: retention::plan(&candidates, options.older_than, context.now),
        unfinished,
        archived_before: archived.len(),
    })
}

/// The outcome of looking alone.
pub fn dry_run(plan: &Plan) -> Outcome {
    Outcome {
        dry_run: true,
        archived: plan.retention.archive.clone(),
        finished: plan.unfinished.clone(),
        kept: plan.retention.kept.clone(),
        young: plan.retention.young,
        archived_before: plan.archived_before,
        not_done: Vec::new(),
    }
}

/// Archives what `options` say, under the lock, as a fresh plan allows it.
///
/// `on_wait` hears whose lock is waited for.
pub fn execute(
    context: &Context,
    options: &Options,
    on_wait: &mut dyn FnMut(&Holder),
) -> Result<Outcome, Error> {
    let lock = lock::acquire(context.world, &context.home(), "archive handovers", PATIENCE, on_wait)?;
    // Somebody may have resumed one of them in the meantime.
    let plan = plan(context, options)?;
    let store = Store::new(context.home());
    let trees = trees(context, &Lineage::load(&store)?)?;
    let mut outcome =
        Outcome { dry_run: false, archived: Vec::new(), finished: Vec::new(), ..dry_run(&plan) };
    for key in &plan.retention.archive {
        lock.confirm()?;
        mark(context, &store, key)?;
        put_away(context, &trees, key, &mut outcome.not_done);
        outcome.archived.push(key.clone());
    }
    for key in &plan.unfinished {
        lock.confirm()?;
        put_away(context, &trees, key, &mut outcome.not_done);
        outcome.finished.push(key.clone());
    }
    repoint(context, &trees, &lock, &plan, &mut outcome.not_done)?;
    lock.release()?;
    Ok(outcome)
}

/// The worktrees of this clone that are there.
fn trees<'w>(context: &Context<'w>, lineage: &Lineage) -> Result<Vec<Tree<'w>>, Error> {
    let host = Identity::of(&context.world.environment).host;
    let mut trees = Vec::new();
    for listed in list(context.repository.git())? {
        if listed.is_bare || !listed.path.is_dir() {
            continue;
        }
        let repository = Repository::discover(context.world, &listed.path)?;
        let id = registry::id_of(repository.git_dir())?.map(|id| id.as_str().to_owned());
        let here = Here { path: repository.worktree(), id: id.as_deref(), host: &host };
        let block = lineage.leaf(&here).map(|_| pointer::text_of(repository.worktree())).unwrap_or_default();
        trees.push(Tree { repository, id, block });
    }
    Ok(trees)
}

/// The newest documents of the worktrees that are there, or may be: those of
/// other hosts cannot be looked at.
fn current(context: &Context, lineage: &Lineage, trees: &[Tree]) -> Vec<AnyKey> {
    let host = Identity::of(&context.world.environment).host;
    let mut keys: Vec<AnyKey> = Vec::new();
    for tree in trees {
        let here = Here { path: tree.repository.worktree(), id: tree.id.as_deref(), host: &host };
        keys.extend(lineage.leaves(&here).into_iter().map(|entry| entry.key.clone()));
    }
    let elsewhere = lineage.entries().filter(|entry| entry.host.as_ref().is_some_and(|other| *other != host));
    keys.extend(elsewhere.filter(|entry| is_leaf_there(lineage, entry)).map(|entry| entry.key.clone()));
    keys
}

/// True if no document of the same worktree follows.
fn is_leaf_there(lineage: &Lineage, entry: &Entry) -> bool {
    let Some((worktree, host)) = entry.worktree.as_ref().zip(entry.host.as_deref()) else { return true };
    let there = Here { path: Path::new(&worktree.path), id: worktree.id.as_deref(), host };
    let mut successors = lineage.successors(&entry.key);
    !successors.any(|child| child.worktree.as_ref().is_some_and(|of| there.is_of(of, child.host.as_deref())))
}

fn held(context: &Context, key: &AnyKey) -> Known<bool> {
    match Baton::of(context.world, &context.home(), key).holder() {
        Ok(holder) => Known::Known(holder.is_some()),
        Err(e) => Known::Unknown(e.to_string()),
    }
}

/// True if a job that the document names is still live.
fn live_jobs(store: &Store, key: &AnyKey, cluster: Option<&Snapshot>) -> Known<bool> {
    let unknown = |why: &str| Known::Unknown(why.to_owned());
    let Some(snapshot) = cluster else { return unknown("the cluster was not asked") };
    let Ok(Some(stored)) = store.load(key) else { return unknown("the document cannot be read") };
    let Ok((facts, _)) = document::read(&String::from_utf8_lossy(&stored.bytes)) else {
        return unknown("the document cannot be read");
    };
    let Some(named) = &facts.jobs else { return unknown("the document does not name them") };
    if let Some(why) = cannot_tell(&facts, snapshot) {
        return Known::Unknown(why);
    }
    let ids: Vec<_> = named.listed.iter().flat_map(document::JobFact::units).collect();
    let now = match cluster_facts::now(snapshot, &ids) {
        Known::Known(now) => now,
        Known::Unknown(why) | Known::NotApplicable(why) => return Known::Unknown(why),
    };
    let live: Vec<Option<bool>> = ids.iter().map(|id| drift::is_live(*id, &now)).collect();
    if live.contains(&Some(true)) {
        return Known::Known(true);
    }
    if named.omitted > 0 || named.listed.iter().any(|job| job.tasks_cut) {
        return unknown("the document does not list all of them");
    }
    if now.is_partial && live.contains(&None) {
        return unknown("not all of the queue could be read");
    }
    Known::Known(false)
}

/// Why the absence of a job from this look proves nothing.
fn cannot_tell(facts: &Facts, snapshot: &Snapshot) -> Option<String> {
    if let Origin::File { .. } = snapshot.origin
        && snapshot.taken_at.is_none_or(|taken| taken <= facts.created)
    {
        return Some("the state file is not newer than the document".to_owned());
    }
    let (then, (now, _)) =
        (&facts.cluster, cluster_facts::of(snapshot, snapshot.taken_at.unwrap_or(facts.created)));
    let differs = |one: &Option<String>, two: &Option<String>| one.is_some() && two.is_some() && one != two;
    if differs(&then.name, &now.name) {
        return Some("another cluster answers than then".to_owned());
    }
    ((&then.user, &then.scope) != (&now.user, &now.scope))
        .then(|| "jobs are looked for in another scope than then".to_owned())
}

/// Marks a document as archived: from now on it is.
fn mark(context: &Context, store: &Store, key: &AnyKey) -> Result<(), FileError> {
    let marker = store.archive_marker(key);
    let who = Identity::of(&context.world.environment);
    let line = serde_json::json!({ "key": key, "at": context.now, "host": who.host, "user": who.user });
    context.world.files.ensure_dir(marker.parent().unwrap_or(&marker))?;
    match context.world.files.create_new(&marker, format!("{line}\n").as_bytes(), 0o444, true) {
        Err(e) if e.already_exists() => Ok(()),
        done => done,
    }
}

/// Moves the copies of a document to where archived ones are. An edited copy is
/// moved as it is; nothing is overwritten.
fn put_away(context: &Context, trees: &[Tree], key: &AnyKey, not_done: &mut Vec<String>) {
    for tree in trees {
        let copy = Copy::of(tree.repository.worktree());
        let (from, to) = (copy.path(key), copy.archived_path(key));
        if from.symlink_metadata().is_err() {
            continue;
        }
        if let Err(why) = move_copy(context, copy.folder(), &from, &to) {
            not_done.push(format!("{} stays where it is: {why}", escape_path(&from)));
        }
    }
}

fn move_copy(context: &Context, folder: &Path, from: &Path, to: &Path) -> Result<(), String> {
    let files = &context.world.files;
    let said = |e: FileError| format!("{e}: {}", e.source);
    let archive = to.parent().unwrap_or(to);
    files.ensure_dir(archive).map_err(said)?;
    for dir in [folder, archive] {
        if !dir.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(format!("{} is a link", escape_path(dir)));
        }
    }
    match files.rename_new(from, to) {
        Err(e) if e.already_exists() => {
            let read = |path| document::read_file(path).ok().flatten();
            if read(from).is_some() && read(from) == read(to) {
                return files.remove_file(from).map(|_| ()).map_err(said);
            }
            Err(format!("another text is at {} already", escape_path(to)))
        }
        done => done.map_err(said),
    }
}

/// Takes archived keys out of the context blocks that name them.
fn repoint(
    context: &Context,
    trees: &[Tree],
    lock: &Lock,
    plan: &Plan,
    not_done: &mut Vec<String>,
) -> Result<(), Error> {
    let keys: Vec<String> =
        plan.retention.archive.iter().chain(&plan.unfinished).map(AnyKey::to_string).collect();
    for tree in trees {
        let top = tree.repository.worktree();
        if !keys.iter().any(|key| tree.block.contains(key)) {
            continue;
        }
        lock.confirm()?;
        let there = Context::open(context.world, top)?;
        // Nobody seals another between the look at the newest and the pointer to it.
        let refreshed = batons::alone(&there, "point to the newest handover")
            .and_then(|_lock| pointer::refresh(&there, &Shelf::open(&there)?));
        if let Err(e) = refreshed {
            not_done.push(format!("the context block in {}: {e}", escape_path(top)));
        }
    }
    Ok(())
}
