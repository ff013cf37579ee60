//! Processes of this machine that work in a directory.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::safety::escape_bytes;

/// How many open files of one process are looked at.
const MOST_FILES: usize = 4096;

/// A process that works inside, runs a program from there, or writes there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its short name, as the kernel keeps it; escaped.
    pub name: String,
    /// True if it is this program's caller, or a caller of that.
    pub is_ours: bool,
}

/// The processes of this machine that work inside `dir`, ourselves aside.
///
/// Those that we may not look at, of other users as a rule, are counted: the
/// second number. `None` if this system has no `/proc`.
pub fn inside(dir: &Path) -> Option<(Vec<Process>, usize)> {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let callers = callers();
    let mut hidden = 0;
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        let place = PathBuf::from("/proc").join(pid.to_string());
        match uses(&place, &dir) {
            Some(true) => {
                let name = std::fs::read(place.join("comm")).unwrap_or_default();
                let name = escape_bytes(name.strip_suffix(b"\n").unwrap_or(&name));
                found.push(Process { pid, name, is_ours: callers.contains(&pid) });
            }
            Some(false) => {}
            None => hidden += 1,
        }
    }
    found.sort_by_key(|process| process.pid);
    Some((found, hidden))
}

/// True if the process of `/proc/PID` works in `dir`, runs a program of it, or
/// has a file in it open for writing; `None` if not all of that may be seen.
fn uses(place: &Path, dir: &Path) -> Option<bool> {
    let mut all_seen = true;
    for name in ["cwd", "exe", "root"] {
        match std::fs::read_link(place.join(name)) {
            Ok(path) if path.starts_with(dir) => return Some(true),
            Err(e) if e.kind() == ErrorKind::PermissionDenied => all_seen = false,
            _ => {}
        }
    }
    match std::fs::read_dir(place.join("fd")) {
        Ok(files) => {
            for (count, file) in files.flatten().enumerate() {
                if count >= MOST_FILES {
                    all_seen = false;
                    break;
                }
                let path = file.path();
                // The link's own mode says for what the file is open (proc(5)).
                if std::fs::read_link(&path).is_ok_and(|target| target.starts_with(dir))
                    && path.symlink_metadata().is_ok_and(|link| link.mode() & 0o200 != 0)
                {
                    return Some(true);
                }
            }
        }
        Err(e) if e.kind() == ErrorKind::PermissionDenied => all_seen = false,
        Err(_) => {}
    }
    all_seen.then_some(false)
}

/// Our parent, its parent, and so on.
fn callers() -> Vec<u32> {
    let mut all = Vec::new();
    let mut pid = std::process::id();
    while let Some(parent) = parent_of(pid).filter(|parent| *parent > 0 && !all.contains(parent)) {
        all.push(parent);
        pid = parent;
    }
    all
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and parentheses; what follows the last one does not.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_inside_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("a b");
        std::fs::create_dir(&sub).unwrap();
        assert_eq!(inside(dir.path()).unwrap().0, []);
        let mut child = std::process::Command::new("sleep").arg("60").current_dir(&sub).spawn().unwrap();
        let seen = inside(dir.path()).unwrap().0;
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((seen.len(), seen[0].pid, seen[0].is_ours), (1, child.id(), false));
    }

    #[test]
    fn a_process_that_writes_inside_or_runs_a_program_from_there_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let started = |program: &Path, out: std::process::Stdio, input: std::process::Stdio| {
            let mut command = std::process::Command::new(program);
            command.arg("60").current_dir("/").stdout(out).stdin(input).spawn().unwrap()
        };
        let sleep = ["/bin/sleep", "/usr/bin/sleep"].map(Path::new).into_iter().find(|p| p.exists()).unwrap();
        let copy = dir.path().join("sleep");
        std::fs::copy(sleep, &copy).unwrap();
        let null = std::process::Stdio::null;
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut reader = started(sleep, null(), std::fs::File::open(&copy).unwrap().into());
        let mut writer = started(sleep, log.into(), null());
        let mut runner = started(&copy, null(), null());
        let seen: Vec<u32> = inside(dir.path()).unwrap().0.iter().map(|process| process.pid).collect();
        for child in [&mut reader, &mut writer, &mut runner] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        // Another test may fork at this moment, so more may be seen.
        assert!(seen.contains(&writer.id()) && seen.contains(&runner.id()), "{seen:?}");
        assert!(!seen.contains(&reader.id()), "{seen:?}");
    }

    #[test]
    fn the_caller_is_one_of_ours() {
        assert!(callers().contains(&std::os::unix::process::parent_id()));
    }
}
