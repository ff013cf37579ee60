//! The values of single fields, from bytes.

use crate::cluster::{ExitCode, State};
use crate::terms::{Bytes, JobId, Part, Seconds, TaskIds, Time};

/// What the JobID of a row names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowId {
    pub(super) id: Id,
    /// True for `.batch`, `.extern`, `.0` and the like.
    pub(super) step: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Id {
    Job(JobId),
    /// `123_[4-10%2]`: the tasks of an array that wait together.
    Waiting {
        base: u32,
        tasks: Option<TaskIds>,
        throttle: Option<u32>,
        cut: bool,
    },
}

pub(super) fn row_id(text: &[u8]) -> Option<RowId> {
    let (base, rest) = leading_number(text)?;
    let (id, rest) = match rest.first() {
        Some(b'_') if rest.get(1) == Some(&b'[') => {
            return waiting(base, &rest[2..]).map(|id| RowId { id, step: false });
        }
        Some(b'_') => {
            let (index, rest) = leading_number(&rest[1..])?;
            (JobId::task(base, index), rest)
        }
        Some(b'+') => {
            let (offset, rest) = leading_number(&rest[1..])?;
            (JobId { base, part: Part::Component(offset) }, rest)
        }
        _ => (JobId::whole(base), rest),
    };
    match rest.first() {
        None => Some(RowId { id: Id::Job(id), step: false }),
        Some(b'.') if rest.len() > 1 => Some(RowId { id: Id::Job(id), step: true }),
        _ => None,
    }
}

/// `4-10%2]`, or a list that was cut: `4-10,...]`, `4-10,1+`.
fn waiting(base: u32, text: &[u8]) -> Option<Id> {
    let text = std::str::from_utf8(text).ok()?;
    let (list, closed) = match text.strip_suffix(']') {
        Some(list) => (list, true),
        None => (text.strip_suffix('+')?, false),
    };
    let (list, throttle) = match list.split_once('%') {
        Some((list, throttle)) => (list, throttle.parse().ok()),
        None => (list, None),
    };
    let tasks = list.parse::<TaskIds>().ok();
    let cut = !closed || tasks.is_none();
    Some(Id::Waiting { base, tasks, throttle, cut })
}

fn leading_number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some((number(&text[..digits])?, &text[digits..]))
}

/// A number that is all digits.
pub(super) fn number(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    let mut value = 0u64;
    for byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(byte - b'0');
    }
    u32::try_from(value).ok()
}

/// A state, and who cancelled.
pub(super) fn state(text: &[u8]) -> (State, Option<u32>) {
    // The common ones first: they are most of a million rows.
    match text {
        b"COMPLETED" => return (State::Completed, None),
        b"FAILED" => return (State::Failed, None),
        _ => {}
    }
    let Ok(text) = std::str::from_utf8(text) else { return (State::Unknown, None) };
    let by = text.strip_prefix("CANCELLED by ").and_then(|uid| number(uid.as_bytes()));
    (State::read(text), by)
}

pub(super) fn exit_code(text: &[u8]) -> Option<ExitCode> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let part = |text| number(text).and_then(|value| u8::try_from(value).ok());
    Some(ExitCode { status: part(&text[..colon])?, signal: part(&text[colon + 1..])? })
}

/// Seconds of `[days-]hh:mm:ss`; `None` for `UNLIMITED`, `Partition_Limit`.
pub(super) fn duration(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    Seconds::from_slurm(text).ok().and_then(|span| u32::try_from(span.0).ok())
}

pub(super) fn memory(text: &[u8]) -> Option<Bytes> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A moment as the text has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Seconds since 1970.
    Exact(i64),
    /// The cluster's wall clock, read as UTC.
    Local(i64),
    /// `Unknown`, `None`, `N/A`, or no such column.
    NotYet,
    /// Another form: a site's own time format, another language.
    NotUnderstood,
}

pub(super) fn time(text: &[u8]) -> Moment {
    match text {
        b"" | b"Unknown" | b"None" | b"N/A" | b"NONE" | b"Unknown+" => return Moment::NotYet,
        [b'0'..=b'9', ..] if text.len() <= 10 && number(text).is_some() => {
            return number(text).map_or(Moment::NotUnderstood, |seconds| match seconds {
                // Slurm's word for no time, printed as seconds.
                0 | u32::MAX => Moment::NotYet,
                seconds => Moment::Exact(i64::from(seconds)),
            });
        }
        _ => {}
    }
    if let Some(moment) = Time::from_wall_clock(text) {
        return Moment::Local(moment.unix());
    }
    zoned(text).map_or(Moment::NotUnderstood, |moment| Moment::Exact(moment.unix()))
}

/// `2026-11-21T04:29:36+01:00`, and the same without the second colon.
fn zoned(text: &[u8]) -> Option<Time> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().or_else(|| {
        let (hours, minutes) = text.split_at_checked(text.len().checked_sub(2)?)?;
        format!("{hours}:{minutes}").parse().ok()
    })
}
