//! The sweep of 200 tasks that `tests/cluster/sweep` plants: what was planted,
//! and the recording of it in `tests/fixtures/sweep200`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use handover::terms::{Seconds, TaskIds, Time};

use super::Sandbox;

/// What was planted: one map a task, by the names of the columns
/// (`tests/cluster/README.md` says what they are).
pub struct Truth(pub Vec<BTreeMap<String, String>>);

impl Truth {
    /// Reads `sweep.truth`.
    pub fn read(file: &Path) -> Truth {
        let text = std::fs::read_to_string(file).unwrap();
        let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        let header = lines.next().expect("a header line");
        let tasks = lines.map(|row| {
            assert_eq!(row.len(), header.len(), "{row:?}");
            header.iter().cloned().zip(row).collect()
        });
        Truth(tasks.collect())
    }

    /// The tasks by what `key` says of them, as compressed lists; those of
    /// which it says nothing are in none.
    pub fn lists(
        &self,
        key: impl Fn(&BTreeMap<String, String>) -> Option<String>,
    ) -> BTreeMap<String, String> {
        let mut lists: BTreeMap<String, TaskIds> = BTreeMap::new();
        for task in &self.0 {
            if let Some(key) = key(task) {
                lists.entry(key).or_default().push(task["task"].parse().unwrap());
            }
        }
        lists.into_iter().map(|(key, list)| (key, list.to_string())).collect()
    }

    /// Of each task that has checkpoints, the step to resume from and the newer
    /// ones with what was done to them (`300:truncated`): as the structure
    /// tells it, or with checksums.
    pub fn checkpoints(&self, full: bool) -> BTreeMap<u32, (Option<u64>, Vec<String>)> {
        let (best, refused) = if full { ("best-full", "refused-full") } else { ("best", "refused") };
        let those = self.0.iter().filter(|task| task[best] != "-" || task[refused] != "-");
        those
            .map(|task| {
                let refused = task[refused].split(',').filter(|one| *one != "-").map(str::to_owned);
                (task["task"].parse().unwrap(), (task[best].parse().ok(), refused.collect()))
            })
            .collect()
    }

    /// State and exit code of each task, as the text of this release shows
    /// them: exit codes from 128 on less 128; of what is not over the state.
    pub fn outcomes(&self) -> BTreeMap<String, String> {
        self.lists(|task| {
            let over = task["exit"] != "-" && task["state"] != "RUNNING";
            let exit = if task["exit"] == "137:0" { "9:0" } else { &task["exit"] };
            Some(if over { format!("{} {exit}", task["state"]) } else { task["state"].clone() })
        })
    }
}

/// The recorded sweep, laid out as a project of a sandbox.
pub struct Recorded {
    /// Who looks at it.
    pub sandbox: Sandbox,
    /// The project.
    pub project: PathBuf,
    /// What was planted.
    pub truth: Truth,
    taken: Time,
}

/// Where the project was when it was recorded.
const STAND_IN: &str = "/home/ann/lrgrid";

impl Recorded {
    /// Copies the recording, and puts the project's own path into what Slurm
    /// says of it.
    pub fn new() -> Recorded {
        Recorded::at("lrgrid".as_ref())
    }

    /// The same with the project at this place in the sandbox.
    pub fn at(place: &OsStr) -> Recorded {
        let sandbox = Sandbox::empty();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sweep200");
        let state = std::fs::read_to_string(fixture.join("cluster_state.txt")).unwrap();
        let taken =
            state.lines().find_map(|line| line.strip_prefix("Taken: ")).expect("when it was recorded");
        let taken = taken.replace(" UTC", "Z").replacen(' ', "T", 1);
        sandbox.set_now(&taken);
        let written = UNIX_EPOCH + Duration::from_secs(taken.parse::<Time>().unwrap().unix() as u64 - 30);
        let project = sandbox.repository(place);
        copy(&fixture.join("project"), &project, &times(&fixture, written));
        for file in ["sacct.psv", "cluster_state.txt"] {
            let text = std::fs::read_to_string(fixture.join(file)).unwrap();
            let parts: Vec<&[u8]> = text.split(STAND_IN).map(str::as_bytes).collect();
            sandbox.write(sandbox.root().join(file), parts.join(project.as_os_str().as_bytes()));
        }
        let truth = Truth::read(&fixture.join("sweep.truth"));
        Recorded { truth, sandbox, project, taken: taken.parse().unwrap() }
    }

    /// Lets so many hours pass since it was recorded.
    pub fn hours_later(&self, hours: u64) {
        self.sandbox.set_now(&self.taken.plus(Seconds(hours * 3600)).to_string());
    }
}

impl Recorded {
    /// Lets so many hours pass, and the state file be written anew then.
    pub fn looked_at_hours_later(&self, hours: u64) {
        looked_at(&self.sandbox, self.taken.plus(Seconds(hours * 3600)));
    }
}

/// Lets it be that time, at which the state file of a recording is written anew.
pub fn looked_at(sandbox: &Sandbox, then: Time) {
    sandbox.set_now(&then.to_string());
    let file = sandbox.root().join("cluster_state.txt");
    let bytes = std::fs::read(&file).unwrap();
    let line = |line: &[u8]| {
        if line.starts_with(b"Taken: ") {
            let then = then.to_string().replace('T', " ").replace('Z', " UTC");
            format!("Taken: {then}\n").into_bytes()
        } else if line.starts_with(b"taken_at ") {
            format!("taken_at {}\n", then.unix()).into_bytes()
        } else {
            line.to_owned()
        }
    };
    std::fs::write(&file, bytes.split_inclusive(|byte| *byte == b'\n').flat_map(line).collect::<Vec<u8>>())
        .unwrap();
}

/// When each task's newest attempt ended, by its index; under the empty word the
/// moment before the recording, for those that ran on and for all else.
fn times(fixture: &Path, written: SystemTime) -> BTreeMap<String, SystemTime> {
    let text = std::fs::read_to_string(fixture.join("sacct.psv")).unwrap();
    let mut lines = text.lines().map(|line| line.split('|').collect::<Vec<_>>());
    let header = lines.next().expect("a header line");
    let end = header.iter().position(|name| *name == "End").expect("a column of ends");
    let mut times = BTreeMap::from([(String::new(), written)]);
    for row in lines {
        let Some((_, task)) = row[0].split_once('_').filter(|(_, task)| !task.contains('.')) else {
            continue;
        };
        let ended = row[end].parse().map_or(written, |end| UNIX_EPOCH + Duration::from_secs(end));
        times.insert(task.to_owned(), ended);
    }
    times
}

/// Copies a tree; what belongs to a task was written when that ended, as git
/// keeps no times.
fn copy(from: &Path, to: &Path, times: &BTreeMap<String, SystemTime>) {
    let written = times[""];
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            let own = times.get(&name).map(|own| BTreeMap::from([(String::new(), *own)]));
            copy(&entry.path(), &target, own.as_ref().unwrap_or(times));
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
            // Logs and results have the index at the end of their names.
            let stem = target.file_stem().unwrap().to_str().unwrap();
            let written = times.get(stem.rsplit('_').next().unwrap()).unwrap_or(&written);
            std::fs::File::options().write(true).open(&target).unwrap().set_modified(*written).unwrap();
        }
    }
    std::fs::File::open(to).unwrap().set_modified(written).unwrap();
}
