//! What the reader of logs says of logs whose cause is known, and of harmless ones.

use std::fs;
use std::path::{Path, PathBuf};

use handover::joblog::{Extent, Reader, Reading, Role, Table};

/// In so many of a hundred logs the cause is to be found.
const SHARE: usize = 95;

struct Known {
    name: String,
    /// `None` if the log proves no cause.
    class: Option<String>,
    /// What it does say then.
    evidence: String,
    line: u64,
    attempt: u32,
    text: String,
}

#[test]
fn the_cause_is_found_in_logs_that_have_one() {
    let known = known();
    assert!(known.len() >= 40);
    let reader = Reader::new(Table::builtin());
    let missed: Vec<String> = known
        .iter()
        .filter_map(|known| {
            let path = dir().join("caused").join(format!("{}.log", known.name));
            let reading = reader.worker().read(&path, Extent::Full, None).unwrap();
            known.is_missed_by(&reading)
        })
        .collect();
    let found = known.len() - missed.len();
    println!("found {found} of {}\n{}", known.len(), missed.join("\n"));
    assert!(found * 100 >= known.len() * SHARE, "found {found} of {}:\n{}", known.len(), missed.join("\n"));
}

/// Written without sight of the table: what the others were made with could
/// not leak into them. `PLACES` says where another line is as good.
#[test]
fn the_cause_is_found_in_logs_that_were_written_blind() {
    let reader = Reader::new(Table::builtin());
    let rows = fs::read_to_string(dir().join("blind/truth.tsv")).unwrap();
    let rows: Vec<[&str; 6]> =
        rows.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>().try_into().unwrap()).collect();
    assert!(rows.len() >= 20);
    let miss = |[name, classes, line, attempt, _, other]: &[&str; 6]| {
        let reading =
            reader.worker().read(&dir().join(format!("blind/{name}.log")), Extent::Full, None).unwrap();
        let Some(root) = reading.root else {
            // A shell's bare "Killed" proves nothing, and is said as what it is.
            let says_so = |other: &handover::joblog::Finding| {
                other.class == "killed-unconfirmed"
                    && other.role == Role::Evidence
                    && other.line.map(|at| at.to_string()).as_deref() == Some(*line)
            };
            let is_told = classes.split('|').any(|class| class == "killed-unconfirmed")
                && reading.others.iter().any(says_so);
            return (!is_told).then(|| format!("{name}: no cause; it is {classes} in line {line}"));
        };
        let at = root.line.unwrap_or_default().to_string();
        let is_right = classes.split('|').any(|class| class == root.class)
            && (at == *line || other.split(',').any(|other| other == at))
            && root.attempt.to_string() == *attempt;
        let found = format!("{} in line {at}, attempt {}: {}", root.class, root.attempt, root.text);
        (!is_right)
            .then(|| format!("{name}: it is {classes} in line {line}, attempt {attempt}; found {found}"))
    };
    let missed: Vec<String> = rows.iter().filter_map(miss).collect();
    let found = rows.len() - missed.len();
    assert!(found * 100 >= rows.len() * SHARE, "found {found} of {}:\n{}", rows.len(), missed.join("\n"));
}

/// Not a share: a cause that is none stops a sweep that is well.
#[test]
fn no_cause_is_found_where_there_is_none() {
    let reader = Reader::new(Table::builtin());
    let is_harmless = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("harmless");
    let blind = logs("blind").into_iter().filter(is_harmless);
    let logs: Vec<PathBuf> = logs("harmless").into_iter().chain(blind).collect();
    assert!(logs.len() >= 20);
    let mut blamed = Vec::new();
    for path in logs {
        let reading = reader.worker().read(&path, Extent::Full, None).unwrap();
        if let Some(root) = reading.root {
            blamed.push(format!("{}: {} {}", path.display(), root.pattern, root.text));
        }
    }
    assert!(blamed.is_empty(), "\n{}", blamed.join("\n"));
}

#[test]
fn every_log_has_its_truth() {
    let names: Vec<String> = known().into_iter().map(|known| known.name).collect();
    for path in logs("caused") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(names.contains(&name), "{name} is not in truth.tsv");
    }
}

impl Known {
    fn is_missed_by(&self, reading: &Reading) -> Option<String> {
        let miss = |what: String| Some(format!("{}: {what}", self.name));
        let Some(class) = &self.class else {
            let evidence = |found: &&handover::joblog::Finding| {
                let points = matches!(found.role, Role::Evidence | Role::Teardown);
                found.class == self.evidence && points && found.line == Some(self.line)
            };
            return match &reading.root {
                Some(root) => {
                    miss(format!("no cause is proven, yet {} is taken: {}", root.pattern, root.text))
                }
                None if reading.others.iter().find(evidence).is_none() => {
                    miss("the evidence is not found".into())
                }
                None => None,
            };
        };
        let Some(root) = &reading.root else {
            return miss(format!("no cause; it is {class}: {}", self.text));
        };
        let is_right = root.class == *class && root.line == Some(self.line) && root.attempt == self.attempt;
        if is_right {
            return None;
        }
        let found = format!("{} in line {:?}, attempt {}", root.class, root.line, root.attempt);
        miss(format!("{found}; it is {class} in line {}, attempt {}", self.line, self.attempt))
    }
}

fn known() -> Vec<Known> {
    let text = fs::read_to_string(dir().join("truth.tsv")).unwrap();
    let row = |row: &str| {
        let [name, class, line, attempt, text] = row.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let evidence = class.strip_prefix("none:").unwrap_or_default();
        Known {
            name: name.to_owned(),
            class: evidence.is_empty().then(|| class.to_owned()),
            evidence: evidence.to_owned(),
            line: line.parse().unwrap(),
            attempt: attempt.parse().unwrap(),
            text: text.to_owned(),
        }
    };
    text.lines().skip(1).map(row).collect()
}

fn logs(folder: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn dir() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/joblog"))
}

/// Messages as the programs of the field print them, each alone. `none` is for
/// lines that only look like trouble: a name of a test, a metric, an option, a
/// retry. Whether an error was survived is not for single lines to say, so of
/// the others it is asked what the table takes them for.
#[test]
fn each_message_of_the_field_is_of_its_class_and_what_is_none_is_no_cause() {
    let text = fs::read_to_string(dir().join("lines.tsv")).unwrap();
    let rows: Vec<(&str, &str)> = text.lines().map(|row| row.split_once('\t').unwrap()).collect();
    let harmless = rows.iter().filter(|(class, _)| *class == "none").count();
    assert!(harmless >= 500 && rows.len() - harmless >= 1700, "{harmless} of {}", rows.len());
    let reader = Reader::new(Table::builtin());
    let miss = |(class, line): &(&str, &str)| {
        let found = if *class == "none" {
            let reading = reader.worker().read_bytes(format!("{line}\n").as_bytes(), Extent::Full, None);
            reading.root.map_or("none".to_owned(), |root| root.class)
        } else {
            Table::builtin().classify(line.as_bytes()).map_or("none".to_owned(), |row| row.class.clone())
        };
        (found != *class).then(|| format!("{class}, found {found}: {line}"))
    };
    let missed: Vec<String> = rows.iter().filter_map(miss).collect();
    assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), rows.len(), missed.join("\n"));
}
