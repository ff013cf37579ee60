//! The patterns that Slurm fills in the names of a job's files.
//!
//! Source: the section "filename pattern" of sbatch(1). `squeue` up to 22.05 at
//! least prints such a name as it was given, even while the job runs.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::Job;
use crate::terms::Part;

/// A file's name with its patterns filled; `None` if a directory in it has one
/// that cannot be filled from here. In the last component such a one is left.
pub fn filled(job: &Job, path: &Path) -> Option<PathBuf> {
    let bytes = path.as_os_str().as_bytes();
    let dirs = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    // A backslash switches patterns off, and is taken out itself.
    if bytes.contains(&b'\\') {
        return (!bytes[..dirs].iter().any(|byte| matches!(byte, b'\\' | b'%'))).then(|| path.to_owned());
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = at + 1 + digits;
        let width = std::str::from_utf8(&bytes[at + 1..end]).unwrap_or_default().parse().unwrap_or(0);
        match bytes.get(end).and_then(|letter| value(job, *letter, width)) {
            Some(text) => {
                out.extend(text);
                at = end + 1;
            }
            None if at < dirs => return None,
            None => {
                out.extend(&bytes[at..end]);
                at = end;
            }
        }
    }
    Some(PathBuf::from(OsString::from_vec(out)))
}

fn value(job: &Job, letter: u8, width: usize) -> Option<Vec<u8>> {
    let text = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    // Slurm pads to at most ten digits.
    let number = |number: u32| Some(format!("{number:0width$}", width = width.min(10)).into_bytes());
    let task = match job.id.part {
        Part::Task(index) => Some(index),
        _ => None,
    };
    match letter {
        b'%' => Some(vec![b'%']),
        b'x' if !job.name_cut => text(&job.name),
        b'u' if !job.user_cut => text(&job.user),
        // The rest of an array gets an id for each task when that starts.
        b'j' if job.is_of_array() && task.is_none() => None,
        b'j' => number(job.raw_id.unwrap_or(job.id.base)),
        b'A' => number(job.id.base),
        b'a' => number(task?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::JobId;

    #[test]
    fn patterns_are_filled_as_slurm_does() {
        let job =
            Job { name: "train".into(), user: "ann".into(), raw_id: Some(12), ..Job::new(JobId::task(9, 3)) };
        for (given, full) in [
            ("/x/pt.%x/out", Some("/x/pt.train/out")),
            ("/x/%u/%A_%a/%j", Some("/x/ann/9_3/12")),
            ("/x/%4a/%%/o", Some("/x/0003/%/o")),
            ("/x/%N/out", None),
            ("/x/a\\b/out", None),
            ("/x/out.%N", Some("/x/out.%N")),
            ("/x/out%", Some("/x/out%")),
            ("/x/out.%t-%x", Some("/x/out.%t-train")),
            ("/x/out\\%x", Some("/x/out\\%x")),
        ] {
            assert_eq!(filled(&job, Path::new(given)).as_deref(), full.map(Path::new), "{given}");
        }
    }

    #[test]
    fn what_differs_between_the_tasks_of_an_array_is_not_guessed() {
        let rest = Job { pending_tasks: "1-3".parse().ok(), ..Job::new(JobId::whole(9)) };
        assert_eq!(filled(&rest, Path::new("/x/%a/out")), None);
        assert_eq!(filled(&rest, Path::new("/x/%A/%a")), Some(PathBuf::from("/x/9/%a")));
        assert_eq!(filled(&rest, Path::new("/x/%x/out")), None, "without a name");
    }
}
