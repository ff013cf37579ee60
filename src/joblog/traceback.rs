//! Python tracebacks: which exception, and where in the project's own code.

use std::sync::LazyLock;

use memchr::memchr;
use regex::bytes::Regex;

/// Tracebacks that are open at the same time: one per label of a rank.
const MOST_OPEN: usize = 256;
/// A traceback that goes on for more lines than this is given up.
const LONGEST: u32 = 2_000;
/// So many lines that are no part of it end a traceback: others wrote between.
const STRANGERS: u32 = 40;

/// A longer path of a file, or name of a function, in bytes, is none or cut.
const LONGEST_PATH: usize = 4000;
const LONGEST_FUNCTION: usize = 200;
/// A class stands in no more modules than these, and neither name is longer, in bytes.
const MOST_MODULES: usize = 12;
const LONGEST_MODULE: usize = 81;
const LONGEST_NAME: usize = 121;

/// How a traceback follows from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It happened while the one before was dealt with.
    Handling,
    /// It was raised because of the one before.
    Consequence,
}

/// Where exceptions are raised that do not end the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    /// A destructor.
    Destructor,
    /// A thread, which does end.
    Thread,
}

/// A traceback that has come to its last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raised {
    /// The type without its module.
    pub exception: String,
    /// The deepest own frame, `file:function`.
    pub frame: Option<String>,
    /// If Python goes on after it: where it was raised.
    pub aside: Option<Aside>,
    /// The link to the one before it, from the same label.
    pub link: Option<Link>,
    /// How many lines it has after its first.
    pub lines: u32,
    /// It came through all of the program, up to the module that was run:
    /// nobody caught it, and the program is over.
    pub from_top: bool,
}

/// What a line is to the tracebacks that are open.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// No part of any.
    None,
    /// Inside one.
    Inside,
    /// The last line of one.
    End(Raised),
}

#[derive(Debug)]
struct Open {
    label: Vec<u8>,
    frame: Option<String>,
    /// Whether its first frame is that of a module.
    from_top: Option<bool>,
    aside: Option<Aside>,
    link: Option<Link>,
    lines: u32,
    strangers: u32,
}

/// The tracebacks of one file that are not finished.
#[derive(Debug, Default)]
pub(super) struct Tracebacks {
    open: Vec<Open>,
    aside: Option<Aside>,
    link: Option<(Vec<u8>, Link)>,
}

impl Tracebacks {
    /// True if lines must be fed one by one.
    pub fn are_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The next traceback does not end the process.
    pub fn set_aside(&mut self, aside: Aside) {
        self.aside = Some(aside);
    }

    /// What follows was ignored, and may be the exception alone, without its traceback.
    pub fn set_ignored(&mut self, label: &[u8]) {
        self.begin(label);
        if let Some(open) = self.open.last_mut() {
            open.aside = Some(Aside::Destructor);
            open.lines = LONGEST - 1;
        }
        self.set_aside(Aside::Destructor);
    }

    /// The next traceback of this label is linked to the one before it.
    pub fn set_link(&mut self, label: &[u8], link: Link) {
        self.link = Some((label.to_vec(), link));
    }

    /// A line with `Traceback (most recent call last)`.
    pub fn begin(&mut self, label: &[u8]) {
        self.open.retain(|open| open.label != label);
        if self.open.len() >= MOST_OPEN {
            self.open.remove(0);
        }
        let link = self.link.take_if(|(of, _)| of.as_slice() == label).map(|(_, link)| link);
        self.open.push(Open {
            label: label.to_vec(),
            frame: None,
            from_top: None,
            aside: std::mem::take(&mut self.aside),
            link,
            lines: 0,
            strangers: 0,
        });
    }

    /// Any other line, while some are open.
    pub fn feed(&mut self, label: &[u8], message: &[u8]) -> Part {
        let Some(at) = self.open.iter().position(|open| open.label == label) else {
            // A crowd of other labels must not keep one open for ever.
            self.open.iter_mut().for_each(|open| open.lines += 1);
            self.open.retain(|open| open.lines <= LONGEST);
            return Part::None;
        };
        let open = &mut self.open[at];
        open.lines += 1;
        let body = trimmed(message);
        if let Some((path, function)) = frame_of(body) {
            open.from_top.get_or_insert(matches!(function.as_str(), "<module>" | "_run_module_as_main"));
            if is_own(&path) {
                let file = path.rsplit(['/', '\\']).next().unwrap_or_default();
                open.frame = Some(format!("{file}:{function}"));
            }
            return Part::Inside;
        }
        let is_inside = body.is_empty() || is_indented(message) || matches!(body[0], b'^' | b'~');
        if is_inside && open.lines <= LONGEST {
            return Part::Inside;
        }
        if let Some(exception) = exception_of(body) {
            let open = self.open.swap_remove(at);
            self.aside = None;
            let Open { frame, aside, link, lines, .. } = open;
            let from_top = open.from_top.unwrap_or(false);
            return Part::End(Raised { exception, frame, aside, link, lines, from_top });
        }
        open.strangers += 1;
        if open.strangers > STRANGERS || open.lines > LONGEST {
            self.open.swap_remove(at);
        }
        Part::None
    }
}

/// True if a line stands deeper than its traceback; those of an exception group
/// stand behind a bar.
fn is_indented(message: &[u8]) -> bool {
    let barred = message.trim_ascii_start().strip_prefix(b"| ");
    trimmed(message).len() < barred.unwrap_or(message).len()
}

/// A line without the blanks, bars and boxes that indent it (exception groups
/// use `|`, rich draws boxes).
pub(super) fn trimmed(message: &[u8]) -> &[u8] {
    let mut rest = message;
    loop {
        rest = rest.trim_ascii_start();
        let boxes = ["│", "╭", "╰", "─", "❱"].iter().find_map(|sign| rest.strip_prefix(sign.as_bytes()));
        match boxes.or_else(|| rest.strip_prefix(b"| ")).or_else(|| rest.strip_prefix(b"+-")) {
            Some(inner) => rest = inner,
            None => return rest,
        }
    }
}

/// Path and function of a frame's line: `File "train.py", line 12, in step`, or `train.py:12 in step` as rich draws it.
fn frame_of(body: &[u8]) -> Option<(String, String)> {
    static DRAWN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?-u)^([^\s:]{1,1000}\.py):\d+ in (\w{1,200})").expect("a constant"));
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    // Most are written so, and there are many: by hand, because a pattern with groups takes ten times as long.
    if let Some(rest) = body.strip_prefix(b"File \"") {
        let path = &rest[..memchr(b'"', rest).filter(|end| (1..=LONGEST_PATH).contains(end))?];
        let number = rest[path.len()..].strip_prefix(b"\", line ")?;
        let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let function = number[digits..].strip_prefix(b", in ").unwrap_or_default();
        let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
        let end = function.iter().take(LONGEST_FUNCTION).position(is_blank);
        let function = &function[..end.unwrap_or(function.len().min(LONGEST_FUNCTION))];
        return Some((text(path), text(function)));
    }
    let found = DRAWN.captures(body)?;
    Some((text(found.get(1)?.as_bytes()), text(found.get(2)?.as_bytes())))
}

/// True for the project's own code: neither installed nor Python's.
fn is_own(path: &str) -> bool {
    let foreign = [
        "site-packages",
        "dist-packages",
        "/lib/python",
        "/lib64/python",
        "/usr/lib/",
        "<frozen",
        "<string>",
        "importlib/",
    ];
    !foreign.iter().any(|part| path.contains(part))
}

/// Modules and the name of a class, alone or before a message: `a.b.Error: text`. By hand, as the frames.
fn named(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    for number in 0..=MOST_MODULES {
        let part = &body[from..];
        let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let length = part.iter().take(LONGEST_NAME + 1).take_while(is_word).count();
        if length == 0 || part[0].is_ascii_digit() {
            return None;
        }
        match &part[length..] {
            [b'.', ..] if number < MOST_MODULES && length <= LONGEST_MODULE => from += length + 1,
            [] | [b':'] | [b':', b' ', ..] if length <= LONGEST_NAME => {
                return Some((&body[..from], &part[..length]));
            }
            _ => return None,
        }
    }
    None
}

/// The type in the last line of a traceback, without its module.
fn exception_of(body: &[u8]) -> Option<String> {
    let (module, name) = named(body)?;
    let name = std::str::from_utf8(name).ok()?;
    let endings = [
        "Error",
        "Exception",
        "Group",
        "Exit",
        "Interrupt",
        "Warning",
        "Iteration",
        "Timeout",
        "Abort",
        "OOM",
    ];
    let looks_so = endings.iter().any(|ending| name.ends_with(ending));
    let has_message = body.len() > module.len() + name.len();
    // Custom names: with a module, or as a class is written and with a message.
    let is_class = name.starts_with(|c: char| c.is_ascii_uppercase()) && has_message;
    (looks_so || !module.is_empty() || is_class).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Vec<Raised> {
        let mut tracebacks = Tracebacks::default();
        let mut raised = Vec::new();
        for line in text.lines() {
            let message = super::super::label::message(line.as_bytes());
            let label = &line.as_bytes()[..line.len() - message.len()];
            if line.contains("During handling") {
                tracebacks.set_link(label, Link::Handling);
            } else if line.contains("Exception ignored in") {
                tracebacks.set_ignored(label);
            } else if line.contains("Exception in thread") {
                tracebacks.set_aside(Aside::Thread);
            } else if line.contains("Traceback (most recent call last)") {
                tracebacks.begin(label);
            } else if let Part::End(one) = tracebacks.feed(label, message) {
                raised.push(one);
            }
        }
        raised
    }

    #[test]
    fn frames_are_read_as_python_and_rich_write_them() {
        let frame = |line: &str| frame_of(line.as_bytes());
        let is = |path: &str, function: &str| Some((path.to_owned(), function.to_owned()));
        assert_eq!(frame("File \"/a b/x.py\", line 12, in step"), is("/a b/x.py", "step"));
        assert_eq!(frame("File \"x.py\", line 1, in <module> again"), is("x.py", "<module>"));
        assert_eq!(frame("File \"x.py\", line 12"), is("x.py", ""));
        assert_eq!(frame("File \"x.py\", line 12, in "), is("x.py", ""));
        assert_eq!(frame("x/y.py:12 in step  "), is("x/y.py", "step"));
        let long = "f".repeat(300);
        assert_eq!(frame(&format!("File \"x.py\", line 1, in {long}")), is("x.py", &long[..200]));
        for line in [
            "File \"x.py",
            "File \"\", line 1",
            "File \"x.py\", line x",
            "File x.py, line 1",
            "y.py:x in step",
            "",
        ] {
            assert_eq!(frame(line), None, "{line}");
        }
        assert_eq!(frame(&format!("File \"{}\", line 1", "p".repeat(4001))), None);
    }

    #[test]
    fn names_of_classes_are_read_as_the_pattern_would() {
        let pattern =
            Regex::new(r"(?-u)^((?:[A-Za-z_]\w{0,80}\.){0,12})([A-Za-z_]\w{0,120})(?:: .*|:)?$").unwrap();
        let (module, name) = (format!("m{}", "o".repeat(80)), format!("N{}", "a".repeat(120)));
        for text in [
            "",
            "KeyError: 'x'",
            "KeyError",
            "KeyError:",
            "KeyError:x",
            "KeyError : x",
            "torch.cuda.OutOfMemoryError: CUDA out of memory.",
            "a..b: x",
            ".b: x",
            "a.",
            "a.1b: x",
            "_a.B_1: x",
            "1a: x",
            "é.b: x",
            "a.é: x",
            &format!("{module}.{name}: x"),
            &format!("{module}o.{name}: x"),
            &format!("{module}.{name}a: x"),
            &format!("{}E: x", "a.".repeat(12)),
            &format!("{}E: x", "a.".repeat(13)),
        ] {
            let found = pattern.captures(text.as_bytes());
            let found = found.map(|found| {
                let part = |at: usize| found.get(at).unwrap().as_bytes();
                (part(1), part(2))
            });
            assert_eq!(named(text.as_bytes()), found, "{text}");
        }
    }

    #[test]
    fn the_deepest_own_frame_is_found() {
        let raised = run(
            "Traceback (most recent call last):\n  File \"/home/a/proj/train.py\", line 9, in <module>\n    main()\n    ^^^^^^\n  File \"/home/a/proj/model.py\", line 7, in forward\n    return torch.mm(a)\n  File \"/opt/lib/python3.11/site-packages/torch/x.py\", line 3, in mm\n    raise E\ntorch.cuda.OutOfMemoryError: CUDA out of memory.\n",
        );
        assert_eq!(raised.len(), 1);
        assert_eq!(raised[0].exception, "OutOfMemoryError");
        assert_eq!(raised[0].frame.as_deref(), Some("model.py:forward"));
    }

    #[test]
    fn ranks_that_write_between_each_other_are_kept_apart() {
        let raised = run(
            "[rank0]: Traceback (most recent call last):\n[rank1]: Traceback (most recent call last):\n[rank0]:   File \"a.py\", line 1, in f\n[rank1]:   File \"b.py\", line 2, in g\n[rank1]: KeyError: 'x'\n[rank0]: ValueError: y\n",
        );
        let seen: Vec<_> = raised.iter().map(|one| (one.exception.as_str(), one.frame.as_deref())).collect();
        assert_eq!(seen, [("KeyError", Some("b.py:g")), ("ValueError", Some("a.py:f"))]);
    }

    #[test]
    fn chains_destructors_and_boxes_are_known() {
        let raised = run(
            "Exception ignored in: <function D.__del__>\nTraceback (most recent call last):\n  File \"d.py\", line 1, in __del__\nAttributeError: x\nTraceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"a.py\", line 4, in f\nmy.errors.Unknown: no such model\n",
        );
        let asides: Vec<_> = raised.iter().map(|one| one.aside).collect();
        assert_eq!(asides, [Some(Aside::Destructor), None, None]);
        assert_eq!(raised[2].link, Some(Link::Handling));
        assert_eq!(raised[2].exception, "Unknown");
        let rich = run(
            "╭──── Traceback (most recent call last) ────╮\n│ /home/a/train.py:12 in main               │\n│ ❱ 12   step()                             │\n╰───────────────────────────────────────────╯\nRuntimeError: x\n",
        );
        assert_eq!(rich[0].frame.as_deref(), Some("train.py:main"));
    }

    #[test]
    fn the_exceptions_of_a_group_stand_behind_bars() {
        let raised = run(
            "  + Exception Group Traceback (most recent call last):\n  |   File \"a.py\", line 1, in f\n  |     raise x\n  | ExceptionGroup: two failed (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n    |   File \"b.py\", line 2, in g\n    | KeyError: 'x'\n    +---------------- 2 ----------------\n    | TypeError: y\n    +------------------------------------\n",
        );
        let seen: Vec<_> = raised.iter().map(|one| (one.exception.as_str(), one.frame.as_deref())).collect();
        assert_eq!(seen, [("ExceptionGroup", Some("a.py:f")), ("KeyError", Some("b.py:g"))]);
    }

    #[test]
    fn a_line_of_somebody_else_ends_no_traceback() {
        let raised = run(
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKilled\nstep 10 loss 3\nOSError: x\n",
        );
        assert_eq!(raised[0].exception, "OSError");
    }
}
