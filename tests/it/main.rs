//! The integration tests: the built program in a world of its own.

mod architecture;
mod archive;
mod baton;
mod between;
mod between_hostile;
mod between_race;
mod chain;
mod chain_at_once;
mod checkpoints;
mod context;
mod crash;
mod crash_baton;
mod crash_start;
mod crash_sync;
mod create;
mod faraway;
mod finish;
mod funnel;
mod funnel_walls;
mod fuzz;
mod handover_sweeps;
mod hints;
mod joblog;
mod json;
mod lifecycle;
mod lock;
mod logs;
mod logs_recorded;
mod naughty;
mod paste;
mod paste_page;
mod paste_shells;
mod preflight;
mod preflight_later;
mod readme;
mod remote;
mod remote_carry;
mod remote_run;
mod remote_worktree;
mod removal_traps;
mod remove;
mod remove_holders;
mod remove_jobs;
mod remove_trash;
mod resume;
mod sandbox;
#[cfg(feature = "schema")]
mod schemas;
mod snapshot;
mod snapshot_ssh;
mod snapshot_sweeps;
mod start;
mod status;
mod support;
mod sweep;
mod sweep_again;
mod sweep_clean;
mod sweep_cluster;
mod sweep_counts;
mod sweep_lineage;
mod sweep_page;
mod sweep_plan;
mod sweep_plan_shells;
mod sweep_plan_spared;
mod sweep_recorded;
mod sweep_report;
mod sweep_saved;
mod sweep_settled;
mod sweep_submit;
mod sweep_tracked;
mod sweep_truth;
mod sweep_waits;
mod sync;
mod sync_cut_short;
mod sync_guard;
mod sync_race;
mod sync_second;
mod sync_told;
mod told_honestly;
mod unlock;
mod verify;
mod watch;
mod watch_again;
mod watch_cluster;
mod watch_evidence;
mod watch_kept;

/// A file that nobody lists here is compiled by nobody.
#[test]
fn every_file_of_this_folder_is_listed() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let listed = std::fs::read_to_string(here.join("main.rs")).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(here).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".rs").unwrap_or(&name).to_owned();
        if !["main", "snapshots"].contains(&name.as_str()) {
            names.push(name);
        }
    }
    let missing: Vec<&String> =
        names.iter().filter(|name| !listed.lines().any(|line| line == format!("mod {name};"))).collect();
    assert!(missing.is_empty(), "add to tests/it/main.rs: {missing:?}");
}
