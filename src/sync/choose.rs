//! Which changes travel from this machine, and which stay where they are.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::git::{Change, ChangeKind, Status};
use crate::sys::Glob;

/// What may travel, with its globs read.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What travels; `None` takes every change.
    pub paths: Option<Vec<Glob>>,
    /// True if a deletion is a change that travels.
    pub deletions: bool,
    /// What never travels.
    pub never: Vec<Glob>,
    /// Another repository that is carried by itself, as an absolute path.
    pub other: Option<PathBuf>,
    /// Session logs and notes, which somebody may still be writing.
    pub session_logs: Vec<Glob>,
    /// True if changes of tracked files travel, wherever they are.
    pub tracked: bool,
}

/// What a sync would take, and what not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// What it would take, in git's order.
    pub take: Vec<Candidate>,
    /// What it leaves, with the reason.
    pub leave: Vec<Left>,
    /// Session logs and notes that are not committed; they are in `take` or
    /// `leave` as well.
    pub session_logs: Vec<PathBuf>,
}

/// A change that may be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Relative to the top of the worktree.
    pub path: PathBuf,
    /// What became of it.
    pub kind: Kind,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Git does not know it yet.
    New,
    /// Its content or its mode changed.
    Changed,
    /// It is gone.
    Deleted,
}

/// A change that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Left {
    /// Relative to the top of the worktree.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a change stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The user has staged it, and the user will commit it.
    Staged,
    /// Agents' scratch.
    Never,
    /// A tracked file outside of what travels from here.
    TrackedOutside,
    /// A new file outside of what travels from here.
    NewOutside,
    /// A file is gone that this machine only adds to.
    Deletion,
    /// The commit of a submodule.
    Submodule,
    /// The second repository, which is carried by itself.
    SecondRepository,
}

/// Divides what differs.
pub fn choose(worktree: &Path, status: &Status, rules: &Rules) -> Chosen {
    let mut chosen = Chosen::default();
    for change in &status.changes {
        if change.kind == ChangeKind::Ignored {
            continue;
        }
        if fits(&rules.session_logs, &change.path) {
            chosen.session_logs.push(change.path.clone());
        }
        let is_other = rules.other.as_ref().is_some_and(|other| *other == worktree.join(&change.path));
        let verdict = if is_other { Err(Why::SecondRepository) } else { judge(change, rules) };
        match verdict {
            Ok(kind) => chosen.take.push(Candidate { path: change.path.clone(), kind }),
            Err(why) => chosen.leave.push(Left { path: change.path.clone(), why }),
        }
    }
    chosen
}

fn judge(change: &Change, rules: &Rules) -> Result<Kind, Why> {
    let is_new = change.kind == ChangeKind::Untracked;
    if fits(&rules.never, &change.path) {
        return Err(Why::Never);
    }
    if change.is_staged() {
        return Err(Why::Staged);
    }
    if change.is_submodule {
        return Err(Why::Submodule);
    }
    let travels = match &rules.paths {
        None => true,
        Some(paths) => fits(paths, &change.path) || (rules.tracked && !is_new),
    };
    let kind = match change.letters[1] {
        _ if is_new => Kind::New,
        b'D' => Kind::Deleted,
        _ => Kind::Changed,
    };
    match kind {
        Kind::New if !travels => Err(Why::NewOutside),
        Kind::Deleted if travels && !rules.deletions && !rules.tracked => Err(Why::Deletion),
        Kind::Changed | Kind::Deleted if !travels => Err(Why::TrackedOutside),
        kind => Ok(kind),
    }
}

fn fits(globs: &[Glob], path: &Path) -> bool {
    globs.iter().any(|glob| glob.fits(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(records: &[&str]) -> Status {
        let oid = "0123456789012345678901234567890123456789";
        let record = |text: &&str| match text.split_at(2) {
            ("??", path) => format!("? {}\0", path.trim_start()),
            (letters, path) => {
                format!("1 {letters} N... 100644 100644 100644 {oid} {oid} {}\0", path.trim_start())
            }
        };
        Status::parse(records.iter().map(record).collect::<String>().as_bytes()).unwrap()
    }

    fn rules(paths: Option<&[&str]>) -> Rules {
        let globs = |names: &[&str]| names.iter().filter_map(|name| Glob::read(name)).collect::<Vec<_>>();
        Rules {
            paths: paths.map(globs),
            deletions: paths.is_none(),
            never: globs(&["plan/**"]),
            session_logs: globs(&["session-logs/*.md"]),
            tracked: false,
            other: Some(PathBuf::from("/w/vault")),
        }
    }

    fn left(chosen: &Chosen) -> Vec<(&str, Why)> {
        chosen.leave.iter().map(|left| (left.path.to_str().unwrap(), left.why)).collect()
    }

    fn taken(chosen: &Chosen) -> Vec<(&str, Kind)> {
        chosen.take.iter().map(|taken| (taken.path.to_str().unwrap(), taken.kind)).collect()
    }

    #[test]
    fn from_a_laptop_every_change_travels_but_what_is_staged_and_scratch() {
        let status =
            status(&[".M src/a.py", ".D old.py", "?? new.py", "M. mine.py", "MM both.py", "?? plan/x"]);
        let chosen = choose(Path::new("/w"), &status, &rules(None));
        use Kind::*;
        assert_eq!(taken(&chosen), [("src/a.py", Changed), ("old.py", Deleted), ("new.py", New)]);
        assert_eq!(
            left(&chosen),
            [("mine.py", Why::Staged), ("both.py", Why::Staged), ("plan/x", Why::Never)]
        );
    }

    #[test]
    fn from_a_cluster_logs_travel_and_code_is_offered() {
        let status =
            status(&[".M train.py", ".M logs/1.out", ".D logs/0.out", "?? logs/2.out", "?? core.17"]);
        let mut cluster = rules(Some(&["logs/**"]));
        let chosen = choose(Path::new("/w"), &status, &cluster);
        assert_eq!(taken(&chosen), [("logs/1.out", Kind::Changed), ("logs/2.out", Kind::New)]);
        assert_eq!(
            left(&chosen),
            [("train.py", Why::TrackedOutside), ("logs/0.out", Why::Deletion), ("core.17", Why::NewOutside)]
        );
        cluster.tracked = true;
        let chosen = choose(Path::new("/w"), &status, &cluster);
        assert!(taken(&chosen).contains(&("train.py", Kind::Changed)));
        assert_eq!(left(&chosen), [("core.17", Why::NewOutside)]);
    }

    #[test]
    fn the_second_repository_is_left_to_itself_where_it_lies_in_the_first() {
        let status = status(&["?? vault/", "?? vaults/", "?? a"]);
        let chosen = choose(Path::new("/w"), &status, &rules(None));
        assert_eq!(left(&chosen), [("vault/", Why::SecondRepository)]);
        assert_eq!(chosen.take.len(), 2);
    }

    #[test]
    fn session_logs_are_named_wherever_they_go() {
        let status = status(&["?? session-logs/a.md", "A. session-logs/b.md", "?? session-logs/deep/c.md"]);
        let chosen = choose(Path::new("/w"), &status, &rules(None));
        assert_eq!(chosen.session_logs, ["session-logs/a.md", "session-logs/b.md"].map(PathBuf::from));
    }
}
