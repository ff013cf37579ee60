//! Makes a worktree, in steps that can be taken up again after each of them.
//!
//! Only the registration happens under the repository's lock; files are checked
//! out after it, under a lock of the worktree's own, so that many can start at once.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::base::{self, Base};
use super::registry::{self, Entry, WorktreeId};
use super::{Error, exclude, naming, occupants};
use crate::config::Worktrees;
use crate::git::{GitError, Listed, Repository, list};
use crate::safety::{escape_path, one_line, shell_word};
use crate::sys::World;
use crate::sys::lock::{self, Holder};
use crate::terms::{Seconds, Time};

/// How long git, with the project's filters and hooks, may take to check out the files.
const CHECKOUT: Duration = Duration::from_secs(4 * 3600);
/// How long a `start` waits for another one.
const PATIENCE: Seconds = Seconds(120);

/// What the user wants.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The feature; its branch has the same name.
    pub feature: String,
    /// Where to start from, if not from the default branch.
    pub base: Option<String>,
    /// Where to put it, absolute, if not where the template says.
    pub path: Option<PathBuf>,
    /// What it is for.
    pub focus: Option<String>,
}

/// What would be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// The branch.
    pub branch: String,
    /// Where it is, or will be.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// True if the worktree is there already.
    pub worktree_exists: bool,
    /// True if the branch is there already.
    pub branch_exists: bool,
    /// What the branch starts from, or started from as far as we know.
    pub base: Option<Base>,
    /// What should be said about it, in words.
    pub notes: Vec<String>,
}

/// What was made.
pub struct Made<'w> {
    /// What it was to be, as it was found under the lock.
    pub plan: Plan,
    /// The worktrees that were there when we looked.
    pub listed: Vec<Listed>,
    /// The new worktree.
    pub repository: Repository<'w>,
    /// What we wrote down about it.
    pub entry: Entry,
    /// What should be said, in words.
    pub notes: Vec<String>,
}

/// Looks what would be made; changes nothing.
pub fn plan(repository: &Repository, wish: &Wish, config: &Worktrees) -> Result<Plan, Error> {
    look(repository, wish, config).map(|(plan, _)| plan)
}

/// The plan, and the worktrees that were there when it was made.
fn look(repository: &Repository, wish: &Wish, config: &Worktrees) -> Result<(Plan, Vec<Listed>), Error> {
    let git = repository.git();
    naming::check(&wish.feature)?;
    let branch = wish.feature.clone();
    let listed = list(git)?;
    let existing = listed.iter().position(|entry| entry.branch.as_deref() == Some(&branch));
    let mut notes = Vec::new();
    if let Some(at) = existing {
        let path = listed[at].path.clone();
        if at == 0 {
            return Err(Error::InMain { branch, path });
        }
        if !path.is_dir() {
            return Err(Error::NotVisible { branch, path });
        }
        if wish.base.is_some() || wish.path.as_ref().is_some_and(|wanted| *wanted != path) {
            notes.push("the worktree exists already, so --base and --path have no effect".to_owned());
        }
        let base = base::of_existing(repository, &branch)?;
        let plan = Plan { branch, path, worktree_exists: true, branch_exists: true, base, notes };
        return Ok((plan, listed));
    }
    let branch_exists = repository.history().resolve(&format!("refs/heads/{branch}"))?.is_some();
    let base = if branch_exists {
        if wish.base.is_some() {
            notes.push("the branch exists already, so --base has no effect".to_owned());
        }
        base::of_existing(repository, &branch)?
    } else {
        Some(base::choose(repository, wish.base.as_deref(), &mut notes)?)
    };
    let path = place(repository, wish, config, &listed)?;
    Ok((Plan { branch, path, worktree_exists: false, branch_exists, base, notes }, listed))
}

/// Makes the worktree, or takes up one that is there; `on_wait` hears whom we wait for.
///
/// On failure only what this call made is taken away again.
pub fn make<'w>(
    world: &'w World,
    repository: &Repository<'w>,
    wish: &Wish,
    config: &Worktrees,
    now: Time,
    on_wait: &mut dyn FnMut(&Holder),
) -> Result<Made<'w>, Error> {
    let common = repository.common_dir();
    let home = common.join("handover");
    let lock = lock::acquire(world, &home, "start a worktree", PATIENCE, on_wait)?;
    let (plan, listed) = look(repository, wish, config)?;
    let mut notes = Vec::new();
    let unfinished =
        registry::all(common)?.into_iter().find(|entry| !entry.ready && entry.feature == wish.feature);
    let mut entry = match unfinished {
        Some(entry) if plan.worktree_exists => entry,
        Some(old) => Entry {
            id: old.id,
            made_branch: old.made_branch || !plan.branch_exists,
            ..new_entry(wish, &plan, now)?
        },
        None => new_entry(wish, &plan, now)?,
    };
    if plan.worktree_exists {
        let tree = Repository::discover(world, &plan.path)?;
        entry = adopt(world, &tree, entry)?;
        keep_locked(world, &tree, &entry)?;
        // Whoever makes this one now holds its own lock, for as long as it takes.
        drop(lock);
        let _own = own_lock(world, &tree, on_wait)?;
        entry = registry::entry(common, &entry.id)?.unwrap_or(entry);
        if !entry.ready {
            check_out(world, &tree, &plan.branch, &mut notes)?;
        }
        return finish(world, plan, listed, tree, entry, wish, notes);
    }
    lock.confirm()?;
    if let Some(nested) = nested_in(repository, &plan.path)? {
        exclude::ensure(world, repository, &[nested])?;
        notes.push("it lies inside another worktree; agents there may read its files too".to_owned());
    }
    let made = register(world, repository, &plan, &entry)?;
    let populated = own_lock(world, &made, on_wait).and_then(|own| {
        drop(lock);
        check_out(world, &made, &plan.branch, &mut notes).map(|()| own)
    });
    match populated {
        Ok(_own) => finish(world, plan, listed, made, entry, wish, notes),
        Err(error) => {
            undo(world, repository, &plan, &entry, true);
            Err(error)
        }
    }
}

fn finish<'w>(
    world: &'w World,
    plan: Plan,
    listed: Vec<Listed>,
    repository: Repository<'w>,
    mut entry: Entry,
    wish: &Wish,
    mut notes: Vec<String>,
) -> Result<Made<'w>, Error> {
    let focus = wish.focus.clone().or_else(|| entry.focus.clone());
    if !entry.ready || entry.focus != focus {
        (entry.ready, entry.focus) = (true, focus);
        registry::write(world, repository.common_dir(), &entry)?;
    }
    if repository.worktree().join(".gitmodules").exists() {
        notes.push("submodules are not checked out; run there: git submodule update --init".to_owned());
    }
    Ok(Made { plan, listed, repository, entry, notes })
}

fn new_entry(wish: &Wish, plan: &Plan, now: Time) -> Result<Entry, Error> {
    Ok(Entry {
        format: Entry::FORMAT,
        id: WorktreeId::random().map_err(|e| Error::read(Path::new("/dev/urandom"), e))?,
        feature: wish.feature.clone(),
        branch: plan.branch.clone(),
        made_branch: !plan.branch_exists,
        base_ref: plan.base.as_ref().map(|base| base.name.clone()),
        base: plan.base.as_ref().map(|base| base.commit.clone()),
        created: now,
        path: escape_path(&plan.path),
        focus: wish.focus.clone(),
        ready: false,
        links: Vec::new(),
    })
}

/// Where the worktree goes, which must be nowhere or an empty directory.
fn place(
    repository: &Repository,
    wish: &Wish,
    config: &Worktrees,
    listed: &[Listed],
) -> Result<PathBuf, Error> {
    let is_registered = |path: &Path| listed.iter().any(|entry| entry.path == path);
    let is_empty = |path: &Path| std::fs::read_dir(path).is_ok_and(|mut dir| dir.next().is_none());
    let is_free = |path: &Path| path.symlink_metadata().is_err() || (!path.is_symlink() && is_empty(path));
    let path = match &wish.path {
        Some(path) => real_parent(&naming::tidy(path)),
        None => {
            let anchor = main_worktree(listed).unwrap_or(repository.worktree());
            let taken = |path: &Path| is_registered(path) || !is_free(path);
            naming::directory(anchor, &config.path, &repository.name(), &wish.feature, taken)
        }
    };
    if is_registered(&path) {
        return Err(Error::Taken { path, why: "another worktree is registered there" });
    }
    // A bare repository may hold its worktrees; a `.git` must not.
    let common = repository.common_dir();
    if common.file_name().is_some_and(|name| name == ".git") && path.starts_with(common) {
        return Err(Error::Taken { path, why: "it lies inside the git directory" });
    }
    if wish.path.is_none() && listed.iter().any(|entry| !entry.is_bare && path.starts_with(&entry.path)) {
        return Err(Error::Taken {
            path,
            why: "it lies inside another worktree; name it with --path if you want that",
        });
    }
    if !is_free(&path) {
        return Err(Error::Taken { path, why: "something is there already" });
    }
    if escape_path(&path).contains('\\') {
        return Err(Error::Taken { path, why: "its name has characters that cannot be shown" });
    }
    Ok(path)
}

/// The path as git will know it: through no link.
fn real_parent(path: &Path) -> PathBuf {
    match path.parent().and_then(|parent| parent.canonicalize().ok()).zip(path.file_name()) {
        Some((parent, name)) => parent.join(name),
        None => path.to_owned(),
    }
}

/// The main worktree, unless the repository is bare or lies elsewhere.
fn main_worktree(listed: &[Listed]) -> Option<&Path> {
    let main = listed.first().filter(|main| !main.is_bare)?;
    main.path.join(".git").exists().then_some(main.path.as_path())
}

/// The worktree whose files others link to: the main one, or in a bare
/// repository the one that has the default branch.
pub fn source_of_links(repository: &Repository, listed: &[Listed]) -> Result<Option<PathBuf>, Error> {
    if let Some(main) = main_worktree(listed) {
        return Ok(Some(main.to_owned()));
    }
    let default = repository.default_branch()?;
    let has_it = |entry: &&Listed| entry.branch.is_some() && entry.branch == default && entry.path.is_dir();
    Ok(listed.iter().find(has_it).map(|entry| entry.path.clone()))
}

/// Makes branch and worktree, without its files, and writes down whose it is.
fn register<'w>(
    world: &'w World,
    repository: &Repository<'w>,
    plan: &Plan,
    entry: &Entry,
) -> Result<Repository<'w>, Error> {
    let git = repository.git();
    registry::write(world, repository.common_dir(), entry)?;
    let branch = format!("refs/heads/{}", plan.branch);
    if let Some(base) = plan.base.as_ref().filter(|_| !plan.branch_exists) {
        let message = format!("branch: Created from {}", one_line(&base.name, 200));
        // The empty old value: it must not be there yet.
        let made = git.run(&["update-ref", "-m", &message, &branch, base.commit.as_str(), ""]);
        if let Err(e) = made {
            let _ = registry::forget(world, repository.common_dir(), &entry.id);
            return Err(e.into());
        }
    }
    let args: [&OsStr; 8] = [
        "worktree".as_ref(),
        "add".as_ref(),
        "--quiet".as_ref(),
        "--no-checkout".as_ref(),
        "--lock".as_ref(),
        "--".as_ref(),
        plan.path.as_os_str(),
        plan.branch.as_ref(),
    ];
    let prepare = || {
        let made = repository.at_new(world, &plan.path)?;
        registry::set_id(world, &made, &entry.id)?;
        keep_locked(world, &made, entry)?;
        Ok(made)
    };
    let made =
        git.run(&args).map_err(|e| (Error::from(e), false)).and_then(|_| prepare().map_err(|e| (e, true)));
    made.map_err(|(error, was_added)| {
        undo(world, repository, plan, entry, was_added);
        error
    })
}

/// Takes away what this call made, and nothing that was there before.
fn undo(world: &World, repository: &Repository, plan: &Plan, entry: &Entry, was_added: bool) {
    let git = repository.git();
    // Git takes its own away where adding fails.
    if was_added {
        // Twice, because it is locked; it was made by this very call.
        let args = ["worktree", "remove", "--force", "--force", "--"].map(OsStr::new);
        let _ = git.run(&[&args[..], &[plan.path.as_os_str()]].concat());
    }
    if let Some(base) = plan.base.as_ref().filter(|_| !plan.branch_exists) {
        // Only while it still points where we made it point.
        let _ = git.run(&["update-ref", "-d", &format!("refs/heads/{}", plan.branch), base.commit.as_str()]);
    }
    let _ = registry::forget(world, repository.common_dir(), &entry.id);
}

/// Gives a worktree that is there already its id and entry.
fn adopt(world: &World, tree: &Repository, new: Entry) -> Result<Entry, Error> {
    if let Some(id) = registry::id_of(tree.git_dir())? {
        if let Some(entry) = registry::entry(tree.common_dir(), &id)? {
            return Ok(entry);
        }
        let entry = Entry { id, ready: true, ..new };
        registry::write(world, tree.common_dir(), &entry)?;
        return Ok(entry);
    }
    // An entry that is not ready and has our path is this one's, cut short; a
    // worktree that somebody else made is complete as it is.
    let is_cut_short = !new.ready
        && registry::entry(tree.common_dir(), &new.id)?.is_some()
        && new.path == escape_path(tree.worktree());
    let entry = Entry { ready: !is_cut_short, ..new };
    registry::write(world, tree.common_dir(), &entry)?;
    registry::set_id(world, tree, &entry.id)?;
    Ok(entry)
}

/// Locks a worktree that is not locked, so that no prune takes it.
fn keep_locked(world: &World, tree: &Repository, entry: &Entry) -> Result<(), Error> {
    let locked = tree.git_dir().join("locked");
    // What git writes while it makes a worktree is no lock of anybody's.
    if locked.exists() && entry.ready {
        return Ok(());
    }
    world.files.replace(&locked, format!("{}\n", lock_reason(&entry.feature)).as_bytes(), 0o644, None)?;
    Ok(())
}

/// What git says to whoever tries to remove the worktree without us.
fn lock_reason(feature: &str) -> String {
    let feature = shell_word(feature).unwrap_or_else(|_| "FEATURE".to_owned());
    format!("{LOCK_REASON}handover remove {feature}")
}

/// How the reason of every lock of ours begins.
pub const LOCK_REASON: &str = "managed by handover; instead run: ";

fn own_lock(world: &World, tree: &Repository, on_wait: &mut dyn FnMut(&Holder)) -> Result<lock::Lock, Error> {
    let home = tree.git_dir().join("handover");
    Ok(lock::acquire(world, &home, "check out this worktree", PATIENCE, on_wait)?)
}

/// Checks out the files, as `git worktree add` does: reset, then the hook.
fn check_out(world: &World, tree: &Repository, branch: &str, notes: &mut Vec<String>) -> Result<(), Error> {
    let index = tree.git_dir().join("index");
    if index.exists() {
        return Ok(());
    }
    let left = tree.git_dir().join("index.lock");
    if left.exists() {
        // Of a git whose `start` was killed: it may be at work still.
        if occupants::inside(tree.worktree())
            .is_none_or(|(inside, _)| inside.iter().any(|process| !process.is_ours))
        {
            return Err(Error::StillStarting { path: tree.worktree().to_owned() });
        }
        world.files.remove_file(&left)?;
    }
    let git = tree.git();
    let reset = git.spawn(&["reset", "--hard", "--no-recurse-submodules", "--quiet"]).limit(CHECKOUT);
    let done = world.processes.run(&reset).map_err(GitError::from)?;
    if !done.success() {
        return Err(Error::Checkout { path: tree.worktree().to_owned(), complaint: done.complaint() });
    }
    let head = match tree.history().resolve(&format!("refs/heads/{branch}"))? {
        Some(head) => head.to_string(),
        None => git.line(&["rev-parse", "HEAD"])?,
    };
    let none = "0".repeat(head.len());
    let hook = git.spawn(&["hook", "run", "--ignore-missing", "post-checkout", "--", &none, &head, "1"]);
    let ran = world.processes.run(&hook.limit(CHECKOUT)).map_err(GitError::from)?;
    if ran.complaint().contains("is not a git command") {
        notes.push("hooks were not run: git is older than 2.36".to_owned());
    } else if !ran.success() {
        notes.push(format!(
            "the post-checkout hook ended with {}: {}",
            ran.code,
            one_line(&ran.complaint(), 200)
        ));
    }
    Ok(())
}

/// The exclude entry for a worktree that is to lie inside the one we stand in.
fn nested_in(repository: &Repository, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let Ok(inside) = path.strip_prefix(repository.worktree()) else { return Ok(None) };
    if inside.starts_with(".git") || repository.git().ignores(inside)? {
        return Ok(None);
    }
    Ok(exclude::entry_for(inside))
}
