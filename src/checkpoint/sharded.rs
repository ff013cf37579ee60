//! A model in shards: `model.safetensors.index.json` and what it names.
//!
//! Source: `transformers`' `save_pretrained`: `weight_map` gives each tensor's
//! shard, `metadata.total_size` the bytes of all tensors.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::facts::Facts;
use super::look::{Folder, Look};
use super::names;
use super::source::Fault;

/// The largest index that is read, in bytes.
const LARGEST_INDEX: u64 = 64 << 20;

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    metadata: Metadata,
    weight_map: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    total_size: Option<serde_json::Number>,
}

/// True for the name of an index.
pub(super) fn is_index(name: &str) -> bool {
    name.ends_with(".safetensors.index.json") || name.ends_with(".bin.index.json")
}

/// Checks an index and every shard that it names.
///
/// # Errors
/// Whatever is wrong with it or them.
pub(super) fn read(look: &Look, folder: &Folder, index: &str) -> Result<Facts, Fault> {
    let bytes = look.small(&folder.path.join(index), LARGEST_INDEX).map_err(|fault| fault.of(index))?;
    let parsed: Index = serde_json::from_slice(&bytes)
        .map_err(|e| Fault::Damaged(format!("{index}: it cannot be read: {e}")))?;
    let shards: BTreeSet<&String> = parsed.weight_map.values().collect();
    if shards.is_empty() {
        return Err(Fault::Damaged(format!("{index}: it names no shard")));
    }
    let mut bytes = 0;
    for shard in &shards {
        // A shard lies beside its index; a path would lead anywhere.
        let Some(entry) = folder.entries.get(*shard).filter(|_| !shard.contains('/')) else {
            let shown = crate::safety::one_line(shard, 120);
            return Err(Fault::Unfinished(format!("the shard {shown} is missing")));
        };
        look.member(entry)?;
        bytes += entry.size;
    }
    let total = parsed.metadata.total_size.as_ref().and_then(serde_json::Number::as_u64);
    if let Some(total) = total.filter(|total| *total > bytes) {
        return Err(Fault::Damaged(format!("its shards have {bytes} bytes, its index says {total}")));
    }
    all_of_one_count(&shards)?;
    Ok(Facts { optimizer: Some(false), ..Facts::default() })
}

/// `-of-00005` needs five of them.
fn all_of_one_count(shards: &BTreeSet<&String>) -> Result<(), Fault> {
    let places: Vec<(u32, u32)> = shards.iter().filter_map(|shard| names::shard(shard)).collect();
    match places.first() {
        Some((_, count)) if places.len() == shards.len() && places.len() as u64 != u64::from(*count) => {
            Err(Fault::Damaged(format!("its index names {} shards of {count}", places.len())))
        }
        _ => Ok(()),
    }
}
