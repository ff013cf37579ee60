//! One command on another machine, with what it prints as it comes.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use crate::sys::{Side, SpawnError, World, nonce};

use super::shell::go_to;
use super::trouble::telling_line;
use super::{RemotePath, Target, Trouble, Why, quoted, ssh};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With this exit status.
    With(u8),
    /// It was not started: the folder is not there.
    NoFolder(String),
}

/// So long a command may run.
const LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Runs a program in a folder there, with nothing on its standard input. Its arguments arrive byte for
/// byte. Nothing runs before the whole script has arrived.
///
/// # Errors
/// [`Trouble`] where nobody knows how it ended.
pub fn run_script(
    world: &World,
    target: &Target,
    path: &RemotePath,
    words: &[OsString],
    on: &mut dyn FnMut(Side, &[u8]),
) -> Result<Ended, Trouble> {
    let trouble = |why, words: String| Trouble { why, words, tries: 1 };
    let chance = nonce::<16>().map_err(|e| trouble(Why::Other, e.to_string()))?;
    let mark = format!("handover-{chance}");
    let spawn = ssh(target, "exec bash -s").input(script(&mark, path, words)).limit(LIMIT).with_us();
    let mut tail = Tail::new(&mark);
    let mut errors = Vec::new();
    let done = world.processes.stream(&spawn, &mut |side, bytes| match side {
        Side::Out => on(side, bytes),
        Side::Err => {
            let shown = tail.take(bytes);
            // Only the end tells why ssh failed.
            errors.extend_from_slice(&shown);
            let over = errors.len().saturating_sub(16 * 1024);
            errors.drain(..over);
            on(side, &shown);
        }
    });
    let code = match done {
        Ok(code) => code,
        Err(SpawnError::Missing { .. }) => return Err(trouble(Why::NoSsh, String::new())),
        Err(error) => return Err(trouble(Why::Other, error.to_string())),
    };
    let said = tail.rest();
    if let Some(code) = said.strip_prefix("end ").and_then(|code| code.trim().parse::<u8>().ok()) {
        return Ok(Ended::With(code));
    }
    let errors = String::from_utf8_lossy(&errors).into_owned();
    if said.trim() == "nofolder" {
        return Ok(Ended::NoFolder(telling_line(&errors).to_owned()));
    }
    let why = match code {
        126 | 127 => Why::NoBash,
        255 => Why::of_words(&errors),
        _ => Why::Cut,
    };
    Err(trouble(why, telling_line(&errors).to_owned()))
}

fn script(mark: &str, path: &RemotePath, words: &[OsString]) -> Vec<u8> {
    let words: Vec<Vec<u8>> = words.iter().map(|word| quoted(OsStr::new(word))).collect();
    [
        b"{\n",
        &go_to(path)[..],
        format!(" || {{ printf '\\n%s nofolder\\n' {mark} >&2; exit 1; }}\n(exec ").as_bytes(),
        &words.join(&b' ')[..],
        format!(" </dev/null)\ncode=$?\nprintf '\\n%s end %s\\n' {mark} \"$code\" >&2\nexit \"$code\"\n}}\n")
            .as_bytes(),
    ]
    .concat()
}

/// Lets everything through up to the mark; what may be its beginning waits.
struct Tail {
    mark: Vec<u8>,
    waiting: Vec<u8>,
    after: Option<Vec<u8>>,
}

impl Tail {
    fn new(mark: &str) -> Tail {
        Tail { mark: format!("\n{mark} ").into_bytes(), waiting: Vec::new(), after: None }
    }

    /// What can be shown now. No bytes at all mean that nothing has come for a while.
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        if let Some(after) = &mut self.after {
            after.extend_from_slice(bytes);
            return Vec::new();
        }
        self.waiting.extend_from_slice(bytes);
        if let Some(at) = memchr::memmem::find(&self.waiting, &self.mark) {
            self.after = Some(self.waiting.split_off(at).split_off(self.mark.len()));
            return std::mem::take(&mut self.waiting);
        }
        let most = self.mark.len().min(self.waiting.len());
        let held = (1..=most).rev().find(|len| self.waiting.ends_with(&self.mark[..*len])).unwrap_or(0);
        let rest = self.waiting.split_off(self.waiting.len() - held);
        std::mem::replace(&mut self.waiting, rest)
    }

    /// What stood behind the mark; empty if it never came.
    fn rest(self) -> String {
        String::from_utf8_lossy(&self.after.unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_mark_comes_through_however_it_is_cut() {
        let text = b"one\ntwo\nM two\n\n\nMARK end 3\n";
        for size in 1..text.len() {
            let mut tail = Tail::new("MARK");
            let shown: Vec<u8> = text.chunks(size).flat_map(|chunk| tail.take(chunk)).collect();
            assert_eq!(shown, b"one\ntwo\nM two\n\n", "{size}");
            assert_eq!(tail.rest(), "end 3\n");
        }
    }

    #[test]
    fn a_script_is_one_command_and_quotes_every_word() {
        let words: Vec<OsString> = ["a b", "it's", "--", "$(x)"].map(OsString::from).to_vec();
        let script = String::from_utf8(script("M", &RemotePath::read("~/p q").unwrap(), &words)).unwrap();
        assert!(script.starts_with("{\nunset CDPATH && cd && cd -- './p q' || "), "{script}");
        assert!(script.contains("(exec 'a b' 'it'\\''s' -- '$(x)' </dev/null)"), "{script}");
    }
}
