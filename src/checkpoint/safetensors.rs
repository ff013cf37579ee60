//! safetensors: eight bytes of length, a JSON header, then the tensors.
//!
//! Source: the format's README and the checks of its own reader: offsets from
//! 0, no holes, the last one at the end of the file, and each span as long as
//! type and shape say. There are no checksums in it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Depth;
use super::facts::Facts;
use super::source::{Fault, Source, is_all_nul, u64_at};

/// The largest header, as in the format's own reader.
const LARGEST_HEADER: u64 = 100_000_000;
/// How much of the end is looked at for NUL.
const TAIL: u64 = 64 * 1024;
/// How much is read at once.
const BLOCK: usize = 1 << 20;

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    _metadata: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Tensor>,
}

/// Checks the header, and that the data are there.
///
/// # Errors
/// Whatever is wrong with it.
pub(super) fn read(source: &dyn Source, depth: Depth) -> Result<Facts, Fault> {
    let size = source.size();
    if size < 8 {
        return Err(Fault::Damaged(format!(
            "it has {size} bytes, which is less than a header's length takes"
        )));
    }
    let length = u64_at(&source.bytes(0, 8)?, 0);
    if length == 0 && is_all_nul(&source.bytes(0, size.min(TAIL) as usize)?) {
        return Err(Fault::Damaged("it begins with nothing but NUL".to_owned()));
    }
    if length > LARGEST_HEADER {
        return Err(Fault::Damaged(format!("it says that its header has {length} bytes")));
    }
    if length > size - 8 {
        return Err(Fault::Damaged("it is cut short within its header".to_owned()));
    }
    let header = source.bytes(8, length as usize)?;
    let header: Header = serde_json::from_slice(&header)
        .map_err(|e| Fault::Damaged(format!("its header cannot be read: {e}")))?;
    let mut tensors: Vec<(&String, &Tensor)> = header.tensors.iter().collect();
    tensors.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let end = check_spans(&tensors)?;
    let data = size - 8 - length;
    if data < end {
        return Err(Fault::Damaged(format!("it is cut short: {} of {end} bytes of data are there", data)));
    }
    if data > end {
        return Err(Fault::Damaged(format!("{} bytes follow its last tensor", data - end)));
    }
    if let Some((name, last)) = tensors.iter().rev().find(|(_, t)| t.data_offsets[1] > t.data_offsets[0]) {
        let span = last.data_offsets.map(|at| at + 8 + length);
        check_tail(source, name, span)?;
    }
    if depth == Depth::Full {
        read_all(source)?;
    }
    // Tensors alone: no optimizer by convention, but nothing forbids one.
    let optimizer = tensors.iter().any(|(name, _)| name.contains("optimizer") || name.contains("exp_avg"));
    Ok(Facts { optimizer: Some(optimizer), ..Facts::default() })
}

/// Without holes, and each as long as it should be; gives where the last ends.
fn check_spans(tensors: &[(&String, &Tensor)]) -> Result<u64, Fault> {
    let mut end = 0;
    for (name, tensor) in tensors {
        let shown = crate::safety::one_line(name, 80);
        let [from, to] = tensor.data_offsets;
        if from != end || to < from {
            return Err(Fault::Damaged(format!(
                "the tensor {shown} does not begin where the one before ends"
            )));
        }
        if let Some(bits) = bits(&tensor.dtype) {
            let wanted = tensor.shape.iter().try_fold(bits, |product: u64, side| product.checked_mul(*side));
            if wanted.is_none_or(|wanted| wanted.div_ceil(8) != to - from) {
                return Err(Fault::Damaged(format!("the tensor {shown} is not as long as its shape says")));
            }
        }
        end = to;
    }
    Ok(end)
}

/// A file of the right size whose data never arrived ends with NUL. A tensor
/// may do that too, so the last one is looked at in three places.
fn check_tail(source: &dyn Source, name: &str, [from, to]: [u64; 2]) -> Result<(), Fault> {
    let size = source.size();
    let window = size.min(TAIL);
    if to - from < 4096 && window < TAIL || !is_all_nul(&source.bytes(size - window, window as usize)?) {
        return Ok(());
    }
    for at in [from, from + (to - from) / 2] {
        let length = (to - at).min(4096);
        if !is_all_nul(&source.bytes(at, length as usize)?) {
            return Ok(());
        }
    }
    let shown = crate::safety::one_line(name, 80);
    Err(Fault::Damaged(format!(
        "its end is all NUL, and so is the last tensor, {shown}, wherever it was looked at"
    )))
}

/// Reads every byte: without checksums only what the disk refuses is found.
fn read_all(source: &dyn Source) -> Result<(), Fault> {
    let mut block = vec![0; BLOCK];
    let mut at = 0;
    while at < source.size() {
        let length = (source.size() - at).min(BLOCK as u64);
        source.fill(at, &mut block[..length as usize])?;
        at += length;
    }
    Ok(())
}

/// Bits per element; `None` for a type that is not known here.
fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" => 8,
        "I16" | "U16" | "F16" | "BF16" => 16,
        "I32" | "U32" | "F32" => 32,
        "I64" | "U64" | "F64" | "C64" => 64,
        "C128" => 128,
        _ => return None,
    })
}
