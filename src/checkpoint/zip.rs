//! The central directory of a zip archive, with zip64.
//!
//! Source: PKWARE's APPNOTE. Only what is needed to prove that every member
//! lies within the file, whole, and apart from the others.

use std::collections::HashSet;

use super::source::{Fault, Source, is_all_nul, u16_at, u32_at, u64_at};

/// How an archive begins, if it has a member.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
/// The end record without its comment.
const END_LENGTH: usize = 22;
/// The longest end record, with comment.
const LONGEST_END: usize = END_LENGTH + 0xffff;
/// The largest central directory that is read, in bytes.
const LARGEST_DIRECTORY: u64 = 128 << 20;
/// Local headers of so many members are read; of more, some from the whole range.
const MOST_HEADERS: usize = 64;
/// General purpose bits: encrypted; sizes follow the data.
const ENCRYPTED: u16 = 1;
const DESCRIPTOR: u16 = 1 << 3;
/// A number that stands in the zip64 extra field instead.
const ELSEWHERE: u32 = u32::MAX;

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub name: String,
    /// 0 is stored; anything else is compressed.
    pub method: u16,
    pub flags: u16,
    pub crc: u32,
    /// Bytes in the file.
    pub packed: u64,
    /// Bytes when unpacked.
    pub size: u64,
    /// Where its local header begins.
    pub header: u64,
}

/// Reads the directory and checks every member's place, without its data.
///
/// # Errors
/// Whatever a reader of the archive would stumble over.
pub(super) fn members(source: &dyn Source) -> Result<Vec<Member>, Fault> {
    let directory = Directory::find(source)?;
    let members = directory.read(source)?;
    check_names(&members)?;
    check_places(&members, directory.start)?;
    let step = members.len().div_ceil(MOST_HEADERS).max(1);
    let last = members.len().saturating_sub(1);
    for (at, member) in members.iter().enumerate() {
        if at % step == 0 || at == last {
            data_start(source, member, directory.start)?;
        }
    }
    Ok(members)
}

/// False if the archive was written without checksums, as torch does when it is
/// told so (`set_crc32_options(False)`): then every one of them is 0.
pub(super) fn has_checksums(members: &[Member]) -> bool {
    members.iter().any(|member| member.crc != 0)
}

/// Where a member's data begins, by its local header, which must agree with
/// the directory.
pub(super) fn data_start(source: &dyn Source, member: &Member, end: u64) -> Result<u64, Fault> {
    let shown = crate::safety::escape(&member.name);
    let wrong = |what: &str| Fault::Damaged(format!("member {shown}: {what}"));
    let header = source.bytes(member.header, 30).map_err(|fault| match fault {
        Fault::Damaged(_) => wrong("its header is outside of the file"),
        other => other,
    })?;
    if u32_at(&header, 0) != LOCAL {
        let nul = is_all_nul(&header);
        return Err(wrong(if nul { "its header is all NUL" } else { "no header where it should begin" }));
    }
    let name_length = u16_at(&header, 26);
    let name = source.bytes(member.header + 30, usize::from(name_length))?;
    if name != member.name.as_bytes() {
        return Err(wrong("its header has another name"));
    }
    if u16_at(&header, 8) != member.method {
        return Err(wrong("its header says another compression"));
    }
    let (packed, size) = (u32_at(&header, 18), u32_at(&header, 22));
    let differs = |said: u32, is: u64| said != ELSEWHERE && u64::from(said) != is;
    if u16_at(&header, 6) & DESCRIPTOR == 0 && (differs(packed, member.packed) || differs(size, member.size))
    {
        return Err(wrong("its header says another size"));
    }
    let start = member.header + 30 + u64::from(name_length) + u64::from(u16_at(&header, 28));
    match start.checked_add(member.packed) {
        Some(stop) if stop <= end => Ok(start),
        _ => Err(wrong("its data goes beyond the place for data")),
    }
}

/// Where the central directory is.
struct Directory {
    start: u64,
    size: u64,
    count: u64,
}

impl Directory {
    fn find(source: &dyn Source) -> Result<Directory, Fault> {
        let size = source.size();
        let (end_at, end) = end_record(source)?;
        let mut directory = Directory {
            start: u64::from(u32_at(&end, 16)),
            size: u64::from(u32_at(&end, 12)),
            count: u64::from(u16_at(&end, 10)),
        };
        let mut stop = end_at;
        if let Some((at, record)) = end64_record(source, end_at)? {
            directory = Directory {
                start: u64_at(&record, 48),
                size: u64_at(&record, 40),
                count: u64_at(&record, 32),
            };
            let agrees = |short: u64, none: u64, wide: u64| short == none || short == wide;
            let none = u64::from(ELSEWHERE);
            if !agrees(u64::from(u32_at(&end, 16)), none, directory.start)
                || !agrees(u64::from(u32_at(&end, 12)), none, directory.size)
                || !agrees(u64::from(u16_at(&end, 10)), 0xffff, directory.count)
            {
                return Err(Fault::Damaged("its two end records do not agree".to_owned()));
            }
            stop = at;
        } else if u32_at(&end, 16) == ELSEWHERE || u32_at(&end, 12) == ELSEWHERE {
            return Err(Fault::Damaged("the zip64 end record is missing".to_owned()));
        }
        match directory.start.checked_add(directory.size) {
            Some(after) if after == stop => {}
            Some(after) if after <= size => {
                return Err(Fault::Damaged(
                    "the central directory is not where its end record says".to_owned(),
                ));
            }
            _ => return Err(Fault::Damaged("the central directory is outside of the file".to_owned())),
        }
        if directory.size > LARGEST_DIRECTORY {
            return Err(Fault::Unreadable(format!("its central directory is {} bytes long", directory.size)));
        }
        Ok(directory)
    }

    fn read(&self, source: &dyn Source) -> Result<Vec<Member>, Fault> {
        let bytes = source.bytes(self.start, self.size as usize)?;
        let mut rest = bytes.as_slice();
        let mut members = Vec::new();
        while !rest.is_empty() {
            let (member, length) = member(rest)?;
            members.push(member);
            rest = rest.get(length..).unwrap_or_default();
        }
        if members.len() as u64 != self.count {
            return Err(Fault::Damaged(format!(
                "its central directory has {} members, its end record says {}",
                members.len(),
                self.count
            )));
        }
        Ok(members)
    }
}

/// The record at the end, and where it begins.
fn end_record(source: &dyn Source) -> Result<(u64, Vec<u8>), Fault> {
    let size = source.size();
    let tail = |length: usize| -> Result<(u64, Vec<u8>), Fault> {
        let length = size.min(length as u64);
        Ok((size - length, source.bytes(size - length, length as usize)?))
    };
    // Nearly always without a comment.
    for length in [END_LENGTH, LONGEST_END] {
        let (start, bytes) = tail(length)?;
        let fits = |at: &usize| {
            let record = &bytes[*at..];
            record.len() >= END_LENGTH
                && u32_at(record, 0) == END
                && END_LENGTH + usize::from(u16_at(record, 20)) == record.len()
        };
        if let Some(at) = (0..bytes.len()).rev().find(fits) {
            return Ok((start + at as u64, bytes[at..].to_vec()));
        }
        if length == LONGEST_END {
            let nul = bytes.iter().rev().take_while(|byte| **byte == 0).count();
            if nul == bytes.len() {
                return Err(Fault::Damaged(format!("its last {nul} bytes are all NUL")));
            }
            if nul >= 64 {
                return Err(Fault::Damaged(format!(
                    "it ends with {nul} NUL bytes where its directory belongs"
                )));
            }
        }
    }
    Err(Fault::Damaged("it is cut short: no central directory at its end".to_owned()))
}

/// The zip64 record, where there is one.
fn end64_record(source: &dyn Source, end_at: u64) -> Result<Option<(u64, Vec<u8>)>, Fault> {
    let Some(locator_at) = end_at.checked_sub(20) else { return Ok(None) };
    let locator = source.bytes(locator_at, 20)?;
    if u32_at(&locator, 0) != LOCATOR64 {
        return Ok(None);
    }
    let at = u64_at(&locator, 8);
    if at.checked_add(56).is_none_or(|stop| stop > locator_at) {
        return Err(Fault::Damaged("the zip64 end record is outside of the file".to_owned()));
    }
    let record = source.bytes(at, 56)?;
    if u32_at(&record, 0) != END64 {
        return Err(Fault::Damaged("no zip64 end record where its locator says".to_owned()));
    }
    Ok(Some((at, record)))
}

/// One member at the beginning of these bytes, and how long its record is.
fn member(bytes: &[u8]) -> Result<(Member, usize), Fault> {
    if bytes.len() < 46 || u32_at(bytes, 0) != CENTRAL {
        return Err(Fault::Damaged("its central directory is garbled".to_owned()));
    }
    let lengths = [28, 30, 32].map(|at| usize::from(u16_at(bytes, at)));
    let length = 46 + lengths.iter().sum::<usize>();
    let name = bytes.get(46..46 + lengths[0]);
    let extra = bytes.get(46 + lengths[0]..46 + lengths[0] + lengths[1]);
    let (Some(name), Some(extra), true) = (name, extra, bytes.len() >= length) else {
        return Err(Fault::Damaged("its central directory is cut short".to_owned()));
    };
    let Ok(name) = std::str::from_utf8(name) else {
        return Err(Fault::Damaged("a member's name is no UTF-8".to_owned()));
    };
    let mut wide = zip64_extra(extra);
    // In this order, and only those that have no room in the record itself.
    let mut number = |at: usize| {
        let short = u32_at(bytes, at);
        if short != ELSEWHERE {
            return Ok(u64::from(short));
        }
        let value = wide.get(..8).map(|_| u64_at(wide, 0));
        wide = wide.get(8..).unwrap_or_default();
        value.ok_or_else(|| Fault::Damaged("a member's zip64 sizes are missing".to_owned()))
    };
    let size = number(24)?;
    let packed = number(20)?;
    let header = number(42)?;
    let member = Member {
        name: name.to_owned(),
        method: u16_at(bytes, 10),
        flags: u16_at(bytes, 8),
        crc: u32_at(bytes, 16),
        packed,
        size,
        header,
    };
    Ok((member, length))
}

/// The payload of the extra field with the id 1.
fn zip64_extra(mut extra: &[u8]) -> &[u8] {
    while extra.len() >= 4 {
        let length = usize::from(u16_at(extra, 2));
        let body = extra.get(4..4 + length).unwrap_or_default();
        if u16_at(extra, 0) == 1 {
            return body;
        }
        extra = extra.get(4 + length..).unwrap_or_default();
    }
    &[]
}

fn check_names(members: &[Member]) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    for member in members {
        let shown = crate::safety::one_line(&member.name, 80);
        if !seen.insert(member.name.as_str()) {
            return Err(Fault::Damaged(format!("two members have the name {shown}")));
        }
        let climbs = member.name.split(['/', '\\']).any(|part| part == "..");
        if climbs || member.name.starts_with(['/', '\\']) || member.name.contains('\0') {
            return Err(Fault::Damaged(format!("a member's name leads outside: {shown}")));
        }
        if member.flags & ENCRYPTED != 0 {
            return Err(Fault::Unreadable(format!("member {shown} is encrypted")));
        }
        if member.method == 0 && member.packed != member.size {
            return Err(Fault::Damaged(format!("member {shown} is stored and has two sizes")));
        }
    }
    Ok(())
}

/// Every member before the directory, none within another.
fn check_places(members: &[Member], directory: u64) -> Result<(), Fault> {
    let mut places: Vec<(u64, u64, &str)> = Vec::with_capacity(members.len());
    for member in members {
        // The least that a local header takes; an exact place needs its lengths.
        let least = 30 + member.name.len() as u64;
        let stop = member.header.checked_add(least).and_then(|at| at.checked_add(member.packed));
        match stop {
            Some(stop) if stop <= directory => places.push((member.header, stop, &member.name)),
            _ => {
                let shown = crate::safety::one_line(&member.name, 80);
                return Err(Fault::Damaged(format!("member {shown} lies outside of the file")));
            }
        }
    }
    places.sort_unstable();
    for pair in places.windows(2) {
        if pair[1].0 < pair[0].1 {
            let shown = crate::safety::one_line(pair[1].2, 80);
            return Err(Fault::Damaged(format!("member {shown} lies within another")));
        }
    }
    Ok(())
}
