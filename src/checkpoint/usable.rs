//! Weights that are whole in a checkpoint that is not.

use std::fs;
use std::path::Path;

use super::look::{Folder, Look};
use super::{Depth, Limits, names, sharded, weights};

/// So far below a folder weights are looked for.
const DEEPEST: usize = 3;

/// Words in the names of what a run needs beside its weights, and of parts of them.
const NO_WEIGHTS: [&str; 11] = [
    "optim",
    "sched",
    "rng",
    "random_state",
    "scaler",
    "training_args",
    "trainer_state",
    "sampler",
    "dataloader",
    "zero_pp_rank",
    ".distcp",
];

/// True if a file is whole whatever its name, or if some file below a folder
/// holds whole weights, whatever is wrong with the others: by the structure.
/// Parts of weights do not count.
pub fn holds_weights(path: &Path, limits: &Limits) -> bool {
    let root = path.parent().unwrap_or(path);
    let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    let look = Look { root, depth: Depth::Structure, limits };
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => in_folder(&look, path, DEEPEST),
        Ok(meta) if meta.is_file() => is_whole(&look, path),
        _ => false,
    }
}

fn in_folder(look: &Look, path: &Path, deepest: usize) -> bool {
    let Ok(folder) = look.folder(path) else { return false };
    weights::check(look, &folder).is_ok_and(|forms| forms > 0)
        || has_whole_file(look, &folder)
        || deepest > 0 && folder.folders().any(|entry| in_folder(look, &entry.path, deepest - 1))
}

fn has_whole_file(look: &Look, folder: &Folder) -> bool {
    folder.files().any(|entry| {
        let name = entry.name.to_ascii_lowercase();
        let is_part = names::shard(&name).is_some() || sharded::is_index(&name);
        let may_be = !is_part && !NO_WEIGHTS.iter().any(|word| name.contains(word));
        may_be && is_whole(look, &entry.path)
    })
}

fn is_whole(look: &Look, path: &Path) -> bool {
    look.file(path).found.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of tensors with one of four floats.
    fn tensors() -> Vec<u8> {
        let header = br#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
        [&(header.len() as u64).to_le_bytes()[..], header, &[1; 16]].concat()
    }

    #[test]
    fn weights_are_found_beside_what_is_damaged_and_parts_of_them_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let holds = |files: &[(&str, &[u8])]| {
            let run = tempfile::tempdir_in(dir.path()).unwrap().keep();
            for (name, bytes) in files {
                let path = run.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
            holds_weights(&run, &Limits::default())
        };
        let whole = tensors();
        let cut = &whole[..40];
        assert!(holds(&[("model.safetensors", &whole), ("scheduler.pt", cut)]));
        assert!(holds(&[("unet/model.safetensors", &whole), ("optimizer.bin", b"")]));
        assert!(!holds(&[("model.safetensors", cut), ("optimizer.safetensors", &whole)]));
        assert!(!holds(&[("model-00001-of-00002.safetensors", &whole)]));
        assert!(!holds(&[("notes.txt", b"whole")]) && !holds(&[]));
        let file = dir.path().join("step_700.safetensors.tmp");
        fs::write(&file, &whole).unwrap();
        assert!(holds_weights(&file, &Limits::default()));
        fs::write(&file, cut).unwrap();
        assert!(!holds_weights(&file, &Limits::default()));
    }
}
