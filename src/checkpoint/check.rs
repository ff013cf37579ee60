use std::fs;
use std::path::Path;

use super::facts::Facts;
use super::look::{self, Folder, Look, Seen};
use super::source::{Fault, unreadable};
use super::walk::{self, Unit, What};
use super::{
    Checkpoint, Depth, Format, Limits, Verdict, accelerate, dcp, deepspeed, hf_trainer, lightning, megatron,
    names, orbax, sharded,
};
use crate::terms::Time;

/// Written so many seconds ago or less is being written.
const JUST_NOW: u64 = 60;

/// Checks one checkpoint: a file, or a folder that is loaded as one.
///
/// Links are followed as far as they stay within the folder that holds it.
pub fn check(path: &Path, depth: Depth, limits: &Limits) -> Checkpoint {
    let root = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    let look = Look { root, depth, limits };
    unit(&look, &walk::unit_at(path, limits))
}

/// Checks bytes as if they were the file of that name; gives the format too.
/// For readers of files that are not on a disk, such as tests.
pub fn check_bytes(name: &str, bytes: &[u8], depth: Depth) -> (Format, Verdict) {
    let seen = look::read(name, &bytes, depth, 1);
    (seen.format, verdict(seen.found.err(), depth))
}

/// Checks what a walk has found.
pub(super) fn unit(look: &Look, unit: &Unit) -> Checkpoint {
    let name = unit.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let seen = match &unit.what {
        What::Temporary => Seen { format: Format::Unknown, found: Ok(Facts::default()) },
        What::File => look.file(&unit.path),
        What::Index => index(look, &unit.path, &name),
        What::Shards => Seen {
            format: Format::ShardedHf,
            found: Err(Fault::Unfinished("there are shards, and no index that names them".to_owned())),
        },
        What::Folder(format) => folder(look, &unit.path, *format),
        What::Nothing(why) => Seen { format: Format::Unknown, found: Err(why.clone()) },
    };
    let verdict = match (&unit.what, &seen.found) {
        (What::Temporary, _) => Verdict::Temporary,
        (_, found) => verdict(found.as_ref().err().cloned(), look.depth),
    };
    let facts = seen.found.unwrap_or_default();
    Checkpoint {
        path: unit.path.clone(),
        format: seen.format,
        step: step(&name, seen.format, &facts),
        epoch: facts.epoch.or_else(|| names::epoch(&name)),
        optimizer: facts.optimizer,
        bytes: unit.bytes,
        modified: unit.modified,
        being_written: being_written(unit.modified, look.limits.now),
        verdict,
    }
}

/// A name that says *step* is believed before the data of a file that anybody
/// may have written; Lightning's own count is believed before its names.
fn step(name: &str, format: Format, facts: &Facts) -> Option<u64> {
    let bare = || names::number(name);
    match format {
        Format::Lightning => facts.step.or_else(|| names::step(name)),
        Format::DeepSpeed => deepspeed::tag_step(name).or(facts.step),
        _ => names::step(name).or(facts.step).or_else(bare),
    }
}

fn being_written(modified: Option<Time>, now: Option<Time>) -> bool {
    match (modified, now) {
        (Some(modified), Some(now)) => modified.age(now).0 <= JUST_NOW,
        _ => false,
    }
}

fn index(look: &Look, path: &Path, name: &str) -> Seen {
    let parent = path.parent().unwrap_or(Path::new("."));
    let found = look.folder(parent).and_then(|folder| sharded::read(look, &folder, name));
    Seen { format: Format::ShardedHf, found }
}

fn folder(look: &Look, path: &Path, format: Format) -> Seen {
    let found = look.folder(path).and_then(|folder| match format {
        Format::HfTrainer => hf_trainer::read(look, &folder),
        Format::Accelerate | Format::Folder => accelerate::read(look, &folder),
        Format::Lightning => lightning::read(look, &folder),
        Format::DeepSpeed => deepspeed::read(look, &folder),
        Format::Dcp => dcp::read(look, &folder),
        Format::Megatron => megatron::read(look, &folder),
        Format::Orbax => orbax::read(look, &folder),
        _ => Err(Fault::Unrecognised),
    });
    Seen { format, found }
}

/// How a format's folders are recognised.
type Recognised = (fn(&Folder) -> bool, Format);

/// What a folder is, by its name and by what it holds.
pub(super) fn folder_format(folder: &Folder) -> Option<Format> {
    // The most telling first: a Trainer's folder may hold DeepSpeed's or DCP's.
    let formats: [Recognised; 8] = [
        (megatron::is, Format::Megatron),
        (accelerate::is, Format::Accelerate),
        (hf_trainer::is, Format::HfTrainer),
        (lightning::is, Format::Lightning),
        (deepspeed::is, Format::DeepSpeed),
        (dcp::is, Format::Dcp),
        (orbax::is, Format::Orbax),
        (accelerate::is_plain, Format::Folder),
    ];
    formats.into_iter().find(|(is, _)| is(folder)).map(|(_, format)| format)
}

fn verdict(fault: Option<Fault>, depth: Depth) -> Verdict {
    match fault {
        None => Verdict::Sound { depth },
        Some(Fault::Damaged(why)) => Verdict::Damaged { why },
        Some(Fault::Unfinished(why)) => Verdict::Unfinished { why },
        Some(Fault::Unreadable(why)) => Verdict::Unreadable { why },
        Some(Fault::Unrecognised) => Verdict::Unrecognised,
    }
}

/// A path that is not there, or that cannot be listed.
pub(super) fn nothing(error: &std::io::Error) -> What {
    What::Nothing(unreadable(error))
}
