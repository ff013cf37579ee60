//! One answer of `squeue` for all watches of a user on one host.
//!
//! It lies in the user's cache folder and is replaced whole. Who finds it too
//! old and makes the file beside it asks; the others wait for that answer as
//! long as a question may take, then ask by themselves. So a dead asker holds
//! up nobody, and the worst that can happen is one question too many.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::{self, Job, Look, Problem, Queue, Scope};
use crate::sys::{World, read_regular};
use crate::terms::{Digest, Known, Seconds, Time};

/// The jobs in the queue, and who asked for them.
pub(super) struct Answer {
    /// All jobs of the user.
    pub queue: Queue,
    /// True if another watch asked.
    pub shared: bool,
}

/// An answer as it lies in the cache.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    schema: String,
    at: Time,
    jobs: Known<Vec<Job>>,
    partial: bool,
    problems: Vec<Problem>,
}

/// Who asks just now.
#[derive(Debug, Serialize, Deserialize)]
struct Asking {
    since: Time,
    nonce: String,
}

const SCHEMA: &str = "handover/queue-cache/1";
/// No answer is larger, in bytes.
const MOST: usize = 256 << 20;
/// Beyond the limit of a question, so long is waited for another's answer.
const SLACK: Seconds = Seconds(5);
/// How often is looked whether it has come.
const STEP: Duration = Duration::from_millis(200);

/// The queue of the look's user: an answer that is no older than `fresh` and
/// newer than `known`, or a new one.
pub(super) fn ask(world: &World, look: &Look, fresh: Seconds, known: Option<Time>) -> Answer {
    // Every watch of the user can use it, whatever it watches.
    let scope = Scope { user: look.scope.user.clone(), ..Scope::default() };
    let look = Look { scope, now: world.clock.now(), ..look.clone() };
    let Some(place) = Place::of(world, &look) else { return Answer::new(world, &look, None) };
    let patience = Duration::from_secs(look.limit.as_secs() + SLACK.0);
    let watch = world.clock.stopwatch();
    loop {
        if let Some(stored) = place.read(world, fresh, known) {
            return stored;
        }
        match place.claim(world, &look) {
            Claim::Ours => {
                // Whoever asked before may have ended just now.
                let answer = place.read(world, fresh, known);
                let answer = answer.unwrap_or_else(|| Answer::new(world, &look, Some(&place)));
                // If it stays, it is too old in a moment.
                let _ = world.files.remove_file(&place.asking);
                return answer;
            }
            Claim::Anothers if watch.elapsed() < patience => world.clock.pause(STEP),
            Claim::Anothers | Claim::Impossible => return Answer::new(world, &look, None),
        }
    }
}

/// Where the answer and its asker's claim lie.
struct Place {
    answer: PathBuf,
    asking: PathBuf,
}

enum Claim {
    Ours,
    Anothers,
    Impossible,
}

impl Answer {
    /// Asks Slurm, and leaves the answer for others.
    fn new(world: &World, look: &Look, place: Option<&Place>) -> Answer {
        let queue = cluster::queue(world, look);
        if let Some(place) = place {
            // What cannot be left for others is no loss.
            let _ = place.write(world, &queue, look.now);
        }
        Answer { queue, shared: false }
    }
}

impl Place {
    /// One file for each host, cluster and user asked for.
    fn of(world: &World, look: &Look) -> Option<Place> {
        let environment = &world.environment;
        let folder = environment.value("XDG_CACHE_HOME").map(PathBuf::from);
        let folder = folder.or_else(|| Some(environment.home()?.join(".cache")))?.join("handover");
        world.files.ensure_dir(&folder).ok()?;
        let user = look.scope.user.clone().unwrap_or_else(|| environment.uid().to_string());
        let conf = environment.value("SLURM_CONF").unwrap_or_default().to_string_lossy();
        let parts = [environment.host(), conf.into_owned(), user];
        let name = Digest::of(parts.join("\0").as_bytes()).to_string();
        let name: String = name.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        Some(Place {
            answer: folder.join(format!("queue-{name}.json")),
            asking: folder.join(format!("queue-{name}.asking")),
        })
    }

    fn read(&self, world: &World, fresh: Seconds, known: Option<Time>) -> Option<Answer> {
        let bytes = read_regular(&self.answer, MOST).ok().flatten()?;
        let stored = stored(&bytes)?;
        let now = world.clock.now();
        // One from the future is from another clock.
        let is_fresh = stored.at <= now && stored.at.age(now) <= fresh;
        let is_new = known.is_none_or(|known| stored.at > known);
        let usable = is_fresh && is_new;
        usable.then_some(Answer {
            queue: Queue {
                origin: cluster::Origin::Local,
                taken_at: Some(stored.at),
                jobs: stored.jobs,
                partial: stored.partial,
                problems: stored.problems,
            },
            shared: true,
        })
    }

    fn write(&self, world: &World, queue: &Queue, at: Time) -> Option<()> {
        let stored = Stored {
            schema: SCHEMA.to_owned(),
            at: queue.taken_at.unwrap_or(at),
            jobs: queue.jobs.clone(),
            partial: queue.partial,
            problems: queue.problems.clone(),
        };
        world.files.write_cache(&self.answer, &serde_json::to_vec(&stored).ok()?).ok()
    }

    /// Becomes the one who asks, unless somebody else does, and is not overdue.
    fn claim(&self, world: &World, look: &Look) -> Claim {
        let now = world.clock.now();
        let Ok(nonce) = crate::sys::nonce::<8>() else { return Claim::Impossible };
        let Ok(bytes) = serde_json::to_vec(&Asking { since: now, nonce }) else { return Claim::Impossible };
        match world.files.create_new(&self.asking, &bytes, 0o600, false) {
            Ok(()) => return Claim::Ours,
            Err(error) if error.already_exists() => {}
            Err(_) => return Claim::Impossible,
        }
        let overdue = Seconds(look.limit.as_secs() + SLACK.0);
        let since = asking(&self.asking).map(|asking| asking.since);
        if since.is_none_or(|since| since.age(now) > overdue || since > now) {
            let _ = world.files.remove_file(&self.asking);
        }
        Claim::Anothers
    }
}

fn stored(bytes: &[u8]) -> Option<Stored> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    (stored.schema == SCHEMA).then_some(stored)
}

fn asking(path: &Path) -> Option<Asking> {
    asking_in(&read_regular(path, 4096).ok().flatten()?)
}

fn asking_in(bytes: &[u8]) -> Option<Asking> {
    serde_json::from_slice(bytes).ok()
}

/// How many jobs are in a stored answer, and since when somebody asks; for
/// whoever wants to try the readers on any bytes at all.
pub fn answer_in(bytes: &[u8]) -> (Option<usize>, Option<Time>) {
    let jobs = stored(bytes).map(|stored| stored.jobs.known().map_or(0, Vec::len));
    (jobs, asking_in(bytes).map(|asking| asking.since))
}
