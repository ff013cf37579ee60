//! The same branch as a worktree on another machine, from the same commit.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::named;
use crate::git::is_branch_name;
use crate::remote::{
    Question, RemotePath, Target, TargetError, Trouble, Why, ask, quoted, remember, ssh_words,
};
use crate::safety::{clip, one_line};
use crate::sys::{SpawnError, nonce, read_regular};
use crate::terms::{CommitId, Time};
use crate::verbs::{Context, Error};

/// A worktree on another machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The machine's name.
    pub machine: String,
    /// The branch.
    pub branch: String,
    /// Where the branch is here.
    pub here: CommitId,
    /// The worktree there, as people write it.
    pub path: String,
    /// How the two stand.
    pub standing: Standing,
}

/// How a worktree there stands to the branch here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Standing {
    /// It was made now, at the same commit.
    Made,
    /// It was there, at the same commit.
    Same,
    /// It is there, at another commit; nothing was changed.
    Drifted {
        /// Where it is.
        there: CommitId,
        /// How many commits only we have; `None` if theirs is not known here.
        ahead: Option<u32>,
        /// How many only they have.
        behind: Option<u32>,
    },
}

/// A worktree there, as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Known {
    /// The machine's name.
    pub machine: String,
    /// The branch.
    pub branch: String,
    /// Where it is there, as people write it.
    pub path: String,
    /// Its commit.
    pub head: CommitId,
    /// When that was seen.
    pub at: Time,
}

/// The largest file of ours that is read, in bytes.
const MOST: usize = 256 * 1024;
/// More worktrees than this are not remembered.
const MOST_KNOWN: usize = 200;

/// Makes the worktree there, or says how the one that is there differs. Nothing there is moved.
///
/// # Errors
/// There is no such branch here, the machine does not answer, or git there says no.
pub fn run(context: &Context, machine: &str, branch: &str) -> Result<Outcome, Error> {
    let target = named(context, machine)?;
    let usage = |what: String, hint: &str| Error::Usage { what, hint: hint.to_owned() };
    if branch.starts_with('-') || !is_branch_name(branch) || crate::safety::escape(branch) != branch {
        return Err(usage(
            format!("{} is no name of a branch", crate::safety::code_span(branch)),
            "git branch --list",
        ));
    }
    let Some(here) = context.repository.history().resolve(&format!("refs/heads/{branch}"))? else {
        return Err(usage(
            format!("there is no branch {} here", one_line(branch, 80)),
            "make it first: handover start FEATURE",
        ));
    };
    let Some(project) = target.path.clone() else {
        return Err(usage("no path is set for this machine".to_owned(), "set `path` of its profile"));
    };
    let place = place(&project, branch).map_err(TargetError::from)?;
    let arrived = format!("refs/handover/arrived/{}", nonce::<8>().unwrap_or_default());
    let failed = |trouble: Trouble| Error::Machine { name: target.name.clone(), trouble };
    carry(context, &target, &project, &here, &arrived).map_err(failed)?;
    let reason = format!("made by handover remote worktree from {}", context.world.environment.host());
    let question = Question::shell("worktree", script(&arrived, &here, branch, &place, &reason))
        .at(&project)
        .within(120);
    let answers = ask(context.world, &target, "", &[question]).map_err(failed)?;
    let _ = remember(context.world, &context.home(), &target, context.now);
    let section = answers.of("worktree");
    let said =
        section.map(|section| String::from_utf8_lossy(&section.stdout).into_owned()).unwrap_or_default();
    let mut words = said.lines().last().unwrap_or_default().splitn(3, ' ');
    let (word, head, path) = (words.next(), words.next(), words.next());
    let head: Option<CommitId> = head.and_then(|head| head.parse().ok());
    let (standing, head) = match (word, head) {
        (Some("made"), Some(head)) => (Standing::Made, head),
        (Some("there"), Some(head)) if head == here => (Standing::Same, head),
        (Some("there" | "branch"), Some(head)) => (drifted(context, &here, &head)?, head),
        _ => {
            let words = section.map(|section| section.complaint()).unwrap_or_default();
            return Err(failed(Trouble { why: Why::Other, words, tries: 1 }));
        }
    };
    let path =
        path.map(|path| clip(path, 400)).filter(|path| !path.is_empty()).unwrap_or_else(|| place.to_string());
    let known = Known {
        machine: target.name.clone(),
        branch: branch.to_owned(),
        path: path.clone(),
        head,
        at: context.now,
    };
    keep(context, known);
    Ok(Outcome { machine: target.name, branch: branch.to_owned(), here, path, standing })
}

fn drifted(context: &Context, here: &CommitId, there: &CommitId) -> Result<Standing, Error> {
    let history = context.repository.history();
    // Commits that only they have may not be here.
    let known = history.resolve(there.as_str()).ok().flatten().is_some();
    let divergence = if known { history.divergence(here, there).ok() } else { None };
    Ok(Standing::Drifted {
        there: there.clone(),
        ahead: divergence.as_ref().and_then(|both| u32::try_from(both.ahead).ok()),
        behind: divergence.as_ref().and_then(|both| u32::try_from(both.behind).ok()),
    })
}

/// Beside the project, as `start` does it here.
fn place(project: &RemotePath, branch: &str) -> Result<RemotePath, crate::remote::NotOne> {
    let project = project.as_str().trim_end_matches('/');
    let feature = branch.replace('/', "-");
    match project.rsplit_once('/') {
        Some((parent, name)) => RemotePath::read(&format!("{parent}/{name}.{feature}")),
        None => RemotePath::read(&format!("{project}.{feature}")),
    }
}

/// Brings a commit to the repository there, under a name of its own.
fn carry(
    context: &Context,
    target: &Target,
    project: &RemotePath,
    commit: &CommitId,
    reference: &str,
) -> Result<(), Trouble> {
    let url = format!("{}:{}", target.host.before_colon(), project.as_str());
    let lease = format!("--force-with-lease={reference}:");
    let spec = format!("{commit}:{reference}");
    let args = [
        "push",
        "--porcelain",
        "--no-follow-tags",
        "--no-verify",
        "--recurse-submodules=no",
        &lease,
        "--",
        &url,
        &spec,
    ];
    let ssh: Vec<String> = ssh_words(target).iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let spawn = context
        .repository
        .git()
        .spawn(&args)
        .limit(std::time::Duration::from_secs(3600))
        .set("GIT_SSH_COMMAND", ssh.join(" "))
        .set("GIT_ALLOW_PROTOCOL", "ssh");
    let trouble = |why, words: String| Trouble { why, words, tries: 1 };
    match context.world.processes.run(&spawn) {
        Ok(done) if done.success() => Ok(()),
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            let why = Why::of_words(&said);
            // Git adds that the connection ended, whatever it was that ended it.
            let is_git =
                said.contains("does not appear to be a git repository") || said.contains("not found");
            Err(trouble(if is_git { Why::Other } else { why }, crate::remote::telling_line(&said).to_owned()))
        }
        Err(SpawnError::TimedOut { limit, .. }) => {
            Err(trouble(Why::TooSlow, format!("no answer within {} s", limit.as_secs())))
        }
        Err(error) => Err(trouble(Why::Other, error.to_string())),
    }
}

/// Runs in the project there. The last line says how it stands: `made`, `there` (in a worktree) or
/// `branch` (in none, and not where we are), the commit, and where.
fn script(arrived: &str, tip: &CommitId, branch: &str, place: &RemotePath, reason: &str) -> Vec<u8> {
    let word = |text: &str| quoted(text.as_ref());
    let dir = match place.as_str().strip_prefix('/') {
        Some(_) => place.as_str().to_owned(),
        None => format!("./{}", place.as_str()),
    };
    let mut out = Vec::new();
    for (name, value) in
        [("arrived", arrived), ("tip", tip.as_str()), ("branch", branch), ("dir", &dir), ("reason", reason)]
    {
        out.extend(format!("{name}=").bytes());
        out.extend(word(value));
        out.push(b'\n');
    }
    out.extend(SCRIPT.as_bytes());
    out
}

const SCRIPT: &str = r#"
case $dir in /*) ;; *) dir=$HOME/${dir#./} ;; esac
trap 'git update-ref -d "$arrived"' EXIT
ref=refs/heads/$branch
at=''
while IFS= read -r line; do
    case $line in
        'worktree '*) path=${line#worktree } ;;
        "branch $ref") at=$path ;;
    esac
done < <(git worktree list --porcelain)
now=$(git rev-parse --verify --quiet "$ref^{commit}")
if [ -n "$at" ]; then
    git worktree lock --reason "$reason" -- "$at" 2>/dev/null
    printf 'there %s %s\n' "$now" "$at"
    exit 0
fi
if [ -n "$now" ] && ! git merge-base --is-ancestor "$now" "$tip"; then
    printf 'branch %s\n' "$now"
    exit 0
fi
if [ -n "$now" ]; then
    git update-ref "$ref" "$tip" "$now" && git worktree add --quiet -- "$dir" "$branch" >&2 || exit 1
else
    git worktree add --quiet --no-track -b "$branch" -- "$dir" "$tip" >&2 || exit 1
fi
git worktree lock --reason "$reason" -- "$dir" >&2 || exit 1
printf 'made %s %s\n' "$tip" "$dir"
"#;

/// The worktrees on other machines that are remembered, oldest first.
pub fn known(context: &Context) -> Vec<Known> {
    let bytes = read_regular(&file(context), MOST).ok().flatten().unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Only memory: where it cannot be written nothing is lost.
fn keep(context: &Context, new: Known) {
    let mut all = known(context);
    all.retain(|one| (&one.machine, &one.branch) != (&new.machine, &new.branch));
    all.push(new);
    let over = all.len().saturating_sub(MOST_KNOWN);
    all.drain(..over);
    let path = file(context);
    let folder = path.parent().map(std::path::Path::to_owned).unwrap_or_default();
    if let Ok(text) = serde_json::to_vec(&all) {
        let _ = context
            .world
            .files
            .ensure_dir(&folder)
            .and_then(|()| context.world.files.write_cache(&path, &text));
    }
}

fn file(context: &Context) -> PathBuf {
    context.home().join("remote").join("worktrees.json")
}
