//! The lock under processes that die while they hold it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use handover::sys::lock::{self, LockError};
use handover::sys::{World, nonce};
use handover::terms::{Known, Seconds};

use crate::support::kill::figure;

const PATIENCE: Seconds = Seconds(120);

fn random(below: u64) -> u64 {
    u64::from_str_radix(&nonce::<7>().unwrap(), 16).unwrap() % below
}

/// This test binary again, as one process of `worker`.
fn worker_process(dir: &Path, id: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["lock::worker", "--exact", "--ignored", "--quiet"]);
    command.env("LOCK_TEST_DIR", dir).env("LOCK_TEST_ID", id.to_string());
    // Clocks that are a day off, either way: nobody's life is judged by them.
    if let Some(now) = [None, Some("2001-01-01T00:00:00Z"), Some("2090-01-01T00:00:00Z")][id % 3] {
        command.env("HANDOVER_NOW", now);
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped()).stdin(Stdio::null());
    command
}

fn say(log: &mut File, word: &str, id: &str) {
    // One write of one line to a file opened for appending: never torn, never out of order.
    log.write_all(format!("{word} {id}\n").as_bytes()).unwrap();
}

#[test]
#[ignore = "no test by itself: a process of the tests of this file"]
fn worker() {
    let dir = std::env::var("LOCK_TEST_DIR").expect("started by another test");
    let id = std::env::var("LOCK_TEST_ID").unwrap();
    let dir = Path::new(&dir);
    let world = World::real();
    let mut log = OpenOptions::new().append(true).create(true).open(dir.join("log")).unwrap();
    for _ in 0..8 {
        let lock = lock::acquire(&world, &dir.join("home"), "test", PATIENCE, &mut |_| {}).unwrap();
        say(&mut log, "enter", &id);
        lock.confirm().unwrap();
        std::thread::sleep(Duration::from_micros(random(500)));
        if random(100) < 30 {
            say(&mut log, "die", &id);
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
        }
        say(&mut log, "leave", &id);
        lock.release().unwrap();
    }
}

/// Reads the log: how often the lock was taken, and how often two held it.
fn judge(log: &str) -> (usize, usize) {
    let (mut taken, mut overlaps) = (0, 0);
    let mut inside: Option<&str> = None;
    for line in log.lines() {
        let (word, id) = line.split_once(' ').unwrap();
        match word {
            "enter" => {
                taken += 1;
                inside = Some(id);
            }
            // Whoever was killed from outside said nothing; but nobody speaks after the next one entered.
            _ => {
                if inside != Some(id) {
                    overlaps += 1;
                }
                inside = None;
            }
        }
    }
    (taken, overlaps)
}

#[test]
fn processes_that_are_killed_while_they_hold_the_lock_neither_share_it_nor_block_it() {
    let whole = std::env::var("HANDOVER_PROOFS").is_ok_and(|text| text == "full");
    let target = if whole { 5_000 } else { 600 };
    let dir = tempfile::tempdir().unwrap();
    let taken = || fs::read_to_string(dir.path().join("log")).unwrap_or_default().matches("enter").count();
    let ids = AtomicUsize::new(0);
    let killed = AtomicUsize::new(0);
    let enough = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..32 {
            threads.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let id = ids.fetch_add(1, Ordering::Relaxed);
                    let mut child = worker_process(dir.path(), id).spawn().unwrap();
                    if random(4) == 0 {
                        // Killed anywhere: while it waits, takes, holds, gives back.
                        std::thread::sleep(Duration::from_millis(random(60)));
                        child.kill().unwrap();
                    }
                    let ended = child.wait_with_output().unwrap();
                    if was_killed(ended.status) {
                        killed.fetch_add(1, Ordering::Relaxed);
                    } else {
                        let complaint = String::from_utf8_lossy(&ended.stderr).into_owned();
                        assert!(ended.status.success(), "{complaint}");
                    }
                    if taken() >= target {
                        enough.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (taken, overlaps) = judge(&fs::read_to_string(dir.path().join("log")).unwrap());
    assert_eq!(overlaps, 0, "in {taken} takings");
    let killed = killed.into_inner();
    assert!(taken >= target && killed > target / 20, "{taken} takings, {killed} processes killed");
    figure(&format!("lock: {taken} takings by 32 processes, {killed} killed, {overlaps} overlaps"));
    let home = dir.path().join("home");
    let lock = lock::acquire(&World::real(), &home, "test", Seconds(0), &mut |_| {}).unwrap();
    lock.release().unwrap();
    // The last one has swept what the dead had prepared.
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(9)
}

#[test]
fn a_living_holder_is_named_and_never_robbed() {
    let home = tempfile::tempdir().unwrap();
    let world = World::real();
    let lock = lock::acquire(&world, home.path(), "start a worktree", Seconds(0), &mut |_| {}).unwrap();
    let error = lock::acquire(&world, home.path(), "remove a worktree", Seconds(0), &mut |_| {}).unwrap_err();
    let text = error.to_string();
    let LockError::Busy { holder, .. } = error else { panic!("{text}") };
    assert!(text.starts_with("cannot remove a worktree now: "), "{text}");
    assert!(text.contains("holds the lock to start a worktree, since "), "{text}");
    assert_eq!(holder.is_alive, Known::Known(true));
    assert_eq!(holder.unlock_command(), format!("handover unlock {}", holder.id));
    lock.confirm().unwrap();
    drop(lock);
    assert_eq!(lock::holders(&world, home.path()).unwrap(), []);
    lock::acquire(&world, home.path(), "remove a worktree", Seconds(0), &mut |_| {}).unwrap();
}

#[test]
fn who_waits_hears_once_for_whom() {
    let home = tempfile::tempdir().unwrap();
    let world = World::real();
    let lock = lock::acquire(&world, home.path(), "start a worktree", Seconds(0), &mut |_| {}).unwrap();
    let mut heard = Vec::new();
    let waited = lock::acquire(&world, home.path(), "test", Seconds(2), &mut |holder| {
        heard.push(holder.purpose.clone());
    });
    assert!(matches!(waited, Err(LockError::Busy { .. })));
    assert_eq!(heard, [Known::Known("start a worktree".to_owned())]);
    lock.confirm().unwrap();
}

#[test]
fn a_name_that_nobody_understands_counts_as_alive_until_a_person_breaks_it() {
    let home = tempfile::tempdir().unwrap();
    let world = World::real();
    fs::create_dir(home.path().join("lock")).unwrap();
    fs::write(home.path().join("lock/v2~something"), "later").unwrap();
    let error = lock::acquire(&world, home.path(), "test", Seconds(0), &mut |_| {}).unwrap_err();
    let LockError::Busy { holder, .. } = error else { panic!("{error}") };
    assert!(holder.is_alive.is_unknown());
    assert!(matches!(
        lock::break_lock(&world, home.path(), "0123456789abcdef"),
        Err(LockError::NoSuch { .. })
    ));
    assert_eq!(lock::break_lock(&world, home.path(), &holder.id).unwrap().id, holder.id);
    lock::acquire(&world, home.path(), "test", Seconds(0), &mut |_| {}).unwrap();
}

#[test]
fn what_others_left_in_the_lock_is_named_and_never_removed() {
    let home = tempfile::tempdir().unwrap();
    let world = World::real();
    let file = home.path().join("lock/.nfs00000000012c5f3a00000001");
    fs::create_dir(home.path().join("lock")).unwrap();
    fs::write(&file, "").unwrap();
    let error = lock::acquire(&world, home.path(), "test", Seconds(0), &mut |_| {}).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("/lock/.nfs00000000012c5f3a00000001 is in the way, and is no file of this program")
    );
    let LockError::Busy { holder, .. } = error else { panic!("{error}") };
    assert_eq!(holder.strange.as_deref(), Some(file.as_path()));
    let refused = lock::break_lock(&world, home.path(), &holder.id);
    assert!(matches!(refused, Err(LockError::Strange { path }) if path == file));
    // Of both, the one who works is waited for.
    let name = foreign(home.path(), "0", 0);
    fs::write(home.path().join("lock/zzz"), "").unwrap();
    let error = lock::acquire(&world, home.path(), "test", Seconds(0), &mut |_| {}).unwrap_err();
    assert!(matches!(error, LockError::Busy { holder, .. } if holder.strange.is_none()), "{name}");
    assert!(file.exists() && home.path().join("lock").join(name).exists());
}

#[test]
fn a_holder_whose_lock_was_broken_learns_it_before_its_next_step() {
    let home = tempfile::tempdir().unwrap();
    let world = World::real();
    let lock = lock::acquire(&world, home.path(), "test", Seconds(0), &mut |_| {}).unwrap();
    let id = lock::holders(&world, home.path()).unwrap()[0].id.clone();
    lock::break_lock(&world, home.path(), &id).unwrap();
    assert!(matches!(lock.confirm(), Err(LockError::Lost)));
    let successor = lock::acquire(&world, home.path(), "test", Seconds(0), &mut |_| {}).unwrap();
    assert!(matches!(lock.release(), Err(LockError::Lost)));
    successor.confirm().unwrap();
}

/// Puts the name of an owner on another host into the lock, silent for `silent` seconds.
fn foreign(home: &Path, job: &str, silent: u64) -> String {
    let name = format!("v1~0123456789abcdef~01234567~4026531836~4242~1~{job}~00000000000000aa");
    fs::create_dir_all(home.join("lock")).unwrap();
    let file = File::create(home.join("lock").join(&name)).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(silent)).unwrap();
    name
}

#[test]
fn an_owner_on_another_host_is_not_robbed_for_its_age() {
    let home = tempfile::tempdir().unwrap();
    let name = foreign(home.path(), "0", 86_400);
    let error = lock::acquire(&World::real(), home.path(), "test", Seconds(1), &mut |_| {}).unwrap_err();
    let LockError::Busy { holder, .. } = error else { panic!("{error}") };
    assert!(holder.is_alive.is_unknown());
    assert!(home.path().join("lock").join(name).exists());
}

#[test]
fn an_owner_on_another_host_that_was_watched_in_silence_has_lost_its_lease() {
    if !std::env::var("HANDOVER_PROOFS").is_ok_and(|text| text == "full") {
        println!("sampled: the whole takes over a minute of waiting; HANDOVER_PROOFS=full waits");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    foreign(home.path(), "0", 700);
    lock::acquire(&World::real(), home.path(), "test", Seconds(90), &mut |_| {}).unwrap();
    // In a Slurm job it may run on; sys does not ask Slurm, so a person decides.
    foreign(home.path(), "77", 86_400);
    let refused = lock::acquire(&World::real(), home.path(), "test", Seconds(75), &mut |_| {});
    assert!(matches!(refused, Err(LockError::Busy { .. })));
}

#[test]
#[ignore = "no test by itself: a holder of the tests of this file"]
fn holder() {
    let dir = std::env::var("LOCK_TEST_DIR").expect("started by another test");
    let dir = Path::new(&dir);
    let world = World::real();
    let mut log = OpenOptions::new().append(true).create(true).open(dir.join("log")).unwrap();
    let lock = lock::acquire(&world, &dir.join("home"), "test", PATIENCE, &mut |_| {}).unwrap();
    say(&mut log, "held", "first");
    while !dir.join("go").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    // The clock of this process stands still; so the time that it was stopped for is what it is told.
    world.clock.wait(Seconds(std::env::var("LOCK_TEST_AWAY").unwrap().parse().unwrap()));
    match lock.confirm() {
        Ok(()) => say(&mut log, "effect", "first"),
        Err(LockError::Lost) => say(&mut log, "lost", "first"),
        Err(error) => panic!("{error}"),
    }
}

/// A process that holds the lock on a machine of that name, and goes on after so many seconds of its own clock.
fn holding(dir: &Path, host: &str, away: u64) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["lock::holder", "--exact", "--ignored", "--quiet"]);
    command.env("LOCK_TEST_DIR", dir).env("LOCK_TEST_AWAY", away.to_string());
    command.env("HANDOVER_HOST", host).env("HANDOVER_NOW", "2026-11-21T03:41:00Z");
    let child = command.stdout(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
    while !fs::read_to_string(dir.join("log")).unwrap_or_default().contains("held") {
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn goes_on(dir: &Path, mut child: std::process::Child) -> String {
    fs::write(dir.join("go"), "").unwrap();
    assert!(child.wait().unwrap().success());
    fs::read_to_string(dir.join("log")).unwrap()
}

#[test]
fn a_machine_that_is_renamed_while_one_holds_the_lock_robs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let child = holding(dir.path(), "the-name-before", 0);
    let error = lock::acquire(&World::real(), &dir.path().join("home"), "test", Seconds(1), &mut |_| {});
    let LockError::Busy { holder, .. } = error.unwrap_err() else { panic!("taken") };
    assert!(holder.is_alive.is_unknown(), "another host, for all that one can see");
    assert_eq!(goes_on(dir.path(), child), "held first\neffect first\n");
}

#[test]
fn a_holder_that_was_stopped_for_half_an_hour_does_nothing_more() {
    let whole = std::env::var("HANDOVER_PROOFS").is_ok_and(|text| text == "full");
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let child = holding(dir.path(), "elsewhere", 1800);
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    // Half an hour without a heartbeat, by the clock of the file system.
    let entry = fs::read_dir(home.join("lock")).unwrap().next().unwrap().unwrap().path();
    let then = std::time::SystemTime::now() - Duration::from_secs(1800);
    File::options().write(true).open(&entry).unwrap().set_modified(then).unwrap();
    let mut expected = String::from("held first\n");
    if whole {
        // Somebody else takes the lease, after a minute of watching, and works.
        let lock = lock::acquire(&World::real(), &home, "test", Seconds(90), &mut |_| {}).unwrap();
        lock.confirm().unwrap();
        let mut log = OpenOptions::new().append(true).open(dir.path().join("log")).unwrap();
        say(&mut log, "effect", "second");
        expected.push_str("effect second\n");
        lock.release().unwrap();
    }
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    expected.push_str("lost first\n");
    assert_eq!(goes_on(dir.path(), child), expected, "never two effects");
}
