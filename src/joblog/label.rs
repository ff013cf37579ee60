//! The labels that launchers put before each line of a rank's output.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// More labels than this before one message are part of the message.
const MOST: usize = 3;

/// The longest that ends with a colon, in bytes.
const LONGEST: usize = 130;

/// torch (`[rank3]: `, `[default0]:`), Lightning (`[rank: 3] `), srun --label (`03: `), mpirun (`[1,3]<stderr>: `),
/// Ray and vLLM (`(EngineCore_0 pid=71) `), pdsh as DeepSpeed starts it (`worker-1: `), and the head of a log record
/// (`ERROR 03-01 12:00:00 [core.py:390] `, as vLLM puts it before each line of a traceback).
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?-u)^ *(?:",
        r"\[(?:rank|default|gpu|worker)?:? ?\d{1,6}\]:? ?",
        r"|rank ?\d{1,6}: ?",
        r"|\d{1,6}: ",
        r"|\[\d+,\d+\](?:<std(?:out|err)>)?: ?",
        r"|\([A-Za-z_][\w .-]{0,60} pid=\d+(?:, ip=[\d.]+)?\) ",
        r"|[a-z][a-z0-9.-]{0,60}\d[a-z0-9.-]{0,60}: ",
        r"|ERROR \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]{1,60}\]|[\w.]{1,60}:\d+\]) ",
        r")",
    ))
    .expect("a constant")
});

/// The line without the labels before its message.
pub(super) fn message(line: &[u8]) -> &[u8] {
    let mut rest = line;
    for _ in 0..MOST {
        if !may_begin(rest) {
            break;
        }
        match LABEL.find(rest) {
            Some(label) => rest = &rest[label.end()..],
            None => break,
        }
    }
    rest
}

/// False if no label begins the line, which is so of most lines, and seen sooner
/// than by the pattern.
fn may_begin(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    match text.first() {
        Some(b'[' | b'(') => true,
        Some(b'0'..=b'9' | b'a'..=b'z') => text[..text.len().min(LONGEST)].contains(&b':'),
        Some(b'E') => text.starts_with(b"ERROR "),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_launchers_are_no_part_of_the_message() {
        for (line, text) in [
            ("[rank3]: ValueError: x", "ValueError: x"),
            ("[rank: 3] Received", "Received"),
            ("[default0]:KeyError: 1", "KeyError: 1"),
            (" 3: KeyError: 1", "KeyError: 1"),
            ("0: [rank0]: KeyError: 1", "KeyError: 1"),
            ("[1,3]<stderr>: Killed", "Killed"),
            ("(RayTrainWorker pid=71, ip=10.0.0.3) KeyError: 1", "KeyError: 1"),
            ("(EngineCore_0 pid=71) ERROR 03-01 12:00:00 [core.py:390] KeyError: 1", "KeyError: 1"),
            ("worker-1: KeyError: 1", "KeyError: 1"),
            ("ValueError: 3: no", "ValueError: 3: no"),
            ("slurmstepd: error: x", "slurmstepd: error: x"),
            ("  File \"a.py\", line 3", "  File \"a.py\", line 3"),
            ("", ""),
        ] {
            assert_eq!(message(line.as_bytes()), text.as_bytes(), "{line}");
        }
    }
}
