//! Which parts of the program write, and why what each writes holds no secret that travels.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

/// Why a file of the source may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It gives everything to `redact`, or stands behind what does: the named file.
    Cleaned(&'static str),
    /// The true text, for the user alone (0600), in the git directory or a cache: nothing of it travels.
    Private,
    /// Names, numbers, ids, times and places that the program made or that git keeps anyway.
    Words,
}

/// Every file of the source that writes files, besides `sys`, which does it for them.
const WRITERS: &[(&str, Way)] = &[
    ("baton/local.rs", Way::Words),
    ("baton/record.rs", Way::Words),
    ("document/store.rs", Way::Cleaned("verbs/compose.rs")),
    // An address without a password, and a time.
    ("remote/seen.rs", Way::Words),
    ("sync/carry/memory.rs", Way::Words),
    // Where the objects of the repository are.
    ("sync/carry/parcel.rs", Way::Words),
    ("sync/journal.rs", Way::Private),
    ("sync/last.rs", Way::Private),
    ("verbs/archive.rs", Way::Words),
    ("verbs/note.rs", Way::Cleaned("verbs/note.rs")),
    ("verbs/paste/commit.rs", Way::Cleaned("verbs/paste/commit.rs")),
    ("verbs/draft.rs", Way::Cleaned("verbs/compose.rs")),
    ("verbs/remote/worktree.rs", Way::Words),
    ("verbs/sweep/preflight/kept.rs", Way::Private),
    ("verbs/sweep/records.rs", Way::Private),
    ("verbs/sweep/report/material.rs", Way::Private),
    ("verbs/sweep/settle.rs", Way::Cleaned("verbs/sweep/settle.rs")),
    ("verbs/watch/kept.rs", Way::Private),
    ("verbs/watch/shared.rs", Way::Private),
    ("verbs/watch/study.rs", Way::Private),
    ("worktree/context.rs", Way::Words),
    ("worktree/create.rs", Way::Words),
    ("worktree/exclude.rs", Way::Words),
    // The pages of sweeps; what others wrote there is kept for the user alone.
    ("worktree/fenced.rs", Way::Cleaned("verbs/sweep/report/keep.rs")),
    ("worktree/put_aside/mod.rs", Way::Words),
    ("worktree/registry.rs", Way::Words),
    ("worktree/trash.rs", Way::Words),
    ("sys", Way::Words),
];

/// Every file of the source that writes to the terminal, and why.
const SPEAKERS: &[(&str, &str)] = &[
    ("cli/output.rs", "everything goes through `redact` here"),
    ("cli/progress.rs", "a spinner with words of the program (`&'static str`)"),
    ("cli/confirm.rs", "a question, through `redact`"),
    ("sys/stream.rs", "a person's own terminal on another machine: `remote shell`"),
];

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && !name.contains("/tests/") {
                // Tests stand at the end of their file.
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                found.push((name, code));
            }
        }
    }
    assert!(found.len() > 150, "{}", found.len());
    found
}

fn matching(pattern: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    sources().into_iter().filter(|(_, code)| pattern.is_match(code)).map(|(name, _)| name).collect()
}

#[test]
fn every_writer_of_files_is_known_with_its_reason() {
    let writes = r"files\s*\.(?:create_new|replace|write_copy|write_cache)\(|files\.create_new";
    let found: BTreeSet<String> =
        matching(writes).into_iter().filter(|name| !name.starts_with("sys/")).collect();
    let known: BTreeSet<String> =
        WRITERS.iter().map(|(name, _)| (*name).to_owned()).filter(|name| name != "sys").collect();
    assert_eq!(found, known, "a new writer needs a row: redact what it writes, or keep it private");
}

#[test]
fn writers_do_what_the_table_says_of_them() {
    let sources = sources();
    let code = |name: &str| &sources.iter().find(|(found, _)| found == name).unwrap().1;
    for (name, way) in WRITERS.iter().filter(|(name, _)| *name != "sys") {
        match way {
            Way::Cleaned(by) => assert!(code(by).contains("redact("), "{name}: {by}"),
            Way::Private => {
                let open = Regex::new("0o6[^0]|0o7|0o4").unwrap();
                assert!(!open.is_match(code(name)), "{name} writes what others may read");
                assert!(["0o600", "write_cache("].iter().any(|word| code(name).contains(word)), "{name}");
            }
            Way::Words => {}
        }
    }
    assert!(code("sys/files.rs").contains(".mode(0o600)"));
}

#[test]
fn nothing_but_the_funnel_speaks_on_the_terminal() {
    let speaks = r"\be?print(?:ln)?!\(|(?:stdout|stderr)\(\)\s*\.(?:lock|write)|ProgressDrawTarget|Confirm::new|\bdbg!\(|Stdio::inherit";
    let known: BTreeSet<String> = SPEAKERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(matching(speaks), known);
    for name in ["cli/output.rs", "cli/confirm.rs"] {
        assert!(sources().iter().any(|(found, code)| found == name && code.contains("redact(")), "{name}");
    }
    // A bug's last words, too.
    assert!(sources().iter().any(|(name, code)| name == "cli/mod.rs" && code.contains("panic::set_hook")));
}
