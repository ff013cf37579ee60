//! Which of several is resumed from.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::make::{self, Made};
use super::{fixture, word};
use crate::checkpoint::{Depth, Limits, Survey, runs, survey};
use crate::terms::Time;

/// A file that was written so many seconds after the first.
fn put(dir: &Path, name: &str, bytes: &[u8], after: u64) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000 + after);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

fn look(dir: &Path) -> Survey {
    survey(dir, Depth::Structure, &Limits::default())
}

fn best(survey: &Survey) -> String {
    let path =
        survey.best.as_ref().map(|best| best.path.strip_prefix(&survey.dir).unwrap().display().to_string());
    path.unwrap_or_default()
}

#[test]
fn a_run_that_lightning_started_again_is_resumed_from_its_highest_step() {
    let found = look(&fixture("lightning-2.5"));
    assert_eq!(best(&found), "epoch=2-step=12.ckpt");
    assert_eq!(found.refused, []);
}

#[test]
fn a_lower_step_that_is_newer_is_pointed_out() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "epoch=9-step=900.ckpt", &Made::lightning(900).zip(), 0);
    put(dir.path(), "last-v1.ckpt", &Made::lightning(50).zip(), 5000);
    let found = look(dir.path());
    assert_eq!(best(&found), "epoch=9-step=900.ckpt");
    assert_eq!(found.newer_but_lower.as_deref(), Some(dir.path().join("last-v1.ckpt").as_path()));
}

#[test]
fn a_last_that_is_farther_than_the_named_ones_wins_by_its_own_data() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "epoch=9-step=900.ckpt", &Made::lightning(900).zip(), 0);
    put(dir.path(), "last.ckpt", &Made::lightning(950).zip(), 10);
    assert_eq!(best(&look(dir.path())), "last.ckpt");
    // Of one step the named one, which nobody overwrites.
    put(dir.path(), "last.ckpt", &Made::lightning(900).zip(), 10);
    assert_eq!(best(&look(dir.path())), "epoch=9-step=900.ckpt");
}

#[test]
fn the_newest_file_is_not_the_best_one() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "step_300.pt", &Made::at(300).zip(), 0);
    put(dir.path(), "step_200.pt", &Made::at(200).zip(), 10);
    put(dir.path(), "best.pt", &Made::at(150).zip(), 20);
    let whole = Made::at(400).zip();
    put(dir.path(), "step_400.pt", &whole[..100], 5);
    put(dir.path(), "step_100.pt", &whole[..100], 5);
    put(dir.path(), "broken.pt", &whole[..100], 30);
    put(dir.path(), "old.pt", &whole[..100], 0);
    let found = look(dir.path());
    assert_eq!(best(&found), "step_300.pt");
    let refused: Vec<_> =
        found.refused.iter().map(|c| c.path.file_name().unwrap().to_str().unwrap()).collect();
    // The lower ones matter to nobody; of unknown step what is newer, or as new.
    assert_eq!(refused, ["step_400.pt", "broken.pt", "old.pt"]);
}

#[test]
fn data_sets_and_bare_weights_are_no_place_to_resume_from() {
    let dir = tempfile::tempdir().unwrap();
    let tensors = make::safetensors(&[("x", vec![1; 400])]);
    put(dir.path(), "train_features.safetensors", &tensors, 10);
    let found = look(dir.path());
    assert_eq!((found.best, found.all.len()), (None, 1));
    put(dir.path(), "model.safetensors", &tensors, 0);
    assert_eq!(best(&look(dir.path())), "model.safetensors");
    put(dir.path(), "step_5.pt", &Made::at(5).zip(), 0);
    assert_eq!(best(&look(dir.path())), "step_5.pt");
}

#[test]
fn steps_that_begin_anew_with_each_epoch_are_ordered_by_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let made = |epoch, step| Made { epoch, ..Made::at(step) }.zip();
    put(dir.path(), "epoch_1.pt", &made(1, 900), 0);
    put(dir.path(), "epoch_2.pt", &made(2, 30), 10);
    assert_eq!(best(&look(dir.path())), "epoch_2.pt");
    // Lightning counts over the whole run: there the step is what counts.
    let dir = tempfile::tempdir().unwrap();
    let made = |epoch, step| Made { epoch, ..Made::lightning(step) }.zip();
    put(dir.path(), "a.ckpt", &made(1, 900), 0);
    put(dir.path(), "b.ckpt", &made(2, 30), 10);
    assert_eq!(best(&look(dir.path())), "a.ckpt");
}

#[test]
fn reading_everything_goes_down_to_the_first_that_is_sound() {
    let dir = tempfile::tempdir().unwrap();
    for step in [100, 200, 300, 400] {
        let mut bytes = Made::at(step).zip();
        if step > 200 {
            let data =
                bytes.windows(8).position(|window| window == &Made::at(step).storages[0][..8]).unwrap();
            bytes[data + 100] ^= 1;
        }
        put(dir.path(), &format!("step_{step}.pt"), &bytes, step);
    }
    assert_eq!(best(&look(dir.path())), "step_400.pt");
    let full = survey(dir.path(), Depth::Full, &Limits::default());
    assert_eq!(best(&full), "step_200.pt");
    let refused: Vec<_> = full.refused.iter().map(|c| (c.step, word(&c.verdict))).collect();
    assert_eq!(refused, [(Some(400), "damaged"), (Some(300), "damaged")]);
    let first = full.all.iter().find(|c| c.step == Some(100)).unwrap();
    assert_eq!(first.verdict, crate::checkpoint::Verdict::Sound { depth: Depth::Structure });
}

#[test]
fn nothing_is_resumed_from_under_a_temporary_name() {
    let file = Made::at(900).zip();
    for name in
        ["step_900.pt.tmp", "step_900.tmp.pt", "tmp-step_900.pt", ".tmp_step_900.pt", "step_900.pt.part"]
    {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), name, &file, 0);
        let found = look(dir.path());
        let refused: Vec<_> = found.refused.iter().map(|c| word(&c.verdict)).collect();
        assert_eq!((found.best, refused), (None, vec!["temporary"]), "{name}");
        // Beside a lower one that is whole, too; and by reading everything.
        put(dir.path(), "step_5.pt", &Made::at(5).zip(), 0);
        assert_eq!(best(&look(dir.path())), "step_5.pt", "{name}");
        let full = survey(dir.path(), Depth::Full, &Limits::default());
        assert_eq!(best(&full), "step_5.pt", "{name}");
    }
    let make: [fn(&Path) -> std::path::PathBuf; 3] = [
        |run| make::hf_trainer(run, 900),
        |run| make::deepspeed(run, 900, 2),
        |run| make::megatron(run, 900),
    ];
    for make in make {
        for name in ["tmp-checkpoint-900", "checkpoint-900.tmp", "tmp-global_step900", "iter_0000900.tmp"] {
            let dir = tempfile::tempdir().unwrap();
            let whole = make(dir.path());
            fs::rename(&whole, dir.path().join(name)).unwrap();
            let found = look(dir.path());
            assert_eq!(found.best, None, "{name}");
            assert!(found.refused.iter().any(|c| word(&c.verdict) == "temporary"), "{name}: {found:?}");
        }
    }
}

#[test]
fn what_is_being_written_is_said() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "step_1.pt", &Made::at(1).zip(), 0);
    let at = |unix| {
        let limits = Limits { now: Time::from_unix(unix), ..Limits::default() };
        survey(dir.path(), Depth::Structure, &limits).best.unwrap().being_written
    };
    assert!(at(1_795_000_030));
    assert!(!at(1_795_000_090));
}

#[test]
fn a_folder_of_runs_is_one_survey_for_each() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a/checkpoints/step_1.pt", &Made::at(1).zip(), 0);
    put(dir.path(), "a/step_2.pt", &Made::at(2).zip(), 0);
    make::hf_trainer(&dir.path().join("b"), 500);
    put(
        dir.path(),
        "c/lightning_logs/version_0/checkpoints/epoch=0-step=4.ckpt",
        &Made::lightning(4).zip(),
        0,
    );
    put(dir.path(), "d/notes.txt", b"", 0);
    let found = runs(dir.path(), Depth::Structure, &Limits::default(), &|_| true);
    let found: Vec<_> = found
        .iter()
        .map(|run| {
            (run.dir.strip_prefix(dir.path()).unwrap().display().to_string(), run.best.as_ref().unwrap().step)
        })
        .collect();
    let wanted = [("a", 2), ("b", 500), ("c/lightning_logs/version_0", 4)];
    assert_eq!(found, wanted.map(|(dir, step)| (dir.to_owned(), Some(step))));
}
