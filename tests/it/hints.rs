//! Every refusal names what to run next.

use std::io;
use std::path::PathBuf;

use handover::cli::Failure;
use handover::sys::FileError;
use handover::verbs::Error;

use crate::support::Sandbox;

#[test]
fn no_kind_of_error_is_without_a_hint() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    for file in ["failure.rs", "failure/worktree.rs"] {
        let text = std::fs::read_to_string(here.join(file)).unwrap();
        // The list to which `hint` adds is the only one that begins empty.
        let empty = text.lines().filter(|line| line.contains("Vec::new()") || line.contains("vec![]"));
        let empty: Vec<&str> = empty.filter(|line| !line.contains("vec![message.into()]")).collect();
        assert!(empty.is_empty(), "{file}: {empty:?}");
        // What is not named would get a hint that fits nothing.
        assert!(!text.lines().any(|line| line.trim_start().starts_with("_ => (")), "{file}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_looked_at_or_gets_room() {
    for (kind, command) in [
        (io::ErrorKind::PermissionDenied, "check the rights"),
        (io::ErrorKind::StorageFull, "df -h '/a b'"),
        (io::ErrorKind::NotFound, "ls -la '/a b'"),
        (io::ErrorKind::NotADirectory, "ls -la '/a b/c'"),
    ] {
        let error = FileError::new("write", "/a b/c".as_ref(), kind.into());
        let failure = Failure::from(Error::from(error));
        assert!(failure.hints.len() == 1 && failure.hints[0].contains(command), "{failure:?}");
    }
}

#[test]
fn a_word_that_is_no_verb_is_answered_with_the_one_that_was_meant() {
    let sandbox = Sandbox::new();
    let answer = sandbox.handover(["plan", "lrgrid"]).expect(2);
    assert!(answer.stderr().contains("a similar subcommand exists: 'sweep plan'"), "{answer}");
    let help = sandbox.handover(["--help"]).expect(0);
    assert!(help.stdout().contains("\nBelow sweep:\n  sweep checkpoints "), "{help}");
    for (words, usage) in [
        (["sweep", "report"], "handover sweep report [OPTIONS] <NAME|JOBID>"),
        (["sweep", "clean"], "handover sweep clean [OPTIONS] <NAME|JOBID>"),
        (["remove", ""], "handover remove [OPTIONS] <FEATURE>"),
    ] {
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).chain(["--help"]).collect();
        assert!(sandbox.handover(words).expect(0).stdout().contains(&format!("Usage: {usage}\n")), "{usage}");
    }
}
