//! Checkpoints that the frameworks wrote (`tests/fixtures/checkpoints`), and
//! ones that are made byte by byte, whole and broken.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

#[path = "../../../tests/it/support/checkpoints.rs"]
pub(super) mod make;

mod broken;
mod layout;

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints").join(name)
}

/// Format, step, epoch, optimizer.
type Said = (Format, Option<u64>, Option<f64>, Option<bool>);

#[test]
fn what_torch_and_orbax_wrote_is_sound_and_says_its_step() {
    let cases: [(&str, Said); 22] = [
        ("torch-2.5/step_1200.pt", (Format::TorchZip, Some(1200), Some(3.0), Some(true))),
        ("torch-2.5/proto4.pt", (Format::TorchZip, Some(1200), Some(3.0), Some(true))),
        ("torch-2.5/weights.pth", (Format::TorchZip, None, None, Some(false))),
        ("torch-2.5/dtypes.pt", (Format::TorchZip, None, None, Some(false))),
        ("torch-2.5/script.pt", (Format::TorchZip, None, None, None)),
        ("torch-2.5/legacy_1200.pt", (Format::TorchLegacy, Some(1200), Some(3.0), Some(true))),
        ("torch-2.5/proto4_legacy.pt", (Format::TorchLegacy, Some(1200), Some(3.0), Some(true))),
        ("torch-2.5/dtypes_legacy.pt", (Format::TorchLegacy, None, None, Some(false))),
        ("torch-2.5/model.safetensors", (Format::Safetensors, None, None, Some(false))),
        ("torch-2.5/dcp", (Format::Dcp, None, None, Some(true))),
        ("torch-2.9/step_1200.pt", (Format::TorchZip, Some(1200), Some(3.0), Some(true))),
        // Written with `set_crc32_options(False)`: each checksum is 0.
        ("torch-2.9/nocrc_1200.pt", (Format::TorchZip, Some(1200), Some(3.0), Some(true))),
        ("torch-2.9/legacy_1200.pt", (Format::TorchLegacy, Some(1200), Some(3.0), Some(true))),
        ("torch-2.9/dcp", (Format::Dcp, None, None, Some(true))),
        ("lightning-2.5/epoch=0-step=4-v1.ckpt", (Format::Lightning, Some(4), Some(0.0), Some(true))),
        ("lightning-2.5/epoch=2-step=12.ckpt", (Format::Lightning, Some(12), Some(2.0), Some(true))),
        ("lightning-2.5/last.ckpt", (Format::Lightning, Some(12), Some(2.0), Some(true))),
        ("lightning-2.5/last-v1.ckpt", (Format::Lightning, Some(4), Some(0.0), Some(true))),
        ("transformers-4.48/checkpoint-4", (Format::HfTrainer, Some(4), Some(1.0), Some(true))),
        ("accelerate-1.3/checkpoint_0", (Format::Accelerate, Some(0), None, Some(true))),
        ("orbax-0.12/10", (Format::Orbax, Some(10), None, None)),
        ("orbax-0.12/20", (Format::Orbax, Some(20), None, None)),
    ];
    for depth in [Depth::Structure, Depth::Full] {
        for (name, wanted) in &cases {
            let seen = check(&fixture(name), depth, &Limits::default());
            // TorchScript compresses its code, and nothing here inflates.
            if depth == Depth::Full && name.ends_with("script.pt") {
                assert_eq!(word(&seen.verdict), "unreadable");
                continue;
            }
            assert_eq!(seen.verdict, Verdict::Sound { depth }, "{name}");
            assert_eq!((seen.format, seen.step, seen.epoch, seen.optimizer), *wanted, "{name}");
        }
    }
}

/// The word of a verdict.
pub(super) fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Sound { .. } => "sound",
        Verdict::Damaged { .. } => "damaged",
        Verdict::Unfinished { .. } => "unfinished",
        Verdict::Temporary => "temporary",
        Verdict::Unreadable { .. } => "unreadable",
        Verdict::Unrecognised => "unrecognised",
        Verdict::Unnameable => "unnameable",
    }
}

#[test]
fn no_cut_of_a_file_is_sound() {
    for name in ["step_1200.pt", "dtypes.pt", "legacy_1200.pt", "proto4_legacy.pt", "model.safetensors"] {
        let whole = fs::read(fixture(&format!("torch-2.5/{name}"))).unwrap();
        for length in 0..whole.len() {
            let (_, verdict) = check_bytes(name, &whole[..length], Depth::Structure);
            assert!(!verdict.is_sound(), "{name} cut to {length} bytes");
            // The same size, but the rest never arrived.
            let mut nul = whole.clone();
            nul[length..].fill(0);
            if nul != whole && name != "model.safetensors" && !name.contains("legacy") {
                let (_, verdict) = check_bytes(name, &nul, Depth::Structure);
                assert!(!verdict.is_sound(), "{name} NUL from byte {length}");
            }
        }
    }
}

#[test]
fn the_highest_sound_step_is_best_and_the_newer_ones_say_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    put("epoch=1-step=100.ckpt", &make::Made::lightning(100).zip());
    put("epoch=2-step=200.ckpt", &make::Made::lightning(200).zip());
    let cut = make::Made::lightning(300).zip();
    put("epoch=3-step=300.ckpt", &cut[..cut.len() / 2]);
    put("last.ckpt.tmp", &cut);
    // Started again from the beginning: newer, and not as far.
    put("last-v1.ckpt", &make::Made::lightning(7).zip());
    let survey = survey(dir.path(), Depth::Structure, &Limits::default());
    let best = survey.best.as_ref().unwrap();
    assert_eq!((best.step, best.format), (Some(200), Format::Lightning));
    let refused: Vec<_> = survey
        .refused
        .iter()
        .map(|c| (c.path.file_name().unwrap().to_str().unwrap(), c.step, word(&c.verdict)))
        .collect();
    assert_eq!(refused[0], ("epoch=3-step=300.ckpt", Some(300), "damaged"));
    assert_eq!(refused[1], ("last.ckpt.tmp", None, "temporary"));
    assert_eq!(refused.len(), 2);
    assert_eq!(survey.all.len(), 5);
}
