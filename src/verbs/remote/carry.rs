//! Files to another machine, and back.
//!
//! What would travel is looked at first, by rsync itself. Then exactly those files travel. On the side
//! that receives nothing is lost: a file that is newer there stays as it is, and whatever is
//! overwritten or deleted is kept under a name with the date.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::named;
use crate::git::{ChangeKind, Status, Untracked};
use crate::remote::rsync::{Change, Item, KEPT, Transfer, Way, items};
use crate::remote::{RemotePath, Target, Trouble, Why, remember};
use crate::safety::{is_file_of_secrets, secrets_in_file};
use crate::sys::{Finished, Spawn, SpawnError, nonce, open_regular};
use crate::terms::{Bytes, counted};
use crate::verbs::{Context, Error};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Options {
    /// The machine, by its name in the settings.
    pub machine: String,
    /// Which way files go.
    pub way: Way,
    /// The part of the project that travels, from its top; all of it if empty.
    pub below: Option<PathBuf>,
    /// More patterns of what stays.
    pub without: Vec<String>,
    /// True if what is not on the side that gives is deleted on the other.
    pub delete: bool,
    /// True if files that are newer, or not committed, on the side that receives are overwritten.
    pub overwrite: bool,
    /// Files that may travel although they hold what looks like a secret.
    pub allow_secrets: Vec<PathBuf>,
}

/// What would travel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// The machine's name.
    pub machine: String,
    /// Which way files go.
    pub way: Way,
    /// The folder here.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub here: PathBuf,
    /// The folder there, as people write it: `user@host:path`.
    pub there: String,
    /// What travels.
    pub files: Vec<Entry>,
    /// What would be deleted on the side that receives.
    #[serde(serialize_with = "crate::terms::path_text", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub deleted: Vec<PathBuf>,
    /// What stays as it is on the side that receives, and why.
    pub held: Vec<Held>,
    /// What does not travel for its content or name.
    pub refused: Vec<Refused>,
    /// Where whatever is overwritten or deleted is kept.
    pub kept_in: String,
    #[serde(skip)]
    mirror: bool,
}

impl Plan {
    /// True if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.deleted.is_empty()
    }
}

/// A file that travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// From the folder.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// What happens to it.
    pub change: Change,
    /// True for a folder.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_folder: bool,
    /// Its size where it comes from.
    pub size: Bytes,
}

/// A file that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Held {
    /// From the folder.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// Why.
    pub why: WhyHeld,
}

/// Why a file stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WhyHeld {
    /// It is newer than the one that would come.
    Newer,
    /// It has changes that are in no commit.
    NotCommitted,
}

/// A file that does not leave this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refused {
    /// From the folder.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// The rule that found a secret and its line; a file of secrets by its name has neither.
    pub rule: Option<String>,
    /// Its line.
    pub line: Option<usize>,
    /// Why it was not looked into, if it was not.
    pub unread: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// What was to travel.
    pub plan: Plan,
    /// What has arrived, as rsync tells it.
    pub arrived: usize,
    /// How it ended.
    pub end: End,
    /// What rsync complained of, a line each.
    pub complaints: Vec<String>,
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum End {
    /// Everything is there.
    Done,
    /// There was nothing to do.
    Nothing,
    /// Some files did not arrive: they changed or vanished meanwhile, or could not be read or written.
    Partly,
    /// The side that receives has no room.
    NoRoom,
    /// The connection was lost; the next run goes on where this one stopped.
    Cut,
    /// Rsync was ended; the next run goes on where this one stopped.
    Killed,
}

/// Larger files are not searched for secrets; in bytes.
const LARGEST_READ: u64 = 512 << 20;

/// Looks at both sides; changes nothing.
///
/// # Errors
/// The machine is not in the settings, cannot be reached, or a path leads out of the project.
pub fn plan(context: &Context, options: &Options) -> Result<Plan, Error> {
    let place = Place::of(context, options)?;
    let transfer = place.transfer(options, false);
    let mut all = look(context, &place, &transfer.look())?;
    let is_replaced = |item: &Item| item.change == Change::Replaced && !item.is_folder;
    if all.iter().any(is_replaced) {
        // Two clones differ in all their times, and in few of their files.
        let differ = look(
            context,
            &place,
            &transfer.compare(all.iter().filter(|item| is_replaced(item)).map(|item| item.path.as_path())),
        )?;
        let differ: BTreeSet<PathBuf> =
            differ.into_iter().filter(|item| is_replaced(item)).map(|item| item.path).collect();
        all.retain(|item| !is_replaced(item) || differ.contains(&item.path));
    }
    // Times and permissions alone are no reason to go anywhere.
    all.retain(|item| item.change != Change::Touched);
    let replaced = || all.iter().filter(|item| is_replaced(item));
    let mut held: Vec<Held> = Vec::new();
    if !options.overwrite && replaced().next().is_some() {
        // What is left out when newer files stay is what is newer.
        let careful = place.transfer(options, true);
        let kept = look(context, &place, &careful.compare(replaced().map(|item| item.path.as_path())))?;
        let goes: BTreeSet<&Path> =
            kept.iter().filter(|item| is_replaced(item)).map(|item| item.path.as_path()).collect();
        held.extend(
            replaced()
                .filter(|item| !goes.contains(item.path.as_path()))
                .map(|item| Held { path: item.path.clone(), why: WhyHeld::Newer }),
        );
        if options.way == Way::Pull {
            let open = not_committed(context, &place.here)?;
            let is_held = |path: &Path| held.iter().any(|held| held.path == path);
            let more: Vec<Held> = replaced()
                .filter(|item| open.contains(&item.path) && !is_held(&item.path))
                .map(|item| Held { path: item.path.clone(), why: WhyHeld::NotCommitted })
                .collect();
            held.extend(more);
        }
    }
    let held_paths: BTreeSet<&Path> = held.iter().map(|held| held.path.as_path()).collect();
    let (gone, goes): (Vec<Item>, Vec<Item>) = all
        .into_iter()
        .filter(|item| !held_paths.contains(item.path.as_path()))
        .partition(|item| item.change == Change::Deleted);
    let (files, refused) = match options.way {
        Way::Push => guarded(&place.here, goes, &options.allow_secrets),
        Way::Pull => (goes, Vec::new()),
    };
    // What a mirror does cannot be told file by file.
    let in_the_way = options.delete && !(held.is_empty() && refused.is_empty());
    if in_the_way {
        return Err(Error::Usage {
            what: format!(
                "will not delete anything while {} would stay behind: {}",
                counted(held.len() + refused.len(), "file"),
                named_files(held.iter().map(|held| &held.path).chain(refused.iter().map(|one| &one.path)))
            ),
            hint: "first without --delete, which says why each of them stays".to_owned(),
        });
    }
    Ok(Plan {
        machine: place.target.name.clone(),
        way: options.way,
        there: format!("{}:{}", place.target.address(), place.there),
        here: place.here,
        files: files.into_iter().map(entry).collect(),
        deleted: gone.into_iter().map(|item| item.path).collect(),
        held,
        refused,
        kept_in: String::new(),
        mirror: options.delete,
    })
}

/// Carries exactly what was planned.
///
/// # Errors
/// Rsync cannot be run, or the machine lets us not in; what arrived until then is said in no error, but
/// nothing is lost: the next run finds it.
pub fn execute(context: &Context, options: &Options, mut plan: Plan) -> Result<Outcome, Error> {
    let place = Place::of(context, options)?;
    if plan.is_empty() {
        return Ok(Outcome { plan, arrived: 0, end: End::Nothing, complaints: Vec::new() });
    }
    let stamp = context.world.clock.now().utc().format("%Y%m%dT%H%M%SZ").to_string();
    let chance = nonce::<2>().unwrap_or_default();
    let name = format!("{stamp}-{chance}");
    let kept: OsString = match options.way {
        Way::Push => format!("{KEPT}/{name}").into(),
        Way::Pull => context.home().join("kept").join(&name).into(),
    };
    plan.kept_in = match options.way {
        Way::Push => format!("{}/{KEPT}/{name}", plan.there),
        Way::Pull => crate::safety::escape_path(Path::new(&kept)),
    };
    let transfer = place.transfer(options, !options.overwrite);
    let spawn = match plan.mirror {
        true => transfer.mirror(plan.deleted.len(), &kept),
        false => transfer.carry(plan.files.iter().map(|entry| entry.path.as_path()), &kept),
    };
    let done = run(context, &spawn)?;
    let arrived = items(&done.stdout).iter().filter(|item| !item.is_folder).count();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let complaints: Vec<String> =
        said.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let end =
        end(&done, &said).map_err(|trouble| Error::Machine { name: place.target.name.clone(), trouble })?;
    if end == End::Done {
        let _ = remember(context.world, &context.home(), &place.target, context.now);
    }
    Ok(Outcome { plan, arrived, end, complaints: complaints.into_iter().take(50).collect() })
}

/// How rsync ended, by its exit status (rsync(1), EXIT VALUES); what only ssh can say is trouble.
fn end(done: &Finished, said: &str) -> Result<End, Trouble> {
    let no_room = ["No space left on device", "Disk quota exceeded"].iter().any(|words| said.contains(words));
    match done.code {
        0 => Ok(End::Done),
        _ if no_room => Ok(End::NoRoom),
        23..=25 => Ok(End::Partly),
        20 | 128.. if done.code != 255 => Ok(End::Killed),
        10 | 12 | 30 | 35 => Ok(End::Cut),
        code => {
            let why = if code == 255 { Why::of_words(said) } else { Why::Other };
            match why {
                Why::Cut => Ok(End::Cut),
                why => Err(Trouble { why, words: crate::remote::telling_line(said).to_owned(), tries: 1 }),
            }
        }
    }
}

/// Both ends of a transfer.
struct Place {
    target: Target,
    here: PathBuf,
    there: RemotePath,
    without: Vec<String>,
}

impl Place {
    fn of(context: &Context, options: &Options) -> Result<Place, Error> {
        let target = named(context, &options.machine)?;
        let wrong = |what: String, hint: &str| Error::Usage { what, hint: hint.to_owned() };
        let Some(project) = target.path.clone() else {
            return Err(wrong("no path is set for this machine".to_owned(), "set `path` of its profile"));
        };
        let top = context.repository.worktree().to_owned();
        let (here, there) = match &options.below {
            None => (top, project),
            Some(below) => {
                let is_below = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
                let text = below.to_str().filter(|_| is_below && !below.as_os_str().is_empty());
                let shown = crate::safety::escape_path(below);
                let Some(text) = text else {
                    return Err(wrong(
                        format!("{shown} is no path below the project"),
                        "name a folder of the project, from its top",
                    ));
                };
                let folder = top.join(below);
                // A link would lead elsewhere.
                if !folder.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                    return Err(wrong(
                        format!("{shown} is no folder here"),
                        "name a folder; --exclude leaves others out",
                    ));
                }
                (folder, project.join(text).map_err(crate::remote::TargetError::from)?)
            }
        };
        let mut without = options.without.clone();
        if without.iter().any(|pattern| pattern.is_empty() || crate::safety::escape(pattern) != *pattern) {
            return Err(wrong(
                "a pattern is empty, or holds characters that cannot be seen".to_owned(),
                "--exclude='*.tmp'",
            ));
        }
        // Agents' scratch stays where it is.
        if options.below.is_none() {
            let anchored =
                |glob: &String| format!("/{}", glob.trim_start_matches('/').trim_end_matches("/**"));
            without.extend(context.config.sync.never.iter().map(anchored));
        }
        Ok(Place { target, here, there, without })
    }

    fn transfer(&self, options: &Options, keeps_newer: bool) -> Transfer<'_> {
        Transfer {
            target: &self.target,
            there: &self.there,
            here: &self.here,
            way: options.way,
            without: &self.without,
            keeps_newer,
            deletes: options.delete,
        }
    }
}

fn look(context: &Context, place: &Place, spawn: &Spawn) -> Result<Vec<Item>, Error> {
    let done = run(context, spawn)?;
    if done.success() {
        return Ok(items(&done.stdout));
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let why = match done.code {
        255 => Why::of_words(&said),
        10 | 12 | 30 | 35 => match Why::of_words(&said) {
            Why::Other => Why::Cut,
            why => why,
        },
        _ => Why::Other,
    };
    let trouble = Trouble { why, words: crate::remote::telling_line(&said).to_owned(), tries: 1 };
    Err(Error::Machine { name: place.target.name.clone(), trouble })
}

fn run(context: &Context, spawn: &Spawn) -> Result<Finished, Error> {
    context.world.processes.run(spawn).map_err(|error| match error {
        SpawnError::Missing { .. } => Error::Usage {
            what: "rsync is not installed here".to_owned(),
            hint: "install rsync, here and on the other machine".to_owned(),
        },
        error => Error::Git(error.into()),
    })
}

/// What has changes here that are in no commit, from the folder that receives.
fn not_committed(context: &Context, here: &Path) -> Result<BTreeSet<PathBuf>, Error> {
    let status = Status::of(context.repository.git(), Untracked::Directories)?;
    let top = context.repository.worktree();
    let from_here = |path: &PathBuf| top.join(path).strip_prefix(here).ok().map(Path::to_owned);
    let tracked = status.changes.iter().filter(|change| change.kind != ChangeKind::Untracked);
    Ok(tracked.filter_map(|change| from_here(&change.path)).collect())
}

/// Keeps back what holds secrets, and says which rule found one.
fn guarded(here: &Path, items: Vec<Item>, allowed: &[PathBuf]) -> (Vec<Item>, Vec<Refused>) {
    let mut refused = Vec::new();
    let goes = items
        .into_iter()
        .filter(|item| {
            if item.is_folder || allowed.contains(&item.path) {
                return true;
            }
            let found = secret_of(here, item);
            let is_clean = found.is_none();
            refused.extend(found);
            is_clean
        })
        .collect();
    (goes, refused)
}

fn secret_of(here: &Path, item: &Item) -> Option<Refused> {
    let one = |rule, line, unread| Some(Refused { path: item.path.clone(), rule, line, unread });
    if is_file_of_secrets(&item.path) {
        return one(None, None, None);
    }
    if item.size.0 > LARGEST_READ {
        return None;
    }
    match open_regular(&here.join(&item.path)).and_then(|file| file.map(secrets_in_file).transpose()) {
        Ok(Some(found)) => {
            found.named.first().and_then(|first| one(Some(first.rule.to_owned()), Some(first.line), None))
        }
        // A link, which travels as one.
        Ok(None) => None,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => one(None, None, Some(e.to_string())),
    }
}

fn entry(item: Item) -> Entry {
    Entry { path: item.path, change: item.change, is_folder: item.is_folder, size: item.size }
}

fn named_files<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> String {
    let shown: Vec<String> = paths.take(5).map(crate::safety::escape_path).collect();
    shown.join(", ")
}
