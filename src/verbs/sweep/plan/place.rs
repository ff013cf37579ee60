//! Where the lines of a plan are to run: where the sweep's jobs work, since
//! another worktree holds other code.

use std::path::{Path, PathBuf};

use crate::git;
use crate::safety::escape_path;
use crate::sweep::plan::Subject;
use crate::sweep::{Kind, Sweep};
use crate::terms::{Known, TaskIds};
use crate::verbs::Context;
use crate::verbs::evidence::Gathered;
use crate::verbs::job_paths::without_links;

/// Where lines run, and what to know about that.
pub(super) struct Place {
    /// The directory in which the lines are to run.
    pub directory: PathBuf,
    /// The directory on this machine below which the sweep's files lie.
    pub root: PathBuf,
    /// What to know before any line is run.
    pub warnings: Vec<String>,
    /// Why no line that starts anything can be given.
    pub held: Option<String>,
    /// Why nothing can be submitted from here.
    pub not_here: Option<String>,
}

/// Where the jobs of a sweep work, seen from where it is asked.
pub(super) fn of(context: &Context, gathered: &Gathered) -> Place {
    let asked = context.repository.worktree().to_owned();
    let Some((dir, _)) = gathered.work_dirs.first() else { return unknown(context, gathered, asked) };
    let (here, there) = (escape_path(&asked), escape_path(dir));
    let plain =
        Place { directory: dir.clone(), root: dir.clone(), warnings: Vec::new(), held: None, not_here: None };
    if !dir.is_dir() {
        let what = format!(
            "the sweep works in {there}, which is not on this machine: paste the lines there; the files that were \
             read are those below {here}"
        );
        let not_here = Some(format!("{there} is not on this machine"));
        return Place { root: asked, warnings: vec![what], not_here, ..plain };
    }
    let own = without_links(dir);
    let mut worktrees = git::list(context.repository.git()).unwrap_or_default();
    worktrees.retain(|one| !one.is_bare && own.starts_with(without_links(&one.path)));
    // Worktrees may lie in each other.
    let holder = worktrees.into_iter().map(|one| one.path).max_by_key(|path| path.components().count());
    let warning = match holder {
        Some(holder) if without_links(&holder) == without_links(&asked) => None,
        Some(_) => Some(format!(
            "the sweep works in {there}, another worktree than the one asked from ({here}): the lines run there, \
             with the code that is there"
        )),
        None if own.starts_with(without_links(&asked)) => None,
        None => Some(format!(
            "the sweep works in {there}, which is in no worktree of this repository: the lines run there, with the \
             code that is there"
        )),
    };
    Place { warnings: warning.into_iter().collect(), ..plain }
}

/// Nobody says where: then it may be here, if its files are.
fn unknown(context: &Context, gathered: &Gathered, asked: PathBuf) -> Place {
    let here = escape_path(&asked);
    let files = |root: &Path| {
        gathered.evidence.iter().any(|one| {
            let logs = one.log().into_iter().flat_map(|log| &log.files);
            logs.chain(one.run_dir()).any(|path| path.starts_with(root))
        })
    };
    let other = context.roots().into_iter().find(|root| *root != asked && files(root));
    let (warning, held) = match (files(&asked), other) {
        (true, _) => ("its files are here, so the lines are for this one".to_owned(), None),
        (false, Some(other)) => {
            let other = escape_path(&other);
            (format!("its files are in {other}"), Some(format!("ask for the plan in {other}")))
        }
        (false, None) => (
            "none of its logs and run folders is here".to_owned(),
            Some("ask for the plan in the worktree from which it was submitted".to_owned()),
        ),
    };
    let held = held.map(|what| format!("in which directory it works is not known, and {warning}: {what}"));
    Place {
        warnings: vec![format!(
            "in which directory the sweep works is not known; asked from {here}: {warning}"
        )],
        directory: asked.clone(),
        root: asked,
        held,
        not_here: None,
    }
}

/// Of jobs that share nothing but a name those count that work below where it
/// is asked, however many of other projects there are.
pub(super) fn own_first(context: &Context, sweep: &Sweep, gathered: &mut Gathered) {
    if sweep.kind == Kind::SharedName {
        let asked = without_links(context.repository.worktree());
        gathered.work_dirs.sort_by_key(|(dir, _)| !without_links(dir).starts_with(&asked));
    }
}

/// Takes jobs that share the name alone, and work in another directory, out of
/// what is planned for; what is left of those that are alive, and a note on each
/// directory.
pub(super) fn without_strangers(
    subjects: &mut Vec<Subject>,
    alive: Known<TaskIds>,
    sweep: &Sweep,
    gathered: &Gathered,
) -> (Known<TaskIds>, Vec<String>) {
    if sweep.kind != Kind::SharedName {
        return (alive, Vec::new());
    }
    let mut apart = gathered.belonging.strangers.clone();
    // Where no project is known, what works in another directory may be of another one.
    let is_apart = |one: &Subject| gathered.belonging.project.is_none() && one.works_in.is_some();
    for one in subjects.iter().filter(|one| is_apart(one)) {
        let Some(dir) = &one.works_in else { continue };
        match apart.iter_mut().find(|(known, _)| known == dir) {
            Some((_, tasks)) => tasks.push(one.member),
            None => apart.push((dir.clone(), [one.member].into_iter().collect())),
        }
    }
    subjects.retain(|one| !is_apart(one));
    let strangers = apart.iter().fold(TaskIds::default(), |all, (_, tasks)| all.union(tasks));
    let unplaced = match gathered.work_dirs.first() {
        // Where nothing is known of any, what is asked for is all that has the name.
        None => TaskIds::default(),
        Some(_) => {
            let placed = gathered.work_dirs.iter().fold(TaskIds::default(), |all, (_, own)| all.union(own));
            let live = subjects.iter().filter(|one| one.state.is_live()).map(|one| one.member);
            live.collect::<TaskIds>().difference(&placed)
        }
    };
    subjects.retain(|one| !unplaced.contains(one.member));
    let mut notes: Vec<String> = Vec::new();
    for (dir, tasks) in &apart {
        let dir = escape_path(dir);
        notes.push(format!("jobs {tasks} have the same name and work in {dir}: they are not in this plan"));
    }
    if !unplaced.is_empty() {
        notes.push(format!(
            "jobs {unplaced} have the same name, and where they work is not known: they are not in this plan"
        ));
    }
    let alive = match alive {
        Known::Known(alive) => Known::Known(alive.difference(&strangers).difference(&unplaced)),
        unknown => unknown,
    };
    (alive, notes)
}

/// Marks the tasks that work in another directory than most.
pub(super) fn mark(subjects: &mut [Subject], gathered: &Gathered) {
    for (dir, tasks) in gathered.work_dirs.iter().skip(1) {
        let is_same =
            gathered.work_dirs.first().is_some_and(|(most, _)| without_links(most) == without_links(dir));
        for one in subjects.iter_mut().filter(|one| !is_same && tasks.contains(one.member)) {
            one.works_in = Some(dir.clone());
        }
    }
}
