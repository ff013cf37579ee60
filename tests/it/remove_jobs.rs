//! `handover remove` and jobs that are not where one looks first.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;
use crate::support::slurm::Queued;

const EVERYTHING: [&str; 5] = ["remove", "f", "--waive", "dirty,ignored,unlanded,process,unknown", "--yes"];

fn started() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let path = PathBuf::from(sandbox.handover(["start", "f"]).expect(0).last_line());
    (sandbox, path)
}

/// A pending job named `in`.
fn job(work_dir: &Path, stdout: &Path, stderr: &Path, stdin: &Path) -> String {
    let job = Queued::new("7", "PENDING", work_dir, stdout);
    Queued { stderr: stderr.to_owned(), stdin: stdin.to_owned(), name: "in", ..job }.row()
}

#[test]
fn a_job_holds_it_by_any_of_its_files_through_links_and_patterns() {
    let (sandbox, path) = started();
    let home = sandbox.home();
    let (o, null) = (home.join("o"), Path::new("/dev/null"));
    // Nothing is there yet: the job's first write makes it.
    symlink(path.join("outputs/new.log"), home.join("dangling")).unwrap();
    symlink(&path, home.join("pt.in")).unwrap();
    for (case, text) in [
        ("standard error", job(&home, &o, &path.join("err"), null)),
        ("standard input", job(&home, &o, &o, &path.join("in"))),
        ("a dangling link", job(&home, &home.join("dangling"), &o, null)),
        ("a pattern", job(&home, &home.join("pt.%x/out.%N"), &o, null)),
    ] {
        let _fake = sandbox.fake("squeue").answers(text);
        let answer = sandbox.handover(EVERYTHING).expect(5);
        assert!(answer.stderr().contains("1 job of ours works or write in it (7 "), "{case}: {answer}");
    }
    let _fake = sandbox.fake("squeue").answers(job(&home, &home.join("%N/out"), &o, null));
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(answer.stderr().contains("where job 7 writes is not known"), "{answer}");
    let _fake = sandbox.fake("squeue").answers(job(&home, &home.join("%x/out.%N"), &o, null));
    assert!(sandbox.handover(["remove", "f"]).code == 0);
}

#[test]
fn no_setting_of_a_branch_and_no_source_hides_a_job() {
    let (sandbox, path) = started();
    let text = job(&path, &path, &path, Path::new("/dev/null"));
    let _fake = sandbox.fake("squeue").answers_to("*nobody*", "").answers(text);
    for settings in ["source: none", "user: nobody", "source: none\n  user: nobody", "source: absent.txt"] {
        sandbox.write(".handover.yaml", format!("cluster:\n  {settings}\n"));
        let answer = sandbox.handover(EVERYTHING).expect(5);
        assert!(answer.stderr().contains("in it (7 "), "{settings}: {answer}");
        let answer = sandbox.handover(["finish", "f", "--waive", "unknown", "--yes"]);
        assert!(answer.stdout().contains("in it (7 ") && path.exists(), "{settings}: {answer}");
    }
    let answer = sandbox.handover(EVERYTHING.into_iter().chain(["--cluster", "none"])).expect(5);
    assert!(answer.stderr().contains("in it (7 "), "{answer}");
    fs::remove_file(sandbox.project().join(".handover.yaml")).unwrap();
}

#[test]
fn this_clone_may_name_one_user_more() {
    let (sandbox, path) = started();
    let text = job(&path, &path, &path, Path::new("/dev/null"));
    fs::write(sandbox.project().join(".git/handover/config.yaml"), "cluster:\n  user: bob\n").unwrap();
    let fake = sandbox.fake("squeue").answers_to("*-u\\ bob*", text);
    assert!(sandbox.handover(EVERYTHING).expect(5).stderr().contains("in it (7 "));
    assert!(fake.calls().len() == 2, "{:?}", fake.calls());
}

#[test]
fn a_cluster_that_does_not_answer_is_not_switched_off_by_none() {
    let (sandbox, _) = started();
    let _fake = sandbox.fake("squeue").fails(1, "slurm_load_jobs error: Unable to contact slurm controller");
    let answer = sandbox.handover(["remove", "f", "--cluster", "none"]).expect(5);
    assert!(answer.stderr().contains("--waive unknown"), "{answer}");
}

#[test]
fn no_job_and_a_complaint_is_no_answer() {
    let (sandbox, path) = started();
    let _fake =
        sandbox.fake("squeue").fails(0, "squeue: error: slurm_receive_msg: Zero Bytes were transmitted");
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(answer.stderr().contains("named no job and complained"), "{answer}");
    let _fake = sandbox.fake("squeue").fails(0, "bash: warning: setlocale: LC_ALL: cannot change locale (C)");
    let _ = sandbox.handover(["remove", "f"]).expect(0);
    assert!(!path.exists());
}

#[test]
fn a_baton_of_an_older_document_holds_it() {
    let (sandbox, path) = started();
    let as_other = |words: &[&str]| {
        let call = sandbox.call(words.iter().copied()).dir(&path);
        call.env("HANDOVER_AGENT", "codex").env("HANDOVER_SESSION", "s-2").run().expect(0)
    };
    let key = sandbox.handover_in(&path, ["create", "--cluster", "none"]).expect(0).last_line().to_owned();
    sandbox.advance("1m");
    let _ = sandbox.handover_in(&path, ["create", "--cluster", "none"]).expect(0);
    let _ = as_other(&["resume", &key, "--cluster", "none"]);
    let answer = sandbox.handover(EVERYTHING).expect(5);
    assert!(answer.stderr().contains(&format!("another holds its baton: {key}: `codex`")), "{answer}");
    let _ = as_other(&["release", &key]);
    assert!(sandbox.handover(EVERYTHING).code == 0);
}

#[test]
fn a_pipe_is_no_state_file_and_is_not_waited_for() {
    let (sandbox, _) = started();
    let pipe = sandbox.root().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let answer = sandbox.handover(["snapshot", "--cluster", pipe.to_str().unwrap()]);
    assert!(answer.code != 0 && answer.stderr().contains("it is not a regular file"), "{answer}");
}
