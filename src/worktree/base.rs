//! What a new branch starts from.

use serde::Serialize;

use super::Error;
use crate::git::Repository;
use crate::terms::CommitId;

/// A commit, and the name by which it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Base {
    /// A branch, a remote branch, or what the user typed.
    pub name: String,
    /// The commit.
    pub commit: CommitId,
}

/// The base of a new branch: what the user names, else the local default
/// branch, or its upstream if that is strictly ahead. Nothing is fetched.
pub fn choose(repository: &Repository, named: Option<&str>, notes: &mut Vec<String>) -> Result<Base, Error> {
    let history = repository.history();
    if let Some(name) = named {
        let commit = history.resolve(name)?.ok_or_else(|| Error::NoSuchBase { base: name.to_owned() })?;
        return Ok(Base { name: name.to_owned(), commit });
    }
    let Some(base) = default(repository)? else {
        let commit = history.resolve("HEAD")?.ok_or(Error::Unborn)?;
        notes.push("there is no default branch here, so it starts from HEAD".to_owned());
        return Ok(Base { name: "HEAD".to_owned(), commit });
    };
    let Some(upstream) = upstream(repository, &base.name)? else { return Ok(base) };
    if upstream.commit == base.commit || history.is_ancestor(&upstream.commit, &base.commit)? {
        return Ok(base);
    }
    if history.is_ancestor(&base.commit, &upstream.commit)? {
        notes.push(format!("{} is ahead of {}, so it starts from there", upstream.name, base.name));
        return Ok(upstream);
    }
    notes.push(format!("{} and {} have diverged; it starts from {}", base.name, upstream.name, base.name));
    Ok(base)
}

/// The local default branch, if there is one with a commit.
pub fn default(repository: &Repository) -> Result<Option<Base>, Error> {
    let Some(name) = repository.default_branch()? else { return Ok(None) };
    let commit = repository.history().resolve(&format!("refs/heads/{name}"))?;
    Ok(commit.map(|commit| Base { name, commit }))
}

/// The remote branch that a local one follows, as far as it is here.
pub fn upstream(repository: &Repository, branch: &str) -> Result<Option<Base>, Error> {
    let history = repository.history();
    let Some(name) = history.upstream(branch)? else { return Ok(None) };
    let commit = history.resolve(&name)?;
    let short =
        name.strip_prefix("refs/remotes/").or_else(|| name.strip_prefix("refs/heads/")).unwrap_or(&name);
    Ok(commit.map(|commit| Base { name: short.to_owned(), commit }))
}

/// Where a branch that is there already left the default branch.
pub fn of_existing(repository: &Repository, branch: &str) -> Result<Option<Base>, Error> {
    let history = repository.history();
    let (Some(base), Some(tip)) = (default(repository)?, history.resolve(&format!("refs/heads/{branch}"))?)
    else {
        return Ok(None);
    };
    let fork = history.merge_base(&base.commit, &tip)?;
    Ok(fork.map(|commit| Base { name: base.name, commit }))
}
