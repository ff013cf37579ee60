//! The labels that launchers put before each line of a rank's output.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// More labels than this before one message are part of the message.
const MOST: usize = 3;

/// The longest that ends with a colon, in bytes.
const LONGEST: usize = 130;

/// torch (`[rank3]: `, `[default0]:`), Lightning (`[rank: 3] `), srun --label (`03: `), mpirun and Horovod
/// (`[1,3]<stderr>: `, with SageMaker's words `[1,mpirank:3,algo-1]<stdout>:`, since Open MPI 5 `[prterun-n1-71@1,3]<stderr>: `),
/// Ray and vLLM (`(EngineCore_0 pid=71) `), pdsh as DeepSpeed starts it (`worker-1: `), and the head of a log record
/// (`ERROR 03-01 12:00:00 [core.py:390] `, as vLLM puts it before each line of a traceback).
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?-u)^ *(?:",
        r"\[(?:rank|default|gpu|worker)?:? ?\d{1,6}\]:? ?",
        r"|rank ?\d{1,6}: ?",
        r"|\d{1,6}: ",
        r"|\[(?:[\w.-]{1,80}@)?\d+,(?:mpirank:)?\d+(?:,[\w.-]{1,60})?\](?:<std(?:out|err|diag)>)?: ?",
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
            Some(label) if !is_program(label.as_bytes()) => rest = &rest[label.end()..],
            _ => break,
        }
    }
    rest
}

/// True for what looks like a node's name, and is that of a program or of an
/// exception's module: no name of a node ends with a number behind a dot.
fn is_program(label: &[u8]) -> bool {
    static PROGRAM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?-u)^ *(?:[a-z0-9.-]*\.(?:\d+|[a-z]*(?:error|exception|warning)|py|sh|jl|so|exe|bin)",
            r"|(?:python|pip|pypy|perl|ruby|lua|php|java|gcc|clang|gfortran|cpp|nvcc|conda|mpirun|mpiexec)-?\d[\d.-]*",
            r"|cc1(?:plus|obj)?|lto1|f951|ld64(?:\.lld)?|(?:md5|sha\d+|b2)sum|b(?:un)?zip2|gpg2|s3(?:cmd|fs)|h5\w+|x264|e2fsck",
            r"|(?:python|pip)[\d.]+-[a-z]+): $",
        ))
        .expect("a constant")
    });
    PROGRAM.is_match(label)
}

/// False if no label begins the line, which is so of most lines, and seen sooner
/// than by the pattern.
fn may_begin(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    match text.first() {
        Some(b'[' | b'(') => true,
        Some(b'0'..=b'9') => text.iter().find(|byte| !byte.is_ascii_digit()) == Some(&b':'),
        Some(b'r') if text.starts_with(b"rank") => text[..text.len().min(LONGEST)].contains(&b':'),
        Some(b'a'..=b'z') => {
            let is_name = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
            let name = text.iter().take(LONGEST).position(|byte| !is_name(byte));
            name.is_some_and(|end| {
                text[end..].starts_with(b": ") && text[..end].iter().any(u8::is_ascii_digit)
            })
        }
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
            ("gpu03.cluster.example: KeyError: 1", "KeyError: 1"),
            ("[1,mpirank:0,algo-1]<stdout>:KeyError: 1", "KeyError: 1"),
            ("[1,0]<stderr>:KeyError: 1", "KeyError: 1"),
            ("[1,0]<stddiag>:KeyError: 1", "KeyError: 1"),
            ("[prterun-n042-71@1,0]<stderr>: KeyError: 1", "KeyError: 1"),
            (
                "python3.11: No module named torch.distributed.run",
                "python3.11: No module named torch.distributed.run",
            ),
            ("cv2.error: OpenCV(4.8.0) x", "cv2.error: OpenCV(4.8.0) x"),
            ("cc1plus: fatal error: x", "cc1plus: fatal error: x"),
            ("gcc-12: error: x", "gcc-12: error: x"),
            ("ValueError: 3: no", "ValueError: 3: no"),
            ("slurmstepd: error: x", "slurmstepd: error: x"),
            ("  File \"a.py\", line 3", "  File \"a.py\", line 3"),
            ("", ""),
        ] {
            assert_eq!(message(line.as_bytes()), text.as_bytes(), "{line}");
        }
    }
}
