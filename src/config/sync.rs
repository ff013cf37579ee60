//! Settings about what travels between machines through git.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::terms::{Bytes, NotA};

/// What `sync` commits, and what it keeps back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// The remote; by default that of the branch, else `origin`, else the only one.
    pub remote: Option<String>,
    /// True if the handovers of the worktree are published with each sync.
    pub handovers: bool,
    /// The profile of this machine; by default `cluster` where Slurm's commands
    /// are and the worktree is none that `start` made, else `local`.
    pub profile: Option<String>,
    /// Another repository that each sync carries as well; only outside of the tree, where no
    /// branch brings it.
    pub second: Option<SecondRepository>,
    /// Profiles by name; `local` and `cluster` are built in.
    pub profiles: BTreeMap<String, Profile>,
    /// Pairs of branches that carry each other's work: the one that people work on, then that of a
    /// machine.
    pub pairs: Vec<[String; 2]>,
    /// Globs of session logs and notes: while one of them is not committed,
    /// nothing is.
    pub session_logs: Vec<String>,
    /// Globs of agents' scratch, which never travels.
    pub never: Vec<String>,
    /// Folders that may have any number of new files; `.` is the top alone.
    pub many: Vec<String>,
    /// Globs of files that the guard lets through for their kind and size.
    pub allow: Vec<String>,
    /// The same for secrets; only outside of the tree, where no branch brings it.
    pub allow_secrets: Vec<String>,
    /// The largest file that is committed.
    pub largest: Bytes,
    /// More new files than this below one folder are taken for output.
    pub most_new: usize,
    /// More deleted files than this are taken for an accident.
    pub most_gone: usize,
}

/// Another repository, such as a vault of notes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondRepository {
    /// Where it is, counted from the main worktree; `~/` is the user's home.
    pub path: PathBuf,
    /// Its profile; by default what its own settings say, else `local`.
    pub profile: Option<String>,
    /// Its remote, as [`Sync::remote`].
    pub remote: Option<String>,
}

/// Which files of a worktree travel from one kind of machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Globs of what travels; none stands for every change of tracked files and
    /// every new file that is not ignored.
    pub paths: Option<Vec<String>>,
    /// True if deleting a file is a change that travels.
    pub deletions: bool,
    /// The largest file, where it is not that of all profiles.
    pub largest: Option<Bytes>,
    /// As [`Sync::most_new`], where it is not that of all profiles.
    pub most_new: Option<usize>,
}

impl Default for Sync {
    fn default() -> Sync {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let local = Profile { paths: None, deletions: true, largest: None, most_new: None };
        // What jobs write is text and little; a cluster's scratch is cleaned away
        // by people and by programs, and that is no reason to lose it elsewhere.
        let cluster = Profile {
            paths: Some(list(&["logs/**", "slurm-*.out", "cluster_state.txt", "results/**", "notes/*.md"])),
            deletions: false,
            largest: Some(Bytes(2 << 20)),
            most_new: Some(20_000),
        };
        Sync {
            remote: None,
            handovers: true,
            profile: None,
            second: None,
            profiles: [("local".to_owned(), local), ("cluster".to_owned(), cluster)].into(),
            pairs: Vec::new(),
            session_logs: list(&["session-logs/*.md"]),
            never: list(&["plan/**", "CLAUDE/**", "CLAUDE.local.md", ".claude/worktrees/**"]),
            many: Vec::new(),
            allow: Vec::new(),
            allow_secrets: Vec::new(),
            largest: Bytes(5 << 20),
            most_new: 200,
            most_gone: 100,
        }
    }
}

/// The part of a configuration file, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SyncFile {
    pub remote: Option<String>,
    pub handovers: Option<bool>,
    pub profile: Option<String>,
    pub second: Option<SecondRepository>,
    #[serde(default)]
    pub profiles: BTreeMap<String, ProfileFile>,
    pub pairs: Option<Vec<[String; 2]>>,
    pub session_logs: Option<Vec<String>>,
    pub never: Option<Vec<String>>,
    pub many: Option<Vec<String>>,
    pub allow: Option<Vec<String>>,
    pub allow_secrets: Option<Vec<String>>,
    pub largest: Option<String>,
    pub most_new: Option<usize>,
    pub most_gone: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    pub paths: Option<Vec<String>>,
    pub deletions: Option<bool>,
    pub largest: Option<String>,
    pub most_new: Option<usize>,
}

impl SyncFile {
    pub fn merge(self, sync: &mut Sync) -> Result<(), NotA> {
        fn take<T>(slot: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *slot = value;
            }
        }
        take(&mut sync.remote, self.remote.map(Some));
        take(&mut sync.handovers, self.handovers);
        take(&mut sync.profile, self.profile.map(Some));
        take(&mut sync.second, self.second.map(Some));
        for (name, file) in self.profiles {
            let new = || Profile { paths: None, deletions: true, largest: None, most_new: None };
            let profile = sync.profiles.entry(name).or_insert_with(new);
            take(&mut profile.paths, file.paths.map(Some));
            take(&mut profile.deletions, file.deletions);
            take(&mut profile.largest, size(file.largest)?.map(Some));
            take(&mut profile.most_new, file.most_new.map(Some));
        }
        take(&mut sync.pairs, self.pairs);
        take(&mut sync.session_logs, self.session_logs);
        take(&mut sync.never, self.never);
        take(&mut sync.many, self.many);
        take(&mut sync.allow, self.allow);
        take(&mut sync.allow_secrets, self.allow_secrets);
        take(&mut sync.largest, size(self.largest)?);
        take(&mut sync.most_new, self.most_new);
        take(&mut sync.most_gone, self.most_gone);
        Ok(())
    }
}

fn size(text: Option<String>) -> Result<Option<Bytes>, NotA> {
    text.as_deref().map(str::parse).transpose()
}
