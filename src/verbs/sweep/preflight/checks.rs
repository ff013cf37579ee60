//! The checks of a preflight, one function each.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::SystemTime;

use regex::Regex;

use super::{Check, Options, Verdict};
use crate::cluster::{self, Submission, Trial};
use crate::git::{ChangeKind, Status, Untracked};
use crate::safety::{escape, escape_path, one_line, shell_path};
use crate::sys::Glob;
use crate::terms::{Bytes, Known, Time, by_number, counted};
use crate::verbs::{Context, Error, snapshot};

/// So many paths are listed.
const MOST_LISTED: usize = 20;
/// So many files of a log folder are looked at.
const MOST_ENTRIES: usize = 50_000;
/// So many logs are searched for a test of one batch, the newest first.
const MOST_LOGS: usize = 200;
/// So much of the beginning of each, in bytes.
const HEAD: usize = 256 << 10;

pub(super) fn check(about: &str, verdict: Verdict, text: impl Into<String>) -> Check {
    Check {
        about: about.to_owned(),
        verdict,
        text: text.into(),
        details: Vec::new(),
        hint: None,
        command: None,
    }
}

/// Endings of files that a job may run, import or include.
const CODE: [&str; 27] = [
    "py", "pyx", "pxd", "pyi", "ipynb", "sh", "bash", "zsh", "fish", "sbatch", "slurm", "c", "cc", "cpp",
    "cu", "cuh", "h", "hpp", "rs", "go", "jl", "r", "lua", "pl", "js", "ts", "java",
];

/// True for a file of code by its name.
fn is_code(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    CODE.iter().any(|code| ending.eq_ignore_ascii_case(code))
}

/// What the check of committed files is called.
pub(super) const COMMITTED: &str = "committed";

/// Whether everything that decides what the sweep does is committed: the script,
/// and what the settings name as relevant, or else all that git tracks and code
/// that it does not.
pub(super) fn committed(context: &Context, script: &Path, relevant: &[String]) -> Result<Check, Error> {
    const ABOUT: &str = COMMITTED;
    let top = context.repository.worktree();
    let status = Status::of(context.repository.git(), Untracked::Files)?;
    let globs: Vec<Glob> = relevant.iter().filter_map(|glob| Glob::read(glob)).collect();
    let script = std::fs::canonicalize(script).unwrap_or_else(|_| script.to_owned());
    let own = std::fs::canonicalize(top).unwrap_or_else(|_| top.to_owned());
    let script = script.strip_prefix(&own).ok();
    // With whether git tracks it.
    let mut changed: Vec<(PathBuf, bool)> = status
        .changes
        .iter()
        .map(|change| (&change.path, change.kind != ChangeKind::Untracked))
        .filter(|(path, is_tracked)| {
            let is_named = globs.iter().any(|glob| glob.fits(path));
            // Without settings every tracked file may matter, and what it may import.
            let may_matter = relevant.is_empty() && (*is_tracked || is_code(path));
            is_named || may_matter || script == Some(path)
        })
        .map(|(path, is_tracked)| (path.clone(), is_tracked))
        .collect();
    match script {
        Some(script) if context.repository.git().ignores(script)? => changed.push((script.to_owned(), false)),
        Some(_) => {}
        None => {
            let what = "the script is outside of this worktree: whether it is committed is not known";
            return Ok(check(ABOUT, Verdict::Finding, what));
        }
    }
    if changed.is_empty() {
        let what = match &status.head {
            Some(head) => format!("what decides the sweep is committed in {}", &head.as_str()[..12]),
            None => return Ok(check(ABOUT, Verdict::Finding, "there is no commit yet")),
        };
        return Ok(check(ABOUT, Verdict::Well, what));
    }
    let untracked = changed.iter().filter(|(_, is_tracked)| !is_tracked).count();
    let are = by_number(changed.len(), "is", "are");
    let what = format!("{} {are} not committed", counted(changed.len(), "file"));
    let git = if untracked > 0 { format!(", {untracked} of them not known to git") } else { String::new() };
    let mut found = check(ABOUT, Verdict::Finding, format!("{what}{git}"));
    if relevant.is_empty() {
        found.text.push_str("; name those that matter as `relevant` below `sweeps`");
    }
    let shown = |(path, is_tracked): &(PathBuf, bool)| {
        let untracked = if *is_tracked { "" } else { " (untracked)" };
        format!("{}{untracked}", escape_path(path))
    };
    found.details = changed.iter().take(MOST_LISTED).map(shown).collect();
    let more = changed.len().saturating_sub(MOST_LISTED);
    found.details.extend((more > 0).then(|| format!("and {more} more: git status shows them")));
    let paths: Option<Vec<String>> =
        changed.iter().take(MOST_LISTED).map(|(path, _)| shell_path(path).ok()).collect();
    found.hint = Some("commit first".to_owned());
    found.command = paths.filter(|_| changed.len() <= MOST_LISTED).map(|paths| {
        let paths = paths.join(" ");
        format!("git add -- {paths} && git commit -m 'what the sweep runs' -- {paths}")
    });
    Ok(found)
}

/// Whether the folder of the logs is there: Slurm does not make it, and the
/// job dies at once with exit code 0:53.
pub(super) fn logs(context: &Context, here: &Path, submission: Option<&Submission>) -> Check {
    const ABOUT: &str = "log folder";
    let Some(submission) = submission else {
        return check(ABOUT, Verdict::NotChecked, "the #SBATCH lines cannot be told apart");
    };
    let dir = submission.option(Some('D'), "--chdir").map_or_else(|| here.to_owned(), |dir| here.join(dir));
    let user = context.world.environment.text("USER").unwrap_or_default();
    let job = submission.option(Some('J'), "--job-name").unwrap_or(&submission.script);
    let mut seen = Vec::new();
    for (short, long) in [('o', "--output"), ('e', "--error")] {
        let Some(pattern) = submission.option(Some(short), long) else { continue };
        let path = pattern.replace("%u", user).replace("%x", job).replace("%%", "%");
        let path = dir.join(path);
        let Some(folder) = path.parent() else { continue };
        let shown = escape_path(folder);
        if folder.to_string_lossy().contains('%') {
            let what = format!("{} names a folder that only the job could know", escape(pattern));
            let hint = "put the job's id into the file's name, not into a folder's".to_owned();
            return Check { hint: Some(hint), ..check(ABOUT, Verdict::WouldFail, what) };
        }
        if !folder.is_dir() {
            let what =
                format!("{shown} is not there: each job would die at once with exit code 0:53 and no log");
            let command = shell_path(folder).ok().map(|path| format!("mkdir -p {path}"));
            return Check { command, ..check(ABOUT, Verdict::WouldFail, what) };
        }
        seen.push(shown);
    }
    seen.dedup();
    match seen.as_slice() {
        [] => check(ABOUT, Verdict::Well, "logs go to the folder in which the job is submitted"),
        seen => check(ABOUT, Verdict::Well, format!("{} is there", seen.join(", "))),
    }
}

/// The memory that training takes at least.
pub(super) fn memory(here: &Path, options: &Options) -> Check {
    const ABOUT: &str = "GPU memory";
    let (count, source) = match (options.parameters, &options.checkpoint) {
        (Some(count), _) => (count, "as given".to_owned()),
        (None, Some(path)) => match parameters_of(&here.join(path)) {
            Ok(count) => (count, format!("by the header of {}", escape_path(path))),
            Err(why) => return check(ABOUT, Verdict::NotChecked, why),
        },
        (None, None) => {
            let hint = "give --parameters 7B, or --checkpoint with a .safetensors file".to_owned();
            let what = "the number of parameters is not known";
            return Check { hint: Some(hint), ..check(ABOUT, Verdict::NotChecked, what) };
        }
    };
    let Some(need) = estimate(count) else {
        return check(ABOUT, Verdict::NotChecked, "the number of parameters is beyond all reason");
    };
    let what = format!(
        "about {need} for {count} parameters, {source} (4 bytes each for weights, gradients and one more state, \
         plus 20 %); activations come on top"
    );
    match options.gpu_memory {
        Some(gpu) if need > gpu => {
            let hint = "shard the model, train in lower precision, or take a larger GPU".to_owned();
            let what = format!("{what}; more than the {gpu} of one GPU");
            Check { hint: Some(hint), ..check(ABOUT, Verdict::Finding, what) }
        }
        Some(gpu) => check(ABOUT, Verdict::Well, format!("{what}; one GPU has {gpu}")),
        None => check(ABOUT, Verdict::Well, what),
    }
}

/// Parameters times 4 bytes times 3, plus 20 %.
fn estimate(parameters: u64) -> Option<Bytes> {
    parameters.checked_mul(12)?.checked_mul(6).map(|bytes| Bytes(bytes / 5))
}

/// How many numbers the tensors of a safetensors file have: 8 bytes length,
/// then JSON with a shape for each name.
fn parameters_of(path: &Path) -> Result<u64, String> {
    const LONGEST: u64 = 100 << 20;
    let shown = escape_path(path);
    let unreadable = |why: &str| format!("{shown}: {why}");
    let not_it = || unreadable("its header cannot be read; only .safetensors files have one that tells it");
    let head = beginning(path, 8).ok_or_else(|| unreadable("it cannot be read"))?;
    let length = head.try_into().map(u64::from_le_bytes).map_err(|_| not_it())?;
    if length == 0 || length > LONGEST {
        return Err(not_it());
    }
    let bytes = beginning(path, 8 + length as usize).ok_or_else(not_it)?;
    parameters_in(bytes.get(8..).unwrap_or_default()).ok_or_else(not_it)
}

/// How many numbers the tensors have that the JSON of such a header names;
/// `None` if it cannot be read, or names none.
pub fn parameters_in(header: &[u8]) -> Option<u64> {
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    let tensors = header.iter().filter(|(name, _)| *name != "__metadata__");
    let sizes = tensors.map(|(_, tensor)| {
        let shape = tensor.get("shape")?.as_array()?;
        shape.iter().try_fold(1u64, |product, size| product.checked_mul(size.as_u64()?))
    });
    let sum = sizes.into_iter().try_fold(0u64, |sum, size| sum.checked_add(size?));
    sum.filter(|count| *count > 0)
}

/// The first bytes of a regular file.
fn beginning(path: &Path, most: usize) -> Option<Vec<u8>> {
    use std::io::Read;
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(most as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// What a test of one batch leaves in a log: Lightning's words, and the options
/// that trainers take.
static ONE_BATCH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)Running in `fast_dev_run` mode|fast_dev_run['"]?\s*[=: ]\s*(?:true\b|1(?:[\s,;})\]'"]|$))"#,
        r#"|(?:limit_train_batches|overfit_batches)['"]?\s*[=: ]\s*(?:1(?:[\s,;})\]'"]|$)|0\.0)"#,
        r#"|max[_-]steps['"]?\s*[=: ]\s*1(?:[\s,;})\]'"]|$)"#
    ))
    .expect("a constant")
});

/// The same in words.
const EVIDENCE: &str = "what counts: fast_dev_run=true or =1, limit_train_batches or overfit_batches =1 or below, \
                        max_steps=1, or Lightning's \u{201c}Running in `fast_dev_run` mode\u{201d}, in the first 256 KiB of a log";

/// Whether a run of one batch was seen: in the logs that are there.
pub(super) fn one_batch(context: &Context, script: &str, options: &Options) -> Check {
    const ABOUT: &str = "one batch";
    if ONE_BATCH.is_match(script) || options.arguments.iter().any(|word| ONE_BATCH.is_match(word)) {
        return check(ABOUT, Verdict::Well, "this call is itself a test of one batch");
    }
    let top = context.repository.worktree();
    let mut logs: Vec<(SystemTime, PathBuf)> = Vec::new();
    let mut all = true;
    for glob in context.config.logs.globs.iter().filter_map(|glob| Glob::read(glob)) {
        let (files, complete) = glob.files(top, MOST_ENTRIES);
        all &= complete;
        logs.extend(
            files
                .into_iter()
                .filter_map(|file| Some((std::fs::metadata(&file).ok()?.modified().ok()?, file))),
        );
    }
    logs.sort_by(|one, other| other.cmp(one));
    all &= logs.len() <= MOST_LOGS;
    let head_time = commit_time(context);
    for (modified, log) in logs.iter().take(MOST_LOGS) {
        let Some(bytes) = beginning(log, HEAD) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let Some(line) = text.lines().find(|line| ONE_BATCH.is_match(line)) else { continue };
        let shown = escape_path(log.strip_prefix(top).unwrap_or(log));
        let details = vec![format!("{shown}: {}", one_line(line, 160))];
        let is_old = head_time.is_some_and(|head| time_of(*modified).is_some_and(|time| time < head));
        let (verdict, what) = match is_old {
            true => (Verdict::Finding, "a test of one batch ran, but before the commit that is checked out"),
            false => (Verdict::Well, "a test of one batch ran since the commit that is checked out"),
        };
        return Check { details, ..check(ABOUT, verdict, what) };
    }
    let rest = if all { "" } else { "; not all logs were read" };
    let what = format!(
        "no evidence of one in the script, its arguments, and {}{rest}",
        counted(logs.len().min(MOST_LOGS), "log")
    );
    let hint = "run one batch first: fast_dev_run, limit_train_batches=1 or max_steps=1".to_owned();
    let globs = context.config.logs.globs.join(", ");
    let details =
        vec![format!("looked in: {} below {}", one_line(&globs, 200), escape_path(top)), EVIDENCE.to_owned()];
    Check { hint: Some(hint), details, ..check(ABOUT, Verdict::Finding, what) }
}

fn commit_time(context: &Context) -> Option<Time> {
    let line = context.repository.git().line(&["log", "-1", "--format=%ct"]).ok()?;
    Time::from_unix(line.trim().parse().ok()?)
}

fn time_of(modified: SystemTime) -> Option<Time> {
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Time::from_unix(i64::try_from(since.as_secs()).ok()?)
}

/// Whether Slurm would take the script.
pub(super) fn slurm(context: &Context, here: &Path, options: &Options) -> Check {
    const ABOUT: &str = "sbatch --test-only";
    let Some(script) = options.script.to_str() else {
        return check(ABOUT, Verdict::NotChecked, "the script's name is no UTF-8");
    };
    let mut words = vec!["--".to_owned(), script.to_owned()];
    words.extend(options.arguments.iter().cloned());
    match cluster::try_out(context.world, &snapshot::here(context), here, &words) {
        Known::Known(Trial::Taken(said)) => check(ABOUT, Verdict::Well, format!("it would be taken: {said}")),
        Known::Known(Trial::Refused(said)) => {
            check(ABOUT, Verdict::WouldFail, format!("it would be refused: {said}"))
        }
        Known::Unknown(why) | Known::NotApplicable(why) => check(ABOUT, Verdict::NotChecked, why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_twelve_bytes_a_parameter_and_a_fifth() {
        assert_eq!(estimate(1_000_000_000), Some(Bytes(14_400_000_000)));
        assert_eq!(estimate(u64::MAX), None);
    }

    #[test]
    fn a_test_of_one_batch_is_known_by_its_words() {
        for line in [
            "Running in `fast_dev_run` mode: will run the requested loop using 1 batch(es).",
            "python train.py trainer.fast_dev_run=true",
            "{'limit_train_batches': 1, 'lr': 0.1}",
            "--max_steps 1",
            "max_steps=1 lr=2",
        ] {
            assert!(ONE_BATCH.is_match(line), "{line}");
        }
        for line in
            ["fast_dev_run=false", "max_steps=1000", "limit_train_batches: 1.0", "limit_train_batches=100"]
        {
            assert!(!ONE_BATCH.is_match(line), "{line}");
        }
    }
}
