//! Brings the commits of a feature to the branch where they belong, with git's
//! own cherry-pick or merge, never as one squashed commit.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::base;
use super::target::Target;
use super::{Error, landing};
use crate::git::{ChangeKind, Git, GitError, Operation, Repository, Status, Untracked, list};
use crate::safety::{escape_path, one_line, shell_path, shell_word};
use crate::sys::{World, lock};
use crate::terms::{CommitId, Seconds};

/// How long git, with the project's hooks, may take.
const LIMIT: Duration = Duration::from_secs(3600);
/// How many files are named.
const SHOWN: usize = 5;

/// How the commits are brought over.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// With a merge commit instead of one new commit for each.
    pub merge: bool,
    /// These commits alone, in this order; empty takes all.
    pub pick: Vec<String>,
    /// Of each commit only what is below these paths; empty takes all.
    pub paths: Vec<String>,
    /// The branch to bring them to; by default the default branch.
    pub into: Option<String>,
}

/// What would be brought over.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// The branch that they come to.
    pub into: String,
    /// Where that branch is checked out.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub checkout: PathBuf,
    /// With a merge commit.
    pub merge: bool,
    /// The commits, oldest first; none if everything has arrived already.
    pub commits: Vec<Brought>,
    /// Of each only these paths.
    pub paths: Vec<String>,
    /// The tip that is to be brought over.
    pub tip: CommitId,
}

/// One commit.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Brought {
    /// Its id on the feature's branch.
    pub id: CommitId,
    /// First line of its message.
    pub subject: String,
}

/// Looks what would be brought over; changes nothing.
pub fn plan(repository: &Repository, target: &Target, wish: &Wish) -> Result<Plan, Error> {
    let refused = |why: String, hint: String| Error::NotIntegrated { name: target.name(), why, hint };
    let finish =
        format!("handover finish {}", shell_word(&target.name()).unwrap_or_else(|_| "FEATURE".into()));
    let into = match &wish.into {
        Some(into) => into.clone(),
        None => base::default(repository)?.map(|base| base.name).ok_or_else(|| {
            refused("there is no default branch".into(), format!("name one: {finish} --into BRANCH"))
        })?,
    };
    if target.branch.as_ref() == Some(&into) {
        let why = format!("{} is its own branch", one_line(&into, 80));
        return Err(refused(why, format!("name another: {finish} --into BRANCH")));
    }
    let tip = target.head.clone().ok_or(Error::Unborn)?;
    let listed = list(repository.git())?;
    let checkout = listed.iter().find(|entry| entry.branch.as_ref() == Some(&into) && entry.path.is_dir());
    let checkout = checkout.map(|entry| entry.path.clone()).ok_or_else(|| {
        refused(
            format!("{} is checked out nowhere", one_line(&into, 80)),
            format!(
                "in the main worktree: git switch {}",
                shell_word(&into).unwrap_or_else(|_| "BRANCH".into())
            ),
        )
    })?;
    must_be_clean(repository, &checkout, false, &refused)?;
    must_be_clean(repository, &target.path, true, &refused)?;
    let leak = repository.git().yes(&[
        "grep",
        "--quiet",
        "--fixed-strings",
        "-e",
        "<!-- handover:begin",
        tip.as_str(),
        "--",
        "CLAUDE.md",
        "CLAUDE.local.md",
    ])?;
    if leak {
        return Err(refused(
            "our block was committed on its branch".into(),
            format!(
                "take it out of the file that this names, and commit: git -C {} grep -n handover:begin -- CLAUDE.md CLAUDE.local.md",
                shell_path(&target.path).unwrap_or_else(|_| "WORKTREE".into())
            ),
        ));
    }
    let commits = commits(repository, &into, &tip, wish)?;
    Ok(Plan { into, checkout, merge: wish.merge, commits, paths: wish.paths.clone(), tip })
}

/// Brings them over. Returns the commits that are new on the branch.
///
/// # Errors
/// [`Error::Stopped`] leaves git's own state, as a conflict by hand would.
pub fn execute(world: &World, repository: &Repository, target: &Target, plan: &Plan) -> Result<usize, Error> {
    let common = repository.common_dir();
    let _lock =
        lock::acquire(world, &common.join("handover"), "integrate a feature", Seconds(120), &mut |_| {})?;
    target.confirm(repository)?;
    let git = repository.git().at(&plan.checkout);
    let before = git.line(&["rev-parse", "HEAD"])?;
    if !plan.commits.is_empty() {
        let mut args: Vec<String> = if plan.merge {
            ["merge", "--no-ff", "--no-edit"].map(str::to_owned).into()
        } else {
            // A commit that was empty from the start, such as a note in the history, comes along.
            ["cherry-pick", "--allow-empty"].map(str::to_owned).into()
        };
        if plan.merge {
            args.push(
                target
                    .branch
                    .clone()
                    .map_or_else(|| plan.tip.to_string(), |branch| format!("refs/heads/{branch}")),
            );
        } else if plan.paths.is_empty() {
            args.extend(plan.commits.iter().map(|commit| commit.id.to_string()));
        } else {
            for commit in &plan.commits {
                args.extend(part_of(world, repository, &commit.id, &plan.paths)?);
            }
        }
        // Of paths that no commit touches nothing is left to pick.
        if plan.merge || args.len() > 2 {
            let spawn = git.spawn(&args).set("GIT_EDITOR", "true").limit(LIMIT);
            let done = world.processes.run(&spawn).map_err(GitError::from)?;
            if !done.success() {
                let tree = Repository::discover(world, &plan.checkout)?;
                return Err(Error::Stopped {
                    name: target.name(),
                    checkout: plan.checkout.clone(),
                    operation: Operation::in_progress(tree.git_dir()).map(|operation| operation.to_string()),
                    complaint: done.complaint(),
                });
            }
        }
    }
    keep(&repository.git().at(common), &target.name(), &plan.tip)?;
    let count = git.line(&["rev-list", "--count", &format!("{before}..HEAD")])?;
    Ok(count.parse().unwrap_or(0))
}

/// Keeps the commits that trackers have logged reachable.
fn keep(git: &Git, name: &str, tip: &CommitId) -> Result<(), Error> {
    let plain = format!("refs/handover/finished/{name}");
    let done = git.try_run(&["update-ref", &plain, tip.as_str()])?;
    if !done.success() {
        // A feature `a` leaves no room for `a/b`.
        git.run(&["update-ref", &format!("refs/handover/finished-commits/{tip}"), tip.as_str()])?;
    }
    Ok(())
}

fn must_be_clean(
    repository: &Repository,
    dir: &std::path::Path,
    new_files_too: bool,
    refused: &dyn Fn(String, String) -> Error,
) -> Result<(), Error> {
    let status = Status::of(&repository.git().at(dir), Untracked::Files)?;
    let counts = |kind| {
        matches!(kind, ChangeKind::Tracked | ChangeKind::Unmerged)
            || (new_files_too && kind == ChangeKind::Untracked)
    };
    let changes: Vec<String> = status
        .changes
        .iter()
        .filter(|change| counts(change.kind))
        .map(|change| escape_path(&change.path))
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let more =
        if changes.len() > SHOWN { format!(" and {} more", changes.len() - SHOWN) } else { String::new() };
    let changes = &changes[..changes.len().min(SHOWN)];
    Err(refused(
        format!("{} has changes that are not committed: {}{more}", escape_path(dir), changes.join(", ")),
        format!(
            "commit them, or put them aside: git -C {} stash push --include-untracked",
            shell_path(dir).unwrap_or_else(|_| "WORKTREE".into())
        ),
    ))
}

/// What is to come over, oldest first, without what is there under another id.
fn commits(repository: &Repository, into: &str, tip: &CommitId, wish: &Wish) -> Result<Vec<Brought>, Error> {
    let git = repository.git();
    let history = repository.history();
    let goal = format!("refs/heads/{into}");
    let format = "--format=%H%x1f%s";
    let mut args: Vec<String> = vec!["log".into(), "-z".into(), format.into()];
    if wish.pick.is_empty() {
        args.extend([
            "--reverse".into(),
            "--no-merges".into(),
            "--cherry-pick".into(),
            "--right-only".into(),
            format!("{goal}...{tip}"),
            "--".into(),
        ]);
        // A commit that does nothing to these paths has nothing to bring.
        args.extend(wish.paths.iter().cloned());
    } else {
        args.extend(["--no-walk=unsorted".into()]);
        for name in &wish.pick {
            let id = history.resolve(name)?.ok_or_else(|| Error::NoSuchBase { base: name.clone() })?;
            args.push(id.to_string());
        }
        args.push("--".into());
    }
    let text = git.run(&args)?;
    let text = String::from_utf8_lossy(&text);
    let read = |record: &str| {
        let (id, subject) = record.split_once('\x1f')?;
        Some(Brought { id: id.trim().parse().ok()?, subject: one_line(subject, 120) })
    };
    Ok(text.split('\0').filter_map(read).collect())
}

/// A commit that does to its parent what `id` does, below these paths alone.
fn part_of(
    world: &World,
    repository: &Repository,
    id: &CommitId,
    paths: &[String],
) -> Result<Option<String>, Error> {
    let git = repository.git();
    let parent = git.line(&["rev-parse", "--verify", &format!("{id}^")])?;
    let mut diff: Vec<&str> = vec![
        "diff-tree",
        "-p",
        "--binary",
        "--full-index",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        &parent,
        id.as_str(),
        "--",
    ];
    diff.extend(paths.iter().map(String::as_str));
    let patch = git.run(&diff)?;
    if patch.is_empty() {
        return Ok(None);
    }
    let name = crate::sys::nonce::<8>().map_err(|e| Error::read("/dev/urandom".as_ref(), e))?;
    let index = repository.git_dir().join(format!("handover-index.{name}"));
    let run = |args: &[&str], input: Option<Vec<u8>>| {
        let spawn = git.spawn(args).set("GIT_INDEX_FILE", index.as_os_str());
        let spawn = match input {
            Some(input) => spawn.input(input),
            None => spawn,
        };
        let done = world.processes.run(&spawn).map_err(GitError::from)?;
        if done.success() {
            return Ok(done);
        }
        Err(GitError::Failed {
            command: args.first().copied().unwrap_or_default().to_owned(),
            code: done.code,
            complaint: done.complaint(),
        })
    };
    let tree = run(&["read-tree", &parent], None)
        .and_then(|_| run(&["apply", "--cached", "--whitespace=nowarn", "-"], Some(patch)))
        .and_then(|_| run(&["write-tree"], None));
    world.files.remove_file(&index)?;
    let tree = tree?.text().trim().to_owned();
    let about = git.run(&["log", "-1", "--format=%an%x00%ae%x00%ad%x00%B", "--date=raw", id.as_str()])?;
    let about = String::from_utf8_lossy(&about).into_owned();
    let mut about = about.splitn(4, '\0');
    let mut next = || about.next().unwrap_or_default().to_owned();
    let (author, mail, date, message) = (next(), next(), next(), next());
    let spawn = git
        .spawn(&["commit-tree", "-p", &parent, "-F", "-", &tree])
        .set("GIT_AUTHOR_NAME", author)
        .set("GIT_AUTHOR_EMAIL", mail)
        .set("GIT_AUTHOR_DATE", date)
        .input(message);
    let done = world.processes.run(&spawn).map_err(GitError::from)?;
    Ok(done.success().then(|| done.text().trim().to_owned()))
}

/// True if everything that a plan speaks of has arrived.
pub fn is_done(world: &World, repository: &Repository, plan: &Plan) -> Result<bool, Error> {
    let goals = landing::goals(repository)?;
    Ok(landing::of(world, repository, &plan.tip, None, &goals)?.is_complete())
}
