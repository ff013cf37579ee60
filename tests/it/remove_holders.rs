//! `handover remove`: jobs and another's baton hold a worktree.

use std::fs;
use std::os::unix::fs::symlink;

use crate::remove::{refused_then_waived, start, started};
use crate::support::slurm::Queued;

#[test]
fn jobs_that_work_or_write_inside_hold_it_and_cannot_be_waived() {
    let (sandbox, path) = started("f");
    let home = sandbox.home();
    let everything = ["remove", "f", "--waive", "dirty,ignored,unlanded,process,unknown", "--yes"];
    let link = sandbox.root().join("by-link");
    symlink(&path, &link).unwrap();
    for (state, dir, out) in [
        ("RUNNING", path.clone(), home.join("o")),
        ("PENDING", home.clone(), path.join("outputs/slurm-7.out")),
        ("PENDING", path.join("deeper/not/there"), home.join("o")),
        ("RUNNING", link.clone(), home.join("o")),
    ] {
        let _fake = sandbox.fake("squeue").answers(Queued::new("7", state, &dir, &out).row());
        let answer = sandbox.handover(everything).expect(5);
        assert!(answer.stderr().contains("1 job of ours works or write in it (7 "), "{answer}");
    }
    let beside = Queued::new("7", "RUNNING", sandbox.root().join("project.f2"), &home);
    let _fake = sandbox.fake("squeue").answers(beside.row());
    assert!(sandbox.handover(["remove", "f"]).code == 0);
}

#[test]
fn the_projects_scope_hides_no_job_from_a_removal() {
    let (sandbox, path) = started("f");
    fs::write(sandbox.project().join(".git/handover/config.yaml"), "cluster:\n  names: [other_*]\n").unwrap();
    let _fake = sandbox.fake("squeue").answers(Queued::new("7", "RUNNING", &path, &path).row());
    assert!(sandbox.handover(["remove", "f"]).expect(5).stderr().contains("(7 "));
}

#[test]
fn a_cluster_that_does_not_answer_holds_it_until_that_is_waived() {
    let (sandbox, path) = started("f");
    let config = sandbox.project().join(".git/handover/config.yaml");
    fs::write(&config, "cluster:\n  limit: 1s\n").unwrap();
    let _fake = sandbox.fake("squeue").waits(30.0);
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(answer.stderr().contains("whether jobs work in it is unknown"), "{answer}");
    let _fake = sandbox.fake("squeue").fails(1, "slurm_load_jobs error: Unable to contact slurm controller");
    let _ = refused_then_waived(&sandbox, &path, "unknown", "whether jobs work in it is unknown");
}

#[test]
fn commands_without_a_cluster_hold_nothing_and_a_cluster_out_of_reach_does() {
    let (sandbox, path) = started("f");
    // What squeue says where its package is installed and no slurm.conf is there.
    let said = "squeue: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n\
                squeue: fatal: Could not establish a configuration source\n";
    let _fake = sandbox.fake("squeue").fails(1, said);
    let plan = sandbox.handover(["remove", "f", "--dry-run"]).expect(0);
    assert!(plan.stdout().contains("not checked: jobs"), "{plan}");
    // A user who named a cluster here is not told that there is none.
    let answer = sandbox.handover(["remove", "f", "--cluster", "local"]).expect(5);
    assert!(answer.stderr().contains("whether jobs work in it is unknown"), "{answer}");
    let _fake = sandbox.fake("squeue").fails(1, "slurm_load_jobs error: Unable to contact slurm controller");
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(answer.stderr().contains("whether jobs work in it is unknown"), "{answer}");
    let _fake = sandbox.fake("squeue").fails(1, said);
    let _ = sandbox.handover(["remove", "f"]).expect(0);
    assert!(!path.exists());
}

#[test]
fn a_cluster_that_is_configured_and_not_here_is_unknown_and_none_is_no_reason() {
    let (sandbox, path) = started("f");
    let plan = sandbox.handover(["remove", "f", "--dry-run"]).expect(0);
    assert!(plan.stdout().contains("not checked: jobs"), "{plan}");
    fs::write(sandbox.project().join(".git/handover/config.yaml"), "cluster:\n  source: local\n").unwrap();
    assert!(sandbox.handover(["remove", "f"]).expect(5).stderr().contains("--waive unknown"));
    let other = start(&sandbox, "g");
    assert!(sandbox.handover(["remove", "g", "--cluster", "none"]).code == 0);
    assert!(path.exists() && !other.exists());
}

#[test]
fn anothers_baton_holds_it() {
    let (sandbox, path) = started("f");
    let _ = sandbox.handover_in(&path, ["create", "--cluster", "none"]).expect(0);
    let _ = sandbox
        .call(["resume", "--cluster", "none"])
        .dir(&path)
        .env("HANDOVER_AGENT", "codex")
        .env("HANDOVER_SESSION", "s-2")
        .run()
        .expect(0);
    let answer = sandbox.handover(["remove", "f", "--waive", "unknown", "--yes"]).expect(5);
    assert!(
        answer.stderr().contains("another holds its baton") && answer.stderr().contains("codex"),
        "{answer}"
    );
    let command = format!("handover -C {} resume --take-over", path.display());
    assert!(answer.stderr().contains(&command), "{answer}");
    // What `finish` cannot remove it names in the same words, with the same command.
    let finished = sandbox.handover(["finish", "f", "--waive", "unknown", "--yes"]).expect(6);
    assert!(finished.stdout().contains(&command), "{finished}");
    let _ = sandbox
        .call(["release"])
        .dir(&path)
        .env("HANDOVER_AGENT", "codex")
        .env("HANDOVER_SESSION", "s-2")
        .run()
        .expect(0);
    assert!(sandbox.handover(["remove", "f"]).code == 0);
}
