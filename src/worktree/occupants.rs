//! Processes of this machine that work in a directory.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::safety::escape_bytes;

/// A process whose working directory lies inside.
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
        match std::fs::read_link(place.join("cwd")) {
            Ok(cwd) if cwd.starts_with(&dir) => {
                let name = std::fs::read(place.join("comm")).unwrap_or_default();
                let name = escape_bytes(name.strip_suffix(b"\n").unwrap_or(&name));
                found.push(Process { pid, name, is_ours: callers.contains(&pid) });
            }
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => hidden += 1,
            _ => {}
        }
    }
    found.sort_by_key(|process| process.pid);
    Some((found, hidden))
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
    fn the_caller_is_one_of_ours() {
        assert!(callers().contains(&std::os::unix::process::parent_id()));
    }
}
