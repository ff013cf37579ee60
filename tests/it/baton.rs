//! The baton itself: of all who reach for it, one has it.

use std::fs;
use std::path::Path;
use std::sync::Barrier;

use handover::baton::{Baton, BatonError, Claimant, Kind, PassedOn};
use handover::sys::World;
use handover::terms::AnyKey;
use tempfile::TempDir;

fn key() -> AnyKey {
    "HO-20261121-0341-7f3a9c2e".parse().unwrap()
}

fn session(name: &str) -> Claimant {
    Claimant {
        agent: Some("claude-code".into()),
        session: Some(name.into()),
        worktree: "/home/ann/project".into(),
        host: "host1".into(),
        user: "ann".into(),
        slurm_job: None,
    }
}

fn at(place: &str) -> Claimant {
    Claimant { agent: None, session: None, worktree: place.into(), ..session("") }
}

struct Place {
    world: World,
    dir: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { world: World::real(), dir: tempfile::tempdir().unwrap() }
    }

    fn baton(&self) -> Baton<'_> {
        Baton::of(&self.world, self.dir.path(), &key())
    }

    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("batons").join(key().to_string())
    }
}

#[test]
fn the_same_session_takes_it_twice_and_another_is_refused() {
    let place = Place::new();
    assert_eq!(place.baton().holder().unwrap(), None);
    let first = place.baton().take(&session("a")).unwrap();
    assert!(!first.was_held);
    let again = place.baton().take(&session("a")).unwrap();
    assert!(again.was_held);
    assert_eq!(again.claim, first.claim);
    let Err(BatonError::Held { holder, .. }) = place.baton().take(&session("b")) else { panic!() };
    assert_eq!(*holder, first.claim);
    // Nobody who says no session is known to be the same as before.
    let other = Place::new();
    other.baton().take(&at("/home/ann/project")).unwrap();
    assert!(matches!(other.baton().take(&at("/home/ann/project")), Err(BatonError::Held { .. })));
}

#[test]
fn only_the_holder_or_who_saw_the_claim_lets_it_go() {
    let place = Place::new();
    let taken = place.baton().take(&session("a")).unwrap();
    assert!(matches!(place.baton().release(&session("b")), Err(BatonError::Held { .. })));
    assert!(matches!(place.baton().release(&at("/home/ann/project")), Err(BatonError::Held { .. })));
    assert!(matches!(place.baton().release_seen(&session("b"), "0"), Err(BatonError::Moved { .. })));
    place.baton().release_seen(&session("b"), &taken.claim.nonce).unwrap();
    assert!(matches!(place.baton().release(&session("a")), Err(BatonError::Free { .. })));
    place.baton().take(&session("b")).unwrap();
    let kinds: Vec<Kind> = place.baton().history().unwrap().iter().map(|claim| claim.kind).collect();
    assert_eq!(kinds, [Kind::Taken, Kind::Released, Kind::Taken]);
}

#[test]
fn the_next_document_ends_the_baton_of_its_maker_and_of_nobody_else() {
    let place = Place::new();
    let next = "HO-20261121-0441-00000001".parse().unwrap();
    assert_eq!(place.baton().pass_on(&session("a"), next).unwrap(), PassedOn::WasFree);
    place.baton().take(&session("a")).unwrap();
    assert!(matches!(place.baton().pass_on(&session("b"), next).unwrap(), PassedOn::HeldBy(_)));
    assert_eq!(place.baton().pass_on(&session("a"), next).unwrap(), PassedOn::Ended);
    assert_eq!(place.baton().holder().unwrap(), None);
    assert_eq!(place.baton().history().unwrap()[1].successor, Some(AnyKey::Proving(next)));
}

#[test]
fn a_claim_that_cannot_be_read_is_never_taken_for_none() {
    for bytes in [
        "",
        "{}",
        "{}\n",
        "{\"schema\":\"handover-claim/2\"}\n",
        "garbage\n",
        "\u{0}\n",
        "[[[[[[[[",
        "{\"schema\":\"handover-claim/1\",\"kind\":\"taken\"}\n",
    ] {
        let place = Place::new();
        fs::create_dir_all(place.folder()).unwrap();
        fs::write(place.folder().join("000001.json"), bytes).unwrap();
        let is_damaged = |error| matches!(error, BatonError::Damaged { .. });
        assert!(is_damaged(place.baton().holder().unwrap_err()), "{bytes:?}");
        assert!(is_damaged(place.baton().take(&session("a")).unwrap_err()), "{bytes:?}");
        assert!(is_damaged(place.baton().release(&session("a")).unwrap_err()), "{bytes:?}");
        assert!(is_damaged(place.baton().take_over(&session("a"), "x").unwrap_err()), "{bytes:?}");
    }
    let place = Place::new();
    place.baton().take(&session("a")).unwrap();
    let whole = fs::read(place.folder().join("000001.json")).unwrap();
    for cut in 0..whole.len() {
        let path = place.folder().join("000001.json");
        fs::remove_file(&path).unwrap();
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(matches!(place.baton().take(&session("b")), Err(BatonError::Damaged { .. })), "{cut}");
    }
}

/// How many of 32 that start at once get what they reach for.
fn race(home: &Path, reach: impl Fn(&Baton, Claimant) -> bool + Sync) -> usize {
    let barrier = Barrier::new(32);
    std::thread::scope(|threads| {
        let racers: Vec<_> = (0..32)
            .map(|number| {
                let (barrier, reach) = (&barrier, &reach);
                threads.spawn(move || {
                    let world = World::real();
                    let baton = Baton::of(&world, home, &key());
                    barrier.wait();
                    reach(&baton, session(&number.to_string()))
                })
            })
            .collect();
        racers.into_iter().map(|racer| usize::from(racer.join().unwrap())).sum()
    })
}

#[test]
fn of_many_who_reach_for_it_at_once_exactly_one_has_it() {
    let whole = std::env::var("HANDOVER_PROOFS").is_ok_and(|text| text == "full");
    for _ in 0..if whole { 1000 } else { 20 } {
        let place = Place::new();
        let home = place.dir.path();
        let taken = race(home, |baton, who| match baton.take(&who) {
            Ok(taken) => !taken.was_held,
            Err(BatonError::Held { .. } | BatonError::Moved { .. }) => false,
            Err(error) => panic!("{error}"),
        });
        assert_eq!(taken, 1);
        let seen = place.baton().holder().unwrap().unwrap();
        let taken = race(home, |baton, who| match baton.take_over(&who, &seen.nonce) {
            Ok(_) => true,
            Err(BatonError::Moved { .. }) => false,
            Err(error) => panic!("{error}"),
        });
        assert_eq!(taken, 1);
        let history = place.baton().history().unwrap();
        assert_eq!(history.len(), 2, "the old claim is kept");
        assert_eq!(history[1].over.as_deref(), Some(seen.nonce.as_str()));
    }
}
