//! What a name says: temporary, the step, the epoch, whether it is a checkpoint.

use std::sync::LazyLock;

use regex::Regex;

/// Words at the end of a name under which programs write before they rename.
const UNFINISHED: [&str; 7] = ["tmp", "temp", "part", "partial", "incomplete", "saving", "writing"];

/// Endings of checkpoint files.
const ENDINGS: [&str; 8] =
    [".pt", ".pth", ".ckpt", ".safetensors", ".pth.tar", ".pt.tar", ".ckpt.tar", ".checkpoint"];

/// Folders that hold the checkpoints of one run, which is the folder above.
const HOLDERS: [&str; 14] = [
    "checkpoints",
    "checkpoint",
    "ckpts",
    "ckpt",
    "weights",
    "models",
    "model",
    "saved_models",
    "snapshots",
    "states",
    "saves",
    "save",
    "training_checkpoints",
    "model_checkpoints",
];

fn regex(pattern: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "the patterns are constants")]
    Regex::new(pattern).expect("a pattern of this file")
}

/// True for a name under which a checkpoint is being written, or was when its
/// writer died.
pub(super) fn is_temporary(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let starts = ["tmp-", "tmp_", "temp-", "temp_", ".tmp", ".temp", "._"];
    if starts.iter().any(|start| name.starts_with(start)) || name.contains("orbax-checkpoint-tmp") {
        return true;
    }
    let word = |word: &str| {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        UNFINISHED.contains(&letters)
    };
    // After a dot anywhere (`x.tmp.pt`, `x.pt.part`), else the last word of all.
    name.split('.').skip(1).flat_map(|part| part.split(['-', '_']).next()).any(word)
        || name.rsplit(['-', '_', '.']).next().is_some_and(|last| word(last) && last != "part")
            && name.contains(['-', '_', '.'])
}

/// True for a file name that checkpoints have.
pub(super) fn is_checkpoint_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if name.starts_with('.') {
        return false;
    }
    ENDINGS.iter().any(|ending| name.ends_with(ending))
        || (name.ends_with(".bin")
            && ["model", "optimizer", "ckpt", "checkpoint"].iter().any(|word| name.contains(word)))
        || ((name.ends_with(".pkl") || name.ends_with(".tar"))
            && (name.contains("ckpt") || name.contains("checkpoint")))
        || (HOLDERS.contains(&name.as_str()) && (name.starts_with("ck") || name.starts_with("checkpoint")))
}

/// True for a temporary name that would be a checkpoint's without its mark.
pub(super) fn is_temporary_checkpoint(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    is_temporary(name)
        && (["ckpt", "checkpoint", "step", "iter", "epoch"].iter().any(|word| lower.contains(word))
            || ENDINGS.iter().any(|ending| lower.contains(ending)))
}

/// True for a folder that holds the checkpoints of the run above it.
pub(super) fn is_holder(name: &str) -> bool {
    HOLDERS.contains(&name.to_ascii_lowercase().as_str())
}

/// True for a file that by its name is more than just any tensors.
pub(super) fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["ckpt", "checkpoint", "model", "last", "latest", "best", "final", "state", "weights", "snapshot"]
        .iter()
        .any(|word| name.contains(word))
}

/// The step that a name carries by a word for it: `step=1200`, `iter_0001000`.
pub(super) fn step(name: &str) -> Option<u64> {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:^|[^a-z])(?:global[_-]?steps?|steps?|iter(?:ation)?s?|updates?|batch)[=_-]?(\d{1,15})([km]?)(?:[^a-z0-9]|$)",
        )
    });
    static COUNTED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:^|[^0-9.])(\d{1,15})([km]?)[_-]?(?:steps?|iters?|updates?)(?:[^a-z]|$)"));
    let name = name.to_ascii_lowercase();
    scaled(&[&NAMED, &COUNTED].into_iter().find_map(|pattern| pattern.captures(&name))?)
}

/// The number that a name carries without a word for what it counts: a step
/// more often than not, `checkpoint-500`, `ckpt_12.pt`.
pub(super) fn number(name: &str) -> Option<u64> {
    static BARE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:checkpoint|ckpt|model|state|weights|snapshot|net|save|training_state)?[=_-]?(\d{1,15})([km]?)(?:\.[a-z.]+)?$",
        )
    });
    scaled(&BARE.captures(&name.to_ascii_lowercase())?)
}

/// The number of a match, with the unit after it.
fn scaled(found: &regex::Captures) -> Option<u64> {
    let unit = match found.get(2).map_or("", |unit| unit.as_str()) {
        "k" => 1_000,
        "m" => 1_000_000,
        _ => 1,
    };
    found.get(1)?.as_str().parse::<u64>().ok()?.checked_mul(unit)
}

/// The epoch that a name carries.
pub(super) fn epoch(name: &str) -> Option<f64> {
    static NAMED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:^|[^a-z])(?:epochs?|ep)[=_-]?(\d{1,9}(?:\.\d{1,6})?)(?:[^a-z0-9]|$)"));
    NAMED.captures(&name.to_ascii_lowercase())?.get(1)?.as_str().parse().ok()
}

/// True for a folder that is named after a step or an epoch and nothing else.
pub(super) fn is_step_folder(name: &str) -> bool {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:global_?step|step|iter(?:ation)?|checkpoint|ckpt|epoch)[=_-]?\d{1,15}(?:[-_](?:global_?step|step|epoch)[=_-]?\d{1,15})?$",
        )
    });
    NAMED.is_match(&name.to_ascii_lowercase())
}

/// The number of a Trainer's folder, `checkpoint-500`.
pub(super) fn trainer_step(name: &str) -> Option<u64> {
    name.strip_prefix("checkpoint-").filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

/// Place and count of a shard: `model-00002-of-00005.safetensors` is (2, 5).
pub(super) fn shard(name: &str) -> Option<(u32, u32)> {
    static SHARD: LazyLock<Regex> = LazyLock::new(|| regex(r"-(\d{5,6})-of-(\d{5,6})\.(?:safetensors|bin)$"));
    let found = SHARD.captures(name)?;
    Some((found.get(1)?.as_str().parse().ok()?, found.get(2)?.as_str().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_under_which_something_is_written_are_temporary() {
        for name in [
            "tmp-checkpoint-500",
            "last.ckpt.tmp",
            "model.tmp.pt",
            "step_100.pt.part",
            "x.ckpt.tmp-1a2b",
            "100.orbax-checkpoint-tmp-1732190000",
            "checkpoint-500.tmp",
            "checkpoint_tmp",
            ".tmp_ckpt.pt",
            "model.safetensors.incomplete",
            "last.pt.tmp7",
        ] {
            assert!(is_temporary(name), "{name}");
        }
        for name in
            ["last.ckpt", "checkpoint-500", "part.pt", "model-part-3.pt", "temperature.pt", "template_1.ckpt"]
        {
            assert!(!is_temporary(name), "{name}");
        }
    }

    #[test]
    fn steps_and_epochs_are_read_from_names() {
        let steps = [
            ("epoch=3-step=1200.ckpt", Some(1200)),
            ("epoch=3-step=1200-val_loss=0.31.ckpt", Some(1200)),
            ("global_step400", Some(400)),
            ("iter_0001000", Some(1000)),
            ("checkpoint-500", Some(500)),
            ("ckpt_00012.pt", Some(12)),
            ("model_step_100k.pt", Some(100_000)),
            ("100_steps.pt", Some(100)),
            ("750.pt", Some(750)),
            ("last.ckpt", None),
            ("last-v1.ckpt", None),
            ("epoch_10.pt", None),
            ("resnet50.pth", None),
            ("epoch=3-val_loss=0.31.ckpt", None),
        ];
        for (name, wanted) in steps {
            assert_eq!(step(name).or_else(|| number(name)), wanted, "{name}");
        }
        assert_eq!(epoch("epoch=3-step=1200.ckpt"), Some(3.0));
        assert_eq!(epoch("model_ep12.pt"), Some(12.0));
        assert_eq!(epoch("keep3.pt"), None);
        assert_eq!(shard("model-00002-of-00005.safetensors"), Some((2, 5)));
        assert_eq!(trainer_step("checkpoint-500"), Some(500));
        assert_eq!(trainer_step("checkpoint-"), None);
    }
}
