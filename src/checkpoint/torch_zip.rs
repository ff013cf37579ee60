//! `torch.save` since 1.6: a zip archive of stored members.
//!
//! `PREFIX/data.pkl` is the pickle, `PREFIX/data/KEY` the bytes of one storage.
//! Source: `torch/serialization.py`, `caffe2/serialize/inline_container.cc`.

use std::collections::HashMap;

use super::facts::Facts;
use super::source::{Fault, Source};
use super::zip::{self, Member};
use super::{Depth, crc, pickle};

/// The largest `data.pkl` that is walked, in bytes.
const LARGEST_PICKLE: u64 = pickle::LONGEST;

/// Checks an archive, and takes from its pickle what the checkpoint is about.
///
/// # Errors
/// Whatever is wrong with it.
pub(super) fn read(source: &dyn Source, depth: Depth, threads: usize) -> Result<Facts, Fault> {
    let members = zip::members(source)?;
    let Some(data) = members.iter().find(|member| is_data(&member.name)) else {
        return Err(Fault::Unrecognised);
    };
    let prefix = data.name.trim_end_matches("data.pkl");
    let facts = walk(source, data, prefix, &members)?;
    if depth == Depth::Full {
        crc::check(source, &members, threads)?;
    }
    Ok(facts)
}

fn is_data(name: &str) -> bool {
    name == "data.pkl" || name.strip_suffix("/data.pkl").is_some_and(|prefix| !prefix.contains('/'))
}

/// Walks `data.pkl` and looks for each storage that it names.
fn walk(source: &dyn Source, data: &Member, prefix: &str, members: &[Member]) -> Result<Facts, Fault> {
    if data.method != 0 || data.size > LARGEST_PICKLE {
        // torch loads it all the same; only what it is about stays unknown.
        return Ok(Facts::default());
    }
    let start = zip::data_start(source, data, source.size())?;
    let bytes = source.bytes(start, data.size as usize)?;
    if zip::has_checksums(members) && crc32fast::hash(&bytes) != data.crc {
        return Err(crc::differs(&data.name));
    }
    let walked = pickle::walk(&bytes.as_slice(), 0)?;
    if walked.end != data.size {
        return Err(Fault::Damaged("bytes follow the pickle in data.pkl".to_owned()));
    }
    let sizes: HashMap<&str, u64> = members
        .iter()
        .filter_map(|member| Some((member.name.strip_prefix(prefix)?.strip_prefix("data/")?, member.size)))
        .collect();
    for storage in &walked.storages {
        let shown = crate::safety::one_line(&storage.key, 40);
        let Some(size) = sizes.get(storage.key.as_str()) else {
            return Err(Fault::Damaged(format!("the storage data/{shown} is missing")));
        };
        let wanted = storage.width.map(|width| width.checked_mul(storage.elements));
        if wanted.is_some_and(|wanted| wanted != Some(*size)) {
            return Err(Fault::Damaged(format!(
                "the storage data/{shown} has not the size that the pickle says"
            )));
        }
    }
    Ok(Facts::of(&walked))
}
