//! The one place where an error gets its exit code and its hints.
//!
//! Every kind of error has a hint: each `match` here names all kinds, and a test
//! looks that none of its arms is without one.

mod fetch;
mod paste;
mod remote;
mod sync;
mod worktree;

use std::error::Error as _;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::Exit;
use crate::baton::BatonError;
use crate::document::StoreError;
use crate::git::GitError;
use crate::report::unlock::about_strange;
use crate::safety::shell_path;
use crate::sys::lock::LockError;
use crate::sys::{FileError, SpawnError};
use crate::verbs::shards::ShardError;
use crate::verbs::sweep::plan::with_options;
use crate::verbs::sweep::submit::Refusal;
use crate::verbs::{Error, Wanted};

/// An error as it is shown: what was attempted, why it failed, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// How the program ends.
    #[serde(rename = "exit_code", serialize_with = "number")]
    #[cfg_attr(feature = "schema", schemars(with = "u8"))]
    pub exit: Exit,
    /// What was attempted, and the chain of causes.
    pub messages: Vec<String>,
    /// Commands to run, or things to do, next.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure with one message and no hint.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, messages: vec![message.into()], hints: Vec::new() }
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// Lets the hints that are commands about sweeps end with these options of the call that failed.
    pub fn keeping(mut self, options: &str) -> Failure {
        let is_command = |hint: &&mut String| {
            hint.contains("handover sweep") && !hint.contains("FILE") && !hint.contains("--cluster")
        };
        self.hints.iter_mut().filter(is_command).for_each(|hint| hint.push_str(options));
        self
    }

    /// The failure as lines for standard error.
    pub fn text(&self) -> String {
        let mut out = format!("error: {}\n", self.messages.join(": "));
        for hint in &self.hints {
            out.push_str(&format!("hint: {hint}\n"));
        }
        out
    }
}

/// The line with which standard error ends under `--json`, if nothing was answered.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorLine<'f> {
    /// Why not.
    pub error: &'f Failure,
}

fn number<S: Serializer>(exit: &Exit, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u8(exit.number())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let (exit, hints) = judge(&error);
        let mut messages = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if messages.last() != Some(&text) {
                messages.push(text);
            }
            source = cause.source();
        }
        Failure { exit, messages, hints }
    }
}

fn judge(error: &Error) -> (Exit, Vec<String>) {
    let hint = |text: &str| vec![text.to_owned()];
    match error {
        Error::Git(error) => judge_git(error),
        Error::File(error) => judge_file(error),
        Error::Lock(error) => judge_lock(error),
        Error::Baton(error) => judge_baton(error),
        Error::Held { wanted, holders, .. } => {
            let claims = holders.iter().map(|claim| (claim.key.to_string(), claim.nonce.as_str()));
            (Exit::Refused, judge_held(wanted, claims))
        }
        Error::NobodyHolds => (Exit::NotFound, hint("see which batons are held: handover status")),
        Error::Store(error) => judge_store(error),
        Error::Front(_) => {
            (Exit::Damaged, hint("look at it as it stands: handover show KEY, or less on its file"))
        }
        Error::Body(_) => (Exit::Usage, hint("`handover draft` writes a body with all headings")),
        Error::Paste(refusal) => (Exit::Refused, paste::judge(&refusal.faults)),
        Error::Place(_) => (Exit::Usage, hint("name it in the settings, below `paste`: project: ~/FOLDER")),
        Error::Busy { hint, .. } => (Exit::Deferred, vec![format!("run it again: {hint}")]),
        Error::Config(_) => (Exit::Usage, hint("the README lists every name; an empty file is valid too")),
        Error::Patterns(_) => (Exit::Usage, hint("mend that row of logs.patterns in the settings")),
        Error::Worktree(error) => worktree::judge(error),
        Error::Sync(error) => sync::judge(error),
        Error::SameRepository { .. } => (
            Exit::Usage,
            hint(
                "sync.second in the settings names another repository; a folder of this one travels with it",
            ),
        ),
        Error::AfterSaving { source, .. } | Error::FirstOfTwo { source, .. } => judge(source),
        Error::Fetch(error) => fetch::judge(error),
        Error::Remote(error) => remote::judge(error),
        Error::Machine { name, trouble } => {
            let exit = if trouble.why.is_offline() { Exit::Deferred } else { Exit::Outside };
            (exit, vec![format!("see what is there: handover remote check{}", named(name))])
        }
        Error::MachineOfTheTree { .. } => (Exit::Refused, remote::where_to_write()),
        Error::SessionLogs { .. } => (
            Exit::Refused,
            vec![
                "when whoever writes them has ended: git add FILE && git commit".to_owned(),
                "to go on as things are: handover sync --anyway".to_owned(),
            ],
        ),
        Error::PlanRecord { path, .. } => (Exit::Damaged, judge_record(path)),
        Error::Shards(error) => judge_shards(error),
        Error::StateFile { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            (Exit::NotFound, hint("--cluster takes auto, local, none, or the path of a state file"))
        }
        Error::StateFile { source, .. } if is_other_thing(source) => (
            Exit::Usage,
            vec![
                "the cluster side writes one: handover snapshot --script".to_owned(),
                "by a line for a phone: handover paste snapshot".to_owned(),
                "what sacct printed is read by: handover sweep --accounting FILE".to_owned(),
            ],
        ),
        Error::StateFile { path, source } => (Exit::Outside, vec![look_at(path, source)]),
        Error::Accounting { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            (Exit::NotFound, hint("save one: sacct -P -D -S now-7days --format=ALL > FILE"))
        }
        Error::Accounting { source, .. } if is_other_thing(source) => {
            (Exit::Usage, hint("save one: sacct -P -D -S now-7days --format=ALL > FILE"))
        }
        Error::Accounting { path, source } => (Exit::Outside, vec![look_at(path, source)]),
        Error::NoTask { array, .. } => {
            (Exit::NotFound, vec![format!("read the logs of all of them: handover logs --job {array}")])
        }
        Error::NoSweep { .. } => (Exit::NotFound, hint("see which there are: handover sweep")),
        Error::LeftOut { .. } => (
            Exit::NotFound,
            vec![
                "any array is found by its id: handover sweep ID".to_owned(),
                "see which the settings take: handover sweep".to_owned(),
            ],
        ),
        Error::SingleJob { wanted, .. } => {
            let id = crate::safety::one_line(wanted, 40);
            (
                Exit::NotFound,
                vec![
                    format!("watch it alone: handover watch {id}"),
                    "causes in its log: handover logs".to_owned(),
                ],
            )
        }
        Error::Unseen { .. } => (
            Exit::Outside,
            hint(
                "name a state file, --cluster FILE, or what sacct printed: handover sweep --accounting FILE",
            ),
        ),
        Error::SeveralSweeps { .. } => {
            (Exit::NotFound, hint("give the whole name, or an id: handover sweep"))
        }
        Error::NoCluster { .. } => (
            Exit::Outside,
            hint("name where the cluster's state can be read: --cluster local, or the path of a state file"),
        ),
        Error::OldEvidence { sweep, .. } => {
            let sweep = crate::safety::one_line(sweep, 60);
            (
                Exit::Refused,
                vec![
                    format!(
                        "where Slurm's commands are: handover sweep clean {sweep} --remove --cluster local"
                    ),
                    "or take a new state file: handover snapshot --script".to_owned(),
                    "by a line for a phone: handover paste snapshot".to_owned(),
                ],
            )
        }
        Error::Changed { sweep, .. } => {
            let sweep = crate::safety::one_line(sweep, 60);
            (Exit::Refused, vec![format!("look at it again: handover sweep clean {sweep}")])
        }
        Error::Submit(refusal) => (Exit::Refused, judge_submit(refusal)),
        Error::Usage { hint, .. } => (Exit::Usage, vec![hint.clone()]),
    }
}

/// True if a file was named that is something else than what it should be.
fn is_other_thing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, InvalidData, InvalidInput, IsADirectory};
    matches!(error.kind(), FileTooLarge | InvalidData | InvalidInput | IsADirectory)
}

/// What to do where another session holds the baton of the worktree.
/// `claims` are keys and nonces.
fn judge_held<'c>(wanted: &Wanted, claims: impl Iterator<Item = (String, &'c str)>) -> Vec<String> {
    match wanted {
        Wanted::Resume(key) => vec![
            format!("read without taking it: handover show {key}"),
            format!("if that session is over, a person may take it: handover resume {key} --take-over"),
        ],
        Wanted::Create => vec![
            "say it beside the holder's, with the same options: handover create --side".to_owned(),
            "if that session is over, a person may go on without it: handover create --take-over".to_owned(),
        ],
        Wanted::Release => claims
            .map(|(key, nonce)| {
                let nonce = crate::safety::shell_word(nonce).unwrap_or_else(|_| "NONCE".to_owned());
                format!(
                    "if that session is over, a person may free it: handover release {key} --nonce {nonce}"
                )
            })
            .collect(),
    }
}

fn judge_submit(refusal: &Refusal) -> Vec<String> {
    match refusal {
        Refusal::Moved { now: Some(now), command, .. } => {
            vec![
                format!("look at it again: {command}"),
                format!("if it is right: {}", with_options(command, &format!("--submit {now}"))),
            ]
        }
        Refusal::Moved { now: None, command, .. } => {
            vec![format!("there is nothing to run any more; look again: {command}")]
        }
        Refusal::Meanwhile { command } => vec![format!("look at it again: {command}")],
        Refusal::Again { record } if record.is_unclear() => vec![
            format!("what became of it: handover sweep plan {}", crate::safety::one_line(&record.sweep, 60)),
            format!(
                "if squeue and sacct know no job of it: handover sweep plan {} --not-submitted {}",
                crate::safety::one_line(&record.sweep, 60),
                record.hash
            ),
        ],
        Refusal::Again { record } => vec![format!(
            "what became of it: handover sweep plan {}",
            crate::safety::one_line(&record.sweep, 60)
        )],
        Refusal::NotHere { .. } => {
            vec!["run it where Slurm's commands are, with --cluster local".to_owned()]
        }
        Refusal::StartsOver { .. } => {
            vec!["name the project's own command as `resume` below `sweeps`".to_owned()]
        }
    }
}

fn judge_file(error: &FileError) -> (Exit, Vec<String>) {
    if error.is_forbidden() {
        let hint = "check the rights of that directory, or run outside the sandbox";
        return (Exit::Outside, vec![hint.to_owned()]);
    }
    (Exit::Outside, vec![look_at(&error.path, &error.source)])
}

/// The way out where nobody can read what a plan submitted: a person looks, for
/// without the record nothing keeps its tasks from being submitted twice.
fn judge_record(path: &Path) -> Vec<String> {
    let shown = |path: &Path| shell_path(path).unwrap_or_else(|_| "PATH".to_owned());
    let mut aside = path.as_os_str().to_owned();
    aside.push(".damaged");
    let (from, to) = (shown(path), shown(Path::new(&aside)));
    vec![
        format!(
            "see what it submitted, for without it nothing keeps that from being submitted twice: less {from}; squeue --me; sacct"
        ),
        format!("then move it aside: mv {from} {to}"),
    ]
}

/// What to look at where the system refused a file.
fn look_at(path: &Path, source: &std::io::Error) -> String {
    use std::io::ErrorKind::{NotFound, QuotaExceeded, StorageFull};
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(path);
    let shown = |path: &Path| shell_path(path).unwrap_or_else(|_| "PATH".to_owned());
    match source.kind() {
        StorageFull | QuotaExceeded => format!("make room, then run it again: df -h {}", shown(folder)),
        NotFound => format!("see what is there: ls -la {}", shown(folder)),
        _ => format!("see what it is: ls -la {}", shown(path)),
    }
}

fn judge_shards(error: &ShardError) -> (Exit, Vec<String>) {
    match error {
        ShardError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            (Exit::NotFound, vec!["see how far the array is: squeue --me".into()])
        }
        ShardError::Unreadable { path, source } => (Exit::Outside, vec![look_at(path, source)]),
        ShardError::Foreign { .. } => {
            (Exit::Usage, vec!["name the files of one array: --merge DIR/JOBID/shard-*.jsonl".into()])
        }
        ShardError::Unquotable(_) => (Exit::Usage, vec!["use folders whose names a shell can take".into()]),
        ShardError::Spawn(SpawnError::Missing { .. }) => (
            Exit::Outside,
            vec!["run it on a login node; without --submit the script is printed, to be taken there".into()],
        ),
        ShardError::Spawn(_) => (Exit::Outside, vec!["see whether Slurm answers: sbatch --version".into()]),
        ShardError::Refused { .. } => (
            Exit::Outside,
            vec![
                "set SBATCH_PARTITION and SBATCH_ACCOUNT, or print the script without --submit and edit it"
                    .into(),
            ],
        ),
    }
}

fn judge_lock(error: &LockError) -> (Exit, Vec<String>) {
    match error {
        LockError::Busy { holder, .. } => {
            let again = || {
                vec![
                    "run the same command again in a moment".to_owned(),
                    format!("if it died on another machine, or hangs: {}", holder.unlock_command()),
                ]
            };
            (Exit::Deferred, holder.strange.as_deref().map_or_else(again, about_strange))
        }
        LockError::Lost => {
            (Exit::Partial, vec!["run the same command again: it goes on from what is there".into()])
        }
        LockError::NoSuch { .. } => {
            (Exit::NotFound, vec!["it has been given back; run the command that met it again".into()])
        }
        LockError::Strange { path } => (Exit::Refused, about_strange(path)),
        LockError::File(error) => judge_file(error),
    }
}

fn judge_baton(error: &BatonError) -> (Exit, Vec<String>) {
    match error {
        BatonError::Held { key, .. } | BatonError::Moved { key, holder: Some(_) } => (
            Exit::Refused,
            vec![
                format!("read without taking it: handover show {key}"),
                format!("if that session is over, a person may take it: handover resume {key} --take-over"),
            ],
        ),
        BatonError::HeldAt { key, .. } => (
            Exit::Refused,
            vec![
                format!("read without taking it: handover show {key}"),
                format!("if that session is over, a person may take it: handover resume {key} --take-over"),
            ],
        ),
        BatonError::Strange { remote, .. } => (
            Exit::Damaged,
            vec![format!(
                "see what is there: git ls-remote {} 'refs/*handover/batons/*'",
                crate::safety::shell_word(remote).unwrap_or_else(|_| "REMOTE".to_owned())
            )],
        ),
        BatonError::Moved { key, holder: None } => {
            (Exit::Refused, vec![format!("look again: handover resume {key}")])
        }
        BatonError::Free { .. } => {
            (Exit::NotFound, vec!["see which batons are held: handover status".into()])
        }
        BatonError::Damaged { key, .. } => (
            Exit::Damaged,
            vec![
                "look at that file; the ones before it in its folder tell the history".into(),
                format!(
                    "if no session works with it, a person may move it aside and go on: handover resume {key} --take-over"
                ),
            ],
        ),
        BatonError::File(error) => judge_file(error),
    }
}

fn judge_store(error: &StoreError) -> (Exit, Vec<String>) {
    let hint = |text: &str| vec![text.to_owned()];
    match error {
        StoreError::NotFound(wanted) => {
            let wanted = crate::safety::shell_word(wanted).unwrap_or_else(|_| "KEY".to_owned());
            (
                Exit::NotFound,
                vec![
                    "handover list --all".to_owned(),
                    format!("if it was made on another machine: handover fetch {wanted}"),
                ],
            )
        }
        StoreError::None => (Exit::NotFound, hint("write the first one: handover create")),
        StoreError::Ambiguous { .. } => (Exit::NotFound, hint("type more of the key")),
        StoreError::SeveralLeaves { .. } => (
            Exit::NotFound,
            vec!["name one: handover verify KEY".to_owned(), "or join them: handover create".to_owned()],
        ),
        StoreError::Collision(_) => {
            (Exit::Refused, hint("nothing was overwritten; run it again in a second"))
        }
        StoreError::Damaged { key, copy: Some(_), .. } => (
            Exit::Damaged,
            vec![format!(
                "put it back from that copy, the damaged one is kept: handover show {key} --restore"
            )],
        ),
        StoreError::Damaged { key, path, copy: None } => (
            Exit::Damaged,
            vec![
                format!(
                    "look at what there is of it: less {}",
                    shell_path(path).unwrap_or_else(|_| "PATH".to_owned())
                ),
                format!(
                    "if another worktree or clone has a copy that proves it, put that into CLAUDE/ here: handover show {key} --restore"
                ),
            ],
        ),
        StoreError::Unreadable { path, source } => (Exit::Damaged, vec![look_at(path, source)]),
        StoreError::File(error) => judge_file(error),
    }
}

/// A blank and the name, if it can stand in a shell's line.
fn named(name: &str) -> String {
    crate::safety::shell_last(name).map(|name| format!(" {name}")).unwrap_or_default()
}

fn judge_git(error: &GitError) -> (Exit, Vec<String>) {
    match error {
        GitError::NotARepository { .. } => {
            (Exit::NotFound, vec!["change into a git repository, or name one with -C DIR".into()])
        }
        GitError::Bare { .. } => {
            (Exit::NotFound, vec!["change into one of its worktrees: git worktree list".into()])
        }
        GitError::Spawn(SpawnError::Missing { .. }) => {
            (Exit::Outside, vec!["install git 2.31 or newer".into()])
        }
        GitError::Failed { complaint, .. } if complaint.contains("dubious ownership") => {
            (Exit::Outside, vec!["if you trust it: git config --global --add safe.directory DIR".into()])
        }
        GitError::Spawn(_) => {
            (Exit::Outside, vec!["see whether git answers there at all: git status".into()])
        }
        // What git said stands in the message; it knows best.
        GitError::Failed { .. } | GitError::Unreadable { .. } => {
            (Exit::Outside, vec!["ask git itself: git status, and git fsck if that fails".into()])
        }
    }
}
