//! The sandbox itself: a test that stands on sand proves nothing.

use crate::support::{NOW, Sandbox};

#[test]
fn a_sandbox_has_its_own_git_identity_clock_and_path() {
    let sandbox = Sandbox::new();
    assert_eq!(
        sandbox.git(["log", "--format=%an <%ae> %aI %s"]),
        "Ann Example <ann@example.org> 2026-11-21T03:41:00Z First commit"
    );
    assert_eq!(sandbox.git(["status", "--porcelain", "--branch"]), "## main");
    let shown =
        sandbox.program("sh", ["-c", "echo $HOME $XDG_CONFIG_HOME $TZ $HANDOVER_NOW; command -v squeue"]);
    let shown = shown.run().expect(127);
    let expected = format!("/tmp/handover.SANDBOX/home /tmp/handover.SANDBOX/home/.config UTC {NOW}\n");
    assert_eq!(sandbox.normalise(shown.stdout()), expected);
}

#[test]
fn the_same_commits_have_the_same_ids_in_every_sandbox() {
    let ids = [Sandbox::new(), Sandbox::new()].map(|sandbox| {
        sandbox.advance("26h");
        sandbox.write("src/train.py", "print()\n");
        sandbox.commit("Second")
    });
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn an_answer_prints_whole_with_stable_names() {
    let sandbox = Sandbox::new();
    let id = sandbox.commit("Second");
    let script = format!("echo {id}; echo {} >&2; pwd; printf end; exit 3", &id[..8]);
    let answer = sandbox.program("sh", ["-c", &script]).dir("..").run();
    insta::assert_snapshot!(answer, @r"
    exit: 3
    --- stdout ---
    commit2_________________________________
    /tmp/handover.SANDBOX
    end(no newline at the end)
    --- stderr ---
    commit2_
    ");
}

#[test]
fn a_fake_plays_back_and_logs_its_arguments() {
    let sandbox = Sandbox::new();
    let fake = sandbox
        .fake("squeue")
        .answers_to("*--steps*", "steps\n")
        .answers("jobs\u{1f}1\n")
        .fails(1, "slurm_load_jobs error: Unable to contact slurm controller\n");
    let steps = sandbox.program("squeue", ["--steps"]).run().expect(0);
    assert_eq!(steps.stdout(), "steps\n");
    let jobs = sandbox.program("squeue", ["-o", "%i %j"]).run().expect(1);
    assert_eq!(jobs.stdout(), "jobs\u{1f}1\n");
    assert!(jobs.stderr().contains("Unable to contact"));
    assert_eq!(fake.calls(), ["--steps", "-o %i %j"]);
    let slow = sandbox.fake("sacct").waits(0.05).answers("late\n");
    assert_eq!(sandbox.program("sacct", ["-P"]).run().expect(0).stdout(), "late\n");
    assert_eq!(slow.calls(), ["-P"]);
}

#[test]
fn input_variables_and_directories_reach_the_program() {
    let sandbox = Sandbox::new();
    sandbox.set("ONE", "1");
    let call =
        sandbox.program("sh", ["-c", "cat; echo $ONE $TWO $1; pwd"]).env("TWO", "2").arg("zero").arg("three");
    let answer = call.stdin("in\n").dir(sandbox.home()).run().expect(0);
    assert_eq!(sandbox.normalise(answer.stdout()), "in\n1 2 three\n/tmp/handover.SANDBOX/home\n");
    assert_eq!(
        sandbox.program("echo", ["x"]).under(["env", "printf", "%s\n"]).run().last_line().rsplit('/').next(),
        Some("x")
    );
}

#[test]
fn the_program_answers_in_it() {
    let sandbox = Sandbox::new();
    assert_eq!(
        sandbox.handover(["--version"]).expect(0).stdout(),
        concat!("handover ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let refused = sandbox.handover_in(".", ["no-such-verb"]).expect(2);
    assert!(refused.stdout().is_empty() && refused.bytes().starts_with(b"\nerror: "), "{refused:?}");
}

#[test]
fn worktrees_and_trees_are_made_and_listed() {
    let sandbox = Sandbox::new();
    let worktree = sandbox.worktree("feature/one");
    assert_eq!(sandbox.tree(&worktree), [".git", "README.md"]);
    assert_eq!(sandbox.read(worktree.join("README.md")), "# A project\n");
    assert!(sandbox.exists("README.md") && !sandbox.exists("absent"));
    sandbox.without("seq");
}
