//! What `create`, `show`, `sweep`, `snapshot` and `verify` say of what is not as
//! it looks: files that stay behind, drafts that nobody filled in, jobs that the
//! settings leave out, sweeps of another project.

use crate::support::{Answer, Sandbox};
use crate::watch::{accounting, queue, slurm};

const FAILED: [(&str, u32, &str, &str); 3] =
    [("8_0", 9, "FAILED", "1:0"), ("8_1", 10, "FAILED", "1:0"), ("8_2", 11, "FAILED", "1:0")];

fn full() -> [&'static str; 15] {
    [
        "create",
        "--status",
        "stable: all is well",
        "--goal",
        "a better score",
        "--next",
        "`make test`",
        "--done",
        "the loader",
        "--evidence",
        "`make test` passed",
        "--dead-end",
        "none",
        "--decision",
        "none",
    ]
}

#[test]
fn files_that_are_not_committed_are_named_when_a_handover_is_made() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", "x = 1\n");
    let made = sandbox.handover(full()).expect(0);
    assert!(made.stderr().contains("note: 1 file is not committed"), "{made}");
    sandbox.commit("the loader");
    let made = sandbox.handover(full()).expect(0);
    assert!(!made.stderr().contains("not committed"), "{made}");
}

#[test]
fn a_table_is_cut_to_the_terminal_and_whole_in_a_pipe() {
    let sandbox = Sandbox::new();
    let focus = "a warm-up schedule that is long enough to leave no room beside the key of its handover";
    let _ = sandbox.handover(["create", "--focus", focus]).expect(0);
    let listed = sandbox.handover(["list"]).expect(0);
    assert!(!listed.stdout().contains(focus), "{listed}");
    assert!(listed.stdout().lines().all(|line| line.chars().count() <= 80), "{listed}");
    sandbox.set("COLUMNS", "");
    let listed = sandbox.handover(["list"]).expect(0);
    assert!(listed.stdout().contains(focus), "{listed}");
}

#[test]
fn the_document_lists_the_commits_against_the_base() {
    let sandbox = Sandbox::new();
    sandbox.git(["switch", "--quiet", "-c", "lr"]);
    for name in ["one `tick`", "two"] {
        sandbox.write("a.py", name);
        sandbox.commit(name);
    }
    let key = sandbox.handover(["create"]).expect(0).last_line().to_owned();
    let text = sandbox.handover(["show", &key]).expect(0);
    let at = |what: &str| text.stdout().rfind(what).unwrap_or_else(|| panic!("{what}: {text}"));
    assert!(at("2 commits ahead of") < at(" two`") && at(" two`") < at(" one "), "{text}");
}

#[test]
fn a_handover_that_says_much_less_than_the_one_before_says_so_and_its_briefing_too() {
    let sandbox = Sandbox::new();
    let first = sandbox.handover(full()).expect(0).last_line().to_owned();
    sandbox.advance("1m");
    let less = sandbox.handover(["create", "--focus", "again"]).expect(0);
    assert!(less.stderr().contains(&format!("handover create --amend {first}")), "{less}");
    let briefing = sandbox.handover(["resume", less.last_line()]).expect(0);
    assert!(briefing.stdout().contains(&format!("handover show {first}")), "{briefing}");
    assert!(briefing.stdout().contains("a better score"), "{briefing}");
}

#[test]
fn a_draft_that_nobody_filled_in_is_sealed_with_a_word_about_it() {
    let sandbox = Sandbox::new();
    let _ = sandbox.handover(["draft"]).expect(0);
    let made = sandbox.handover(["create"]).expect(0);
    assert!(made.stderr().contains("the draft was not filled in"), "{made}");
    let _ = sandbox.handover(["draft", "--next", "`make test`"]).expect(0);
    sandbox.advance("1m");
    let made = sandbox.handover(["create"]).expect(0);
    assert!(!made.stderr().contains("the draft was not filled in"), "{made}");
}

#[test]
fn a_document_of_another_worktree_is_shown_and_not_copied_here() {
    let sandbox = Sandbox::new();
    let other = sandbox.worktree("lr");
    let key = sandbox.handover_in(&other, ["create"]).expect(0).last_line().to_owned();
    let shown = sandbox.handover(["show", &key]).expect(0);
    assert!(shown.stdout().contains(&key), "{shown}");
    assert!(!sandbox.exists(format!("CLAUDE/{key}.md")), "it is not of this worktree");
    std::fs::remove_file(other.join(format!("CLAUDE/{key}.md"))).unwrap();
    let _ = sandbox.handover_in(&other, ["show", &key]).expect(0);
    assert!(other.join(format!("CLAUDE/{key}.md")).exists());
}

fn asked(sandbox: &Sandbox, words: &[&str]) -> Answer {
    sandbox.handover(words.iter().chain(&["--cluster", "local"]))
}

#[test]
fn what_the_settings_leave_out_is_said_and_found_by_its_id() {
    let running = [("8_2", 11, "RUNNING", "None")];
    let rows =
        [("8_0", 9, "COMPLETED", "0:0"), ("8_1", 10, "COMPLETED", "0:0"), ("8_2", 11, "RUNNING", "0:0")];
    let (sandbox, ..) = slurm(&[queue(&running)], &[accounting(&rows)]);
    sandbox.write(".handover.yaml", "cluster:\n  names: [seg_lr]\n");
    let left_out = asked(&sandbox, &["sweep", "lr"]).expect(4);
    assert!(left_out.stderr().contains("among the jobs that the settings name: seg_lr"), "{left_out}");
    let board = asked(&sandbox, &["sweep", "8"]).expect(0);
    assert!(board.stdout().contains("2 of 3 finished"), "{board}");
    assert!(!board.stdout().contains("not in the queue"), "{board}");
}

#[test]
fn sweeps_of_another_project_ask_for_nothing_in_this_one() {
    let rows = accounting(&FAILED);
    let sandbox = Sandbox::new();
    let elsewhere = sandbox.root().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let live = queue(&[("8_3", 12, "RUNNING", "None")])
        .replace("\u{1f}/w\u{1f}", &format!("\u{1f}{}\u{1f}", elsewhere.display()));
    drop(sandbox.fake("squeue").answers(live));
    drop(sandbox.fake("sacct").answers(rows));
    drop(sandbox.fake("scontrol").fails(1, "slurm_load_jobs error: Invalid job id specified\n"));
    let made = asked(&sandbox, &["create", "--next", "go on"]).expect(0);
    assert!(made.stderr().contains("1 sweep works in no worktree of this repository"), "{made}");
    assert!(made.stderr().contains("`names` below `cluster`"), "{made}");
    assert!(!made.stderr().contains("jobs are live"), "{made}");
    let briefing = asked(&sandbox, &["resume", made.last_line()]).expect(0);
    assert!(!briefing.stdout().contains("decide first"), "{briefing}");
}

#[test]
fn a_state_file_of_a_branch_that_nobody_follows_is_better_than_none() {
    let sandbox = Sandbox::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cluster_state.txt");
    sandbox.git(["switch", "--quiet", "-c", "cosine"]);
    sandbox.write("cluster_state.txt", std::fs::read(example).unwrap());
    let commit = sandbox.commit("state");
    sandbox.git(["switch", "--quiet", "-"]);
    sandbox.git(["update-ref", "refs/remotes/origin/cosine", &commit]);
    let answer = sandbox.handover(["snapshot"]).expect(0);
    assert!(answer.stdout().contains("origin/cosine:cluster_state.txt"), "{answer}");
}

#[test]
fn logs_of_a_job_are_found_by_its_id_or_name_in_the_place_of_a_path() {
    let (sandbox, ..) = slurm(&[queue(&[])], &[accounting(&FAILED)]);
    sandbox.write("logs/lr_8_1.out", "ModuleNotFoundError: No module named 'einops'\n");
    for words in [&["logs", "8_1"][..], &["logs", "--job", "8_1"], &["logs", "--job", "lr"], &["logs", "8"]] {
        let answer = asked(&sandbox, words).expect(0);
        assert!(answer.stdout().contains("missing-module"), "{answer}");
    }
    let name = asked(&sandbox, &["logs", "lr"]).expect(4);
    assert!(name.stderr().contains("handover logs --job lr"), "{name}");
    // A task that the array does not have is no question of where its log is.
    for words in [&["logs", "--job", "8_99"][..], &["logs", "8_99"]] {
        let none = asked(&sandbox, words).expect(4);
        assert!(none.stderr().contains("array 8 has no task 99: it has 0-2"), "{none}");
        assert!(none.stderr().contains("handover logs --job 8") && !none.stderr().contains("DIR"), "{none}");
    }
    sandbox.write("logs/lr_8_99.out", "KeyError: 'lr'\n");
    assert!(asked(&sandbox, &["logs", "8_99"]).expect(0).stdout().contains("KeyError"));
    // What is there is meant before an id.
    sandbox.write("8", "KeyError: 'lr'\n");
    let file = asked(&sandbox, &["logs", "8"]).expect(0);
    assert!(file.stdout().contains("KeyError") && !file.stdout().contains("einops"), "{file}");
}
