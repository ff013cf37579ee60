//! What a commit made by a sync is called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use super::record::Entry;
use crate::safety::one_line;
use crate::terms::Time;

/// So many folders are named.
const NAMED: usize = 3;
/// Names of folders are cut here, in characters.
const LONGEST: usize = 40;

/// A message made of the paths: `logs: 12 of job 4711; state of 14:02`.
///
/// `state_of` is the moment that a state file among them speaks of.
pub fn message(entries: &[Entry], state_file: &Path, state_of: Option<Time>) -> String {
    let mut folders: BTreeMap<String, usize> = BTreeMap::new();
    let mut jobs = BTreeSet::new();
    let (mut logs, mut has_state) = (0, false);
    for entry in entries {
        if entry.path == state_file {
            has_state = true;
        } else if is_log(&entry.path) {
            logs += 1;
            jobs.extend(job_of(&entry.path));
        } else {
            *folders.entry(folder_of(&entry.path)).or_default() += 1;
        }
    }
    let mut parts = Vec::new();
    if logs > 0 {
        let of = match jobs.len() {
            0 => String::new(),
            1 => format!(" of job {}", jobs.first().copied().unwrap_or_default()),
            more => format!(" of {more} jobs"),
        };
        parts.push(format!("logs: {logs}{of}"));
    }
    if has_state {
        parts.push(match state_of {
            Some(time) => format!("state of {}", time.utc().format("%Y-%m-%d %H:%M UTC")),
            None => "state".to_owned(),
        });
    }
    let mut rest: Vec<(String, usize)> = folders.into_iter().collect();
    rest.sort_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(&two.0)));
    let named = rest.iter().take(NAMED).map(|(folder, count)| format!("{folder}: {count}"));
    parts.extend(named);
    if rest.len() > NAMED {
        let more: usize = rest[NAMED..].iter().map(|(_, count)| count).sum();
        parts.push(format!("{more} elsewhere"));
    }
    if parts.is_empty() { "sync".to_owned() } else { format!("sync: {}", parts.join("; ")) }
}

fn is_log(path: &Path) -> bool {
    let ends = path.extension().is_some_and(|end| ["out", "err", "log"].iter().any(|log| end == *log));
    ends || matches!(path.components().next(), Some(Component::Normal(name)) if name == "logs")
}

/// The first number of a log's name that can be the id of a job.
fn job_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    let runs = name.split(|c: char| !c.is_ascii_digit());
    runs.filter(|run| (3..=9).contains(&run.len())).find_map(|run| run.parse().ok())
}

/// The topmost folder, or the file itself where there is none.
fn folder_of(path: &Path) -> String {
    let first = path.components().next().map(|part| part.as_os_str().to_string_lossy());
    one_line(&first.unwrap_or_default(), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str], state_of: Option<Time>) -> String {
        let entries: Vec<Entry> = paths.iter().map(|path| Entry::named(path)).collect();
        message(&entries, Path::new("cluster_state.txt"), state_of)
    }

    #[test]
    fn a_message_says_what_came_from_where() {
        let at = Time::from_unix(1_795_356_120);
        assert_eq!(
            of(&["logs/t_4711_1.out", "logs/t_4711_2.out", "cluster_state.txt"], at),
            "sync: logs: 2 of job 4711; state of 2026-11-22 14:02 UTC"
        );
        assert_eq!(of(&["logs/a_4711.out", "slurm-4712.out"], None), "sync: logs: 2 of 2 jobs");
        assert_eq!(of(&["src/a.py", "src/b.py", "README.md"], None), "sync: src: 2; README.md: 1");
        assert_eq!(of(&["a/1", "b/1", "c/1", "d/1", "e/1"], None), "sync: a: 1; b: 1; c: 1; 2 elsewhere");
    }

    #[test]
    fn a_name_from_outside_cannot_make_a_second_line_of_a_message() {
        let message = of(&["x\nSigned-off-by: me/1"], None);
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}
