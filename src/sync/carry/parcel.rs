//! One file in a commit of its own: how it is made here, and how that of others is opened.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::git::{Git, GitError};
use crate::sys::{Spawn, nonce};
use crate::terms::{CommitId, Time};

use super::super::Error;
use super::super::remote::{Answer, exchange_as, no_answer};
use super::Side;

/// What a whole exchange may write while others' objects come in, in bytes: a document
/// of the largest size, its tree and its commit.
const MOST_ON_DISK: u64 = 8 << 20;
/// The largest commit or tree of a parcel, in bytes.
const MOST_AROUND: usize = 4 << 10;

/// A ref that does not hold what refs of its name hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", crate::safety::one_line(.0, 300))]
pub struct Strange(pub String);

/// What a ref held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The file.
    File(Vec<u8>),
    /// Something else.
    Strange(Strange),
    /// It has moved on meanwhile.
    Moved,
}

/// Writes a file as a parcel. The same file, subject and moment give the same commit.
///
/// # Errors
/// Git could not write it.
pub fn pack(git: &Git, name: &str, bytes: &[u8], subject: &str, at: Time) -> Result<CommitId, GitError> {
    let write = |kind: &str, bytes: Vec<u8>| {
        let out = git.run_with_input(&["hash-object", "-t", kind, "-w", "--stdin"], bytes)?;
        Ok::<String, GitError>(String::from_utf8_lossy(&out).trim().to_owned())
    };
    let blob = write("blob", bytes.to_vec())?;
    let tree = git.run_with_input(&["mktree"], format!("100644 blob {blob}\t{name}\n").into_bytes())?;
    let tree = String::from_utf8_lossy(&tree).trim().to_owned();
    // Written as bytes: no setting of the user's (encoding, signature, name) changes it.
    let person = format!("handover <handover@localhost> {} +0000", at.unix());
    let commit = format!("tree {tree}\nauthor {person}\ncommitter {person}\n\n{subject}\n");
    let text = write("commit", commit.into_bytes())?;
    text.parse().map_err(|_| GitError::Unreadable { command: "hash-object", text })
}

impl Side<'_, '_> {
    /// Opens the parcel `id` that a ref of the remote names, with one file `name` of at most
    /// `most` bytes.
    ///
    /// What comes in is kept apart from the repository's objects, may fill no disk, and is
    /// thrown away at the end.
    ///
    /// # Errors
    /// Git could not be run at all, or nothing could be written.
    pub fn open(
        &self,
        reference: &str,
        id: &CommitId,
        name: &str,
        most: usize,
    ) -> Result<Answer<Opened>, Error> {
        let objects = Apart::new(self)?;
        let git = self.repository.git();
        let args = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-prune",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--refmap=",
            "--",
            self.remote,
            reference,
        ];
        let limit = self.limit;
        let done = exchange_as(self.world, git, &args, |spawn| {
            objects.of(spawn).limit(limit).largest_file(MOST_ON_DISK)
        })?;
        let answer = if done.success() {
            match contents(self, &objects, id, name, most) {
                Err(Open::Absent) => Ok(Answer::Done(Opened::Moved)),
                Err(Open::Strange(strange)) => Ok(Answer::Done(Opened::Strange(strange))),
                Err(Open::Git(error)) => Err(error.into()),
                Ok(bytes) => Ok(Answer::Done(Opened::File(bytes))),
            }
        } else {
            let errors = String::from_utf8_lossy(&done.stderr);
            // The system ended it for writing too much: signal 25 on every system we know.
            if errors.contains("signal 25") || done.code == 128 + 25 || errors.contains("File too large") {
                let why =
                    format!("what it names is larger than {MOST_ON_DISK} bytes with all that it stands on");
                Ok(Answer::Done(Opened::Strange(Strange(why))))
            } else if errors.contains("couldn't find remote ref") {
                Ok(Answer::Done(Opened::Moved))
            } else {
                Ok(no_answer(&done))
            }
        };
        objects.clear(self);
        answer
    }
}

enum Open {
    Absent,
    Strange(Strange),
    Git(GitError),
}

impl From<GitError> for Open {
    fn from(error: GitError) -> Open {
        Open::Git(error)
    }
}

/// Commit, tree, file: each of the kind that it must be, and no larger.
fn contents(side: &Side, objects: &Apart, id: &CommitId, name: &str, most: usize) -> Result<Vec<u8>, Open> {
    let commit = object(side, objects, id.as_str(), "commit", MOST_AROUND)?;
    let strange = |why: String| Open::Strange(Strange(why));
    let tree = commit
        .strip_prefix(b"tree ")
        .and_then(|rest| rest.split(|b| *b == b'\n').next())
        .and_then(|tree| String::from_utf8_lossy(tree).parse::<CommitId>().ok())
        .ok_or_else(|| strange("its commit names no tree".to_owned()))?;
    let tree = object(side, objects, tree.as_str(), "tree", MOST_AROUND)?;
    let blob = only_file(&tree, name, id.as_str().len() / 2).map_err(strange)?;
    object(side, objects, &blob, "blob", most)
}

/// The id of the one file that a tree holds: `<mode> SP <name> NUL <id>`.
///
/// # Errors
/// What else it holds, in words.
pub fn only_file(tree: &[u8], name: &str, id_length: usize) -> Result<String, String> {
    let expected = [b"100644 ", name.as_bytes(), b"\0"].concat();
    let id = tree.strip_prefix(expected.as_slice()).filter(|id| id.len() == id_length);
    let id = id.ok_or_else(|| format!("its tree does not hold the one plain file {name}"))?;
    Ok(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An object's bytes, if it is of this kind and no larger than `most`.
fn object(side: &Side, objects: &Apart, id: &str, kind: &str, most: usize) -> Result<Vec<u8>, Open> {
    let git = side.repository.git();
    let run = |args: &[&str], input: Option<Vec<u8>>| {
        let mut spawn = objects.of(git.spawn(args)).cap(most + 1);
        if let Some(input) = input {
            spawn = spawn.input(input);
        }
        side.world.processes.run(&spawn).map_err(GitError::from)
    };
    let strange = |why: String| Open::Strange(Strange(why));
    let about = run(&["cat-file", "--batch-check"], Some(format!("{id}\n").into_bytes()))?.text();
    let mut words = about.split_whitespace().skip(1);
    let (found, size) = (words.next().unwrap_or("missing"), words.next());
    if found == "missing" {
        return Err(Open::Absent);
    }
    if found != kind {
        return Err(strange(format!("it names a {found} where a {kind} belongs")));
    }
    let size: u64 = size.and_then(|size| size.parse().ok()).unwrap_or(u64::MAX);
    if size > most as u64 {
        return Err(strange(format!("its {kind} has {size} bytes, and at most {most} are read")));
    }
    let done = run(&["cat-file", kind, id], None)?;
    if !done.success() || done.stdout.len() as u64 != size {
        return Err(strange(format!("its {kind} cannot be read: {}", done.complaint())));
    }
    Ok(done.stdout)
}

/// A folder for objects that come from others, beside those of the repository.
struct Apart {
    folder: PathBuf,
}

impl Apart {
    fn new(side: &Side) -> Result<Apart, Error> {
        let files = &side.world.files;
        let common = side.repository.common_dir();
        let home = common.join("handover").join("incoming");
        let failed = |e| crate::sys::FileError::new("name", &home, e);
        files.ensure_dir(&home)?;
        let folder = home.join(nonce::<8>().map_err(failed)?);
        files.create_private_dir(&folder)?;
        files.create_private_dir(&folder.join("info"))?;
        let apart = Apart { folder };
        // What the repository has need not come again.
        let mut line = common.join("objects").into_os_string().into_encoded_bytes();
        line.push(b'\n');
        files.write_cache(&apart.folder.join("info").join("alternates"), &line)?;
        Ok(apart)
    }

    fn of(&self, spawn: Spawn) -> Spawn {
        spawn.set("GIT_OBJECT_DIRECTORY", OsString::from(&self.folder))
    }

    /// Throws it away; what is left after a kill is a cache that anybody may delete.
    fn clear(&self, side: &Side) {
        let _ = side.world.files.remove_tree(Path::new(&self.folder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_with_anything_but_the_one_plain_file_is_refused() {
        let id = [7u8; 20];
        let tree = |mode: &str, name: &str| [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &id].concat();
        assert_eq!(only_file(&tree("100644", "a.md"), "a.md", 20).unwrap(), "07".repeat(20));
        assert!(only_file(&tree("120000", "a.md"), "a.md", 20).is_err());
        assert!(only_file(&tree("100755", "a.md"), "a.md", 20).is_err());
        assert!(only_file(&tree("100644", "b.md"), "a.md", 20).is_err());
        let two = [tree("100644", "a.md"), tree("100644", "b.md")].concat();
        assert!(only_file(&two, "a.md", 20).is_err());
        assert!(only_file(b"", "a.md", 20).is_err());
        assert!(only_file(&tree("100644", "a.md")[..20], "a.md", 20).is_err());
    }
}
