//! The real Slurm that `./test` started, for the tests that need one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Sandbox;

/// A running cluster, and what was planted in it.
pub struct Cluster {
    /// Where it lives; `scenario.truth` there says what must be found.
    pub dir: PathBuf,
    /// The variables that lead Slurm's commands to it.
    pub environment: Vec<(String, String)>,
    /// What `scenario.env` names: job ids by role, waits.
    pub scenario: BTreeMap<String, String>,
}

/// The variables that Slurm's own commands read.
const PASSED_ON: [&str; 5] =
    ["SLURM_CONF", "LD_LIBRARY_PATH", "SLURM_CONF_SERVER", "SLURM_SACK_JWKS", "SLURM_SACK_KEY"];

impl Cluster {
    /// The cluster that the caller of the tests started, or a loud word that
    /// the test named here was skipped; `./test` counts and lists those.
    pub fn or_skip(test: &str) -> Option<Cluster> {
        let Some(dir) = std::env::var_os("HANDOVER_TEST_CLUSTER").filter(|dir| !dir.is_empty()) else {
            skipped(test, "no Slurm was started (HANDOVER_TEST_CLUSTER is not set)");
            return None;
        };
        let dir = PathBuf::from(dir);
        let environment =
            PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
        let scenario = std::fs::read_to_string(dir.join("scenario.env")).unwrap_or_default();
        Some(Cluster { environment: environment.collect(), scenario: assignments(&scenario), dir })
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
        writeln!(file, "{line}").unwrap();
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
