//! The readers one by one, for whoever wants to try them on any bytes at all.

use super::facts::Facts;
use super::source::Fault;
use super::{Depth, legacy, torch_zip};
use super::{names, pickle, safetensors, tar};

/// Tries one reader on bytes; true if it finds nothing wrong.
pub type Try = fn(&[u8]) -> bool;

/// Every reader of a file, by the name of what it reads.
pub const READERS: [(&str, Try); 5] = [
    ("torch_zip", |bytes| sound(torch_zip::read(&bytes, Depth::Full, 1))),
    ("torch_legacy", |bytes| sound(legacy::read(&bytes, Depth::Full))),
    ("torch_tar", |bytes| sound(tar::read(&bytes, Depth::Full))),
    ("safetensors", |bytes| sound(safetensors::read(&bytes, Depth::Full))),
    ("pickle", |bytes| sound(pickle::walk(&bytes, 0).map(|walked| Facts::of(&walked)))),
];

fn sound(found: Result<Facts, Fault>) -> bool {
    found.is_ok()
}

/// What a name says: step, epoch, place and count of a shard.
pub type Said = (Option<u64>, Option<f64>, Option<(u32, u32)>);

/// Reads a name.
pub fn name(name: &str) -> Said {
    let _ =
        (names::is_temporary_checkpoint(name), names::is_checkpoint_file(name), names::is_step_folder(name));
    (names::step(name).or_else(|| names::number(name)), names::epoch(name), names::shard(name))
}
