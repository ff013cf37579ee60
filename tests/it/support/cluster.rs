//! The real Slurm that `./test` started, for the tests that need one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Sandbox;

/// A running cluster, and what was planted in it.
pub struct Cluster {
    /// Where it lives (`tests/cluster/README.md` says what is in it).
    pub dir: PathBuf,
    /// Job ids by role, once the scenario is there: `SWEEP_JOB`.
    pub scenario: BTreeMap<String, String>,
    environment: Vec<(String, String)>,
}

/// How long the scenario may take, from the moment that a test asks for it.
const PATIENCE: Duration = Duration::from_secs(400);

impl Cluster {
    /// The cluster that the caller of the tests started, or a loud word that
    /// the test named here was skipped; `./test` counts and lists those.
    pub fn or_skip(test: &str) -> Option<Cluster> {
        Some(Cluster::in_dir(dir_of("HANDOVER_TEST_CLUSTER", test)?))
    }

    fn in_dir(dir: PathBuf) -> Cluster {
        let environment = std::fs::read_to_string(dir.join("env")).expect("a running cluster has `env`");
        let environment = assignments(&environment).into_iter().collect();
        Cluster { environment, scenario: BTreeMap::new(), dir }
    }

    /// The same, after its scenario has come true: waits for it.
    pub fn with_scenario_or_skip(test: &str) -> Option<Cluster> {
        let mut cluster = Cluster::or_skip(test)?;
        let file = cluster.dir.join("scenario.env");
        wait_for(&file, &cluster.dir.join("scenario.failed"), &cluster.dir.with_file_name("scenario.log"));
        cluster.scenario = assignments(&std::fs::read_to_string(file).unwrap());
        Some(cluster)
    }

    /// The other cluster, on which `tests/cluster/sweep` planted 200 tasks:
    /// waits for them. In `scenario`, `SWEEP_ARRAY` and `SWEEP_PROJECT`.
    pub fn with_sweep_or_skip(test: &str) -> Option<Cluster> {
        let dir = dir_of("HANDOVER_TEST_SWEEP", test)?;
        let file = dir.join("sweep.env");
        wait_for(&file, &dir.with_extension("log.failed"), &dir.with_extension("log"));
        let mut cluster = Cluster::in_dir(dir);
        cluster.scenario = assignments(&std::fs::read_to_string(file).unwrap());
        Some(cluster)
    }

    /// What was planted, as `scenario.truth` says it: id, state, exit code,
    /// pending reason or `-`, name.
    pub fn truth(&self) -> Vec<[String; 5]> {
        let text = std::fs::read_to_string(self.dir.join("scenario.truth")).unwrap();
        let fields = |line: &str| -> [String; 5] {
            let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
            fields.try_into().unwrap_or_else(|_| panic!("not five fields: {line:?}"))
        };
        text.lines().map(fields).collect()
    }

    /// The variables that lead Slurm's commands to it.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Puts the sandbox's user in front of this cluster: Slurm's commands on
    /// its `PATH`, and the variables that lead them here.
    pub fn open_to(&self, sandbox: &Sandbox) {
        sandbox.use_path_of_this_machine();
        for (name, value) in &self.environment {
            sandbox.set(name, value);
        }
    }
}

fn dir_of(variable: &str, test: &str) -> Option<PathBuf> {
    let dir = std::env::var_os(variable).filter(|dir| !dir.is_empty());
    if dir.is_none() {
        skipped(test, &format!("no Slurm was started ({variable} is not set)"));
    }
    dir.map(PathBuf::from)
}

fn wait_for(file: &Path, failed: &Path, log: &Path) {
    let began = Instant::now();
    // The end of the log goes with the failure: it is all that whoever reads the tests' output will see of it.
    let told = || std::fs::read_to_string(log).unwrap_or_else(|error| format!("{log:?}: {error}"));
    while !file.exists() {
        assert!(!failed.exists(), "what was to be planted on the real Slurm failed:\n{}", end_of(&told()));
        let late = began.elapsed() >= PATIENCE;
        assert!(!late, "no {file:?} after {PATIENCE:?} (tests/cluster/README.md):\n{}", end_of(&told()));
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The last forty lines.
fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Says loudly that a test did not run, and why.
///
/// Cargo hides what a passing test prints, so the word goes to a file too, if
/// `./test` gave one.
pub fn skipped(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}");
    println!("{line}");
    if let Some(file) = std::env::var_os("HANDOVER_TEST_SKIPS") {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        // One write: other tests write too.
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Reads `NAME=value` and `export NAME='value'` lines.
fn assignments(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("export ").unwrap_or(line.trim()).split_once('='))
        .filter(|(name, _)| !name.starts_with('#'))
        .map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned()))
        .collect()
}

#[test]
fn assignments_are_read_with_and_without_export_and_quotes() {
    let read = assignments("# a comment = no\nexport A=1\nB='two words'\n\nC=\"3\"\n");
    let pairs: Vec<(&str, &str)> = read.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("A", "1"), ("B", "two words"), ("C", "3")]);
}

#[test]
fn the_real_slurm_is_reached_through_a_sandbox_and_holds_what_was_planted() {
    let name = "the_real_slurm_is_reached_through_a_sandbox_and_holds_what_was_planted";
    let Some(cluster) = Cluster::with_scenario_or_skip(name) else { return };
    let sandbox = Sandbox::new();
    cluster.open_to(&sandbox);
    let sweep = &cluster.scenario["SWEEP_JOB"];
    let states = sandbox.program("sacct", ["-nPX", "-j", sweep, "-o", "jobid,state"]).run().expect(0);
    let truth = cluster.truth();
    let failed =
        truth.iter().filter(|[id, state, ..]| id.starts_with(&format!("{sweep}_")) && state == "FAILED");
    let mut looked = 0;
    for [id, state, ..] in failed {
        let line = format!("{id}|{state}");
        assert!(states.stdout().lines().any(|one| one == line), "{line}: {states:?}");
        looked += 1;
    }
    assert!(looked > 0, "no failed task of {sweep} in {truth:?}");
}
