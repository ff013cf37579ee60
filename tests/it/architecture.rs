//! The house keeps its plan: which room may know which, and which may know
//! what of the world. Tests inside the rooms are free.

use std::fs;
use std::path::Path;

use crate::support::paths::{Named, named};
use crate::support::serialised::paths_that_may_fail;

/// What everybody may name: settings as plain values, harmless text, the door
/// to the world, the common words.
const EVERYONE: [&str; 4] = ["config", "safety", "sys", "terms"];

/// Room, and what it may name besides [`EVERYONE`].
const ROOMS: [(&str, &[&str]); 22] = [
    ("main", &["cli"]),
    ("cli", &["agent", "verbs", "report"]),
    ("agent", &["verbs", "report", "document"]),
    ("report", BELOW),
    ("verbs", BELOW),
    ("sync", &["baton", "document", "git"]),
    ("paste", &["sweep", "remote"]),
    ("sweep", &["cluster", "joblog", "checkpoint", "tracker"]),
    ("document", &["git"]),
    ("baton", &["git"]),
    ("worktree", &["git"]),
    ("gate", &["git"]),
    ("cluster", &["remote"]),
    ("joblog", &[]),
    ("checkpoint", &[]),
    ("tracker", &[]),
    ("remote", &[]),
    ("git", &[]),
    ("config", &[]),
    ("safety", &[]),
    ("sys", &[]),
    ("terms", &[]),
];

/// Every room below the verbs, and for `report` the outcomes of the verbs.
const BELOW: &[&str] = &[
    "verbs",
    "document",
    "baton",
    "worktree",
    "sync",
    "paste",
    "sweep",
    "cluster",
    "joblog",
    "checkpoint",
    "tracker",
    "gate",
    "remote",
    "git",
];

/// Of [`EVERYONE`], what these rooms may not name.
const STRICTER: [(&str, &[&str]); 4] = [
    // A report is made of plain data and has no effects.
    ("report", &["sys"]),
    // The bottom of the house. `sys` may name `safety`: the paths in its error texts are escaped there.
    ("safety", &["config", "sys"]),
    ("sys", &["config"]),
    ("terms", &["config", "safety", "sys"]),
];

/// What of the world outside only these rooms may name.
const CRATES: [(&str, &[&str]); 8] = [
    ("clap", &["cli"]),
    ("dialoguer", &["cli"]),
    ("git2", &["git"]),
    ("rustix", &["sys"]),
    ("tempfile", &["sys"]),
    ("process::Command", &["sys"]),
    ("serde_yaml", &["config", "document", "tracker"]),
    ("chrono", &["terms", "sys", "report"]),
];

/// The one place (and its parts, one per room) where an error gets its exit code and hints names every
/// room's errors, and nothing else of those rooms.
const ERRORS_ALONE: &str = "cli/failure";

/// Files that judge, and so must not be able to look or act.
const PURE: [&str; 2] = ["document/drift", "sweep"];

/// A file longer than this many lines is split.
const LONGEST: usize = 800;

#[test]
fn every_room_names_only_the_rooms_that_the_plan_allows() {
    let complaints: Vec<String> =
        sources("src").iter().flat_map(|(path, text)| complaints(path, text)).collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn no_file_is_longer_than_a_newcomer_reads() {
    let files = ["src", "tests", "fuzz", "benches"].into_iter().flat_map(sources);
    let long: Vec<String> = files
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| format!("{path}: {lines} lines; split it at a word of the design"))
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn a_path_that_goes_into_an_answer_goes_as_text() {
    let wrong = |(path, text): (String, String)| {
        paths_that_may_fail(&text).into_iter().map(move |(line, of)| {
            format!(
                "{path}:{line}: {of} holds a path, and serde gives up the whole answer if it is no UTF-8; \
                 terms::path_text does not"
            )
        })
    };
    let wrong: Vec<String> = sources("src").into_iter().flat_map(wrong).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_planted_violation_is_found() {
    let found = |path: &str, text: &str| {
        let found = complaints(path, text);
        assert!(found.len() <= 1, "{found:?}");
        found.into_iter().next().unwrap_or_default()
    };
    let planted = [
        ("src/worktree/create.rs", "use crate::cluster::Job;", "worktree may not name cluster"),
        ("src/git/mod.rs", "use crate::{sys::World, document};", "git may not name document"),
        ("src/baton/local.rs", "fn f() { super::super::sweep::judge() }", "baton may not name sweep"),
        ("src/cli/create.rs", "use crate::git::GitError;", "cli may not name git"),
        ("src/cli/failure.rs", "use crate::git::{Git, GitError};", "cli may not name git"),
        ("src/report/create.rs", "use crate::sys::World;", "report may not name sys"),
        ("src/terms/key.rs", "use crate::safety;", "terms may not name safety"),
        ("src/main.rs", "handover::verbs::create()", "main may not name verbs"),
        ("src/verbs/create.rs", "use crate::report::Table;", "verbs may not name report"),
        ("src/verbs/create.rs", "use clap::Args;", "only cli may name clap"),
        ("src/git/program.rs", "use std::process::{Command, Stdio};", "only sys may name process::Command"),
        ("src/sweep/group.rs", "use chrono::Utc;", "only terms, sys, report may name chrono"),
        ("src/cluster/job.rs", "fn f() { println!(\"x\") }", "println! is for nobody"),
        ("src/document/drift.rs", "fn f(w: &crate::sys::World) {}", "document/drift must not see the World"),
        ("src/sweep/plan/mod.rs", "fn f(w: &World) {}", "sweep/plan must not see the World"),
        ("src/attic/x.rs", "fn f() {}", "attic is no room of the plan"),
        ("src/verbs/create.rs", "use crate::attic::X;", "verbs may not name attic"),
    ];
    for (path, text, complaint) in planted {
        assert!(found(path, text).contains(complaint), "{path}: {text}: {:?}", found(path, text));
    }
    let allowed = [
        ("src/verbs/create.rs", "use crate::{git::Git, cluster, sys::World, verbs::Error};"),
        ("src/sys/files.rs", "use crate::safety::escape_path; use rustix::fs;"),
        ("src/config/load.rs", "#[cfg(test)] mod tests { use crate::cluster::X; use tempfile::tempdir; }"),
        ("src/config/tests/broken.rs", "use crate::cluster::X; use tempfile::tempdir;"),
        ("src/cli/exit.rs", "use std::process::ExitCode; use super::super::verbs::Error;"),
        ("src/git/status.rs", "use super::program::Git; fn f(command: Command) { git.command() }"),
    ];
    for (path, text) in allowed {
        assert_eq!(found(path, text), "", "{path}: {text}");
    }
}

/// What a file names against the plan.
fn complaints(path: &str, text: &str) -> Vec<String> {
    let module = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let room = module.split('/').next().unwrap_or_default();
    // The map of the house, which names every room.
    if room == "lib" {
        return Vec::new();
    }
    // A room's tests in a file or folder of their own, which its `#[cfg(test)] mod tests;` names.
    if module.ends_with("/tests") || module.contains("/tests/") {
        return Vec::new();
    }
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{path}: {room} is no room of the plan (ROOMS in tests/it/architecture.rs)")];
    };
    let depth = if room == "main" { 0 } else { module.split('/').count() };
    let forbidden = STRICTER.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, rooms)| rooms);
    let may_name = |other: &str| {
        other == room || allowed.contains(&other) || EVERYONE.contains(&other) && !forbidden.contains(&other)
    };
    let complain = |name: &Named| {
        let at = format!("{path}:{}", name.line);
        let may_name_errors = module.starts_with(ERRORS_ALONE);
        let is_error = may_name_errors && last(name).ends_with("Error");
        if let Some(other) = other_room(name, depth).filter(|other| !may_name(other) && !is_error) {
            return Some(format!("{at}: {room} may not name {other}"));
        }
        if name.is_macro && matches!(last(name), "println" | "print" | "eprintln" | "eprint" | "dbg") {
            return Some(format!("{at}: {}! is for nobody; cli::Output is the way out", last(name)));
        }
        let is_pure = |pure: &&str| {
            module.strip_prefix(*pure).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if PURE.iter().any(|pure| is_pure(pure)) && last(name) == "World" {
            return Some(format!("{at}: {module} must not see the World"));
        }
        let (outside, rooms) = CRATES.iter().find(|(outside, _)| names_crate(name, outside))?;
        let is_allowed = rooms.contains(&room);
        (!is_allowed).then(|| format!("{at}: only {} may name {outside}", rooms.join(", ")))
    };
    named(text).iter().filter_map(complain).collect()
}

/// The room that a path leads to: by `crate::`, from outside by `handover::`,
/// or by more `super::` than the file is deep.
fn other_room(name: &Named, depth: usize) -> Option<&str> {
    let segments: Vec<&str> = name.segments.iter().map(String::as_str).collect();
    let supers = segments.iter().take_while(|segment| **segment == "super").count();
    match segments.as_slice() {
        ["crate" | "handover", room, ..] => Some(room),
        _ if supers > 0 && supers == depth => segments.get(supers).copied().filter(|room| *room != "*"),
        _ => None,
    }
}

fn names_crate(name: &Named, outside: &str) -> bool {
    match outside.split_once("::") {
        Some((module, item)) => name.segments.windows(2).any(|pair| pair[0] == module && pair[1] == item),
        None => name.segments[0] == outside && name.segments.len() > 1,
    }
}

fn last(name: &Named) -> &str {
    name.segments.last().map_or("", String::as_str)
}

/// Every Rust source below a folder, as path and text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let walk = walkdir::WalkDir::new(top.join(folder)).sort_by_file_name().into_iter();
    let outside = |entry: &walkdir::DirEntry| entry.file_name() != "target";
    walk.filter_entry(outside)
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|ext| ext == "rs"))
        .map(|entry| {
            let path = entry.path().strip_prefix(top).unwrap().to_string_lossy().into_owned();
            (path, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}
