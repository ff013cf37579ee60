//! The board: every worktree with its branch, files, handover and jobs.

use std::collections::BTreeSet;

use serde::Serialize;

use super::batons::Batons;
use super::carried::AtRemote;
use super::hindrances::everything_of_ours;
use super::job_paths::resolved;
use super::sweep::again::Submitted;
use super::{Context, Error, Identity, snapshot};
use crate::baton::{Claim, Found, Record, State};
use crate::cluster::{self, Job, Nothing, Origin, Queue, Snapshot, jobs_under};
use crate::config::Source;
use crate::document::{Entry, Here, Lineage, Store};
use crate::joblog::Table;
use crate::sweep::{self, Health, Kind, Parameters, Rules, Sweep};
use crate::sync::last::{self, Last};
use crate::terms::{AnyKey, CommitId, JobId, Known, Seconds, Time};
use crate::worktree::board::{self, Row};

/// How long the board waits for the cluster, in seconds, unless it was named.
const PATIENCE: Seconds = Seconds(2);
/// Accounting is asked for so many arrays.
const MOST_ARRAYS: usize = 40;

/// The whole board.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Board {
    /// One line for each worktree, the main one first.
    pub worktrees: Vec<Line>,
    /// Branches at a remote that hold what did not fit, and that nothing has joined yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parked: Vec<Parked>,
    /// Why the jobs could not be seen, if they could not.
    pub jobs_unseen: Option<String>,
    /// Live jobs of ours that belong to none of these worktrees.
    pub jobs_elsewhere: Option<usize>,
    /// Why the handovers could not be read, if they could not.
    pub handovers_unseen: Option<String>,
    /// Batons that have ended here, of which the remote has not heard.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Untold>,
    /// Worktrees of our branches on other machines, as they were last seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_machines: Vec<OnMachine>,
}

/// A baton that has ended here, and is held at the remote still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Untold {
    /// Of which handover.
    pub key: AnyKey,
    /// Which remote, and why it was not told.
    pub remote: AtRemote,
}

/// A worktree on another machine, and where its branch is here by now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OnMachine {
    /// What was seen.
    #[serde(flatten)]
    pub seen: super::remote::worktree::Known,
    /// Where the branch is here; `None` if it is gone.
    pub here: Option<CommitId>,
}

/// One worktree.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Line {
    /// What git says.
    #[serde(flatten)]
    pub row: Row,
    /// Its newest handovers; more than one if the line of them forked.
    pub handovers: Vec<Handover>,
    /// Side handovers that no other has joined yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sides: Vec<AnyKey>,
    /// Every baton of it that somebody holds, whichever handover it was taken with.
    pub batons: Vec<Held>,
    /// Jobs that work or write in it; `None` if they could not be seen.
    pub jobs: Option<Jobs>,
    /// The arrays among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sweeps: Vec<SweepWord>,
    /// What its last sync left for somebody to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<Last>,
}

/// Commits that did not fit, as they stood at the remote at the last look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parked {
    /// As in `origin/parked/host1/main`.
    pub branch: String,
    /// Its tip.
    pub commit: CommitId,
}

/// How an array does, by queue and accounting alone: no log is read for a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SweepWord {
    /// The array's id.
    pub key: String,
    /// The jobs' name: text from outside.
    pub name: String,
    /// The jobs that run tasks of it that a plan has submitted again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub continued_by: Vec<u32>,
    /// How it does; `null` if accounting gave no answer.
    pub health: Option<Health>,
}

/// The newest handover of a worktree.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Handover {
    /// Its key.
    pub key: AnyKey,
    /// When it was made.
    pub created: Option<Time>,
    /// Who holds its baton, in words.
    pub holder: Option<String>,
}

/// A baton that somebody holds, or may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Held {
    /// Of which handover.
    pub key: AnyKey,
    /// The claim; unknown if it cannot be read.
    pub claim: Known<Claim>,
    /// How it stands at the remote; left out where no remote was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<AtRemote>,
}

/// Live jobs, by what they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Jobs {
    /// Have nodes.
    pub running: usize,
    /// Wait: tasks of arrays are counted one by one.
    pub pending: usize,
    /// True if Slurm cut a list of tasks, so that more are pending.
    pub more_pending: bool,
}

/// What `remote worktree` saw last: no network is asked for a board.
fn on_machines(context: &Context) -> Vec<OnMachine> {
    let history = context.repository.history();
    let here = |branch: &str| history.resolve(&format!("refs/heads/{branch}")).ok().flatten();
    let known = super::remote::worktree::known(context).into_iter();
    known.map(|seen| OnMachine { here: here(&seen.branch), seen }).collect()
}

/// Looks at everything at once; the cluster gets a short limit.
pub fn look(context: &Context, cluster: Option<&Source>) -> Result<Board, Error> {
    let mut wide = everything_of_ours(context);
    if cluster.is_none() {
        wide.config.cluster.limit = wide.config.cluster.limit.min(PATIENCE);
    }
    let (rows, jobs, lineage) = std::thread::scope(|threads| {
        let jobs = threads.spawn(|| {
            let queue = snapshot::queue(&wide, cluster)?;
            let words = words(&wide, cluster, &queue);
            Ok::<_, Error>((queue.jobs, words))
        });
        let lineage = threads.spawn(|| Lineage::load(&Store::new(context.home())));
        let rows = board::look(&context.repository);
        (rows, jobs.join(), lineage.join())
    });
    let rows = rows?;
    let (jobs, words) = match jobs {
        Ok(Ok((jobs, words))) => {
            let resolved = |jobs: Vec<Job>| jobs.into_iter().map(|job| resolved(job).0).collect::<Vec<Job>>();
            (jobs.map(resolved), words)
        }
        Ok(Err(e)) if cluster.is_some() => return Err(e),
        Ok(Err(e)) => (Known::Unknown(e.to_string()), Vec::new()),
        Err(_) => (Known::Unknown("the look ended early".to_owned()), Vec::new()),
    };
    let (lineage, handovers_unseen) = match lineage {
        Ok(Ok(lineage)) => (lineage, None),
        Ok(Err(e)) => (Lineage::default(), Some(e.to_string())),
        Err(_) => (Lineage::default(), Some("the look ended early".to_owned())),
    };
    let live: Option<Vec<Job>> =
        jobs.known().map(|jobs| jobs.iter().filter(|job| !job.state.is_finished()).cloned().collect());
    let batons = Batons::look(context)?;
    let host = Identity::of(&context.world.environment).host;
    let mut worktrees = Vec::new();
    for row in &rows {
        let own = live.as_ref().map(|live| inner(live, row, &rows));
        let is_own = |word: &&SweepWord| {
            let is_it = |base: u32| base.to_string() == word.key || word.continued_by.contains(&base);
            own.iter().flatten().any(|job| job.is_of_array() && is_it(job.id.base))
        };
        let here = Here { path: &row.path, id: row.id.as_ref().map(|id| id.as_str()), host: &host };
        let batons = held(context, &batons, &lineage, &here);
        worktrees.push(Line {
            handovers: handovers(&lineage, &here, &batons),
            sides: lineage.open_sides(&here).iter().map(|side| side.key.clone()).collect(),
            batons,
            sweeps: words.iter().filter(is_own).cloned().collect(),
            jobs: own.as_ref().map(|own| count(own)),
            // What was left for another branch is that branch's.
            last_sync: last::read(&context.home(), &row.path)
                .filter(|last| row.branch.as_ref() == Some(&last.branch)),
            row: row.clone(),
        });
    }
    let elsewhere =
        |live: &Vec<Job>| live.iter().filter(|job| !rows.iter().any(|row| belongs(job, row))).count();
    Ok(Board {
        worktrees,
        parked: parked(context)?,
        jobs_elsewhere: live.as_ref().map(elsewhere),
        jobs_unseen: match jobs {
            Known::Known(_) => None,
            Known::Unknown(why) => Some(why),
            // Without a cluster there is nothing to say about jobs.
            Known::NotApplicable(_) => None,
        },
        handovers_unseen,
        untold: untold(context),
        on_machines: on_machines(context),
    })
}

/// What is parked, as git remembers it; without what its branch at the remote has by now.
fn parked(context: &Context) -> Result<Vec<Parked>, Error> {
    let (git, history) = (context.repository.git(), context.repository.history());
    let args = ["for-each-ref", "--format=%(objectname) %(refname)", "refs/remotes/*/parked/**"];
    let mut found = Vec::new();
    for line in git.line(&args)?.lines() {
        let Some((id, name)) = line.split_once(' ') else { continue };
        let (Ok(commit), Some(branch)) = (id.parse::<CommitId>(), name.strip_prefix("refs/remotes/")) else {
            continue;
        };
        // `origin/parked/HOST/BRANCH`
        let mut parts = branch.splitn(4, '/');
        let (remote, own) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
        let goal = history.resolve(&format!("refs/remotes/{remote}/{own}"))?;
        let has_joined = match &goal {
            Some(goal) => history.is_ancestor(&commit, goal)?,
            None => false,
        };
        if !has_joined {
            found.push(Parked { branch: branch.to_owned(), commit });
        }
    }
    Ok(found)
}

/// How the arrays in the queue do: one more question, and only if there are any.
fn words(context: &Context, cluster: Option<&Source>, queue: &Queue) -> Vec<SweepWord> {
    let jobs = queue.jobs.known().map_or(&[][..], Vec::as_slice);
    let live = jobs.iter().filter(|job| !job.state.is_finished() && job.is_of_array());
    let arrays: BTreeSet<u32> = live.map(|job| job.id.base).collect();
    let submitted = Submitted::read(Some(&context.home()));
    // What continues another array is told, and judged, with that.
    let arrays: BTreeSet<u32> = arrays.into_iter().take(MOST_ARRAYS).collect();
    let firsts: BTreeSet<u32> =
        arrays.iter().map(|array| submitted.first(*array).unwrap_or(*array)).collect();
    let family = |first: &u32| submitted.jobs(*first).take(MOST_ARRAYS);
    let arrays: BTreeSet<u32> =
        firsts.iter().flat_map(family).chain(arrays).chain(firsts.iter().copied()).collect();
    let arrays: Vec<JobId> = arrays.into_iter().map(JobId::whole).collect();
    if arrays.is_empty() {
        return Vec::new();
    }
    let snapshot = if queue.origin == Origin::Local {
        let look = snapshot::here(context);
        let empty =
            Snapshot::without(Origin::Local, look.scope.clone(), Nothing::Unknown("not asked".to_owned()));
        Snapshot {
            taken_at: queue.taken_at,
            jobs: queue.jobs.clone(),
            jobs_partial: queue.partial,
            accounting: cluster::accounting_of(context.world, &look, &arrays),
            ..empty
        }
    } else {
        // A state file has everything in one piece.
        let Ok(snapshot) = snapshot::take(context, cluster) else { return Vec::new() };
        snapshot
    };
    let (parameters, table) = (Parameters::default(), Table::builtin());
    let is_known = snapshot.accounting.known().is_some();
    let mut found = sweep::sweeps(&snapshot).sweeps;
    submitted.fold(&mut found);
    let found = found.into_iter().filter(|sweep| {
        sweep.kind == Kind::Array && arrays.iter().any(|array| array.base.to_string() == sweep.key)
    });
    let word = |mut sweep: Sweep| {
        let evidence = submitted.tasks(&mut sweep, &snapshot);
        let settings = &context.config.sweeps.of(&sweep.key, &sweep.name);
        let rules = Rules { settings, table, parameters: &parameters, now: snapshot.taken_at };
        SweepWord {
            health: is_known.then(|| sweep::judge(&sweep, &evidence, &rules).health),
            continued_by: sweep.continued_by,
            key: sweep.key,
            name: sweep.name,
        }
    };
    found.map(word).collect()
}

fn untold(context: &Context) -> Vec<Untold> {
    let records = Record::all(&context.home()).into_iter();
    let ending = records.filter(|(_, record)| matches!(record.state, State::Ending { .. }));
    ending.map(|(key, record)| Untold { key, remote: AtRemote::of(&record) }).collect()
}

/// The batons of a worktree; one that cannot be read is held by nobody knows whom.
fn held(context: &Context, batons: &Batons, lineage: &Lineage, here: &Here) -> Vec<Held> {
    let claims = batons.of(lineage, here);
    let one = |(key, claim): &Found| Held {
        key: key.clone(),
        claim: match claim {
            Ok(claim) => Known::Known(claim.clone()),
            Err(e) => Known::Unknown(e.to_string()),
        },
        remote: claim.as_ref().ok().and_then(|claim| AtRemote::of_claim(context, claim)),
    };
    claims.map(one).collect()
}

fn handovers(lineage: &Lineage, here: &Here, batons: &[Held]) -> Vec<Handover> {
    let mut leaves: Vec<_> = lineage.leaves(here).into_iter().filter(|leaf| !leaf.is_archived).collect();
    leaves.sort_by_key(|leaf| std::cmp::Reverse(leaf.created));
    let holder = |key: &AnyKey| {
        let held = batons.iter().find(|held| held.key == *key)?;
        Some(match &held.claim {
            Known::Known(claim) => claim.who.to_string(),
            Known::Unknown(why) | Known::NotApplicable(why) => why.clone(),
        })
    };
    let row =
        |leaf: &Entry| Handover { key: leaf.key.clone(), created: leaf.created, holder: holder(&leaf.key) };
    leaves.into_iter().map(row).collect()
}

fn belongs(job: &Job, row: &Row) -> bool {
    !jobs_under(std::slice::from_ref(job), &row.path).is_empty()
}

/// The jobs of a worktree, those of worktrees inside it aside.
fn inner<'j>(live: &'j [Job], row: &Row, rows: &[Row]) -> Vec<&'j Job> {
    let deeper = |job: &Job| {
        rows.iter()
            .any(|other| other.path != row.path && other.path.starts_with(&row.path) && belongs(job, other))
    };
    jobs_under(live, &row.path).into_iter().filter(|job| !deeper(job)).collect()
}

fn count(jobs: &[&Job]) -> Jobs {
    let mut counted = Jobs::default();
    for job in jobs {
        let tasks = job.count();
        if job.state.is_waiting() {
            counted.pending += tasks.unwrap_or(1);
            counted.more_pending |= tasks.is_none();
        } else {
            counted.running += tasks.unwrap_or(1);
        }
    }
    counted
}
