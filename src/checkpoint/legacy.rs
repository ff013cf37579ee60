//! `torch.save` before 1.6: five pickles, then the storages.
//!
//! In this order: the magic number, the protocol, facts about the system, the
//! object, the list of storage keys; then per key, as listed, eight bytes that
//! count its elements, and the elements. Source: `_legacy_save` in
//! `torch/serialization.py`. The sizes add up to the end of the file exactly.

use std::collections::HashMap;

use super::Depth;
use super::facts::Facts;
use super::pickle;
use super::source::{Fault, Source, u64_at};

/// 0x1950a86a20f9469cfc6c as a long of ten bytes.
const MAGIC: [u8; 12] = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The protocol that torch writes.
const PROTOCOL: i64 = 1001;

/// True for the beginning of such a file.
pub(super) fn is(head: &[u8]) -> bool {
    // From protocol 4 on, which may be asked for, a frame's length comes first.
    head.first() == Some(&0x80)
        && (head.get(2..14) == Some(&MAGIC)
            || (head.get(2) == Some(&0x95) && head.get(11..23) == Some(&MAGIC)))
}

/// Walks the pickles and adds the storages up.
///
/// # Errors
/// Whatever is wrong with it.
pub(super) fn read(source: &dyn Source, _: Depth) -> Result<Facts, Fault> {
    let magic = pickle::walk(source, 0)?;
    let protocol = pickle::walk(source, magic.end)?;
    if protocol.root != pickle::Value::Int(PROTOCOL) {
        return Err(Fault::Unreadable("it has another protocol than torch's 1001".to_owned()));
    }
    let system = pickle::walk(source, protocol.end)?;
    let object = pickle::walk(source, system.end)?;
    let keys = pickle::walk(source, object.end)?;
    let storages: HashMap<&str, &pickle::Storage> =
        object.storages.iter().map(|storage| (storage.key.as_str(), storage)).collect();
    if keys.list.len() != storages.len() {
        return Err(Fault::Damaged(format!(
            "it lists {} storages, and its object names {}",
            keys.list.len(),
            storages.len()
        )));
    }
    let mut at = keys.end;
    for (place, key) in keys.list.iter().enumerate() {
        let shown = crate::safety::one_line(key, 40);
        let Some(storage) = storages.get(&**key) else {
            return Err(Fault::Damaged(format!("its object does not name the storage {shown}")));
        };
        if source.size().saturating_sub(at) < 8 {
            return Err(cut_short(place, keys.list.len()));
        }
        let elements = u64_at(&source.bytes(at, 8)?, 0);
        if elements != storage.elements {
            return Err(Fault::Damaged(format!(
                "the storage {shown} has another count than the object says"
            )));
        }
        let Some(width) = storage.width else {
            return Err(Fault::Unreadable(format!(
                "the storage {shown} is of a type that is not known here"
            )));
        };
        let length = width.checked_mul(elements).and_then(|length| length.checked_add(8));
        match length.and_then(|length| at.checked_add(length)) {
            Some(next) if next <= source.size() => at = next,
            _ => return Err(cut_short(place, keys.list.len())),
        }
    }
    if at != source.size() {
        return Err(Fault::Damaged(format!("{} bytes follow its last storage", source.size() - at)));
    }
    Ok(Facts::of(&object))
}

fn cut_short(place: usize, all: usize) -> Fault {
    Fault::Damaged(format!("it is cut short in storage {} of {all}", place + 1))
}
