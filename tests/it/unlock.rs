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
