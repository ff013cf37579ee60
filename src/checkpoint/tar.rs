//! Tar archives: what torch wrote before 0.1.10, with members `sys_info`,
//! `pickle`, `storages`, `tensors`.
//!
//! Source: `legacy_load` in `torch/serialization.py`; POSIX ustar.

use super::Depth;
use super::facts::Facts;
use super::source::{Fault, Source, is_all_nul};

const BLOCK: u64 = 512;
/// The most members that are walked.
const MOST_MEMBERS: usize = 100_000;
/// What torch puts in.
const MEMBERS: [&str; 4] = ["sys_info", "pickle", "storages", "tensors"];

/// True for the beginning of a tar archive.
pub(super) fn is(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

/// Walks the headers to the two empty blocks at the end.
///
/// # Errors
/// Whatever is wrong with it; a sound archive that torch did not write is not
/// recognised.
pub(super) fn read(source: &dyn Source, _: Depth) -> Result<Facts, Fault> {
    let mut names = Vec::new();
    let mut at = 0;
    loop {
        if source.size().saturating_sub(at) < BLOCK {
            return Err(Fault::Damaged("it is cut short: no empty blocks at its end".to_owned()));
        }
        let header = source.bytes(at, BLOCK as usize)?;
        if is_all_nul(&header) {
            break;
        }
        if names.len() >= MOST_MEMBERS {
            return Err(Fault::Unreadable("it has too many members".to_owned()));
        }
        if !is(&header) || octal(&header[148..156]) != Some(checksum(&header)) {
            return Err(Fault::Damaged(format!("the header of member {} is garbled", names.len() + 1)));
        }
        let size = octal(&header[124..136])
            .ok_or_else(|| Fault::Damaged("a member's size cannot be read".to_owned()))?;
        let name: Vec<u8> = header[..100].iter().copied().take_while(|byte| *byte != 0).collect();
        names.push(String::from_utf8_lossy(&name).trim_start_matches("./").trim_end_matches('/').to_owned());
        let next =
            size.checked_next_multiple_of(BLOCK).and_then(|size| at.checked_add(BLOCK)?.checked_add(size));
        match next {
            Some(next) if next <= source.size() => at = next,
            _ => return Err(Fault::Damaged("it is cut short within a member".to_owned())),
        }
    }
    let second = source.size().saturating_sub(at) >= 2 * BLOCK;
    if !second || !is_all_nul(&source.bytes(at + BLOCK, BLOCK as usize)?) {
        return Err(Fault::Damaged("it is cut short: one empty block at its end instead of two".to_owned()));
    }
    if !MEMBERS.iter().any(|wanted| names.iter().any(|name| name == wanted)) {
        return Err(Fault::Unrecognised);
    }
    match MEMBERS.iter().find(|wanted| !names.iter().any(|name| name == *wanted)) {
        Some(missing) => Err(Fault::Damaged(format!("the member {missing} is missing"))),
        None => Ok(Facts::default()),
    }
}

/// A number in octal digits, or in base 256 where those do not suffice.
fn octal(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        return field
            .iter()
            .skip(1)
            .try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)));
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

/// The sum of the header's bytes, its own field taken as blanks.
fn checksum(header: &[u8]) -> u64 {
    let counted = |(at, byte): (usize, &u8)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte });
    header.iter().enumerate().map(counted).sum()
}
