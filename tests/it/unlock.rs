//! `handover unlock`: a person takes the lock away from a holder.

use handover::sys::World;
use handover::sys::lock;
use handover::terms::Seconds;

use crate::support::Sandbox;

/// The names in the lock of the sandbox's project.
fn held(sandbox: &Sandbox) -> Vec<String> {
    if sandbox.exists(".git/handover/lock") { sandbox.tree(".git/handover/lock") } else { Vec::new() }
}

#[test]
fn unlock_says_whose_lock_it_breaks_and_wants_a_yes() {
    let sandbox = Sandbox::new();
    let home = sandbox.project().join(".git/handover");
    let lock = lock::acquire(&World::real(), &home, "start a worktree", Seconds(0), &mut |_| {}).unwrap();
    let id = lock::holders(&World::real(), &home).unwrap()[0].id.clone();

    let refused = sandbox.handover(["unlock", &id]).expect(5);
    assert!(refused.stderr().contains("holds the lock to start a worktree"), "{refused}");
    assert!(refused.stderr().contains("--yes"), "{refused}");
    assert_eq!(held(&sandbox).len(), 1);

    let done = sandbox.handover(["unlock", &id, "--yes", "--json"]).expect(0);
    assert_eq!(done.data()["broken"]["id"], id.as_str());
    assert_eq!(held(&sandbox).len(), 0);
    drop(lock);
}

#[test]
fn unlock_breaks_no_lock_but_the_one_that_was_named() {
    let sandbox = Sandbox::new();
    let home = sandbox.project().join(".git/handover");
    let lock = lock::acquire(&World::real(), &home, "start a worktree", Seconds(0), &mut |_| {}).unwrap();
    let answer = sandbox.handover(["unlock", "0123456789abcdef", "--yes"]).expect(4);
    assert!(answer.stderr().contains("nobody holds a lock with the id 0123456789abcdef"), "{answer}");
    lock.confirm().unwrap();
}

#[test]
fn a_dry_run_says_whose_lock_it_is_and_breaks_nothing() {
    let sandbox = Sandbox::new();
    let home = sandbox.project().join(".git/handover");
    let lock = lock::acquire(&World::real(), &home, "start a worktree", Seconds(0), &mut |_| {}).unwrap();
    let id = lock::holders(&World::real(), &home).unwrap()[0].id.clone();
    let plan = sandbox.handover(["unlock", &id, "--dry-run"]).expect(0);
    assert!(plan.stdout().starts_with("would break: "), "{plan}");
    assert!(plan.stdout().contains(" holds the lock to start a worktree, since "), "{plan}");
    let _ = sandbox.handover(["unlock", "0123456789abcdef", "--dry-run"]).expect(4);
    lock.confirm().unwrap();
}

#[test]
fn a_file_that_others_left_in_the_lock_stays_and_the_way_out_is_told() {
    let sandbox = Sandbox::new();
    let file = sandbox.write(".git/handover/lock/.nfs00000000012c5f3a00000001", "");
    let met = sandbox.handover(["release"]);
    assert_eq!(met.code, 4, "the lock of the batons is another: {met}");
    let refused = sandbox.handover(["unlock", "0123456789abcdef", "--yes"]).expect(5);
    assert!(
        refused.stderr().contains("00000001 is in the way, and is no file of this program\n"),
        "{refused}"
    );
    let home = sandbox.project().join(".git/handover");
    let home = home.to_str().unwrap();
    let hint = format!("hint: if nobody needs it there: mv -n {} {home}\n", file.to_str().unwrap());
    assert!(refused.stderr().contains(&hint), "{refused}");
    assert!(file.exists());

    // Beside a holder, it is what is left when that is broken.
    sandbox.write(".git/handover/lock/v2~later", "");
    let id = lock::holders(&World::real(), home.as_ref()).unwrap()[1].id.clone();
    let broken = sandbox.handover(["unlock", &id, "--yes"]).expect(0);
    let still = format!("still in the way, and no file of this program: {}\n", file.to_str().unwrap());
    assert!(broken.stdout().ends_with(&still) && broken.stderr().contains(&hint), "{broken}");
    assert_eq!(held(&sandbox), [".nfs00000000012c5f3a00000001"]);
    // The commands of the hint are the way out.
    let _ = sandbox.program("mv", ["-n", file.to_str().unwrap(), home]).run().expect(0);
    let _ = sandbox.handover(["start", "f"]).expect(0);
}
