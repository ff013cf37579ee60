//! The other side: which remote, what its branch is at, and pushing with the value that was seen.

use std::time::Duration;

use crate::git::{Git, GitError, Repository};
use crate::sys::{Finished, Spawn, World};
use crate::terms::CommitId;

use super::Error;

/// How long one exchange with a remote may take; a cluster's link can be slow.
pub(super) const LIMIT: Duration = Duration::from_secs(900);

/// The branch of a remote that ours is carried to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterpart {
    /// The remote's name.
    pub remote: String,
    /// The branch's name there, without `refs/heads/`.
    pub branch: String,
    /// True if our branch names no upstream yet.
    pub is_new_upstream: bool,
    /// An upstream of another name, which is not pushed to.
    pub other_upstream: Option<String>,
}

/// What came of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// It answered.
    Done(T),
    /// It could not be reached; git's words.
    Offline(String),
    /// It was reached, and refused; git's words.
    Refused(String),
}

/// What came of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The remote is at our tip.
    Taken,
    /// Somebody was faster: the remote is not where we saw it.
    Behind,
}

impl Counterpart {
    /// The name under which git remembers where the branch was at the last look.
    pub fn tracking(&self) -> String {
        format!("refs/remotes/{}/{}", self.remote, self.branch)
    }

    /// The full name of the branch at the remote.
    pub fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }
}

/// Finds the counterpart of a branch; asks no network.
///
/// A branch goes to the one of its own name. An upstream of another name is
/// where it came from, as with `git switch -c feature origin/main`, and to push
/// there would publish it under the wrong name, unless `push.default` says that
/// this is meant.
///
/// # Errors
/// [`Error::NoRemote`].
pub fn counterpart(
    repository: &Repository,
    branch: &str,
    wanted: Option<&str>,
) -> Result<Counterpart, Error> {
    let git = repository.git();
    let configured = git.config(&format!("branch.{branch}.remote"))?.filter(|remote| remote != ".");
    let remote = choose(repository, wanted.or(configured.as_deref()))?;
    let upstream = git.config(&format!("branch.{branch}.merge"))?;
    let upstream = upstream.as_deref().and_then(|name| name.strip_prefix("refs/heads/"));
    let upstream = upstream.filter(|_| configured.as_ref() == Some(&remote));
    let means_upstream = || -> Result<bool, GitError> {
        Ok(git.config("push.default")?.is_some_and(|mode| mode == "upstream" || mode == "tracking"))
    };
    let (name, other) = match upstream {
        Some(name) if name != branch && means_upstream()? => (name, None),
        Some(name) if name != branch => (branch, Some(format!("{remote}/{name}"))),
        _ => (branch, None),
    };
    Ok(Counterpart {
        branch: name.to_owned(),
        is_new_upstream: configured.is_none(),
        other_upstream: other,
        remote,
    })
}

/// The remote that is meant: the one that was named, else `origin`, else the only one.
///
/// # Errors
/// [`Error::NoRemote`].
pub fn choose(repository: &Repository, named: Option<&str>) -> Result<String, Error> {
    let remotes = repository.git().remotes()?;
    let no_remote = |why: String| Error::NoRemote { why };
    match named {
        Some(remote) if remotes.iter().any(|known| known == remote) => Ok(remote.to_owned()),
        Some(remote) => {
            Err(no_remote(format!("there is none called {}", crate::safety::one_line(remote, 60))))
        }
        None => match remotes.as_slice() {
            [] => Err(no_remote("this repository has none".to_owned())),
            [only] => Ok(only.clone()),
            several if several.iter().any(|name| name == "origin") => Ok("origin".to_owned()),
            several => Err(no_remote(format!("there are {}", several.join(", ")))),
        },
    }
}

/// Fetches the counterpart: its tip, or nothing if the remote has no such branch.
///
/// # Errors
/// Git could not be run at all.
pub fn fetch(
    world: &World,
    repository: &Repository,
    other: &Counterpart,
) -> Result<Answer<Option<CommitId>>, Error> {
    let spec = format!("+{}:{}", other.reference(), other.tracking());
    let args = [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-write-fetch-head",
        "--",
        &other.remote,
        &spec,
    ];
    let done = exchange(world, repository.git(), &args)?;
    if done.success() {
        let tip = repository.history().resolve(&other.tracking())?;
        return Ok(Answer::Done(tip));
    }
    // Git has no other sign for it; the text is the same in every release (fetch-pack.c, remote.c).
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    if errors.contains("couldn't find remote ref") {
        return Ok(Answer::Done(None));
    }
    Ok(no_answer(&done))
}

/// Pushes a commit to the counterpart, if that is still at `seen`.
///
/// A commit that does not descend from `seen` is never pushed: the caller has made sure.
///
/// # Errors
/// Git could not be run at all.
pub fn push(
    world: &World,
    repository: &Repository,
    other: &Counterpart,
    tip: &CommitId,
    seen: Option<&CommitId>,
) -> Result<Answer<Pushed>, Error> {
    push_to(world, repository, &other.remote, &other.reference(), tip, seen)
}

/// Pushes a commit to a branch of a remote, if that is at `seen`, or is not there if nothing was seen.
///
/// # Errors
/// Git could not be run at all.
pub fn push_to(
    world: &World,
    repository: &Repository,
    remote: &str,
    reference: &str,
    tip: &CommitId,
    seen: Option<&CommitId>,
) -> Result<Answer<Pushed>, Error> {
    let lease = format!("--force-with-lease={reference}:{}", seen.map_or("", |seen| seen.as_str()));
    let spec = format!("{tip}:{reference}");
    let args = ["push", "--porcelain", "--no-follow-tags", &lease, "--", remote, &spec];
    let done = exchange(world, repository.git(), &args)?;
    let flag = flag_of(&done.stdout, reference);
    match flag {
        // `=`: somebody else has brought the very same commit; that is as good.
        Some(b' ' | b'*' | b'+' | b'=') if done.success() => Ok(Answer::Done(Pushed::Taken)),
        Some(b'!') if is_lost_race(&done) => Ok(Answer::Done(Pushed::Behind)),
        Some(b'!') => Ok(Answer::Refused(refusal_of(&done))),
        _ => Ok(no_answer(&done)),
    }
}

/// The flag that `git push --porcelain` gives to a ref: `<flag>\t<from>:<to>\t<summary>`.
fn flag_of(stdout: &[u8], reference: &str) -> Option<u8> {
    let text = String::from_utf8_lossy(stdout);
    text.lines().find_map(|line| {
        let mut fields = line.split('\t');
        let flag = fields.next()?.bytes().next()?;
        let (_, to) = fields.next()?.split_once(':')?;
        (to == reference).then_some(flag)
    })
}

/// True if the remote moved before we came, or another push held its lock: both
/// are settled by looking again.
pub(super) fn is_lost_race(done: &Finished) -> bool {
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let signs = [
        "stale info",
        "fetch first",
        "non-fast-forward",
        "cannot lock ref",
        "failed to update ref",
        "reference already exists",
        "incorrect old value",
        "failed to lock",
    ];
    signs.iter().any(|sign| text.contains(sign))
}

/// What the remote says, for people: the line in brackets, or its last words.
pub(super) fn refusal_of(done: &Finished) -> String {
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with('!')).and_then(|line| line.split('\t').nth(2));
    let said: Vec<String> = String::from_utf8_lossy(&done.stderr)
        .lines()
        .filter_map(|line| line.strip_prefix("remote: ").map(|line| line.trim().to_owned()))
        .filter(|line| !line.is_empty())
        .collect();
    match (line, said.is_empty()) {
        (Some(line), true) => line.to_owned(),
        (Some(line), false) => format!("{line}: {}", said.join(" ")),
        (None, _) => done.complaint(),
    }
}

/// What git says where it never came to an answer.
pub(super) fn no_answer<T>(done: &Finished) -> Answer<T> {
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    let lines = || errors.lines().map(str::trim).filter(|line| !line.is_empty());
    // The first line is the cause; the last ones are advice.
    let words = lines().find(|line| !line.starts_with("remote:") && !line.starts_with("warning:"));
    let words = words.or_else(|| lines().next_back()).unwrap_or("git gave no reason").to_owned();
    if is_offline(&errors) { Answer::Offline(words) } else { Answer::Refused(words) }
}

/// True if the words speak of a network that does not carry, rather than of a
/// remote that does not want us (ssh(1), libcurl, git's own transports).
fn is_offline(errors: &str) -> bool {
    let signs = [
        "Could not resolve host",
        "Temporary failure in name resolution",
        "Name or service not known",
        "Connection timed out",
        "Operation timed out",
        "Connection refused",
        "Connection reset",
        "Connection closed",
        "No route to host",
        "Network is unreachable",
        "Failed to connect",
        "unable to connect",
        "Broken pipe",
        "the remote end hung up",
        "early EOF",
        "timed out",
    ];
    !errors.contains("Permission denied") && signs.iter().any(|sign| errors.contains(sign))
}

fn exchange(world: &World, git: &Git, args: &[&str]) -> Result<Finished, Error> {
    exchange_as(world, git, args, |spawn| spawn.limit(LIMIT))
}

/// Asks a remote with git, guarded, in the shape that the caller gives to the call.
pub(super) fn exchange_as(
    world: &World,
    git: &Git,
    args: &[&str],
    shape: impl FnOnce(Spawn) -> Spawn,
) -> Result<Finished, Error> {
    let mut spawn: Spawn = git.spawn(args).set("GIT_ALLOW_PROTOCOL", "file:ssh:https:http:git");
    let has_own = ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| world.environment.value(name).is_some());
    if !has_own && git.config("core.sshCommand")?.is_none() {
        // Nobody is there to type a password, or to accept the key of a host.
        spawn = spawn.set("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=20");
    }
    match world.processes.run(&shape(spawn)) {
        Err(crate::sys::SpawnError::TimedOut { program, limit }) => Ok(Finished {
            code: 128,
            stderr: format!("{program}: timed out after {} s", limit.as_secs()).into_bytes(),
            ..Finished::default()
        }),
        done => Ok(done.map_err(GitError::from)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(stdout: &str, stderr: &str) -> Finished {
        Finished { code: 1, stdout: stdout.into(), stderr: stderr.into(), cut: false }
    }

    #[test]
    fn what_a_push_says_of_our_ref_alone_counts() {
        let text = "To ../o.git\n \tabc:refs/heads/main\tabc..def\n!\tabc:refs/heads/x\t[rejected] (stale info)\nDone\n";
        assert_eq!(flag_of(text.as_bytes(), "refs/heads/main"), Some(b' '));
        assert_eq!(flag_of(text.as_bytes(), "refs/heads/x"), Some(b'!'));
        assert_eq!(flag_of(text.as_bytes(), "refs/heads/none"), None);
        assert!(is_lost_race(&finished(text, "")));
        let hook = "!\ta:refs/heads/x\t[remote rejected] (pre-receive hook declined)\n";
        assert!(!is_lost_race(&finished(hook, "remote: no large files\n")));
        assert_eq!(
            refusal_of(&finished(hook, "remote: no large files\n")),
            "[remote rejected] (pre-receive hook declined): no large files"
        );
    }

    #[test]
    fn a_network_that_does_not_carry_is_told_from_a_remote_that_refuses() {
        let offline = |text: &str| matches!(no_answer::<()>(&finished("", text)), Answer::Offline(_));
        assert!(offline(
            "ssh: Could not resolve hostname x: Name or service not known\nfatal: Could not read"
        ));
        assert!(offline("fatal: unable to access 'https://x/': Failed to connect to x port 443"));
        assert!(!offline(
            "git@x: Permission denied (publickey).\nfatal: Could not read from remote repository."
        ));
        assert!(!offline("fatal: '/no/such.git' does not appear to be a git repository"));
    }
}
