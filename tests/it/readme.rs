//! README is run, not believed.

use std::path::Path;

use handover::cli::Exit;
use handover::config::{self, Config};

use crate::support::Sandbox;
use crate::support::planted::Recorded;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn readme() -> String {
    std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap()
}

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == format!("```{language}") {
            blocks.push(
                lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect(),
            );
        }
    }
    blocks
}

/// True for a block that builds the program or runs the tests themselves.
fn is_about_this_repository(block: &str) -> bool {
    block.starts_with("cargo ") || block.starts_with("./test")
}

#[test]
fn every_command_of_the_journeys_runs_in_the_order_of_the_page() {
    let sandbox = Sandbox::new();
    std::fs::copy(
        Path::new(ROOT).join("examples/cluster_state.txt"),
        sandbox.project().join("cluster_state.txt"),
    )
    .unwrap();
    sandbox.commit("State of the cluster");
    let bin = Path::new(env!("CARGO_BIN_EXE_handover")).parent().unwrap();
    sandbox.prefix_path(bin);
    let blocks: Vec<String> =
        blocks("sh").into_iter().filter(|block| !is_about_this_repository(block)).collect();
    assert!(blocks.len() >= 6, "{blocks:?}");
    let script = format!("set -euo pipefail\n{}", blocks.join("\n"));
    let answer = sandbox.program("bash", ["-x", "-c", &script]).run();
    assert_eq!(answer.code, 0, "{answer:?}");
}

#[test]
fn the_first_command_works_in_a_fresh_clone_of_this_repository() {
    let first = &blocks("sh")[0];
    assert_eq!(first, "cargo run --release -- create --cluster examples/cluster_state.txt\n");
    let sandbox = Sandbox::empty();
    let clone = sandbox.root().join("clone");
    sandbox.git_in(sandbox.root(), ["clone", "--quiet", "--no-hardlinks", ROOT, clone.to_str().unwrap()]);
    // Started directly: a release build outlasts the limit that the sandbox sets on a call. The target
    // directory is shared, or the build would begin from nothing.
    let built = std::process::Command::new("bash")
        .args(["-c", first])
        .current_dir(&clone)
        .env("CARGO_TARGET_DIR", Path::new(ROOT).join("target"))
        .output()
        .unwrap();
    let stdout = String::from_utf8(built.stdout).unwrap();
    assert!(built.status.success(), "{stdout}{}", String::from_utf8_lossy(&built.stderr));
    let key = stdout.lines().last().unwrap();
    let text = std::fs::read_to_string(clone.join(format!("CLAUDE/{key}.md"))).unwrap();
    assert!(text.contains("`sweep_lr_wd`"), "{text}");
    assert!(stdout.contains(&format!("Key: {key}")), "{stdout}");
    assert_eq!(sandbox.git_in(&clone, ["status", "--porcelain"]), "");
}

#[test]
fn the_second_command_is_what_ci_runs() {
    let blocks = blocks("sh");
    assert_eq!(blocks[1], "./test --install\n");
    let ci = std::fs::read_to_string(Path::new(ROOT).join(".ci/run")).unwrap();
    assert!(ci.contains("step tests ./test --install\n"), "{ci}");
}

#[test]
fn the_handover_on_the_page_is_a_real_one() {
    let sandbox = Sandbox::new();
    std::fs::copy(
        Path::new(ROOT).join("examples/cluster_state.txt"),
        sandbox.project().join("cluster_state.txt"),
    )
    .unwrap();
    let answer = sandbox
        .handover([
            "create",
            "--cluster",
            "cluster_state.txt",
            "--focus",
            "learning-rate sweep for the segmenter",
            "--status",
            "watch: four tasks of the sweep failed alike",
            "--next",
            "Run `pytest tests/test_schedule.py`; 12 tests pass",
        ])
        .expect(0);
    let text = sandbox.read(format!("CLAUDE/{}.md", answer.last_line()));
    for line in blocks("markdown")[0].lines() {
        assert!(text.lines().any(|real| real == line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn the_configuration_on_the_page_is_the_default_one() {
    let example = Path::new(ROOT).join("examples/handover.yaml");
    assert_eq!(blocks("yaml")[0], std::fs::read_to_string(&example).unwrap());
    let mut loaded = config::load(&[example]).unwrap();
    assert!(loaded.cluster.is_configured);
    loaded.cluster.is_configured = false;
    loaded.read_from.clear();
    assert_eq!(loaded, Config::default());
}

#[test]
fn the_exit_codes_on_the_page_are_those_of_the_program() {
    let text = readme();
    for (exit, meaning) in Exit::ALL {
        let row = format!("| {} | {meaning} |", exit.number());
        assert!(text.lines().any(|line| line == row), "{row}");
    }
}

/// A line `...` stands for lines that the page leaves out.
#[test]
fn what_the_page_shows_of_the_recorded_sweep_is_what_the_program_prints() {
    let recorded = Recorded::new();
    let shown = blocks("console");
    assert!(shown.len() >= 2);
    for block in shown {
        let mut lines = block.lines();
        let command = lines.next().and_then(|line| line.strip_prefix("$ handover ")).expect("a command");
        let words: Vec<&str> = command.split(' ').collect();
        let answer = recorded.sandbox.handover_in(&recorded.project, words);
        let mut printed = answer.stdout().lines();
        let mut may_skip = false;
        for line in lines {
            let is_there = match may_skip {
                true => printed.any(|real| real == line) || line == "...",
                false => line == "..." || printed.next() == Some(line),
            };
            assert!(is_there, "{line:?} is not the next line of `handover {command}`\n{}", answer.stdout());
            may_skip = line == "...";
        }
        assert!(may_skip || printed.next().is_none(), "`handover {command}` says more\n{}", answer.stdout());
    }
}
